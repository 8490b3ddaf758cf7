//! Having a build's code loaded once, before anything of it is registered.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, SemaphorePermit, mpsc::UnboundedSender, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        code_check::{Checked, CodeCheck},
        commands::{Command, Dispatch},
    },
    make::Built,
};
use crate::{
    model::{
        Digest, FunctionError, FunctionId, Interface, Revision, RevisionNumber,
        message::{Build, BuildStep},
    },
    units::show_duration,
};

/// At most this many builds have their code loaded at once, which takes a function's own time.
const LOADED_AT_ONCE: usize = 8;
/// While the code is loaded, or waits for that, the deploy is told every this long.
const STILL: Duration = Duration::from_secs(30);

/// Has the code loaded once, where that is asked for. A platform that cannot do it deploys nevertheless.
pub(super) async fn load(
    dispatch: &Dispatch,
    loading: &Loading,
    build: &Build,
    built: Built,
    progress: &UnboundedSender<String>,
) -> BuildStep {
    let Built { image, bundle, packages, mut notices, code: _code } = built;
    let dependencies = packages.as_ref().map(|tree| tree.name().clone());
    let is_wanted =
        build.check.as_ref().is_some_and(|check| check.unless_image.as_ref() != Some(&image));
    let mut output = None;
    if is_wanted {
        let revision =
            Arc::new(unregistered(build, bundle.clone(), dependencies.clone(), image.clone()));
        match load_once(dispatch, loading, revision, progress).await {
            Checked::Loaded { printed } => output = Some(printed).filter(|text| !text.is_empty()),
            Checked::Failed { error, printed } => return not_loaded(build, error, printed),
            Checked::Skipped { reason } => {
                tracing::warn!(function = %build.name, reason, "the code was not loaded");
                let words = Words::of(build.spec.interface);
                notices.push(format!("{} before it was deployed: {reason}", words.not_done));
            }
        }
    }
    let fresh = build.refresh && dependencies.is_some();
    let notice = (!notices.is_empty()).then(|| notices.join("\n"));
    BuildStep::Done { image, bundle, dependencies, fresh, notice, output }
}

/// Places for code that is loaded.
pub(super) struct Loading {
    places: Semaphore,
    stop: CancellationToken,
    /// [`STILL`], but for tests.
    still: Duration,
}

impl Loading {
    /// Places that nobody has; `stop`: the manager stops.
    pub fn new(stop: CancellationToken) -> Self {
        Self { places: Semaphore::new(LOADED_AT_ONCE), stop, still: STILL }
    }

    /// Waits for one; none when the manager stops.
    async fn place(&self, progress: &UnboundedSender<String>) -> Option<SemaphorePermit<'_>> {
        let mut place = pin!(self.places.acquire());
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                place = &mut place => return place.ok(),
                () = tokio::time::sleep(self.still) => {
                    let waits = "waiting for the code of other deploys to be loaded first";
                    let _ = progress.send(waits.to_owned());
                }
            }
        }
    }
}

async fn load_once(
    dispatch: &Dispatch,
    loading: &Loading,
    revision: Arc<Revision>,
    progress: &UnboundedSender<String>,
) -> Checked {
    let Some(_place) = loading.place(progress).await else {
        return Checked::Skipped { reason: "the manager stops".to_owned() };
    };
    let words = Words::of(revision.spec.interface);
    let _ = progress.send(format!("{} once", words.doing));
    let limit = revision.spec.load_limit();
    let (answer, checked) = oneshot::channel();
    dispatch.send(Command::Check(Box::new(CodeCheck { revision, answer })));
    answered(checked, limit, words, progress).await
}

async fn answered(
    mut checked: oneshot::Receiver<Checked>,
    limit: Duration,
    words: Words,
    progress: &UnboundedSender<String>,
) -> Checked {
    let mut passed = Duration::ZERO;
    loop {
        match tokio::time::timeout(STILL, &mut checked).await {
            Ok(Ok(checked)) => return checked,
            Ok(Err(_)) => return Checked::Skipped { reason: "the manager stopped".to_owned() },
            Err(_) => {
                passed += STILL;
                let (passed, limit) = (show_duration(passed), show_duration(limit));
                let _ = progress.send(format!("still {}: {passed} of at most {limit}", words.doing));
            }
        }
    }
}

/// The words for a load: what the platform does, and what it has not done.
#[derive(Clone, Copy)]
struct Words {
    doing: &'static str,
    not_done: &'static str,
}

impl Words {
    fn of(interface: Interface) -> Self {
        match interface {
            Interface::Protocol => {
                Self { doing: "loading the code", not_done: "the code was not loaded" }
            }
            // One is started for each invocation.
            Interface::Command => {
                Self { doing: "looking for the program", not_done: "the program was not looked for" }
            }
            Interface::Lambda | Interface::Http { .. } => {
                Self { doing: "starting the program", not_done: "the program was not started" }
            }
        }
    }
}

fn not_loaded(build: &Build, error: FunctionError, printed: String) -> BuildStep {
    let (name, interface) = (&build.name, build.spec.interface);
    let kind =
        if is_raised(interface, &error.kind) { format!("{}: ", error.kind) } else { String::new() };
    let message = match interface {
        Interface::Protocol => {
            format!("the code of '{name}' cannot be loaded: {kind}{}", error.message)
        }
        _ => format!("the program of '{name}' cannot be run: {kind}{}", error.message),
    };
    let output = Some(printed).filter(|text| !text.is_empty());
    BuildStep::Failed {
        message,
        user_error: true,
        manifest: false,
        error: Some(Box::new(error)),
        output,
    }
}

/// Returns whether a type is that of what the code raised: ours, and the helper's, say nothing that the message does not.
fn is_raised(interface: Interface, kind: &str) -> bool {
    match interface {
        Interface::Protocol => {
            !matches!(kind, "exit" | "out_of_memory" | "protocol" | "load" | "start" | "too_large")
        }
        _ => !kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
    }
}

/// A build as a revision that is not registered.
fn unregistered(
    build: &Build,
    bundle: Option<Digest>,
    dependencies: Option<Digest>,
    image: String,
) -> Revision {
    Revision {
        function: FunctionId::new(),
        name: build.name.clone(),
        number: RevisionNumber(0),
        spec: build.spec.clone(),
        source: build.source.clone(),
        bundle,
        dependencies,
        image,
        // It is not created yet.
        created_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_where_it_is_the_codes_own() {
        let http = Interface::Http { port: 8080 };
        for (interface, kind, is) in [
            (Interface::Protocol, "exit", false),
            (Interface::Protocol, "ValueError", true),
            (Interface::Protocol, "raised", true),
            (http, "command", false),
            (Interface::Command, "exit", false),
            (Interface::Lambda, "Runtime.ImportModuleError", true),
        ] {
            assert_eq!(is_raised(interface, kind), is, "{interface:?} {kind}");
        }
    }

    #[test]
    fn a_load_is_worded_by_what_it_does() {
        let of = |interface| Words::of(interface).doing;
        assert_eq!(of(Interface::Protocol), "loading the code");
        assert_eq!(of(Interface::Command), "looking for the program");
        assert_eq!(of(Interface::Lambda), "starting the program");
    }

    #[tokio::test]
    async fn whoever_waits_for_a_load_hears_of_it_and_a_stop_ends_the_wait() {
        let loading = Loading {
            places: Semaphore::new(LOADED_AT_ONCE),
            stop: CancellationToken::new(),
            still: Duration::from_millis(1),
        };
        let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let mut taken = Vec::new();
        for _ in 0..LOADED_AT_ONCE {
            taken.push(loading.place(&progress).await.unwrap());
        }
        assert!(lines.try_recv().is_err());
        let waiting = loading.place(&progress);
        let freeing = async {
            for _ in 0..3 {
                let line = lines.recv().await.unwrap();
                assert_eq!(line, "waiting for the code of other deploys to be loaded first");
            }
            taken.pop();
        };
        let (place, ()) = tokio::join!(waiting, freeing);
        let _place = place.unwrap();
        let stopping = async { loading.stop.cancel() };
        let (none, ()) = tokio::join!(loading.place(&progress), stopping);
        assert!(none.is_none());
    }
}

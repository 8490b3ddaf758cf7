//! A load check: an instance that loads a new revision's code once and is removed then, whatever came of it.

use std::{path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    super::{
        code_check::{Checked, CodeCheck, GivenCheck},
        commands::{Command, Commands},
        pool::Slot,
        shared::Shared,
        start_failure::{StartFailure, function_error},
    },
    Instance,
    folder::remove_folder,
    start,
};
use crate::model::InstanceId;

/// The end of the output of a load that is kept, in bytes.
const MAX_PRINTED: usize = 16 * 1024;

/// In an ordinary start. `stop`: its memory is wanted.
pub async fn start(
    shared: Arc<Shared>,
    commands: Commands,
    slot: Slot,
    mut check: GivenCheck,
    stop: CancellationToken,
) {
    let id = InstanceId::new();
    let folder = shared.instances.join(id.to_string());
    let CodeCheck { revision, answer } = &mut *check;
    // Its image was just built.
    let at_once = || ();
    let started = tokio::select! {
        biased;
        // Dropped, a start leaves nothing.
        () = stop.cancelled() => None,
        () = answer.closed() => None,
        started = start::start(&shared, id, &folder, revision, &at_once) => Some(started),
    };
    match started {
        Some(Ok(instance)) => run(instance, commands, slot, check, &folder, stop).await,
        ended => {
            remove_folder(&folder);
            check.answer(match ended {
                Some(Err(failure)) => of_failure(failure, String::new()),
                _ => Checked::preempted(),
            });
            let _ = commands.send(Command::Gone { slot });
        }
    }
}

/// In an instance whose guest is there.
pub(super) async fn run(
    mut instance: Instance,
    commands: Commands,
    slot: Slot,
    mut check: GivenCheck,
    folder: &Path,
    stop: CancellationToken,
) {
    let loaded = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        // Its build was given up.
        () = check.answer.closed() => None,
        loaded = instance.load(folder, None) => Some(loaded),
    };
    let printed = end(instance.load_output().text());
    // Whoever deploys waits for the answer, not for the removal.
    match loaded {
        Some(Err(StartFailure::Unreached)) => {
            let _ = commands.send(Command::CheckAgain { slot, check });
        }
        Some(Ok(_)) => {
            let _ = commands.send(Command::CheckLoaded { slot });
            check.answer(Checked::Loaded { printed });
        }
        Some(Err(failure)) => check.answer(of_failure(failure, printed)),
        None => check.answer(Checked::preempted()),
    }
    instance.remove(folder).await;
    let _ = commands.send(Command::Gone { slot });
}

fn of_failure(failure: StartFailure, printed: String) -> Checked {
    match failure {
        StartFailure::Load(error) | StartFailure::Crashed(error) => Checked::Failed { error, printed },
        // Nobody else can say why an image of the user's own does not start.
        StartFailure::Image(reason) => {
            Checked::Failed { error: function_error("start", reason), printed }
        }
        StartFailure::Platform(reason) | StartFailure::NoKey(reason) => Checked::Skipped { reason },
        StartFailure::Unreached => Checked::Skipped { reason: "the instance ended".to_owned() },
    }
}

/// The end of what the code wrote.
fn end(mut text: String) -> String {
    let cut = text.ceil_char_boundary(text.len().saturating_sub(MAX_PRINTED));
    text.drain(..cut);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_written_the_end_is_kept() {
        assert_eq!(end("short\n".to_owned()), "short\n");
        let printed = end(format!("{}the end\n", "ä".repeat(MAX_PRINTED)));
        assert!(printed.len() <= MAX_PRINTED && printed.ends_with("äthe end\n"));
    }
}

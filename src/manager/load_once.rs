//! A load check: an instance that loads a new revision's code once and is removed then, whatever came of it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    checks::Skipped,
    dispatch::Command,
    instance::{self, Failure, Instance, remove_folder},
    pool::Slot,
};
use crate::{
    model::{FunctionError, InstanceId, Revision},
    units::show_duration,
};

/// The end of the output of a load that is kept, in bytes.
const MAX_PRINTED: usize = 16 * 1024;

/// A check that is asked for. The revision is not registered: its function and number are nobody's.
pub struct Check {
    pub revision: Arc<Revision>,
    pub answer: oneshot::Sender<Checked>,
}

/// The outcome of a check.
#[derive(Debug)]
pub enum Checked {
    Loaded {
        printed: String,
    },
    /// The function's own doing.
    Failed {
        error: FunctionError,
        printed: String,
    },
    /// Nothing is known of the code; the reason is for people.
    Skipped {
        reason: String,
    },
}

impl Check {
    pub fn skip(self, shared: &Shared, why: Skipped) {
        let wait = show_duration(shared.limits.check_wait);
        let reason = match why {
            Skipped::NoMemory => format!("no memory became free for it within {wait}"),
            Skipped::NoStart => format!("too many instances were being started for {wait}"),
            Skipped::Draining => "the manager stops".to_owned(),
        };
        self.answer(Checked::Skipped { reason });
    }

    /// It was to begin again, and is stopped before.
    pub fn preempt(self) {
        self.answer(preempted());
    }

    fn answer(self, checked: Checked) {
        // The build may have been given up.
        let _ = self.answer.send(checked);
    }
}

/// One that waits in the dispatcher may have to be begun again: its prewarmed instance was dead.
pub type Given = Box<Check>;

/// In an ordinary start. `stop`: its memory is wanted.
pub async fn start(
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    slot: Slot,
    check: Given,
    stop: CancellationToken,
) {
    let id = InstanceId::new();
    let folder = shared.instances.join(id.to_string());
    let started = tokio::select! {
        biased;
        // Dropped, a start leaves nothing.
        () = stop.cancelled() => None,
        started = instance::start(&shared, id, &folder, &check.revision) => Some(started),
    };
    match started {
        Some(Ok(instance)) => run(instance, commands, slot, check, &folder, stop).await,
        ended => {
            remove_folder(&folder);
            check.answer(match ended {
                Some(Err(failure)) => of_failure(failure, String::new()),
                _ => preempted(),
            });
            let _ = commands.send(Command::Gone { slot });
        }
    }
}

/// In an instance whose guest is there.
pub(super) async fn run(
    mut instance: Instance,
    commands: mpsc::UnboundedSender<Command>,
    slot: Slot,
    check: Given,
    folder: &std::path::Path,
    stop: CancellationToken,
) {
    let loaded = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        loaded = instance.load(folder) => Some(loaded),
    };
    let printed = end(instance.load_output().text());
    // Whoever deploys waits for the answer, not for the removal.
    match loaded {
        Some(Err(Failure::Unreached)) => {
            let _ = commands.send(Command::CheckAgain { slot, check });
        }
        Some(Ok(())) => {
            let _ = commands.send(Command::CheckLoaded { slot });
            check.answer(Checked::Loaded { printed });
        }
        Some(Err(failure)) => check.answer(of_failure(failure, printed)),
        None => check.answer(preempted()),
    }
    instance.remove(folder).await;
    let _ = commands.send(Command::Gone { slot });
}

fn of_failure(failure: Failure, printed: String) -> Checked {
    match failure {
        Failure::Load(error) | Failure::Crashed(error) => Checked::Failed { error, printed },
        // Nobody else can say why an image of the user's own does not start.
        Failure::Image(reason) => Checked::Failed { error: instance::failure("start", reason), printed },
        Failure::Platform(reason) => Checked::Skipped { reason },
        Failure::Unreached => Checked::Skipped { reason: "the instance ended".to_owned() },
    }
}

fn preempted() -> Checked {
    let reason = "the memory for it was wanted for invocations, or the manager stops".to_owned();
    Checked::Skipped { reason }
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

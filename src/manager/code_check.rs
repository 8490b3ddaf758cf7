//! A check of a new revision's code, as a build asks the dispatcher for it.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::pool::Skipped;
use crate::{
    model::{FunctionError, Revision},
    units::show_duration,
};

/// A check that is asked for. The revision is not registered: its function and number are nobody's.
pub struct CodeCheck {
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

impl CodeCheck {
    /// It will not begin. `waited` is how long it might wait.
    pub fn skip(self, waited: Duration, why: Skipped) {
        let wait = show_duration(waited);
        let reason = match why {
            Skipped::NoMemory => format!("no memory became free for it within {wait}"),
            Skipped::NoStart => format!("too many instances were being started for {wait}"),
            Skipped::Draining => "the manager stops".to_owned(),
        };
        self.answer(Checked::Skipped { reason });
    }

    /// It was to begin again, and is stopped before.
    pub fn preempt(self) {
        self.answer(Checked::preempted());
    }

    /// Tells the build what came of it.
    pub fn answer(self, checked: Checked) {
        // The build may have been given up.
        let _ = self.answer.send(checked);
    }
}

/// One that waits in the dispatcher may have to be begun again: its prewarmed instance was dead.
pub type GivenCheck = Box<CodeCheck>;

impl Checked {
    /// It was stopped before the code was loaded.
    pub fn preempted() -> Self {
        let reason = "the memory for it was wanted for invocations, or the manager stops".to_owned();
        Self::Skipped { reason }
    }
}

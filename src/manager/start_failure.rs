//! Why an instance was not started, and what that means for the work that waited for it.

use std::time::Duration;

use crate::model::{FunctionError, Revision, message::Verdict};

/// Why there is no instance.
#[derive(Clone, Debug)]
pub enum StartFailure {
    /// The code cannot be loaded: the function's own doing.
    Load(FunctionError),
    /// It ended while it was loaded.
    Crashed(FunctionError),
    /// The platform could not make a sandbox.
    Platform(String),
    /// One of its secrets is encrypted with a key that this host does not have.
    NoKey(String),
    /// A sandbox of an image of the user's own did not get ready.
    Image(String),
    /// A prewarmed guest was dead before it read what to load: no code has run, and another start will do.
    Unreached,
}

impl StartFailure {
    pub fn unknown_revision() -> Self {
        Self::Platform("the revision is not known any more".to_owned())
    }

    /// Returns the reason, for users.
    pub fn reason(&self) -> String {
        match self {
            Self::Load(error) | Self::Crashed(error) => error.summary(),
            Self::Platform(reason) | Self::NoKey(reason) | Self::Image(reason) => reason.clone(),
            Self::Unreached => "the instance ended".to_owned(),
        }
    }

    /// Says it in the platform's log.
    pub fn log(&self, revision: &Revision) {
        let (kind, message) = match self {
            Self::Load(error) | Self::Crashed(error) => (error.kind.as_str(), error.message.as_str()),
            Self::Platform(reason) | Self::NoKey(reason) => ("platform", reason.as_str()),
            Self::Image(reason) => ("image", reason.as_str()),
            Self::Unreached => ("platform", "the instance ended"),
        };
        tracing::warn!(function = %revision.name, revision = %revision.number, kind, message, "start failed");
    }

    /// The verdict for the work that waited for this start.
    pub fn verdict(self, retry: Duration) -> Verdict {
        match self {
            Self::Load(error) => Verdict::Failed { error },
            Self::Crashed(error) => Verdict::Crashed { error },
            Self::Platform(reason) | Self::NoKey(reason) | Self::Image(reason) => {
                Verdict::not_run(reason, retry)
            }
            Self::Unreached => Self::Platform("the instance ended".to_owned()).verdict(retry),
        }
    }
}

/// An error that the platform has found, in its own words.
pub fn function_error(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message, trace: None, hint: None }
}

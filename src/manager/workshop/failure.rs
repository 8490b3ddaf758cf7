//! Why a build failed, and what a deploy is told.

use std::fmt;

use super::super::dependencies::transfer;
use crate::{
    bundle::TreeError,
    error_chain::{chain, chain_of_disk},
    model::message::BuildStep,
    runtime, store,
};

/// The most of what the installer printed that is kept, in bytes: the end of it.
pub const MAX_OUTPUT: usize = 16 * 1024;

/// The reason why a build failed.
#[derive(Debug)]
pub enum Failure {
    /// A requirement is not available: its author has to change it.
    Packages { file: &'static str, reason: String, output: Option<String> },
    /// The platform cannot do it now.
    Platform(String),
}

impl Failure {
    /// Makes one with a reason that is said with the name of the file later on.
    pub fn reason(reason: String) -> Self {
        Self::packages("", reason, None)
    }

    pub fn packages(file: &'static str, reason: String, output: Option<String>) -> Self {
        Self::Packages { file, reason, output }
    }

    /// Returns the last step of a build.
    pub fn into_step(self) -> BuildStep {
        let (message, user_error, output) = match self {
            Self::Packages { file, reason, output } => {
                (format!("the packages of {file} cannot be installed: {reason}"), true, output.map(end))
            }
            Self::Platform(reason) => (reason, false, None),
        };
        BuildStep::Failed { message, user_error, manifest: false, error: None, output }
    }
}

/// The reason alone.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages { reason, .. } | Self::Platform(reason) => f.write_str(reason),
        }
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        Self::Platform(chain_of_disk(&error))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Platform(chain(&error))
    }
}

impl From<transfer::Error> for Failure {
    fn from(error: transfer::Error) -> Self {
        match error {
            transfer::Error::Tree(error @ TreeError::Entry { .. }) => Self::reason(format!(
                "{error}; ask for another version of the package, or do without it"
            )),
            transfer::Error::Tree(error) if error.is_of_the_packages() => {
                Self::reason(error.to_string())
            }
            other => Self::Platform(chain_of_disk(&other)),
        }
    }
}

/// Keeps the end of a text.
pub fn end(mut text: String) -> String {
    let cut = text.ceil_char_boundary(text.len().saturating_sub(MAX_OUTPUT));
    text.drain(..cut);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_whose_fault_it_is() {
        let step =
            Failure::packages("requirements.txt", "no a".into(), Some("x".repeat(20_000))).into_step();
        let BuildStep::Failed { message, user_error, output, .. } = step else { panic!("{step:?}") };
        assert_eq!(message, "the packages of requirements.txt cannot be installed: no a");
        assert_eq!((user_error, output.map(|text| text.len())), (true, Some(MAX_OUTPUT)));
        let path = "greet/caf\u{fffd}".to_owned();
        let (problem, package) =
            ("has a name that is not UTF-8".to_owned(), Some("greet 1.0".to_owned()));
        let entry = transfer::Error::Tree(TreeError::Entry { path, problem, package });
        let Failure::Packages { reason, .. } = entry.into() else { panic!("its author's") };
        assert_eq!(
            reason,
            "the file 'greet/caf\u{fffd}' of the package greet 1.0 has a name that is not UTF-8; ask for another version of \
             the package, or do without it"
        );
        let step = Failure::Platform("the disk is full".to_owned()).into_step();
        let BuildStep::Failed { message, user_error, .. } = step else { panic!("{step:?}") };
        assert_eq!((message.as_str(), user_error), ("the disk is full", false));
    }
}

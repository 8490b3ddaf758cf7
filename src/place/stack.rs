//! The stack: the provider of store and queue.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The provider of store and queue; also the name of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stack {
    /// `up` starts both from the embedded compose file.
    Compose,
    /// Both are given by the settings.
    External,
    /// The queue is inside one process, which runs all roles.
    Embedded,
}

impl Stack {
    pub const ALL: [Self; 3] = [Self::Compose, Self::External, Self::Embedded];

    /// Returns the stack of a data folder with a default name: `<stack>` or `<stack>-<platform>`.
    pub fn of_folder(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?;
        Self::ALL.into_iter().find(|stack| {
            let rest = name.strip_prefix(stack.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::External => "external",
            Self::Embedded => "embedded",
        }
    }
}

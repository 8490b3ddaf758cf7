//! Why a method of the store failed.

/// Why a method failed. Unless the variant says otherwise, nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is too busy; nothing happened.
    #[error("the store at {address} does not answer")]
    Unavailable {
        /// Without credentials.
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection was lost while a commit was under way: it may have happened.
    #[error("the store at {address} was lost during a commit; whether it happened is not known")]
    UnknownFate {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its disk is full, or read-only; nothing happened. It recovers by itself.
    #[error("the store at {address} cannot write: {reason}")]
    Unwritable {
        address: String,
        /// For callers: `the disk of the data folder is full`.
        reason: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What a method needs to be there is not.
    #[error("{0} is not there")]
    Missing(String),
    /// What was expected to be so is not.
    #[error("{0}")]
    Conflict(String),
    /// The store holds what this program cannot read, or refuses what it sent.
    #[error("the store at {address} failed")]
    Internal {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anything being changed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::UnknownFate { .. } | Self::Unwritable { .. })
    }
}

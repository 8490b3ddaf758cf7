//! The errors of the store's methods.

/// The failure of a method. Unless the variant says otherwise, nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is too busy; nothing happened.
    #[error("the store at {address} does not answer")]
    Unavailable {
        /// The server's host and port, without credentials, or the file's path.
        address: String,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection was lost while a commit was under way: it may have happened.
    #[error("the store at {address} was lost during a commit; whether it happened is not known")]
    UnknownFate {
        /// The server's host and port, without credentials, or the file's path.
        address: String,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store's disk is full, read-only, or has failed; nothing happened. The first two recover by themselves.
    #[error("the store at {address} cannot write: {reason}")]
    Unwritable {
        /// The server's host and port, without credentials, or the file's path.
        address: String,
        /// The reason, for callers: `the disk of the data folder is full`.
        reason: &'static str,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something that the method needs does not exist; the text names it.
    #[error("{0} is not there")]
    Missing(String),
    /// The state is not the expected one; the text says how.
    #[error("{0}")]
    Conflict(String),
    /// The store holds data that this program cannot read, or refuses the data that it sent.
    #[error("the store at {address} failed")]
    Internal {
        /// The server's host and port, without credentials, or the file's path.
        address: String,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Returns whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::UnknownFate { .. } | Self::Unwritable { .. })
    }
}

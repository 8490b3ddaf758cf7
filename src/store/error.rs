//! The errors of the store's methods.

use crate::model::AddressTaken;

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
        /// The reason, for callers.
        reason: Refusal,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server refuses this user or its password, or lets it do less than is needed; nothing happened. It recovers once
    /// somebody changes that.
    #[error("the store at {address} refuses this user")]
    Refused {
        /// The server's host and port, without credentials.
        address: String,
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
    /// Another function has an address of this one; nothing happened.
    #[error("{0}")]
    AddressTaken(AddressTaken),
    /// Another change of addresses, or a deletion, has not ended within a few seconds; nothing happened.
    #[error("another function's addresses are being changed or deleted, which takes longer than usual")]
    AddressesHeld,
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

/// The reason why a store cannot write, in words for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A store in a file has no room.
    #[error("the disk of the data folder is full")]
    DiskFull,
    /// A store in a file may only be read.
    #[error("the disk of the data folder is read-only")]
    DiskReadOnly,
    /// A store in a file could not be synced: it takes nothing until it is opened again.
    #[error("the disk of the data folder has failed")]
    DiskFailed,
    /// A database server has no room.
    #[error("the disk of the database is full")]
    ServerFull,
    /// A database server may only be read.
    #[error("the database is read-only")]
    ServerReadOnly,
}

impl Error {
    /// Returns whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::UnknownFate { .. } => true,
            Self::Unwritable { .. } | Self::Refused { .. } | Self::AddressesHeld => true,
            Self::Missing(_) | Self::Conflict(_) | Self::AddressTaken(_) | Self::Internal { .. } => {
                false
            }
        }
    }
}

//! The reasons why a guest cannot be used any more.

use std::time::Duration;

/// The guest cannot be used any more: its sandbox has to be killed.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// It hung up: the sandbox's exit tells the reason.
    #[error("the guest closed its connection")]
    Closed(#[source] Option<std::io::Error>),
    /// It sent something that the protocol does not allow.
    #[error("the guest broke the runtime protocol: {0}")]
    Violation(String),
    /// It did not answer in time.
    #[error("the guest did not answer within {0:?}")]
    TimedOut(Duration),
}

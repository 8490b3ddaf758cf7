//! The failures of calls to the broker, and their form for callers of the queue.

use std::time::Duration;

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

use super::super::Error;

/// The failure of a call to the broker; cloned for all callers that waited for one attempt.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum BrokerFailure {
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the connection was lost")]
    Lost,
    #[error("the broker did not take the message")]
    NotTaken,
    #[error("the broker does not say where answers reach this process")]
    NoReplyName,
    #[error("this queue is closed")]
    Closed,
    #[error(transparent)]
    Broker(#[from] lapin::Error),
}

impl BrokerFailure {
    /// Returns whether it says that the named queue or exchange does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        self.amqp() == Some(AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
    }

    /// Returns the error for callers; `address` is the broker's host and port.
    pub(super) fn at(self, address: &str) -> Error {
        let address = address.to_owned();
        match self {
            Self::Closed => Error::Closed,
            refused if refused.is_refusal() => Error::Refused { address, source: refused.into() },
            other => Error::Unavailable { address, source: other.into() },
        }
    }

    /// Returns whether only a change by a person helps: credentials, permissions, a virtual host, a queue that was
    /// declared differently.
    fn is_refusal(&self) -> bool {
        matches!(
            self.amqp(),
            Some(
                AMQPErrorKind::Soft(
                    AMQPSoftError::ACCESSREFUSED
                        | AMQPSoftError::PRECONDITIONFAILED
                        | AMQPSoftError::RESOURCELOCKED
                ) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            )
        )
    }

    fn amqp(&self) -> Option<AMQPErrorKind> {
        match self {
            Self::Broker(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.kind().clone()),
                _ => None,
            },
            _ => None,
        }
    }
}

//! A connection to the broker, as channels and what is on them know it.

use std::{pin::pin, time::Duration};

use lapin::Connection;

use super::failure::BrokerFailure;

/// The time within which a call notices that its connection was lost, where the library does not tell it: a request
/// made at the moment of the loss, such as opening a channel, may never be answered.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Wire {
    pub(super) connection: Connection,
    /// Host and port, for errors.
    pub(super) address: String,
}

impl Wire {
    /// Returns whether the library sees it as up at this moment.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
    }
}

/// Returns the output of the work, or an error soon after what it needs was lost.
pub(super) async fn unless_lost<T>(
    is_up: impl Fn() -> bool,
    work: impl Future<Output = Result<T, BrokerFailure>>,
) -> Result<T, BrokerFailure> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(LOOK_INTERVAL, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) if !is_up() => return Err(BrokerFailure::Lost),
            Err(_) => {}
        }
    }
}

//! A connection to the broker that is up, as far as this process knows.

use std::{pin::pin, time::Duration};

use lapin::{Channel, Connection};

use super::{failure::BrokerFailure, lanes::Lanes};

/// The time within which a call notices that its connection was lost, where the library does not tell it: a request
/// made at the moment of the loss, such as opening a channel, may never be answered.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A connection that was up when it was last checked.
pub(super) struct Live {
    pub(super) connection: Connection,
    /// The channels that publish.
    pub(super) lanes: Lanes,
    /// Host and port, for errors.
    pub(super) address: String,
    /// The one channel for replies; only on a connection for them.
    pub(super) shared_channel: Option<Channel>,
}

impl Live {
    /// Returns the one channel on which replies are sent; only for a connection for them.
    pub(super) fn shared_channel(&self) -> &Channel {
        self.shared_channel.as_ref().expect("a connection for replies begins with its channel")
    }

    /// Returns the output of the work, or an error soon after the connection was lost.
    pub(super) async fn unless_lost<T>(
        &self,
        work: impl Future<Output = Result<T, BrokerFailure>>,
    ) -> Result<T, BrokerFailure> {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(LOOK_INTERVAL, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) if !self.is_up() => return Err(BrokerFailure::Lost),
                Err(_) => {}
            }
        }
    }

    /// Returns whether the library sees it as up at this moment.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
            && self.shared_channel.as_ref().is_none_or(|channel| channel.status().connected())
    }
}

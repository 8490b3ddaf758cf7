//! A connection to the broker that is up, as far as is known.

use std::{pin::pin, time::Duration};

use lapin::{Channel, Connection};

use super::{failure::BrokerFailure, lanes::Lanes};

/// How soon a call notices that its connection was lost, where the library does not tell it: what it
/// is asked in the moment of the loss, such as opening a channel, it may never answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A connection that was up when it was last looked at.
pub(super) struct Live {
    pub(super) connection: Connection,
    /// The channels that publish.
    pub(super) lanes: Lanes,
    /// Host and port, for errors.
    pub(super) address: String,
    /// There on a connection for replies.
    pub(super) shared_channel: Option<Channel>,
}

impl Live {
    /// The one channel that replies are sent on; only of a connection for them.
    pub(super) fn shared_channel(&self) -> &Channel {
        self.shared_channel.as_ref().expect("a connection for replies begins with its channel")
    }

    /// The work, or an error soon after the connection was lost.
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

    /// As the library sees it at this moment.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
            && self.shared_channel.as_ref().is_none_or(|channel| channel.status().connected())
    }
}

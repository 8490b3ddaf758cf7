//! A connection to the broker that is up, as far as this process knows, with its channels.

use std::sync::Arc;

use lapin::Channel;

use super::{
    channels::Channels,
    failure::BrokerFailure,
    lanes::Lanes,
    wire::{self, Wire},
};

/// A connection that was up when it was last checked.
pub(super) struct Live {
    pub(super) wire: Arc<Wire>,
    /// The channels that publish.
    pub(super) lanes: Lanes,
    /// The channels that consume.
    pub(super) channels: Channels,
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
        wire::unless_lost(|| self.is_up(), work).await
    }

    /// Returns whether the library sees it as up at this moment.
    pub(super) fn is_up(&self) -> bool {
        self.wire.is_up()
            && self.shared_channel.as_ref().is_none_or(|channel| channel.status().connected())
    }
}

//! Publishing with confirms: each message has a channel to itself until the broker confirmed it.
//!
//! Many messages on one channel would do with fewer channels. But the broker may confirm several
//! messages at once after it returned one of them, and the library then hands the returned one to
//! any of the confirms: a message that was stored would count as refused, and, worse, one that was
//! refused as stored. With one message per channel there is nothing to mix up. As channels are kept
//! and reused, most recent first, there are as many as messages were ever in flight at once.

use std::sync::{Arc, Mutex, PoisonError};

use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::{Failure, Live};

/// Messages in flight on one connection; the next ones wait, within their time. At a millisecond or
/// two for a confirm this is far more than one broker's disk takes.
const MAX_IN_FLIGHT: u16 = 128;

/// What became of a message that the broker confirmed.
pub(super) enum Routed {
    Taken,
    NoQueue,
}

/// The confirming channels of one connection.
pub(super) struct Pool {
    idle: Mutex<Vec<Channel>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// `most`: the channels that the broker allows on the connection.
    pub(super) fn new(most: u16) -> Self {
        // One or two are left for declaring and such.
        let permits = MAX_IN_FLIGHT.min(most.saturating_sub(2)).max(1);
        Self { idle: Mutex::default(), permits: Arc::new(Semaphore::new(permits.into())) }
    }

    fn pop(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|channel| channel.status().connected())
    }

    fn push(&self, channel: Channel) {
        if channel.status().connected() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        }
    }
}

/// An empty exchange is the default one, where the key names a queue that must exist.
pub(super) async fn publish(
    live: &Arc<Live>,
    exchange: ShortString,
    key: ShortString,
    bytes: &[u8],
    properties: BasicProperties,
) -> Result<Routed, Failure> {
    let options = BasicPublishOptions { mandatory: exchange.as_str().is_empty(), ..Default::default() };
    let lease = Lease::take(live).await?;
    let channel = lease.channel();
    let confirm = channel.basic_publish(exchange, key, options, bytes, properties).await?;
    let confirmation = confirm.await?;
    lease.give_back();
    match confirmation {
        Confirmation::Ack(None) => Ok(Routed::Taken),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Ok(Routed::NoQueue),
        // Nack: the broker failed inside. Not requested: the channel does not confirm, a bug.
        Confirmation::Nack(None) | Confirmation::NotRequested => Err(Failure::NotTaken),
    }
}

/// A channel in use by one message.
struct Lease {
    live: Arc<Live>,
    used: Option<(Channel, OwnedSemaphorePermit)>,
}

impl Lease {
    async fn take(live: &Arc<Live>) -> Result<Self, Failure> {
        // The semaphore is never closed.
        let permit = live.pool.permits.clone().acquire_owned().await.map_err(|_| Failure::Closed)?;
        let channel = match live.pool.pop() {
            Some(channel) => channel,
            None => {
                let channel = live.connection.create_channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel
            }
        };
        Ok(Self { live: live.clone(), used: Some((channel, permit)) })
    }

    fn channel(&self) -> Channel {
        let (channel, _) = self.used.as_ref().expect("the lease was not given back");
        channel.clone()
    }

    /// After the confirm: the channel is free for the next message.
    fn give_back(mut self) {
        if let Some((channel, _permit)) = self.used.take() {
            self.live.pool.push(channel);
        }
    }
}

impl Drop for Lease {
    /// The publisher stopped waiting, or failed. The message may still lie in the library's buffer,
    /// and a channel closed before it was written would take the whole connection down. So the
    /// channel stays, and counts as in flight, until the broker answered.
    fn drop(&mut self) {
        let Some((channel, permit)) = self.used.take() else { return };
        if !channel.status().connected() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let live = self.live.clone();
            runtime.spawn(async move {
                // It also takes what was returned off the channel.
                let answered = async { Ok(channel.wait_for_confirms().await?) };
                if live.unless_lost(answered).await.is_ok() {
                    live.pool.push(channel);
                }
                drop(permit);
            });
        }
    }
}

//! Consuming: the library's stream of messages as ours, and the fate of messages in hand.
//!
//! Every consumer has a channel to itself, so that an error ends that consumer only. The channel lives as long as the
//! consumer or one of its deliveries: closing it earlier would return them.
//!
//! One frame acks a whole batch of outcomes. Nothing else is acked together: a manager acks a sync message at once,
//! before the reply, and an async one when its own run has ended; waiting for others would delay the sync caller and
//! let the async invocation run twice.

use std::{
    any::Any,
    ops::Deref,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, future::try_join_all};
use lapin::{
    Channel,
    message::Delivery as Received,
    options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions},
};
use tokio::runtime::Handle;

use super::{
    super::{Delivery, Error, PUBLISH_TIMEOUT, Settle},
    failure::BrokerFailure,
    lanes::Outgoing,
    link::Link,
    live::Live,
    publisher,
};

/// A channel that closes when its last owner is gone.
pub(super) struct OpenChannel {
    channel: Channel,
    live: Arc<Live>,
    /// The tag up to which no delivery is in hand. More may be settled: those settled alone are not noted.
    settled: AtomicU64,
}

impl OpenChannel {
    pub(super) async fn open(live: &Arc<Live>) -> Result<Arc<Self>, BrokerFailure> {
        let channel = live.connection.create_channel().await?;
        Ok(Arc::new(Self { channel, live: live.clone(), settled: AtomicU64::new(0) }))
    }

    fn give_back(&self, tag: u64) {
        let options = BasicNackOptions { requeue: true, ..Default::default() };
        send_now(self.channel.basic_nack(tag, options));
    }
}

impl Deref for OpenChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for OpenChannel {
    /// Not left to the library, which keeps a channel open whose consumer was never handed out.
    fn drop(&mut self) {
        send_now(self.channel.close(200, "done".into()));
    }
}

/// Sends a request without waiting for its answer: the library queues the frame when the future is first polled. On a
/// channel that is closed nothing happens.
fn send_now(request: impl Future<Output = lapin::Result<()>>) {
    let _ = request.now_or_never();
}

/// The treatment of messages that the broker sent ahead and that were never handed out.
pub(super) enum Returns {
    /// Nothing is done: they need no ack.
    Never,
    /// The broker takes them back, as redelivered.
    Marked,
    /// They are published again, then acked, unless they were marked before. They lose their place in the queue, and
    /// their time in it so far.
    Unmarked(Arc<Link>),
}

/// The messages of one consumer.
pub(super) struct Incoming {
    /// The library's consumer; none at its end.
    consumer: Option<lapin::Consumer>,
    channel: Arc<OpenChannel>,
    returns: Returns,
}

impl Incoming {
    pub(super) fn new(consumer: lapin::Consumer, channel: Arc<OpenChannel>, returns: Returns) -> Self {
        Self { consumer: Some(consumer), channel, returns }
    }

    fn deliver(&self, received: Received) -> Option<Delivery> {
        let settle: Box<dyn Settle> = match self.returns {
            Returns::Never => Box::new(NeedsNone),
            // The broker has taken it back: it may be running elsewhere.
            _ if !self.channel.status().connected() => return None,
            _ => Box::new(InHand {
                channel: self.channel.clone(),
                tag: received.delivery_tag,
                settled: false,
            }),
        };
        let redelivered = received.redelivered;
        Some(Delivery { parcel: Bytes::from(received.data).into(), redelivered, settle })
    }
}

impl Stream for Incoming {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let Some(consumer) = self.consumer.as_mut() else { return Poll::Ready(None) };
        let delivery = match ready!(consumer.poll_next_unpin(context)) {
            Some(Ok(received)) => self.deliver(received),
            Some(Err(_)) | None => None,
        };
        if delivery.is_none() {
            self.consumer = None;
        }
        Poll::Ready(delivery)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        let returns = std::mem::replace(&mut self.returns, Returns::Never);
        // Without a runtime the process is ending, and its connections with it.
        if let Ok(runtime) = Handle::try_current() {
            let channel = self.channel.clone();
            runtime.spawn(async move {
                let live = channel.live.clone();
                // The connection is lost: then the broker has taken everything back.
                let _ = live.unless_lost(cancel(consumer, channel, returns)).await;
            });
        }
    }
}

/// Ends the consumer at the broker, and returns the messages that it had been sent ahead.
async fn cancel(
    mut consumer: lapin::Consumer,
    channel: Arc<OpenChannel>,
    returns: Returns,
) -> Result<(), BrokerFailure> {
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    while let Some(Ok(received)) = consumer.next().await {
        match &returns {
            Returns::Never => {}
            // Published again it would lose its mark, and be run a second time.
            Returns::Unmarked(publishing) if !received.redelivered => {
                let tag = received.delivery_tag;
                match publish_again(publishing, &consumer, received).await {
                    Ok(()) => send_now(channel.basic_ack(tag, BasicAckOptions::default())),
                    Err(_) => channel.give_back(tag),
                }
            }
            Returns::Marked | Returns::Unmarked(_) => channel.give_back(received.delivery_tag),
        }
    }
    Ok(())
}

async fn publish_again(
    publishing: &Arc<Link>,
    consumer: &lapin::Consumer,
    received: Received,
) -> Result<(), Error> {
    let Received { data, properties, .. } = received;
    let outgoing =
        Outgoing { exchange: "".into(), key: consumer.queue(), bytes: data.into(), properties };
    // No queue: its function was removed, and the message with it.
    let publish = |live| async move { publisher::publish(&live, outgoing).await.map(drop) };
    publishing.call(PUBLISH_TIMEOUT, publish).await
}

struct NeedsNone;

#[async_trait]
impl Settle for NeedsNone {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

/// A delivery that was handed out; it goes back unless it was acked.
struct InHand {
    channel: Arc<OpenChannel>,
    tag: u64,
    settled: bool,
}

impl InHand {
    async fn send_ack(&self, multiple: bool) -> Result<(), BrokerFailure> {
        Ok(self.channel.basic_ack(self.tag, BasicAckOptions { multiple }).await?)
    }

    /// Returns whether these are the next ones on their channel that are not settled, and then counts them as settled.
    /// Then one frame acks them; it also acks everything that was handed out before them.
    fn settle_together(run: &[Self]) -> bool {
        let [first, .., last] = run else { return false };
        let adjoin = |pair: &[Self]| {
            Arc::ptr_eq(&pair[0].channel, &pair[1].channel) && pair[0].tag + 1 == pair[1].tag
        };
        let (before, settled) = (first.tag - 1, &first.channel.settled);
        run.windows(2).all(adjoin)
            && settled.compare_exchange(before, last.tag, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[async_trait]
impl Settle for InHand {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.settled = true;
        let live = &self.channel.live;
        live.unless_lost(self.send_ack(false)).await.map_err(|failure| failure.at(&live.address))
    }

    async fn ack_with(self: Box<Self>, later: Vec<Box<dyn Settle>>) -> Result<(), Error> {
        let mut run = vec![*self];
        for one in later {
            // Only deliveries that need no ack are of another kind.
            run.extend((one as Box<dyn Any>).downcast::<Self>().ok().map(|one| *one));
        }
        run.iter_mut().for_each(|one| one.settled = true);
        let live = run[0].channel.live.clone();
        let acks = async {
            match InHand::settle_together(&run) {
                true => run[run.len() - 1].send_ack(true).await,
                false => try_join_all(run.iter().map(|one| one.send_ack(false))).await.map(drop),
            }
        };
        live.unless_lost(acks).await.map_err(|failure| failure.at(&live.address))
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if !self.settled {
            self.channel.give_back(self.tag);
        }
    }
}

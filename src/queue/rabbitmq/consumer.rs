//! Consuming: the library's stream of messages as ours, and the fate of messages in hand.
//!
//! A consumer may share its channel with others (`channels.rs`). The channel lives as long as a consumer on it or one
//! of their deliveries: closing it earlier would return them.
//!
//! One frame acks a whole batch of outcomes. Nothing else is acked together: a manager acks a sync message at once,
//! before the reply, and an async one when its own run has ended; waiting for others would delay the sync caller and
//! let the async invocation run twice.

use std::{
    any::Any,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use lapin::{
    message::Delivery as Received,
    options::{BasicAckOptions, BasicCancelOptions},
};
use tokio::runtime::Handle;

use super::{
    super::{Delivery, Error, PUBLISH_TIMEOUT, Settle},
    channels::{OpenChannel, send_now},
    failure::BrokerFailure,
    lanes::Outgoing,
    link::Link,
    publisher,
    wire::unless_lost,
};

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
                let wire = channel.wire.clone();
                // The connection is lost: then the broker has taken everything back.
                let _ = unless_lost(|| wire.is_up(), cancel(consumer, channel, returns)).await;
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
                    // Failed, it is back already.
                    Ok(()) => drop(send_now(channel.basic_ack(tag, BasicAckOptions::default()))),
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
    /// Acks it, and with `multiple` everything that was handed out before it. Nothing waits until that is written: an
    /// ack that was written may be lost as well, and who acks before answering would have the caller wait.
    fn send_ack(&self, multiple: bool) -> Result<(), Error> {
        let ack = self.channel.basic_ack(self.tag, BasicAckOptions { multiple });
        let address = &self.channel.wire.address;
        send_now(ack).map_err(|failure| BrokerFailure::from(failure).at(address))
    }

    /// Returns whether these are the next ones on their channel that are not settled, and then counts them as settled.
    /// Then one frame acks them; it also acks everything that was handed out before them.
    fn settle_together(run: &[Self]) -> bool {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return false };
        let adjoin = |pair: &[Self]| {
            Arc::ptr_eq(&pair[0].channel, &pair[1].channel) && pair[0].tag + 1 == pair[1].tag
        };
        run.windows(2).all(adjoin) && first.channel.settle_together(first.tag, last.tag)
    }
}

#[async_trait]
impl Settle for InHand {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.settled = true;
        // Counted, so that a batch after it can be acked by one frame.
        InHand::settle_together(std::slice::from_ref(&*self));
        self.send_ack(false)
    }

    async fn ack_with(self: Box<Self>, later: Vec<Box<dyn Settle>>) -> Result<(), Error> {
        let mut run = vec![*self];
        for one in later {
            // Only deliveries that need no ack are of another kind.
            run.extend((one as Box<dyn Any>).downcast::<Self>().ok().map(|one| *one));
        }
        run.iter_mut().for_each(|one| one.settled = true);
        match InHand::settle_together(&run) {
            true => run[run.len() - 1].send_ack(true),
            // Each is sent, whatever came of the one before.
            false => run.iter().map(|one| one.send_ack(false)).reduce(Result::and).unwrap_or(Ok(())),
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if !self.settled {
            self.channel.give_back(self.tag);
        }
    }
}

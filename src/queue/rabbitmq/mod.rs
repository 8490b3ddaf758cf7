//! RabbitMQ: queues and exchanges of one platform on a shared broker.
//!
//! Names: `cloudfunc.<platform>.fn.<function id>.{sync,async}`, `….outcomes`, `….build`, the fanout
//! exchange `….events`; subscriptions are exclusive queues named by the broker, answers need none (`replies.rs`).
//!
//! Three connections, each made when it is first needed ([`link::Link`]), because the broker stops reading a connection
//! that publishes while it is short of memory: *publishing* (with confirms), *consuming* (acks must always get through)
//! and *replies* (answers, events). The library's own recovery stays off: it would hide that messages in hand went back
//! to their queues.

mod channels;
mod consumer;
mod failure;
mod lanes;
mod link;
mod live;
mod publisher;
mod replies;
pub(super) mod survey;
mod topology;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::{
    BasicProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{FieldTable, ShortString},
};

use self::{
    channels::OpenChannel,
    consumer::{Incoming, Returns},
    failure::BrokerFailure,
    lanes::{Outgoing, Routed},
    link::{BrokerSight, Link, Purpose},
    live::Live,
    topology::{Names, TRANSIENT, classic, count_messages, declare_events, declare_queue, properties},
};
use super::{Address, ConsumeOptions, Consumer, Error, Message, PUBLISH_TIMEOUT, Queue, Waiting};
use crate::model::{FunctionId, Mode, PlatformName, SecretUrl};

/// The time after which declaring and removing give up.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The time after which starting to consume gives up: a silent broker has been found lost by its heartbeat by then. If
/// it were shorter, thousands of consumers of a busy broker would begin in vain, again and again.
const CONSUME_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit of a ping: a broker that takes longer for doing nothing is not ready.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct RabbitMq {
    names: Names,
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    replies: Arc<Link>,
}

impl RabbitMq {
    pub(super) async fn connect(url: &SecretUrl, platform: &PlatformName) -> Result<Self, Error> {
        let names = Names::of(platform);
        let sight: Arc<BrokerSight> = Arc::default();
        let link = |purpose| Link::new(url, platform, purpose, &sight);
        let rabbitmq = Self {
            publishing: link(Purpose::Publishing { shared: names.clone() })?,
            consuming: link(Purpose::Consuming)?,
            replies: link(Purpose::Replies)?,
            names,
        };
        rabbitmq.publishing.call(CALL_TIMEOUT, |_| async { Ok(()) }).await?;
        Ok(rabbitmq)
    }

    /// Sends an answer. Answers are not confirmed: the caller has a deadline anyway.
    async fn reply(&self, name: &str, message: Message) -> Result<(), Error> {
        let bytes = message.parcel.to_bytes();
        let send = |live: Arc<Live>| async move {
            let properties = BasicProperties::default().with_delivery_mode(TRANSIENT);
            let options = BasicPublishOptions::default();
            let channel = live.shared_channel();
            channel.basic_publish("".into(), name.into(), options, &bytes, properties).await?;
            Ok(())
        };
        self.replies.call(PUBLISH_TIMEOUT, send).await
    }
}

async fn start_consuming(
    live: Arc<Live>,
    publishing: Arc<Link>,
    from: Address,
    queue: ShortString,
    options: ConsumeOptions,
) -> Result<Consumer, BrokerFailure> {
    let begun = async {
        live.channels.declare(&live.wire, queue.clone()).await?;
        let channel = match from {
            Address::Function(_, mode) => live.channels.shared(&live.wire, mode).await?,
            _ => OpenChannel::open(&live.wire).await?,
        };
        let consumer = channel.consume(queue, options).await?;
        // Only there a mark of redelivery has a meaning, and must not be set without reason.
        let returns = match from {
            Address::Function(_, Mode::Sync) => Returns::Unmarked(publishing),
            _ => Returns::Marked,
        };
        Ok(Consumer::new(Incoming::new(consumer, channel, returns)))
    };
    live.unless_lost(begun).await
}

#[async_trait]
impl Queue for RabbitMq {
    fn kind(&self) -> &'static str {
        "rabbitmq"
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn declare(&self, function: FunctionId) -> Result<(), Error> {
        let queues = self.names.of_function(function);
        let declare = |live: Arc<Live>| async move {
            let channel = OpenChannel::open(&live.wire).await?;
            for queue in queues {
                declare_queue(&channel, queue).await?;
            }
            Ok(())
        };
        self.publishing.call(CALL_TIMEOUT, declare).await
    }

    async fn remove(&self, function: FunctionId) -> Result<(), Error> {
        let queues = self.names.of_function(function);
        let delete = |live| async move { delete_queues(&live, queues).await.map(drop) };
        self.publishing.call(CALL_TIMEOUT, delete).await
    }

    async fn waiting(&self, functions: &[FunctionId]) -> Result<Vec<Waiting>, Error> {
        let queue = |function: &FunctionId| self.names.queue(&Address::Function(*function, Mode::Async));
        let queues: Vec<ShortString> = functions.iter().map(queue).collect();
        let count = |live: Arc<Live>| async move {
            let mut channel = OpenChannel::open(&live.wire).await?;
            let mut waiting = Vec::with_capacity(queues.len());
            for queue in queues {
                let messages = match count_messages(&channel, queue).await {
                    // The broker closes a channel that asked for what does not exist.
                    Err(error) if error.is_not_found() => {
                        channel = OpenChannel::open(&live.wire).await?;
                        0
                    }
                    counted => counted?,
                };
                waiting.push(Waiting { messages: messages.into(), is_full: false });
            }
            Ok(waiting)
        };
        self.publishing.call(CALL_TIMEOUT, count).await
    }

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        if let Address::Reply(name) = to {
            return self.reply(name, message).await;
        }
        let outgoing = Outgoing {
            exchange: "".into(),
            key: self.names.queue(to),
            properties: properties(to, message.expires),
            bytes: message.parcel.to_bytes(),
        };
        let publish = |live| async move { publisher::publish(&live, outgoing).await };
        match self.publishing.call(PUBLISH_TIMEOUT, publish).await? {
            Routed::Taken => Ok(()),
            Routed::NoQueue => Err(Error::NoQueue(to.clone())),
        }
    }

    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error> {
        if matches!(from, Address::Reply(_)) {
            return Err(Error::NoQueue(from.clone()));
        }
        let publishing = self.publishing.clone();
        let (queue, from) = (self.names.queue(from), from.clone());
        let live = self.consuming.call(CALL_TIMEOUT, async |live| Ok(live)).await?;
        // Of thousands of functions' consumers the last one may wait for long; the platform's own do not.
        let turn = match from {
            Address::Function(..) => Some(live.channels.turn().await),
            _ => None,
        };
        // In a separate task, which continues when this future is dropped: from the first moment of a consumer the
        // broker sends to it, and a channel that is closed then returns all of that with the mark of messages that may
        // have run. A consumer that its caller no longer takes returns them unmarked.
        let start = |live| async move {
            let starting = tokio::spawn(async move {
                let _turn = turn;
                start_consuming(live, publishing, from, queue, options).await
            });
            starting.await.unwrap_or(Err(BrokerFailure::Lost))
        };
        self.consuming.call(CONSUME_TIMEOUT, start).await
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        let (queue, consumer) = self.replies.call(CALL_TIMEOUT, replies::open).await?;
        Ok((Address::Reply(queue.to_string()), consumer))
    }

    async fn is_awaited(&self, replies: &str) -> Result<bool, Error> {
        let name = ShortString::from(replies);
        let ask = |live: Arc<Live>| async move { replies::is_open(live, name).await };
        self.replies.call(CALL_TIMEOUT, ask).await
    }

    async fn remove_platform(&self) -> Result<(), Error> {
        let queues = [Address::Outcomes, Address::Builds].map(|address| self.names.queue(&address));
        let events = self.names.events();
        let delete = |live| async move {
            let channel = delete_queues(&live, queues).await?;
            channel.exchange_delete(events, ExchangeDeleteOptions::default()).await?;
            Ok(())
        };
        self.publishing.call(CALL_TIMEOUT, delete).await
    }

    async fn broadcast(&self, event: Bytes) -> Result<(), Error> {
        let outgoing = Outgoing {
            exchange: self.names.events(),
            key: "".into(),
            bytes: event,
            properties: BasicProperties::default().with_delivery_mode(TRANSIENT),
        };
        let publish = |live| async move {
            match publisher::publish(&live, outgoing).await {
                // No exchange: there cannot be a subscriber.
                Err(failure) if failure.is_not_found() => Ok(()),
                published => published.map(drop),
            }
        };
        self.publishing.call(PUBLISH_TIMEOUT, publish).await
    }

    async fn subscribe(&self) -> Result<Consumer, Error> {
        let events = self.names.events();
        self.replies.call(CALL_TIMEOUT, |live| listen(live, events)).await
    }

    async fn ping(&self) -> Result<(), Error> {
        // The broker answers the opening of a channel.
        let ask = |live: Arc<Live>| async move { OpenChannel::open(&live.wire).await.map(drop) };
        self.publishing.call(PING_TIMEOUT, ask).await
    }

    async fn close(&self) {
        tokio::join!(self.publishing.close(), self.consuming.close(), self.replies.close());
    }
}

/// Deletes queues; the channel can still be used afterwards.
async fn delete_queues(
    live: &Arc<Live>,
    names: [ShortString; 2],
) -> Result<Arc<OpenChannel>, BrokerFailure> {
    let channel = OpenChannel::open(&live.wire).await?;
    for name in names {
        channel.queue_delete(name, QueueDeleteOptions::default()).await?;
    }
    Ok(channel)
}

/// Consumes an exclusive queue that ends with its only consumer, and is bound to that exchange.
async fn listen(live: Arc<Live>, events: ShortString) -> Result<Consumer, BrokerFailure> {
    let channel = OpenChannel::open(&live.wire).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, classic()).await?.name().clone();
    declare_events(&channel, events.clone()).await?;
    let (bind, arguments) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.clone(), events, "".into(), bind, arguments).await?;
    // Without acks: if this consumer is lost, its queue is lost with all its messages.
    let consume = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
    let consumer = channel.basic_consume(queue, "".into(), consume, FieldTable::default()).await?;
    Ok(Consumer::new(Incoming::new(consumer, channel, Returns::Never)))
}

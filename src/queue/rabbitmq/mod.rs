//! RabbitMQ: queues and exchanges of one platform on a shared broker.
//!
//! Names: `cloudfunc.<platform>.fn.<function id>.{sync,async}`, `….outcomes`, `….build`, the fanout
//! exchange `….events`; reply queues and subscriptions are exclusive and named by the broker.
//!
//! Three connections, each made when it is first needed ([`link::Link`]), because the broker stops reading a connection
//! that publishes while it is short of memory: *publishing* (with confirms), *consuming* (acks must always get through)
//! and *replies* (answers, events). The library's own recovery stays off: it would hide that messages in hand went back
//! to their queues.

mod consumer;
mod failure;
mod lanes;
mod link;
mod live;
mod publisher;
pub(super) mod survey;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::{
    BasicProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeleteOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use self::{
    consumer::{Incoming, OpenChannel, Returns},
    failure::BrokerFailure,
    lanes::{Outgoing, Routed},
    link::{BrokerSight, Link, Purpose},
    live::Live,
    topology::{Names, TRANSIENT, classic, declare_events, declare_queue, properties},
};
use super::{Address, ConsumeOptions, Consumer, Error, Message, PUBLISH_TIMEOUT, Queue};
use crate::model::{FunctionId, Mode, PlatformName, SecretUrl};

/// The time after which declaring, removing and starting to consume give up.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

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
        let channel = OpenChannel::open(&live).await?;
        declare_queue(&channel, queue.clone()).await?;
        channel.basic_qos(options.prefetch.max(1), BasicQosOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongInt(options.priority));
        let consume = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, "".into(), consume, arguments).await?;
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
        let declare = |live| async move {
            let channel = OpenChannel::open(&live).await?;
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
        // In a separate task, which continues when this future is dropped: from the first moment of a consumer the
        // broker sends to it, and a channel that is closed then returns all of that with the mark of messages that may
        // have run. A consumer that its caller no longer takes returns them unmarked.
        let start = |live| async move {
            let starting = tokio::spawn(start_consuming(live, publishing, from, queue, options));
            starting.await.unwrap_or(Err(BrokerFailure::Lost))
        };
        self.consuming.call(CALL_TIMEOUT, start).await
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        let (queue, consumer) = self.replies.call(CALL_TIMEOUT, |live| listen(live, None)).await?;
        Ok((Address::Reply(queue.to_string()), consumer))
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
        let (_, consumer) = self.replies.call(CALL_TIMEOUT, |live| listen(live, Some(events))).await?;
        Ok(consumer)
    }

    async fn ping(&self) -> Result<(), Error> {
        // The broker answers the opening of a channel.
        let ask = |live| async move { OpenChannel::open(&live).await.map(drop) };
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
    let channel = OpenChannel::open(live).await?;
    for name in names {
        channel.queue_delete(name, QueueDeleteOptions::default()).await?;
    }
    Ok(channel)
}

/// Consumes an exclusive queue that ends with its only consumer; `events`: bound to that exchange.
async fn listen(
    live: Arc<Live>,
    events: Option<ShortString>,
) -> Result<(ShortString, Consumer), BrokerFailure> {
    let channel = OpenChannel::open(&live).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, classic()).await?.name().clone();
    if let Some(exchange) = events {
        declare_events(&channel, exchange.clone()).await?;
        let (bind, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.clone(), exchange, "".into(), bind, arguments).await?;
    }
    // Without acks: if this consumer is lost, its queue is lost with all its messages.
    let consume = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
    let arguments = FieldTable::default();
    let consumer = channel.basic_consume(queue.clone(), "".into(), consume, arguments).await?;
    Ok((queue, Consumer::new(Incoming::new(consumer, channel, Returns::Never))))
}

//! RabbitMQ: queues and exchanges of one platform on a shared broker.
//!
//! Names: `cloudfunc.<platform>.fn.<function id>.{sync,async}`, `….outcomes`, `….build`, the fanout
//! exchange `….events`; reply queues and subscriptions are exclusive and named by the broker.
//!
//! Three connections, each made when it is first needed ([`link::Link`]), because the broker stops
//! reading a connection that publishes while it is short of memory: *publishing* (with confirms),
//! *consuming* (acks must always get through) and *replies* (answers, events). The library's own
//! recovery stays off: it would hide that messages in hand went back to their queues.

mod consumer;
mod link;
mod publisher;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::{
    BasicProperties, Channel,
    options::{
        BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeclareOptions,
        ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use self::{
    consumer::{Incoming, OpenChannel, Returns},
    link::{Failure, Link, Purpose},
    publisher::Routed,
};
use super::{Address, ConsumeOptions, Consumer, Error, Message, PUBLISH_TIMEOUT, Queue};
use crate::{
    config::SecretUrl,
    model::{FunctionId, Mode, PlatformName},
};

/// Declaring, removing and starting to consume give up after this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker that takes longer than this for nothing is not ready.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct RabbitMq {
    names: Names,
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    replies: Arc<Link>,
}

impl RabbitMq {
    pub(super) async fn connect(url: &SecretUrl, platform: &PlatformName) -> Result<Self, Error> {
        let names = Names { prefix: format!("cloudfunc.{platform}") };
        let link = |purpose| Link::new(url, platform, purpose);
        let rabbitmq = Self {
            publishing: link(Purpose::Publishing { shared: names.clone() })?,
            consuming: link(Purpose::Consuming)?,
            replies: link(Purpose::Replies)?,
            names,
        };
        rabbitmq.publishing.get().await?;
        Ok(rabbitmq)
    }

    /// Answers are not confirmed: whoever waits for one has a deadline anyway.
    async fn reply(&self, name: &str, message: Message) -> Result<(), Failure> {
        let live = self.replies.get_live().await?;
        let properties = BasicProperties::default().with_delivery_mode(TRANSIENT);
        let options = BasicPublishOptions::default();
        let channel = live.shared_channel();
        channel.basic_publish("".into(), name.into(), options, &message.bytes, properties).await?;
        Ok(())
    }

    async fn publish_confirmed(&self, to: &Address, message: Message) -> Result<Routed, Failure> {
        let live = self.publishing.get_live().await?;
        let properties = properties(to, message.expires);
        publisher::publish(&live, "".into(), self.names.queue(to), &message.bytes, properties).await
    }

    async fn start_consuming(
        &self,
        from: &Address,
        options: ConsumeOptions,
    ) -> Result<Consumer, Failure> {
        let live = self.consuming.get_live().await?;
        let channel = OpenChannel::open(&live).await?;
        let queue = self.names.queue(from);
        declare_queue(&channel, queue.clone()).await?;
        channel.basic_qos(options.prefetch.max(1), BasicQosOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongInt(options.priority));
        let consume = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, "".into(), consume, arguments).await?;
        // Only there a mark of redelivery has a meaning that must not be set without reason.
        let returns = match from {
            Address::Function(_, Mode::Sync) => Returns::Unmarked(self.publishing.clone()),
            _ => Returns::Marked,
        };
        Ok(Consumer::new(Incoming::new(consumer, channel, returns)))
    }

    /// An exclusive queue that goes with its only consumer; `events`: bound to that exchange.
    async fn start_listening(
        &self,
        events: Option<ShortString>,
    ) -> Result<(ShortString, Consumer), Failure> {
        let live = self.replies.get_live().await?;
        let channel = OpenChannel::open(&live).await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), options, classic()).await?.name().clone();
        if let Some(exchange) = events {
            declare_events(&channel, exchange.clone()).await?;
            let (bind, arguments) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(queue.clone(), exchange, "".into(), bind, arguments).await?;
        }
        // Without acks: if this consumer is lost, its queue is lost with all that is in it.
        let consume = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
        let arguments = FieldTable::default();
        let consumer = channel.basic_consume(queue.clone(), "".into(), consume, arguments).await?;
        Ok((queue, Consumer::new(Incoming::new(consumer, channel, Returns::Never))))
    }

    /// A channel for declaring and removing: an error ends only it.
    async fn open_channel(&self) -> Result<Arc<OpenChannel>, Failure> {
        OpenChannel::open(&*self.publishing.get_live().await?).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Error> {
        let done = tokio::time::timeout(limit, work).await.unwrap_or(Err(Failure::TimedOut(limit)));
        done.map_err(|failure| failure.at(self.publishing.address()))
    }
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
        self.within(CALL_TIMEOUT, async {
            let channel = self.open_channel().await?;
            for mode in [Mode::Sync, Mode::Async] {
                let queue = self.names.queue(&Address::Function(function, mode));
                declare_queue(&channel, queue).await?;
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, function: FunctionId) -> Result<(), Error> {
        let queues =
            [Mode::Sync, Mode::Async].map(|mode| self.names.queue(&Address::Function(function, mode)));
        self.within(CALL_TIMEOUT, async { delete_queues(&*self.open_channel().await?, queues).await })
            .await
    }

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        let routed = self
            .within(PUBLISH_TIMEOUT, async {
                match to {
                    Address::Reply(name) => self.reply(name, message).await.map(|()| Routed::Taken),
                    _ => self.publish_confirmed(to, message).await,
                }
            })
            .await?;
        match routed {
            Routed::Taken => Ok(()),
            Routed::NoQueue => Err(Error::NoQueue(to.clone())),
        }
    }

    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error> {
        if matches!(from, Address::Reply(_)) {
            return Err(Error::NoQueue(from.clone()));
        }
        self.within(CALL_TIMEOUT, self.start_consuming(from, options)).await
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        let (queue, consumer) = self.within(CALL_TIMEOUT, self.start_listening(None)).await?;
        Ok((Address::Reply(queue.to_string()), consumer))
    }

    async fn remove_platform(&self) -> Result<(), Error> {
        let queues = [Address::Outcomes, Address::Builds].map(|address| self.names.queue(&address));
        let events = self.names.events();
        self.within(CALL_TIMEOUT, async {
            let channel = self.open_channel().await?;
            delete_queues(&channel, queues).await?;
            channel.exchange_delete(events, ExchangeDeleteOptions::default()).await?;
            Ok(())
        })
        .await
    }

    async fn broadcast(&self, event: Bytes) -> Result<(), Error> {
        self.within(PUBLISH_TIMEOUT, async {
            let live = self.publishing.get_live().await?;
            let properties = BasicProperties::default().with_delivery_mode(TRANSIENT);
            match publisher::publish(&live, self.names.events(), "".into(), &event, properties).await {
                // No exchange: nobody can have subscribed.
                Err(failure) if failure.is_not_found() => Ok(()),
                published => published.map(|_| ()),
            }
        })
        .await
    }

    async fn subscribe(&self) -> Result<Consumer, Error> {
        let events = Some(self.names.events());
        Ok(self.within(CALL_TIMEOUT, self.start_listening(events)).await?.1)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.within(PING_TIMEOUT, async {
            // The broker answers to the opening of a channel.
            self.open_channel().await.map(drop)
        })
        .await
    }

    async fn close(&self) {
        tokio::join!(self.publishing.close(), self.consuming.close(), self.replies.close());
    }
}

/// AMQP's delivery modes.
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

fn properties(to: &Address, expires: Option<Duration>) -> BasicProperties {
    let mode = if matches!(to, Address::Function(_, Mode::Sync)) { TRANSIENT } else { PERSISTENT };
    let properties = BasicProperties::default().with_delivery_mode(mode);
    match expires {
        // Zero would mean: unless a consumer takes it at once.
        Some(after) => properties.with_expiration(after.as_millis().max(1).to_string().into()),
        None => properties,
    }
}

/// What this platform's queues are called.
#[derive(Clone)]
struct Names {
    prefix: String,
}

impl Names {
    fn queue(&self, address: &Address) -> ShortString {
        let prefix = &self.prefix;
        match address {
            Address::Function(id, mode) => format!("{prefix}.fn.{id}.{}", mode.as_str()).into(),
            Address::Outcomes => format!("{prefix}.outcomes").into(),
            Address::Builds => format!("{prefix}.build").into(),
            Address::Reply(name) => name.as_str().into(),
        }
    }

    fn events(&self) -> ShortString {
        format!("{}.events", self.prefix).into()
    }
}

/// Classic by name: a broker may have another type as its default.
fn classic() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments
}

/// The queue survives a restart of the broker; whether a message does is the message's business.
async fn declare_queue(channel: &Channel, name: ShortString) -> Result<(), Failure> {
    channel.queue_declare(name, QueueDeclareOptions::durable(), classic()).await?;
    Ok(())
}

async fn delete_queues(channel: &Channel, names: [ShortString; 2]) -> Result<(), Failure> {
    for name in names {
        channel.queue_delete(name, QueueDeleteOptions::default()).await?;
    }
    Ok(())
}

async fn declare_events(channel: &Channel, name: ShortString) -> Result<(), Failure> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let arguments = FieldTable::default();
    channel.exchange_declare(name, lapin::ExchangeKind::Fanout, options, arguments).await?;
    Ok(())
}

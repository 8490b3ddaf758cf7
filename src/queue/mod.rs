//! The queue seam: the way messages travel between roles.
//!
//! A message is opaque bytes here ([`crate::model::message`] gives them their meaning). The
//! [`Address`] alone decides how a message is kept:
//!
//! | address | kept | confirmed | expires |
//! |---|---|---|---|
//! | `Function(_, Sync)` | in memory, gone with the broker | yes: it reached a queue | after `Message::expires` |
//! | `Function(_, Async)`, `Outcomes`, `Builds` | on disk | yes: it is on disk | never |
//! | `Reply(_)` | in memory, gone with its consumer | no | never |
//!
//! Delivery is at least once for messages that are kept on disk, and at most once per living broker for the rest, with
//! [`Delivery::redelivered`] set when a consumer was lost with the message in hand.

#![warn(missing_docs)]

use std::{any::Any, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::BoxFuture};

use crate::model::{FunctionId, Mode, PlatformName, SecretUrl, message::Parcel};

mod embedded;
mod rabbitmq;

use embedded::Embedded;
use rabbitmq::RabbitMq;

/// A directive for the log filter of the program: the AMQP client logs returned messages with
/// their payloads, and every lost connection a second time.
pub const LOG_DIRECTIVE: &str = "lapin=off";

/// The time after which a publish gives up, also while the broker blocks publishers.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// A place where messages of one platform can go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A function's queue of the given mode; it exists from [`Queue::declare`] to [`Queue::remove`].
    Function(FunctionId, Mode),
    /// Outcomes of async attempts; consumed by the schedulers.
    Outcomes,
    /// Builds; consumed by the managers.
    Builds,
    /// The private queue of one consumer, as named by [`Queue::open_replies`].
    Reply(String),
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// Header and body; at most [`MAX_BODY`](crate::model::message::MAX_BODY) bytes of body.
    pub parcel: Parcel,
    /// The time, in whole milliseconds and at least one, after which the queue forgets a message that no consumer took.
    /// None: it stays.
    pub expires: Option<Duration>,
}

/// The state of a queue at the time it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The number of messages that no consumer has taken.
    pub messages: u64,
    /// [`Queue::publish`] would return [`Error::Full`].
    pub is_full: bool,
}

/// The way in which a consumer wants to be served.
#[derive(Clone, Copy, Debug)]
pub struct ConsumeOptions {
    /// The most unsettled deliveries at once; at least 1 (0 would mean unlimited).
    pub prefetch: u16,
    /// The priority: of several consumers with room, the highest is served first.
    pub priority: i32,
}

/// The taker of the replies of a private queue, see [`Queue::take_replies`].
pub type TakeReply = Arc<dyn Fn(&Parcel) + Send + Sync>;

/// A message queue of one platform. Cheap to share; safe to call from many tasks at once.
///
/// Cancellation: dropping the future of `publish` leaves open whether the message was sent, and so does
/// [`Error::Unavailable`] from it; dropping that of `consume` or `open_replies` leaves no consumer behind. A lost
/// connection is re-established by the next call; consumers and reply queues end (their streams yield `None`), and
/// their readers open new ones. The loss and the return of a broker are logged here, once; a caller that merely tries
/// again need not log it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Returns the backend, for `status` and the startup text: `rabbitmq` or `embedded`.
    fn kind(&self) -> &'static str;

    /// Returns whether async messages outlive a restart of this program. If not, the program publishes at its start
    /// everything that the store still holds as queued.
    fn is_durable(&self) -> bool;

    /// Creates both queues of a function where they are missing.
    async fn declare(&self, function: FunctionId) -> Result<(), Error>;

    /// Deletes both queues of a function with their messages. It is not an error if they are missing; their consumers
    /// end.
    async fn remove(&self, function: FunctionId) -> Result<(), Error>;

    /// Returns, for each function in order, what waits in its queue for async messages. [`Waiting::messages`] does not
    /// count those in consumers' hands. A missing queue is empty.
    async fn waiting(&self, functions: &[FunctionId]) -> Result<Vec<Waiting>, Error>;

    /// Sends one message and waits for the confirmation that the address calls for, for up to [`PUBLISH_TIMEOUT`].
    /// [`Error::NoQueue`] when no queue took it: nothing was stored then. A queue that is not durable returns
    /// [`Error::Full`] for `Function(_, _)` beyond a bound of its own.
    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error>;

    /// Starts consuming. Declares the queue first where it is missing. Only [`Queue::open_replies`] consumes a reply
    /// address; here it is [`Error::NoQueue`].
    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error>;

    /// Opens a private queue that ends with its consumer, and returns the address that others reply to. Deliveries need
    /// no ack. A reply to a consumer that has ended is lost: the embedded queue returns [`Error::NoQueue`], RabbitMQ
    /// returns no error.
    async fn open_replies(&self) -> Result<(Address, Consumer), Error>;

    /// Returns whether a private queue still has its consumer: who replies learns by it that nobody waits any more. An error
    /// says nothing about it.
    async fn is_awaited(&self, replies: &str) -> Result<bool, Error>;

    /// Opens such a queue whose replies go to `take` at once, wherever they arrive: `take` must not block, and a panic of
    /// it may end its sender. The returned future is the consumer: it has to be polled, and ends when the queue is lost.
    async fn take_replies(&self, take: TakeReply) -> Result<(Address, BoxFuture<'static, ()>), Error> {
        let (address, mut replies) = self.open_replies().await?;
        let taking = async move {
            while let Some(delivery) = replies.next().await {
                take(&delivery.parcel);
            }
        };
        Ok((address, Box::pin(taking)))
    }

    /// Deletes the queues that the platform shares (outcomes, builds, events), after the functions' queues were removed
    /// one by one: for `cloudfunc down --volumes` and tests. Other processes should have ended; one that connects again
    /// creates them again.
    async fn remove_platform(&self) -> Result<(), Error>;

    /// Sends an event to every current subscriber ([`Queue::subscribe`]), best effort.
    async fn broadcast(&self, event: Bytes) -> Result<(), Error>;

    /// Returns everything that is broadcast from now on; events that were broadcast while the subscription was lost are
    /// lost, too. Deliveries need no ack.
    async fn subscribe(&self) -> Result<Consumer, Error>;

    /// Makes a round trip to the broker, for readiness.
    async fn ping(&self) -> Result<(), Error>;

    /// Closes the connections; unsettled deliveries go back to their queues.
    async fn close(&self);
}

/// A stream of deliveries. Dropping it cancels the consumer; unsettled deliveries that were handed out stay valid and
/// can still be settled as long as the connection lives.
///
/// A message that was sent to a consumer but never handed out by it goes to other consumers when it is dropped, not
/// marked as redelivered on `Function(_, Sync)`; elsewhere it may be marked.
pub struct Consumer {
    /// The backend's stream: nothing stands between it and the reader, as a task in between would cost every message a
    /// wake-up. It stays at its end, and cancels itself when dropped.
    deliveries: Pin<Box<dyn Stream<Item = Delivery> + Send>>,
}

impl Consumer {
    fn new(deliveries: impl Stream<Item = Delivery> + Send + 'static) -> Self {
        Self { deliveries: Box::pin(deliveries) }
    }

    /// Returns the next message; `None` once the connection or the queue has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.next().await
    }
}

/// One message in hand. It is settled once, by value; dropping it unsettled gives it back.
pub struct Delivery {
    /// Header and body, as they were sent.
    pub parcel: Parcel,
    /// It was handed out before, to a consumer that was lost or gave it back.
    pub redelivered: bool,
    settle: Box<dyn Settle>,
}

impl Delivery {
    /// Tells the broker that the message is done with. An error means that the broker may deliver it again, and so does
    /// dropping the future.
    pub async fn ack(self) -> Result<(), Error> {
        self.settle.ack().await
    }

    /// Does the same for several messages, in the order in which one consumer handed them out. An error means that the
    /// broker may deliver any of them again.
    pub async fn ack_all(batch: Vec<Self>) -> Result<(), Error> {
        let mut settles = batch.into_iter().map(|delivery| delivery.settle);
        match settles.next() {
            Some(first) => first.ack_with(settles.collect()).await,
            None => Ok(()),
        }
    }
}

/// A backend's side of a delivery. Dropping it without `ack` returns the message to its queue.
#[async_trait]
trait Settle: Any + Send + Sync {
    async fn ack(self: Box<Self>) -> Result<(), Error>;

    /// Acks this one and later ones, at less cost than one by one where the backend can.
    async fn ack_with(self: Box<Self>, later: Vec<Box<dyn Settle>>) -> Result<(), Error> {
        let mut result = self.ack().await;
        for one in later {
            result = result.and(one.ack().await);
        }
        result
    }
}

/// The reason why the queue did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker cannot be reached or does not answer in time; trying later may help.
    #[error("the message broker at {address} does not answer")]
    Unavailable {
        /// Host and port, without credentials.
        address: String,
        /// The failure of the connection or of the call.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A mandatory message found no queue; nothing was stored.
    #[error("there is no queue for {0:?}")]
    NoQueue(Address),
    /// The broker refuses: credentials, permissions, a queue declared differently before.
    #[error("the message broker at {address} refuses")]
    Refused {
        /// Host and port, without credentials.
        address: String,
        /// The broker's words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The queue holds as many messages in memory as it may; nothing was sent. A message that is stored elsewhere is
    /// published again later.
    #[error("{0:?} is full")]
    Full(Address),
    /// [`Queue::close`] was called.
    #[error("this queue is closed")]
    Closed,
}

impl Error {
    /// Returns whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full(_))
    }
}

/// The choice of a queue. Parsed from `amqp://user:password@host:port/vhost`, `amqps://…` or `embedded`.
#[derive(Clone, Debug)]
pub enum Config {
    /// A RabbitMQ broker, which several hosts share.
    RabbitMq {
        /// The broker's URL, with credentials, which no text shows.
        url: SecretUrl,
    },
    /// A queue inside this process: only roles that run in it can use it.
    Embedded,
}

impl std::str::FromStr for Config {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if text.starts_with("amqp://") || text.starts_with("amqps://") {
            return Ok(Self::RabbitMq { url: SecretUrl::new(text)? });
        }
        Err("not a queue; accepted are amqp://user:password@host:port/vhost, amqps://… and embedded"
            .to_owned())
    }
}

/// Connects. For RabbitMQ the first connection is made before this returns, so that a wrong address or password shows
/// at once. Every embedded queue is separate: roles of one process share one.
pub async fn connect(config: &Config, platform: &PlatformName) -> Result<Arc<dyn Queue>, Error> {
    Ok(match config {
        Config::RabbitMq { url } => Arc::new(RabbitMq::connect(url, platform).await?),
        Config::Embedded => Arc::new(Embedded::new()),
    })
}

/// A broker's description of itself, for `cloudfunc doctor`.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The product and its version, `RabbitMQ 3.13.7`, where it can be seen.
    pub version: Option<String>,
    /// It takes nothing from publishers, because it is short of memory or disk.
    pub blocked: bool,
}

/// Looks at a broker without declaring anything there. None: the queue is inside the process.
pub async fn survey(config: &Config, platform: &PlatformName) -> Result<Option<Survey>, Error> {
    match config {
        Config::RabbitMq { url } => rabbitmq::survey::survey(url, platform).await.map(Some),
        Config::Embedded => Ok(None),
    }
}

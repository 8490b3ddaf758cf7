//! The queue inside this process: memory only, for roles that run together.
//!
//! ```text
//! publish ─▶ ready (by sequence) ─▶ buffer of the first consumer with room ─▶ Delivery ─▶ ack
//!              ▲                      │ consumer dropped          │ dropped unsettled
//!              └──────────────────────┴───────────────────────────┘ at its old place
//! ```
//!
//! Invariants: a consumer never holds more than its prefetch, buffered and handed out together; a message that is not
//! acked is in exactly one of the three places; an expired message is not handed out. The lock over all queues is held
//! for a lookup only; each queue has a lock of its own, and neither is held across an await.

mod line;
mod replies;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};
use tokio::sync::mpsc;

use self::{
    line::{Line, Published},
    replies::Replies,
};
use super::{
    Address, ConsumeOptions, Consumer, Delivery, Error, Message, Queue, Settle, TakeReply, Waiting,
};
use crate::model::{FunctionId, Mode, message::Parcel};

/// The most waiting messages of one queue of a function; beyond it publishing is `Full`. Sync: waiting callers are
/// bounded long before (100 a function), so reaching it means that no consumer is active. Async: it is the window onto
/// the backlog that the store holds (100,000); its messages carry no payload, some 500 bytes each.
const MAX_WAITING: usize = 10_000;

/// The most events that a subscriber may lag behind. One that lags more is ended, and reads everything again when it
/// subscribes anew, as after a lost connection.
const MAX_LAG: usize = 1024;

pub(super) struct Embedded {
    lines: RwLock<HashMap<Address, Arc<Line>>>,
    replies: Replies,
    subscribers: Mutex<Vec<mpsc::Sender<Bytes>>>,
    closed: AtomicBool,
}

impl Embedded {
    pub(super) fn new() -> Self {
        let shared = [Address::Outcomes, Address::Builds];
        Self {
            lines: RwLock::new(shared.map(|address| (address, Arc::new(Line::new(None)))).into()),
            replies: Replies::default(),
            subscribers: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Relaxed) { Err(Error::Closed) } else { Ok(()) }
    }

    fn line(&self, address: &Address) -> Option<Arc<Line>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).get(address).cloned()
    }

    fn declare_line(&self, address: &Address) -> Arc<Line> {
        let limit = matches!(address, Address::Function(..)).then_some(MAX_WAITING);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        lines.entry(address.clone()).or_insert_with(|| Arc::new(Line::new(limit))).clone()
    }

    fn remove_line(&self, address: &Address) {
        let line = self.lines.write().unwrap_or_else(PoisonError::into_inner).remove(address);
        if let Some(line) = line {
            line.end();
        }
    }
}

#[async_trait]
impl Queue for Embedded {
    fn kind(&self) -> &'static str {
        "embedded"
    }

    fn is_durable(&self) -> bool {
        false
    }

    async fn declare(&self, function: FunctionId) -> Result<(), Error> {
        self.check_open()?;
        for mode in [Mode::Sync, Mode::Async] {
            self.declare_line(&Address::Function(function, mode));
        }
        Ok(())
    }

    async fn remove(&self, function: FunctionId) -> Result<(), Error> {
        self.check_open()?;
        for mode in [Mode::Sync, Mode::Async] {
            self.remove_line(&Address::Function(function, mode));
        }
        Ok(())
    }

    async fn waiting(&self, functions: &[FunctionId]) -> Result<Vec<Waiting>, Error> {
        self.check_open()?;
        let waiting = |function: &FunctionId| {
            let line = self.line(&Address::Function(*function, Mode::Async));
            line.map_or(Waiting { messages: 0, is_full: false }, |line| line.waiting())
        };
        Ok(functions.iter().map(waiting).collect())
    }

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        self.check_open()?;
        let taken = if let Address::Reply(name) = to {
            self.replies.take(name, message.parcel)
        } else {
            match self.line(to) {
                Some(line) => match line.publish(message) {
                    Published::Full => return Err(Error::Full(to.clone())),
                    published => matches!(published, Published::Taken),
                },
                None => false,
            }
        };
        if taken { Ok(()) } else { Err(Error::NoQueue(to.clone())) }
    }

    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error> {
        self.check_open()?;
        if matches!(from, Address::Reply(_)) {
            return Err(Error::NoQueue(from.clone()));
        }
        loop {
            // A line that was removed in between takes no consumer; the next one is new.
            if let Some(consumer) = Line::join(&self.declare_line(from), options) {
                return Ok(consumer);
            }
        }
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        self.check_open()?;
        Ok(self.replies.open())
    }

    async fn is_awaited(&self, replies: &str) -> Result<bool, Error> {
        self.check_open()?;
        Ok(self.replies.is_open(replies))
    }

    async fn take_replies(&self, take: TakeReply) -> Result<(Address, BoxFuture<'static, ()>), Error> {
        self.check_open()?;
        Ok(self.replies.open_taken(take))
    }

    async fn remove_platform(&self) -> Result<(), Error> {
        self.check_open()?;
        self.remove_line(&Address::Outcomes);
        self.remove_line(&Address::Builds);
        lock(&self.subscribers).clear();
        Ok(())
    }

    async fn broadcast(&self, event: Bytes) -> Result<(), Error> {
        self.check_open()?;
        lock(&self.subscribers).retain(|subscriber| subscriber.try_send(event.clone()).is_ok());
        Ok(())
    }

    async fn subscribe(&self) -> Result<Consumer, Error> {
        self.check_open()?;
        let (sender, receiver) = mpsc::channel(MAX_LAG);
        lock(&self.subscribers).push(sender);
        Ok(Consumer::new(EventConsumer(receiver)))
    }

    async fn ping(&self) -> Result<(), Error> {
        self.check_open()
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let lines = std::mem::take(&mut *self.lines.write().unwrap_or_else(PoisonError::into_inner));
        lines.values().for_each(|line| line.end());
        self.replies.clear();
        lock(&self.subscribers).clear();
    }
}

struct EventConsumer(mpsc::Receiver<Bytes>);

impl Stream for EventConsumer {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.0.poll_recv(context).map(|event| event.map(|event| settled(event.into())))
    }
}

/// Makes a delivery that needs no ack.
fn settled(parcel: Parcel) -> Delivery {
    Delivery { parcel, redelivered: false, settle: Box::new(Settled) }
}

struct Settled;

#[async_trait]
impl Settle for Settled {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

// Code that runs under these locks cannot panic halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Address, ConsumeOptions, Consumer, Delivery, Error, Message, Queue, Settle, TakeReply};
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
    replies: Arc<RwLock<HashMap<String, Reply>>>,
    subscribers: Mutex<Vec<mpsc::Sender<Bytes>>>,
    next_reply: AtomicU64,
    closed: AtomicBool,
}

impl Embedded {
    pub(super) fn new() -> Self {
        let shared = [Address::Outcomes, Address::Builds];
        Self {
            lines: RwLock::new(shared.map(|address| (address, Arc::new(Line::new(None)))).into()),
            replies: Arc::default(),
            subscribers: Mutex::default(),
            next_reply: AtomicU64::new(1),
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

    fn reply_place(&self, reply: Reply) -> ReplyPlace {
        let name = format!("reply-{}", self.next_reply.fetch_add(1, Ordering::Relaxed));
        self.replies.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), reply);
        ReplyPlace { name, replies: self.replies.clone() }
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

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        self.check_open()?;
        let taken = if let Address::Reply(name) = to {
            let reply = self.replies.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
            match reply {
                Some(Reply::Wait(buffer)) => buffer.send(message.parcel).is_ok(),
                // On the sender's task: a wake-up costs more than what is done.
                Some(Reply::Take { take, .. }) => {
                    take(&message.parcel);
                    true
                }
                None => false,
            }
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
        let (id, buffer) = loop {
            // A line that was removed in between takes no consumer; the next one is new.
            let line = self.declare_line(from);
            if let Some(joined) = line.join(options) {
                break (Seat { line, id: joined.0 }, joined.1);
            }
        };
        Ok(Consumer::new(LineConsumer { seat: id, buffer }))
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        self.check_open()?;
        let (buffer, receiver) = mpsc::unbounded_channel();
        let place = self.reply_place(Reply::Wait(buffer));
        let address = Address::Reply(place.name.clone());
        Ok((address, Consumer::new(ReplyConsumer { _place: place, receiver })))
    }

    async fn take_replies(&self, take: TakeReply) -> Result<(Address, BoxFuture<'static, ()>), Error> {
        self.check_open()?;
        let lost = CancellationToken::new();
        let place = self.reply_place(Reply::Take { take, _lost: Arc::new(lost.clone().drop_guard()) });
        let address = Address::Reply(place.name.clone());
        let taking = async move {
            let _place = place;
            lost.cancelled().await;
        };
        Ok((address, Box::pin(taking)))
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
        self.replies.write().unwrap_or_else(PoisonError::into_inner).clear();
        lock(&self.subscribers).clear();
    }
}

/// One queue: its waiting messages and its consumers.
struct Line {
    state: Mutex<LineState>,
    limit: Option<usize>,
}

#[derive(Default)]
struct LineState {
    /// The waiting messages in the order of publishing, also after some came back.
    ready: VecDeque<Entry>,
    /// The consumers by priority, highest first; among equals, the one that was served last comes last.
    seats: Vec<Served>,
    next_sequence: u64,
    next_seat: u64,
    /// Whether the line was removed: it takes no new messages, and those in hand may not come back.
    ended: bool,
}

struct Entry {
    sequence: u64,
    parcel: Parcel,
    expires_at: Option<Instant>,
    redelivered: bool,
}

struct Served {
    id: u64,
    priority: i32,
    /// The number of further deliveries it may hold.
    room: u16,
    buffer: mpsc::UnboundedSender<Entry>,
}

impl Entry {
    fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

enum Published {
    Taken,
    Full,
    /// The line does not exist any more.
    Nowhere,
}

impl Line {
    fn new(limit: Option<usize>) -> Self {
        Self { state: Mutex::default(), limit }
    }

    fn publish(&self, message: Message) -> Published {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if state.ended {
            return Published::Nowhere;
        }
        if self.limit.is_some_and(|limit| state.ready.len() >= limit) {
            state.ready.retain(|entry| !entry.is_expired(now));
        }
        if self.limit.is_some_and(|limit| state.ready.len() >= limit) {
            return Published::Full;
        }
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        let expires_at = message.expires.map(|after| now + after.max(Duration::from_millis(1)));
        state.ready.push_back(Entry {
            sequence,
            parcel: message.parcel,
            expires_at,
            redelivered: false,
        });
        state.serve(now);
        Published::Taken
    }

    /// Adds a consumer; none: the line does not exist any more.
    fn join(&self, options: ConsumeOptions) -> Option<(u64, mpsc::UnboundedReceiver<Entry>)> {
        let mut state = lock(&self.state);
        if state.ended {
            return None;
        }
        // Unbounded, yet never longer than the prefetch.
        let (buffer, receiver) = mpsc::unbounded_channel();
        let id = state.next_seat;
        state.next_seat += 1;
        state.seat(Served { id, priority: options.priority, room: options.prefetch.max(1), buffer });
        state.serve(Instant::now());
        Some((id, receiver))
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.ready.clear();
        state.seats.clear();
    }
}

impl LineState {
    fn seat(&mut self, served: Served) {
        let at = self.seats.partition_point(|other| other.priority >= served.priority);
        self.seats.insert(at, served);
    }

    /// Puts a message back at its old place: the front, except for messages that were published before it and came
    /// back.
    fn put_back(&mut self, entry: Entry) {
        if !self.ended {
            let at = self.ready.partition_point(|other| other.sequence < entry.sequence);
            self.ready.insert(at, entry);
        }
    }

    /// Notes that the consumer, if it still exists, holds one delivery less.
    fn free(&mut self, id: u64) {
        if let Some(served) = self.seats.iter_mut().find(|served| served.id == id) {
            served.room += 1;
        }
    }

    /// Moves messages to consumers while there are both.
    fn serve(&mut self, now: Instant) {
        loop {
            while self.ready.front().is_some_and(|entry| entry.is_expired(now)) {
                self.ready.pop_front();
            }
            let Some(at) = self.seats.iter().position(|served| served.room > 0) else { return };
            let Some(entry) = self.ready.pop_front() else { return };
            let mut served = self.seats.remove(at);
            match served.buffer.send(entry) {
                Ok(()) => {
                    served.room -= 1;
                    self.seat(served);
                }
                // Its reader has ended: it keeps no seat.
                Err(mpsc::error::SendError(entry)) => self.ready.push_front(entry),
            }
        }
    }
}

/// A consumer's place in a line.
#[derive(Clone)]
struct Seat {
    line: Arc<Line>,
    id: u64,
}

impl Seat {
    fn settle(&self, back: Option<Entry>) {
        let mut state = lock(&self.line.state);
        if let Some(entry) = back {
            state.put_back(entry);
        }
        state.free(self.id);
        state.serve(Instant::now());
    }
}

struct LineConsumer {
    seat: Seat,
    buffer: mpsc::UnboundedReceiver<Entry>,
}

impl Stream for LineConsumer {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        while let Some(entry) = ready!(self.buffer.poll_recv(context)) {
            if entry.is_expired(Instant::now()) {
                self.seat.settle(None);
                continue;
            }
            let (parcel, redelivered) = (entry.parcel.clone(), entry.redelivered);
            let settle = Box::new(InHand { seat: self.seat.clone(), entry: Some(entry) });
            return Poll::Ready(Some(Delivery { parcel, redelivered, settle }));
        }
        Poll::Ready(None)
    }
}

impl Drop for LineConsumer {
    fn drop(&mut self) {
        let mut state = lock(&self.seat.line.state);
        state.seats.retain(|served| served.id != self.seat.id);
        while let Ok(entry) = self.buffer.try_recv() {
            state.put_back(entry);
        }
        state.serve(Instant::now());
    }
}

/// A delivery that was handed out; it goes back unless it was acked.
struct InHand {
    seat: Seat,
    entry: Option<Entry>,
}

#[async_trait]
impl Settle for InHand {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.entry = None;
        self.seat.settle(None);
        Ok(())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.seat.settle(Some(Entry { redelivered: true, ..entry }));
        }
    }
}

/// Where replies to an address go.
#[derive(Clone)]
enum Reply {
    /// To a reader.
    Wait(mpsc::UnboundedSender<Parcel>),
    /// To a function. The guard tells its owner when the address is gone.
    Take { take: TakeReply, _lost: Arc<DropGuard> },
}

/// An address that lives as long as this.
struct ReplyPlace {
    name: String,
    replies: Arc<RwLock<HashMap<String, Reply>>>,
}

impl Drop for ReplyPlace {
    fn drop(&mut self) {
        self.replies.write().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

struct ReplyConsumer {
    _place: ReplyPlace,
    receiver: mpsc::UnboundedReceiver<Parcel>,
}

impl Stream for ReplyConsumer {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.receiver.poll_recv(context).map(|parcel| parcel.map(settled))
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

//! One queue of the process: what waits in it, and who takes it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::{
    super::{ConsumeOptions, Consumer, Delivery, Error, Message, Settle, Waiting},
    lock,
};
use crate::model::message::Parcel;

/// One queue: its waiting messages and its consumers.
pub(super) struct Line {
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
    /// The line was removed: it takes no new messages, and those in hand may not come back.
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

pub(super) enum Published {
    Taken,
    Full,
    /// The line does not exist any more.
    Nowhere,
}

impl Line {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { state: Mutex::default(), limit }
    }

    pub(super) fn publish(&self, message: Message) -> Published {
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

    pub(super) fn waiting(&self) -> Waiting {
        let messages = lock(&self.state).ready.len();
        let is_full = self.limit.is_some_and(|limit| messages >= limit);
        Waiting { messages: messages as u64, is_full }
    }

    /// Adds a consumer; none: the line does not exist any more.
    pub(super) fn join(line: &Arc<Self>, options: ConsumeOptions) -> Option<Consumer> {
        let mut state = lock(&line.state);
        if state.ended {
            return None;
        }
        // Unbounded, yet never longer than the prefetch.
        let (buffer, receiver) = mpsc::unbounded_channel();
        let id = state.next_seat;
        state.next_seat += 1;
        state.seat(Served { id, priority: options.priority, room: options.prefetch.max(1), buffer });
        state.serve(Instant::now());
        let seat = Seat { line: line.clone(), id };
        Some(Consumer::new(LineConsumer { seat, buffer: receiver }))
    }

    pub(super) fn end(&self) {
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

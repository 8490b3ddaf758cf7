//! The channels that publish, and the messages that wait for one: a lane for each kind of message.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use lapin::{BasicProperties, Channel, types::ShortString};
use tokio::sync::oneshot;

use super::{failure::BrokerFailure, topology::TRANSIENT};
use crate::batch::fitting;

/// The number of channels of a lane, and so of groups under way at once: the broker handles one while the other's
/// confirms come back.
const CHANNELS: u16 = 2;

/// The most messages in one group; more wait for the next one.
const GROUP: usize = 128;
/// The most bytes of payload in one group (one message may exceed it, and is a group of its own unless the others are
/// small): the first is answered when the last is confirmed.
const GROUP_BYTES: usize = 256 * 1024;

/// A message to publish. An empty exchange is the default one, where the key names a queue that must exist.
pub(super) struct Outgoing {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) bytes: Bytes,
    pub(super) properties: BasicProperties,
}

/// The fate of a message that the broker confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routed {
    Taken,
    NoQueue,
}

/// The answer to a publisher.
pub(super) type Answer = Result<Routed, BrokerFailure>;

/// The lane that a message takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Memory,
    Disk,
    Event,
}

impl Kind {
    pub(super) fn of(message: &Outgoing) -> Self {
        if !message.exchange.as_str().is_empty() {
            return Self::Event;
        }
        match message.properties.delivery_mode() {
            Some(TRANSIENT) => Self::Memory,
            _ => Self::Disk,
        }
    }
}

/// The confirming channels of one connection.
pub(super) struct Lanes {
    memory: Lane,
    disk: Lane,
    events: Lane,
}

impl Lanes {
    /// Makes the lanes; `most` is the number of channels that the broker allows on the connection. With fewer than
    /// five, declaring and similar calls may find none; with fewer than three, publishing too.
    pub(super) fn new(most: u16) -> Self {
        let channels = CHANNELS.min(most.saturating_sub(3) / 2).max(1);
        Self {
            memory: Lane::new(channels, GROUP),
            disk: Lane::new(channels, GROUP),
            events: Lane::new(1, 1),
        }
    }

    pub(super) fn lane(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Memory => &self.memory,
            Kind::Disk => &self.disk,
            Kind::Event => &self.events,
        }
    }
}

/// Some channels, and the messages that wait for one. None waits while a channel is free.
pub(super) struct Lane {
    group: usize,
    state: Mutex<State>,
}

struct State {
    free: u16,
    /// The channels that are open and free; at most `free`.
    idle: Vec<Channel>,
    waiting: VecDeque<Waiting>,
}

pub(super) struct Waiting {
    pub(super) message: Outgoing,
    pub(super) tell: oneshot::Sender<Answer>,
}

#[expect(clippy::large_enum_variant, reason = "it is taken apart at once; a box would cost more")]
pub(super) enum Entered {
    /// A channel may be used; it comes along where one is open already.
    Free(Option<Channel>, Outgoing),
    Waits(oneshot::Receiver<Answer>),
}

impl Lane {
    fn new(channels: u16, group: usize) -> Self {
        let state = State { free: channels, idle: Vec::new(), waiting: VecDeque::new() };
        Self { group, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a channel, or waits for one.
    pub(super) fn enter(&self, message: Outgoing) -> Entered {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Entered::Free(state.idle.pop(), message);
        }
        // All wait for the same time, so while the broker takes nothing, those that gave up are in front: only those
        // that came within that time wait here.
        while state.waiting.front().is_some_and(|first| first.tell.is_closed()) {
            state.waiting.pop_front();
        }
        let (tell, told) = oneshot::channel();
        state.waiting.push_back(Waiting { message, tell });
        Entered::Waits(told)
    }

    /// Frees the channel, or gives it to a group of waiting messages.
    pub(super) fn leave(&self, channel: Option<Channel>) -> Option<(Option<Channel>, Vec<Waiting>)> {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.tell.is_closed());
        let sizes = state.waiting.iter().map(|waiting| waiting.message.bytes.len());
        let group = fitting(sizes, self.group, GROUP_BYTES);
        if group > 0 {
            return Some((channel, state.waiting.drain(..group).collect()));
        }
        state.free += 1;
        state.idle.extend(channel);
        None
    }
}

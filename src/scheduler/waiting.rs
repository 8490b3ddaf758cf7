//! The sync invocations under way: who waits for which reply.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    functions::{InFlight, Known},
    shards::Shards,
};
use crate::model::{InvocationId, message::Outcome};

/// What the waiting handler is told.
pub enum Told {
    Outcome(Box<Outcome>, Bytes),
    /// The reply queue was lost: no reply will come.
    Lost,
}

/// One that is under way.
pub struct Pending {
    pub function: Arc<Known>,
    pub accepted: Instant,
    pub accepted_at: Timestamp,
    /// From accepted to published.
    pub admitted: Duration,
    /// When a manager last said that it has it, which it repeats.
    pub underway: Option<Instant>,
    /// Nobody waits any longer than this, whatever happens.
    pub until: Instant,
    pub tell: Option<oneshot::Sender<Told>>,
    pub _in_flight: InFlight,
}

#[derive(Default)]
pub struct Waiting(Shards<Pending>);

impl Waiting {
    pub fn insert(&self, id: InvocationId, pending: Pending) {
        self.0.insert(id, pending);
    }

    /// None when nobody waits for it any more.
    pub fn remove(&self, id: InvocationId) -> Option<Pending> {
        self.0.remove(id)
    }

    pub fn with<T>(&self, id: InvocationId, change: impl FnOnce(&mut Pending) -> T) -> Option<T> {
        self.0.with(id, change)
    }

    /// Those whose time is up.
    pub fn take_overdue(&self, now: Instant) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|pending| pending.until <= now)
    }

    pub fn take_all(&self) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|_| true)
    }
}

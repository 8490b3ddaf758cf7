//! The sync invocations under way: who waits for which reply.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    functions::{InFlight, Known},
    shards::Shards,
};
use crate::model::{InvocationId, OwnerId, message::Outcome};

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
    /// From accepted to published, without the time in which the managers had no room.
    pub admitted: Duration,
    /// The manager process that has said that it has it.
    pub owner: Option<OwnerId>,
    /// Nobody waits any longer than this, whatever happens.
    pub until: Instant,
    pub tell: Option<oneshot::Sender<Told>>,
    pub _in_flight: InFlight,
    /// None: it did not get one in time.
    pub _place: Option<OwnedSemaphorePermit>,
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

    /// Those that were with a manager process of which `is_lost` says that it is gone.
    pub fn take_lost(&self, is_lost: impl Fn(OwnerId) -> bool) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|pending| pending.owner.is_some_and(&is_lost))
    }

    /// The manager processes that somebody's reply depends on.
    pub fn owners(&self) -> HashSet<OwnerId> {
        let mut owners = HashSet::new();
        self.0.for_each(|pending| owners.extend(pending.owner));
        owners
    }

    pub fn take_all(&self) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|_| true)
    }
}

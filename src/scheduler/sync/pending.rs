//! The sync invocations under way: who waits for which reply.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::slots::SyncSlot;
use crate::{
    model::{HttpRequest, IdPart, InvocationId, OwnerId, message::Outcome},
    scheduler::{
        cached_function::{CachedFunction, InFlight},
        shards::Shards,
    },
};

/// What the waiting handler is told.
pub enum Told {
    Outcome(Box<Outcome>, Bytes),
    /// The reply queue was lost: no reply will come.
    Lost,
}

/// A call that was let in: what its record says of it, however it ends. Counted until it is dropped.
pub struct Arrival {
    pub function: Arc<CachedFunction>,
    pub accepted: Instant,
    pub accepted_at: Timestamp,
    /// The HTTP request that the function gets; none for other calls.
    pub http: Option<HttpRequest>,
    pub _in_flight: InFlight,
}

/// A call that has a slot, and is published or about to be: its caller waits for the reply.
pub struct Pending {
    pub arrival: Arrival,
    /// From accepted to published, without the time in which the managers had no room; none until the queue has
    /// confirmed the message.
    pub admitted: Option<Duration>,
    /// The manager process that has said that it has it.
    pub owner: Option<OwnerId>,
    /// Nobody waits any longer than this, whatever happens.
    pub until: Instant,
    pub tell: oneshot::Sender<Told>,
    /// A manager that has not got it by then, and has not said so, never will.
    pub taken_by: Instant,
    pub sync_slot: SyncSlot,
}

impl Pending {
    /// Its caller has hung up, no manager has taken it, and in the queue it has expired.
    fn is_abandoned(&self, now: Instant) -> bool {
        self.tell.is_closed() && self.owner.is_none() && self.taken_by <= now
    }
}

#[derive(Default)]
pub struct PendingReplies(Shards<Pending>);

impl PendingReplies {
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

    /// Those whose id has that part.
    pub fn find(&self, part: &IdPart) -> Vec<InvocationId> {
        self.0.ids(part)
    }

    /// Those whose time is up.
    pub fn take_overdue(&self, now: Instant) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|pending| pending.until <= now)
    }

    /// Those that nobody waits for and nobody runs: their callers cannot take them out any more.
    pub fn take_abandoned(&self, now: Instant) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|pending| pending.is_abandoned(now))
    }

    /// Those that were with a manager process of which `is_lost` says that it is gone.
    pub fn take_lost(&self, is_lost: impl Fn(OwnerId) -> bool) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|pending| pending.owner.is_some_and(&is_lost))
    }

    /// The manager processes that somebody's reply depends on.
    pub fn owners(&self) -> HashSet<OwnerId> {
        let mut owners = HashSet::new();
        self.0.for_each(|_, pending| owners.extend(pending.owner));
        owners
    }

    pub fn for_each(&self, visit: impl FnMut(InvocationId, &Pending)) {
        self.0.for_each(visit);
    }

    pub fn take_all(&self) -> Vec<(InvocationId, Pending)> {
        self.0.take_if(|_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_hung_up_holds_his_slot_no_longer_than_the_queue_holds_his_message() {
        let function = CachedFunction::example();
        function.slots().resize(1, 1);
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let replies = PendingReplies::default();
        let mut callers = Vec::new();
        for _ in 0..2 {
            let (tell, told) = oneshot::channel();
            callers.push(told);
            let arrival = Arrival {
                function: function.clone(),
                accepted: now,
                accepted_at: Timestamp::now(),
                http: None,
                _in_flight: function.enter(10).unwrap(),
            };
            let pending = Pending {
                arrival,
                admitted: None,
                owner: None,
                until: now + 100 * second,
                tell,
                taken_by: now + second,
                sync_slot: function.slots().enter(now.into()).await.unwrap(),
            };
            replies.insert(InvocationId::new(), pending);
        }
        callers.pop();
        assert!(replies.take_abandoned(now).is_empty(), "it may still be taken");
        assert!(function.slots().enter(Instant::now().into()).await.is_none());
        assert_eq!(replies.take_abandoned(now + second).len(), 1, "the other one is waited for");
        assert!(function.slots().enter(Instant::now().into()).await.is_some());
    }
}

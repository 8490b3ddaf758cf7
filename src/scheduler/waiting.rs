//! The sync invocations under way: who waits for which reply.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    functions::{InFlight, Known},
    room::Place,
    shards::Shards,
};
use crate::model::{IdPart, InvocationId, OwnerId, message::Outcome};

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
    /// Who has not got it by then, and has not said so, never will.
    pub taken_by: Instant,
    pub _in_flight: InFlight,
    pub place: Option<Place>,
}

impl Pending {
    /// Its caller has hung up, no manager has taken it, and in the queue it has expired.
    fn is_abandoned(&self, now: Instant) -> bool {
        let hung_up = self.tell.as_ref().is_some_and(oneshot::Sender::is_closed);
        hung_up && self.owner.is_none() && self.taken_by <= now
    }
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
    async fn who_hung_up_holds_his_place_no_longer_than_the_queue_holds_his_message() {
        let function = Known::example();
        function.room().resize(1, 1);
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let waiting = Waiting::default();
        let mut callers = Vec::new();
        for _ in 0..2 {
            let (tell, told) = oneshot::channel();
            callers.push(told);
            let pending = Pending {
                function: function.clone(),
                accepted: now,
                accepted_at: Timestamp::now(),
                admitted: Duration::ZERO,
                owner: None,
                until: now + 100 * second,
                tell: Some(tell),
                taken_by: now + second,
                _in_flight: function.enter(10).unwrap(),
                place: function.room().enter(now.into()).await,
            };
            assert!(pending.place.is_some());
            waiting.insert(InvocationId::new(), pending);
        }
        callers.pop();
        assert!(waiting.take_abandoned(now).is_empty(), "it may still be taken");
        assert!(function.room().enter(Instant::now().into()).await.is_none());
        assert_eq!(waiting.take_abandoned(now + second).len(), 1, "the other one is waited for");
        assert!(function.room().enter(Instant::now().into()).await.is_some());
    }
}

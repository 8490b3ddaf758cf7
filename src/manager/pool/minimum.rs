//! Instances that are kept although nobody calls: `min_instances` of the active revision of each function that has any.
//!
//! They are started one at a time, with whatever work leaves of memory and starts, and are neither stopped for being idle
//! nor evicted. Together they have at most half of the memory: a deploy beyond that is refused, and where it comes to it
//! all the same (two deploys at once, a host with less memory), the oldest functions are kept. Only an instance that needs
//! more than the other half takes the place of one. Those beyond the minimum are ordinary: of several idle ones, it does
//! not matter which is meant. Prewarmed instances are left to callers, who have to wait for a start.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Action, Event, Instance, Key, Life, Line, Needs, Pool, Slot};
use crate::model::FunctionId;

/// The pauses after one that could not be started, or died idle; doubled from the first up to the last one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// One that outlasts its idle timeout is looked at again after this long, if that timeout is shorter.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Minimums {
    /// The memory of all of them together, in bytes.
    budget: u64,
    functions: BTreeMap<FunctionId, Minimum>,
    /// The start that has been begun for one, until its sandbox is made.
    starting: Option<Slot>,
}

#[derive(Debug)]
struct Minimum {
    key: Key,
    needs: Needs,
    /// As many of `min_instances` as have memory.
    count: usize,
    /// After a failure: none is started before.
    not_before: Option<Instant>,
    pause: Duration,
}

impl Minimums {
    pub(super) fn new(budget: u64) -> Self {
        Self { budget, functions: BTreeMap::new(), starting: None }
    }

    pub(super) fn keep(&mut self, key: Key, needs: Needs) {
        let known = self.functions.get(&key.function);
        if needs.min_instances > 0 && known.is_none_or(|known| known.key != key) {
            let minimum = Minimum { key, needs, count: 0, not_before: None, pause: FIRST_PAUSE };
            self.functions.insert(key.function, minimum);
            self.divide();
        }
    }

    /// Keeps none of the function any more. If another revision is active, its own minimum is told next.
    pub(super) fn forget(&mut self, function: FunctionId) {
        if self.functions.remove(&function).is_some() {
            self.divide();
        }
    }

    /// Ends a function's pause: what has kept its instances from starting may be gone.
    pub(super) fn try_again(&mut self, function: FunctionId) {
        if let Some(minimum) = self.functions.get_mut(&function) {
            minimum.not_before = None;
            minimum.pause = FIRST_PAUSE;
        }
    }

    /// Gives the memory to the functions in the order in which they were made, as their ids are.
    fn divide(&mut self) {
        let mut left = self.budget;
        for minimum in self.functions.values_mut() {
            let memory = minimum.needs.memory.max(1);
            let count = u64::from(minimum.needs.min_instances).min(left / memory);
            left -= count * memory;
            minimum.count = usize::try_from(count).unwrap_or(usize::MAX);
        }
    }

    /// Returns the number of a revision's instances that are kept.
    pub(super) fn count(&self, key: Key) -> usize {
        let minimum = self.functions.get(&key.function).filter(|minimum| minimum.key == key);
        minimum.map_or(0, |minimum| minimum.count)
    }

    pub(super) fn keeps(&self, key: Key) -> bool {
        self.functions.get(&key.function).is_some_and(|minimum| minimum.key == key)
    }

    /// Returns whether no event is of any interest.
    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.starting.is_none()
    }

    fn of(&mut self, instance: Option<&Instance>) -> Option<&mut Minimum> {
        let key = instance?.key;
        self.functions.get_mut(&key.function).filter(|minimum| minimum.key == key)
    }

    /// Notes an event before the pool handles it; `of` is the instance that it is about.
    pub(super) fn observe(&mut self, event: Event, of: Option<&Instance>, now: Instant) {
        let (slot, failed) = match event {
            Event::Made { slot } | Event::Started { slot } | Event::Gone { slot } => (slot, false),
            Event::StartFailed { slot, .. } | Event::CannotStartHere { slot } => (slot, true),
            // One that ends while it works is no failure of its start.
            Event::Ended { slot } => (slot, of.is_none_or(|instance| instance.life != Life::Busy)),
            Event::Finished { usable: true, .. } => {
                // It works: the next failure is a first one again.
                if let Some(minimum) = self.of(of) {
                    minimum.pause = FIRST_PAUSE;
                }
                return;
            }
            _ => return,
        };
        if self.starting == Some(slot) {
            self.starting = None;
        }
        if let Some(minimum) = self.of(of)
            && failed
        {
            minimum.not_before = Some(now + minimum.pause);
            minimum.pause = LAST_PAUSE.min(minimum.pause * 2);
        }
    }
}

impl Pool {
    /// Starts one that is missing, if nothing else is in the way: the work that waits has been served before.
    pub(super) fn start_what_is_kept(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for minimum in self.minimums.functions.values_mut() {
            // A pause that is over is nothing to be woken for; what else is missing comes with an event.
            minimum.not_before = minimum.not_before.filter(|moment| *moment > now);
        }
        if self.minimums.functions.is_empty() || self.draining || self.minimums.starting.is_some() {
            return;
        }
        let used = self.used();
        let lacks_memory = |(key, line): (&Key, &Line)| {
            line.len() > self.coming_places(*key) && used + line.needs.memory > self.limits.memory_budget
        };
        if self.lines.iter().any(lacks_memory) {
            return;
        }
        let minimums = self.minimums.functions.values().filter(|minimum| minimum.not_before.is_none());
        let missing = minimums.filter(|minimum| self.is_missing(minimum));
        let wanted: Vec<_> = missing.map(|minimum| (minimum.key, minimum.needs)).collect();
        for (key, needs) in wanted {
            if self.may_start(key, needs, false, actions) {
                self.minimums.starting = Some(Slot(self.next_slot));
                self.start(key, needs, None, now, actions);
                return;
            }
        }
    }

    /// Returns when a failed one is tried again.
    pub(super) fn end_of_pause_of_a_kept_one(&self) -> Option<Instant> {
        let missing = self.minimums.functions.values().filter(|minimum| self.is_missing(minimum));
        missing.filter(|_| !self.draining).filter_map(|minimum| minimum.not_before).min()
    }

    fn is_missing(&self, minimum: &Minimum) -> bool {
        self.lasting(minimum.key) < minimum.count
    }

    /// Returns the number of a revision's instances that can go on serving.
    fn lasting(&self, key: Key) -> usize {
        self.count(|i| i.key == key && i.life != Life::Stopping && !i.drained && !i.retired)
    }

    /// Returns whether an instance must neither be stopped for being idle nor evicted.
    pub(super) fn must_stay(&self, instance: &Instance) -> bool {
        !self.draining
            && !instance.drained
            && self.minimums.keeps(instance.key)
            && self.lasting(instance.key) <= self.minimums.count(instance.key)
    }

    /// Returns whether an instance needs more memory than those that must stay may leave.
    pub(super) fn is_large(&self, needs: Needs) -> bool {
        needs.memory > self.limits.memory_budget.saturating_sub(self.minimums.budget)
    }

    /// Returns an idle one that must stay, for a large instance: else that could never be started.
    pub(super) fn kept_in_the_way_of(&self, needs: Needs) -> Option<(Slot, f64)> {
        let first = self.idle().next().filter(|_| self.is_large(needs));
        first.map(|(slot, instance)| (*slot, instance.worth))
    }

    /// Sets another time for an idle one whose time is over, and which must stay.
    pub(super) fn keep_on(&mut self, slot: Slot, now: Instant) {
        self.update(slot, |instance, _| {
            instance.life = Life::Idle { until: now + instance.needs.idle_timeout.max(LOOK) };
        });
    }
}

//! Which instances are started: as many as there is work for, functions in turn, within the limits.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Action, Instance, Key, Life, Line, Needs, Pool, Rejection, Slot};
use crate::model::FunctionId;

/// Making a sandbox takes the cores that another start for an invocation wants now; one that takes longer is
/// loading its function's code, which may go on for half a minute and must not hold up everybody's.
pub(super) const START_COMES_FIRST: Duration = Duration::from_secs(1);

/// A function that has waited for memory for this long gets it from those that run on and on, if nobody of theirs has
/// waited for longer. It costs them a cold start.
pub(super) const STARVING: Duration = Duration::from_secs(1);

/// The pause after a start that the host could not make, for a revision that has usable instances. Without it a start
/// would fail for each of its waiting invocations, for as long as an engine is away.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Starts {
    /// The number of the last start given to each function that waits.
    turns: HashMap<FunctionId, u64>,
    decided: u64,
    /// Functions whose last start the host could not make, each with the time of the next one.
    pauses: HashMap<FunctionId, Instant>,
}

impl Starts {
    /// The function is the next to start.
    pub(super) fn goes_first(&mut self, function: FunctionId) {
        self.turns.remove(&function);
    }

    pub(super) fn succeeded(&mut self, function: FunctionId) {
        self.pauses.remove(&function);
    }

    pub(super) fn end_pauses(&mut self, now: Instant) {
        self.pauses.retain(|_, until| *until > now);
    }
}

impl Pool {
    pub(super) fn start_failed(
        &mut self,
        slot: Slot,
        by_host: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(Instance { key, needs, outdated, .. }) = self.instances.remove(&slot) else { return };
        if by_host && self.has_usable_instance(key) {
            self.starts.pauses.insert(key.function, now + PAUSE);
            return;
        }
        // One failed start answers as many as it would have run. The others' starts may still succeed, and a start that
        // is bound to fail again answers them so instead of being retried for ever.
        let Some(line) = self.lines.get_mut(&key) else { return };
        let answered = std::iter::from_fn(|| line.pop_cold(outdated)).take(needs.places());
        for waiting in answered {
            actions.push(Action::Reject { work: waiting.work, why: Rejection::StartFailed(slot) });
        }
    }

    /// Returns whether the work of a revision is left to its instances for now.
    fn is_paused(&self, key: Key, now: Instant) -> bool {
        self.starts.pauses.get(&key.function).is_some_and(|until| *until > now)
            && self.has_usable_instance(key)
    }

    /// Returns when the first start is tried again for work that waits.
    pub(super) fn end_of_pauses(&self) -> Option<Instant> {
        self.lines.keys().filter_map(|key| self.starts.pauses.get(&key.function).copied()).min()
    }

    /// Returns whether an instance of the revision can run work, now or after what it runs.
    fn has_usable_instance(&self, key: Key) -> bool {
        let can_run =
            |i: &Instance| matches!(i.life, Life::Idle { .. } | Life::Busy) && !i.drained && !i.retired;
        self.instances.values().any(|i| i.key == key && can_run(i))
    }

    /// Single flight: as many starts as there is work without a place that is coming, within the limits. Functions take
    /// turns, so that one whose starts take long does not have all of them.
    pub(super) fn start_where_wanted(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.lines.retain(|_, line| line.len() > 0);
        if self.lines.is_empty() {
            self.starts.turns.clear();
            return;
        }
        let mut wanted: Vec<(Key, Needs, usize)> =
            self.lines.iter().map(|(key, line)| (*key, line.needs, line.len())).collect();
        for (key, _, waiting) in &mut wanted {
            *waiting = waiting.saturating_sub(self.coming_places(*key));
        }
        if let Some(starving) = self.lacks_memory(now) {
            wanted.retain(|(key, ..)| self.lines.get(key).and_then(Line::since) <= Some(starving));
        }
        wanted.sort_by_key(|(key, ..)| {
            let turn = self.starts.turns.get(&key.function).copied().unwrap_or(0);
            (turn, self.lines.get(key).and_then(Line::since))
        });
        loop {
            wanted.retain(|(.., waiting)| *waiting > 0);
            if wanted.is_empty() {
                return;
            }
            for (key, needs, waiting) in &mut wanted {
                let ready = self.stock.ready(needs.class);
                // A prewarmed one takes no start of the host.
                let is_held = ready.is_none() && self.is_paused(*key, now);
                if is_held || !self.may_start(*key, *needs, ready.is_some(), actions) {
                    *waiting = 0;
                    continue;
                }
                self.start(*key, *needs, ready, now, actions);
                self.stock.cold_start(needs.class, needs.memory, now);
                *waiting = waiting.saturating_sub(needs.places());
                self.starts.decided += 1;
                self.starts.turns.insert(key.function, self.starts.decided);
            }
        }
    }

    /// Returns the arrival of the oldest line that is starved of memory. Nothing that is younger takes what becomes free, or
    /// an instance that needs more than others would never get it.
    fn lacks_memory(&self, now: Instant) -> Option<Instant> {
        let used = self.used();
        let starving = self.lines.iter().filter(|(key, line)| self.starves(**key, line, used, now));
        starving.filter_map(|(_, line)| line.since()).min()
    }

    /// Returns whether a line has waited for long, and lacks nothing but memory; `used` is that of others.
    fn starves(&self, key: Key, line: &Line, used: u64, now: Instant) -> bool {
        line.since().is_some_and(|since| now.saturating_duration_since(since) >= STARVING)
            && used + line.needs.memory > self.limits.memory_budget
            && self.starting(key) == 0
            && !self.has_all(key.function, line.needs)
            && !self.is_paused(key, now)
    }

    /// Returns whether a function has as many instances as it may. One that is outdated does not count among its
    /// `max_instances`: one long run on it would keep all calls from the new value. With those there are at most twice as many.
    fn has_all(&self, function: FunctionId, needs: Needs) -> bool {
        let max = needs.max_instances as usize;
        let is_live = |i: &Instance| i.key.function == function && i.life != Life::Stopping;
        self.count(|i| is_live(i) && i.outdated.is_none()) >= max || self.count(is_live) >= 2 * max
    }

    pub(super) fn start(
        &mut self,
        key: Key,
        needs: Needs,
        ready: Option<Slot>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let slot = ready.unwrap_or(Slot(self.next_slot));
        actions.push(match ready {
            Some(slot) => {
                self.stock.take(slot);
                Action::Take { slot, key }
            }
            None => {
                self.next_slot += 1;
                Action::Start { slot, key }
            }
        });
        let drained = self.active.get(&key.function).is_some_and(|a| *a != Some(key.revision));
        let (life, prewarmed, is_made) = (Life::Starting, ready.is_some(), ready.is_some());
        let (begun, used, worth) = (now, 0, 0.0);
        let (running, retired, outdated) = (0, false, None);
        let instance = Instance {
            key,
            needs,
            life,
            begun,
            used,
            worth,
            drained,
            running,
            retired,
            outdated,
            prewarmed,
            is_made,
        };
        self.instances.insert(slot, instance);
    }

    /// Returns whether one more instance fits, after evicting idle ones that are in its way. Prewarmed ones are in
    /// nobody's way: whatever is decided here is decided as if there were none, and they make room meanwhile.
    pub(super) fn may_start(
        &mut self,
        key: Key,
        needs: Needs,
        prewarmed: bool,
        actions: &mut Vec<Action>,
    ) -> bool {
        let starts = self.count(Instance::is_being_made);
        if self.draining || (!prewarmed && starts >= self.limits.max_starts) {
            return false;
        }
        if self.has_all(key.function, needs) {
            // An idle instance of another revision must not keep this one from ever starting.
            let other = self.idle().find(|(_, i)| i.key.function == key.function && i.key != key);
            if let Some(slot) = other.map(|(slot, _)| *slot) {
                self.stop(slot, actions);
                return self.may_start(key, needs, prewarmed, actions);
            }
            return false;
        }
        let used = self.used();
        if used + needs.memory <= self.limits.memory_budget || self.instances.is_empty() {
            return true;
        }
        // Room comes back with `Gone`; what is on its way out already may be enough.
        let leaving: u64 =
            self.instances.values().filter(|i| i.life == Life::Stopping).map(|i| i.needs.memory).sum();
        if used - leaving + needs.memory > self.limits.memory_budget
            && let Some((slot, worth)) =
                self.least_worth_idle().or_else(|| self.kept_in_the_way_of(needs))
        {
            self.keep_alive.evicted(worth);
            self.stop(slot, actions);
        }
        false
    }

    /// Returns the function that an instance makes room for instead of running on: it is starved of memory, and has waited
    /// for longer than the instance's own. One with several places may never be idle, also while none of its own wait.
    pub(super) fn starving_beside(&self, instance: &Instance, now: Instant) -> Option<FunctionId> {
        let own = self.lines.get(&instance.key).and_then(Line::since);
        let own = own.or((instance.running > 0).then_some(now))?;
        let must_stay = self.must_stay(instance);
        // An idle one goes first, and what is on its way out already may be enough.
        let (may_go, is_any_idle) = (self.least_worth_idle().is_some(), self.idle().next().is_some());
        let makes_room = |needs: Needs| match self.is_large(needs) {
            true => !is_any_idle,
            false => !must_stay && !may_go,
        };
        let staying = self.instances.values().filter(|i| i.life != Life::Stopping && !i.retired);
        let used: u64 = staying.map(|i| i.needs.memory).sum();
        let starving = self.lines.iter().filter(|(key, line)| {
            key.function != instance.key.function
                && line.since() < Some(own)
                && makes_room(line.needs)
                && self.starves(**key, line, used, now)
        });
        starving.min_by_key(|(_, line)| line.since()).map(|(key, _)| key.function)
    }

    /// Returns the time until which nothing is prewarmed, for the sake of starts for invocations.
    pub(super) fn busy_until(&self) -> Option<Instant> {
        let starting = self.instances.values().filter(|i| i.life == Life::Starting && !i.prewarmed);
        starting.map(|i| i.begun + START_COMES_FIRST).max()
    }

    pub(super) fn starting(&self, key: Key) -> usize {
        self.count(|i| i.key == key && i.life == Life::Starting)
    }
}

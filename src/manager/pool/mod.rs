//! The warm pool: which instance runs what, which are started, kept warm and stopped. Pure: a state
//! machine `(state, event, now) -> actions` without I/O; the manager's loop performs the actions.
//!
//! ```text
//!            Start                  Run           idle timeout, drain, evict, one that starves
//!  (none) ─────────▶ Starting ───▶ Busy ◀──────▶ Idle ─────────────────────────▶ Stopping ──▶ (none)
//!                       │           │   all finished                                ▲
//!                       └───────────┴───────────────────────────────────────────────┘
//!                        start failed, guest unusable and all finished
//! ```
//!
//! An instance has places for one piece of work or for several (`places.rs`).
//! A start takes a prewarmed instance where one of its class is ready (`stock.rs`): `Take` in place of `Start`.
//! A deploy has a revision's code loaded once in an instance that never runs anything (`checks.rs`).
//! Instances with an old value of a secret are replaced, and where secrets cannot be read all is left to others (`renewal.rs`).
//!
//! Invariants, checked by the property tests:
//! - a piece of work is run at most once, and is run or rejected exactly once;
//! - an instance runs no more pieces of work at a time than it has places, of its own revision;
//! - no more instances of a function than its `max_instances` (but for outdated ones), no more simultaneous starts than
//!   `max_starts` (one counts until its sandbox is made, a prewarmed one not at all), no more memory than the budget (unless
//!   a single instance is larger than all of it; and but for prewarmed ones and checks on their way out);
//! - nothing waits while an instance of its revision has a free place;
//! - an outdated instance runs nothing that has arrived since it became outdated;
//! - an idle instance is stopped at its own timeout (`keep_alive.rs` says when), not before, unless it has
//!   to make room; but for those of a function that is kept (`minimum.rs`).

mod checks;
mod events;
mod keep_alive;
mod line;
mod minimum;
mod places;
mod renewal;
mod starts;
mod stock;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

use checks::{Checks, Room};
pub use events::{Action, CheckId, Class, Event, Key, Needs, Rejection, Skipped, Slot, WorkId};
use keep_alive::{KeepAlive, Kept};
use line::{Line, Waiting};
use minimum::Minimums;
use starts::Starts;
pub use stock::Stock;

use crate::{
    model::{FunctionId, Mode, RevisionNumber, Start},
    settings::KeepAlivePolicy,
};

/// Bounds over all functions.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_starts: usize,
    pub memory_budget: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Starting,
    Idle { until: Instant },
    Busy,
    Stopping,
}

#[derive(Clone, Copy, Debug)]
struct Instance {
    key: Key,
    needs: Needs,
    life: Life,
    /// When its start was decided.
    begun: Instant,
    /// Grows with every use: the largest is the most recent.
    used: u64,
    /// Worth of an idle one: the least goes first, see [`Kept::worth`].
    worth: f64,
    /// Its revision is no longer active: it goes as soon as it is idle.
    drained: bool,
    /// The number of pieces of work that it runs; at least one while it is busy.
    running: u32,
    /// It is given nothing more, whatever happens, and goes when all that it runs is over. One that starts is given what had
    /// waited when it became so.
    retired: bool,
    /// It has an old value of a secret, since this many pieces of work had arrived: it is retired, and runs nothing that
    /// came later.
    outdated: Option<u64>,
    /// It was prewarmed before it was this revision's.
    prewarmed: bool,
    /// Its sandbox is made, and what it still does is to load its function's code.
    is_made: bool,
}

impl Instance {
    /// Counts among the simultaneous starts.
    fn is_being_made(&self) -> bool {
        self.life == Life::Starting && !self.is_made
    }
}

#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    keep_alive: KeepAlive,
    instances: BTreeMap<Slot, Instance>,
    stock: Stock,
    checks: Checks,
    lines: BTreeMap<Key, Line>,
    active: HashMap<FunctionId, Option<RevisionNumber>>,
    /// Functions of which no instance can be started here.
    left_to_others: HashSet<FunctionId>,
    draining: bool,
    next_slot: u64,
    /// The number of pieces of work that were let wait or run.
    arrivals: u64,
    uses: u64,
    starts: Starts,
    minimums: Minimums,
}

impl Pool {
    /// One that prewarms nothing.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            keep_alive: KeepAlive::new(KeepAlivePolicy::Fixed),
            instances: BTreeMap::new(),
            stock: Stock::default(),
            checks: Checks::default(),
            lines: BTreeMap::new(),
            active: HashMap::new(),
            left_to_others: HashSet::new(),
            draining: false,
            next_slot: 0,
            arrivals: 0,
            uses: 0,
            starts: Starts::default(),
            minimums: Minimums::new(limits.memory_budget / 2),
        }
    }

    /// With another policy than `fixed`.
    pub fn keeping(self, policy: KeepAlivePolicy) -> Self {
        Self { keep_alive: KeepAlive::new(policy), ..self }
    }

    /// With this stock of prewarmed instances; said before the first event.
    pub fn prewarming(self, stock: Stock) -> Self {
        Self { stock, ..self }
    }

    /// Applies one event. Events about an unknown slot change nothing.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.takes_place_beside_others(event) {
            self.keep_alive.observe(event, now);
        }
        if !self.minimums.is_empty() {
            let of = event.slot().and_then(|slot| self.instances.get(&slot));
            self.minimums.observe(event, of, now);
        }
        match event {
            _ if self.stock.handle(event, now, &mut actions) => {}
            _ if self.checks.handle(event, now, &mut self.stock) => {}
            Event::Arrived { work, key, needs, mode, deadline } => {
                if deadline.is_some_and(|deadline| deadline <= now) {
                    // Its caller has been told already that it was not run.
                    actions.push(Action::Reject { work, why: Rejection::Expired });
                } else {
                    let waiting = Waiting { work, deadline, since: now, number: self.arrivals };
                    self.arrive(waiting, key, needs, mode, &mut actions);
                }
            }
            Event::Started { slot } => self.ready(slot, true, now, &mut actions),
            Event::Finished { slot, usable } => self.finished(slot, usable, now, &mut actions),
            Event::Made { slot } => self.update(slot, |instance, _| instance.is_made = true),
            Event::StartFailed { slot, by_host } => {
                self.start_failed(slot, by_host, now, &mut actions);
            }
            Event::CannotStartHere { slot } => self.cannot_start_here(slot, &mut actions),
            Event::Ended { slot } => self.ended(slot, now, &mut actions),
            Event::Gone { slot } => {
                self.instances.remove(&slot);
            }
            Event::Active { function, revision } => self.activate(function, revision, &mut actions),
            Event::Keep { key, needs } => {
                self.left_to_others.remove(&key.function);
                self.minimums.keep(key, needs);
            }
            Event::Outdated { slot } => self.replace(slot, &mut actions),
            Event::SecretsChanged { function } => self.secrets_changed(function),
            Event::LeaveToOthers { function } => self.leave_to_others(function, &mut actions),
            Event::Stalled { function } => self.give_background_back(function, &mut actions),
            Event::ImageMade => self.stock.retry(),
            Event::Usual { class, memory } => self.stock.want(class, memory),
            // A check's.
            Event::CheckWanted { .. } => {}
            Event::Tick => self.expire(now, &mut actions),
            Event::Drain => self.drain(&mut actions),
        }
        self.start_where_wanted(now, &mut actions);
        self.start_what_is_kept(now, &mut actions);
        self.check_where_wanted(now, &mut actions);
        self.keep_alive.acted(&actions, now);
        if !self.draining {
            let (free, busy_until) = (self.free(), self.busy_until());
            self.stock.fill(free, busy_until, &mut self.next_slot, now, &mut actions);
        }
        actions
    }

    /// When [`Event::Tick`] is due; none when nothing is timed.
    pub fn next_deadline(&self) -> Option<Instant> {
        let idle = self.instances.values().filter_map(|instance| match instance.life {
            Life::Idle { until } => Some(until),
            _ => None,
        });
        let waiting = self.lines.iter().flat_map(|(key, line)| {
            // They are the first who get the places that are coming.
            line.sync.iter().skip(self.coming_places(*key)).filter_map(|waiting| waiting.deadline)
        });
        let stock = self.stock.next_deadline().filter(|_| !self.draining);
        idle.chain(waiting)
            .chain(stock)
            .chain(self.checks.next_deadline())
            .chain(self.end_of_pauses())
            .chain(self.end_of_pause_of_a_kept_one())
            .min()
    }

    /// When an instance is stopped unless it is used; none for one that is not idle.
    pub fn idle_until(&self, slot: Slot) -> Option<Instant> {
        match self.instances.get(&slot)?.life {
            Life::Idle { until } => Some(until),
            _ => None,
        }
    }

    /// Returns whether a revision's `min_instances` are known.
    pub fn keeps(&self, key: Key) -> bool {
        self.minimums.keeps(key)
    }

    /// Returns the number of a revision's instances that are kept: all of its `min_instances`, if there is memory.
    pub fn kept(&self, key: Key) -> usize {
        self.minimums.count(key)
    }

    /// Returns whether nothing is left: no instance in any state, nothing waiting.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
            && self.stock.is_empty()
            && self.checks.is_empty()
            && self.lines.values().all(|line| line.len() == 0)
    }

    fn arrive(
        &mut self,
        waiting: Waiting,
        key: Key,
        needs: Needs,
        mode: Mode,
        actions: &mut Vec<Action>,
    ) {
        if self.draining || self.left_to_others.contains(&key.function) {
            actions.push(Action::Reject { work: waiting.work, why: Rejection::ToOthers });
            return;
        }
        self.arrivals += 1;
        if let Some(slot) = self.free_place(key) {
            self.run(slot, waiting.work, Start::Warm, actions);
            return;
        }
        let line = self.lines.entry(key).or_insert_with(|| Line::new(needs));
        match mode {
            Mode::Sync => line.sync.push_back(waiting),
            Mode::Async => line.background.push_back(waiting),
        }
    }

    /// An instance can run: the next pieces of work, or idling, or the end.
    fn ready(&mut self, slot: Slot, cold: bool, now: Instant, actions: &mut Vec<Action>) {
        let Some(instance) = self.instances.get(&slot).copied() else { return };
        let expected = if cold { Life::Starting } else { Life::Busy };
        if instance.life != expected {
            return;
        }
        if cold {
            self.starts.succeeded(instance.key.function);
        }
        if cold
            && instance.prewarmed
            && let Some(class) = instance.needs.class
        {
            self.stock.proved(class);
        }
        if !cold && let Some(starving) = self.starving_beside(&instance, now) {
            self.starts.goes_first(starving);
            self.retire(slot, actions);
            return;
        }
        let pop = |line: &mut Line| if cold { line.pop_cold(instance.outdated) } else { line.pop() };
        // Also of a retired one: those who waited when it was retired have waited for it.
        let mut free = if cold { instance.needs.places() } else { instance.free_places() };
        while free > 0
            && let Some(waiting) = self.lines.get_mut(&instance.key).and_then(pop)
        {
            // Who has been waiting for this very start gets it, however long it took.
            if !cold && waiting.deadline.is_some_and(|deadline| deadline <= now) {
                actions.push(Action::Reject { work: waiting.work, why: Rejection::Expired });
                continue;
            }
            let start = if cold { Start::Cold } else { Start::Warm };
            self.run(slot, waiting.work, start, actions);
            free -= 1;
        }
        if self.instances.get(&slot).is_some_and(|instance| instance.running > 0) {
            return;
        }
        if instance.drained || instance.retired || self.draining {
            self.stop(slot, actions);
            return;
        }
        self.uses += 1;
        let Kept { time, worth } = self.keep_alive.idles(instance.key.function, &instance.needs, now);
        let until = now + time;
        self.update(slot, |instance, uses| {
            instance.life = Life::Idle { until };
            instance.used = uses;
            instance.worth = worth;
        });
    }

    fn run(&mut self, slot: Slot, work: WorkId, start: Start, actions: &mut Vec<Action>) {
        self.uses += 1;
        self.update(slot, |instance, uses| {
            instance.life = Life::Busy;
            instance.running += 1;
            instance.used = uses;
        });
        actions.push(Action::Run { slot, work, start });
    }

    fn ended(&mut self, slot: Slot, now: Instant, actions: &mut Vec<Action>) {
        if let Some(Instance { prewarmed: true, life: Life::Starting, needs, .. }) =
            self.instances.get(&slot)
            && let Some(class) = needs.class
        {
            self.stock.failed(class, now);
        }
        self.stop(slot, actions);
    }

    fn stop(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        if let Some(instance) = self.instances.get_mut(&slot)
            && instance.life != Life::Stopping
        {
            instance.life = Life::Stopping;
            actions.push(Action::Stop { slot });
        }
    }

    fn activate(
        &mut self,
        function: FunctionId,
        revision: Option<RevisionNumber>,
        actions: &mut Vec<Action>,
    ) {
        self.active.insert(function, revision);
        self.left_to_others.remove(&function);
        if revision.is_none_or(|revision| !self.minimums.keeps(Key { function, revision })) {
            self.minimums.forget(function);
        }
        let mut idle = Vec::new();
        for (slot, instance) in &mut self.instances {
            if instance.key.function == function {
                instance.drained = revision != Some(instance.key.revision);
                if instance.drained && matches!(instance.life, Life::Idle { .. }) {
                    idle.push(*slot);
                }
            }
        }
        for slot in idle {
            self.stop(slot, actions);
        }
        self.outdate(function, revision, actions);
        if revision.is_none() {
            self.active.remove(&function);
        }
    }

    /// A caller waits for the code that it called. Background work is for the revision that is active when it begins;
    /// and nothing begins of a function that is gone.
    fn outdate(
        &mut self,
        function: FunctionId,
        active: Option<RevisionNumber>,
        actions: &mut Vec<Action>,
    ) {
        let lines = self.lines.iter_mut().filter(|(key, _)| key.function == function);
        for (key, line) in lines {
            let is_gone = active.is_none();
            if is_gone {
                let deleted = |one: Waiting| Action::Reject { work: one.work, why: Rejection::Deleted };
                actions.extend(line.sync.drain(..).map(deleted));
                actions.extend(line.background.drain(..).map(deleted));
            } else if active != Some(key.revision) {
                let outdated =
                    |one: Waiting| Action::Reject { work: one.work, why: Rejection::Outdated };
                actions.extend(line.background.drain(..).map(outdated));
            }
        }
    }

    fn give_background_back(&mut self, function: FunctionId, actions: &mut Vec<Action>) {
        for (_, line) in self.lines.iter_mut().filter(|(key, _)| key.function == function) {
            let left = |one: Waiting| Action::Reject { work: one.work, why: Rejection::ToOthers };
            actions.extend(line.background.drain(..).map(left));
        }
    }

    fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.starts.end_pauses(now);
        let idle: Vec<Slot> = self
            .instances
            .iter()
            .filter(|(_, instance)| matches!(instance.life, Life::Idle { until } if until <= now))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in idle {
            match self.instances.get(&slot) {
                Some(instance) if self.must_stay(instance) => self.keep_on(slot, now),
                _ => self.stop(slot, actions),
            }
        }
        let starts: Vec<usize> = self.lines.keys().map(|key| self.coming_places(*key)).collect();
        for (line, mut starts) in self.lines.values_mut().zip(starts) {
            for queue in [&mut line.sync, &mut line.background] {
                queue.retain(|waiting| {
                    // The first ones have a start that is theirs.
                    let is_started = starts > 0;
                    starts = starts.saturating_sub(1);
                    let expired = waiting.deadline.is_some_and(|deadline| deadline <= now);
                    if expired && !is_started {
                        actions.push(Action::Reject { work: waiting.work, why: Rejection::Expired });
                    }
                    !expired || is_started
                });
            }
        }
    }

    fn drain(&mut self, actions: &mut Vec<Action>) {
        self.draining = true;
        for line in self.lines.values_mut() {
            while let Some(waiting) = line.pop() {
                actions.push(Action::Reject { work: waiting.work, why: Rejection::ToOthers });
            }
        }
        let idle: Vec<Slot> = self
            .instances
            .iter()
            .filter(|(_, instance)| matches!(instance.life, Life::Idle { .. }))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in idle {
            self.stop(slot, actions);
        }
        self.stock.stop_all(actions);
        self.checks.drain(actions);
    }

    /// After the starts for invocations, with what they leave.
    fn check_where_wanted(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.checks.is_empty() {
            return;
        }
        if self.draining {
            return self.checks.drain(actions);
        }
        let used = (!self.instances.is_empty()).then(|| self.used());
        let starts = self.count(Instance::is_being_made);
        let starts = self.limits.max_starts.saturating_sub(starts);
        let room = Room { budget: self.limits.memory_budget, used, starts };
        self.checks.proceed(room, &mut self.stock, &mut self.next_slot, now, actions);
    }

    /// By instances of functions.
    fn used(&self) -> u64 {
        self.instances.values().map(|i| i.needs.memory).sum()
    }

    /// For prewarmed ones.
    fn free(&self) -> u64 {
        self.limits.memory_budget.saturating_sub(self.used() + self.checks.memory())
    }

    #[cfg(test)]
    pub(super) fn stock(&self) -> &Stock {
        &self.stock
    }

    /// Under `fixed` all are worth the same: the least recently used one. Those that are kept stay.
    fn least_worth_idle(&self) -> Option<(Slot, f64)> {
        let order = |a: &Instance, b: &Instance| a.worth.total_cmp(&b.worth).then(a.used.cmp(&b.used));
        let may_go = self.idle().filter(|(_, instance)| !self.must_stay(instance));
        may_go.min_by(|(_, a), (_, b)| order(a, b)).map(|(slot, i)| (*slot, i.worth))
    }

    fn idle(&self) -> impl Iterator<Item = (&Slot, &Instance)> {
        self.instances.iter().filter(|(_, i)| matches!(i.life, Life::Idle { .. }))
    }

    fn count(&self, wanted: impl Fn(&Instance) -> bool) -> usize {
        self.instances.values().filter(|i| wanted(i)).count()
    }

    fn update(&mut self, slot: Slot, change: impl FnOnce(&mut Instance, u64)) {
        let uses = self.uses;
        if let Some(instance) = self.instances.get_mut(&slot) {
            change(instance, uses);
        }
    }
}

#[cfg(test)]
mod minimum_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod renewal_tests;
#[cfg(test)]
mod tests;

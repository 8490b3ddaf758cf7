//! Prewarmed instances in the pool: sandboxes of a class, started, their guests connected, no function in
//! them yet. Pure, a part of [`Pool`](super::Pool).
//!
//! ```text
//!            Prewarm              Take
//!  (none) ──────────▶ Making ─▶ Ready ─────▶ an instance of the pool, Starting
//!                        │        │ died, not wanted any more, its memory is wanted
//!                        └────────┴───────▶ Stopping ──▶ (none)
//! ```
//!
//! What is kept ready is a plan, made anew after each event: one of each usual class, then one of each
//! class that had a cold start lately, then a second one of those that had two, and the rest of the memory
//! for the usual classes in turns. Invariants, checked by the pool's property tests:
//! - a prewarmed instance is given away at most once, and only while it is ready;
//! - they never have more memory than their budget, nor what a function's instances need: a start is never
//!   refused, and never waits, for the sake of a prewarmed one;
//! - one is made at a time, and none is begun in the first second of a start for an invocation that found none.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::events::{Action, Class, Event, Slot};

/// A cold start counts as demand for its class for this long.
const DEMAND: Duration = Duration::from_secs(10 * 60);
/// Ready instances of a class that is not a usual one.
const MOST_OF_A_CLASS: usize = 2;
/// Between a start for an invocation and a refill: making a sandbox takes the cores that the invocation
/// wants now.
const REFILL_PAUSE: Duration = Duration::from_millis(100);
/// After a failure; doubled with each that follows.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(5 * 60);
/// One that was ready for this long did not end because of how it was made.
const STEADY: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Making,
    Ready { since: Instant },
    Stopping,
}

#[derive(Clone, Copy, Debug)]
struct Prewarmed {
    class: Class,
    memory: u64,
    life: Life,
}

/// Facts about a class.
#[derive(Debug)]
struct Known {
    /// Memory of one instance, in bytes.
    memory: u64,
    /// When its last cold starts were, the newest last; at most [`MOST_OF_A_CLASS`].
    cold_starts: VecDeque<Instant>,
    /// After a failure, until then none is made.
    not_before: Option<Instant>,
    /// The next pause.
    retry: Duration,
}

impl Known {
    fn new(memory: u64) -> Self {
        Self { memory, cold_starts: VecDeque::new(), not_before: None, retry: FIRST_RETRY }
    }
}

/// All prewarmed instances. The default has none, ever.
#[derive(Debug, Default)]
pub struct Stock {
    budget: u64,
    /// Always wanted, the most wanted first.
    usual: Vec<Class>,
    classes: BTreeMap<Class, Known>,
    instances: BTreeMap<Slot, Prewarmed>,
    quiet_until: Option<Instant>,
    /// The last look at all this, for as long as nothing has changed: most events are none of its business.
    seen: Option<Seen>,
}

/// The input of [`Stock::fill`], and when it is due although it is told the same.
#[derive(Clone, Copy, Debug)]
struct Seen {
    free: u64,
    busy_until: Option<Instant>,
    due: Option<Instant>,
}

impl Stock {
    /// Makes a stock. `budget` is the memory of all of them together, in bytes; `usual` lists the classes that are
    /// always wanted, each with the memory of one of its instances.
    pub fn new(budget: u64, usual: &[(Class, u64)]) -> Self {
        let classes = usual.iter().map(|(class, memory)| (*class, Known::new(*memory))).collect();
        let usual = usual.iter().map(|(class, _)| *class).collect();
        Self { budget, usual, classes, ..Self::default() }
    }

    /// Adds a class to those that are always wanted.
    pub fn want(&mut self, class: Class, memory: u64) {
        if self.budget == 0 || self.usual.contains(&class) {
            return;
        }
        self.seen = None;
        self.usual.push(class);
        self.classes.entry(class).or_insert_with(|| Known::new(memory));
    }

    /// Returns whether the event was about one of these; then it has been dealt with.
    pub fn handle(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) -> bool {
        let (Event::Started { slot }
        | Event::StartFailed { slot, .. }
        | Event::Ended { slot }
        | Event::Gone { slot }) = event
        else {
            return false;
        };
        let Some(instance) = self.instances.get_mut(&slot) else { return false };
        let (class, life) = (instance.class, instance.life);
        self.seen = None;
        match event {
            Event::Started { .. } if life == Life::Making => instance.life = Life::Ready { since: now },
            Event::StartFailed { .. } => {
                self.instances.remove(&slot);
                // One that was told to stop has not failed.
                if life == Life::Making {
                    self.failed(class, now);
                }
            }
            Event::Ended { .. } => {
                if let Life::Ready { since } = life {
                    if now.saturating_duration_since(since) >= STEADY {
                        self.reset(class);
                    }
                    self.failed(class, now);
                }
                self.stop(slot, actions);
            }
            Event::Gone { .. } => {
                self.instances.remove(&slot);
            }
            _ => {}
        }
        true
    }

    /// One that can be given away; the oldest, which has proved itself the longest.
    pub fn ready(&self, class: Option<Class>) -> Option<Slot> {
        let is_ready = |of: &Prewarmed| Some(of.class) == class && matches!(of.life, Life::Ready { .. });
        self.instances.iter().find(|(_, instance)| is_ready(instance)).map(|(slot, _)| *slot)
    }

    /// It is a function's instance from now on.
    pub fn take(&mut self, slot: Slot) {
        self.seen = None;
        self.instances.remove(&slot);
    }

    /// An invocation's instance is being started, prewarmed or not.
    pub fn cold_start(&mut self, class: Option<Class>, memory: u64, now: Instant) {
        if self.budget == 0 {
            return;
        }
        self.pause(now);
        let Some(class) = class.filter(|class| !self.usual.contains(class)) else { return };
        let known = self.classes.entry(class).or_insert_with(|| Known::new(memory));
        known.cold_starts.push_back(now);
        if known.cold_starts.len() > MOST_OF_A_CLASS {
            known.cold_starts.pop_front();
        }
    }

    /// None is made for a moment: somebody wants the cores now.
    pub fn pause(&mut self, now: Instant) {
        self.seen = None;
        if self.quiet_until.is_none_or(|until| until <= now) {
            self.quiet_until = Some(now + REFILL_PAUSE);
        }
    }

    /// One could not be made, or was found dead: the next one of its class has to wait.
    pub fn failed(&mut self, class: Class, now: Instant) {
        self.seen = None;
        if let Some(known) = self.classes.get_mut(&class) {
            known.not_before = Some(now + known.retry);
            known.retry = (known.retry * 2).min(LAST_RETRY);
        }
    }

    /// Forgets failures: what could not be made may be possible now: a new image is there.
    pub fn retry(&mut self) {
        self.seen = None;
        let classes: Vec<Class> = self.classes.keys().copied().collect();
        for class in classes {
            self.reset(class);
        }
    }

    /// One was taken and has loaded a function's code: the next failure is a first one again.
    pub fn proved(&mut self, class: Class) {
        if let Some(known) = self.classes.get_mut(&class) {
            known.retry = FIRST_RETRY;
        }
    }

    fn reset(&mut self, class: Class) {
        if let Some(known) = self.classes.get_mut(&class) {
            (known.not_before, known.retry) = (None, FIRST_RETRY);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    pub fn stop_all(&mut self, actions: &mut Vec<Action>) {
        let all: Vec<Slot> = self.instances.keys().copied().collect();
        for slot in all {
            self.stop(slot, actions);
        }
    }

    /// Stops what the plan has no place for, and begins one that it lacks. `free` is the memory that no
    /// function's instance has; none is begun before `busy_until`.
    pub fn fill(
        &mut self,
        free: u64,
        busy_until: Option<Instant>,
        next_slot: &mut u64,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let is_same = |seen: &Seen| (seen.free, seen.busy_until) == (free, busy_until);
        if self.seen.filter(is_same).is_some_and(|seen| seen.due.is_none_or(|due| due > now)) {
            return;
        }
        self.forget_old_demand(now);
        self.make_changes(free, busy_until, next_slot, now, actions);
        self.seen = Some(Seen { free, busy_until, due: self.due(free, busy_until) });
    }

    /// When [`Stock::fill`] would do something although nothing has happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.seen.and_then(|seen| seen.due)
    }

    fn make_changes(
        &mut self,
        free: u64,
        busy_until: Option<Instant>,
        next_slot: &mut u64,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let (missing, surplus) = self.compare(free);
        for slot in surplus {
            self.stop(slot, actions);
        }
        if self.is_making() || busy_until.max(self.quiet_until).is_some_and(|until| until > now) {
            return;
        }
        let ripe = |class: &&Class| self.classes[class].not_before.is_none_or(|moment| moment <= now);
        let next = missing.iter().filter(ripe).find(|class| self.fits(**class, free)).copied();
        if let Some(class) = next {
            let slot = Slot(*next_slot);
            *next_slot += 1;
            let memory = self.classes[&class].memory;
            self.instances.insert(slot, Prewarmed { class, memory, life: Life::Making });
            self.quiet_until = None;
            actions.push(Action::Prewarm { slot, class });
        }
    }

    fn due(&self, free: u64, busy_until: Option<Instant>) -> Option<Instant> {
        let forgotten = self.demanded().filter_map(|(_, known)| known.cold_starts.front());
        let forgotten = forgotten.map(|at| *at + DEMAND).min();
        if self.is_making() {
            return forgotten;
        }
        // What does not fit yet is looked at again when something is gone.
        let (missing, _) = self.compare(free);
        let begun = missing.iter().filter(|class| self.fits(**class, free));
        let pause = busy_until.max(self.quiet_until);
        let begun = begun.filter_map(|class| self.classes[class].not_before.max(pause)).min();
        forgotten.into_iter().chain(begun).min()
    }

    fn stop(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        if let Some(instance) = self.instances.get_mut(&slot)
            && instance.life != Life::Stopping
        {
            instance.life = Life::Stopping;
            actions.push(Action::Stop { slot });
        }
    }

    fn forget_old_demand(&mut self, now: Instant) {
        let usual = &self.usual;
        self.classes.retain(|class, known| {
            known.cold_starts.retain(|at| *at + DEMAND > now);
            usual.contains(class) || !known.cold_starts.is_empty()
        });
    }

    /// Classes in the order in which they should be made, and instances that should go.
    fn compare(&self, free: u64) -> (Vec<Class>, Vec<Slot>) {
        let mut surplus: Vec<(Slot, Class)> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.life != Life::Stopping)
            .map(|(slot, instance)| (*slot, instance.class))
            .collect();
        let mut missing = Vec::new();
        for class in self.plan(self.budget.min(free)) {
            match surplus.iter().position(|(_, of)| *of == class) {
                Some(place) => drop(surplus.remove(place)),
                None => missing.push(class),
            }
        }
        (missing, surplus.into_iter().map(|(slot, _)| slot).collect())
    }

    /// Classes that should be ready within this much memory, the most wanted first.
    fn plan(&self, mut room: u64) -> Vec<Class> {
        let mut plan = Vec::new();
        let mut add = |class: Class| {
            let fits = self.classes[&class].memory.max(1) <= room;
            if fits {
                room -= self.classes[&class].memory.max(1);
                plan.push(class);
            }
            fits
        };
        for class in &self.usual {
            add(*class);
        }
        let mut demanded: Vec<_> = self.demanded().collect();
        demanded.sort_by_key(|(_, known)| std::cmp::Reverse(known.cold_starts.back()));
        for count in 1..=MOST_OF_A_CLASS {
            for (class, _) in demanded.iter().filter(|(_, known)| known.cold_starts.len() >= count) {
                add(*class);
            }
        }
        // Until none of them fits any more.
        // Counted, since each of them is tried in every turn.
        while self.usual.iter().filter(|class| add(**class)).count() > 0 {}
        plan
    }

    fn demanded(&self) -> impl Iterator<Item = (Class, &Known)> {
        let classes = self.classes.iter().map(|(class, known)| (*class, known));
        classes.filter(|(class, _)| !self.usual.contains(class))
    }

    /// Also with those that are not gone yet.
    fn fits(&self, class: Class, free: u64) -> bool {
        let used: u64 = self.instances.values().map(|instance| instance.memory).sum();
        used + self.classes[&class].memory <= self.budget.min(free)
    }

    fn is_making(&self) -> bool {
        self.instances.values().any(|instance| instance.life == Life::Making)
    }
}

#[cfg(test)]
#[path = "stock_tests.rs"]
mod tests;

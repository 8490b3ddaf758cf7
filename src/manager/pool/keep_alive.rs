//! How long an idle instance is kept, and which one goes when memory is short. Pure: the pool tells it
//! what happens and when.
//!
//! `fixed`: the revision's `idle_timeout`, and the least recently used goes first.
//!
//! `adaptive` learns from each function's *spells*: how long its instances stood idle before they were
//! wanted again. Two rules, both simplified from the papers that they come from:
//!
//! - **Keep** (the histogram of "Serverless in the Wild", Shahrad et al., ATC 2020): of the spells that
//!   outlast `idle_timeout`, an instance is kept long enough for nine in ten, at most [`LONGEST`]. Until
//!   [`ENOUGH`] of them are known, and where most are longer than `LONGEST`, it is `idle_timeout`.
//! - **Evict** (greedy-dual, as in "FaasCache", Fuerst and Sharma, ASPLOS 2021): the instance that is
//!   worth least goes, where `worth = floor + recent uses × seconds of a start / MiB`, taken when it goes
//!   idle, and the floor is the worth of the last one that went. So what is used often, starts slowly or
//!   is small stays longer, but nothing stays for ever by its past. Unlike there, uses are counted for
//!   each place in the function's stack of idle instances, not for the function: those that only a burst
//!   needed are worth little beside the one that is always used (the replay shows what that gains).
//!
//! `idle_timeout` is therefore the least time in both: memory that nobody wants is never saved by
//! stopping an instance sooner, and memory that somebody wants is the eviction's business. A revision
//! with `idle_timeout = "0s"` is never kept.
//!
//! A spell also ends for an instance that is gone by then: the pool reuses the one that went idle last, so
//! a stack of the moments at which they did tells how long it *would* have stood. This is how a function
//! whose every start is cold can be seen to be a periodic one.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::events::{Action, Event, Needs, Slot};
use crate::{model::FunctionId, settings::KeepAlivePolicy};

/// No instance is kept for longer, unless its `idle_timeout` says so.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// Idle times are counted in steps of √2 from here on, so that one is overestimated by at most 41 %.
const SHORTEST: Duration = Duration::from_secs(1);
/// `SHORTEST × √2^BINS` is above `LONGEST`.
const BINS: usize = 24;
/// The share of the known spells that would have found the instance.
const SHARE: f64 = 0.9;
/// The weight of a spell against the one after it: the last ten count, in effect.
const FADE: f64 = 0.9;
/// The weight of three spells: what is known of less is an accident.
const ENOUGH: f64 = 1.0 + FADE + FADE * FADE - 1e-9;
/// A use counts half after this long. Any time from ten minutes to hours does about as well in the replay.
const USES_HALF_LIFE: Duration = LONGEST;
const MIB: f64 = 1024.0 * 1024.0;

/// The decision when an instance goes idle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// It is stopped after this long.
    pub time: Duration,
    /// The least goes first when memory is short; among equals the least recently used.
    pub worth: f64,
}

#[derive(Debug)]
pub struct KeepAlive {
    policy: KeepAlivePolicy,
    habits: HashMap<FunctionId, Habits>,
    starts: HashMap<Slot, Begun>,
    floor: f64,
}

/// A start that is not done.
#[derive(Clone, Copy, Debug)]
struct Begun {
    function: FunctionId,
    at: Instant,
    takes_prewarmed: bool,
}

/// Habits of a function, whatever its revision. Their size is bounded.
#[derive(Debug, Default)]
struct Habits {
    /// When its instances went idle, also those that are gone by now; the last one is wanted first.
    idle_since: VecDeque<Instant>,
    long_idle_times: IdleTimes,
    /// For each place in that stack, from the bottom: how often it was wanted, and when for the last time.
    uses: Vec<(f64, Instant)>,
    start_seconds: f64,
}

/// Weights of spells by their length.
#[derive(Debug, Default)]
struct IdleTimes {
    bins: [f64; BINS],
    /// Longer than [`LONGEST`].
    beyond: f64,
}

impl KeepAlive {
    pub fn new(policy: KeepAlivePolicy) -> Self {
        Self { policy, habits: HashMap::new(), starts: HashMap::new(), floor: 0.0 }
    }

    /// Notes an event before the pool handles it.
    pub fn observe(&mut self, event: Event, now: Instant) {
        if self.policy == KeepAlivePolicy::Fixed {
            return;
        }
        match event {
            Event::Arrived { key, needs, .. } => {
                self.habits.entry(key.function).or_default().wanted(&needs, now);
            }
            Event::Started { slot } => {
                // Of a function that was deleted meanwhile nothing is known any more.
                if let Some(begun) = self.starts.remove(&slot)
                    && let Some(habits) = self.habits.get_mut(&begun.function)
                {
                    let took = now.saturating_duration_since(begun.at).as_secs_f64();
                    habits.started(took, begun.takes_prewarmed);
                }
            }
            Event::StartFailed { slot, .. }
            | Event::CannotStartHere { slot }
            | Event::Ended { slot }
            | Event::Gone { slot } => {
                self.starts.remove(&slot);
            }
            Event::Active { function, revision: None } => {
                self.habits.remove(&function);
            }
            Event::Active { .. }
            | Event::Finished { .. }
            | Event::ImageMade
            | Event::Usual { .. }
            | Event::CheckWanted { .. }
            | Event::Tick
            | Event::Made { .. }
            | Event::Stalled { .. }
            | Event::Keep { .. }
            | Event::Outdated { .. }
            | Event::SecretsChanged { .. }
            | Event::LeaveToOthers { .. }
            | Event::Drain => {}
        }
    }

    /// Notes the starts among the pool's actions.
    pub fn acted(&mut self, actions: &[Action], now: Instant) {
        if self.policy == KeepAlivePolicy::Fixed {
            return;
        }
        for action in actions {
            let takes_prewarmed = matches!(action, Action::Take { .. });
            if let Action::Start { slot, key } | Action::Take { slot, key } = action {
                self.starts.insert(*slot, Begun { function: key.function, at: now, takes_prewarmed });
            }
        }
    }

    /// An instance goes idle.
    pub fn idles(&mut self, function: FunctionId, needs: &Needs, now: Instant) -> Kept {
        if self.policy == KeepAlivePolicy::Fixed {
            return Kept { time: needs.idle_timeout, worth: 0.0 };
        }
        let habits = self.habits.entry(function).or_default();
        let uses = habits.goes_idle(needs.max_instances as usize, now);
        let learned = habits.long_idle_times.keep().filter(|_| !needs.idle_timeout.is_zero());
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let mebibytes = (needs.memory as f64 / MIB).max(1.0);
        let worth = self.floor + uses * habits.start_seconds / mebibytes;
        Kept { time: needs.idle_timeout.max(learned.unwrap_or_default()), worth }
    }

    /// An instance of this worth had to make room.
    pub fn evicted(&mut self, worth: f64) {
        self.floor = self.floor.max(worth);
    }
}

impl Habits {
    /// A start that takes a prewarmed instance tells of the function's code, but never that a start is
    /// quicker than was known: the next one may find none.
    fn started(&mut self, took: f64, takes_prewarmed: bool) {
        let known = self.start_seconds;
        let mean = if known == 0.0 { took } else { (known + took) / 2.0 };
        self.start_seconds = if takes_prewarmed { mean.max(known) } else { mean };
    }

    fn wanted(&mut self, needs: &Needs, now: Instant) {
        let since = self.idle_since.pop_back();
        let place = self.idle_since.len();
        if since.is_none() && self.uses.len() < needs.max_instances as usize {
            // More at once than ever before: a place below those that are known.
            self.uses.insert(0, (0.0, now));
        }
        if self.uses.len() <= place {
            self.uses.resize(place + 1, (0.0, now));
        }
        self.uses[place] = (1.0 + self.uses(place, now), now);
        if let Some(since) = since {
            let spell = now.saturating_duration_since(since);
            // A shorter one finds its instance anyway.
            if spell > needs.idle_timeout {
                self.long_idle_times.add(spell);
            }
        }
    }

    /// Answers with the recent uses of its place.
    fn goes_idle(&mut self, max_instances: usize, now: Instant) -> f64 {
        self.idle_since.push_back(now);
        // More than that cannot be wanted at once.
        while self.idle_since.len() > max_instances {
            self.idle_since.pop_front();
        }
        self.uses.truncate(max_instances);
        self.uses(self.idle_since.len().saturating_sub(1), now)
    }

    fn uses(&self, place: usize, now: Instant) -> f64 {
        let Some((uses, used_at)) = self.uses.get(place) else { return 0.0 };
        let half_lives =
            now.saturating_duration_since(*used_at).as_secs_f64() / USES_HALF_LIFE.as_secs_f64();
        uses * (-half_lives).exp2()
    }
}

impl IdleTimes {
    fn add(&mut self, spell: Duration) {
        for weight in self.bins.iter_mut().chain([&mut self.beyond]) {
            *weight *= FADE;
        }
        match (0..BINS).find(|bin| spell <= edge(*bin)) {
            Some(bin) => self.bins[bin] += 1.0,
            None => self.beyond += 1.0,
        }
    }

    /// Long enough for [`SHARE`] of those that can be waited for; none when that is not known, or when it
    /// mostly does not help.
    fn keep(&self) -> Option<Duration> {
        let within: f64 = self.bins.iter().sum();
        if within + self.beyond < ENOUGH || self.beyond > within {
            return None;
        }
        let mut found = 0.0;
        (0..BINS).find_map(|bin| {
            found += self.bins[bin];
            (found >= SHARE * within).then(|| edge(bin))
        })
    }
}

/// The longest spell of a bin.
fn edge(bin: usize) -> Duration {
    let steps = i32::try_from(bin).unwrap_or(i32::MAX);
    SHORTEST.mul_f64(std::f64::consts::SQRT_2.powi(steps + 1)).min(LONGEST)
}

#[cfg(test)]
#[path = "keep_alive_tests.rs"]
mod tests;

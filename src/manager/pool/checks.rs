//! Load checks in the pool: an instance that loads a new revision's code once, before that revision exists, and
//! is then removed. Pure, a part of [`Pool`](super::Pool).
//!
//! ```text
//!            Check, or TakeForCheck        loaded or not
//!  waiting ─────────────────────────▶ live ──────────────▶ (none)
//!     │ no room in time: Skip          │ its memory is wanted, a drain: Stop
//! ```
//!
//! Invariants, checked by the pool's property tests:
//! - a check is begun or skipped exactly once (but for one whose prewarmed instance was dead: that begins anew);
//! - it has memory that no function's instance has, and gives it back when one wants it: no start for an
//!   invocation is refused, nor waits, and no instance is evicted for the sake of a check;
//! - it takes a prewarmed instance only when no start of an invocation wants it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::{
    events::{Action, CheckId, Class, Event, Skipped, Slot},
    stock::Stock,
};

#[derive(Clone, Copy, Debug)]
struct Wanted {
    check: CheckId,
    class: Option<Class>,
    /// Memory of its instance, in bytes.
    memory: u64,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    wanted: Wanted,
    prewarmed: bool,
    stopping: bool,
}

/// The room that the pool has for checks at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub budget: u64,
    /// Memory of the functions' instances; none when there are no instances.
    pub used: Option<u64>,
    /// How many more sandboxes may be started now.
    pub starts: usize,
}

/// All checks. The default has none.
#[derive(Debug, Default)]
pub struct Checks {
    waiting: VecDeque<Wanted>,
    live: BTreeMap<Slot, Live>,
}

impl Checks {
    /// Returns whether the event was about one of these; then it has been dealt with.
    pub fn handle(&mut self, event: Event, now: Instant, stock: &mut Stock) -> bool {
        match event {
            Event::CheckWanted { check, class, memory, deadline } => {
                self.waiting.push_back(Wanted { check, class, memory, deadline });
                return true;
            }
            Event::Started { slot } => {
                let Some(live) = self.live.get(&slot) else { return false };
                if let (true, Some(class)) = (live.prewarmed, live.wanted.class) {
                    stock.proved(class);
                }
            }
            Event::Ended { slot } => {
                let Some(live) = self.live.get_mut(&slot) else { return false };
                if let (true, Some(class)) = (live.prewarmed, live.wanted.class) {
                    stock.failed(class, now);
                }
                if !std::mem::replace(&mut live.stopping, true) {
                    self.waiting.push_front(live.wanted);
                }
            }
            Event::Gone { slot } => return self.live.remove(&slot).is_some(),
            _ => return false,
        }
        true
    }

    /// Gives memory back that functions' instances want, begins what can begin, and skips what has waited for
    /// too long.
    pub fn proceed(
        &mut self,
        room: Room,
        stock: &mut Stock,
        next_slot: &mut u64,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.is_empty() {
            return;
        }
        self.make_way(room, actions);
        // One that does not fit holds up no other.
        for wanted in std::mem::take(&mut self.waiting) {
            let ready = stock.ready(wanted.class);
            match self.obstacle(wanted, room, ready.is_some()) {
                None => self.begin(wanted, ready, stock, next_slot, now, actions),
                Some(why) if wanted.deadline <= now => {
                    actions.push(Action::Skip { check: wanted.check, why });
                }
                Some(_) => self.waiting.push_back(wanted),
            }
        }
    }

    fn obstacle(&self, wanted: Wanted, room: Room, is_ready: bool) -> Option<Skipped> {
        let fits = match room.used {
            // A single one may be larger than the whole budget, as an invocation's may.
            None if self.live.is_empty() => true,
            used => used.unwrap_or(0) + self.memory() + wanted.memory <= room.budget,
        };
        if !fits {
            return Some(Skipped::NoMemory);
        }
        let ordinary = self.live.values().filter(|live| !live.prewarmed).count();
        (!is_ready && ordinary >= room.starts).then_some(Skipped::NoStart)
    }

    fn begin(
        &mut self,
        wanted: Wanted,
        ready: Option<Slot>,
        stock: &mut Stock,
        next_slot: &mut u64,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let (check, prewarmed) = (wanted.check, ready.is_some());
        let slot = match ready {
            Some(slot) => {
                stock.take(slot);
                stock.pause(now);
                actions.push(Action::TakeForCheck { slot, check });
                slot
            }
            None => {
                let slot = Slot(*next_slot);
                *next_slot += 1;
                actions.push(Action::Check { slot, check });
                slot
            }
        };
        self.live.insert(slot, Live { wanted, prewarmed, stopping: false });
    }

    /// The newest one has lost the least.
    fn make_way(&mut self, room: Room, actions: &mut Vec<Action>) {
        let Some(used) = room.used else { return };
        while used + self.staying().map(|live| live.wanted.memory).sum::<u64>() > room.budget {
            let Some((slot, live)) = self.live.iter_mut().rev().find(|(_, live)| !live.stopping) else {
                return;
            };
            live.stopping = true;
            actions.push(Action::Stop { slot: *slot });
        }
    }

    fn staying(&self) -> impl Iterator<Item = &Live> {
        self.live.values().filter(|live| !live.stopping)
    }

    /// The manager stops: nobody is to wait for a check.
    pub fn drain(&mut self, actions: &mut Vec<Action>) {
        for wanted in self.waiting.drain(..) {
            actions.push(Action::Skip { check: wanted.check, why: Skipped::Draining });
        }
        for (slot, live) in &mut self.live {
            if !std::mem::replace(&mut live.stopping, true) {
                actions.push(Action::Stop { slot: *slot });
            }
        }
    }

    /// Also of those on their way out.
    pub fn memory(&self) -> u64 {
        self.live.values().map(|live| live.wanted.memory).sum()
    }

    /// When the next one has waited for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|wanted| wanted.deadline).min()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.live.is_empty()
    }
}

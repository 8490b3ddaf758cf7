//! Places of instances: how many pieces of work one runs at the same time.
//!
//! One instance is filled before another one is started, since that is what several places are for; and of those that have
//! a free place, the fullest gets the next piece, so that the others may become idle. An instance that can no longer be
//! used after one of its runs (it overran its time, say) is *retired*: the others end in it, then it goes. It counts among
//! its function's instances until then, unless it is outdated (`renewal.rs`).

use std::time::Instant;

use super::{Action, Event, Instance, Key, Life, Line, Needs, Pool, Slot};

impl Needs {
    /// Returns the number of pieces of work that one instance runs at the same time.
    pub(super) fn places(&self) -> usize {
        self.concurrency.max(1) as usize
    }
}

impl Instance {
    /// Returns how many more pieces of work it can be given.
    pub(super) fn free_places(&self) -> usize {
        match self.retired {
            true => 0,
            false => self.needs.places().saturating_sub(self.running as usize),
        }
    }

    /// Returns whether it is busy and can be given more.
    fn has_place_beside_others(&self) -> bool {
        self.life == Life::Busy && self.free_places() > 0
    }
}

impl Pool {
    /// Returns an instance of a revision that has a free place: the fullest, and of several the most recent one.
    pub(super) fn free_place(&self, key: Key) -> Option<Slot> {
        let is_free = |i: &Instance| matches!(i.life, Life::Idle { .. }) || i.has_place_beside_others();
        let free = self.instances.iter().filter(|(_, i)| i.key == key && is_free(i));
        free.max_by_key(|(_, i)| (i.running, i.used)).map(|(slot, _)| *slot)
    }

    /// Returns the places of a revision's instances that are being started; of outdated ones those that will be taken.
    pub(super) fn coming_places(&self, key: Key) -> usize {
        let coming = self.instances.values().filter(|i| i.key == key && i.life == Life::Starting);
        let (mut places, mut outdated) = (0, Vec::new());
        for instance in coming {
            match instance.outdated {
                None => places += instance.needs.places(),
                Some(number) => outdated.push((number, instance.needs.places())),
            }
        }
        outdated.sort_unstable();
        let waiting = |number| self.lines.get(&key).map_or(0, |line| line.arrived_before(number));
        let taken = outdated.into_iter().fold(0, |taken, (number, places)| {
            taken + places.min(waiting(number).saturating_sub(taken))
        });
        places + taken
    }

    /// Returns whether this is work for an instance that is wanted anyway. What is learned about the instances of a function
    /// is learned from work that wants one more.
    pub(super) fn takes_place_beside_others(&self, event: Event) -> bool {
        let Event::Arrived { key, needs, .. } = event else { return false };
        needs.places() > 1
            && (self.instances.values().any(|i| i.key == key && i.has_place_beside_others())
                || !self.lines.get(&key).map_or(0, Line::len).is_multiple_of(needs.places()))
    }

    /// A run is over; the instance may have others.
    pub(super) fn finished(
        &mut self,
        slot: Slot,
        usable: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(instance) = self.instances.get_mut(&slot) else { return };
        if instance.life != Life::Busy {
            return;
        }
        instance.running = instance.running.saturating_sub(1);
        match usable && !instance.retired {
            true => self.ready(slot, false, now, actions),
            false => self.retire(slot, actions),
        }
    }

    /// Gives it nothing more, and stops it when all that it runs is over.
    pub(super) fn retire(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        let Some(instance) = self.instances.get_mut(&slot) else { return };
        instance.retired = true;
        if instance.running == 0 {
            self.stop(slot, actions);
        }
    }
}

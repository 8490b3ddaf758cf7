//! Work that waits for an instance.

use std::{collections::VecDeque, time::Instant};

use super::{Needs, WorkId};

/// While callers wait in a line, too, one of this many pieces of work taken from it is background work.
const BACKGROUND_EVERY: u32 = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) work: WorkId,
    /// None for background work.
    pub(super) deadline: Option<Instant>,
    pub(super) since: Instant,
    /// The number of pieces of work that had arrived before it.
    pub(super) number: u64,
}

impl Waiting {
    /// Returns whether it had arrived before this number; none stands for the end of all numbers.
    fn is_before(&self, number: Option<u64>) -> bool {
        number.is_none_or(|number| self.number < number)
    }
}

/// Waiting work of one revision: sync callers first, since somebody stands there, but not for ever.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) needs: Needs,
    pub(super) sync: VecDeque<Waiting>,
    pub(super) background: VecDeque<Waiting>,
    /// The number of pieces that were taken out.
    pops: u32,
}

impl Line {
    pub(super) fn new(needs: Needs) -> Self {
        Self { needs, sync: VecDeque::new(), background: VecDeque::new(), pops: 0 }
    }

    /// Returns the arrival of the one that has waited for longest.
    pub(super) fn since(&self) -> Option<Instant> {
        let first = |queue: &VecDeque<Waiting>| queue.front().map(|waiting| waiting.since);
        first(&self.sync).into_iter().chain(first(&self.background)).min()
    }

    pub(super) fn len(&self) -> usize {
        self.sync.len() + self.background.len()
    }

    /// Takes the next piece for an instance that was started for those who wait: callers count on it. An outdated one takes
    /// only what had arrived before this number.
    pub(super) fn pop_cold(&mut self, outdated: Option<u64>) -> Option<Waiting> {
        let may_take = |waiting: &mut Waiting| waiting.is_before(outdated);
        self.sync.pop_front_if(may_take).or_else(|| self.background.pop_front_if(may_take))
    }

    /// Returns how many wait that had arrived before this number.
    pub(super) fn arrived_before(&self, number: u64) -> usize {
        let waiting = self.sync.iter().chain(&self.background);
        waiting.filter(|waiting| waiting.is_before(Some(number))).count()
    }

    /// Takes the next piece for an instance that has run something.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.pops = self.pops.wrapping_add(1);
        match self.pops % BACKGROUND_EVERY {
            0 => self.background.pop_front().or_else(|| self.sync.pop_front()),
            _ => self.sync.pop_front().or_else(|| self.background.pop_front()),
        }
    }
}

//! Memory that is promised to what waits, in bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes may wait for a store that is slow or away, in each of the writers behind (records, logs):
/// an outage must not take the platform's memory. Rows of async invocations never wait: their callers do.
pub const WRITTEN_BEHIND: usize = 64 * 1024 * 1024;

/// Takes bytes from a bounded sum, and gives them back.
pub struct Budget {
    limit: usize,
    taken: AtomicUsize,
}

impl Budget {
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0) }
    }

    /// False, and nothing is taken, when that would exceed the limit.
    pub fn take(&self, bytes: usize) -> bool {
        let grow = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.limit);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, grow).is_ok()
    }

    /// Bytes that are taken at the moment.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    pub fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_taken() {
        let budget = Budget::new(10);
        assert!(budget.take(7));
        assert!(!budget.take(4), "7 of 10 are taken");
        assert!(budget.take(3));
        budget.give_back(7);
        assert!(budget.take(7) && !budget.take(1) && budget.take(0));
        assert!(!budget.take(usize::MAX));
    }
}

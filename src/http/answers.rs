//! A budget for the answers of a port that have not been taken yet: the memory that they take is bounded, however many
//! clients take theirs slowly.
//!
//! An answer that finds no room gets that of the oldest: they have had the most time to be taken, and the connections that they
//! are on are ended. So no result is lost that has not been sent in part, and slow takers cannot close the port to others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A connection that an answer is on.
pub(super) trait Connection: Send + Sync {
    /// Ends it, whatever it is about.
    fn cut(&self);
}

/// The budget.
pub(super) struct Answers {
    limit: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    bytes: usize,
    next: u64,
    /// The oldest first: its size, and the connection that it is on.
    held: BTreeMap<u64, (usize, Weak<dyn Connection>)>,
}

/// The room of an answer. It is given back when this is dropped.
pub(super) struct Held {
    answers: Arc<Answers>,
    number: u64,
}

impl Answers {
    /// A budget of this number of bytes.
    pub(super) fn of(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, under_way: Mutex::default() })
    }

    /// Nothing is left half-done by a panic: each change is one assignment after another.
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for an answer of this number of bytes; none for an empty one.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize, on: Weak<dyn Connection>) -> Option<Held> {
        if bytes == 0 {
            return None;
        }
        let mut given_up = Vec::new();
        let mut under_way = self.under_way();
        while under_way.bytes.saturating_add(bytes) > self.limit
            && let Some((_, (freed, oldest))) = under_way.held.pop_first()
        {
            under_way.bytes -= freed;
            given_up.push(oldest);
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.bytes += bytes;
        under_way.held.insert(number, (bytes, on));
        drop(under_way);
        for oldest in given_up.iter().filter_map(Weak::upgrade) {
            tracing::debug!(
                "an answer is given up: the answers of this port that are not taken take up too much"
            );
            oldest.cut();
        }
        Some(Held { answers: self.clone(), number })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut under_way = self.answers.under_way();
        if let Some((bytes, _)) = under_way.held.remove(&self.number) {
            under_way.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Default)]
    struct Open {
        is_cut: AtomicBool,
    }

    impl Connection for Open {
        fn cut(&self) {
            self.is_cut.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_oldest_answers_make_room_for_a_new_one() {
        let answers = Answers::of(10);
        let [first, second, third] = [(); 3].map(|()| Arc::new(Open::default()));
        let hold =
            |bytes, on: &Arc<Open>| answers.hold(bytes, Arc::downgrade(on) as Weak<dyn Connection>);
        let are_cut = || [&first, &second, &third].map(|open| open.is_cut.load(Ordering::Relaxed));
        let taken = hold(9, &first);
        drop(taken);
        let one = hold(6, &first);
        let two = hold(4, &second);
        assert!(hold(0, &third).is_none());
        assert_eq!(are_cut(), [false; 3]);
        let three = hold(5, &third);
        assert_eq!(are_cut(), [true, false, false]);
        assert_eq!(answers.under_way().bytes, 9);
        drop((one, two));
        assert_eq!(answers.under_way().bytes, 5);
        let larger_than_all = hold(11, &second);
        assert_eq!(are_cut(), [true, false, true]);
        drop((three, larger_than_all));
        assert_eq!(answers.under_way().bytes, 0);
    }
}

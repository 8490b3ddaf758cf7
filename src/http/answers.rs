//! A budget for the answers of a port that have not been taken yet: the memory that they take is bounded, however many
//! clients take theirs slowly.
//!
//! An answer that finds no room gets that of the oldest: they have had the most time to be taken, and the connections that they
//! are on are ended. So no result is lost that has not been sent in part, and slow takers cannot close the port to others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::progress::Progress;

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
    held: BTreeMap<u64, (usize, Weak<Progress>)>,
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
    pub(super) fn hold(self: &Arc<Self>, bytes: usize, progress: &Arc<Progress>) -> Option<Held> {
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
        under_way.held.insert(number, (bytes, Arc::downgrade(progress)));
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
    use super::{
        super::progress::{Bounds, End},
        *,
    };

    #[tokio::test]
    async fn the_oldest_answers_make_room_for_a_new_one() {
        let answers = Answers::of(10);
        let connection = || {
            let progress = Arc::new(Progress::new(Bounds::default(), false));
            progress.begin(true);
            progress
        };
        let [first, second, third] = [connection(), connection(), connection()];
        let taken = answers.hold(9, &first);
        drop(taken);
        let one = answers.hold(6, &first);
        let two = answers.hold(4, &second);
        assert!(answers.hold(0, &third).is_none());
        let three = answers.hold(5, &third);
        assert_eq!(first.ends().await, End::Evicted);
        assert_eq!(answers.under_way().bytes, 9);
        drop((one, two));
        assert_eq!(answers.under_way().bytes, 5);
        let larger_than_all = answers.hold(11, &second);
        assert_eq!(third.ends().await, End::Evicted);
        drop((three, larger_than_all));
        assert_eq!(answers.under_way().bytes, 0);
    }
}

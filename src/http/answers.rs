//! A budget for the answers of a port that have not been taken yet: the memory that they take is bounded, however many
//! clients take theirs slowly.
//!
//! An answer that finds no room gets that of the client with most of them, the oldest first: it has had the most time to be
//! taken, and the connection that it is on is ended. So slow takers cannot close the port to others.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
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
    /// The oldest first.
    held: BTreeMap<u64, OnItsWay>,
}

/// An answer that has not been taken yet.
struct OnItsWay {
    bytes: usize,
    from: IpAddr,
    on: Weak<dyn Connection>,
}

impl UnderWay {
    /// Takes out the oldest answer of the client with most of them.
    fn pop(&mut self) -> Option<OnItsWay> {
        let mut of_clients: HashMap<IpAddr, usize> = HashMap::new();
        for answer in self.held.values() {
            *of_clients.entry(answer.from).or_default() += answer.bytes;
        }
        let (client, _) = of_clients.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let (number, _) = self.held.iter().find(|(_, answer)| answer.from == client)?;
        let number = *number;
        let answer = self.held.remove(&number)?;
        self.bytes -= answer.bytes;
        Some(answer)
    }
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
    pub(super) fn hold(
        self: &Arc<Self>,
        bytes: usize,
        from: IpAddr,
        on: Weak<dyn Connection>,
    ) -> Option<Held> {
        if bytes == 0 {
            return None;
        }
        let mut given_up = Vec::new();
        let mut under_way = self.under_way();
        while under_way.bytes.saturating_add(bytes) > self.limit
            && let Some(answer) = under_way.pop()
        {
            given_up.push(answer.on);
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.bytes += bytes;
        under_way.held.insert(number, OnItsWay { bytes, from, on });
        drop(under_way);
        for connection in given_up.iter().filter_map(Weak::upgrade) {
            tracing::debug!(
                "an answer is given up: the answers of this port that are not taken take up too much"
            );
            connection.cut();
        }
        Some(Held { answers: self.clone(), number })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut under_way = self.answers.under_way();
        if let Some(answer) = under_way.held.remove(&self.number) {
            under_way.bytes -= answer.bytes;
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
    fn the_client_with_most_makes_room_for_a_new_answer() {
        let answers = Answers::of(10);
        let [first, second, third] = [(); 3].map(|()| Arc::new(Open::default()));
        let hold = |bytes, client: u8, on: &Arc<Open>| {
            answers.hold(bytes, [192, 0, 2, client].into(), Arc::downgrade(on) as Weak<dyn Connection>)
        };
        let are_cut = || [&first, &second, &third].map(|open| open.is_cut.load(Ordering::Relaxed));
        drop(hold(9, 1, &first));
        let one = hold(3, 1, &first);
        let two = hold(2, 2, &second);
        let three = hold(4, 2, &third);
        assert!(hold(0, 3, &third).is_none());
        assert_eq!(are_cut(), [false; 3]);
        let four = hold(3, 3, &first);
        assert_eq!(are_cut(), [false, true, false], "the older one of the second client");
        assert_eq!(answers.under_way().bytes, 10);
        drop((one, two, three));
        assert_eq!(answers.under_way().bytes, 3);
        let larger_than_all = hold(11, 1, &second);
        assert_eq!(are_cut(), [true, true, false]);
        drop((four, larger_than_all));
        assert_eq!(answers.under_way().bytes, 0);
    }
}

//! The last use of tokens. It is written in the background, those that wait together: a question of a gateway never waits for
//! it.

use std::{
    collections::{HashSet, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::Registry;
use crate::{error_chain::chain, model::TokenName};

/// A use is not written sooner after the one before.
const EVERY: Duration = Duration::from_secs(60);
/// Tokens whose last use is remembered; of more, those that were used longest ago are forgotten, and the store refuses what
/// comes too soon.
const MAX_REMEMBERED: usize = 50_000;
/// Uses that wait to be written; a further one is left to the next question about its token.
const MAX_WAITING: usize = 10_000;
/// Uses that are written together.
const BATCH: usize = 500;

/// Uses that are to be written.
#[derive(Default)]
pub struct Uses {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Default)]
struct State {
    noted: HashSet<TokenName>,
    /// The names in `noted`, in the order of their times.
    by_time: VecDeque<(Instant, TokenName)>,
    waiting: VecDeque<TokenName>,
}

impl State {
    /// Returns whether this use is to be written.
    fn note(&mut self, name: &TokenName, now: Instant) -> bool {
        self.forget(now);
        if self.noted.contains(name) || self.waiting.len() >= MAX_WAITING {
            return false;
        }
        self.noted.insert(name.clone());
        self.by_time.push_back((now, name.clone()));
        self.waiting.push_back(name.clone());
        true
    }

    /// Forgets what may be written again, and makes room for one.
    fn forget(&mut self, now: Instant) {
        while let Some((at, name)) = self.by_time.front()
            && (now.saturating_duration_since(*at) >= EVERY || self.noted.len() >= MAX_REMEMBERED)
        {
            self.noted.remove(name);
            self.by_time.pop_front();
        }
    }
}

impl Uses {
    /// Notes that a token is used now.
    pub fn note(&self, name: &TokenName) {
        let is_new = self.state.lock().expect("no holder panics").note(name, Instant::now());
        if is_new {
            self.added.notify_one();
        }
    }

    /// At least one, in the order in which they came.
    async fn next(&self) -> Vec<TokenName> {
        loop {
            let batch: Vec<TokenName> = {
                let waiting = &mut self.state.lock().expect("no holder panics").waiting;
                let count = waiting.len().min(BATCH);
                waiting.drain(..count).collect()
            };
            if !batch.is_empty() {
                return batch;
            }
            self.added.notified().await;
        }
    }
}

impl Registry {
    /// Writes the uses that were noted; does not return. Those that cannot be written are lost.
    pub async fn write_uses(&self) {
        loop {
            let names = self.uses.next().await;
            if let Err(error) = self.store.note_uses(&names).await {
                let count = names.len();
                tracing::debug!(count, error = %chain(&error), "uses of tokens are not written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TokenName {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_written_once_a_minute() {
        let (mut state, begun) = (State::default(), Instant::now());
        assert!(state.note(&name("a"), begun));
        assert!(!state.note(&name("a"), begun + EVERY - Duration::from_millis(1)));
        assert!(state.note(&name("b"), begun + EVERY - Duration::from_millis(1)), "each for itself");
        assert!(state.note(&name("a"), begun + EVERY));
        assert!(!state.note(&name("b"), begun + EVERY));
        assert_eq!(state.waiting, ["a", "b", "a"].map(name));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut state, now) = (State::default(), Instant::now());
        for number in 0..MAX_WAITING {
            assert!(state.note(&name(&format!("t{number}")), now));
        }
        assert!(!state.note(&name("late"), now));
        state.waiting.pop_front();
        assert!(state.note(&name("late"), now), "it was not taken for written");
    }

    #[test]
    fn of_too_many_tokens_those_used_longest_ago_are_forgotten() {
        let (mut state, now) = (State::default(), Instant::now());
        for number in 0..MAX_REMEMBERED + 2 {
            state.waiting.clear();
            assert!(state.note(&name(&format!("t{number}")), now));
            assert!(state.noted.len() <= MAX_REMEMBERED);
            assert_eq!(state.by_time.len(), state.noted.len());
        }
        state.waiting.clear();
        assert!(!state.note(&name(&format!("t{}", MAX_REMEMBERED + 1)), now));
        assert!(state.note(&name("t0"), now));
    }

    #[tokio::test]
    async fn what_was_noted_is_handed_out_together_and_in_order() {
        let uses = Uses::default();
        for number in 0..=BATCH {
            uses.note(&name(&format!("t{number}")));
        }
        let first = uses.next().await;
        assert_eq!((first.len(), &first[0]), (BATCH, &name("t0")));
        assert_eq!(uses.next().await, [name(&format!("t{BATCH}"))]);
        let later = async {
            tokio::task::yield_now().await;
            uses.note(&name("c"));
        };
        let (next, ()) = tokio::join!(uses.next(), later);
        assert_eq!(next, [name("c")]);
    }
}

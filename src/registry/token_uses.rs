//! The last use of tokens. It is written in the background, one after the other: a question of a gateway never waits for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::Registry;
use crate::{error_chain::chain, model::TokenName};

/// A use is not written sooner after the one before.
const EVERY: Duration = Duration::from_secs(60);
/// Tokens whose last use is remembered; beyond that all are forgotten, and the store refuses what comes too soon.
const MAX_REMEMBERED: usize = 50_000;
/// Uses that wait to be written; a further one is left to the next question about its token.
const MAX_WAITING: usize = 10_000;

/// Uses that are to be written.
#[derive(Default)]
pub struct Uses {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Default)]
struct State {
    noted: HashMap<TokenName, Instant>,
    waiting: VecDeque<TokenName>,
}

impl State {
    /// Returns whether this use is to be written.
    fn note(&mut self, name: &TokenName, now: Instant) -> bool {
        let is_recent = self.noted.get(name).is_some_and(|at| now.duration_since(*at) < EVERY);
        if is_recent || self.waiting.len() >= MAX_WAITING {
            return false;
        }
        if self.noted.len() >= MAX_REMEMBERED {
            self.noted.clear();
        }
        self.noted.insert(name.clone(), now);
        self.waiting.push_back(name.clone());
        true
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

    async fn next(&self) -> TokenName {
        loop {
            let first = self.state.lock().expect("no holder panics").waiting.pop_front();
            match first {
                Some(name) => return name,
                None => self.added.notified().await,
            }
        }
    }
}

impl Registry {
    /// Writes the uses that were noted; does not return. One that cannot be written is lost.
    pub async fn write_uses(&self) {
        loop {
            let name = self.uses.next().await;
            if let Err(error) = self.store.note_use(&name).await {
                tracing::debug!(token = %name, error = %chain(&error), "the use of a token is not written");
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
        assert!(state.note(&name("b"), begun), "each for itself");
        assert!(state.note(&name("a"), begun + EVERY));
        assert_eq!(state.waiting, ["a", "b", "a"].map(name));
    }

    #[test]
    fn what_waits_and_what_is_remembered_are_bounded() {
        let (mut state, now) = (State::default(), Instant::now());
        for number in 0..MAX_WAITING {
            assert!(state.note(&name(&format!("t{number}")), now));
        }
        assert!(!state.note(&name("late"), now));
        state.waiting.pop_front();
        assert!(state.note(&name("late"), now), "it was not taken for written");
        for number in 0..2 * MAX_REMEMBERED {
            state.waiting.clear();
            state.note(&name(&format!("u{number}")), now);
            assert!(state.noted.len() <= MAX_REMEMBERED);
        }
    }

    #[tokio::test]
    async fn what_was_noted_is_handed_out_in_order() {
        let uses = Uses::default();
        uses.note(&name("a"));
        uses.note(&name("b"));
        assert_eq!([uses.next().await, uses.next().await], ["a", "b"].map(name));
        let later = async {
            tokio::task::yield_now().await;
            uses.note(&name("c"));
        };
        let (next, ()) = tokio::join!(uses.next(), later);
        assert_eq!(next, name("c"));
    }
}

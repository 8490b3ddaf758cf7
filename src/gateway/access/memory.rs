//! What the gateway remembers of the answers of the registry.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    cache::{Cache, Key},
    entry::{Ages, Entry, Known, Moment, Use},
    limiters::Limiters,
};
use crate::model::{Caller, api::KnownToken};

/// The most texts of tokens that are remembered: a platform of 100,000 tokens may use all of them at the same time. Each takes
/// some hundred bytes.
pub const MOST_KNOWN: usize = 128 * 1024;
/// The most texts that are remembered as not being of a token: a client that goes on with a revoked one is not asked about
/// each time. Others that guess push each other out, and no token.
const MOST_UNKNOWN: usize = 1024;
/// What was not used for this time is forgotten: by then every limit begins anew, too.
const UNUSED: Moment = 60 * 60 * 1000;

/// The texts that were asked about, and the limits of their tokens.
pub struct Memory {
    begun: Instant,
    ages: Ages,
    /// Grows when tokens have changed: older answers are not used.
    generation: AtomicU64,
    known: Cache,
    unknown: Cache,
    limiters: Limiters,
}

/// When a question was sent.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The generation of tokens at that time.
    pub generation: u64,
    /// The moment.
    pub at: Moment,
}

impl Memory {
    /// Makes an empty one. An answer is used for `recheck` without another question, and for `kept` at most.
    pub fn new(recheck: Duration, kept: Duration) -> Self {
        let ages = Ages { recheck: moment(recheck), kept: moment(kept) };
        Self {
            begun: Instant::now(),
            ages,
            generation: AtomicU64::new(0),
            known: Cache::new(MOST_KNOWN),
            unknown: Cache::new(MOST_UNKNOWN),
            limiters: Limiters::default(),
        }
    }

    /// Returns the present moment.
    pub fn now(&self) -> Moment {
        moment(self.begun.elapsed())
    }

    /// Returns the generation of tokens.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns the moment and the generation of a question that is sent now.
    pub fn asked(&self) -> Asked {
        Asked { generation: self.generation(), at: self.now() }
    }

    /// Notes that tokens have changed: each is asked for again before its next use.
    pub fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns what a request with this text is told at this moment.
    pub fn used(&self, key: &Key, now: Moment) -> Use {
        let generation = self.generation();
        let used = |entry: &Entry| entry.used(now, generation);
        let found = self.known.read(key, used).or_else(|| self.unknown.read(key, used));
        found.unwrap_or(Use::Ask)
    }

    /// Notes an answer of the registry; none: the text is not one of a token.
    pub fn learn(&self, key: Key, asked: Asked, told: Option<KnownToken>) -> Arc<Entry> {
        let known = told.map(|told| self.token_of(told));
        let (home, other) = match known {
            Some(_) => (&self.known, &self.unknown),
            None => (&self.unknown, &self.known),
        };
        let entry = Arc::new(Entry::new(asked.generation, asked.at, self.ages, known));
        other.remove(&key);
        home.put(key, entry.clone());
        entry
    }

    fn token_of(&self, told: KnownToken) -> Known {
        let KnownToken { name, role, functions, rate_limit, left_ms, is_old, expires_at } = told;
        let caller = Caller { name: format!("token {name}"), role, functions, from: None };
        let limiter = rate_limit.map(|limit| self.limiters.of(&name, limit));
        let ends_at = left_ms.map(|left| self.now().saturating_add(left));
        Known { name, caller: Arc::new(caller), limiter, is_old, expires_at, ends_at }
    }

    /// Forgets what was not used for an hour.
    pub fn forget_unused(&self) {
        let since = self.now().saturating_sub(UNUSED);
        self.known.forget_unused(since);
        self.unknown.forget_unused(since);
        self.limiters.forget_unused();
    }
}

fn moment(since_begin: Duration) -> Moment {
    since_begin.as_secs().saturating_mul(1000).saturating_add(since_begin.subsec_millis().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http::Failure, model::TokenRole};

    fn memory() -> Memory {
        Memory::new(Duration::from_secs(30), Duration::from_secs(60))
    }

    fn told(limit: Option<&str>, left_ms: Option<u64>) -> KnownToken {
        KnownToken {
            name: "ci".parse().unwrap(),
            role: TokenRole::Invoke,
            functions: vec!["team_*".parse().unwrap()],
            rate_limit: limit.map(|limit| limit.parse().unwrap()),
            left_ms,
            is_old: false,
            expires_at: None,
        }
    }

    fn code(used: Use) -> String {
        match used {
            Use::Now(Ok(caller)) => caller.name.clone(),
            Use::Now(Err(Failure(problem))) => problem.code,
            Use::NowAndAsk(_) => "now and ask".to_owned(),
            Use::Ask => "ask".to_owned(),
        }
    }

    #[test]
    fn a_text_is_asked_for_once_and_again_after_a_change() {
        let (memory, key) = (memory(), Key::of("text"));
        assert_eq!(code(memory.used(&key, 0)), "ask");
        memory.learn(key, memory.asked(), Some(told(None, None)));
        assert_eq!(code(memory.used(&key, 0)), "token ci");
        let asked = memory.asked();
        memory.changed();
        assert_eq!(code(memory.used(&key, 0)), "ask");
        memory.learn(key, asked, Some(told(None, None)));
        assert_eq!(code(memory.used(&key, 0)), "ask", "that answer may be from before the change");
        memory.learn(key, memory.asked(), None);
        assert_eq!(code(memory.used(&key, 0)), "unauthorized");
        memory.learn(key, memory.asked(), Some(told(None, None)));
        assert_eq!(code(memory.used(&key, 0)), "token ci");
    }

    #[test]
    fn a_limit_goes_on_when_the_token_is_asked_for_again_and_for_its_old_text() {
        let (memory, key, old) = (memory(), Key::of("text"), Key::of("old text"));
        memory.learn(key, memory.asked(), Some(told(Some("3/h"), None)));
        assert_eq!(code(memory.used(&key, 0)), "token ci");
        memory.changed();
        memory.learn(key, memory.asked(), Some(told(Some("3/h"), None)));
        assert_eq!(code(memory.used(&key, 0)), "token ci");
        memory.learn(old, memory.asked(), Some(told(Some("3/h"), Some(60_000))));
        assert_eq!(code(memory.used(&old, 0)), "token ci");
        assert_eq!(code(memory.used(&old, 0)), "rate_limited");
        assert_eq!(code(memory.used(&key, 0)), "rate_limited");
        memory.forget_unused();
        assert_eq!(code(memory.used(&key, 0)), "rate_limited", "it was used just now");
    }

    #[test]
    fn the_time_that_is_left_counts_from_the_answer_on() {
        let (memory, key) = (memory(), Key::of("text"));
        let entry = memory.learn(key, memory.asked(), Some(told(None, Some(10_000))));
        let now = memory.now();
        assert!(entry.answer(now + 9_000).is_ok());
        assert!(entry.answer(now + 10_001).is_err());
        let over = memory.learn(key, memory.asked(), Some(told(None, Some(0))));
        let Failure(problem) = over.answer(memory.now()).unwrap_err();
        assert_eq!(problem.detail, "the token 'ci' has expired");
    }
}

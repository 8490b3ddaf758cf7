//! What the gateway remembers of the answers of the registry.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use super::{
    cache::{Cache, Key},
    entry::{Ages, Entry, Known, Moment},
    limiters::Limiters,
};
use crate::model::{Caller, TokenName, api::KnownToken};

/// The most values of tokens that are remembered: a platform of 100,000 tokens may use all of them at the same time. Each takes
/// some hundred bytes.
pub const MOST_KNOWN: usize = 128 * 1024;
/// The most texts that are remembered as not being the value of a token: a client that goes on with a revoked one is not asked
/// about each time. Others that guess push each other out, and no token.
const MOST_UNKNOWN: usize = 1024;
/// What was not used for this time is forgotten: by then every limit begins anew, too.
const UNUSED: Moment = 60 * 60 * 1000;

/// The texts that were asked about, and the limits of their tokens.
pub struct Memory {
    begun: Duration,
    ages: Ages,
    /// Grows when tokens have changed: an answer to an older question is not kept.
    generation: AtomicU64,
    /// Told after each change, once all entries are marked.
    changes: watch::Sender<()>,
    known: Cache,
    unknown: Cache,
    limiters: Limiters,
}

/// When a question was sent.
#[derive(Clone, Copy, Debug)]
pub struct AskedAt {
    /// The generation of tokens at that time.
    pub generation: u64,
    /// The moment.
    pub moment: Moment,
}

impl Memory {
    /// Makes an empty one. An answer is used for `recheck` without another question, and for `kept` at most.
    pub fn new(recheck: Duration, kept: Duration) -> Self {
        let ages = Ages { recheck: moment(recheck), kept: moment(kept) };
        Self {
            begun: since_boot(),
            ages,
            generation: AtomicU64::new(0),
            changes: watch::Sender::new(()),
            known: Cache::new(MOST_KNOWN),
            unknown: Cache::new(MOST_UNKNOWN),
            limiters: Limiters::default(),
        }
    }

    /// Returns the present moment.
    pub fn now(&self) -> Moment {
        moment(since_boot().saturating_sub(self.begun))
    }

    /// Returns the generation of tokens.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns the moment and the generation of a question that is sent now.
    pub fn asked_at(&self) -> AskedAt {
        AskedAt { generation: self.generation(), moment: self.now() }
    }

    /// Notes that these tokens have changed: the registry is asked before their next use. None: it is not known which have, and
    /// all are asked about again while they are used.
    pub fn changed(&self, names: Option<&[TokenName]>) {
        // First of all: what is asked before that is not kept from now on, and what was kept before is marked.
        self.generation.fetch_add(1, Ordering::AcqRel);
        match names {
            Some(names) => {
                let names: HashSet<&TokenName> = names.iter().collect();
                self.known.mark(|entry| {
                    if entry.token().is_some_and(|token| names.contains(&token.name)) {
                        entry.mark_changed();
                    }
                });
            }
            None => {
                [&self.known, &self.unknown].into_iter().for_each(|cache| cache.mark(Entry::mark_due))
            }
        }
        self.changes.send_replace(());
    }

    /// Returns what is told of each change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Returns what is known of a text; none: nothing.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.known.get(key).or_else(|| self.unknown.get(key))
    }

    /// Returns the time after which a text is looked at again where nothing is told of a change.
    pub fn until_next_look(&self, key: &Key) -> Duration {
        let ends_at = self.known.get(key).and_then(|entry| entry.token()?.ends_at);
        let left = ends_at.map_or(Moment::MAX, |end| end.saturating_sub(self.now()));
        Duration::from_millis(left.min(self.ages.recheck))
    }

    /// Notes an answer of the registry; none: the text is not the value of a token. An answer from before a change is not kept.
    pub fn learn(&self, key: Key, asked_at: AskedAt, answer: Option<KnownToken>) -> Arc<Entry> {
        let AskedAt { generation, moment } = asked_at;
        let known = answer.map(|token| self.token_of(token, moment));
        let (home, other) = match known {
            Some(_) => (&self.known, &self.unknown),
            None => (&self.unknown, &self.known),
        };
        let entry = Arc::new(Entry::new(generation, moment, self.ages, known));
        let is_kept = home.put_if(key, entry.clone(), || self.generation() == generation);
        if is_kept && other.remove(&key) {
            // Those who are let in by it hear of its end.
            self.changes.send_replace(());
        }
        entry
    }

    fn token_of(&self, token: KnownToken, asked_at: Moment) -> Known {
        let KnownToken { name, role, functions, rate_limit, left_ms, is_old, expires_at } = token;
        let caller = Caller { name: format!("token {name}"), role, functions, from: None };
        let limiter = rate_limit.map(|limit| self.limiters.of(&name, limit));
        // The registry counts from some moment after the question on.
        let ends_at = left_ms.map(|left| asked_at.saturating_add(left));
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

/// Returns the time since the host's start. `Instant` stands still while the host sleeps, and tokens end all the same.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn moment(since_begin: Duration) -> Moment {
    since_begin.as_secs().saturating_mul(1000).saturating_add(since_begin.subsec_millis().into())
}

#[cfg(test)]
mod tests {
    use super::{super::entry::Freshness, *};
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

    /// What a request with this text is told at the moment 0.
    fn code(memory: &Memory, key: &Key) -> String {
        let Some(entry) = memory.get(key) else { return "not known".to_owned() };
        match (entry.freshness(0), entry.answer(0)) {
            (Freshness::Fresh, Ok(caller)) => caller.name.clone(),
            (Freshness::Fresh, Err(Failure(problem))) => problem.code,
            (other, _) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_asked_for_once_and_again_after_a_change_of_its_token() {
        let (memory, key) = (memory(), Key::of("text"));
        let (ci, other): (TokenName, TokenName) = ("ci".parse().unwrap(), "other".parse().unwrap());
        assert_eq!(code(&memory, &key), "not known");
        memory.learn(key, memory.asked_at(), Some(told(None, None)));
        assert_eq!(code(&memory, &key), "token ci");
        memory.changed(Some(&[other]));
        assert_eq!(code(&memory, &key), "token ci", "another one was changed");
        let asked_at = memory.asked_at();
        memory.changed(Some(&[ci]));
        assert_eq!(code(&memory, &key), "Stale");
        memory.learn(key, asked_at, Some(told(None, None)));
        assert_eq!(code(&memory, &key), "Stale", "that answer may be from before the change");
        memory.learn(key, memory.asked_at(), None);
        assert_eq!(code(&memory, &key), "unauthorized");
        memory.learn(key, memory.asked_at(), Some(told(None, None)));
        assert_eq!(code(&memory, &key), "token ci");
    }

    #[test]
    fn after_unknown_changes_every_text_is_used_and_asked_for_again_meanwhile() {
        let (memory, key, unknown) = (memory(), Key::of("text"), Key::of("unknown"));
        memory.learn(key, memory.asked_at(), Some(told(None, None)));
        memory.learn(unknown, memory.asked_at(), None);
        memory.changed(None);
        for (key, expected) in [(&key, "token ci"), (&unknown, "unauthorized")] {
            assert_eq!(code(&memory, key), "Due");
            assert_eq!(code(&memory, key), expected, "one request asks");
        }
    }

    #[test]
    fn who_follows_a_token_hears_of_changes_and_of_its_end() {
        let (memory, key) = (memory(), Key::of("text"));
        let mut changes = memory.changes();
        memory.learn(key, memory.asked_at(), Some(told(None, Some(10_000))));
        assert!(!changes.has_changed().unwrap());
        assert!(memory.until_next_look(&key) <= Duration::from_secs(10));
        assert_eq!(memory.until_next_look(&Key::of("other")), Duration::from_secs(30));
        memory.changed(Some(&[]));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        memory.learn(key, memory.asked_at(), None);
        assert!(changes.has_changed().unwrap());
    }

    #[test]
    fn a_limit_goes_on_when_the_token_is_asked_for_again_and_for_its_old_value() {
        let (memory, key, old) = (memory(), Key::of("text"), Key::of("old text"));
        memory.learn(key, memory.asked_at(), Some(told(Some("3/h"), None)));
        assert_eq!(code(&memory, &key), "token ci");
        memory.learn(key, memory.asked_at(), Some(told(Some("3/h"), None)));
        assert_eq!(code(&memory, &key), "token ci");
        memory.learn(old, memory.asked_at(), Some(told(Some("3/h"), Some(60_000))));
        assert_eq!(code(&memory, &old), "token ci");
        assert_eq!(code(&memory, &old), "rate_limited");
        assert_eq!(code(&memory, &key), "rate_limited");
        memory.forget_unused();
        assert_eq!(code(&memory, &key), "rate_limited", "it was used just now");
    }

    #[test]
    fn the_time_that_is_left_counts_from_the_question_on() {
        let (memory, key) = (memory(), Key::of("text"));
        let asked_at = AskedAt { generation: 0, moment: 5000 };
        let entry = memory.learn(key, asked_at, Some(told(None, Some(10_000))));
        assert!(entry.answer(14_999).is_ok());
        assert!(entry.answer(15_000).is_err());
        let over = memory.learn(key, asked_at, Some(told(None, Some(0))));
        let Failure(problem) = over.answer(5000).unwrap_err();
        assert_eq!(problem.detail, "the token 'ci' has expired");
    }
}

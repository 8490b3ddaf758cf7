//! What is known of one text, which may be the value of a token, and for how long.
//!
//! ```text
//! asked ── used freely ──▶ recheck ── used, and asked again meanwhile ──▶ kept ── not used without a new answer
//!    └──────────────────────── the token was changed ──────────────────────────────────────▲
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use jiff::Timestamp;

use crate::{
    http::Answer,
    model::{Caller, Problem, RateLimit, TokenName, code, time},
    rate_limiter::RateLimiter,
};

/// A moment of a clock that goes on while the host sleeps, in milliseconds since the gateway's start.
pub type Moment = u64;

/// How long an answer is used, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// So long without another question.
    pub recheck: Moment,
    /// So long at most.
    pub kept: Moment,
}

/// The time after which a question in the background is repeated if it brought nothing.
const REPEATED: Moment = 1000;
/// The time of the last use is right to about this: requests of one token do not take the same line of memory from each other.
const USE_NOTED: Moment = 1000;

/// What the registry has said of a text.
pub struct Entry {
    /// The generation of tokens in which it was asked.
    generation: u64,
    /// From then on a use leads to another question.
    refresh_at: AtomicU64,
    /// From then on it is not used.
    stale_at: Moment,
    /// The token was changed since: it is not used.
    is_changed: AtomicBool,
    /// The time of its last use.
    used_at: AtomicU64,
    /// None: the text is not the value of a token.
    known: Option<Known>,
}

/// A token, as one of its values shows it.
pub struct Known {
    /// Its name.
    pub name: TokenName,
    /// The caller that it stands for.
    pub caller: Arc<Caller>,
    /// Its limit; none where it has none.
    pub limiter: Option<Arc<RateLimiter>>,
    /// The value is the one before the last rotation.
    pub is_old: bool,
    /// The time when the value is no longer accepted, by the store's clock: for people.
    pub expires_at: Option<Timestamp>,
    /// The same moment by the clock of this process; none if it does not end.
    pub ends_at: Option<Moment>,
}

/// Whether an entry is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is used.
    Fresh,
    /// It is used, and the registry is asked again.
    Due,
    /// The registry is asked first.
    Stale,
}

impl Entry {
    /// `asked_at`: when the registry was asked, in which generation of tokens.
    pub fn new(generation: u64, asked_at: Moment, ages: Ages, known: Option<Known>) -> Self {
        Self {
            generation,
            refresh_at: AtomicU64::new(asked_at.saturating_add(ages.recheck)),
            stale_at: asked_at.saturating_add(ages.kept),
            is_changed: AtomicBool::new(false),
            used_at: AtomicU64::new(asked_at),
            known,
        }
    }

    /// Returns whether a request uses it now, and counts that as a use.
    pub fn freshness(&self, now: Moment) -> Freshness {
        if now.saturating_sub(self.used_at()) >= USE_NOTED {
            self.used_at.store(now, Ordering::Relaxed);
        }
        if now >= self.stale_at || self.is_changed.load(Ordering::Acquire) {
            return Freshness::Stale;
        }
        let due = self.refresh_at.load(Ordering::Relaxed);
        // One of many that find it due asks.
        let asks = now >= due
            && self
                .refresh_at
                .compare_exchange(due, now + REPEATED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if asks { Freshness::Due } else { Freshness::Fresh }
    }

    /// Returns the caller, or the refusal of a text that is not accepted, and of a request that comes too fast. It counts as a
    /// request.
    pub fn answer(&self, now: Moment) -> Answer<Arc<Caller>> {
        self.accepted(now)?.answer()
    }

    /// Returns the same for a request that was counted before.
    pub fn answer_again(&self, now: Moment) -> Answer<Arc<Caller>> {
        Ok(self.accepted(now)?.caller.clone())
    }

    fn accepted(&self, now: Moment) -> Answer<&Known> {
        let known = self.known.as_ref().ok_or_else(unknown_token)?;
        match known.ends_at {
            Some(end) if now >= end => Err(known.not_accepted().into()),
            _ => Ok(known),
        }
    }

    /// Has a use lead to another question.
    pub fn mark_due(&self) {
        self.refresh_at.store(0, Ordering::Relaxed);
    }

    /// Has it not be used any more.
    pub fn mark_changed(&self) {
        self.is_changed.store(true, Ordering::Release);
    }

    /// Returns the token; none where the text is not the value of one.
    pub fn token(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// Returns the generation of tokens in which it was asked.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the time of its last use, to about a second.
    pub fn used_at(&self) -> Moment {
        self.used_at.load(Ordering::Relaxed)
    }
}

impl Known {
    fn answer(&self) -> Answer<Arc<Caller>> {
        if let Some(limiter) = &self.limiter
            && let Err(seconds) = limiter.check()
        {
            return Err(self.too_many(limiter.limit()).retry_after(seconds).into());
        }
        Ok(self.caller.clone())
    }

    fn not_accepted(&self) -> Problem {
        let Self { name, is_old, .. } = self;
        let at = |words: &str| self.expires_at.map(|at| format!("{words} {}", time::text(at)));
        if *is_old {
            let until = at("; it was accepted until").unwrap_or_default();
            let detail = format!("this is the previous value of token '{name}'{until}");
            return Problem::new(code::UNAUTHORIZED, detail).hint(OLD_HINT);
        }
        let expired = at("expired at").unwrap_or_else(|| "has expired".to_owned());
        Problem::new(code::UNAUTHORIZED, format!("the token '{name}' {expired}"))
            .hint("an admin makes another one with 'cloudfunc token create'")
    }

    fn too_many(&self, limit: RateLimit) -> Problem {
        let unit = match limit.per.as_secs() {
            1 => "a second",
            60 => "a minute",
            _ => "an hour",
        };
        let requests = if limit.count.get() == 1 { "request" } else { "requests" };
        let (name, count) = (&self.name, limit.count);
        let detail = format!("the token '{name}' has sent more than its {count} {requests} {unit}");
        Problem::new(code::RATE_LIMITED, detail).hint(LIMIT_HINT)
    }
}

/// The token may have expired since it was rotated, which this value does not tell.
const OLD_HINT: &str = "send the value that 'cloudfunc token rotate' has printed; if that has expired, too, an admin makes another token with 'cloudfunc token create'";
const LIMIT_HINT: &str = "wait for as long as Retry-After says, or ask an admin for a token with a higher limit: 'cloudfunc token create --rate-limit'";
const UNKNOWN_HINT: &str =
    "it may have been revoked or mistyped; an admin makes another one with 'cloudfunc token create'";

/// Returns the refusal of a text that is not the value of a token: it never was, or the token was revoked.
pub fn unknown_token() -> Problem {
    let detail = "the request's bearer token is not one of this platform's";
    Problem::new(code::UNAUTHORIZED, detail).hint(UNKNOWN_HINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http::Failure, model::TokenRole};

    const AGES: Ages = Ages { recheck: 30_000, kept: 60_000 };

    fn known(limit: Option<&str>, is_old: bool, ends_at: Option<Moment>) -> Known {
        let name: TokenName = "ci".parse().unwrap();
        let (caller_name, functions) = ("token ci".to_owned(), Vec::new());
        let caller = Caller { name: caller_name, role: TokenRole::Invoke, functions, from: None };
        let limiter = limit.map(|limit| Arc::new(RateLimiter::new(limit.parse().unwrap())));
        let expires_at = ends_at.map(|_| "2026-01-31T12:00:00Z".parse().unwrap());
        Known { name, caller: Arc::new(caller), limiter, is_old, expires_at, ends_at }
    }

    fn refused(answer: Answer<Arc<Caller>>) -> (u16, String, Option<String>, Option<u64>) {
        let Failure(problem) = answer.unwrap_err();
        (problem.status, problem.detail, problem.hint, problem.retry_after)
    }

    #[test]
    fn an_answer_is_used_freely_then_asked_for_again_and_at_last_not_used() {
        let entry = Entry::new(7, 1000, AGES, Some(known(None, false, None)));
        for (now, expected) in [
            (1000, Freshness::Fresh),
            (30_999, Freshness::Fresh),
            (31_000, Freshness::Due),
            // One request asks.
            (31_001, Freshness::Fresh),
            (31_999, Freshness::Fresh),
            // No answer came.
            (32_000, Freshness::Due),
            (60_999, Freshness::Due),
            (61_000, Freshness::Stale),
        ] {
            assert_eq!(entry.freshness(now), expected, "{now}");
        }
    }

    #[test]
    fn what_was_changed_is_not_used_and_what_may_have_been_is_asked_for_meanwhile() {
        let entry = Entry::new(7, 1000, AGES, Some(known(None, false, None)));
        entry.mark_due();
        assert_eq!(entry.freshness(1001), Freshness::Due);
        assert_eq!(entry.freshness(1002), Freshness::Fresh);
        entry.mark_changed();
        assert_eq!(entry.freshness(1003), Freshness::Stale);
    }

    #[test]
    fn a_use_is_noted_to_about_a_second() {
        let entry = Entry::new(7, 1000, AGES, None);
        for (now, expected) in [(1999, 1000), (2000, 2000), (2999, 2000), (9000, 9000), (8000, 9000)] {
            entry.freshness(now);
            assert_eq!(entry.used_at(), expected, "{now}");
        }
    }

    #[test]
    fn a_text_that_is_not_the_value_of_a_token_is_told_what_may_have_happened() {
        let detail = "the request's bearer token is not one of this platform's".to_owned();
        let hint = "it may have been revoked or mistyped; an admin makes another one with 'cloudfunc token create'";
        let unknown = Entry::new(7, 1000, AGES, None);
        assert_eq!(refused(unknown.answer(1001)), (401, detail, Some(hint.to_owned()), None));
    }

    #[test]
    fn a_request_that_is_checked_again_does_not_count_against_the_limit() {
        let entry = Entry::new(1, 0, AGES, Some(known(Some("1/h"), false, Some(5000))));
        assert!(entry.answer(0).is_ok());
        for _ in 0..10 {
            assert!(entry.answer_again(4999).is_ok());
        }
        assert_eq!(refused(entry.answer(0)).0, 429);
        assert_eq!(refused(entry.answer_again(5000)).0, 401);
    }

    #[test]
    fn a_token_ends_at_its_moment_and_is_refused_by_name() {
        let entry = Entry::new(1, 0, AGES, Some(known(None, false, Some(5000))));
        assert!(entry.answer(4999).is_ok());
        let hint = Some("an admin makes another one with 'cloudfunc token create'".to_owned());
        let detail = "the token 'ci' expired at 2026-01-31T12:00:00.000Z".to_owned();
        assert_eq!(refused(entry.answer(5000)), (401, detail, hint, None));
        let old = Entry::new(1, 0, AGES, Some(known(None, true, Some(0))));
        let detail =
            "this is the previous value of token 'ci'; it was accepted until 2026-01-31T12:00:00.000Z";
        let hint = Some(OLD_HINT.to_owned());
        assert_eq!(refused(old.answer(0)), (401, detail.to_owned(), hint, None));
    }

    #[test]
    fn requests_beyond_a_tokens_limit_are_told_when_to_come_again() {
        for (limit, count, told) in [
            ("100/s", 100, "100 requests a second"),
            ("2/h", 2, "2 requests an hour"),
            ("1/m", 1, "1 request a minute"),
        ] {
            let entry = Entry::new(1, 0, AGES, Some(known(Some(limit), false, None)));
            for _ in 0..count {
                assert!(entry.answer(0).is_ok());
            }
            // The fast one gets some anew while this runs.
            let (status, detail, hint, wait) = loop {
                if let Err(Failure(problem)) = entry.answer(0) {
                    break (problem.status, problem.detail, problem.hint, problem.retry_after);
                }
            };
            let told = format!("the token 'ci' has sent more than its {told}");
            assert_eq!((status, detail, hint.as_deref()), (429, told, Some(LIMIT_HINT)));
            let expected = match limit {
                "100/s" => 1..=1,
                "2/h" => 1790..=1800,
                _ => 50..=60,
            };
            assert!(expected.contains(&wait.unwrap()), "{limit}: {wait:?}");
        }
    }
}

//! What is known of one text of a token, and for how long.
//!
//! ```text
//! asked ── used freely ──▶ recheck ── used, and asked again meanwhile ──▶ kept ── not used without a new answer
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;

use crate::{
    http::{Answer, TOKEN_HINT},
    model::{Caller, Problem, RateLimit, TokenName, code, time},
    rate_limiter::RateLimiter,
};

/// A moment of the monotonic clock, in milliseconds since the gateway's start.
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

/// What the registry has said of a text.
pub struct Entry {
    /// The generation of tokens in which it was asked.
    generation: u64,
    /// From then on a use leads to another question.
    refresh_at: AtomicU64,
    /// From then on it is not used.
    stale_at: Moment,
    /// The time of its last use.
    used_at: AtomicU64,
    /// None: the text is not one of a token.
    known: Option<Known>,
}

/// A token, as one of its texts shows it.
pub struct Known {
    /// Its name.
    pub name: TokenName,
    /// The caller that it stands for.
    pub caller: Arc<Caller>,
    /// Its limit; none where it has none.
    pub limiter: Option<Arc<RateLimiter>>,
    /// The text is the one before the last rotation.
    pub is_old: bool,
    /// The time when the text is no longer accepted, by the store's clock: for people.
    pub expires_at: Option<Timestamp>,
    /// The same moment by the clock of this process; none if it does not end.
    pub ends_at: Option<Moment>,
}

/// What becomes of a request with a text that was looked up.
pub enum Use {
    /// It is answered at once.
    Now(Answer<Arc<Caller>>),
    /// It is answered at once, and the registry is asked again.
    NowAndAsk(Answer<Arc<Caller>>),
    /// The registry is asked first.
    Ask,
}

impl Entry {
    /// `asked_at`: when the registry was asked, in which generation of tokens.
    pub fn new(generation: u64, asked_at: Moment, ages: Ages, known: Option<Known>) -> Self {
        Self {
            generation,
            refresh_at: AtomicU64::new(asked_at.saturating_add(ages.recheck)),
            stale_at: asked_at.saturating_add(ages.kept),
            used_at: AtomicU64::new(asked_at),
            known,
        }
    }

    /// Returns what a request is told now, in this generation of tokens.
    pub fn used(&self, now: Moment, generation: u64) -> Use {
        if self.generation != generation || now >= self.stale_at {
            return Use::Ask;
        }
        self.used_at.store(now, Ordering::Relaxed);
        let answer = self.answer(now);
        let due = self.refresh_at.load(Ordering::Relaxed);
        // One of many that find it due asks.
        let asks = now >= due
            && self
                .refresh_at
                .compare_exchange(due, now + REPEATED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if asks { Use::NowAndAsk(answer) } else { Use::Now(answer) }
    }

    /// Returns the caller, or the refusal of a text that is not accepted, and of a request that comes too fast.
    pub fn answer(&self, now: Moment) -> Answer<Arc<Caller>> {
        match &self.known {
            Some(known) => known.answer(now),
            None => Err(unknown_token().into()),
        }
    }

    /// Returns the time of its last use.
    pub fn used_at(&self) -> Moment {
        self.used_at.load(Ordering::Relaxed)
    }
}

impl Known {
    fn answer(&self, now: Moment) -> Answer<Arc<Caller>> {
        if self.ends_at.is_some_and(|end| now >= end) {
            return Err(self.not_accepted().into());
        }
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
            let detail = format!("this is the text of token '{name}' before it was rotated{until}");
            return Problem::new(code::UNAUTHORIZED, detail)
                .hint("send the text that 'cloudfunc token rotate' has printed");
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
        Problem::new(code::RATE_LIMITED, detail)
    }
}

/// Returns the refusal of a text that is not one of a token: it never was, or the token was revoked.
pub fn unknown_token() -> Problem {
    let detail = "the request's bearer token is not one of this platform's";
    Problem::new(code::UNAUTHORIZED, detail).hint(TOKEN_HINT)
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
        for now in [1000, 30_999] {
            assert!(matches!(entry.used(now, 7), Use::Now(Ok(_))), "{now}");
        }
        assert!(matches!(entry.used(31_000, 7), Use::NowAndAsk(Ok(_))));
        assert!(matches!(entry.used(31_001, 7), Use::Now(Ok(_))), "one request asks");
        assert!(matches!(entry.used(31_999, 7), Use::Now(Ok(_))));
        assert!(matches!(entry.used(32_000, 7), Use::NowAndAsk(Ok(_))), "no answer came");
        assert!(matches!(entry.used(60_999, 7), Use::NowAndAsk(Ok(_))));
        assert!(matches!(entry.used(61_000, 7), Use::Ask));
        assert_eq!(entry.used_at(), 60_999);
    }

    #[test]
    fn after_a_change_of_tokens_an_answer_is_not_used() {
        let entry = Entry::new(7, 1000, AGES, Some(known(None, false, None)));
        assert!(matches!(entry.used(1001, 8), Use::Ask));
        let unknown = Entry::new(7, 1000, AGES, None);
        let Use::Now(answer) = unknown.used(1001, 7) else { panic!("it is known not to be one") };
        let detail = "the request's bearer token is not one of this platform's".to_owned();
        assert_eq!(refused(answer), (401, detail, Some(TOKEN_HINT.to_owned()), None));
        assert!(matches!(unknown.used(1001, 8), Use::Ask));
    }

    #[test]
    fn a_token_ends_at_its_moment_and_is_refused_by_name() {
        let entry = Entry::new(1, 0, AGES, Some(known(None, false, Some(5000))));
        assert!(entry.answer(4999).is_ok());
        let hint = Some("an admin makes another one with 'cloudfunc token create'".to_owned());
        let detail = "the token 'ci' expired at 2026-01-31T12:00:00.000Z".to_owned();
        assert_eq!(refused(entry.answer(5000)), (401, detail, hint, None));
        let old = Entry::new(1, 0, AGES, Some(known(None, true, Some(0))));
        let detail = "this is the text of token 'ci' before it was rotated; it was accepted until 2026-01-31T12:00:00.000Z";
        let hint = Some("send the text that 'cloudfunc token rotate' has printed".to_owned());
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
            assert_eq!((status, detail, hint), (429, told, None));
            let expected = match limit {
                "100/s" => 1..=1,
                "2/h" => 1790..=1800,
                _ => 50..=60,
            };
            assert!(expected.contains(&wait.unwrap()), "{limit}: {wait:?}");
        }
    }
}

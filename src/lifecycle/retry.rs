//! Whether an invocation is tried again, and when.

use std::time::Duration;

use jiff::Timestamp;

use super::Ending;
use crate::model::{Reason, State};

/// How often an invocation is tried, and with which pauses.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How many attempts the function may fail before that is final; from 1, which means that the first failure is.
    pub attempts: u32,
    /// The pauses after failures of the function, with full jitter: many that failed together come back apart.
    pub after_failure: Growth,
    /// The longest pause after an attempt that the platform could not run.
    pub longest_not_run: Duration,
    /// How long after it was accepted another attempt may begin; none: however long.
    pub max_age: Option<Duration>,
    /// How often an invocation is claimed, whatever came of the claims; from 1. The next claim ends it.
    pub max_claims: u32,
}

/// Pauses that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The first one.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

/// What a claim is granted by; the store applies it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// An invocation that was claimed that often is not run again.
    pub most: u32,
    /// How the claim after those ends it.
    pub exhausted: Ending,
}

impl Policy {
    /// A failure of the function is final. What the platform could not run is tried again, ten times with doubled
    /// pauses: that outlasts more than a short outage.
    pub const DEFAULT: Self = Self {
        attempts: 1,
        after_failure: Growth { first: Duration::from_secs(1), longest: Duration::from_secs(300) },
        longest_not_run: Duration::from_secs(300),
        max_age: None,
        max_claims: 10,
    };

    /// The bounds of claims.
    pub fn claims(&self) -> Claims {
        let exhausted = Ending {
            reason: Some(Reason::Platform),
            dead_letter: true,
            ..Ending::in_state(State::Failed)
        };
        Claims { most: self.max_claims, exhausted }
    }

    /// The pause after a failure of the function, its `failures`th (from 1): a random part, `chance`, of a bound that
    /// doubles with every failure.
    pub fn pause_failed(&self, failures: u32, chance: f64) -> Duration {
        let Growth { first, longest } = self.after_failure;
        doubled(first, failures, longest).mul_f64(chance.clamp(0.0, 1.0))
    }

    /// The pause after an attempt that could not run: the manager's proposal for the first attempt, doubled with every
    /// further one.
    pub fn pause_not_run(&self, proposed: Duration, attempt: u32) -> Duration {
        doubled(proposed, attempt, self.longest_not_run)
    }

    /// Whether an attempt that begins `after` from now would come too late.
    pub fn is_too_old(&self, accepted_at: Timestamp, now: Timestamp, after: Duration) -> bool {
        let Some(max_age) = self.max_age else { return false };
        let age = Duration::try_from(now.duration_since(accepted_at)).unwrap_or_default();
        age.saturating_add(after) > max_age
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `first` for number 1, doubled with every further number, up to `longest`.
fn doubled(first: Duration, number: u32, longest: Duration) -> Duration {
    /// Beyond that, anything but zero is longer than a month.
    const DOUBLINGS: u32 = 22;
    first.saturating_mul(1 << number.saturating_sub(1).min(DOUBLINGS)).min(longest)
}

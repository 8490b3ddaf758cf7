//! The rules for trying an invocation again, and for the pause before.

use std::time::Duration;

use jiff::Timestamp;

use super::Ending;
use crate::model::{Reason, State};

const FIRST_AFTER_LOSS: Duration = Duration::from_secs(1);

/// The number of tries that an invocation has, and the pauses between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The number of attempts that the function may fail, the last one for good; at least 1, which makes the first
    /// failure final.
    pub attempts: u32,
    /// The pauses after failures of the function, with full jitter, so that many that failed together come back apart.
    pub after_failure: Growth,
    /// The longest pause after an attempt that the platform could not run.
    pub longest_not_run: Duration,
    /// The longest time from acceptance to the start of another attempt; none: without a limit.
    pub max_age: Option<Duration>,
    /// The number of attempts that may be lost after they began, the last one for good; at least 1. What did not begin
    /// does not count.
    pub max_losses: u32,
}

/// Pauses that double with every try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// The bounds by which a claim is granted; the store applies them.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// The number of lost attempts after which an invocation is not run again.
    pub most_losses: u32,
    /// The end of an invocation by the claim after those.
    pub exhausted: Ending,
}

impl Policy {
    /// The default: a failure of the function is final. An attempt that the platform could not run is tried again, for as
    /// long as that takes; one that began and was lost, ten times: a function that takes its host down with it must not
    /// go on for ever.
    pub const DEFAULT: Self = Self {
        attempts: 1,
        after_failure: Growth { first: Duration::from_secs(1), longest: Duration::from_secs(300) },
        longest_not_run: Duration::from_secs(300),
        max_age: None,
        max_losses: 10,
    };

    /// Returns the bounds of claims.
    pub fn claims(&self) -> Claims {
        let exhausted = Ending {
            reason: Some(Reason::Platform),
            dead_letter: true,
            ..Ending::in_state(State::Failed)
        };
        Claims { most_losses: self.max_losses, exhausted }
    }

    /// Returns the pause after a failure of the function, its `failures`th (from 1): a random part, `chance`, of a
    /// bound that doubles with every failure.
    pub fn pause_failed(&self, failures: u32, chance: f64) -> Duration {
        let Growth { first, longest } = self.after_failure;
        doubled(first, failures, longest).mul_f64(chance.clamp(0.0, 1.0))
    }

    /// Returns the pause after an attempt that could not run: the manager's proposal after the first attempt, doubled
    /// after every further one.
    pub fn pause_not_run(&self, proposed: Duration, attempt: u32) -> Duration {
        doubled(proposed, attempt, self.longest_not_run)
    }

    /// Returns the pause after an attempt that was lost, the `losses`th (from 1): whatever killed it may go on for some
    /// seconds.
    pub fn pause_lost(&self, losses: u32) -> Duration {
        doubled(FIRST_AFTER_LOSS, losses, self.longest_not_run)
    }

    /// Returns whether an attempt that begins `after` from now would come too late.
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

/// Returns `first` for number 1, doubled with every further number, up to `longest`.
fn doubled(first: Duration, number: u32, longest: Duration) -> Duration {
    /// With more, every pause but zero is longer than a month.
    const DOUBLINGS: u32 = 22;
    first.saturating_mul(1 << number.saturating_sub(1).min(DOUBLINGS)).min(longest)
}

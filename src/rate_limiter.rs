//! Keeps what comes to a rate: a number of requests or calls in a period.
//!
//! A whole period's number may come at once. From then on each is followed by the next one after an equal share of the
//! period: of `100/s` 100 at once, then one every 10 ms. After a period in which nothing came, a whole number may come at
//! once again. So the least favourable period has less than twice the number, and in the long run it is the rate.

use std::fmt;

use governor::{
    Quota, RateLimiter as Governor,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

use crate::model::RateLimit;

/// Counts what comes, and says when it is too much. It is a few numbers, without a lock: a check takes some nanoseconds.
pub struct RateLimiter<C: Clock = MonotonicClock> {
    limit: RateLimit,
    governor: Governor<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

impl RateLimiter {
    /// Makes one that nothing has come to.
    pub fn new(limit: RateLimit) -> Self {
        Self::with_clock(limit, MonotonicClock)
    }
}

impl<C: Clock> RateLimiter<C> {
    fn with_clock(limit: RateLimit, clock: C) -> Self {
        // Never zero: the shortest period is a second, and the largest number has seven digits.
        let share = limit.per / limit.count.get();
        let quota = Quota::with_period(share).expect("a share of a period").allow_burst(limit.count);
        Self { limit, governor: Governor::direct_with_clock(quota, clock) }
    }

    /// Returns the limit that it keeps to.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Counts one more. The error says that it is too much, and does not count: it is the number of whole seconds after
    /// which another one may come, at least 1.
    pub fn check(&self) -> Result<(), u64> {
        self.governor.check().map_err(|not_until| {
            let left = not_until.wait_time_from(self.governor.clock().now());
            let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            whole.max(1)
        })
    }
}

impl<C: Clock> fmt::Debug for RateLimiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimiter({})", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(limit: &str) -> (RateLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (RateLimiter::with_clock(limit.parse().unwrap(), clock.clone()), clock)
    }

    /// How many of so many checks pass.
    fn passing(limiter: &RateLimiter<FakeRelativeClock>, checks: usize) -> usize {
        (0..checks).filter(|_| limiter.check().is_ok()).count()
    }

    #[test]
    fn a_whole_periods_number_may_come_at_once_and_then_an_equal_share_of_it() {
        let (limiter, clock) = limiter("100/s");
        assert_eq!(passing(&limiter, 300), 100);
        clock.advance(Duration::from_millis(10));
        assert_eq!(passing(&limiter, 300), 1);
        clock.advance(Duration::from_millis(255));
        assert_eq!(passing(&limiter, 300), 25);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(passing(&limiter, 300), 100, "no more is saved up");
    }

    #[test]
    fn each_period_has_its_length() {
        for (limit, count, share) in
            [("2/s", 2, Duration::from_millis(500)), ("60/m", 60, Duration::from_secs(1))]
        {
            let (limiter, clock) = limiter(limit);
            assert_eq!(passing(&limiter, 100), count, "{limit}");
            clock.advance(share - Duration::from_millis(1));
            assert_eq!(passing(&limiter, 100), 0, "{limit}");
            clock.advance(Duration::from_millis(1));
            assert_eq!(passing(&limiter, 100), 1, "{limit}");
        }
    }

    #[test]
    fn what_is_too_much_is_told_when_another_one_may_come() {
        let (fast, _clock) = limiter("100/s");
        assert_eq!((passing(&fast, 100), fast.check()), (100, Err(1)));
        let (slow, clock) = limiter("1/h");
        assert_eq!(slow.check(), Ok(()));
        assert_eq!(slow.check(), Err(3600));
        clock.advance(Duration::from_millis(500));
        assert_eq!(slow.check(), Err(3600), "a second that has begun counts");
        clock.advance(Duration::from_millis(3_598_600));
        assert_eq!(slow.check(), Err(1));
        clock.advance(Duration::from_millis(900));
        assert_eq!(slow.check(), Ok(()));
    }

    #[test]
    fn the_largest_rate_and_the_smallest_one_count_by_the_monotonic_clock() {
        assert_eq!(RateLimiter::new("9999999/s".parse().unwrap()).check(), Ok(()));
        let limiter = RateLimiter::new("1/h".parse().unwrap());
        assert_eq!(limiter.limit().to_string(), "1/h");
        assert_eq!(limiter.check(), Ok(()));
        assert!(limiter.check().is_err());
        assert_eq!(format!("{limiter:?}"), "RateLimiter(1/h)");
    }
}

//! How far the other side of a connection is behind a least rate.

use std::time::Duration;

/// How far somebody is behind a least rate of bytes, who is waited for. Bytes that come fast gain no time to hold what they take:
/// nobody is ever ahead.
#[derive(Default)]
pub(super) struct Pace {
    behind: Duration,
}

impl Pace {
    /// A wait is over, and this number of bytes has come of it, where `rate` bytes per second are the least.
    pub(super) fn came(&mut self, waited: Duration, bytes: u64, rate: u64) {
        let worth = Duration::from_millis(bytes.saturating_mul(1000) / rate.max(1));
        self.behind = (self.behind + waited).saturating_sub(worth);
    }

    /// Returns the time for which it may still be waited, if it may fall behind by `slack`.
    pub(super) fn left(&self, slack: Duration) -> Duration {
        slack.saturating_sub(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_too_slow_however_evenly_it_comes() {
        let (seconds, slack) = (Duration::from_secs, Duration::from_secs(60));
        let mut pace = Pace::default();
        pace.came(seconds(59), 16 * 1024, 1024);
        assert_eq!(pace.left(slack), seconds(17));
        pace.came(seconds(17), 0, 1024);
        assert_eq!(pace.left(slack), Duration::ZERO);
        pace.came(seconds(1), 6 * 1024 * 1024, 1024);
        assert_eq!(pace.left(slack), slack, "it is not ahead either");
    }
}

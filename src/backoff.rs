//! Pauses between the attempts of something that stays away.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double from `first` up to `longest`, without an end. Each is lengthened by a random part of itself,
/// so that many that lost the same server do not come back to it in the same moment.
#[derive(Debug)]
pub struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
    longest: Duration,
    is_fresh: bool,
}

impl Backoff {
    /// Begins with about `first`; no pause is longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter();
        Self { builder, pauses: builder.build(), longest, is_fresh: true }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        self.is_fresh = false;
        self.pauses.next().expect("it has no last one").min(self.longest)
    }

    /// Sleeps for the next pause. Dropped, the pause counts as used.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }

    /// Returns whether there was no pause yet since it was made or last reset.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// After a success: the next pause is the first one again.
    pub fn reset(&mut self) {
        self.pauses = self.builder.build();
        self.is_fresh = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_begin_anew_after_a_success() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, longest);
        for _ in 0..2 {
            assert!(backoff.is_fresh());
            let pause = backoff.next_pause();
            assert!(pause >= first && pause <= 2 * first, "{pause:?}");
            assert!(!backoff.is_fresh());
            for _ in 0..20 {
                backoff.next_pause();
            }
            let pause = backoff.next_pause();
            assert_eq!(pause, longest);
            backoff.reset();
        }
    }
}

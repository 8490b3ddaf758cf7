//! The decision whether and when an ended child is restarted: pure.

use std::time::Duration;

/// The first pause; it doubles with each end, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// The lifetime after which a child that ends is restarted with the first pause again.
const STABLE: Duration = Duration::from_secs(60);
/// The time within which a child that exits with a refusal has failed to start.
const START: Duration = Duration::from_secs(5);
/// The number of failed starts in a row after which the role is given up: for example, a password is wrong.
pub const MAX_FAILED_STARTS: u32 = 5;

/// The history of one role's children.
#[derive(Debug)]
pub struct Restarts {
    pause: Duration,
    failed_starts: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Again(Duration),
    GiveUp,
}

impl Restarts {
    pub fn new() -> Self {
        Self { pause: FIRST, failed_starts: 0 }
    }

    /// Records that a child ended after `life`; `code` is its exit code, `None` if a signal killed it.
    pub fn ended(&mut self, life: Duration, code: Option<i32>) -> Next {
        // Exit codes 2 and 3 say that the role cannot run; a panic or a kill is another matter.
        let refused = life < START && matches!(code, Some(2 | 3));
        self.failed_starts = if refused { self.failed_starts + 1 } else { 0 };
        if self.failed_starts == MAX_FAILED_STARTS {
            return Next::GiveUp;
        }
        if life >= STABLE {
            self.pause = FIRST;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        Next::Again(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn the_pause_doubles_and_a_long_life_resets_it() {
        let mut restarts = Restarts::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let Next::Again(pause) = restarts.ended(SHORT, None) else { panic!("given up") };
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(restarts.ended(STABLE, Some(101)), Next::Again(FIRST));
    }

    #[test]
    fn only_refusals_in_a_row_end_it() {
        let mut restarts = Restarts::new();
        for _ in 0..MAX_FAILED_STARTS - 1 {
            assert_ne!(restarts.ended(SHORT, Some(3)), Next::GiveUp);
        }
        assert_ne!(restarts.ended(START, Some(3)), Next::GiveUp, "it had started");
        for _ in 0..MAX_FAILED_STARTS - 1 {
            assert_ne!(restarts.ended(SHORT, Some(2)), Next::GiveUp);
        }
        assert_eq!(restarts.ended(SHORT, Some(3)), Next::GiveUp);
    }
}

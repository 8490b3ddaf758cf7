//! Functions that cannot be started here, because of this host or its engine: after some failures in a row their queued
//! invocations are left to other managers for a while, and are then tried here again. A host whose engine is away would
//! otherwise draw all of them, since nothing holds it up. Callers who wait come here only where no other has room.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::model::FunctionId;

/// Failures in a row; one after a pause is enough.
const FAILURES: u32 = 3;
/// Short, as whatever the host lacked may be back, and there may be no other manager.
const PAUSE: Duration = Duration::from_secs(5);

/// Which functions are stalled, and until when. Pure.
#[derive(Debug, Default)]
pub struct Stalls(HashMap<FunctionId, Stall>);

#[derive(Debug, Default)]
struct Stall {
    failures: u32,
    /// Nothing is taken from its queue before then.
    until: Option<Instant>,
}

impl Stalls {
    /// A start has failed because the platform could not make it. Returns whether the function is stalled now and was
    /// not before.
    pub fn failed(&mut self, function: FunctionId, now: Instant) -> bool {
        let stall = self.0.entry(function).or_default();
        stall.failures += 1;
        // Other starts that had begun before it was stalled say nothing new.
        if stall.failures < FAILURES || stall.until.is_some() {
            return false;
        }
        stall.until = Some(now + PAUSE);
        true
    }

    /// A start has succeeded, or failed through the function's own fault. Returns whether it was stalled.
    pub fn succeeded(&mut self, function: FunctionId) -> bool {
        self.0.remove(&function).is_some_and(|stall| stall.until.is_some())
    }

    /// Ends the pauses that are over. Returns whether there were any.
    pub fn try_again(&mut self, now: Instant) -> bool {
        let mut any = false;
        for stall in self.0.values_mut() {
            if stall.until.is_some_and(|until| until <= now) {
                stall.until = None;
                any = true;
            }
        }
        any
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|stall| stall.until).min()
    }

    pub fn is_stalled(&self, function: FunctionId) -> bool {
        self.0.get(&function).is_some_and(|stall| stall.until.is_some())
    }

    pub fn stalled(&self) -> HashSet<FunctionId> {
        self.0.iter().filter(|(_, stall)| stall.until.is_some()).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_stall_a_function_and_then_each() {
        let (mut stalls, mut now) = (Stalls::default(), Instant::now());
        let (one, other) = (FunctionId::new(), FunctionId::new());
        assert!(!stalls.failed(one, now) && !stalls.failed(one, now));
        assert!(!stalls.succeeded(one), "not in a row");
        assert!(!stalls.failed(one, now) && !stalls.failed(one, now) && !stalls.failed(other, now));
        assert!(stalls.failed(one, now));
        assert!(!stalls.failed(one, now), "it is already");
        assert_eq!(stalls.stalled(), [one].into());
        for _ in 0..3 {
            assert_eq!(stalls.next_deadline(), Some(now + PAUSE));
            assert!(!stalls.try_again(now + PAUSE - Duration::from_millis(1)));
            now += PAUSE;
            assert!(stalls.try_again(now) && !stalls.is_stalled(one));
            assert!(stalls.failed(one, now), "one failure is enough");
        }
        assert!(
            stalls.succeeded(one) && stalls.stalled().is_empty() && stalls.next_deadline().is_none()
        );
        assert!(!stalls.failed(one, now), "three again");
    }
}

//! Managers that were lost: those whose leases nobody renews, as seen by watching them. No clock of another host has a
//! say in it, nor the wall clock of this one.
//!
//! ```text
//!  look ─▶ renewed since the last one: it lives ─▶ counted from now
//!       ─▶ not renewed for PATIENCE, and every look in it was answered in time ─▶ its lease is ended
//!  a look that came late or was not answered: this process, its machine or the store stood still, and so,
//!  perhaps, did everybody: counted from now
//! ```

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    model::OwnerId,
    store::{Lease, Renewed},
};

/// A manager that has not renewed its lease for this long is lost; it does so every three seconds.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Looks that are further apart than this do not show that nothing happened in between; there is one every second.
const GAP: Duration = Duration::from_secs(3);

/// What was seen of the leases so far. Pure: the looks are made elsewhere.
#[derive(Debug)]
pub struct LeaseWatch {
    seen: HashMap<OwnerId, Seen>,
    looked: Option<Instant>,
    /// The queue is in the memory of this process, so every manager that lives does so here: it ends when we do.
    is_alone: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    renewed: Renewed,
    since: Instant,
    /// It was renewed while it was watched.
    is_alive: bool,
}

impl LeaseWatch {
    pub fn new(is_alone: bool) -> Self {
        Self { seen: HashMap::new(), looked: None, is_alone }
    }

    /// Takes what a look has found; `now` is from before it began. Returns the leases that are to be ended, if
    /// they are still as they were found.
    pub fn look(&mut self, leases: &[Lease], now: Instant) -> Vec<Lease> {
        let was_away = self.looked.is_none_or(|looked| now.saturating_duration_since(looked) > GAP);
        self.looked = Some(now);
        self.seen.retain(|owner, _| leases.iter().any(|lease| lease.owner == *owner));
        let mut lost = Vec::new();
        for lease in leases {
            let new = Seen { renewed: lease.renewed, since: now, is_alive: false };
            let seen = self.seen.entry(lease.owner).or_insert(new);
            if seen.renewed != lease.renewed {
                *seen = Seen { is_alive: true, ..new };
            } else if was_away {
                seen.since = now;
            }
            let is_ours = self.is_alone && seen.is_alive;
            if !is_ours && now.saturating_duration_since(seen.since) >= PATIENCE {
                lost.push(*lease);
            }
        }
        lost
    }

    /// What a look found could not be acted on: the store does not take writes, renewals neither.
    pub fn forget_looks(&mut self) {
        self.looked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(renewals: i64) -> Lease {
        let owner = OwnerId(uuid::Uuid::from_u128(7));
        Lease { owner, renewed: Renewed::example(renewals) }
    }

    /// Looks once a second at a lease that is never renewed; the gap, in seconds, stands before the look of that number.
    fn lost_after(mut watch: LeaseWatch, gap: Option<(u64, u64)>) -> Option<u64> {
        let start = Instant::now();
        let mut now = start;
        for look in 1..100 {
            if !watch.look(&[lease(1)], now).is_empty() {
                return Some((now - start).as_secs());
            }
            now += SECOND;
            if let Some((at, seconds)) = gap
                && at == look
            {
                now += SECOND * u32::try_from(seconds).unwrap();
            }
        }
        None
    }

    #[test]
    fn a_lease_that_nobody_renews_is_lost_after_ten_seconds_of_looking() {
        assert_eq!(lost_after(LeaseWatch::new(false), None), Some(10));
        assert_eq!(
            lost_after(LeaseWatch::new(true), None),
            Some(10),
            "left by a process before this one"
        );
    }

    #[test]
    fn a_pause_of_the_watcher_is_no_silence_of_the_watched() {
        assert_eq!(lost_after(LeaseWatch::new(false), Some((5, 600))), Some(615));
        assert_eq!(
            lost_after(LeaseWatch::new(false), Some((5, 1))),
            Some(10),
            "looks may be a little late"
        );
    }

    #[test]
    fn one_that_is_renewed_lives_however_slowly_it_is_renewed_by_any_clock() {
        let mut watch = LeaseWatch::new(false);
        let start = Instant::now();
        for second in 0..100 {
            let now = start + SECOND * second;
            assert_eq!(watch.look(&[lease(i64::from(second / 9))], now), []);
        }
    }

    /// As on a disk whose commits take seconds: a renewal is seen after its commit, and reads wait for those.
    #[test]
    fn a_store_that_answers_late_shows_no_silence_however_late_renewals_are_seen() {
        let mut watch = LeaseWatch::new(false);
        let start = Instant::now();
        for look in 0..100 {
            let now = start + 4 * SECOND * look;
            assert_eq!(watch.look(&[lease(i64::from(look / 4))], now), [], "look {look}");
        }
    }

    #[test]
    fn a_store_that_does_not_take_the_end_of_a_lease_may_not_take_renewals_either() {
        let mut watch = LeaseWatch::new(false);
        let start = Instant::now();
        let looks = |watch: &mut LeaseWatch, from: u32| {
            (from..).find(|second| !watch.look(&[lease(1)], start + SECOND * *second).is_empty())
        };
        assert_eq!(looks(&mut watch, 0), Some(10));
        watch.forget_looks();
        assert_eq!(looks(&mut watch, 11), Some(21));
    }

    #[test]
    fn a_manager_of_the_only_process_is_never_lost_to_it() {
        let mut watch = LeaseWatch::new(true);
        let start = Instant::now();
        assert_eq!(watch.look(&[lease(1)], start), []);
        for second in 1..100 {
            assert_eq!(watch.look(&[lease(2)], start + SECOND * second), []);
        }
    }
}

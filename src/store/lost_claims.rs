//! Claims whose answer never reached the manager: they must not stay `running` under a lease that keeps being renewed,
//! for then they would never run.
//!
//! A claim is noted before it is sent and forgotten when its answer arrives. The ones left over (the connection was
//! lost, or the caller dropped the future) are given back when the same owner next renews its lease, *before* it is
//! renewed: so the row either becomes due again or its owner is found to be lost. Since a server may still be about to execute what
//! it was sent, that is repeated for [`LATEST`].

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::Wanted;
use crate::model::{InvocationId, OwnerId, RevisionNumber};

/// The time after which a statement that was sent has been executed, or its connection is found dead: a server executes
/// what is in its socket within milliseconds unless a lock is in the way.
const LATEST: Duration = Duration::from_secs(60);

/// A claim that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentClaim {
    pub id: InvocationId,
    pub revision: RevisionNumber,
    pub owner: OwnerId,
    /// The token that only this claim stores with the row.
    pub token: Uuid,
    sent: Instant,
}

/// The claims that were lost; bounded by those that one process has under way at once during one outage.
#[derive(Default)]
pub(super) struct LostClaims(Mutex<Vec<SentClaim>>);

impl LostClaims {
    /// Notes claims that are sent together; the value has to be kept until the answer arrives.
    pub fn send(&self, wanted: &[Wanted], owner: OwnerId) -> Sent<'_> {
        let sent = Instant::now();
        let claim =
            |&Wanted { id, revision }| SentClaim { id, revision, owner, token: Uuid::now_v7(), sent };
        Sent { claims: wanted.iter().map(claim).collect(), lost: Some(self) }
    }

    /// Returns the lost claims of this owner.
    pub fn of(&self, owner: OwnerId) -> Vec<SentClaim> {
        self.lock().iter().copied().filter(|claim| claim.owner == owner).collect()
    }

    /// Forgets those of `claims` that can no longer take effect.
    pub fn given_back(&self, claims: &[SentClaim]) {
        self.lock().retain(|claim| !claims.contains(claim) || claim.sent.elapsed() < LATEST);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SentClaim>> {
        // The list is valid even if a thread panicked while it was locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Claims on their way; dropping it without [`Sent::answered`] notes them as lost.
pub(super) struct Sent<'a> {
    pub claims: Vec<SentClaim>,
    lost: Option<&'a LostClaims>,
}

impl Sent<'_> {
    /// Forgets the claims: their answer has arrived.
    pub fn answered(mut self) {
        self.lost = None;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(lost) = self.lost {
            lost.lock().append(&mut self.claims);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_claims_without_an_answer_are_left_and_only_to_their_owner() {
        let lost = LostClaims::default();
        let (owner, other) = (OwnerId::new(), OwnerId::new());
        let wanted = [Wanted { id: InvocationId::new(), revision: RevisionNumber(1) }];
        lost.send(&wanted, owner).answered();
        let sent = lost.send(&wanted, owner);
        let mut claim = sent.claims[0];
        drop(sent);
        assert_eq!(lost.of(owner), [claim]);
        assert_eq!(lost.of(other), []);
        lost.given_back(&[claim]);
        assert_eq!(lost.of(owner), [claim], "it may still come into effect");
        let Some(long_ago) = claim.sent.checked_sub(LATEST) else { return };
        lost.lock()[0].sent = long_ago;
        claim.sent = long_ago;
        lost.given_back(&[claim]);
        assert_eq!(lost.of(owner), []);
    }
}

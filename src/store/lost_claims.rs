//! Claims whose answer never reached the manager: they must not stay `running` under a lease that
//! goes on being renewed, for then nobody would ever run them.
//!
//! A claim is noted before it is sent and forgotten when its answer is there. What is left over (the
//! connection was lost, or the caller dropped the future) is given back when the same owner next renews
//! its lease, *before* it is renewed: so the row either becomes due again or its lease expires.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::model::{InvocationId, OwnerId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentClaim {
    pub id: InvocationId,
    pub owner: OwnerId,
    /// Stored with the row by this claim alone.
    pub token: Uuid,
}

/// Bounded by the claims of one process that are under way at once, during one outage.
#[derive(Default)]
pub(super) struct LostClaims(Mutex<Vec<SentClaim>>);

impl LostClaims {
    /// To be kept until the answer is there.
    pub fn send(&self, id: InvocationId, owner: OwnerId) -> Sent<'_> {
        Sent { claim: SentClaim { id, owner, token: Uuid::now_v7() }, lost: Some(self) }
    }

    pub fn of(&self, owner: OwnerId) -> Vec<SentClaim> {
        self.lock().iter().copied().filter(|claim| claim.owner == owner).collect()
    }

    pub fn settled(&self, claims: &[SentClaim]) {
        self.lock().retain(|claim| !claims.contains(claim));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SentClaim>> {
        // The list is whole whatever panicked while it was locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim on its way; dropping it without [`Sent::answered`] notes it as lost.
pub(super) struct Sent<'a> {
    pub claim: SentClaim,
    lost: Option<&'a LostClaims>,
}

impl Sent<'_> {
    pub fn answered(mut self) {
        self.lost = None;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(lost) = self.lost {
            lost.lock().push(self.claim);
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
        lost.send(InvocationId::new(), owner).answered();
        let sent = lost.send(InvocationId::new(), owner);
        let claim = sent.claim;
        drop(sent);
        assert_eq!(lost.of(owner), [claim]);
        assert_eq!(lost.of(other), []);
        lost.settled(&[claim]);
        assert_eq!(lost.of(owner), []);
    }
}

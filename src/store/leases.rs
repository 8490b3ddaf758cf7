//! Manager processes: their leases, what they claim under them, and the instances that they report.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{Body, FunctionId, InstanceId, InvocationId, ManagerId, OwnerId, RevisionNumber};

/// Leases of manager processes, and claims under them.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes an invocation that is queued, or retrying and due, or running under an expired lease, to `running` with the
    /// next attempt number. None when it is not available: ended, taken, not due, or unknown. Where it was claimed as
    /// often as [`lifecycle::Policy::claims`] allows, this ends it instead (None). A claim whose answer did not arrive,
    /// since the caller was dropped or the connection was lost, becomes due again when `owner` next renews its lease.
    ///
    /// [`lifecycle::Policy::claims`]: crate::lifecycle::Policy::claims
    async fn claim(&self, id: InvocationId, owner: OwnerId) -> Result<Option<Claim>, Error>;
    /// Creates or renews the lease of a manager process, `ttl` from now on the store's clock. Claims of
    /// this owner whose answers were lost ([`Error::UnknownFate`], or a dropped future) become due before.
    async fn renew_lease(&self, owner: OwnerId, manager: ManagerId, ttl: Duration) -> Result<(), Error>;
    /// Ends a lease at once, with the instances reported under it.
    async fn release_lease(&self, owner: OwnerId) -> Result<(), Error>;
    /// Ends the leases of all processes of a manager at once, with what they reported: for its next
    /// start, which knows that they are gone. What they had claimed can be claimed again.
    async fn release_manager(&self, manager: ManagerId) -> Result<(), Error>;
    /// Replaces what this manager process has reported as its live instances.
    async fn report_instances(
        &self,
        owner: OwnerId,
        instances: &[ReportedInstance],
    ) -> Result<(), Error>;
    /// Live instances of all functions or one, of managers whose lease holds.
    async fn instances(&self, function: Option<FunctionId>) -> Result<Vec<ReportedInstance>, Error>;
    /// The manager processes whose lease holds.
    async fn live_owners(&self) -> Result<Vec<OwnerId>, Error>;
}

/// An invocation that its claimer has to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The number of this attempt, from 1: the fence of everything that is told of it.
    pub attempt: u32,
    /// How many attempts the function has failed before.
    pub failures: u32,
    /// The revision that is active now.
    pub revision: RevisionNumber,
    pub payload: Body,
    pub headers: String,
    pub accepted_at: Timestamp,
}

/// A live instance, as its manager reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedInstance {
    pub id: InstanceId,
    pub manager: ManagerId,
    pub function: FunctionId,
    pub revision: RevisionNumber,
    /// The engine's id of the sandbox.
    pub sandbox: String,
    pub started_at: Timestamp,
}

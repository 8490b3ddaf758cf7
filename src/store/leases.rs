//! Manager processes: their leases, the claims under these, and the instances that they report.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{Body, FunctionId, InstanceId, InvocationId, ManagerId, OwnerId, RevisionNumber};

/// Leases of manager processes, and claims under them.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes an invocation that is queued, or retrying and due, or running under an expired lease, to `running` with
    /// the next attempt number. None when it is not available: ended, taken, not due, or unknown. Where it has had as
    /// many claims as [`lifecycle::Policy::claims`] allows, this ends it instead (none). A claim whose answer did not
    /// arrive, since the caller was dropped or the connection was lost, becomes due again when `owner` next renews its
    /// lease.
    ///
    /// [`lifecycle::Policy::claims`]: crate::lifecycle::Policy::claims
    async fn claim(&self, id: InvocationId, owner: OwnerId) -> Result<Option<Claim>, Error>;
    /// Creates or renews the lease of a manager process, for `ttl` from now on the store's clock. Claims of this owner
    /// whose answers were lost ([`Error::UnknownFate`], or a dropped future) become due first.
    async fn renew_lease(&self, owner: OwnerId, manager: ManagerId, ttl: Duration) -> Result<(), Error>;
    /// Ends a lease at once, and forgets the instances reported under it.
    async fn release_lease(&self, owner: OwnerId) -> Result<(), Error>;
    /// Ends the leases of all processes of a manager at once, with the instances that they reported: for the manager's
    /// next start, when those processes are known to have ended. The invocations they had claimed can be claimed again.
    async fn release_manager(&self, manager: ManagerId) -> Result<(), Error>;
    /// Replaces the list of live instances that this manager process has reported.
    async fn report_instances(
        &self,
        owner: OwnerId,
        instances: &[ReportedInstance],
    ) -> Result<(), Error>;
    /// Returns how many live instances these functions have; those without any are left out.
    async fn live_instances(&self, functions: &[FunctionId]) -> Result<HashMap<FunctionId, u32>, Error>;
    /// Returns the live instances of all functions, or of one, at managers whose lease is valid.
    async fn instances(&self, function: Option<FunctionId>) -> Result<Vec<ReportedInstance>, Error>;
    /// Returns the manager processes whose lease is valid.
    async fn live_owners(&self) -> Result<Vec<OwnerId>, Error>;
}

/// An invocation that its claimer has to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The number of this attempt, from 1: the fence of everything that is reported about it.
    pub attempt: u32,
    /// The number of earlier attempts that the function failed.
    pub failures: u32,
    /// The revision that is active now.
    pub revision: RevisionNumber,
    /// The payload.
    pub payload: Body,
    /// The selected request headers, as a JSON object.
    pub headers: String,
    /// The time of acceptance, on the clock of the scheduler that accepted it.
    pub accepted_at: Timestamp,
}

/// A live instance, as its manager reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedInstance {
    /// Its id.
    pub id: InstanceId,
    /// The manager that runs it.
    pub manager: ManagerId,
    /// Its function.
    pub function: FunctionId,
    /// The revision whose code it holds.
    pub revision: RevisionNumber,
    /// The engine's id of the sandbox.
    pub sandbox: String,
    /// The time of its start, on the manager's clock.
    pub started_at: Timestamp,
}

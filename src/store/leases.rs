//! Manager processes: their leases, the claims under these, and the instances that they report.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::Error;
use crate::model::{
    Body, FunctionId, HttpRequest, InstanceId, InvocationId, ManagerId, OwnerId, RevisionNumber,
    api::Unusable,
};

/// Leases of manager processes, and claims under them.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes invocations for an owner that has an instance for each of them: one that is queued, or retrying and due,
    /// or running under an owner without a lease, becomes `running` with the next attempt number. Returns one answer
    /// per invocation, in order. In the third case an attempt was lost; after as many as
    /// [`lifecycle::Policy::claims`] allows this ends the invocation instead. A claim whose answer did not arrive, since
    /// the caller was dropped or the connection was lost, becomes due again when `owner` next renews its lease.
    ///
    /// [`lifecycle::Policy::claims`]: crate::lifecycle::Policy::claims
    async fn claim(&self, wanted: &[Wanted], owner: OwnerId) -> Result<Vec<Claiming>, Error>;
    /// Creates the lease of a manager process, which has it until it is ended. `ttl` is for hosts of an earlier version,
    /// which judge by the store's clock. Repeating it is a renewal.
    async fn take_lease(&self, owner: OwnerId, manager: ManagerId, ttl: Duration) -> Result<(), Error>;
    /// Renews a lease. False: it was ended, and with it every claim of this owner. Claims of this owner whose answers
    /// were lost ([`Error::UnknownFate`], or a dropped future) become due first.
    async fn renew_lease(&self, owner: OwnerId, ttl: Duration) -> Result<bool, Error>;
    /// Returns the leases that there are.
    async fn leases(&self) -> Result<Vec<Lease>, Error>;
    /// Ends a lease of which it was found that nobody renews it, unless it was renewed since it was read. Returns whether
    /// it has ended.
    async fn end_lease(&self, lease: &Lease) -> Result<bool, Error>;
    /// Returns the invocations that run under this owner.
    async fn running(&self, owner: OwnerId) -> Result<Vec<Running>, Error>;
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
    /// Replaces the list of functions that this manager process cannot run, with the reasons; those of processes without a lease
    /// go as well.
    async fn report_unusable(
        &self,
        owner: OwnerId,
        manager: ManagerId,
        functions: &[(FunctionId, String)],
    ) -> Result<(), Error>;
    /// Returns the managers with a lease that cannot run this function.
    async fn unusable(&self, function: FunctionId) -> Result<Vec<Unusable>, Error>;
    /// Returns the live instances of all functions, or of one, at managers that have a lease.
    async fn instances(&self, function: Option<FunctionId>) -> Result<Vec<ReportedInstance>, Error>;
}

/// An invocation that is to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The invocation.
    pub id: InvocationId,
    /// The revision of the instance that waits for it.
    pub revision: RevisionNumber,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Claiming {
    /// It is the owner's, who has to run it.
    Granted(Box<Claim>),
    /// It is not available: ended, taken, not due, unknown, or its function was deleted.
    Refused,
    /// Another revision of its function is active by now; nothing has changed.
    Moved(RevisionNumber),
    /// The owner has lost its lease; nothing has changed.
    NoLease,
}

/// An invocation that runs, as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The invocation.
    pub id: InvocationId,
    /// Its function.
    pub function: FunctionId,
    /// The number of the attempt.
    pub attempt: u32,
    /// The token of its claim; none where an earlier version made it.
    pub token: Option<Uuid>,
    /// The revision that it runs.
    pub revision: RevisionNumber,
    /// The number of earlier attempts that the function failed.
    pub failures: u32,
    /// The number of earlier attempts that began and were lost.
    pub losses: u32,
    /// The time of acceptance, on the clock of the scheduler that accepted it.
    pub accepted_at: Timestamp,
}

/// The lease of a manager process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process.
    pub owner: OwnerId,
    /// Differs after every renewal, and means nothing else.
    pub renewed: Renewed,
}

/// The state of a lease's renewals; a host of an earlier version changes only the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    pub(super) renewals: i64,
    pub(super) expires_at: i64,
}

#[cfg(test)]
impl Renewed {
    pub(crate) fn example(renewals: i64) -> Self {
        Self { renewals, expires_at: 0 }
    }
}

/// An invocation that its claimer has to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The number of this attempt, from 1: the fence of everything that is reported about it.
    pub attempt: u32,
    /// Recognises this claim, also where a database that lost its last moments gives the number a second time.
    pub token: Uuid,
    /// The number of earlier attempts that the function failed.
    pub failures: u32,
    /// The number of earlier attempts that began and were lost.
    pub losses: u32,
    /// The revision that is active now.
    pub revision: RevisionNumber,
    /// The payload.
    pub payload: Body,
    /// The selected request headers, as a JSON object.
    pub headers: String,
    /// The HTTP request that its function gets; none for other invocations.
    pub http: Option<HttpRequest>,
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

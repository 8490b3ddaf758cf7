//! Records of invocations, and the deletion of old ones.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{
    Body, FunctionId, FunctionName, FunctionPattern, IdPart, InvocationId, Record, State,
};

/// The number of newest invocations that are searched for the end of an id, or for functions by patterns, for which there is
/// no index.
pub const RECENT: u32 = 100_000;

/// Records of invocations that run or have ended.
#[async_trait]
pub trait History: Send + Sync {
    /// Inserts finished sync records; leaves a record that exists already as it is.
    async fn write_sync(&self, records: &[Arc<SyncRecord>]) -> Result<(), Error>;
    /// Returns a record; none when there is no such invocation.
    async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error>;
    /// Returns the result; none when there is no such invocation or it has no result.
    async fn result(&self, id: InvocationId) -> Result<Option<StoredResult>, Error>;
    /// Returns the records that match, newest first.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error>;
    /// Returns invocations whose id begins or ends with that part, newest first, at most `limit`; ends are looked for
    /// among the newest [`RECENT`] ones only. Only those of these functions, or all where there are no patterns; with
    /// patterns, beginnings are looked for among the newest [`RECENT`] of them only.
    async fn find_invocations(
        &self,
        part: &IdPart,
        functions: &[FunctionPattern],
        limit: u32,
    ) -> Result<Vec<InvocationId>, Error>;
    /// Deletes terminal records and log lines older than `age`, at most `limit` of each; the deleted async records are
    /// counted as pruned. Returns the number of deleted rows: none when nothing is left. [`prune_all`] calls it until
    /// then.
    ///
    /// [`prune_all`]: super::prune_all
    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error>;
    /// Returns what [`History::prune`] with that age and [`Functions::prune_revisions`] with that `keep` would delete
    /// now.
    ///
    /// [`Functions::prune_revisions`]: super::Functions::prune_revisions
    async fn prunable(&self, age: Duration, keep: u32) -> Result<Prunable, Error>;
    /// Returns the space of deleted rows to the disk, in bytes; none where the store does that itself. Writes wait
    /// meanwhile.
    async fn vacuum(&self) -> Result<Option<u64>, Error>;
}

/// The 1st of January 2020, in milliseconds: what is told to have happened before was told by a host whose clock was not
/// set, and gets the time of the store as soon as that is set.
pub(super) const NO_CLOCK: i64 = 1_577_836_800_000;

/// A finished sync invocation.
#[derive(Clone, Debug)]
pub struct SyncRecord {
    /// Its function.
    pub function: FunctionId,
    /// Its record, with a terminal state.
    pub record: Record,
    /// The result; none without one, or where it was dropped.
    pub result: Option<Body>,
}

/// The result of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResult {
    /// The bytes, with their type.
    pub body: Body,
    /// The status of the answer to an HTTP request; none of other invocations.
    pub http_status: Option<u16>,
}

/// The amounts that could be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    /// The number of revisions.
    pub revisions: u64,
    /// The number of bundles, and their bytes.
    pub bundles: (u64, u64),
    /// The number of trees of installed packages, and the bytes of their pieces.
    pub packages: (u64, u64),
    /// The number of records, and the bytes of their payloads and results.
    pub invocations: (u64, u64),
    /// The number of log lines, and their bytes.
    pub log_lines: (u64, u64),
}

/// A choice of records; all conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Only those of this function, by name.
    pub function: Option<FunctionName>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those accepted at or after this time.
    pub since: Option<Timestamp>,
    /// Only those that ended between these times, both included; then the order is that of their ends, the latest
    /// first.
    pub ended: Option<(Timestamp, Timestamp)>,
    /// Only records older than this one: the last of the page before.
    pub before: Option<InvocationId>,
    /// At most this number of records.
    pub limit: u32,
}

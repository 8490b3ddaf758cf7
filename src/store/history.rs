//! Records of invocations, and how old ones go.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{Body, FunctionId, FunctionName, IdPart, InvocationId, Record, State};

/// How many invocations are looked through for the end of an id, of which there is no index.
pub const RECENT: u32 = 100_000;

/// Records of invocations that run or have ended.
#[async_trait]
pub trait History: Send + Sync {
    /// Inserts finished sync records; a record that is there already is left alone.
    async fn write_sync(&self, records: &[Arc<SyncRecord>]) -> Result<(), Error>;
    /// None when there is no such invocation.
    async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error>;
    /// The result's bytes; None when there is no such invocation or it has no result.
    async fn result(&self, id: InvocationId) -> Result<Option<Body>, Error>;
    /// Newest first.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error>;
    /// Invocations whose id begins or ends with that part, newest first; ends are looked for among the
    /// newest [`RECENT`] ones only. At most `limit`.
    async fn find_invocations(&self, part: &IdPart, limit: u32) -> Result<Vec<InvocationId>, Error>;
    /// Deletes terminal records and log lines older than `age`, at most `limit` of each; the
    /// deleted async records are counted as pruned. Returns how many rows went.
    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error>;
    /// Answers what [`History::prune`] with that age and [`Functions::prune_revisions`] with that `keep` would delete now.
    ///
    /// [`Functions::prune_revisions`]: super::Functions::prune_revisions
    async fn prunable(&self, age: Duration, keep: u32) -> Result<Prunable, Error>;
    /// Gives room that deleted rows leave back to the disk, in bytes; None where the store does that itself.
    /// Writes wait meanwhile.
    async fn vacuum(&self) -> Result<Option<u64>, Error>;
}

/// A finished sync invocation.
#[derive(Clone, Debug)]
pub struct SyncRecord {
    pub function: FunctionId,
    pub record: Record,
    pub result: Option<Body>,
}

/// How much could be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    pub revisions: u64,
    /// A count with its bytes; so the others.
    pub bundles: (u64, u64),
    pub invocations: (u64, u64),
    pub log_lines: (u64, u64),
}

/// Which records; all conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    pub function: Option<FunctionName>,
    pub state: Option<State>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// Ended from then until then, both included; then the order is that of their ends, the latest first.
    pub ended: Option<(Timestamp, Timestamp)>,
    /// Only records older than this one: the last of the page before.
    pub before: Option<InvocationId>,
    /// At most this many.
    pub limit: u32,
}

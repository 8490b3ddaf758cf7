//! The store seam: what must survive. Functions, revisions, bundles, invocation records, logs.
//!
//! Every method is one transaction: after an error nothing of it has happened, with the exception of
//! [`Error::UnknownFate`]. Dropping a future of a method leaves open whether it happened. Times and
//! leases are read from the store's own clock, so that hosts need not agree on theirs.
//!
//! Invariant 5 is kept inside these transactions: `accepted = queued + retrying + running + terminal
//! + pruned` for async invocations, see [`Totals`].

mod failure;
mod lost_claims;
mod methods;
mod postgres;
mod reads;
mod refusals;
mod rows;
mod sqlite;
mod survey;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

pub use survey::{Migrations, Survey, survey};

use crate::{
    model::SecretUrl,
    model::{
        AttemptRecord, Body, Digest, Function, FunctionId, FunctionName, FunctionSpec, IdPart,
        InstanceId, InvocationId, LogLine, ManagerId, OwnerId, Phase, Record, Revision, RevisionNumber,
        Start, State,
    },
};

/// An async invocation is dead after so many claims, whatever the reasons; it then ends `failed`
/// with the reason `platform`.
pub const MAX_CLAIMS: u32 = 10;

/// A queued row that was published but not claimed is published again after this long, doubled
/// with every time. A duplicate is harmless (the second claim is refused), a lost message is not.
pub const REPUBLISH_AFTER: Duration = Duration::from_secs(60);

/// How many invocations are looked through for the end of an id, of which there is no index.
pub const RECENT: u32 = 100_000;

/// Cheap to share; safe to call from many tasks at once.
#[async_trait]
pub trait Store: Send + Sync {
    /// For `status` and the startup text: `postgres` or `sqlite`.
    fn kind(&self) -> &'static str;

    /// A round trip, for readiness. After a write that its disk refused, and where that has next to no room,
    /// another write is tried: [`Error::Unwritable`] while it is refused, though reads go on.
    async fn ping(&self) -> Result<(), Error>;
    /// Writes that the disk refused, since the process began.
    fn refused(&self) -> u64;

    // Blobs: sources and bundles, by their digest.

    /// Stores bytes under their digest; no effect when they are there.
    async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error>;
    /// None when there is no such blob.
    async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error>;

    // Functions and revisions.

    /// Adds a revision with the next number to the function of that name, creating the function
    /// where it is missing, and makes it active: atomically. [`Error::Missing`] when its bundle is not
    /// stored: it may have gone with the last function that used it, so store it and ask again.
    async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error>;
    /// Makes an existing revision active. [`Error::Missing`] when the function or revision is not
    /// there; [`Error::Conflict`] when `expected` is given and another revision is active.
    async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
        expected: Option<RevisionNumber>,
    ) -> Result<Function, Error>;
    /// None when no function has this name.
    async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error>;
    /// All functions, by name.
    async fn functions(&self) -> Result<Vec<Function>, Error>;
    /// All functions with their active revisions, by name, in one query; or this one, if it is there.
    async fn active_functions(&self, only: Option<FunctionId>) -> Result<Vec<ActiveFunction>, Error>;
    /// None when the function or that revision is not there.
    async fn revision(
        &self,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, Error>;
    /// Newest first; empty for an unknown function.
    async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error>;
    /// Sets what the seed's PATCH reports. None when no function has this name.
    async fn report_warm(&self, name: &FunctionName, warm: bool) -> Result<Option<Function>, Error>;
    /// Deletes the function with its revisions, logs and no longer used blobs. Its waiting invocations
    /// (queued, retrying) end `cancelled` with reason `function_deleted`; running ones go on, and all
    /// records stay. None when no function has this name.
    async fn delete_function(&self, name: &FunctionName) -> Result<Option<Function>, Error>;

    /// Deletes revisions beyond the newest `keep` of each function, or of one, with the blobs that no other
    /// revision names; never the active one, nor one with live instances or running invocations. Without a
    /// function also blobs that no revision has named for an hour, as deploys that failed leave them. Answers
    /// the functions that lost one.
    async fn prune_revisions(
        &self,
        keep: u32,
        function: Option<FunctionId>,
    ) -> Result<Vec<FunctionId>, Error>;
    /// What [`Store::prune`] and [`Store::prune_revisions`] would delete now.
    async fn prunable(&self, age: Duration, keep: u32) -> Result<Prunable, Error>;
    /// The digests that the revisions of all functions are made of.
    async fn named_bundles(&self) -> Result<Vec<NamedBundle>, Error>;
    /// Gives room that deleted rows leave back to the disk, in bytes; None where the store does that itself.
    /// Writes wait meanwhile.
    async fn vacuum(&self) -> Result<Option<u64>, Error>;

    // Async invocations.

    /// Inserts rows as `queued` and counts them, in one commit that is on disk when this returns.
    /// [`NewInvocation::announcement`] says who publishes.
    /// One answer per row, in order: false when its function is gone (that row was not inserted).
    async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error>;
    /// Notes that messages for these rows were confirmed by the queue.
    async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error>;
    /// Takes an invocation that is queued, or retrying and due, or running with an expired lease,
    /// to `running` with the next attempt number. None when it is not to be had (done, taken, not
    /// due, unknown). The [`MAX_CLAIMS`]th + 1 claim ends it instead (None).
    async fn claim(&self, id: InvocationId, owner: OwnerId) -> Result<Option<Claim>, Error>;
    /// Ends invocations. A row that is not `running` with that very attempt is left alone: false,
    /// in order.
    async fn finish(&self, rows: &[Finish]) -> Result<Vec<bool>, Error>;
    /// Takes a running row with that very attempt to `retrying`, due after `delay`; false otherwise.
    async fn give_back(
        &self,
        id: InvocationId,
        attempt: u32,
        delay: Duration,
        reason: &str,
    ) -> Result<bool, Error>;
    /// Rows that need a message now: never published for 1 s or more, retrying and due, running with
    /// an expired lease, or published long ago and still queued. Marks them as published now, so that
    /// two sweepers do not take the same; at most `limit`, oldest first, none of the functions `except`.
    /// Where the function of such a row was deleted meanwhile, the row ends `cancelled` with reason
    /// `function_deleted` instead.
    async fn take_due(&self, limit: u32, except: &[FunctionId]) -> Result<Vec<Due>, Error>;
    /// Takes that back for rows whose messages could not be published: they are as due as they were.
    async fn untake(&self, rows: &[Due]) -> Result<(), Error>;
    /// Forgets that rows were published, so that [`Store::take_due`] answers them again (retrying ones
    /// when they are due): for a queue that does not outlive the process.
    async fn forget_published(&self) -> Result<(), Error>;
    /// How many rows are queued or retrying.
    async fn backlog(&self) -> Result<u64, Error>;
    /// The terms of invariant 5, read in one snapshot.
    async fn totals(&self) -> Result<Totals, Error>;

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

    // Records and logs.

    /// Inserts finished sync records; a record that is there already is left alone.
    async fn write_sync(&self, records: &[Arc<SyncRecord>]) -> Result<(), Error>;
    /// None when there is no such invocation.
    async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error>;
    /// The result's bytes; None when there is no such invocation or it has no result.
    async fn result(&self, id: InvocationId) -> Result<Option<Body>, Error>;
    /// Newest first.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error>;
    /// Appends lines, in order.
    async fn append_logs(&self, lines: &[LogLine]) -> Result<(), Error>;
    /// Oldest first, see [`LogFilter`].
    async fn logs(&self, filter: &LogFilter) -> Result<LogPage, Error>;
    /// How many lines match; none are counted beyond the filter's limit. Its other bounds do not matter.
    async fn count_logs(&self, filter: &LogFilter) -> Result<u64, Error>;
    /// The number of the line of that rank among those that match, the newest being 0; none when there
    /// are fewer.
    async fn log_position(&self, filter: &LogFilter, rank: u64) -> Result<Option<i64>, Error>;
    /// Invocations whose id begins or ends with that part, newest first; ends are looked for among the
    /// newest [`RECENT`] ones only. At most `limit`.
    async fn find_invocations(&self, part: &IdPart, limit: u32) -> Result<Vec<InvocationId>, Error>;
    /// Deletes terminal records and log lines older than `age`, at most `limit` of each; the
    /// deleted async records are counted as pruned. Returns how many rows went.
    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error>;

    /// Closes the connections after what is under way.
    async fn close(&self);
}

#[derive(Clone, Debug)]
pub struct NewRevision {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub source: Digest,
    pub bundle: Option<Digest>,
    pub image: String,
}

/// A function with the revision that is active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFunction {
    pub function: Function,
    pub revision: Revision,
}

/// A bundle that a revision names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedBundle {
    pub function: FunctionName,
    pub source: Digest,
    pub bundle: Option<Digest>,
    /// As the revision has it: the engine's id, or a tag.
    pub image: String,
}

/// How much of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    pub revisions: u64,
    /// Each a count with its bytes.
    pub bundles: (u64, u64),
    pub invocations: (u64, u64),
    pub log_lines: (u64, u64),
}

/// An async invocation to be accepted.
#[derive(Clone, Debug)]
pub struct NewInvocation {
    pub id: InvocationId,
    pub function: FunctionId,
    pub name: FunctionName,
    pub payload: Body,
    /// JSON object of selected request headers.
    pub headers: String,
    pub accepted_at: Timestamp,
    pub parent: Option<InvocationId>,
    pub announcement: Announcement,
}

/// Who sees to the message about a row that is being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Whoever accepts publishes it and notes that ([`Store::mark_published`]) within a second; otherwise the
    /// sweeper does.
    ToBeNoted,
    /// It goes, after the commit, into a queue of this very process, and is gone with it: so it counts as
    /// published from the beginning. What the queue refuses has to be taken back ([`Store::untake`]).
    InMemory,
    /// The sweeper, as soon as it looks.
    LeftToSweeper,
}

impl Announcement {
    /// How often it counts as published, and in how many milliseconds it needs a (further) message.
    fn columns(self) -> (i64, i64) {
        match self {
            Self::ToBeNoted => (0, 1000),
            Self::InMemory => (1, rows::millis(REPUBLISH_AFTER)),
            Self::LeftToSweeper => (0, 0),
        }
    }
}

/// What a successful claim hands out.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub attempt: u32,
    /// The revision that is active now.
    pub revision: RevisionNumber,
    pub payload: Body,
    pub headers: String,
    pub accepted_at: Timestamp,
}

/// The end of an async invocation.
#[derive(Clone, Debug)]
pub struct Finish {
    pub id: InvocationId,
    /// The claim it belongs to; a stale one changes nothing.
    pub attempt: u32,
    /// A terminal state.
    pub state: State,
    pub start: Option<Start>,
    pub prewarmed: bool,
    /// Replaces the entry that the claim made.
    pub attempt_record: AttemptRecord,
    pub phases: Vec<Phase>,
    pub result: Option<Body>,
    pub finished_at: Timestamp,
}

/// A row that needs a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    pub id: InvocationId,
    pub function: FunctionId,
    pub name: FunctionName,
    pub active_revision: RevisionNumber,
    pub accepted_at: Timestamp,
    /// Since when it needs a message.
    pub due_at: Timestamp,
}

/// A finished sync invocation.
#[derive(Clone, Debug)]
pub struct SyncRecord {
    pub function: FunctionId,
    pub record: Record,
    pub result: Option<Body>,
}

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

/// Terms of invariant 5, for async invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub accepted: u64,
    pub queued: u64,
    pub retrying: u64,
    pub running: u64,
    pub terminal: u64,
    pub pruned: u64,
}

impl Totals {
    /// Whether every accepted invocation is accounted for.
    pub fn balance(&self) -> bool {
        self.accepted == self.queued + self.retrying + self.running + self.terminal + self.pruned
    }
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
    /// At most so many.
    pub limit: u32,
}

/// Which log lines; all conditions hold at once.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Of any of these functions; empty: of all.
    pub functions: Vec<FunctionName>,
    pub invocation: Option<InvocationId>,
    pub since: Option<Timestamp>,
    /// Only lines stored after this sequence number.
    pub after: Option<i64>,
    /// Only lines stored before this sequence number.
    pub before: Option<i64>,
    /// The newest of what matches, not the oldest; in either case they are answered oldest first.
    pub newest: bool,
    /// At most so many lines.
    pub limit: u32,
    /// At most so many bytes of text; one line is answered however long it is.
    pub bytes: u64,
}

/// Lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    pub lines: Vec<StoredLine>,
    /// Whether a bound of the filter left some out.
    pub more: bool,
}

/// A line with its place in the store. Numbers grow, but a line of a slower writer may appear after
/// one with a higher number: who follows reads the last second's numbers again.
#[derive(Clone, Debug)]
pub struct StoredLine {
    pub sequence: i64,
    pub line: LogLine,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is too busy; nothing happened.
    #[error("the store at {address} does not answer")]
    Unavailable {
        /// Without credentials.
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection was lost while a commit was under way: it may have happened.
    #[error("the store at {address} was lost during a commit; whether it happened is not known")]
    UnknownFate {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its disk is full, or read-only; nothing happened. It recovers by itself.
    #[error("the store at {address} cannot write: {reason}")]
    Unwritable {
        address: String,
        /// For callers: `the disk of the data folder is full`.
        reason: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What a method needs to be there is not.
    #[error("{0} is not there")]
    Missing(String),
    /// What was expected to be so is not.
    #[error("{0}")]
    Conflict(String),
    /// The store holds what this program cannot read, or refuses what it sent.
    #[error("the store at {address} failed")]
    Internal {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::UnknownFate { .. } | Self::Unwritable { .. })
    }
}

/// Which store. Parsed from `postgres://user:password@host:port/database` or `sqlite:PATH`.
#[derive(Clone, Debug)]
pub enum Config {
    Postgres {
        url: SecretUrl,
    },
    /// The database file; created with its folder where missing.
    Sqlite {
        path: PathBuf,
    },
}

impl std::str::FromStr for Config {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: SecretUrl::new(text)? });
        }
        match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite { path: path.into() }),
            _ => Err("not a store; accepted are postgres://user:password@host:port/database and \
                      sqlite:PATH"
                .to_owned()),
        }
    }
}

/// Connects and applies the migrations that are missing, under a lock, so that several roles may
/// start at once. A database of a newer program is refused ([`Error::Conflict`]).
pub async fn connect(config: &Config) -> Result<Arc<dyn Store>, Error> {
    Ok(match config {
        Config::Postgres { url } => Arc::new(postgres::Postgres::connect(url).await?),
        Config::Sqlite { path } => Arc::new(sqlite::Sqlite::connect(path).await?),
    })
}

//! Async invocations from their acceptance to their end.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::{
    lifecycle::Transition,
    model::{AttemptRecord, Body, FunctionId, FunctionName, InvocationId, Phase, RevisionNumber, Start},
};

/// A queued row that was published but not claimed is published again after this long, doubled
/// with every time. A duplicate is harmless (the second claim is refused), a lost message is not.
pub const REPUBLISH_AFTER: Duration = Duration::from_secs(60);

/// Async invocations: accepted, announced, settled. Claims are made through [`Leases`](super::Leases).
#[async_trait]
pub trait Invocations: Send + Sync {
    /// Inserts rows as `queued` and counts them, in one commit that is on disk when this returns.
    /// [`NewInvocation::announcement`] says who publishes. Answers one flag per row, in order: false when its function is
    /// gone, and that row was not inserted. Accepting a row again changes nothing.
    async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error>;
    /// Notes that messages for these rows were confirmed by the queue.
    async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error>;
    /// Applies transitions to invocations that run, each only if its row is still `running` with that very attempt.
    /// Answers one flag per settlement, in order: false where nothing was changed. Of two for one attempt the first counts.
    /// Repeating them changes nothing.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<bool>, Error>;
    /// Rows that need a message now: never published for 1 s or more, retrying and due, running with
    /// an expired lease, or published long ago and still queued. Marks them as published now, so that
    /// two sweepers do not take the same; at most `limit`, oldest first, none of the functions `except`.
    /// Where the function of such a row was deleted meanwhile, the row ends
    /// instead ([`Ending::function_deleted`](crate::lifecycle::Ending::function_deleted)).
    async fn take_due(&self, limit: u32, except: &[FunctionId]) -> Result<Vec<Due>, Error>;
    /// Takes that back for rows whose messages could not be published: they are as due as they were.
    async fn untake(&self, rows: &[Due]) -> Result<(), Error>;
    /// Forgets that rows were published, so that [`Invocations::take_due`] answers them again (retrying ones
    /// when they are due): for a queue that does not outlive the process.
    async fn forget_published(&self) -> Result<(), Error>;
    /// How many rows are queued or retrying.
    async fn backlog(&self) -> Result<u64, Error>;
    /// The terms of invariant 5, read in one snapshot.
    async fn totals(&self) -> Result<Totals, Error>;
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

/// How the message about a row that is being accepted gets published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The caller publishes it and notes that ([`Invocations::mark_published`]) within a second; otherwise the
    /// sweeper does.
    ToBeNoted,
    /// It goes, after the commit, into a queue of this very process, and is gone with it: so it counts as
    /// published from the beginning. What the queue refuses has to be taken back ([`Invocations::untake`]).
    InMemory,
    /// The sweeper publishes it as soon as it looks.
    LeftToSweeper,
}

/// A transition of an async invocation, with what its attempt came to.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which invocation.
    pub id: InvocationId,
    /// The claim it belongs to; a stale one changes nothing.
    pub attempt: u32,
    /// [`Transition::Retry`] or [`Transition::End`]; any other changes nothing.
    pub transition: Transition,
    /// The entry of this attempt in the record: it replaces what the claim noted.
    pub attempt_record: AttemptRecord,
    /// How its instance began. This and what follows is stored with an end only.
    pub start: Option<Start>,
    /// Whether it began on a prewarmed instance.
    pub prewarmed: bool,
    /// Where the time went, in milliseconds since it was accepted.
    pub phases: Vec<Phase>,
    /// The result, at most 6 MiB.
    pub result: Option<Body>,
    /// The end, on the writer's clock.
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

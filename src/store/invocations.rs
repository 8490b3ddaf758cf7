//! Async invocations from their acceptance to their end.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::Error;
use crate::{
    lifecycle::Transition,
    model::{
        AttemptRecord, Body, FunctionId, FunctionName, HttpRequest, InvocationId, Phases,
        RevisionNumber, Start,
    },
};

/// The time after which a queued row that was published but not claimed is published again. A duplicate is harmless, as
/// the second claim is refused; but a backlog may take long, and its messages must not multiply. That a queue has lost
/// them is usually seen much sooner, see [`Invocations::forget_lost`].
pub const REPUBLISH_AFTER: Duration = Duration::from_secs(6 * 3600);
/// The same for a row that is still `running` under an owner who has lost its lease. There are few of them.
pub(super) const RERUN_AFTER: Duration = Duration::from_secs(60);
/// A row that was not published is not put off for longer: ten minutes, twice the longest pause before an attempt.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Async invocations: accepted, announced, settled. Claims are made through [`Leases`](super::Leases).
#[async_trait]
pub trait Invocations: Send + Sync {
    /// Inserts rows as `queued` and counts them, in one commit that is on disk when this returns.
    /// [`NewInvocation::announcement`] says how each is published. Returns one flag per row, in order: false when its
    /// function no longer exists, and that row was not inserted. Accepting a row again changes nothing.
    async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error>;
    /// Notes that the queue has confirmed the messages for these rows. It changes nothing for those that have begun since.
    async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error>;
    /// Applies transitions to running invocations, each only if its row is still `running` with exactly that attempt.
    /// Returns one flag per settlement, in order: false where nothing was changed. Of two for one attempt the first
    /// counts. Repeating them changes nothing.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<bool>, Error>;
    /// Adds to records what came of attempts that count as lost: outcomes that came too late to settle anything. It
    /// changes nothing of attempts that have an outcome.
    async fn note_late(&self, settlements: &[Settlement]) -> Result<(), Error>;
    /// Takes rows that need a message now: never published for 1 s or more, retrying and due, running under an owner
    /// without a lease, or published long ago and still queued. They count as published from now on, so that two sweepers
    /// do not take the same, and are due again after `put_off`, unless [`Invocations::mark_published`] is told of them.
    /// At most `limit`, oldest first, none of the functions in `except`. Where the function of such a row was deleted
    /// meanwhile, the row ends instead
    /// ([`Ending::function_deleted`](crate::lifecycle::Ending::function_deleted)).
    async fn take_due(
        &self,
        limit: u32,
        except: &[FunctionId],
        put_off: Duration,
    ) -> Result<Vec<Due>, Error>;
    /// Undoes [`Invocations::take_due`] for rows that could not be published: they are due again since they were. If it
    /// fails, they are put off as they had been taken.
    async fn untake(&self, rows: &[Due]) -> Result<(), Error>;
    /// Forgets that rows were published, so that [`Invocations::take_due`] returns them again (retrying ones when they
    /// are due): for a queue that does not outlive the process. It touches only those that are not due anyway, of which
    /// there are no more than the queue held.
    async fn forget_published(&self) -> Result<(), Error>;
    /// Forgets that the queued rows of these functions were published `age` ago or earlier, and returns their number:
    /// [`Invocations::take_due`] returns them again. For queues that have lost them. Rows that an older version has
    /// published count as published long ago, and so do those that a clock says will be published later.
    async fn forget_lost(&self, functions: &[FunctionId], age: Duration) -> Result<u64, Error>;
    /// Returns the number of waiting rows of each of these functions whose messages were noted as published; functions
    /// without such rows are missing.
    async fn published(&self, functions: &[FunctionId]) -> Result<HashMap<FunctionId, u64>, Error>;
    /// Makes due at once what is put off for longer than anything is, and returns the number of these rows: the store's
    /// clock was set back, or an older version had published them often.
    async fn pull_in(&self) -> Result<u64, Error>;
    /// Returns the functions of which rows are queued or retrying, in no particular order.
    async fn waiting_functions(&self) -> Result<Vec<FunctionId>, Error>;
    /// Returns how much is queued or retrying, as of one moment.
    async fn backlog(&self) -> Result<Backlog, Error>;
    /// Returns the terms of invariant 5, read in one snapshot.
    async fn totals(&self) -> Result<Totals, Error>;
}

/// The async invocations that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of them.
    pub rows: u64,
    /// The size of their payloads together, in bytes.
    pub bytes: u64,
}

/// An async invocation to be accepted.
#[derive(Clone, Debug)]
pub struct NewInvocation {
    /// Its id.
    pub id: InvocationId,
    /// Its function.
    pub function: FunctionId,
    /// The function's name.
    pub name: FunctionName,
    /// The payload, at most 6 MiB.
    pub payload: Body,
    /// The selected request headers, as a JSON object.
    pub headers: String,
    /// The HTTP request that its function gets; none for other invocations.
    pub http: Option<HttpRequest>,
    /// The time of acceptance, on the scheduler's clock.
    pub accepted_at: Timestamp,
    /// The invocation that called it; none so far.
    pub parent: Option<InvocationId>,
    /// The way its message gets published.
    pub announcement: Announcement,
}

/// The way in which the message about a row that is being accepted gets published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The caller publishes it and notes that ([`Invocations::mark_published`]) within a second; otherwise the sweeper
    /// publishes it.
    ToBeNoted,
    /// It goes, after the commit, into a queue of this same process, and is lost with it: so it counts as published
    /// from the beginning. A message that the queue refuses has to be taken back ([`Invocations::untake`]).
    InMemory,
    /// The sweeper publishes it on its next pass.
    LeftToSweeper,
}

/// A transition of an async invocation, with the outcome of its attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The invocation.
    pub id: InvocationId,
    /// The claim it belongs to; a stale one changes nothing.
    pub attempt: u32,
    /// The token of that claim; none: the number has to do.
    pub token: Option<Uuid>,
    /// [`Transition::Retry`] or [`Transition::End`]; any other changes nothing.
    pub transition: Transition,
    /// The entry of this attempt in the record.
    pub attempt_record: AttemptRecord,
    /// The way its instance began. This and the following fields are stored with an end only.
    pub start: Option<Start>,
    /// Whether it began on a prewarmed instance.
    pub prewarmed: bool,
    /// The parts of its time, in milliseconds since it was accepted.
    pub phases: Phases,
    /// The result, at most 6 MiB.
    pub result: Option<Body>,
    /// The time of the end, on the writer's clock.
    pub finished_at: Timestamp,
}

/// A row that needs a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The invocation.
    pub id: InvocationId,
    /// Its function.
    pub function: FunctionId,
    /// The function's name.
    pub name: FunctionName,
    /// The function's active revision.
    pub active_revision: RevisionNumber,
    /// The time of acceptance, on the scheduler's clock.
    pub accepted_at: Timestamp,
    /// The time since which it has needed a message, on the store's clock.
    pub due_at: Timestamp,
}

/// The terms of invariant 5, for async invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All that were ever accepted.
    pub accepted: u64,
    /// Those that wait for their first attempt.
    pub queued: u64,
    /// Those that wait for another attempt.
    pub retrying: u64,
    /// Those that a manager has claimed.
    pub running: u64,
    /// Those that have ended and whose records exist.
    pub terminal: u64,
    /// Those whose records were deleted.
    pub pruned: u64,
}

impl Totals {
    /// Returns whether every accepted invocation is accounted for.
    pub fn balance(&self) -> bool {
        self.accepted == self.queued + self.retrying + self.running + self.terminal + self.pruned
    }
}

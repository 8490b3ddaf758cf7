//! What happens to the pool, what it wants done, and the names by which both speak of instances, work and
//! checks.

use std::time::{Duration, Instant};

use crate::model::{FunctionId, Mode, RevisionNumber, Start};

/// Sandboxes of a class are alike: any of them can be given to any function of that class. A number, given
/// by the caller; what it stands for is none of the pool's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u32);

/// A check; given by the caller, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckId(pub u64);

/// Why a revision's code was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The instances of functions have the memory.
    NoMemory,
    /// As many sandboxes are being started as may be at once.
    NoStart,
    /// The manager is stopping.
    Draining,
}

/// The purpose of an instance. Never shared between functions or revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub function: FunctionId,
    pub revision: RevisionNumber,
}

/// An instance in this pool; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u64);

/// A piece of work; given by the caller, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkId(pub u64);

/// Everything that a revision asks of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    pub max_instances: u32,
    /// The number of instances that are kept, whether anybody calls or not; at most `max_instances`.
    pub min_instances: u32,
    /// The places of one instance: the most pieces of work that it runs at the same time, at least 1.
    pub concurrency: u32,
    pub idle_timeout: Duration,
    /// Memory of one instance, in bytes.
    pub memory: u64,
    /// Prewarmed instances of this class will do; none: it has to be started for the function.
    pub class: Option<Class>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Work that wants an instance. At `deadline` it is rejected, unless one is being started for it.
    Arrived { work: WorkId, key: Key, needs: Needs, mode: Mode, deadline: Option<Instant> },
    /// A start takes no place of the host's any more: its sandbox is made and its function's code is loaded now, or it waits
    /// for an image that is built.
    Made { slot: Slot },
    /// A start is done: the instance can run; or, prewarmed, can be taken.
    Started { slot: Slot },
    /// A start has failed; nothing of it is left. `by_host`: whatever the function's code is, the host could not make it.
    /// If the revision has usable instances, these do its work then, and nothing is started beside them for a while.
    StartFailed { slot: Slot, by_host: bool },
    /// A start has failed as all of its revision's do on this host, and not on others: what waits for it goes to these.
    CannotStartHere { slot: Slot },
    /// A run is over. `usable`: the instance can run again; otherwise it is given nothing more, and stopped when all of its
    /// runs are over.
    Finished { slot: Slot, usable: bool },
    /// An instance ended by itself: an idle one, or one with several places, whose runs end then; or a prewarmed one did,
    /// waiting or just taken: then the work or the check that it was taken for gets another start.
    Ended { slot: Slot },
    /// A stopped instance is gone: its memory is free again.
    Gone { slot: Slot },
    /// Another revision is active (or none, the function was deleted): instances of others are drained.
    Active { function: FunctionId, revision: Option<RevisionNumber> },
    /// The active revision wants `min_instances` of them kept. Said after `Active`, and again at any time; it holds until
    /// another revision is active.
    Keep { key: Key, needs: Needs },
    /// From now on one of this class is always wanted; `memory` is that of one instance, in bytes.
    Usual { class: Class, memory: u64 },
    /// A revision's code is to be loaded once. At `deadline` it is skipped, unless it has begun; when it is over
    /// `Gone` says so, and before that `Started` if the code was loaded.
    CheckWanted { check: CheckId, class: Option<Class>, memory: u64, deadline: Instant },
    /// An instance has a value of a secret that is not the present one: it is replaced, whatever revision it is of.
    Outdated { slot: Slot },
    /// The function's secrets have other values, or can be read here again: what could not be started is tried at once.
    SecretsChanged { function: FunctionId },
    /// The function's secrets cannot be read here, so that no instance could be started: those that there are go, none is
    /// kept, and work goes back to its queues: what waits, and what arrives until `Active`, `Keep` or `SecretsChanged`.
    LeaveToOthers { function: FunctionId },
    /// No instance of the function can be started here for a while: background work goes to others.
    Stalled { function: FunctionId },
    /// A new image is there: what could not be prewarmed for want of one is tried at once.
    ImageMade,
    /// A moment named by [`Pool::next_deadline`] has come.
    Tick,
    /// Soft stop: waiting work is rejected, idle instances go, busy ones after their runs.
    Drain,
}

/// Something that has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an instance; answer with `Started` or `StartFailed`.
    Start { slot: Slot, key: Key },
    /// Make a prewarmed instance; answer with `Started` or `StartFailed`.
    Prewarm { slot: Slot, class: Class },
    /// Give that prewarmed instance to a revision; answer as to `Start`, or with `Ended` when it is dead.
    Take { slot: Slot, key: Key },
    /// Run it on that instance; answer with `Finished`.
    Run { slot: Slot, work: WorkId, start: Start },
    /// Stop an instance that is not running anything or has ended by itself, or a prewarmed one, also while it is made (then
    /// `StartFailed` will do, too); answer with `Gone`.
    Stop { slot: Slot },
    /// Start an instance for a check; answer with `Gone` when it is over.
    Check { slot: Slot, check: CheckId },
    /// Give that prewarmed instance to a check; answer with `Gone`, after `Ended` when it is dead.
    TakeForCheck { slot: Slot, check: CheckId },
    /// The check will not be made.
    Skip { check: CheckId, why: Skipped },
    /// It will not be run.
    Reject { work: WorkId, why: Rejection },
}

/// Why work will not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing became free before its deadline.
    Expired,
    /// This start, made for want of an instance, has failed.
    StartFailed(Slot),
    /// It goes back to its queue: the manager is stopping, or cannot start the function now.
    ToOthers,
    /// It goes back to its queue after a pause: its revision cannot be started here, and it may come here again at once.
    ToOthersLater,
    /// Another revision is active by now, and this work is not bound to the one it waited for.
    Outdated,
    /// Its function was deleted.
    Deleted,
}

impl Event {
    /// Returns the instance that it is about.
    pub(super) fn slot(self) -> Option<Slot> {
        match self {
            Self::Made { slot }
            | Self::Started { slot }
            | Self::StartFailed { slot, .. }
            | Self::CannotStartHere { slot }
            | Self::Outdated { slot }
            | Self::Finished { slot, .. }
            | Self::Ended { slot }
            | Self::Gone { slot } => Some(slot),
            _ => None,
        }
    }
}

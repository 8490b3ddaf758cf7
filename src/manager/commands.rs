//! What the dispatcher is told, and what it hands out.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    code_check::GivenCheck,
    function_set::FunctionSet,
    logs::LoadOutput,
    pool::{Slot, WorkId},
    start_failure::StartFailure,
    work::Work,
};
use crate::{
    model::{FunctionId, InstanceId, Language, Revision, RevisionNumber, Start, message::Invoke},
    queue::Delivery,
    runtime,
    store::ReportedInstance,
};

/// Everything that the dispatcher is told.
pub enum Command {
    Work(Box<Work>),
    /// An instance has its sandbox, and loads its code.
    Made {
        slot: Slot,
    },
    Started {
        slot: Slot,
        result: Result<Live, StartFailure>,
    },
    /// Output of a load that failed; `Started` with the failure follows.
    LoadOutput {
        slot: Slot,
        instance: InstanceId,
        output: LoadOutput,
    },
    /// An instance waits to be taken, or was not made.
    Prewarmed {
        slot: Slot,
        result: Result<(), runtime::Error>,
    },
    Finished {
        slot: Slot,
        work: WorkId,
        usable: bool,
    },
    Ended {
        slot: Slot,
    },
    Gone {
        slot: Slot,
    },
    Active {
        function: FunctionId,
        revision: Option<RevisionNumber>,
    },
    /// The active revision has instances that are kept.
    Keep {
        revision: Arc<Revision>,
    },
    /// An instance has an old value of a secret; see [`Event::Outdated`](super::pool::Event).
    Outdated {
        slot: Slot,
    },
    /// The secrets of the function have changed, or can be read here again.
    SecretsChanged {
        function: FunctionId,
    },
    /// The secrets of the function cannot be read here; see [`Event::LeaveToOthers`](super::pool::Event).
    LeaveToOthers {
        function: FunctionId,
    },
    /// A function in this language is there: from now on an instance of its usual shape is kept ready.
    Deployed {
        language: Language,
    },
    ImageMade,
    /// A sync message that has been in somebody's hands before: its caller has to be told, unless it is still
    /// in ours.
    Redelivered {
        invoke: Box<Invoke>,
        delivery: Delivery,
    },
    /// A revision's code is to be loaded once, before the revision exists.
    Check(GivenCheck),
    CheckLoaded {
        slot: Slot,
    },
    /// The prewarmed instance that a check was given was dead.
    CheckAgain {
        slot: Slot,
        check: GivenCheck,
    },
    Drain,
}

/// The way to the dispatcher. Unbounded, since what is in it is bounded by the prefetch of the
/// consumers and by the number of instances.
pub type Commands = mpsc::UnboundedSender<Command>;

/// The dispatcher, as consumers and builds know it.
#[derive(Clone)]
pub struct Dispatch {
    commands: Commands,
    warm: Arc<FunctionSet>,
    stalled: Arc<FunctionSet>,
}

impl Dispatch {
    pub fn new(commands: Commands, warm: Arc<FunctionSet>, stalled: Arc<FunctionSet>) -> Self {
        Self { commands, warm, stalled }
    }

    /// Tells it; never waits.
    pub fn send(&self, command: Command) {
        // The dispatcher ends only after a drain, when nobody has anything to say any more.
        let _ = self.commands.send(command);
    }

    /// The manager stops; see [`Command::Drain`].
    pub fn drain(&self) {
        self.send(Command::Drain);
    }

    /// The functions that have a live instance here.
    pub fn warm(&self) -> &FunctionSet {
        &self.warm
    }

    /// The functions of which no instance can be started here at present: their work is left to others, callers' as far as
    /// these have room for it.
    pub fn stalled(&self) -> &FunctionSet {
        &self.stalled
    }
}

/// An instance that runs jobs. When all senders are gone it stops.
pub struct Live {
    pub jobs: mpsc::UnboundedSender<Job>,
    pub report: ReportedInstance,
}

pub struct Job {
    pub id: WorkId,
    pub work: Work,
    pub start: Start,
}

/// Whom a prewarmed instance is given to.
pub enum Order {
    /// To run invocations.
    Serve(Arc<Revision>),
    /// To load the code once; cancelled when its memory is wanted.
    Check(GivenCheck, CancellationToken),
}

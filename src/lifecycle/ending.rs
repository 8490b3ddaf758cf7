//! The end of an invocation, and what it means to each caller: decided here once, for records, answers, results and
//! exit codes alike.

use crate::model::{ProblemCode, Reason, Record, State, code, message::Verdict};

/// The end of an invocation as its record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// A terminal state.
    pub state: State,
    /// The reason; none when the state and the last attempt explain the end.
    pub reason: Option<Reason>,
    /// The invocation was given up after several attempts, and is kept for its owner to look at.
    pub dead_letter: bool,
}

impl Ending {
    /// Returns an end that its state alone explains.
    pub fn in_state(state: State) -> Self {
        Self { state, reason: None, dead_letter: false }
    }

    /// Returns the end of a sync invocation by its only attempt; none while it is under way.
    pub fn of_verdict(verdict: &Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Underway => return None,
            Verdict::Interrupted | Verdict::Unfinished { .. } => Self::interrupted(),
            Verdict::NotRun { throttled: true, .. } => Self::throttled(),
            Verdict::NotRun { deleted: true, .. } => {
                Self { reason: Some(Reason::FunctionDeleted), ..Self::in_state(State::Cancelled) }
            }
            Verdict::NotRun { reason, .. } => Self {
                reason: Some(Reason::StartFailed(reason.clone())),
                ..Self::in_state(State::Expired)
            },
            ran => Self::in_state(ran.state()?),
        })
    }

    /// Returns the end in a record; none while the invocation has not ended.
    pub fn of_record(record: &Record) -> Option<Self> {
        let Record { state, dead_letter, .. } = *record;
        state.is_terminal().then(|| Self { state, reason: record.reason.clone(), dead_letter })
    }

    /// Returns the end of a sync invocation for which no instance became free in time.
    pub fn throttled() -> Self {
        Self { reason: Some(Reason::Throttled), ..Self::in_state(State::Expired) }
    }

    /// Returns the end of a sync invocation whose reply will not come: it may have run.
    pub fn interrupted() -> Self {
        Self { reason: Some(Reason::Interrupted), ..Self::in_state(State::Crashed) }
    }

    /// Returns the kind of end. For a reason of a newer version, the state alone decides.
    pub fn kind(&self) -> Kind {
        match (&self.reason, self.state) {
            (Some(Reason::Interrupted), _) => Kind::Interrupted,
            (Some(Reason::StartFailed(_)), _) => Kind::StartFailed,
            (Some(Reason::Throttled), _) => Kind::Throttled,
            (Some(Reason::Platform), _) => Kind::Exhausted,
            (_, State::Succeeded) => Kind::Succeeded,
            (_, State::TimedOut) => Kind::TimedOut,
            (_, State::Crashed) => Kind::Crashed,
            (_, State::Cancelled) => Kind::Cancelled,
            (_, State::Expired) => Kind::Expired,
            (_, State::Failed | State::Queued | State::Running | State::Retrying) => Kind::Failed,
        }
    }
}

/// The kinds of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The function answered.
    Succeeded,
    /// The function raised, could not be loaded, or returned a value that cannot be serialised.
    Failed,
    /// The function was killed at its timeout.
    TimedOut,
    /// The function exited, ran out of memory or broke the protocol.
    Crashed,
    /// No instance became free in time; it did not run.
    Throttled,
    /// No instance could be started; it did not run.
    StartFailed,
    /// A part of the platform was lost; it may have run.
    Interrupted,
    /// The platform used up its tries, and could not run it.
    Exhausted,
    /// It was cancelled before it ran.
    Cancelled,
    /// It grew too old before it ran.
    Expired,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Crashed,
        Self::Throttled,
        Self::StartFailed,
        Self::Interrupted,
        Self::Exhausted,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Returns the problem that a caller is told, with its fault and whether a repeat is safe; none where an end is not
    /// a problem, or there is simply no result.
    pub fn code(self) -> Option<ProblemCode> {
        match self {
            Self::Failed => Some(code::FUNCTION_FAILED),
            Self::TimedOut => Some(code::FUNCTION_TIMED_OUT),
            Self::Crashed => Some(code::FUNCTION_CRASHED),
            Self::Throttled => Some(code::THROTTLED),
            Self::StartFailed | Self::Exhausted => Some(code::START_FAILED),
            Self::Interrupted => Some(code::INTERRUPTED),
            Self::Succeeded | Self::Cancelled | Self::Expired => None,
        }
    }

    /// Returns one word for it, for documents of the command line: the problem's code, where it has no word of its own.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => State::Succeeded.as_str(),
            Self::Cancelled => State::Cancelled.as_str(),
            Self::Expired => State::Expired.as_str(),
            Self::Exhausted => "platform",
            _ => self.code().map_or("platform", |code| code.code),
        }
    }

    /// Returns the way in which a command that waited for it exits.
    pub fn exit(self) -> ExitClass {
        match self {
            Self::Succeeded => ExitClass::Success,
            Self::Failed | Self::Crashed => ExitClass::Function,
            Self::TimedOut => ExitClass::InvocationTimeout,
            Self::Throttled | Self::Expired => ExitClass::Throttled,
            Self::Cancelled => ExitClass::Caller,
            Self::StartFailed | Self::Interrupted | Self::Exhausted => ExitClass::Platform,
        }
    }
}

/// The meaning of an end to a command that waited for it. The command line has a number for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitClass {
    /// There is a result.
    Success,
    /// The function failed or crashed.
    Function,
    /// The function took too long.
    InvocationTimeout,
    /// No instance was free for it.
    Throttled,
    /// It was cancelled.
    Caller,
    /// The platform failed.
    Platform,
}

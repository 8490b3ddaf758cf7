//! How an invocation ended, and what that means to whoever asks: decided here once, for records, answers, results and
//! exit codes alike.

use crate::model::{ProblemCode, Reason, Record, State, code, message::Verdict};

/// The end of an invocation as its record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// A terminal state.
    pub state: State,
    /// None when the state and the last attempt say it all.
    pub reason: Option<Reason>,
    /// Whether it was given up after several attempts, and waits to be looked at.
    pub dead_letter: bool,
}

impl Ending {
    /// An end that its state says everything about.
    pub fn in_state(state: State) -> Self {
        Self { state, reason: None, dead_letter: false }
    }

    /// The end of a sync invocation by its only attempt; none while it is under way.
    pub fn of_verdict(verdict: &Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Underway => return None,
            Verdict::Interrupted => Self::interrupted(),
            Verdict::NotRun { throttled: true, .. } => Self::throttled(),
            Verdict::NotRun { reason, .. } => Self {
                reason: Some(Reason::StartFailed(reason.clone())),
                ..Self::in_state(State::Expired)
            },
            ran => Self::in_state(ran.state()?),
        })
    }

    /// The end of an invocation whose record this is; none while it has not ended.
    pub fn of_record(record: &Record) -> Option<Self> {
        let Record { state, dead_letter, .. } = *record;
        state.is_terminal().then(|| Self { state, reason: record.reason.clone(), dead_letter })
    }

    /// The end of a sync invocation that no instance became free for in time.
    pub fn throttled() -> Self {
        Self { reason: Some(Reason::Throttled), ..Self::in_state(State::Expired) }
    }

    /// The end of a sync invocation whose reply will not come: it may have run.
    pub fn interrupted() -> Self {
        Self { reason: Some(Reason::Interrupted), ..Self::in_state(State::Crashed) }
    }

    /// What kind of end it is. A reason of a newer version leaves the state to say it.
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
    /// The function raised, could not be loaded, or returned what cannot be serialised.
    Failed,
    /// The function was killed at its timeout.
    TimedOut,
    /// The function exited, ran out of memory or broke the protocol.
    Crashed,
    /// Nothing became free in time; it did not run.
    Throttled,
    /// No instance could be started; it did not run.
    StartFailed,
    /// A part of the platform was lost; it may have run.
    Interrupted,
    /// The platform tried as often as it does, and could not run it.
    Exhausted,
    /// It was called off before it ran.
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

    /// The problem that a caller is answered, with its fault and whether a repeat is safe; none where an end is not
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

    /// One word for it, in documents of the command line: the problem's code where that is all there is to say.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => State::Succeeded.as_str(),
            Self::Cancelled => State::Cancelled.as_str(),
            Self::Expired => State::Expired.as_str(),
            Self::Exhausted => "platform",
            _ => self.code().map_or("platform", |code| code.code),
        }
    }

    /// How a command that waited for it exits.
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

/// What an end means to a command that waited for it. The command line has a number for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitClass {
    /// There is a result.
    Success,
    /// The function failed or crashed.
    Function,
    /// The function took too long.
    InvocationTimeout,
    /// There was no room for it.
    Throttled,
    /// It was called off.
    Caller,
    /// The platform failed.
    Platform,
}

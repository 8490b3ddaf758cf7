//! A call of a function and its answer, as typed values: the same for every route.

use super::{Body, CallHeaders, FunctionName, InstanceId, InvocationId, Mode, Phases, Problem, Start};

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id of its invocation. The gateway chooses it, so that a caller can be told even when no answer comes.
    pub id: InvocationId,
    /// The function to call.
    pub function: FunctionName,
    /// The payload, checked: its handler can read it.
    pub payload: Body,
    /// The call's headers, for the handler's `context.headers`.
    pub headers: CallHeaders,
    /// Sync: the answer is the end of the invocation. Async: the answer is that it is on disk.
    pub mode: Mode,
}

/// The answer to a call, unless the platform refuses it.
#[derive(Debug)]
pub enum CallAnswer {
    /// A sync invocation has ended.
    Ended(Ended),
    /// An async invocation is on disk and will be run.
    Accepted(InvocationId),
}

/// The end of a sync invocation that a manager has taken. A failure, too, says where and for how long it ran.
#[derive(Debug)]
pub struct Ended {
    /// The id of the invocation.
    pub id: InvocationId,
    /// The function's value, or the problem in words.
    pub ending: Result<Body, Box<Problem>>,
    /// How it began; none when it never ran.
    pub start: Option<Start>,
    /// The instance that ran it; none when it never ran.
    pub instance: Option<InstanceId>,
    /// The phases in order, on the scheduler's time line; they follow each other without a gap.
    pub phases: Phases,
}

//! A call of a function and what comes of it, as typed values: the same from every door.

use super::{Body, CallHeaders, FunctionName, InstanceId, InvocationId, Mode, Phase, Problem, Start};

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    pub function: FunctionName,
    /// Checked: one that its handler can read.
    pub payload: Body,
    pub headers: CallHeaders,
    /// Sync: the answer is what came of it. Async: the answer is that it is on disk.
    pub mode: Mode,
}

/// What a call is answered, unless the platform refuses it.
#[derive(Debug)]
pub enum CallAnswer {
    Ended(Ended),
    /// It is on disk and will be run.
    Accepted(InvocationId),
}

/// The end of a sync invocation that a manager has taken: also a failure says where and how long it ran.
#[derive(Debug)]
pub struct Ended {
    pub id: InvocationId,
    /// The function's value, or the problem in words.
    pub ending: Result<Body, Box<Problem>>,
    pub start: Option<Start>,
    pub instance: Option<InstanceId>,
    /// In their order, on the scheduler's time line; they follow each other without a gap.
    pub phases: Vec<Phase>,
}

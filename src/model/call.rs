//! A call of a function and its answer, as typed values: the same for every route.

use bytes::Bytes;

use super::{
    Body, CallHeaders, FunctionName, HttpRequest, HttpResponse, InstanceId, InvocationId, Mode, Phases,
    Problem, Start,
};

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id of its invocation. The gateway chooses it, so that a caller can be told even when no answer comes.
    pub id: InvocationId,
    /// The function to call.
    pub function: FunctionName,
    /// The payload as it was sent, decoded: who knows the function checks it.
    pub payload: Bytes,
    /// The media type of the payload; none where none was sent.
    pub content_type: Option<String>,
    /// The call's headers, for the handler's `context.headers`.
    pub headers: CallHeaders,
    /// The HTTP request that the function gets; none where the caller has named none.
    pub http: Option<HttpRequest>,
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
    /// What the caller is told.
    pub ending: CallEnding,
    /// How it began; none when it never ran.
    pub start: Option<Start>,
    /// The instance that ran it; none when it never ran.
    pub instance: Option<InstanceId>,
    /// The phases in order, on the scheduler's time line; they follow each other without a gap.
    pub phases: Phases,
}

/// What a caller of a sync invocation is told of its end.
#[derive(Debug)]
pub enum CallEnding {
    /// The function's value.
    Value(Body),
    /// The function's response to an HTTP request, also one that says that it has failed, and its body.
    Response(HttpResponse, Bytes),
    /// The problem in words.
    Problem(Box<Problem>),
}

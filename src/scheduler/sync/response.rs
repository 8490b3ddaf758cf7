//! What a caller of a sync invocation is told: the function's value, or a problem in words.

use std::time::Duration;

use axum::{
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{
    http::Failure,
    model::{
        Body, Fault, FunctionError, InstanceId, InvocationId, Phase, Problem, ProblemCode, Start,
        api::header,
        code,
        message::{Outcome, Verdict},
    },
    scheduler::function_cache::CachedFunction,
    units::show_duration,
};

/// What a throttled caller is told to wait, in seconds.
const RETRY_AFTER: u64 = 1;

/// What a caller gets of an invocation that a manager has taken: also a failure says where and how
/// long it ran.
pub struct Answered {
    pub id: InvocationId,
    pub ending: Result<Body, Box<Problem>>,
    pub start: Option<Start>,
    pub instance: Option<InstanceId>,
    /// On the scheduler's time line.
    pub phases: Vec<Phase>,
}

impl Answered {
    /// Of a form, which is what curl sends unless told otherwise: a handler that fails may have wanted JSON.
    pub fn hint_at_json(mut self) -> Self {
        if let Err(problem) = &mut self.ending
            && problem.fault == Fault::Function
        {
            problem.hint.get_or_insert_with(|| FORM_HINT.to_owned());
        }
        self
    }
}

const FORM_HINT: &str = "the payload came as a form (curl's default), so the handler got bytes; to send JSON, add -H 'content-type: application/json'";

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let mut response = match self.ending {
            Ok(Body { content_type, bytes }) => ([(CONTENT_TYPE, content_type)], bytes).into_response(),
            Err(problem) => Failure(problem).into_response(),
        };
        let timing: Vec<String> = self
            .phases
            .iter()
            .map(|phase| format!("{};dur={:.3}", phase.name, phase.duration_ms))
            .collect();
        let instance = self.instance.map(|instance| instance.to_string());
        let start = self.start.map(|start| start.as_str().to_owned());
        let timing = Some(timing.join(", ")).filter(|timing| !timing.is_empty());
        for (name, value) in [
            (header::INVOCATION_ID, Some(self.id.to_string())),
            (header::START, start),
            (header::INSTANCE, instance),
            (header::SERVER_TIMING, timing),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What the caller is told of an outcome.
pub fn answered(
    function: &CachedFunction,
    queue_wait: Duration,
    outcome: Outcome,
    bytes: Bytes,
) -> Answered {
    let Outcome { id, start, instance, phases, content_type, verdict, .. } = outcome;
    let problem = match verdict {
        Verdict::Succeeded => None,
        Verdict::Failed { error } => {
            let detail = format!("function '{}' failed: {}", function.name, error.summary());
            Some(of_function(code::FUNCTION_FAILED, detail, error))
        }
        Verdict::TimedOut { error } => {
            let detail = format!("function '{}' timed out: {}", function.name, error.message);
            Some(of_function(code::FUNCTION_TIMED_OUT, detail, error))
        }
        Verdict::Crashed { error } => {
            let detail = format!("function '{}' crashed: {}", function.name, error.message);
            Some(of_function(code::FUNCTION_CRASHED, detail, error))
        }
        Verdict::NotRun { throttled: true, .. } => Some(no_instance(function, queue_wait)),
        Verdict::NotRun { reason, .. } => Some(start_failed(function, &reason)),
        Verdict::Interrupted | Verdict::Underway => Some(interrupted(id)),
    };
    let ending = match problem {
        None => Ok(Body { content_type: content_type.unwrap_or_default(), bytes }),
        Some(problem) => Err(Box::new(problem.invocation(id))),
    };
    Answered { id, ending, start, instance, phases }
}

pub fn no_instance(function: &CachedFunction, queue_wait: Duration) -> Problem {
    let wait = show_duration(queue_wait);
    throttled(format!("no instance of '{}' became free within {wait}", function.name))
}

pub fn no_broker() -> Problem {
    Problem::new(code::UNAVAILABLE, "the message broker does not answer").retry_after(RETRY_AFTER)
}

pub fn throttled(detail: String) -> Problem {
    Problem::new(code::THROTTLED, detail)
        .retry_after(RETRY_AFTER)
        .hint("try again later, raise [scaling] max_instances, or invoke it asynchronously; 'cloudfunc status' tells whether a manager is running")
}

pub fn interrupted(id: InvocationId) -> Problem {
    Problem::new(
        code::INTERRUPTED,
        "a part of the platform was lost while it had the invocation; whether it ran is not known",
    )
    .invocation(id)
}

fn of_function(code: ProblemCode, detail: String, error: FunctionError) -> Problem {
    let mut problem = Problem::new(code, detail);
    problem.error_type = Some(error.kind);
    problem.trace = error.trace;
    problem.hint = error.hint;
    problem
}

fn start_failed(function: &CachedFunction, reason: &str) -> Problem {
    let detail = format!("function '{}' could not be started: {reason}", function.name);
    Problem::new(code::START_FAILED, detail)
        .retry_after(RETRY_AFTER)
        .hint("'cloudfunc logs --role manager' tells more")
}

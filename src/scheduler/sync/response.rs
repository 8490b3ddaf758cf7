//! What a caller of a sync invocation is told: the function's value, or a problem in words.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    lifecycle::Ending,
    model::{
        Body, CallEnding, Ended, Fault, FunctionError, InvocationId, Problem, ProblemCode, code,
        message::{Outcome, Verdict},
    },
    scheduler::cached_function::CachedFunction,
    units::show_duration,
};

/// What a throttled caller is told to wait, in seconds.
const RETRY_AFTER: u64 = 1;

/// What the caller is told of an outcome.
pub fn answered(
    function: &CachedFunction,
    queue_wait: Duration,
    outcome: Outcome,
    bytes: Bytes,
) -> Ended {
    let Outcome { id, start, instance, phases, content_type, http, verdict, .. } = outcome;
    let code = Ending::of_verdict(&verdict).and_then(|ending| ending.kind().code());
    let code = code.unwrap_or(code::INTERRUPTED);
    let of_function = |what, words: String, error| {
        let detail = format!("function '{}' {what}: {words}", function.name);
        Some(of_function(code, detail, error))
    };
    // A function that answers a request with its own failure has still answered.
    let has_answered = matches!(verdict, Verdict::Succeeded | Verdict::Failed { .. });
    let problem = match verdict {
        Verdict::Succeeded => None,
        Verdict::Failed { error } => of_function("failed", error.summary(), error),
        Verdict::TimedOut { error } => of_function("timed out", error.message.clone(), error),
        Verdict::Crashed { error } => of_function("crashed", error.message.clone(), error),
        Verdict::NotRun { throttled: true, .. } => Some(no_instance(function, queue_wait)),
        Verdict::NotRun { deleted: true, .. } => Some(deleted(function)),
        Verdict::NotRun { reason, .. } => Some(start_failed(function, &reason)),
        Verdict::Unfinished { reason } => Some(unfinished(function, id, &reason)),
        Verdict::Interrupted | Verdict::Underway => Some(interrupted(id)),
    };
    let ending = match (http.filter(|_| has_answered), problem) {
        (Some(response), _) => CallEnding::Response(response, bytes),
        (None, None) => {
            CallEnding::Value(Body { content_type: content_type.unwrap_or_default(), bytes })
        }
        (None, Some(problem)) => CallEnding::Problem(Box::new(problem.invocation(id))),
    };
    Ended { id, ending, start, instance, phases }
}

const FORM_HINT: &str = "the payload came as a form (curl's default), so the handler got bytes; to send JSON, add -H 'content-type: application/json'";

/// A form is what curl sends unless told otherwise: a handler that fails may have wanted JSON.
pub fn hint_at_json(mut ended: Ended) -> Ended {
    if let CallEnding::Problem(problem) = &mut ended.ending
        && problem.fault == Fault::Function
    {
        problem.hint.get_or_insert_with(|| FORM_HINT.to_owned());
    }
    ended
}

pub fn no_instance(function: &CachedFunction, queue_wait: Duration) -> Problem {
    let wait = show_duration(queue_wait);
    throttled(format!("no instance of '{}' became free within {wait}", function.name))
}

fn deleted(function: &CachedFunction) -> Problem {
    let detail = format!(
        "function '{}' was deleted while the invocation waited for an instance; it did not run",
        function.name
    );
    Problem::new(code::FUNCTION_NOT_FOUND, detail).hint("'cloudfunc list' shows the functions")
}

pub fn no_broker() -> Problem {
    Problem::new(code::UNAVAILABLE, "the message broker does not answer").retry_after(RETRY_AFTER)
}

pub fn throttled(detail: String) -> Problem {
    Problem::new(code::THROTTLED, detail)
        .retry_after(RETRY_AFTER)
        .hint(
            "try again later, raise [scaling] max_instances (or concurrency, if the function mostly waits), or invoke it \
             asynchronously; 'cloudfunc status' shows whether a manager is running",
        )
}

pub fn interrupted(id: InvocationId) -> Problem {
    let detail = format!(
        "a part of the platform was lost while it had the invocation {id}; whether it ran is not known"
    );
    Problem::new(code::INTERRUPTED, detail).invocation(id)
}

/// It began, and its instance was lost.
fn unfinished(function: &CachedFunction, id: InvocationId, reason: &str) -> Problem {
    let name = &function.name;
    let detail = format!(
        "the instance of '{name}' was lost while it ran the invocation {id}: {reason}; whether it did its work is not \
         known"
    );
    Problem::new(code::INTERRUPTED, detail)
        .invocation(id)
        .hint(format!("'cloudfunc logs {name} --invocation {id}' shows how far it came"))
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
        .hint("'cloudfunc logs --role manager' shows more")
}

//! Failures as RFC 9457 answers.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    error_chain::chain,
    model::{FunctionName, Problem, code},
    queue, store,
    suggest::suggest,
};

/// What a handler answers.
pub type Answer<T = Response> = Result<T, Failure>;

/// A problem on its way out. Made from the errors of the seams by `?`: the outside text names no
/// internals, the inside text is logged here, once.
#[derive(Debug)]
pub struct Failure(pub Box<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let problem = of_store(&error);
        if problem.status >= 500 {
            tracing::error!(error = %chain(&error), "store failed");
        }
        problem.into()
    }
}

/// What a caller is told of it; names no internals.
pub fn of_store(error: &store::Error) -> Problem {
    match error {
        store::Error::Unavailable { .. } => {
            Problem::new(code::UNAVAILABLE, "the store does not answer").retry_after(1)
        }
        store::Error::UnknownFate { .. } => {
            Problem::new(code::UNKNOWN_FATE, "the store was lost while it committed")
        }
        store::Error::Conflict(text) => Problem::new(code::CONFLICT, text.clone()),
        store::Error::Missing(text) => {
            Problem::new(code::REVISION_NOT_FOUND, format!("{text} is not there"))
        }
        store::Error::Unwritable { reason, .. } => Problem::new(code::DISK_FULL, *reason)
            .retry_after(DISK_RETRY)
            .hint("calls that wait for their result are still served; make room there"),
        store::Error::Internal { .. } => Problem::new(code::INTERNAL, "the store failed"),
    }
}

/// Seconds after which somebody may have made room.
const DISK_RETRY: u64 = 5;

impl From<queue::Error> for Failure {
    fn from(error: queue::Error) -> Self {
        // A broker that is away has been logged by the queue.
        if !error.is_transient() {
            tracing::error!(error = %chain(&error), "queue failed");
        }
        Problem::new(code::UNAVAILABLE, "the message broker does not answer").retry_after(1).into()
    }
}

/// 404 with the near names, if any.
pub fn function_not_found<'a>(name: &FunctionName, names: impl Iterator<Item = &'a str>) -> Problem {
    let problem = Problem::new(code::FUNCTION_NOT_FOUND, format!("there is no function '{name}'"));
    let near = suggest(name.as_str(), names);
    match near.is_empty() {
        true => problem.hint("'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one"),
        false => problem.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = *self.0;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after;
        let id = problem.invocation_id;
        let encoding = problem.code == code::UNSUPPORTED_ENCODING.code;
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if encoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(super::encoding::ACCEPTED));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
            headers.insert(crate::model::api::header::INVOCATION_ID, value);
        }
        response
    }
}

//! Failures as RFC 9457 answers.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    model::{FunctionName, Problem, code},
    suggest::suggest,
};

/// The encodings that a body may have; sent as `Accept-Encoding` with a refusal.
pub(super) const ACCEPTED_ENCODINGS: &str = "gzip, deflate";

/// What a handler answers.
pub type Answer<T = Response> = Result<T, Failure>;

/// A problem on its way out. `?` makes it of the errors of store and queue (`backends.rs`).
#[derive(Debug)]
pub struct Failure(pub Box<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
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
        let is_unauthorized = status == StatusCode::UNAUTHORIZED;
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if encoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_ENCODINGS));
        }
        if is_unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
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

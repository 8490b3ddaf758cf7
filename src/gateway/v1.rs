//! The routes of version 1: calls as typed values, everything else passed on as it is.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;

use super::Gateway;
use crate::{
    http::{
        Answer, At, CallRequest, Query, Routed as _, Shortcut, accepts_gzip, check_path, compressed,
        end_to_end, method_router, payload_too_large, read_decoded,
    },
    model::{
        CallAnswer, Ended, Fault, FunctionName, InvocationId, Problem, code,
        message::MAX_BODY,
        route::{self, AnsweredBy, Endpoint},
    },
    payload,
};

type Shared = State<Arc<Gateway>>;

/// All of the table that other roles answer, and calls.
pub fn routes() -> Router<Arc<Gateway>> {
    let passed_on = route::ALL.iter().filter(|endpoint| endpoint.by != AnsweredBy::Gateway);
    let calls = Router::new().answers(
        &route::INVOKE,
        async |State(gateway): Shared, At(function): At<FunctionName>, request: Request| {
            invoke(&gateway, function, request).await
        },
    );
    passed_on.fold(calls, |router, endpoint| {
        let handler = async |State(gateway): Shared, of: RawPathParams, request: Request| {
            pass_on(&gateway, endpoint, &of, request).await
        };
        router.route(endpoint.path, method_router(endpoint, handler))
    })
}

/// A path is passed on only with names and ids in it, and a query only with parameters of its route.
async fn pass_on(
    gateway: &Gateway,
    endpoint: &'static Endpoint,
    of: &RawPathParams,
    request: Request,
) -> Answer {
    check_path(of)?;
    Query::read(request.uri().query(), endpoint.query)?;
    let (parts, body) = request.into_parts();
    // What follows a deploy is not a list.
    let gzip = parts.method == Method::GET && accepts_gzip(&parts.headers);
    let role = match endpoint.by {
        AnsweredBy::Registry => &gateway.registry,
        AnsweredBy::Scheduler | AnsweredBy::Gateway => &gateway.scheduler,
    };
    let answer = match endpoint.watches {
        true => role.watch(parts, body, gateway.stop.clone()).await?,
        false => role.forward(parts, body).await?,
    };
    Ok(compressed(gzip, answer))
}

/// A call whose path names a function in plain letters, without the router: nearly all requests are calls.
#[expect(clippy::result_large_err, reason = "the error is the request itself, for the router")]
pub fn shortcut(gateway: Arc<Gateway>) -> Shortcut {
    let (before, after) = route::INVOKE.around();
    Arc::new(move |request| {
        let name = request.uri().path().strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        match name.and_then(|name| name.parse().ok()) {
            Some(function) if request.method() == Method::POST => {
                let gateway = gateway.clone();
                Ok(Box::pin(async move { invoke(&gateway, function, request).await.into_response() }))
            }
            // Whatever it is, the router knows what to say of it.
            _ => Err(request),
        }
    })
}

async fn invoke(gateway: &Gateway, function: FunctionName, request: Request) -> Answer<Response> {
    let (mut parts, body) = request.into_parts();
    let payload = read_decoded(&mut parts.headers, body, MAX_BODY, payload_too_large).await?;
    Query::read(parts.uri.query(), route::INVOKE.endpoint.query)?;
    let payload = checked(&mut parts.headers, payload)?;
    let gzip = accepts_gzip(&parts.headers);
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(payload::is_form);
    let headers = end_to_end(parts.headers)?;
    let request = CallRequest { id: InvocationId::new(), function, headers, payload };
    let answer = gateway.scheduler.call(request).await?;
    let answer = if is_form { hint_at_json(answer) } else { answer };
    Ok(compressed(gzip, answer.into_response()))
}

/// A payload that its function can read, rebuilt by nobody; an empty one of JSON, also without a type, is
/// the empty event.
fn checked(headers: &mut HeaderMap, payload: Bytes) -> Answer<Bytes> {
    const JSON: HeaderValue = HeaderValue::from_static(payload::DEFAULT_TYPE);
    if headers.get_all(header::CONTENT_TYPE).iter().nth(1).is_some() {
        let several = Problem::new(code::BAD_REQUEST, "the request has several Content-Type headers");
        return Err(several.hint("send one").into());
    }
    let content_type = headers.entry(header::CONTENT_TYPE).or_insert(JSON);
    let content_type = String::from_utf8_lossy(content_type.as_bytes());
    payload::check(&content_type, &payload).map_err(|refused| refused.problem())?;
    if payload.is_empty() && payload::is_json(&content_type) {
        return Ok(Bytes::from_static(b"{}"));
    }
    Ok(payload)
}

const FORM_HINT: &str = "the payload came as a form (curl's default), so the handler got bytes; to send JSON, add -H 'content-type: application/json'";

/// A form is what curl sends unless told otherwise: a handler that fails may have wanted JSON.
fn hint_at_json(mut answer: CallAnswer) -> CallAnswer {
    if let CallAnswer::Ended(Ended { ending: Err(problem), .. }) = &mut answer
        && problem.fault == Fault::Function
    {
        problem.hint.get_or_insert_with(|| FORM_HINT.to_owned());
    }
    answer
}

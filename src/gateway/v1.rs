//! The routes of version 1: calls as typed values, everything else passed on as it is.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::future::BoxFuture;

use super::{Admitted, Gateway, functions::keep_apart};
use crate::{
    http::{
        self, Answer, CallRequest, Failure, Query, SentBy, Shortcut, accepts_gzip, caller_header,
        compressed, end_to_end, is_of_web_server, one_type, payload_too_large, read_within_budget,
        with_how_to_name,
    },
    model::{
        FunctionName, InvocationId, Problem,
        api::header as ours,
        message::MAX_BODY,
        route::{self, AnsweredBy, Endpoint},
    },
};

/// The header that tells another role of the caller.
const CALLER: HeaderName = HeaderName::from_static(ours::CALLER);
/// The largest problem that a role answers, in bytes.
const MAX_PROBLEM: usize = 64 * 1024;

/// Answers a route that another role has: the request goes there, and its answer back.
pub fn pass_on(
    gateway: Arc<Gateway>,
    admitted: Admitted,
    request: Request,
) -> BoxFuture<'static, Answer> {
    Box::pin(async move { passed_on(&gateway, admitted, request).await })
}

/// A query is passed on only with parameters of its route.
async fn passed_on(gateway: &Gateway, admitted: Admitted, request: Request) -> Answer {
    let Admitted { endpoint, sent_by, target, .. } = admitted;
    let target = {
        let query = Query::read(request.uri().query(), endpoint.query)?;
        target.or_else(|| function_in(&query))
    };
    let (mut parts, body) = request.into_parts();
    tell_caller(&mut parts.headers, &sent_by);
    let body = sent_by.token.checked_body(body);
    // What follows a deploy is not a list.
    let gzip = parts.method == Method::GET && accepts_gzip(&parts.headers);
    let role = match endpoint.by {
        AnsweredBy::Registry => &gateway.registry,
        AnsweredBy::Scheduler | AnsweredBy::Gateway => &gateway.scheduler,
    };
    let answer = match endpoint.watches {
        true => {
            let (stop, token) = (gateway.stop.clone(), sent_by.token.clone());
            let (refusals, sender, about) = (gateway.refusals.clone(), sent_by.clone(), target.clone());
            let on_refusal = move |problem: &Problem| {
                refusals.of_caller(&sender, endpoint, about, Some(&problem.detail));
            };
            role.watch(parts, body, stop, token, on_refusal).await
        }
        false => role.forward(parts, body).await,
    };
    let answer = answer.unwrap_or_else(Failure::into_response);
    let answer = noted(gateway, &sent_by, endpoint, target, answer).await;
    Ok(compressed(gzip, answer))
}

/// Returns the function that a query names first, if it is the name of one.
fn function_in(query: &Query<'_>) -> Option<String> {
    let name: FunctionName = query.all("function").next()?.parse().ok()?;
    Some(name.to_string())
}

/// Notes the refusal of a role behind the gateway, or of a token that has ended meanwhile, with its reason. Returns the answer,
/// whatever it is.
pub async fn noted(
    gateway: &Gateway,
    sent_by: &SentBy,
    endpoint: &Endpoint,
    target: Option<String>,
    answer: Response,
) -> Response {
    if !matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_PROBLEM).await.unwrap_or_default();
    let problem: Option<Problem> = serde_json::from_slice(&bytes).ok();
    let why = problem.as_ref().map(|problem| problem.detail.as_str());
    gateway.refusals.of_caller(sent_by, endpoint, target, why);
    // Of the body that has come, which may be cut. HEAD has none, and tells its length all the same.
    if !bytes.is_empty() {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    Response::from_parts(head, bytes.into())
}

/// Puts the caller in, in place of one that the client has put there.
pub fn tell_caller(headers: &mut HeaderMap, sent_by: &SentBy) {
    headers.insert(CALLER, caller_header(&sent_by.to_caller()));
}

/// A call whose path names a function in plain letters, without the router: nearly all requests are calls.
#[expect(clippy::result_large_err, reason = "the error is the request itself, for the router")]
pub fn shortcut(gateway: Arc<Gateway>) -> Shortcut {
    let (before, after) = route::INVOKE.around();
    Arc::new(move |request, sent_by| {
        let name = request.uri().path().strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        match name.and_then(|name| name.parse().ok()) {
            Some(function) if request.method() == Method::POST => {
                let gateway = gateway.clone();
                if let Err(refused) =
                    gateway.authorise(&sent_by, &route::INVOKE.endpoint, Some(&function))
                {
                    return Ok(Box::pin(async move {
                        let (head, body) = request.into_parts();
                        http::refused(&head.headers, body, false).await;
                        refused.into_response()
                    }));
                }
                Ok(Box::pin(async move {
                    let answer = invoke(&gateway, &sent_by, function, request).await;
                    answer.map_err(|refused| refused.told(&sent_by.caller)).into_response()
                }))
            }
            // Whatever it is, the router knows what to say of it.
            _ => Err((request, sent_by)),
        }
    })
}

/// Answers a call that has come through the router.
pub fn call(gateway: Arc<Gateway>, admitted: Admitted, request: Request) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let function = admitted.function.expect("the path of a call names a function");
        let answer = invoke(&gateway, &admitted.sent_by, function, request).await;
        answer.map_err(|refused| refused.told(&admitted.sent_by.caller))
    })
}

async fn invoke(
    gateway: &Gateway,
    sent_by: &SentBy,
    function: FunctionName,
    request: Request,
) -> Answer<Response> {
    let (mut parts, body) = request.into_parts();
    let payload = read_within_budget(&mut parts, body, MAX_BODY, payload_too_large).await?;
    gateway.check_again(sent_by, &route::INVOKE.endpoint, Some(&function)).await?;
    Query::read(parts.uri.query(), route::INVOKE.endpoint.query).map_err(with_how_to_name)?;
    let http = gateway.named(&function, &parts, sent_by)?;
    one_type(&parts.headers)?;
    let gzip = accepts_gzip(&parts.headers);
    let headers = end_to_end(parts.headers)?;
    let request = CallRequest { id: InvocationId::new(), function, headers, payload, http };
    let mut answer = gateway.scheduler.call(request).await?.into_response();
    keep_apart(answer.headers_mut());
    // A web server agrees on that with its caller itself.
    Ok(if is_of_web_server(&answer) { answer } else { compressed(gzip, answer) })
}

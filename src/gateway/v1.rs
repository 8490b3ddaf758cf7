//! The routes of version 1: calls as typed values, everything else passed on as it is.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, Request, State},
    http::{HeaderMap, Method, header},
    response::{IntoResponse as _, Response},
};

use super::Gateway;
use crate::{
    http::{
        Answer, At, CallRequest, Query, Routed as _, Shortcut, accepts_gzip, check_path, compressed,
        end_to_end, is_of_web_server, method_router, named_request, payload_too_large, read_decoded,
        with_how_to_name,
    },
    model::{
        FunctionName, InvocationId, Problem, code,
        message::MAX_BODY,
        route::{self, AnsweredBy, Endpoint},
    },
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
    Query::read(parts.uri.query(), route::INVOKE.endpoint.query).map_err(with_how_to_name)?;
    let http = named_request(&parts.headers)?;
    one_type(&parts.headers)?;
    let gzip = accepts_gzip(&parts.headers);
    let headers = end_to_end(parts.headers)?;
    let request = CallRequest { id: InvocationId::new(), function, headers, payload, http };
    let answer = gateway.scheduler.call(request).await?.into_response();
    // A web server agrees on that with its caller itself.
    Ok(if is_of_web_server(&answer) { answer } else { compressed(gzip, answer) })
}

fn one_type(headers: &HeaderMap) -> Answer<()> {
    if headers.get_all(header::CONTENT_TYPE).iter().nth(1).is_some() {
        let several = Problem::new(code::BAD_REQUEST, "the request has several Content-Type headers");
        return Err(several.hint("send one").into());
    }
    Ok(())
}

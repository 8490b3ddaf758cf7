//! The public routes.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, RawPathParams, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::Gateway;
use crate::{
    http::{
        Answer, Failure, Query, accepts_gzip, compressed, drops_nothing, end_to_end, function_name,
        health_routes, payload_too_large, read_decoded, read_document,
    },
    model::{InvocationRef, Problem, code, message::MAX_BODY},
    payload,
};

type Shared = State<Arc<Gateway>>;

/// The classic `POST /deploy` names an image; it needs no more.
const MAX_DEPLOY: usize = 64 * 1024;
/// Around the payload in the classic `POST /invoke/{name}`.
const ENVELOPE: usize = 1024;

pub fn routes(gateway: Arc<Gateway>) -> Router {
    // It has no backend of its own: it is ready when the roles behind it are.
    let ready = {
        let gateway = gateway.clone();
        Arc::new(move || {
            let gateway = gateway.clone();
            Box::pin(async move {
                gateway.registry.ready().await?;
                gateway.scheduler.ready().await
            }) as _
        })
    };
    let platform = gateway.platform.clone();
    Router::new()
        .route("/v1/functions", any(to_registry))
        .route("/v1/functions/{name}", any(to_registry))
        .route("/v1/functions/{name}/revisions", any(to_registry_with_query))
        .route("/v1/functions/{name}/instances", any(to_registry))
        .route("/v1/functions/{name}/active-revision", any(to_registry))
        .route("/v1/functions/{name}/invoke", post(invoke))
        .route("/v1/functions/{name}/logs", any(watch_scheduler))
        .route("/v1/logs", any(watch_scheduler))
        .route("/v1/prune", any(to_registry_with_query))
        .route("/v1/invocations", any(to_scheduler))
        .route("/v1/invocations/{id}", any(watch_scheduler))
        .route("/v1/invocations/{id}/result", any(to_scheduler))
        .route("/deploy", post(classic_deploy))
        .route("/invoke/{name}", post(classic_invoke))
        .route("/health", get(async || Json(json!({ "status": "healthy" }))))
        .with_state(gateway)
        .merge(health_routes("gateway", platform, Vec::new(), ready, drops_nothing()))
}

/// What takes no parameters.
async fn to_registry(state: Shared, of: RawPathParams, request: Request) -> Answer {
    Query::read(request.uri().query(), &[])?;
    to_registry_with_query(state, of, request).await
}

async fn to_registry_with_query(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    // What follows a deploy is not a list.
    let gzip = parts.method == Method::GET && accepts_gzip(&parts.headers);
    let answer = gateway.registry.forward(parts, body).await?;
    Ok(compressed(gzip, answer))
}

async fn to_scheduler(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    let gzip = accepts_gzip(&parts.headers);
    let answer = gateway.scheduler.forward(parts, body).await?;
    Ok(compressed(gzip, answer))
}

/// What may follow (`?follow=`) or wait (`?wait=`).
async fn watch_scheduler(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    let gzip = accepts_gzip(&parts.headers);
    let answer = gateway.scheduler.watch(parts, body, gateway.stop.clone()).await?;
    Ok(compressed(gzip, answer))
}

/// A path is passed on only with names and ids in it: `..` would lead to another route of the role.
fn check_path(parameters: &RawPathParams) -> Answer<()> {
    for (key, value) in parameters {
        if key == "id" {
            let id: Result<InvocationRef, _> = value.parse();
            id.map_err(|error| Failure::from(Problem::new(code::BAD_REQUEST, error.to_string())))?;
        } else {
            function_name(value)?;
        }
    }
    Ok(())
}

async fn invoke(State(gateway): Shared, Path(name): Path<String>, request: Request) -> Answer {
    function_name(&name)?;
    let (mut parts, body) = request.into_parts();
    let payload = read_decoded(&mut parts.headers, body, MAX_BODY, payload_too_large).await?;
    Query::read(parts.uri.query(), &[])?;
    let payload = checked(&mut parts.headers, payload)?;
    let gzip = accepts_gzip(&parts.headers);
    let (path, headers) = (parts.uri.path(), end_to_end(parts.headers)?);
    let answer = gateway.scheduler.send_all(Method::POST, path, headers, payload.into()).await?;
    Ok(compressed(gzip, answer))
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

/// `POST /deploy {name, image, runtime}` → 201 `{message, name, revision}`.
async fn classic_deploy(State(gateway): Shared, request: Request) -> Answer {
    Query::read(request.uri().query(), &[])?;
    let (mut parts, body) = request.into_parts();
    let body = read_decoded(&mut parts.headers, body, MAX_DEPLOY, || {
        Problem::new(code::PAYLOAD_TOO_LARGE, "the request is larger than the limit of 64 KiB")
    })
    .await?;
    gateway.registry.send(Method::POST, "/functions", parts.headers, body.into()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassicInvoke {
    payload: Option<Box<RawValue>>,
}

/// `POST /invoke/{name} {"payload": {…}}` → 202 `{message, function, id}`, as the classic route has it.
async fn classic_invoke(
    State(gateway): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Answer<Response> {
    const SHAPE: &str = r#"{"payload": …}, where the payload is any JSON"#;
    let name = function_name(&name)?;
    Query::read(request.uri().query(), &[])?;
    let (mut parts, body) = request.into_parts();
    let order = read_document(&mut parts.headers, body, MAX_BODY + ENVELOPE, SHAPE).await?;
    let ClassicInvoke { payload } = order;
    let payload = payload.map_or_else(|| "{}".to_owned(), |payload| payload.get().to_owned());
    if payload.len() > MAX_BODY {
        return Err(payload_too_large().into());
    }
    let mut headers = HeaderMap::new();
    headers.insert("prefer", HeaderValue::from_static("respond-async"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path = format!("/v1/functions/{name}/invoke");
    let answer = gateway.scheduler.send(Method::POST, &path, headers, payload.into()).await?;
    if answer.status() != StatusCode::ACCEPTED {
        return Ok(answer);
    }
    let id = answer.headers().get(crate::model::api::header::INVOCATION_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let body = json!({ "message": format!("Function {name} invoked"), "function": name, "id": id });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

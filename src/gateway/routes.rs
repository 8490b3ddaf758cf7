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
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{json, value::RawValue};

use super::Gateway;
use crate::{
    http::{Answer, Failure, drops_nothing, function_name, health_routes, payload_too_large, read_body},
    model::{InvocationRef, Problem, code, message::MAX_BODY},
};

type Shared = State<Arc<Gateway>>;

/// The seed's `POST /deploy` names an image; it needs no more.
const MAX_DEPLOY: usize = 64 * 1024;
/// Around the payload in the seed's `POST /invoke/{name}`.
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
        .route("/v1/functions/{name}/revisions", any(to_registry))
        .route("/v1/functions/{name}/instances", any(to_registry))
        .route("/v1/functions/{name}/active-revision", any(to_registry))
        .route("/v1/functions/{name}/invoke", post(invoke))
        .route("/v1/functions/{name}/logs", any(watch_scheduler))
        .route("/v1/logs", any(watch_scheduler))
        .route("/v1/prune", any(to_registry))
        .route("/v1/invocations", any(to_scheduler))
        .route("/v1/invocations/{id}", any(watch_scheduler))
        .route("/v1/invocations/{id}/result", any(to_scheduler))
        .route("/deploy", post(seed_deploy))
        .route("/invoke/{name}", post(seed_invoke))
        .route("/health", get(async || Json(json!({ "status": "healthy" }))))
        .with_state(gateway)
        .merge(health_routes("gateway", platform, Vec::new(), ready, drops_nothing()))
}

async fn to_registry(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    gateway.registry.forward(parts, body).await
}

async fn to_scheduler(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    gateway.scheduler.forward(parts, body).await
}

/// What may follow (`?follow=`) or wait (`?wait=`).
async fn watch_scheduler(State(gateway): Shared, of: RawPathParams, request: Request) -> Answer {
    check_path(&of)?;
    let (parts, body) = request.into_parts();
    gateway.scheduler.watch(parts, body, gateway.stop.clone()).await
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
    let payload = read_body(body, MAX_BODY, payload_too_large).await?;
    let payload = with_content_type(&mut parts.headers, payload)?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    gateway.scheduler.send(Method::POST, &path, parts.headers, payload.into()).await
}

/// An empty body without a type is the empty event. JSON is checked here and rebuilt by nobody.
fn with_content_type(headers: &mut HeaderMap, payload: Bytes) -> Answer<Bytes> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let content_type = headers.entry(header::CONTENT_TYPE).or_insert(JSON);
    let is_json = content_type.to_str().is_ok_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
    });
    if !is_json {
        return Ok(payload);
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    check_json(&payload)?;
    Ok(payload)
}

fn check_json(payload: &[u8]) -> Answer<()> {
    match serde_json::from_slice::<IgnoredAny>(payload) {
        Ok(_) => Ok(()),
        Err(error) => {
            let detail = format!("the payload is not valid JSON: {error}");
            Err(Problem::new(code::INVALID_JSON, detail)
                .hint("send valid JSON, or name another type with Content-Type")
                .into())
        }
    }
}

/// `POST /deploy {name, image, runtime}` → 201 `{message, name, revision}`.
async fn seed_deploy(State(gateway): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_DEPLOY, || {
        Problem::new(code::PAYLOAD_TOO_LARGE, "the request is larger than the limit of 64 KiB")
    })
    .await?;
    gateway.registry.send(Method::POST, "/functions", parts.headers, body.into()).await
}

#[derive(Deserialize)]
struct SeedInvoke {
    payload: Option<Box<RawValue>>,
}

/// `POST /invoke/{name} {"payload": {…}}` → 202 `{message, function, id}`, as the seed has it.
async fn seed_invoke(
    State(gateway): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Answer<Response> {
    let name = function_name(&name)?;
    let body = read_body(request.into_body(), MAX_BODY + ENVELOPE, payload_too_large).await?;
    let invalid = |error: serde_json::Error| {
        Failure::from(Problem::new(code::INVALID_JSON, format!("the body is not valid JSON: {error}")))
    };
    let SeedInvoke { payload } = serde_json::from_slice(&body).map_err(invalid)?;
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

//! The classic routes (`/deploy`, `/invoke/{name}`, `/health`): kept for clients of the first version, with the JSON
//! that they had.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::Gateway;
use crate::{
    http::{
        Answer, At, CallRequest, Query, Routed as _, named_request, payload_too_large, read_decoded,
        read_document,
    },
    model::{CallAnswer, FunctionName, InvocationId, Problem, code, message::MAX_BODY, route},
    payload,
};

/// `POST /deploy` names an image; it needs no more.
const MAX_DEPLOY: usize = 64 * 1024;
/// Around the payload in `POST /invoke/{name}`.
const ENVELOPE: usize = 1024;

pub fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .answers(&route::CLASSIC_DEPLOY, deploy)
        .answers(&route::CLASSIC_INVOKE, invoke)
        .route("/health", get(async || Json(json!({ "status": "healthy" }))))
}

/// `POST /deploy {name, image, runtime}` → 201 `{message, name, revision}`.
async fn deploy(State(gateway): State<Arc<Gateway>>, request: Request) -> Answer {
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
struct Invoke {
    payload: Option<Box<RawValue>>,
}

/// `POST /invoke/{name} {"payload": {…}}` → 202 `{message, function, id}`.
async fn invoke(
    State(gateway): State<Arc<Gateway>>,
    At(name): At<FunctionName>,
    request: Request,
) -> Answer<Response> {
    const SHAPE: &str = r#"{"payload": …}, where the payload is any JSON"#;
    Query::read(request.uri().query(), &[])?;
    let (mut parts, body) = request.into_parts();
    let order = read_document(&mut parts.headers, body, MAX_BODY + ENVELOPE, SHAPE).await?;
    let Invoke { payload } = order;
    let payload = payload.map_or_else(|| "{}".to_owned(), |payload| payload.get().to_owned());
    if payload.len() > MAX_BODY {
        return Err(payload_too_large().into());
    }
    let http = named_request(&parts.headers)?;
    let mut headers = HeaderMap::new();
    headers.insert("prefer", HeaderValue::from_static("respond-async"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(payload::DEFAULT_TYPE));
    let (id, function) = (InvocationId::new(), name.clone());
    let request = CallRequest { id, function, headers, payload: payload.into(), http };
    match gateway.scheduler.call(request).await? {
        CallAnswer::Accepted(id) => {
            let message = format!("Function {name} invoked");
            let body = json!({ "message": message, "function": name, "id": id });
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        ended @ CallAnswer::Ended(_) => Ok(ended.into_response()),
    }
}

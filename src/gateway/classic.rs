//! The classic routes (`/deploy`, `/invoke/{name}`, `/health`): kept for clients of the first version, with the JSON
//! that they had.

use std::sync::Arc;

use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::{
    Admitted, Gateway,
    v1::{noted, tell_caller},
};
use crate::{
    http::{Answer, CallRequest, Query, SentBy, payload_too_large, read_decoded, read_document},
    model::{
        CallAnswer, FunctionName, InvocationId, Problem,
        api::{ClassicInvoke, ClassicInvoked},
        code,
        message::MAX_BODY,
        route::Endpoint,
    },
    payload,
};

/// `POST /deploy` names an image; it needs no more.
const MAX_DEPLOY: usize = 64 * 1024;
/// Around the payload in `POST /invoke/{name}`.
const ENVELOPE: usize = 1024;

/// `POST /deploy {name, image, runtime}` → 201 `{message, name, revision}`.
pub fn deploy(
    gateway: Arc<Gateway>,
    admitted: Admitted,
    request: Request,
) -> BoxFuture<'static, Answer> {
    Box::pin(async move { registered(&gateway, admitted, request).await })
}

async fn registered(gateway: &Gateway, admitted: Admitted, request: Request) -> Answer {
    Query::read(request.uri().query(), admitted.endpoint.query)?;
    let (mut parts, body) = request.into_parts();
    let body = read_decoded(&mut parts.headers, body, MAX_DEPLOY, || {
        Problem::new(code::PAYLOAD_TOO_LARGE, "the request is larger than the limit of 64 KiB")
    })
    .await?;
    let Admitted { endpoint, sent_by, .. } = admitted;
    gateway.check_again(&sent_by, endpoint, None).await?;
    let mut target = None;
    if sent_by.caller.is_limited() {
        let name = name_in(&body)?;
        gateway.authorise(&sent_by, endpoint, Some(&name))?;
        target = Some(name.to_string());
    }
    tell_caller(&mut parts.headers, &sent_by);
    let answer = gateway.registry.send(Method::POST, "/functions", parts.headers, body.into()).await?;
    Ok(noted(gateway, &sent_by, endpoint, target, answer).await)
}

/// The function's name in the document of a deploy: the path has none. Everything else of it is left to the registry.
fn name_in(document: &Bytes) -> Answer<FunctionName> {
    #[derive(Deserialize)]
    struct Named {
        name: FunctionName,
    }
    let Named { name } = serde_json::from_slice(document).map_err(|error| {
        let detail = format!("the body is not as this route takes it: {error}");
        Problem::new(code::BAD_REQUEST, detail).hint(r#"send {"name": "…", "image": "…"}"#)
    })?;
    Ok(name)
}

/// `POST /invoke/{name} {"payload": {…}}` → 202 `{message, function, id}`.
pub fn invoke(
    gateway: Arc<Gateway>,
    admitted: Admitted,
    request: Request,
) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Admitted { endpoint, sent_by, function, .. } = admitted;
        let name = function.expect("the path of a call names a function");
        let answer = invoked(&gateway, endpoint, &sent_by, name, request).await;
        answer.map_err(|refused| refused.told(&sent_by.caller))
    })
}

async fn invoked(
    gateway: &Gateway,
    endpoint: &Endpoint,
    sent_by: &SentBy,
    name: FunctionName,
    request: Request,
) -> Answer<Response> {
    const SHAPE: &str = r#"{"payload": …}, where the payload is any JSON"#;
    Query::read(request.uri().query(), &[])?;
    let (mut parts, body) = request.into_parts();
    let order = read_document(&mut parts.headers, body, MAX_BODY + ENVELOPE, SHAPE).await?;
    gateway.check_again(sent_by, endpoint, Some(&name)).await?;
    let ClassicInvoke { payload } = order;
    let payload = payload.map_or_else(|| "{}".to_owned(), |payload| payload.get().to_owned());
    if payload.len() > MAX_BODY {
        return Err(payload_too_large().into());
    }
    let http = gateway.named(&name, &parts, sent_by)?;
    let mut headers = HeaderMap::new();
    headers.insert("prefer", HeaderValue::from_static("respond-async"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(payload::DEFAULT_TYPE));
    let (id, function) = (InvocationId::new(), name.clone());
    let request = CallRequest { id, function, headers, payload: payload.into(), http };
    match gateway.scheduler.call(request).await? {
        CallAnswer::Accepted(id) => {
            let message = format!("Function {name} invoked");
            let body = ClassicInvoked { function: name, id, message };
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        ended @ CallAnswer::Ended(_) => Ok(ended.into_response()),
    }
}

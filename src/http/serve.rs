//! Serving: listeners, the fallback answers, health.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    http::{Method, StatusCode, Uri},
    response::IntoResponse as _,
    routing::get,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Answer, Failure, Guard, authorise};
use crate::model::{Problem, api::Health, code};

pub use axum::body::Body;

/// Takes a port. The error names the address; a taken port is the usual cause.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Serves until `stop`, then finishes what is under way.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    guard: Guard,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = routes
        .fallback(|uri: Uri| async move {
            Failure::from(Problem::new(
                code::ROUTE_NOT_FOUND,
                format!("there is no route {}", uri.path()),
            ))
        })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            let detail = format!("{} does not take {method}", uri.path());
            Failure::from(Problem::new(code::METHOD_NOT_ALLOWED, detail))
        })
        .layer(axum::middleware::from_fn_with_state(guard, authorise));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Answers are small and awaited: Nagle's algorithm would only hold them back.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Asks a role's backends whether they answer; what they wait for otherwise.
pub type Ready =
    Arc<dyn Fn() -> futures_util::future::BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A backend that stays silent for so long is not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// `/healthz` (this process lives) and `/readyz` (and its backends answer).
pub fn health_routes(role: &'static str, backends: Vec<String>, ready: Ready) -> Router {
    let health = move |waiting_for: Option<String>| Health {
        role: role.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: waiting_for.is_none(),
        waiting_for,
        backends: backends.clone(),
    };
    let live = health.clone();
    Router::new().route("/healthz", get(async move || Json(live(None)))).route(
        "/readyz",
        get(async move || {
            let waiting_for = match tokio::time::timeout(READY_TIMEOUT, ready()).await {
                Ok(Ok(())) => None,
                Ok(Err(what)) => Some(what),
                Err(_) => Some("its backends: no answer within 3 s".to_owned()),
            };
            let status =
                if waiting_for.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, Json(health(waiting_for))).into_response()
        }),
    )
}

/// The whole body, or the given problem when it is larger than `limit` bytes.
pub async fn read_body(
    mut body: Body,
    limit: usize,
    too_large: impl FnOnce() -> Problem,
) -> Answer<Bytes> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let _ = tokio::time::timeout(SWALLOW_TIMEOUT, swallow(&mut body)).await;
            Err(too_large().into())
        }
        Err(error) => {
            Err(Problem::new(code::BAD_REQUEST, format!("the body could not be read: {error}")).into())
        }
    }
}

/// Of a body that is too large, so much is read and thrown away: an answer in the middle of a request
/// closes the connection, and a client that is still sending then sees a reset instead of the answer.
const SWALLOW: usize = 64 * 1024 * 1024;
const SWALLOW_TIMEOUT: Duration = Duration::from_secs(5);

async fn swallow(body: &mut Body) {
    let mut swallowed = 0;
    while swallowed < SWALLOW
        && let Some(Ok(frame)) = body.frame().await
    {
        swallowed += frame.data_ref().map_or(0, Bytes::len);
    }
}

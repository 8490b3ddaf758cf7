//! Serving: listeners, the fallback answers, health.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    http::{Method, StatusCode, Uri},
    response::IntoResponse as _,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Bounds, Calls, Door, Failure, Guard, Shortcut,
    answers::Answers,
    auth::{Functions, Guarded},
    body_budget::BodyBudget,
    connections,
    port::Port,
    web_server::HOW_TO_NAME,
};
use crate::{
    model::{
        PlatformName, Problem,
        api::{Dropped, Health},
        code, route,
    },
    open_files::{self, Shares},
};

pub use super::port::Front;

/// The size of all answers of a port for callers that have not been taken yet, in bytes: forty of the largest.
const ANSWERS: usize = 256 * 1024 * 1024;

/// Takes a port. The error names the address; a taken port is the usual cause.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Where a role is asked: a port behind a guard, and a door for the others in its process.
pub struct Server {
    pub listener: TcpListener,
    pub guard: Guard,
    pub door: Door,
    pub front: Front,
}

/// The routes of a role, and the faster ways to some of them.
pub struct Served {
    pub routes: Router,
    /// Where calls come in from within this process.
    pub calls: Option<Calls>,
    pub shortcut: Option<Shortcut>,
    /// The answering of requests to functions, on ports that have any.
    pub functions: Option<Functions>,
}

impl From<Router> for Served {
    fn from(routes: Router) -> Self {
        Self { routes, calls: None, shortcut: None, functions: None }
    }
}

impl Server {
    /// Serves until `stop`, then answers the requests that have come whole. Dropped, it answers nobody.
    pub async fn serve(self, serves: impl Into<Served>, stop: CancellationToken) {
        let shares = Shares::of(open_files::limit());
        let bounds = match self.guard.is_for_callers() {
            true => Bounds {
                connections: shares.of_callers,
                of_address: Some(shares.of_address),
                answers: ANSWERS,
                ..Bounds::default()
            },
            // All of them are of this host's roles.
            false => Bounds { connections: shares.internal, ..Bounds::default() },
        };
        self.serve_within(bounds, serves, stop).await;
    }

    /// Like [`Self::serve`], with bounds other than the usual ones.
    pub async fn serve_within(self, bounds: Bounds, serves: impl Into<Served>, stop: CancellationToken) {
        let Self { listener, guard, door, front } = self;
        let Served { routes, calls, shortcut, functions } = serves.into();
        let routes = routes
            .fallback(|uri: Uri| async move {
                Failure::from(Problem::new(
                    code::ROUTE_NOT_FOUND,
                    format!("there is no route {}", uri.path()),
                ))
            })
            .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
                let detail = format!("{} does not take {method}", uri.path());
                let problem = Problem::new(code::METHOD_NOT_ALLOWED, detail);
                let (before, after) = route::INVOKE.around();
                let name = uri.path().strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                Failure::from(if name.is_some() { problem.hint(HOW_TO_NAME) } else { problem })
            });
        let _open = door.open(routes.clone(), calls);
        // Every route is made ready here, and not for each request.
        let (routes, bodies) = (routes.with_state(()), BodyBudget::of(bounds.bodies));
        let guard = guard.behind(front.trusted_proxies.clone());
        let app = Guarded { guard, routes, shortcut, functions, bodies };
        let port = Port { app, front, bounds, answers: Answers::of(bounds.answers), stop };
        // A task of its own: one connection after the other is accepted, whatever else the role is at.
        let accepting = AbortOnDropHandle::new(tokio::spawn(connections::serve(listener, port)));
        if let Err(failed) = accepting.await
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// Asks a role's backends whether they answer; what they wait for otherwise.
pub type Ready =
    Arc<dyn Fn() -> futures_util::future::BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a role has dropped so far.
pub type Counts = Arc<dyn Fn() -> Dropped + Send + Sync>;

/// A backend that stays silent for so long is not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// `/healthz` (this process lives) and `/readyz` (and its backends answer).
pub fn health_routes(
    role: &'static str,
    platform: PlatformName,
    backends: Vec<String>,
    ready: Ready,
    dropped: Counts,
) -> Router {
    health_of(Health { backends, ..unknown(role, platform) }, ready, dropped)
}

/// The same for a gateway, which has no backends and writes nothing behind, but may have a public port.
pub fn gateway_health_routes(
    platform: PlatformName,
    public_url: Option<String>,
    ready: Ready,
) -> Router {
    health_of(Health { public_url, ..unknown("gateway", platform) }, ready, Arc::new(Dropped::default))
}

/// The health of a role that was not asked yet.
fn unknown(role: &str, platform: PlatformName) -> Health {
    Health {
        platform,
        role: role.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: false,
        waiting_for: None,
        backends: Vec::new(),
        dropped: None,
        public_url: None,
    }
}

fn health_of(known: Health, ready: Ready, dropped: Counts) -> Router {
    let health = move |waiting_for: Option<String>| Health {
        ready: waiting_for.is_none(),
        waiting_for,
        dropped: Some(dropped()).filter(|dropped| *dropped != Dropped::default()),
        ..known.clone()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn health_says_what_was_dropped_once_something_was() {
        let health = async |dropped: Dropped| {
            let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let url = format!("http://{}/healthz", listener.local_addr().unwrap());
            let ready: Ready = Arc::new(|| Box::pin(async { Ok(()) }));
            let counts: Counts = Arc::new(move || dropped);
            let routes = health_routes("scheduler", "p".parse().unwrap(), Vec::new(), ready, counts);
            tokio::spawn(async { axum::serve(listener, routes).await });
            let client = crate::http::client().unwrap();
            client.get(url).send().await.unwrap().json::<serde_json::Value>().await.unwrap()
        };
        assert_eq!(health(Dropped::default()).await.get("dropped"), None);
        let dropped = Dropped { results: 3, records: 2, ..Dropped::default() };
        let expected = serde_json::json!({ "results": 3, "lines": 0, "records": 2 });
        assert_eq!(health(dropped).await["dropped"], expected);
    }
}

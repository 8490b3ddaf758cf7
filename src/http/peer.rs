//! Asking another role of this host: over loopback, or, when it runs in this very process, without a socket,
//! a second parsing and two more tasks in between.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderValue, Method, Request, Uri, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::{Answer, CallRequest, Failure, request::refusal};
use crate::model::{
    Call, CallAnswer,
    route::{self, Target},
};

/// Where a role can be asked by the others in its process: open while it serves.
#[derive(Clone)]
pub struct Door(watch::Sender<Opening>);

enum Opening {
    NotYet,
    Open(Role),
    Closed,
}

#[derive(Clone)]
struct Role {
    routes: Router,
    calls: Option<Calls>,
}

/// Where a role takes calls. What it returns goes on only while it is polled.
pub type Calls = Arc<dyn Fn(Call) -> BoxFuture<'static, Answer<CallAnswer>> + Send + Sync>;

/// A role that starts is waited for, as it would be at its port.
const OPENING: Duration = Duration::from_secs(5);

impl Default for Door {
    fn default() -> Self {
        Self(watch::Sender::new(Opening::NotYet))
    }
}

impl Door {
    /// `routes` answer as the role's port does, without asking for a token; until what is returned is dropped:
    /// then they and `calls` are let go, and so is everything that they hold.
    pub(super) fn open(&self, routes: Router, calls: Option<Calls>) -> Open<'_> {
        self.0.send_replace(Opening::Open(Role { routes, calls }));
        Open(self)
    }

    /// What `pick` takes of the role; none when it does not serve.
    async fn role<T>(&self, pick: impl Fn(&Role) -> T) -> Option<T> {
        if let Opening::Open(role) = &*self.0.borrow() {
            return Some(pick(role));
        }
        let mut opening = self.0.subscribe();
        let begun = opening.wait_for(|opening| !matches!(opening, Opening::NotYet));
        match &*tokio::time::timeout(OPENING, begun).await.ok()?.ok()? {
            Opening::Open(role) => Some(pick(role)),
            Opening::NotYet | Opening::Closed => None,
        }
    }
}

pub(super) struct Open<'d>(&'d Door);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(Opening::Closed);
    }
}

/// A role of this host. Cheap to clone.
#[derive(Clone)]
pub struct Peer(Way);

#[derive(Clone)]
enum Way {
    Here(Door),
    Port { base: String, authorization: HeaderValue, client: reqwest::Client },
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub struct Unanswered {
    /// Whether the other role may have begun with it.
    pub begun: bool,
    #[source]
    source: Option<reqwest::Error>,
}

impl Unanswered {
    /// Nothing has happened.
    fn before() -> Self {
        Self { begun: false, source: None }
    }

    /// Something may have happened.
    fn after() -> Self {
        Self { begun: true, source: None }
    }
}

impl Peer {
    /// In this process.
    pub fn here(door: Door) -> Self {
        Self(Way::Here(door))
    }

    /// Behind a port of this host; `token` is that of the internal ports.
    pub fn at(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self(Way::Port {
            base: format!("http://{address}"),
            authorization,
            client: super::client()?,
        }))
    }

    /// Passes a call on: within this process to the role itself, else to its port. The inner error is the platform's
    /// refusal. Dropped, the other role sees its caller hang up.
    pub async fn call(&self, request: CallRequest) -> Result<Answer<CallAnswer>, Unanswered> {
        let Way::Here(door) = &self.0 else {
            let (function, headers, payload) = request.sent();
            let Target { path, .. } = route::INVOKE.at(&function);
            let response = self.send(Method::POST, &path, headers, payload.into()).await?;
            return super::call::read(response).await.ok_or(Unanswered::after());
        };
        let calls = door.role(|role| role.calls.clone()).await.flatten().ok_or(Unanswered::before())?;
        let call = match request.typed() {
            Ok(call) => call,
            Err(refused) => return Ok(Err(refused)),
        };
        // As behind a port, a role that breaks down over a call does not take its caller along.
        AssertUnwindSafe(calls(call)).catch_unwind().await.map_err(|_| Unanswered::after())
    }

    /// `path` with its query. Any answer is an answer, also one that refuses; its body may still be under way.
    /// Dropped, the other role sees its caller hang up.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Response, Unanswered> {
        match &self.0 {
            Way::Here(door) => {
                let app = door.role(|role| role.routes.clone()).await.ok_or(Unanswered::before())?;
                let mut request = Request::new(body);
                *request.method_mut() = method;
                *request.uri_mut() = Uri::try_from(path).expect("a role makes no other paths");
                *request.headers_mut() = headers;
                // As behind a port, a role that breaks down over a request does not take its caller along.
                let answer = AssertUnwindSafe(app.oneshot(request)).catch_unwind().await;
                answer.map(|Ok(answer)| answer).map_err(|_| Unanswered::after())
            }
            Way::Port { base, authorization, client } => {
                headers.insert(header::AUTHORIZATION, authorization.clone());
                // A stream does not tell its length; without it the body would be sent in chunks.
                if let Some(length) = body.size_hint().exact() {
                    headers.insert(header::CONTENT_LENGTH, length.into());
                }
                let body = reqwest::Body::wrap_stream(body.into_data_stream());
                let request = client.request(method, format!("{base}{path}")).headers(headers);
                match request.body(body).send().await {
                    Ok(answer) => Ok(received(answer)),
                    // Cut off like that, it is a request that the other role has not begun with.
                    Err(error) => match refusal(&error) {
                        Some(problem) => Ok(Failure::from(problem).into_response()),
                        None => Err(Unanswered { begun: !error.is_connect(), source: Some(error) }),
                    },
                }
            }
        }
    }
}

fn received(mut answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    // Of that connection; the length is right as long as the body is passed on as it is.
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    let mut response = Response::new(Body::new(reqwest::Body::from(answer)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

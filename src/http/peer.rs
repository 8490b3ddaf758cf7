//! Asking another role of this host: over loopback, or, when it runs in this very process, without a socket,
//! a second parsing and two more tasks in between.

use std::{net::SocketAddr, panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderValue, Method, Request, Uri, header},
    response::Response,
};
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tower::ServiceExt as _;

/// Where a role can be asked by the others in its process: open while it serves.
#[derive(Clone)]
pub struct Door(watch::Sender<Opening>);

enum Opening {
    NotYet,
    Open(Router),
    Closed,
}

/// A role that starts is waited for, as it would be at its port.
const OPENING: Duration = Duration::from_secs(5);

impl Default for Door {
    fn default() -> Self {
        Self(watch::Sender::new(Opening::NotYet))
    }
}

impl Door {
    /// `app` answers as the role's port does, without asking for a token; until what is returned is dropped:
    /// then the role's routes are let go, and so is everything that they hold.
    pub(super) fn open(&self, app: Router) -> Open<'_> {
        self.0.send_replace(Opening::Open(app));
        Open(self)
    }

    async fn app(&self) -> Option<Router> {
        if let Opening::Open(app) = &*self.0.borrow() {
            return Some(app.clone());
        }
        let mut opening = self.0.subscribe();
        let begun = opening.wait_for(|opening| !matches!(opening, Opening::NotYet));
        match &*tokio::time::timeout(OPENING, begun).await.ok()?.ok()? {
            Opening::Open(app) => Some(app.clone()),
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
                let app = door.app().await.ok_or(Unanswered { begun: false, source: None })?;
                let mut request = Request::new(body);
                *request.method_mut() = method;
                *request.uri_mut() = Uri::try_from(path).expect("a role makes no other paths");
                *request.headers_mut() = headers;
                // As behind a port, a role that breaks down over a request does not take its caller along.
                let answer = AssertUnwindSafe(app.oneshot(request)).catch_unwind().await;
                answer.map(|Ok(answer)| answer).map_err(|_| Unanswered { begun: true, source: None })
            }
            Way::Port { base, authorization, client } => {
                headers.insert(header::AUTHORIZATION, authorization.clone());
                // A stream does not tell its length; without it the body would be sent in chunks.
                if let Some(length) = body.size_hint().exact() {
                    headers.insert(header::CONTENT_LENGTH, length.into());
                }
                let body = reqwest::Body::wrap_stream(body.into_data_stream());
                let request = client.request(method, format!("{base}{path}")).headers(headers);
                let answer = request.body(body).send().await;
                let answer = answer
                    .map_err(|error| Unanswered { begun: !error.is_connect(), source: Some(error) })?;
                Ok(received(answer))
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

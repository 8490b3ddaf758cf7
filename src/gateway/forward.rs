//! Passing requests on to a role behind the gateway and its answers back, bodies untouched.

use std::net::SocketAddr;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
    response::Response,
};

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    http::{Answer, Failure},
    model::{Problem, api::Health, code},
};

/// A role of this host.
pub struct Upstream {
    role: &'static str,
    base: String,
    authorization: String,
    client: reqwest::Client,
}

/// Headers of one connection, and credentials meant for the gateway only.
const NOT_PASSED_ON: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::AUTHORIZATION,
    header::COOKIE,
    header::UPGRADE,
    header::TE,
    header::EXPECT,
];

impl Upstream {
    pub fn new(role: &'static str, address: SocketAddr, token: &str, client: reqwest::Client) -> Self {
        Self {
            role,
            base: format!("http://{address}"),
            authorization: format!("Bearer {token}"),
            client,
        }
    }

    /// Sends a request on to `path` (with its query). Not answering is a 503 when nothing can have
    /// happened, and a 502 that warns of repeating otherwise.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: reqwest::Body,
    ) -> Answer {
        let mut passed = HeaderMap::with_capacity(headers.len() + 1);
        for (name, value) in headers {
            if !NOT_PASSED_ON.contains(name) {
                passed.append(name.clone(), value.clone());
            }
        }
        let read_only = method == Method::GET;
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .headers(passed)
            .header(header::AUTHORIZATION, &self.authorization)
            .body(body);
        match request.send().await {
            Ok(answer) => Ok(back(answer)),
            Err(error) => Err(self.failed(&error, read_only)),
        }
    }

    /// Whether it and its backends answer; what it waits for otherwise.
    pub async fn ready(&self) -> Result<(), String> {
        let silent = |_| format!("the {}: it does not answer", self.role);
        let answer = self.client.get(format!("{}/readyz", self.base)).send().await.map_err(silent)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let health: Health =
            answer.json().await.map_err(|_| format!("the {}: it is not ready", self.role))?;
        Err(format!("the {}: {}", self.role, health.waiting_for.unwrap_or_default()))
    }

    /// The same for a request as it came.
    pub async fn forward(&self, parts: Parts, body: Body) -> Answer {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let body = reqwest::Body::wrap_stream(body.into_data_stream());
        self.send(parts.method, &path, &parts.headers, body).await
    }

    /// The same for a request that only looks on, maybe for long: when the gateway stops, it ends
    /// instead of being waited for.
    pub async fn watch(&self, parts: Parts, body: Body, stop: CancellationToken) -> Answer {
        let answer = tokio::select! {
            answer = self.forward(parts, body) => answer?,
            () = stop.cancelled() => {
                let stopping = Problem::new(code::UNAVAILABLE, "the platform is stopping");
                return Err(stopping.retry_after(1).into());
            }
        };
        let (head, body) = answer.into_parts();
        let body = body.into_data_stream().take_until(stop.cancelled_owned());
        Ok(Response::from_parts(head, Body::from_stream(body)))
    }

    fn failed(&self, error: &reqwest::Error, read_only: bool) -> Failure {
        let role = self.role;
        tracing::warn!(role, error = %crate::http::chain(error), "role does not answer");
        if error.is_connect() || read_only {
            return Problem::new(code::UNAVAILABLE, format!("the {role} does not answer"))
                .retry_after(1)
                .hint("'cloudfunc status' tells which roles are running")
                .into();
        }
        let detail =
            format!("the {role} was lost while it had the request; whether it did it is not known");
        Problem::new(code::INTERRUPTED, detail).into()
    }
}

fn back(answer: reqwest::Response) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for (name, value) in answer.headers() {
        // The length is right as long as the body is passed on as it is.
        if *name != header::CONNECTION && *name != header::TRANSFER_ENCODING {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    *response.body_mut() = Body::new(reqwest::Body::from(answer));
    response
}

//! Sends requests and reads their answers, the same way for all routes.

use std::{net::IpAddr, time::Duration};

use reqwest::{Method, RequestBuilder, Response, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::{Client, Error, TlsProblem};
use crate::{
    certificates::{Trusted, fault, read_authorities},
    model::{
        Body, Problem,
        route::{self, Target},
    },
    place::{Token, Trust},
};

/// The time limit for connecting: a platform that takes longer is treated as absent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most headers of an answer: those of a function's response, of which there may be a hundred, and the platform's.
const MAX_HEADERS: usize = 128;

impl Client {
    /// Makes a client without connecting, which accepts certificates of the system's authorities. `url` may have a path, under
    /// which the API's routes are.
    pub fn new(url: Url, token: Option<Token>) -> Result<Self, Error> {
        Self::trusting(url, token, &Trust::default())
    }

    /// Like [`Self::new`], with further certificates that are accepted. An error if the file of authorities cannot be used.
    pub fn trusting(url: Url, token: Option<Token>, trust: &Trust) -> Result<Self, Error> {
        // One provider per process: the first caller installs it, and all install the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("cloudfunc/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .http1_max_headers(MAX_HEADERS);
        http = match url.scheme() {
            // The system's certificates are not needed, and may be missing.
            "http" => http.tls_certs_only([]),
            _ => http.tls_backend_preconfigured(tls_config(&url, trust)?),
        };
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build().map_err(Error::Client)?, base: url, token })
    }

    /// Builds a request to a route.
    pub(super) fn request(&self, target: Target) -> RequestBuilder {
        let Target { method, path } = target;
        let method = match method {
            route::Method::Get => Method::GET,
            route::Method::Post => Method::POST,
            route::Method::Put => Method::PUT,
            route::Method::Delete => Method::DELETE,
        };
        // The base ends in a slash, so the path must not begin with one.
        let request = self.http.request(method, format!("{}{}", self.base, &path[1..]));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Returns the answer, whatever its status.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().await.map_err(|source| {
            let (url, source) = (self.base.clone(), source.without_url());
            if let Some(problem) = TlsProblem::of(&url, &source) {
                return Error::Tls { url, problem: Box::new(problem) };
            }
            match source {
                source if source.is_builder() => Error::Client(source),
                source if source.is_connect() => Error::NotReachable { url, source },
                source => Error::Lost { url, source },
            }
        })
    }

    /// Returns the answer if its status is a success, else its problem as an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = self.answer(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    pub(super) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let response = self.send(request).await?;
        let route = response.url().path().to_owned();
        let body = self.body(response).await?;
        serde_json::from_slice(&body.bytes).map_err(|error| Error::unreadable(&route, &error))
    }

    pub(super) async fn body(&self, response: Response) -> Result<Body, Error> {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        let lost = |source: reqwest::Error| Error::Lost {
            url: self.base.clone(),
            source: source.without_url(),
        };
        Ok(Body { content_type, bytes: response.bytes().await.map_err(lost)? })
    }

    /// Reads the problem from an answer whose status is not a success.
    pub(super) async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        match self.body(response).await {
            Err(error) => error,
            Ok(body) => match serde_json::from_slice::<Problem>(&body.bytes) {
                Ok(problem) => problem.into(),
                Err(_) => Error::Protocol(format!("status {status} without a problem document")),
            },
        }
    }
}

/// Makes the configuration of TLS for this address.
fn tls_config(url: &Url, trust: &Trust) -> Result<rustls::ClientConfig, Error> {
    let named = match &trust.ca {
        Some(file) => read_authorities(file)?,
        None => Vec::new(),
    };
    let made = Trusted { named, own: trust.own.clone() }.client_config();
    made.map_err(|error| {
        let problem = TlsProblem::Authorities(fault(&error));
        Error::Tls { url: url.clone(), problem: Box::new(problem) }
    })
}

/// Returns whether a URL leads to this host: a proxy from the environment is only for other hosts.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

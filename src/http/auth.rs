//! The one authorisation layer: every request to a port of a role passes through [`Guarded::answer`]; `/healthz`,
//! `/readyz` and the classic `/health` need no token.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq as _;
use tower::Service as _;

use super::{
    Answer, Failure,
    body_budget::BodyBudget,
    caller::{Authenticate, Authentication, OnRefusal, Refusal, SentBy},
    request::throw_away,
};
use crate::model::{Problem, code};

/// What a server lets in.
#[derive(Clone)]
pub struct Guard {
    tokens: Tokens,
    /// Names besides IP addresses and `localhost` by which the server may be called.
    hosts: Arc<[String]>,
}

/// The bearer tokens that requests may carry.
#[derive(Clone)]
enum Tokens {
    /// The one that the roles of a host show each other.
    Internal(Arc<str>),
    /// Those of callers.
    Callers { known: Arc<dyn Authenticate>, on_refusal: OnRefusal },
}

/// A request that is let in, if its token is.
enum Checked {
    /// Its sender need not be known: it carries the internal token, or its path is open to all.
    Unnamed,
    /// It was sent by a caller.
    Caller(Authentication),
}

impl Guard {
    /// Lets in requests with this token alone: an internal port's guard.
    pub fn new(token: &str) -> Self {
        Self { tokens: Tokens::Internal(token.into()), hosts: Arc::new([]) }
    }

    /// Lets in the requests of callers that `known` finds out: a public port's guard. `on_refusal` hears of each request that
    /// it answers with 401 or 403, or with 400 because of a token in the address or several of them.
    pub fn public(known: Arc<dyn Authenticate>, on_refusal: OnRefusal) -> Self {
        Self { tokens: Tokens::Callers { known, on_refusal }, hosts: Arc::new([]) }
    }

    /// Lets requests through that call the server by these names too.
    pub fn with_hosts(mut self, hosts: Vec<String>) -> Self {
        self.hosts = hosts.into();
        self
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Answer<Checked> {
        self.check_host(headers)?;
        if headers.contains_key(header::ORIGIN) {
            // Browsers send it with what a page makes them do; no page is a client of ours.
            let problem = Problem::new(code::FORBIDDEN, "requests from web pages are not allowed");
            return Err(problem.hint(ORIGIN_HINT).into());
        }
        if let Some(query) = uri.query() {
            check_query(query)?;
        }
        let sent = bearer_token(headers)?;
        match &self.tokens {
            Tokens::Callers { known, .. } => Ok(Checked::Caller(known.authenticate(sent))),
            Tokens::Internal(token) if bool::from(sent.as_bytes().ct_eq(token.as_bytes())) => {
                Ok(Checked::Unnamed)
            }
            Tokens::Internal(_) => {
                let detail = "the request's bearer token is not this platform's";
                Err(Problem::new(code::UNAUTHORIZED, detail).hint(TOKEN_HINT).into())
            }
        }
    }

    /// Tells of a refusal that belongs into the audit log.
    fn tell(&self, failure: &Failure, request: &Request, from: IpAddr) {
        let Failure(problem) = failure;
        if let Tokens::Callers { on_refusal, .. } = &self.tokens
            && (matches!(problem.status, 401 | 403) || is_about_tokens(problem))
        {
            let (method, path) = (request.method(), request.uri().path());
            on_refusal(&Refusal { from, method, path, problem });
        }
    }

    /// A page can point a name of its own at 127.0.0.1 (DNS rebinding); it cannot make the browser
    /// send another `Host`.
    fn check_host(&self, headers: &HeaderMap) -> Answer<()> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, another) = (hosts.next(), hosts.next());
        if another.is_some() {
            return Err(Problem::new(code::BAD_REQUEST, "the request has several Host headers").into());
        }
        let host = host.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(name) = host_name(host) else {
            let detail = format!("the Host '{host}' is not a name or an address with or without a port");
            return Err(Problem::new(code::FORBIDDEN, detail).hint(HOST_HINT).into());
        };
        let known = name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok()
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        if known {
            Ok(())
        } else {
            let detail = format!("the Host '{name}' is not a name of this server");
            Err(Problem::new(code::FORBIDDEN, detail).hint(HOST_HINT).into())
        }
    }
}

/// Returns whether a request was refused for the way in which it carries tokens, with 400.
fn is_about_tokens(problem: &Problem) -> bool {
    problem.detail == SEVERAL || problem.hint.as_deref() == Some(ADDRESS_HINT)
}

/// Parameters by which clients of other services send a token.
const TOKEN_PARAMETERS: [&str; 4] = ["token", "access_token", "api_key", "key"];

/// Refuses a token in the address, whether it is valid or not: it was sent to the wrong place.
fn check_query(query: &str) -> Answer<()> {
    let is_token = |key: &str| TOKEN_PARAMETERS.into_iter().find(|name| key.eq_ignore_ascii_case(name));
    let mut keys = url::form_urlencoded::parse(query.as_bytes()).map(|(key, _)| key);
    match keys.find_map(|key| is_token(&key)) {
        None => Ok(()),
        Some(name) => {
            let detail =
                format!("the address has a token in it ('{name}='), and addresses end up in logs");
            Err(Problem::new(code::BAD_REQUEST, detail).hint(ADDRESS_HINT).into())
        }
    }
}

/// The one bearer token of a request.
fn bearer_token(headers: &HeaderMap) -> Answer<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (sent.next(), sent.next());
    if another.is_some() {
        return Err(Problem::new(code::BAD_REQUEST, SEVERAL).hint("send one").into());
    }
    let token = value.and_then(|value| value.to_str().ok()).and_then(bearer);
    token.ok_or_else(|| {
        Problem::new(code::UNAUTHORIZED, "the request carries no bearer token").hint(TOKEN_HINT).into()
    })
}

/// The token; the scheme is written in any case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The name of `name`, `name:port`, `[address]` or `[address]:port`.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    port.is_none_or(is_port).then_some(name)
}

const HOST_HINT: &str =
    "call it by its IP address or localhost, or name the host in CLOUDFUNC_GATEWAY_HOSTS";
const ORIGIN_HINT: &str = "functions have no address of their own for browsers yet; a server of yours can send the request, without the header Origin";
const SEVERAL: &str = "the request has several Authorization headers";
const ADDRESS_HINT: &str =
    "revoke that token, and send another one in the header 'Authorization: Bearer <token>'";

/// The hint of answers to requests without a token that this platform knows.
pub const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";

/// Answers a request without the router, or gives it back: for a route that nearly all requests are for.
pub type Shortcut =
    Arc<dyn Fn(Request, &SentBy) -> Result<BoxFuture<'static, Response>, Request> + Send + Sync>;

/// The routes of a port, behind its guard.
pub(super) struct Guarded {
    pub guard: Guard,
    pub routes: Router,
    pub shortcut: Option<Shortcut>,
    pub bodies: BodyBudget,
}

impl Guarded {
    /// Lets a request from this address through, or answers 400, 401, 403, 429 when a token's requests come too fast, or 503
    /// when others use up the budget for bodies, or it cannot be found out whose the token is. No answer is taken for a page
    /// because of what its bytes look like.
    pub async fn answer(&self, request: Request, from: IpAddr) -> Response {
        let is_open = matches!(request.uri().path(), "/healthz" | "/readyz" | "/health");
        let checked = match is_open {
            true => Ok(Checked::Unnamed),
            false => self.guard.check(request.uri(), request.headers()),
        };
        let mut answer = match settled(checked, from).await {
            Err(failure) => {
                self.guard.tell(&failure, &request, from);
                failure.into_response()
            }
            Ok(sent_by) => match self.bodies.enter(request) {
                Ok((request, _taken)) => self.routed(request, sent_by).await,
                Err(mut body) => {
                    throw_away(&mut body).await;
                    Failure::from(self.bodies.used_up()).into_response()
                }
            },
        };
        const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        answer
    }

    async fn routed(&self, mut request: Request, sent_by: Option<SentBy>) -> Response {
        if let Some(sent_by) = sent_by {
            if let Some(shortcut) = &self.shortcut {
                match shortcut(request, &sent_by) {
                    Ok(answer) => return answer.await,
                    Err(same) => request = same,
                }
            }
            request.extensions_mut().insert(sent_by);
        }
        // A router is always ready, and cheap to clone.
        let Ok(answer) = self.routes.clone().call(request).await;
        answer
    }
}

/// Returns the sender, and waits for what has to be asked for.
async fn settled(checked: Answer<Checked>, from: IpAddr) -> Answer<Option<SentBy>> {
    let caller = match checked? {
        Checked::Unnamed => return Ok(None),
        Checked::Caller(Authentication::Known(caller)) => caller?,
        Checked::Caller(Authentication::Asking(question)) => question.await?,
    };
    Ok(Some(SentBy { caller, from }))
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;

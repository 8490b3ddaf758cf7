//! The one authorisation layer: every request to a port of a role passes through [`Guarded::answer`]; `/healthz`,
//! `/readyz` and the classic `/health` need no token.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use subtle::ConstantTimeEq as _;
use tower::Service as _;

use super::{Answer, Failure, body_budget::BodyBudget, request::throw_away};
use crate::model::{Problem, code};

/// What a server lets in.
#[derive(Clone)]
pub struct Guard {
    /// The bearer token that a request has to carry.
    token: Arc<str>,
    /// Names besides IP addresses and `localhost` by which the server may be called.
    hosts: Arc<[String]>,
}

impl Guard {
    pub fn new(token: &str) -> Self {
        Self { token: token.into(), hosts: Arc::new([]) }
    }

    /// Lets requests through that call the server by these names too.
    pub fn with_hosts(mut self, hosts: Vec<String>) -> Self {
        self.hosts = hosts.into();
        self
    }

    fn check(&self, headers: &HeaderMap) -> Answer<()> {
        self.check_host(headers)?;
        if headers.contains_key(header::ORIGIN) {
            // Browsers send it with what a page makes them do; no page is a client of ours.
            let problem = Problem::new(code::FORBIDDEN, "requests from web pages are not allowed");
            return Err(problem.hint(ORIGIN_HINT).into());
        }
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(bearer)
            .ok_or_else(|| {
                Problem::new(code::UNAUTHORIZED, "the request carries no bearer token").hint(TOKEN_HINT)
            })?;
        if !bool::from(sent.as_bytes().ct_eq(self.token.as_bytes())) {
            let problem =
                Problem::new(code::UNAUTHORIZED, "the request's bearer token is not this platform's");
            return Err(problem.hint(TOKEN_HINT).into());
        }
        Ok(())
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
const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";

/// Answers a request without the router, or gives it back: for a route that nearly all requests are for.
pub type Shortcut = Arc<dyn Fn(Request) -> Result<BoxFuture<'static, Response>, Request> + Send + Sync>;

/// The routes of a port, behind its guard.
pub(super) struct Guarded {
    pub guard: Guard,
    pub routes: Router,
    pub shortcut: Option<Shortcut>,
    pub bodies: BodyBudget,
}

impl Guarded {
    /// Lets a request through, or answers 400, 401, 403, or 503 when others use up the budget for bodies. No answer is taken for a
    /// page because of what its bytes look like.
    pub async fn answer(&self, request: Request) -> Response {
        let open = matches!(request.uri().path(), "/healthz" | "/readyz" | "/health");
        let mut answer = match self.guard.check(request.headers()) {
            Err(failure) if !open => failure.into_response(),
            _ => match self.bodies.enter(request) {
                Ok((request, _taken)) => self.routed(request).await,
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

    async fn routed(&self, request: Request) -> Response {
        let request = match &self.shortcut {
            Some(shortcut) => match shortcut(request) {
                Ok(answer) => return answer.await,
                Err(request) => request,
            },
            None => request,
        };
        // A router is always ready, and cheap to clone.
        let Ok(answer) = self.routes.clone().call(request).await;
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            let name: axum::http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_right_token_by_a_known_host_and_no_page_gets_in() {
        let guard = Guard::new("secret").with_hosts(vec!["faas.example".to_owned()]);
        let token = ("authorization", "Bearer secret");
        for host in [
            "127.0.0.1:8000",
            "localhost:8000",
            "LOCALHOST",
            "[::1]:8000",
            "[::1]",
            "faas.example",
            "Faas.Example:80",
        ] {
            assert!(guard.check(&headers(&[("host", host), token])).is_ok(), "{host}");
        }
        let local = ("host", "localhost");
        assert!(guard.check(&headers(&[local, ("authorization", "bearer secret")])).is_ok());
        for (list, expected) in [
            (vec![("host", "evil.example:8000"), token], "forbidden"),
            (vec![token], "forbidden"),
            (vec![("host", "[::1"), token], "forbidden"),
            (vec![("host", "[::1]evil"), token], "forbidden"),
            (vec![("host", "[::1]evil:80"), token], "forbidden"),
            (vec![("host", "[localhost]"), token], "forbidden"),
            (vec![("host", "localhost:1@evil"), token], "forbidden"),
            (vec![("host", "localhost:80:80"), token], "forbidden"),
            (vec![("host", "user@localhost"), token], "forbidden"),
            (vec![local, ("host", "localhost"), token], "bad_request"),
            (vec![local, token, ("origin", "http://localhost:8000")], "forbidden"),
            (vec![local], "unauthorized"),
            (vec![local, ("authorization", "Bearer secre")], "unauthorized"),
            (vec![local, ("authorization", "Basic secret")], "unauthorized"),
        ] {
            assert_eq!(guard.check(&headers(&list)).unwrap_err().0.code, expected, "{list:?}");
        }
    }
}

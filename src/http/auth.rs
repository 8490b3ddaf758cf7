//! The one authorisation layer: every route of every role passes through [`authorise`]; `/healthz`,
//! `/readyz` and the seed's `/health` need no token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq as _;

use super::Answer;
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
            return Err(Problem::new(code::FORBIDDEN, "requests from web pages are not allowed").into());
        }
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
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
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let known = name == "localhost"
            || name.parse::<std::net::IpAddr>().is_ok()
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        if known {
            Ok(())
        } else {
            let detail = format!("the Host '{name}' is not a name of this server");
            let problem = Problem::new(code::FORBIDDEN, detail);
            Err(problem.hint("call it by its IP address or localhost, or name the host in CLOUDFUNC_GATEWAY_HOSTS").into())
        }
    }
}

const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";

/// The layer: lets a request through or answers 401 or 403.
pub async fn authorise(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let open = matches!(request.uri().path(), "/healthz" | "/readyz" | "/health");
    if !open && let Err(failure) = guard.check(request.headers()) {
        return failure.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn only_the_right_token_by_a_known_host_and_no_page_gets_in() {
        let guard = Guard::new("secret").with_hosts(vec!["faas.example".to_owned()]);
        let token = ("authorization", "Bearer secret");
        for host in ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000", "faas.example"] {
            assert!(guard.check(&headers(&[("host", host), token])).is_ok(), "{host}");
        }
        let local = ("host", "localhost");
        for (list, expected) in [
            (vec![("host", "evil.example:8000"), token], "forbidden"),
            (vec![token], "forbidden"),
            (vec![local, token, ("origin", "http://localhost:8000")], "forbidden"),
            (vec![local], "unauthorized"),
            (vec![local, ("authorization", "Bearer secre")], "unauthorized"),
            (vec![local, ("authorization", "Basic secret")], "unauthorized"),
        ] {
            assert_eq!(guard.check(&headers(&list)).unwrap_err().0.code, expected, "{list:?}");
        }
    }
}

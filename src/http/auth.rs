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
    /// it answers with 401 or 403.
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
            && matches!(problem.status, 401 | 403)
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

/// Parameters by which clients of other services send a token.
const TOKEN_PARAMETERS: [&str; 4] = ["token", "access_token", "api_key", "key"];

/// Refuses a token in the address, whether it is valid or not: it was sent to the wrong place.
fn check_query(query: &str) -> Answer<()> {
    let is_token = |key: &str| TOKEN_PARAMETERS.into_iter().find(|name| key.eq_ignore_ascii_case(name));
    let mut keys = url::form_urlencoded::parse(query.as_bytes()).map(|(key, _)| key);
    match keys.find_map(|key| is_token(&key)) {
        None => Ok(()),
        Some(name) => {
            let detail = format!("the address has a token in it ('{name}='), and addresses end up in logs");
            Err(Problem::new(code::BAD_REQUEST, detail).hint(ADDRESS_HINT).into())
        }
    }
}

/// The one bearer token of a request.
fn bearer_token(headers: &HeaderMap) -> Answer<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (sent.next(), sent.next());
    if another.is_some() {
        let several = Problem::new(code::BAD_REQUEST, "the request has several Authorization headers");
        return Err(several.hint("send one").into());
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
const ADDRESS_HINT: &str = "revoke that token, and send another one in the header 'Authorization: Bearer <token>'";

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
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::{Caller, TokenRole};

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            let name: axum::http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn check(guard: &Guard, path: &str, list: &[(&str, &str)]) -> Answer<()> {
        guard.check(&path.parse().unwrap(), &headers(list)).map(drop)
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
            assert!(check(&guard, "/", &[("host", host), token]).is_ok(), "{host}");
        }
        let local = ("host", "localhost");
        assert!(check(&guard, "/", &[local, ("authorization", "bearer secret")]).is_ok());
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
            (vec![local, token, token], "bad_request"),
            (vec![local, token, ("authorization", "Basic secret")], "bad_request"),
        ] {
            assert_eq!(check(&guard, "/", &list).unwrap_err().0.code, expected, "{list:?}");
        }
    }

    #[test]
    fn a_token_in_an_address_is_refused_beside_a_valid_one_too() {
        let (guard, local) = (Guard::new("secret"), ("host", "localhost"));
        for query in ["token=secret", "a=1&Access_Token=x", "API_KEY", "KEY=", "tok%65n=x"] {
            for list in [&[local][..], &[local, ("authorization", "Bearer secret")]] {
                let Failure(problem) = check(&guard, &format!("/v1/logs?{query}"), list).unwrap_err();
                assert_eq!((problem.code.as_str(), problem.status), ("bad_request", 400), "{query}");
                let (detail, hint) = (problem.detail, problem.hint.unwrap());
                assert!(detail.ends_with("='), and addresses end up in logs"), "{detail}");
                assert!(!detail.contains("secret") && hint.starts_with("revoke that token, "), "{hint}");
            }
        }
        let list = [local, ("authorization", "Bearer secret")];
        assert!(check(&guard, "/v1/logs?cursor=token&keys=1&function=key", &list).is_ok());
    }

    /// Knows one token, and asks for another one.
    struct Two;

    impl Authenticate for Two {
        fn authenticate(&self, token: &str) -> Authentication {
            let caller = |name: &str| Caller { name: name.to_owned(), ..Caller::internal() };
            match token {
                "one" => Authentication::Known(Ok(Arc::new(caller("token one")))),
                "two" => {
                    let role = TokenRole::Invoke;
                    let two = Caller { role, ..caller("token two") };
                    Authentication::Asking(Box::pin(async move { Ok(Arc::new(two)) }))
                }
                _ => {
                    let problem = Problem::new(code::UNAUTHORIZED, "not known");
                    Authentication::Known(Err(problem.into()))
                }
            }
        }
    }

    fn request(path: &str, token: &str) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let token = format!("Bearer {token}");
        *request.headers_mut() = headers(&[("host", "localhost"), ("authorization", token.as_str())]);
        request
    }

    async fn text(answer: Response) -> bytes::Bytes {
        axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap()
    }

    #[tokio::test]
    async fn routes_and_the_shortcut_learn_who_has_sent_a_request_and_the_refused_are_told_of() {
        let seen = |sent_by: &SentBy| format!("{} from {}", sent_by.caller.name, sent_by.from);
        let route = async move |request: Request| seen(request.extensions().get::<SentBy>().unwrap());
        let short: Shortcut = Arc::new(move |request, sent_by| match request.uri().path() {
            "/short" => {
                let text = format!("{} in short", seen(sent_by));
                Ok(Box::pin(async move { text.into_response() }))
            }
            _ => Err(request),
        });
        let refused = Arc::new(Mutex::new(Vec::new()));
        let heard = refused.clone();
        let on_refusal: OnRefusal = Arc::new(move |refusal| {
            let told = format!("{} {} {}", refusal.method, refusal.path, refusal.problem.detail);
            heard.lock().unwrap().push(told);
        });
        let guarded = Guarded {
            guard: Guard::public(Arc::new(Two), on_refusal),
            routes: Router::new().route("/route", axum::routing::get(route)),
            shortcut: Some(short),
            bodies: BodyBudget::of(1000),
        };
        let from: IpAddr = "192.0.2.1".parse().unwrap();
        for (path, token, expected) in [
            ("/route", "one", "token one from 192.0.2.1"),
            ("/route", "two", "token two from 192.0.2.1"),
            ("/short", "one", "token one from 192.0.2.1 in short"),
            ("/short", "two", "token two from 192.0.2.1 in short"),
        ] {
            assert_eq!(text(guarded.answer(request(path, token), from).await).await, expected);
        }
        assert!(refused.lock().unwrap().is_empty());
        let answer = guarded.answer(request("/route", "three"), from).await;
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        let answer = guarded.answer(request("/route?key=1", "one"), from).await;
        assert_eq!(answer.status().as_u16(), 400);
        // What is open is not checked, nor asked about.
        assert_eq!(guarded.answer(request("/healthz", "three"), from).await.status().as_u16(), 404);
        assert_eq!(*refused.lock().unwrap(), ["GET /route not known"], "and 400 is no refusal of a right");
    }
}

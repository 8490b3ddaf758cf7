//! The one authorisation layer: every request to a port of a role passes through [`Guarded::answer`]; `/healthz`,
//! `/readyz` and the classic `/health` need no token, and neither does `/openapi.json` of the gateway.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::future::{BoxFuture, join_all};
use subtle::ConstantTimeEq as _;
use tower::Service as _;

use super::{
    Answer, Failure,
    body_budget::BodyBudget,
    caller::{Authenticate, Authentication, OnRefusal, Refusal, Rejected},
    credentials::{TOKEN_HINT, bearer_token, check_query, no_token},
    forwarded::OtherEnd,
    host::{named_host, no_valid_host},
    request::{refused, with_room},
    sender::{CheckedToken, SentBy, bearer},
};
use crate::model::{Problem, TrustedProxies, code};

/// What a server lets in.
#[derive(Clone)]
pub struct Guard {
    tokens: Tokens,
    /// Names besides IP addresses and `localhost` by which the server may be called.
    hosts: Arc<[String]>,
    /// The proxies in front of the server, which say truly where a request has come from.
    trusted_proxies: TrustedProxies,
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
    /// It was sent by a caller, in this header `Authorization`.
    Caller { caller: Authentication, known: Arc<dyn Authenticate>, authorization: HeaderValue },
}

/// A request that is not let in.
struct Refused {
    failure: Failure,
    /// The reason for the audit log: nothing of it is the sender's.
    reason: &'static str,
    /// The name of its caller, if the token is genuine, and gives no rights.
    caller: Option<String>,
}

impl Refused {
    fn because(reason: &'static str) -> impl Fn(Failure) -> Self {
        move |failure| Self { failure, reason, caller: None }
    }

    /// A token was refused.
    fn token(rejected: Rejected) -> Self {
        let Rejected { failure, caller } = rejected;
        let reason = match failure.0.status {
            403 => "a token without a role",
            _ => "no valid token",
        };
        Self { failure, reason, caller }
    }
}

impl Guard {
    /// Lets in requests with this token alone: an internal port's guard.
    pub fn new(token: &str) -> Self {
        Self::of(Tokens::Internal(token.into()))
    }

    /// Lets in the requests of callers that `known` finds out: a public port's guard. `on_refusal` hears of each request that
    /// it answers with 401 or 403, or with 400 because of a token in the address or several of them.
    pub fn public(known: Arc<dyn Authenticate>, on_refusal: OnRefusal) -> Self {
        Self::of(Tokens::Callers { known, on_refusal })
    }

    fn of(tokens: Tokens) -> Self {
        Self { tokens, hosts: Arc::new([]), trusted_proxies: TrustedProxies::default() }
    }

    /// Lets requests through that call the server by these names too.
    pub fn with_hosts(mut self, hosts: Vec<String>) -> Self {
        self.hosts = hosts.into();
        self
    }

    /// Believes these proxies what they say of the clients behind them.
    pub(super) fn behind(mut self, trusted_proxies: TrustedProxies) -> Self {
        self.trusted_proxies = trusted_proxies;
        self
    }

    /// Returns whether callers of the platform are let in, and not its roles alone.
    pub(super) fn is_for_callers(&self) -> bool {
        matches!(self.tokens, Tokens::Callers { .. })
    }

    /// Checks the token of a request to a function, which may come with an `Origin`, and whose query is the function's own.
    /// Returns 401, 403 or 429, of which `on_refusal` hears as ever.
    pub async fn sender(&self, head: &Parts, from: IpAddr) -> Answer<SentBy> {
        let refused = match settled(self.check_token(&head.headers), from).await {
            Ok(Some(sent_by)) => return Ok(sent_by),
            Ok(None) => Refused::because("no token")(no_token().into()),
            Err(refused) => refused,
        };
        self.tell(&refused, &head.method, None, from);
        Err(refused.failure)
    }

    /// Takes the platform's tokens out of a request to a function that everybody may send: they are not the function's to read.
    /// Where it cannot be found out whether a text is one, it counts as one if it looks so.
    pub async fn take_out_tokens(&self, headers: &mut HeaderMap) {
        let sent: Vec<HeaderValue> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
        if sent.is_empty() {
            return;
        }
        let are_tokens = join_all(sent.iter().map(|value| self.is_token(value))).await;
        headers.remove(header::AUTHORIZATION);
        for (value, is_token) in sent.into_iter().zip(are_tokens) {
            if !is_token {
                headers.append(header::AUTHORIZATION, value);
            }
        }
    }

    async fn is_token(&self, authorization: &HeaderValue) -> bool {
        let Some(token) = authorization.to_str().ok().and_then(bearer).map(str::trim) else {
            return false;
        };
        let known = match &self.tokens {
            Tokens::Internal(own) => return token.as_bytes().ct_eq(own.as_bytes()).into(),
            Tokens::Callers { known, .. } => known,
        };
        if !known.may_be_token(token) {
            return false;
        }
        // It lets nobody in, and does not count as a request of its caller.
        let caller = match known.authenticate_again(token) {
            Authentication::Known(caller) => caller.map_err(Rejected::from),
            Authentication::Rejected(rejected) => Err(rejected),
            Authentication::Asking(question) => question.await,
        };
        caller.map_or_else(|rejected| rejected.failure.0.status != 401, |_| true)
    }

    /// Tells of a request to a function that is answered with 401 or 403 for a reason in words of ours.
    pub fn tell_refused(&self, failure: &Failure, reason: &'static str, head: &Parts, from: IpAddr) {
        let failure = Failure(failure.0.clone());
        self.tell(&Refused { failure, reason, caller: None }, &head.method, None, from);
    }

    /// Returns 403 where the server is called by a name that is neither its own nor one of these others, and 400 where it is
    /// called by no one name.
    pub fn check_host_or(&self, headers: &HeaderMap, is_other: impl Fn(&str) -> bool) -> Answer<()> {
        let name = named_host(headers)?.ok_or_else(no_valid_host)?;
        let known = name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok()
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
            || is_other(name);
        if known {
            Ok(())
        } else {
            let detail = format!("the Host '{name}' is not a name of this server");
            Err(Problem::new(code::FORBIDDEN, detail).hint(HOST_HINT).into())
        }
    }

    /// Returns whether a request needs no token. The description of a public port is open to all, and tells more to the holders
    /// of a token.
    fn is_open(&self, path: &str, headers: &HeaderMap) -> bool {
        match path {
            "/healthz" | "/readyz" | "/health" => true,
            "/openapi.json" => self.is_for_callers() && !headers.contains_key(header::AUTHORIZATION),
            _ => false,
        }
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Checked, Refused> {
        // A page can point a name of its own at 127.0.0.1 (DNS rebinding); it cannot make the browser send another `Host`.
        self.check_host_or(headers, |_| false).map_err(Refused::because(FOREIGN_HOST))?;
        if headers.contains_key(header::ORIGIN) {
            // Browsers send it with what a page makes them do; no page is a client of ours.
            let problem = Problem::new(code::FORBIDDEN, "requests from web pages are not allowed");
            return Err(Refused::because(OF_A_PAGE)(problem.hint(ORIGIN_HINT).into()));
        }
        if let Some(query) = uri.query() {
            check_query(query).map_err(Refused::because(IN_THE_ADDRESS))?;
        }
        self.check_token(headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<Checked, Refused> {
        let (authorization, sent) = bearer_token(headers).map_err(|failure| {
            let reason = if failure.0.status == 400 { SEVERAL_TOKENS } else { "no token" };
            Refused::because(reason)(failure)
        })?;
        match &self.tokens {
            Tokens::Callers { known, .. } => {
                let (caller, known) = (known.authenticate(sent), known.clone());
                Ok(Checked::Caller { caller, known, authorization: authorization.clone() })
            }
            Tokens::Internal(token) if bool::from(sent.as_bytes().ct_eq(token.as_bytes())) => {
                Ok(Checked::Unnamed)
            }
            Tokens::Internal(_) => {
                let detail = "the request's bearer token is not this platform's";
                Err(Refused::token(Problem::new(code::UNAUTHORIZED, detail).hint(TOKEN_HINT).into()))
            }
        }
    }

    /// Tells of a refusal that belongs into the audit log; without a path, of a request to a function.
    fn tell(&self, refused: &Refused, method: &Method, path: Option<&str>, from: IpAddr) {
        if let Tokens::Callers { on_refusal, .. } = &self.tokens
            && (matches!(refused.failure.0.status, 401 | 403)
                || matches!(refused.reason, IN_THE_ADDRESS | SEVERAL_TOKENS))
        {
            let caller = refused.caller.as_deref();
            on_refusal(&Refusal { caller, from, method, path, reason: refused.reason });
        }
    }
}

/// Reasons of requests that are answered with 403, for the audit log.
pub const FOREIGN_HOST: &str = "a foreign Host";
pub const OF_A_PAGE: &str = "sent by a web page";

/// Reasons of requests that are answered with 400, and belong into the audit log: a token may have leaked.
const IN_THE_ADDRESS: &str = "a token in the address";
const SEVERAL_TOKENS: &str = "several Authorization headers";

const HOST_HINT: &str =
    "call it by its IP address or localhost, or name the host in CLOUDFUNC_GATEWAY_HOSTS";
const ORIGIN_HINT: &str = "web pages reach functions at the addresses of [http] in their manifests; a server of yours can send this request, without the header Origin";
/// Answers a request without the router, or gives it back: for a route that nearly all requests are for.
pub type Shortcut = Arc<
    dyn Fn(Request, SentBy) -> Result<BoxFuture<'static, Response>, (Request, SentBy)> + Send + Sync,
>;

/// How a request has come to a port.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// The address of the other end of its connection.
    pub from: IpAddr,
    /// The connection is one of TLS, which ends here.
    pub is_tls: bool,
    /// Its protocol: `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
}

/// Finds what answers a request by its head, if it is for a function; else the guard and the routes answer it. It is asked
/// about every request, and first.
pub type Functions = Arc<dyn Fn(&Request, Arrived) -> Option<Answering> + Send + Sync>;

/// Answers the request that it was made for. It reserves bytes of the budget before it reads the body.
pub type Answering = Box<dyn FnOnce(Request, BodyBudget) -> BoxFuture<'static, Response> + Send>;

/// The routes of a port, behind its guard.
pub(super) struct Guarded {
    pub guard: Guard,
    pub routes: Router,
    pub shortcut: Option<Shortcut>,
    pub functions: Option<Functions>,
    pub bodies: BodyBudget,
}

impl Guarded {
    /// Lets a request through, or answers 400, 401, 403, 429 when a token's requests come too fast, or 503 when others use up
    /// the budget for bodies, or it cannot be found out whose the token is. No answer is taken for a page because of what its
    /// bytes look like; those of functions say themselves what they are.
    pub async fn answer(&self, mut request: Request, arrived: Arrived) -> Response {
        if let Some(answering) = self.functions.as_ref().and_then(|find| find(&request, arrived)) {
            return answering(request, self.bodies.clone()).await;
        }
        let from = self.sender_of(&mut request, arrived);
        let is_open = self.guard.is_open(request.uri().path(), request.headers());
        let checked = match is_open {
            true => Ok(Checked::Unnamed),
            false => self.guard.check(request.uri(), request.headers()),
        };
        let mut answer = match settled(checked, from).await {
            Err(refused) => self.refuse(refused, request, from).await,
            Ok(sent_by) => {
                let (mut head, body) = request.into_parts();
                match with_room(&self.bodies, &head.headers, body, false).await {
                    Ok((body, taken)) => {
                        if let Some(taken) = &taken {
                            head.extensions.insert(taken.clone());
                        }
                        self.routed(Request::from_parts(head, body), sent_by).await
                    }
                    Err(used_up) => used_up.into_response(),
                }
            }
        };
        const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        answer
    }

    /// Returns the address of the client, and takes out what clients have made up of their way. Roles say the truth to each other.
    fn sender_of(&self, request: &mut Request, arrived: Arrived) -> IpAddr {
        let Arrived { from: address, is_tls, .. } = arrived;
        if !self.guard.is_for_callers() {
            return address;
        }
        let end = OtherEnd { address, is_tls, trusted: &self.guard.trusted_proxies };
        end.take_out_forged(request.headers_mut());
        end.client(request.headers())
    }

    async fn refuse(&self, because: Refused, request: Request, from: IpAddr) -> Response {
        self.guard.tell(&because, request.method(), Some(request.uri().path()), from);
        // 429: a valid token, whose requests come too fast.
        let is_stranger = because.failure.0.status != 429;
        let (head, body) = request.into_parts();
        refused(&head.headers, body, is_stranger).await;
        because.failure.into_response()
    }

    async fn routed(&self, mut request: Request, sent_by: Option<SentBy>) -> Response {
        if let Some(mut sent_by) = sent_by {
            if let Some(shortcut) = &self.shortcut {
                match shortcut(request, sent_by) {
                    Ok(answer) => return answer.await,
                    Err(same) => (request, sent_by) = same,
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
async fn settled(checked: Result<Checked, Refused>, from: IpAddr) -> Result<Option<SentBy>, Refused> {
    let Checked::Caller { caller, known, authorization } = checked? else { return Ok(None) };
    let caller = match caller {
        Authentication::Known(caller) => caller.map_err(Rejected::from),
        Authentication::Rejected(rejected) => Err(rejected),
        Authentication::Asking(question) => question.await,
    };
    let caller = caller.map_err(Refused::token)?;
    Ok(Some(SentBy { caller, from, token: CheckedToken::new(known, authorization) }))
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;

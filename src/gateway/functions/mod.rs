//! Functions over plain HTTP: at the addresses of `[http]` in their manifests, and each below `/f/NAME/`.
//!
//! ```text
//! request ─▶ find (mod.rs) ─▶ host, origin, method, token, body (request.rs) ─▶ call ─▶ answer (answer.rs)
//!             ▲ addresses.rs                  ▲ cors.rs
//!             └ follow.rs ◀─ registry
//! ```
//! The same for both ports of a gateway. The public one serves the addresses alone, and tells nothing of what else there is. On
//! the platform's own port a path that belongs to no function is left to the guard and the router.

mod addresses;
mod answer;
mod cors;
mod follow;
mod request;

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use self::{
    addresses::{Allow, Found, RequestPath, Target, UnfitPath},
    request::Way,
};
use super::Gateway;
use crate::{
    http::{
        Answer, Answering, Arrived, BodyBudget, Failure, Functions, Guard, SentBy, host_name,
        named_request, refused,
    },
    model::{
        Arrival, ArrivedBy, FunctionName, HttpRequest, Problem, api::HttpFunction, code,
        path_pattern::RESERVED,
    },
};

pub use self::{
    answer::keep_apart,
    follow::{Addresses, follow},
};

/// The beginning of the paths of functions by their names.
const BY_NAME: &str = "/f/";

/// A port of the gateway, as functions see it.
pub struct Port {
    pub gateway: Arc<Gateway>,
    pub guard: Guard,
    pub addresses: Arc<Addresses>,
    /// It serves functions alone, to everybody.
    pub is_public: bool,
}

/// The function that a request is for.
struct Aim {
    name: FunctionName,
    /// Its addresses and who may use them; none where it has no `[http]`.
    function: Option<Arc<HttpFunction>>,
    /// The path as the function sees it.
    path: String,
    /// The address that led to it; none by its name.
    target: Option<Arc<Target>>,
}

/// The way in which a request is answered.
enum Answered {
    By(Aim),
    /// The path takes other methods.
    NotTaken(Allow),
    /// The gateway itself answers.
    Refused(Failure),
}

/// Returns the functions of a port.
pub fn on(port: Port) -> Functions {
    let port = Arc::new(port);
    Arc::new(move |request, arrived| port.find(request, arrived))
}

impl Port {
    /// Returns what answers a request, unless it is not for a function.
    fn find(self: &Arc<Self>, request: &Request, arrived: Arrived) -> Option<Answering> {
        let found = self.look_up(request.method(), request.uri().path(), request.headers())?;
        let port = self.clone();
        Some(Box::new(move |request, bodies| {
            Box::pin(async move { port.answer(found, request, arrived, bodies).await })
        }))
    }

    fn look_up(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Answered> {
        // Before all else: nearly all requests of the platform's own port are calls.
        if !self.is_public && path.starts_with("/v1/") {
            return None;
        }
        let found = match path.strip_prefix(BY_NAME) {
            Some(rest) if !self.is_public => self.by_name(path, rest),
            _ if is_of_platform(path) => None,
            _ => self.at(method, path, headers),
        };
        match found {
            None if self.is_public => Some(Answered::Refused(answer::nothing_there().into())),
            other => other,
        }
    }

    /// Returns the function that a path names after `/f/`. One that is not deployed is the scheduler's to refuse.
    fn by_name(&self, path: &str, rest: &str) -> Option<Answered> {
        let name = rest.split('/').next().unwrap_or_default();
        let seen = &path[BY_NAME.len() + name.len()..];
        let name: FunctionName = name.parse().ok()?;
        let seen = if seen.is_empty() { "/" } else { seen };
        if let Err(unfit) = RequestPath::read(seen) {
            return Some(Answered::Refused(unfit_path(unfit)));
        }
        let table = self.addresses.table();
        let function = table.and_then(|table| table.function(&name).cloned());
        Some(Answered::By(Aim { name, function, path: seen.to_owned(), target: None }))
    }

    /// Returns the function that has the address of a request.
    fn at(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Answered> {
        let Some(table) = self.addresses.table() else {
            return self.is_public.then(|| Answered::Refused(answer::not_ready().into()));
        };
        if !path.starts_with('/') {
            return None;
        }
        let read = match RequestPath::read(path) {
            Ok(read) => read,
            Err(unfit) => return Some(Answered::Refused(unfit_path(unfit))),
        };
        let host = called_name(headers);
        let method = preflight_for(method, headers).unwrap_or(method.as_str());
        match table.find(&host, &read, method) {
            Found::Nothing => None,
            Found::NotTaken(allow) => Some(Answered::NotTaken(allow)),
            Found::Target(target) => {
                let (name, function) = (target.function.name.clone(), Some(target.function.clone()));
                let (path, target) = (path.to_owned(), Some(target.clone()));
                Some(Answered::By(Aim { name, function, path, target }))
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        found: Answered,
        request: Request,
        arrived: Arrived,
        bodies: BodyBudget,
    ) -> Response {
        let (mut head, body) = request.into_parts();
        join_cookies(&mut head.headers);
        let way = Way::of(&head, arrived, &self.gateway.trusted_proxies, bodies);
        let answer = match found {
            Answered::By(aim) => self.answered_by(aim, head, body, &way).await,
            Answered::Refused(failure) => {
                refused(&head.headers, body, true).await;
                self.check_aimless(&head, &way).err().unwrap_or(failure).into_response()
            }
            Answered::NotTaken(allow) => {
                refused(&head.headers, body, true).await;
                match self.check_host(&head) {
                    Ok(()) => answer::not_taken(&head.method, head.uri.path(), &allow),
                    Err(foreign) => foreign.into_response(),
                }
            }
        };
        self.apart(answer)
    }

    /// Answers on the platform's own port are kept apart from it.
    fn apart(&self, mut answer: Response) -> Response {
        if !self.is_public {
            answer::keep_apart(answer.headers_mut());
        }
        answer
    }
}

/// Returns whether the first segment of a path is one of the platform's; that of a path with encoded letters may be so, too.
fn is_of_platform(path: &str) -> bool {
    let first = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
    first.is_some_and(|first| RESERVED.contains(&first))
}

fn unfit_path(unfit: UnfitPath) -> Failure {
    let problem = Problem::new(code::BAD_REQUEST, unfit.to_string());
    problem.hint("send a path without empty segments, and without `.` and `..`").into()
}

/// Returns the name of the host that a request calls, in lower case and without a port; an empty text if it has none.
fn called_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.and_then(host_name).unwrap_or_default();
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// HTTP/2 may divide `Cookie` into several, and servers of HTTP/1.1 read one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> =
        headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Returns the method that a browser asks leave for, if the request is a preflight.
fn preflight_for<'h>(method: &Method, headers: &'h HeaderMap) -> Option<&'h str> {
    if method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
        return None;
    }
    headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()
}

impl Gateway {
    /// Returns the request that a call of this function names in its headers, with where it has come from.
    pub(super) fn named(
        &self,
        function: &FunctionName,
        head: &Parts,
        sent_by: &SentBy,
    ) -> Answer<Option<HttpRequest>> {
        let Some(request) = named_request(&head.headers)? else { return Ok(None) };
        let table = self.addresses.table();
        let own = table.map(|table| table.own(function, &request.method, &request.path));
        let (route, parameters) = own.unwrap_or_default();
        let arrival = Arrival {
            by: ArrivedBy::Call,
            protocol: protocol(head.version).to_owned(),
            from: sent_by.from,
            at_ms: self.clock.now().as_millisecond(),
            route,
            parameters,
            rules: None,
        };
        Ok(Some(HttpRequest { arrival: Some(Box::new(arrival)), ..request }))
    }
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

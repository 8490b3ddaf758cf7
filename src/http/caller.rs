//! Who sends a request: found out by the guard of the gateway, and told to the roles behind it in a header.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, request::Parts},
};
use futures_util::future::BoxFuture;

use super::{Answer, Failure};
use crate::model::{Caller, Problem, api::header::CALLER, code};

/// Finds out whose a bearer token is.
pub trait Authenticate: Send + Sync {
    /// Returns whose token it is, at once where that is known.
    fn authenticate(&self, token: &str) -> Authentication;

    /// Returns the same for the token of a request that was let in before: it does not count as another request.
    fn authenticate_again(&self, token: &str) -> Authentication {
        self.authenticate(token)
    }

    /// Returns whether a text looks like a token that may be accepted. Nobody is asked.
    fn may_be_token(&self, _token: &str) -> bool {
        true
    }

    /// Returns what ends once the answer for this token may be another one, from the time of this call on: by itself, never.
    fn may_change(&self, _token: &str) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Whose a token is, without the address of this request.
pub enum Authentication {
    /// It is known, or refused: 401, or 429 when its requests come too fast.
    Known(Answer<Arc<Caller>>),
    /// It is refused, maybe by the name of its caller.
    Rejected(Rejected),
    /// It has to be asked for.
    Asking(BoxFuture<'static, Result<Arc<Caller>, Rejected>>),
}

/// A refused token.
#[derive(Debug)]
pub struct Rejected {
    /// The answer.
    pub failure: Failure,
    /// The name of its caller, if the token is genuine, and gives no rights.
    pub caller: Option<String>,
}

impl From<Failure> for Rejected {
    fn from(failure: Failure) -> Self {
        Self { failure, caller: None }
    }
}

impl From<Problem> for Rejected {
    fn from(problem: Problem) -> Self {
        Failure::from(problem).into()
    }
}

/// A request that the guard of a public port has refused because of its token or its sender.
pub struct Refusal<'r> {
    /// The name of its caller; none where that is not known.
    pub caller: Option<&'r str>,
    /// The address that it came from.
    pub from: IpAddr,
    /// Its method.
    pub method: &'r Method,
    /// Its path, as it was sent; none for a request to a function by HTTP: a path of the function's.
    pub path: Option<&'r str>,
    /// The reason, in words of ours: nothing that the sender has chosen.
    pub reason: &'static str,
}

/// Hears of each refusal of a guard.
pub type OnRefusal = Arc<dyn Fn(&Refusal<'_>) + Send + Sync>;

/// The caller of a request that has come to a role behind the gateway. One that says nothing of a caller was sent by another
/// role, or with the internal token, which may do everything. One whose header cannot be read is refused with 403.
pub struct CalledBy(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for CalledBy {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Answer<Self> {
        called_by(&parts.headers).map(Self)
    }
}

/// Returns the caller that a request of the gateway names; 403 for a header that cannot be read, since only the gateway writes
/// it.
pub fn called_by(headers: &HeaderMap) -> Answer<Caller> {
    let Some(value) = headers.get(CALLER) else { return Ok(Caller::internal()) };
    serde_json::from_slice(value.as_bytes()).map_err(|error| {
        tracing::error!(%error, "a request names its caller in a way that cannot be read");
        let detail = format!("the header {CALLER} is not one that a gateway of this version writes");
        Problem::new(code::FORBIDDEN, detail).into()
    })
}

/// Returns the header that tells a role behind the gateway of the caller.
pub fn caller_header(caller: &Caller) -> HeaderValue {
    let text = serde_json::to_string(caller).expect("a caller is plain data");
    // JSON has no control characters, and a name in other letters is sent as UTF-8.
    HeaderValue::from_bytes(text.as_bytes()).expect("JSON is a header's value")
}

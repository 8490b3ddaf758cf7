//! Who sends a request: found out by the guard of the gateway, and told to the roles behind it in a header.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, request::Parts},
};
use futures_util::future::BoxFuture;

use super::Answer;
use crate::model::{Caller, Problem, api::header::CALLER};

/// Finds out whose a bearer token is.
pub trait Authenticate: Send + Sync {
    /// Returns whose token it is, at once where that is known.
    fn authenticate(&self, token: &str) -> Authentication;
}

/// Whose a token is, without the address of this request.
pub enum Authentication {
    /// It is known, or refused: 401, or 429 when its requests come too fast.
    Known(Answer<Arc<Caller>>),
    /// It has to be asked for.
    Asking(BoxFuture<'static, Answer<Arc<Caller>>>),
}

/// The sender of a request to a public port. The guard gives it to the shortcut, and puts it into the extensions of requests
/// to the router.
#[derive(Clone, Debug)]
pub struct SentBy {
    /// The caller whose token it carries, without an address.
    pub caller: Arc<Caller>,
    /// The address that it came from.
    pub from: IpAddr,
}

impl SentBy {
    /// Returns the caller with the address, as other roles are told of it.
    pub fn to_caller(&self) -> Caller {
        Caller { from: Some(self.from), ..Caller::clone(&self.caller) }
    }
}

/// A request that the guard of a public port has refused because of its token or its sender: nobody knows who sent it.
pub struct Refusal<'r> {
    /// The address that it came from.
    pub from: IpAddr,
    /// Its method.
    pub method: &'r Method,
    /// Its path, as it was sent.
    pub path: &'r str,
    /// The answer.
    pub problem: &'r Problem,
}

/// Hears of each refusal of a guard.
pub type OnRefusal = Arc<dyn Fn(&Refusal<'_>) + Send + Sync>;

/// The caller of a request that has come to a role behind the gateway. One that says nothing of a caller was sent by another
/// role, or with the internal token, which may do everything.
pub struct CalledBy(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for CalledBy {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(called_by(&parts.headers)))
    }
}

/// Returns the caller that a request of the gateway names. A header that cannot be read is nobody's: only the gateway
/// writes it.
pub fn called_by(headers: &HeaderMap) -> Caller {
    match headers.get(CALLER) {
        None => Caller::internal(),
        Some(value) => serde_json::from_slice(value.as_bytes()).unwrap_or_else(|_| nobody()),
    }
}

/// Returns the header that tells a role behind the gateway of the caller.
pub fn caller_header(caller: &Caller) -> HeaderValue {
    let text = serde_json::to_string(caller).expect("a caller is plain data");
    // JSON has no control characters, and a name in other letters is sent as UTF-8.
    HeaderValue::from_bytes(text.as_bytes()).expect("JSON is a header's value")
}

/// Returns a caller that reaches nothing.
fn nobody() -> Caller {
    let functions = vec!["-".parse().expect("a pattern that no name matches")];
    Caller { name: "unknown".to_owned(), role: crate::model::TokenRole::Invoke, functions, from: None }
}

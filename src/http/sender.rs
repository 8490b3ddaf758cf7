//! The sender of a request to a public port. Its token is checked when the head of the request has come, and again where the
//! request lasts: a body that takes its time, or an answer that goes on, would outlive a revocation otherwise.

use std::{
    fmt, mem,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{body::Body, http::HeaderValue};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body as _, Frame, SizeHint};

use super::{
    Answer, Failure,
    caller::{Authenticate, Authentication},
};
use crate::model::{Caller, Problem};

/// The sender of a request to a public port. The guard gives it to the shortcut, and puts it into the extensions of requests
/// to the router.
#[derive(Clone, Debug)]
pub struct SentBy {
    /// The caller whose token it carries, without an address.
    pub caller: Arc<Caller>,
    /// The address that it came from.
    pub from: IpAddr,
    /// The token.
    pub token: CheckedToken,
}

impl SentBy {
    /// Returns the caller with the address, as other roles are told of it.
    pub fn to_caller(&self) -> Caller {
        Caller { from: Some(self.from), ..Caller::clone(&self.caller) }
    }
}

/// A request whose token was checked within this time is acted on without another check.
const HOLDS: Duration = Duration::from_secs(2);

/// Where it cannot be found out whether a token still holds, that is tried again after this pause, so often.
const PAUSE: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 5;

/// A token that was accepted, and the way to check it again.
#[derive(Clone)]
pub struct CheckedToken {
    known: Arc<dyn Authenticate>,
    /// The header that it came in.
    authorization: HeaderValue,
    checked_at: Instant,
}

impl CheckedToken {
    /// Takes the token of this header, which `known` has just accepted.
    pub(super) fn new(known: Arc<dyn Authenticate>, authorization: HeaderValue) -> Self {
        Self { known, authorization, checked_at: Instant::now() }
    }

    /// Returns why the token is refused by now. It is checked again only where that was done more than two seconds ago: for a
    /// request whose body has come, before it is acted on.
    pub async fn still_holds(&self) -> Answer<()> {
        if self.is_fresh() { Ok(()) } else { self.check_again().await }
    }

    /// Passes on a body up to its last piece, which [`Self::still_holds`] decides about. Refused, the body breaks off with the
    /// reason, and the role that it is sent to cannot act on it.
    pub fn checked_body(&self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(CheckedBody { body, token: self.clone(), state: BodyState::Coming })
    }

    /// Waits until the token is refused, or for long cannot be checked, and returns why.
    pub async fn refused(&self) -> Failure {
        self.refused_with(PAUSE).await
    }

    async fn refused_with(&self, pause: Duration) -> Failure {
        let mut unanswered = 0;
        loop {
            // From before the check on, so that no change comes between the two.
            let change = self.known.may_change(self.text());
            match self.check_again().await {
                Ok(()) => {
                    unanswered = 0;
                    change.await;
                }
                Err(refused) if matches!(refused.0.status, 401 | 403) => return refused,
                Err(failure) => {
                    unanswered += 1;
                    if unanswered == ATTEMPTS {
                        return failure;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn is_fresh(&self) -> bool {
        self.checked_at.elapsed() <= HOLDS
    }

    async fn check_again(&self) -> Answer<()> {
        let caller = match self.known.authenticate_again(self.text()) {
            Authentication::Known(caller) => caller,
            Authentication::Rejected(rejected) => Err(rejected.failure),
            Authentication::Asking(question) => question.await.map_err(|rejected| rejected.failure),
        };
        caller.map(drop)
    }

    fn text(&self) -> &str {
        self.authorization.to_str().ok().and_then(bearer).unwrap_or_default()
    }
}

impl fmt::Debug for CheckedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedToken")
    }
}

/// Returns the token of a header `Authorization`; the scheme is written in any case.
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The token of a request was refused while its body, or the answer's, came.
#[derive(Debug, thiserror::Error)]
#[error("the request's token was refused while the body came")]
pub struct TokenRefused(Box<Problem>);

impl TokenRefused {
    /// Makes one with the reason.
    pub fn new(why: Box<Problem>) -> Self {
        Self(why)
    }

    pub(super) fn problem(&self) -> Problem {
        Problem::clone(&self.0)
    }
}

/// A body whose last piece comes out once its token has been looked at.
struct CheckedBody {
    body: Body,
    token: CheckedToken,
    state: BodyState,
}

enum BodyState {
    Coming,
    /// All has come; the last piece waits for the check.
    Checking(Option<Frame<Bytes>>, BoxFuture<'static, Answer<()>>),
    Over,
}

impl hyper::body::Body for CheckedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                BodyState::Coming => {
                    let last = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                        Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                        Some(Ok(piece)) if !this.body.is_end_stream() => {
                            return Poll::Ready(Some(Ok(piece)));
                        }
                        Some(Ok(piece)) => Some(piece),
                        None => None,
                    };
                    let token = this.token.clone();
                    let check = Box::pin(async move { token.still_holds().await });
                    this.state = BodyState::Checking(last, check);
                }
                BodyState::Checking(_, check) => {
                    let checked = ready!(check.as_mut().poll(context));
                    let BodyState::Checking(last, _) = mem::replace(&mut this.state, BodyState::Over)
                    else {
                        return Poll::Ready(None);
                    };
                    return Poll::Ready(match checked {
                        Ok(()) => last.map(Ok),
                        Err(Failure(why)) => Some(Err(axum::Error::new(TokenRefused::new(why)))),
                    });
                }
                BodyState::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, BodyState::Over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Coming => self.body.size_hint(),
            BodyState::Checking(last, _) => {
                let left = last.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
                SizeHint::with_exact(left as u64)
            }
            BodyState::Over => SizeHint::with_exact(0),
        }
    }
}

#[cfg(test)]
impl SentBy {
    /// Returns a sender whose token stays valid.
    pub fn of(caller: Caller, from: IpAddr) -> Self {
        struct Always(Arc<Caller>);
        impl Authenticate for Always {
            fn authenticate(&self, _: &str) -> Authentication {
                Authentication::Known(Ok(self.0.clone()))
            }
        }
        let caller = Arc::new(caller);
        let known = Arc::new(Always(caller.clone()));
        Self { caller, from, token: CheckedToken::new(known, HeaderValue::from_static("Bearer x")) }
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;

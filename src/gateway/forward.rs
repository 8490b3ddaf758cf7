//! Passing requests on to a role behind the gateway and its answers back, bodies untouched.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::{
    http::{
        Answer, CallRequest, CheckedToken, Failure, Peer, TokenRefused, Unanswered,
        take_out_of_connection,
    },
    model::{CallAnswer, Problem, api::Health, code},
    units::show_duration,
};

/// A role of this host.
pub struct Upstream {
    role: &'static str,
    peer: Peer,
    /// Cancelled when a stop has waited long enough.
    give_up: CancellationToken,
    /// The longest time that a call may take.
    longest: Duration,
}

/// Loading and running take a quarter of an hour each, at most; a moment is added for what lies between.
const LONGEST_RUN: Duration = Duration::from_secs(2 * 15 * 60 + 2 * 60);

/// Limit of a readiness answer, in bytes.
const MAX_HEALTH: usize = 64 * 1024;

/// Headers that no other role uses, besides those of one connection.
const NOT_PASSED_ON: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::COOKIE];

impl Upstream {
    /// `queue_wait`: how long a call waits for an instance.
    pub fn new(
        role: &'static str,
        peer: Peer,
        queue_wait: Duration,
        give_up: CancellationToken,
    ) -> Self {
        Self { role, peer, give_up, longest: queue_wait.saturating_add(LONGEST_RUN) }
    }

    /// Passes a call on. Not answering is told as for [`Upstream::send`].
    pub async fn call(&self, request: CallRequest) -> Answer<CallAnswer> {
        let id = request.id;
        let answer = tokio::select! {
            biased;
            answer = self.peer.call(request) => answer,
            () = self.give_up.cancelled() => {
                let detail = "the platform is stopping, and the invocation has not ended; whether it will is not known";
                return Err(Problem::new(code::INTERRUPTED, detail).invocation(id).into());
            }
            () = tokio::time::sleep(self.longest) => {
                let (role, longest) = (self.role, show_duration(self.longest));
                let detail = format!("the {role} has not answered for {longest}, longer than any invocation takes; whether it ended is not known");
                return Err(Problem::new(code::INTERRUPTED, detail).invocation(id).into());
            }
        };
        answer.map_err(|error| match (self.failed(&error, false), error.begun) {
            (Failure(problem), true) => problem.invocation(id).into(),
            (failure, false) => failure,
        })?
    }

    /// Sends a request on to `path` (with its query). Not answering is a 503 when nothing can have
    /// happened, and a 502 that warns of repeating otherwise.
    pub async fn send(&self, method: Method, path: &str, mut headers: HeaderMap, body: Body) -> Answer {
        take_out_of_connection(&mut headers);
        for name in NOT_PASSED_ON {
            headers.remove(name);
        }
        let read_only = method == Method::GET || method == Method::HEAD;
        let answer = self.peer.send(method, path, headers, body).await;
        answer.map_err(|error| self.failed(&error, read_only))
    }

    /// Whether it and its backends answer; what it waits for otherwise.
    pub async fn ready(&self) -> Result<(), String> {
        let silent = |_| format!("the {}: it does not answer", self.role);
        let asked = self.peer.send(Method::GET, "/readyz", HeaderMap::new(), Body::empty());
        let answer = asked.await.map_err(silent)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let unknown = || format!("the {}: it is not ready", self.role);
        let body = axum::body::to_bytes(answer.into_body(), MAX_HEALTH).await.map_err(|_| unknown())?;
        let health: Health = serde_json::from_slice(&body).map_err(|_| unknown())?;
        Err(format!("the {}: {}", self.role, health.waiting_for.unwrap_or_default()))
    }

    /// The same for a request as it came.
    pub async fn forward(&self, parts: Parts, body: Body) -> Answer {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        self.send(parts.method, &path, parts.headers, body).await
    }

    /// The same for a request that only looks on, maybe for long: when the gateway stops, or its token is refused, it ends
    /// instead of being waited for. An answer that has begun breaks off at a refusal, which `on_refusal` hears of.
    pub async fn watch(
        &self,
        parts: Parts,
        body: Body,
        stop: CancellationToken,
        token: CheckedToken,
        on_refusal: impl FnOnce(&Problem) + Send + 'static,
    ) -> Answer {
        let answer = tokio::select! {
            biased;
            answer = self.forward(parts, body) => answer?,
            refused = token.refused() => return Err(refused),
            () = stop.cancelled() => {
                let stopping = Problem::new(code::UNAVAILABLE, "the platform is stopping");
                return Err(stopping.retry_after(1).into());
            }
        };
        // What is there as a whole is not waited for.
        if answer.body().size_hint().exact().is_some() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let is_over = Box::pin(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => None,
                Failure(why) = token.refused() => {
                    if matches!(why.status, 401 | 403) {
                        on_refusal(&why);
                    }
                    Some(why)
                }
            }
        });
        let body = stream::unfold(Some((body.into_data_stream(), is_over)), |rest| async move {
            let (mut body, mut is_over) = rest?;
            tokio::select! {
                biased;
                refused = &mut is_over => {
                    refused.map(|why| (Err(axum::Error::new(TokenRefused::new(why))), None))
                }
                piece = body.next() => piece.map(|piece| (piece, Some((body, is_over)))),
            }
        });
        Ok(Response::from_parts(head, Body::from_stream(body)))
    }

    fn failed(&self, error: &Unanswered, read_only: bool) -> Failure {
        let role = self.role;
        tracing::warn!(role, error = %crate::error_chain::chain(error), "role does not answer");
        if !error.begun || read_only {
            return Problem::new(code::UNAVAILABLE, format!("the {role} does not answer"))
                .retry_after(1)
                .hint("'cloudfunc status' shows which roles are running")
                .into();
        }
        let detail =
            format!("the {role} was lost while it had the request; whether it did it is not known");
        Problem::new(code::INTERRUPTED, detail).into()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::InvocationId;

    #[tokio::test]
    async fn a_call_that_a_role_never_answers_is_given_up_and_may_have_run() {
        let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::at(hung.local_addr().unwrap(), "token").unwrap();
        let upstream = Upstream::new("scheduler", peer, Duration::ZERO, CancellationToken::new());
        assert_eq!(upstream.longest, Duration::from_secs(32 * 60));
        let upstream = Upstream { longest: Duration::from_millis(50), ..upstream };
        let id = InvocationId::new();
        let (function, headers) = ("f".parse().unwrap(), HeaderMap::new());
        let request = CallRequest { id, function, headers, payload: Bytes::new(), http: None };
        let Failure(problem) = upstream.call(request).await.unwrap_err();
        assert_eq!((problem.status, problem.invocation_id), (502, Some(id)));
        let told = "the scheduler has not answered for 50 ms, longer than any invocation takes; whether it ended is not known";
        assert_eq!(problem.detail, told);
    }
}

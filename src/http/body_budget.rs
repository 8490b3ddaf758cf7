//! A budget for the bodies of all unanswered requests of a port: the memory that they take is bounded, however many
//! clients send at the same time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::{
    budget::Budget,
    model::{Problem, code},
    units::show_bytes,
};

/// The largest body that is reserved as a whole before it has come, in bytes.
const SMALL: usize = 64 * 1024;
/// Seconds that a refused client is told to wait.
const RETRY_AFTER: u64 = 1;

/// Bytes for the bodies of all unanswered requests of a port together.
#[derive(Clone)]
pub struct BodyBudget {
    budget: Arc<Budget>,
    bytes: usize,
}

impl BodyBudget {
    /// A budget of this size, for the bodies of all unanswered requests of a port together.
    pub fn of(bytes: usize) -> Self {
        Self { budget: Arc::new(Budget::new(bytes)), bytes }
    }

    /// Returns the refusal of a request whose body does not fit.
    pub(super) fn used_up(&self) -> Problem {
        UsedUp(self.bytes).problem()
    }

    /// Reserves bytes for a body: all of a small one, else each piece as it comes, so that a slow sender does not hold
    /// bytes that others need. They are given back when the reservation is dropped, which is when the request has been
    /// answered. Nothing is reserved for an empty body. Returns the body if the budget is used up.
    pub(super) fn enter(&self, request: Request) -> Result<(Request, Option<Arc<Reserved>>), Body> {
        let length = request.body().size_hint().exact().map_or(usize::MAX, to_usize);
        if length == 0 {
            return Ok((request, None));
        }
        let room = self.budget.clone();
        let taken = Arc::new(Reserved { room, limit: self.bytes, bytes: AtomicUsize::new(0) });
        if length > SMALL {
            let counted = taken.clone();
            let count = |body| Body::new(CountedBody { body, taken: counted, is_refused: false });
            return Ok((request.map(count), Some(taken)));
        }
        if taken.more(length) { Ok((request, Some(taken))) } else { Err(request.into_body()) }
    }
}

/// The bytes that a request has reserved.
pub struct Reserved {
    room: Arc<Budget>,
    /// The size of the budget, in bytes.
    limit: usize,
    bytes: AtomicUsize,
}

impl Reserved {
    fn more(&self, bytes: usize) -> bool {
        let is_taken = self.room.take(bytes);
        if is_taken {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        is_taken
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.give_back(*self.bytes.get_mut());
    }
}

/// The budget, of this many bytes, is used up by other requests.
#[derive(Debug, thiserror::Error)]
#[error("other requests use up the budget for bodies")]
pub(super) struct UsedUp(usize);

impl UsedUp {
    pub(super) fn problem(&self) -> Problem {
        let limit = show_bytes(self.0 as u64);
        let detail = format!("the bodies of unanswered requests take up the limit of {limit} already");
        Problem::new(code::OVERLOADED, detail).retry_after(RETRY_AFTER)
    }
}

/// A body that reserves bytes as it comes.
struct CountedBody {
    body: Body,
    taken: Arc<Reserved>,
    /// A piece of it did not fit into the budget: the rest is thrown away.
    is_refused: bool,
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        if self.is_refused || self.taken.more(bytes) {
            return Poll::Ready(frame);
        }
        self.is_refused = true;
        Poll::Ready(Some(Err(axum::Error::new(UsedUp(self.taken.limit)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn request(body: Body) -> Request {
        Request::new(body)
    }

    /// A body that comes in pieces, as with `Transfer-Encoding: chunked`.
    fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<_> =
            sizes.iter().map(|size| Ok::<_, UsedUp>(Bytes::from(vec![0; *size]))).collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn requests_take_room_until_they_are_answered_and_no_more_than_there_is() {
        let room = BodyBudget::of(10);
        let (_, first) = room.enter(request(Body::from("1234567"))).ok().unwrap();
        let refused = room.enter(request(Body::from("1234"))).err().unwrap();
        assert_eq!(refused.collect().await.unwrap().to_bytes(), "1234");
        let (_, nothing) = room.enter(request(Body::empty())).ok().unwrap();
        assert!(nothing.is_none());
        let (_, second) = room.enter(request(Body::from("123"))).ok().unwrap();
        drop((first, second));
        let (in_pieces, taken) = room.enter(request(pieces(&[4, 4]))).ok().unwrap();
        assert_eq!(in_pieces.into_body().collect().await.unwrap().to_bytes().len(), 8);
        let (in_pieces, other) = room.enter(request(pieces(&[2, 1, 5]))).ok().unwrap();
        let read = super::super::read_body(in_pieces.into_body(), 100, || room.used_up()).await;
        let problem = read.unwrap_err().0;
        assert_eq!((problem.status, problem.retry_after), (503, Some(1)));
        assert_eq!(
            problem.detail,
            "the bodies of unanswered requests take up the limit of 10 B already"
        );
        drop((taken, other));
        assert!(room.enter(request(Body::from("1234567890"))).is_ok());
    }
}

//! A budget for the bodies of all unanswered requests of a port: the memory that they take is bounded, however many
//! clients send at the same time.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

    /// Returns the bytes that are reserved.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.budget.taken()
    }

    /// Returns the refusal of a request whose body does not fit.
    pub(super) fn used_up(&self) -> Problem {
        UsedUp(self.bytes).problem()
    }

    /// Reserves bytes for a body, each piece as it comes: what is only announced takes nothing that others need. They are given
    /// back when the reservation is dropped, which is when the request has been answered, and when the body turns out to be
    /// refused. Nothing is reserved for an empty body. The request has the reservation among its extensions, too. Returns the
    /// body if the budget is used up.
    pub(super) fn enter(&self, request: Request) -> Result<(Request, Option<Arc<Reserved>>), Body> {
        if request.body().is_end_stream() {
            return Ok((request, None));
        }
        if self.budget.taken() >= self.bytes {
            return Err(request.into_body());
        }
        let (room, state) =
            (self.budget.clone(), Mutex::new(State { bytes: 0, most: usize::MAX, is_over: false }));
        let taken = Arc::new(Reserved { room, limit: self.bytes, state });
        let counted = taken.clone();
        let mut request = request.map(|body| Body::new(CountedBody { body, taken: counted }));
        request.extensions_mut().insert(taken.clone());
        Ok((request, Some(taken)))
    }
}

/// The bytes that a request has reserved.
pub struct Reserved {
    room: Arc<Budget>,
    /// The size of the budget, in bytes.
    limit: usize,
    state: Mutex<State>,
}

struct State {
    bytes: usize,
    /// A body of more bytes is refused.
    most: usize,
    /// The body is refused: what still comes of it is thrown away, and takes no room.
    is_over: bool,
}

impl Reserved {
    /// Notes that a body of more bytes is refused, so that what is thrown away of one takes no room.
    pub fn keeps_at_most(&self, most: usize) {
        self.state().most = most;
    }

    /// Returns the refusal of a body that does not fit.
    pub(super) fn used_up(&self) -> Problem {
        UsedUp(self.limit).problem()
    }

    /// Nothing is left half-done by a panic: each change is one assignment after another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves more bytes. Returns false if that is the end of the body: all is given back then.
    fn more(&self, bytes: usize) -> bool {
        let mut state = self.state();
        if state.is_over {
            return true;
        }
        let has_room = self.room.take(bytes);
        if has_room {
            state.bytes += bytes;
        }
        if !has_room || state.bytes > state.most {
            state.is_over = true;
            self.room.give_back(std::mem::take(&mut state.bytes));
        }
        has_room
    }

    /// Reserves what is missing to this number of bytes, as a body has that was decoded. Returns whether there is room.
    pub(super) fn has(&self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.state().bytes);
        self.more(missing)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.room.give_back(state.bytes);
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
        if self.taken.more(bytes) {
            return Poll::Ready(frame);
        }
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

    async fn read(room: &BodyBudget, body: Body) -> (usize, Option<Arc<Reserved>>) {
        let (request, taken) = room.enter(request(body)).ok().unwrap();
        (request.into_body().collect().await.unwrap().to_bytes().len(), taken)
    }

    #[tokio::test]
    async fn requests_take_room_as_they_come_until_they_are_answered_and_no_more_than_there_is() {
        let room = BodyBudget::of(10);
        let announced = room.enter(request(Body::from("1234567890"))).ok().unwrap();
        let (_, first) = read(&room, Body::from("1234567")).await;
        let (in_pieces, other) = room.enter(request(pieces(&[2, 1, 5]))).ok().unwrap();
        let refused = super::super::read_body(in_pieces.into_body(), 100, || room.used_up()).await;
        let problem = refused.unwrap_err().0;
        assert_eq!((problem.status, problem.retry_after), (503, Some(1)));
        assert_eq!(
            problem.detail,
            "the bodies of unanswered requests take up the limit of 10 B already"
        );
        let (_, nothing) = room.enter(request(Body::empty())).ok().unwrap();
        assert!(nothing.is_none());
        // What was refused takes nothing, though it is not answered yet.
        let (_, second) = read(&room, pieces(&[1, 2])).await;
        let refused = room.enter(request(Body::from("1234"))).err().unwrap();
        assert_eq!(refused.collect().await.unwrap().to_bytes(), "1234");
        drop((announced, first, other, second));
        let (length, _taken) = read(&room, Body::from("1234567890")).await;
        assert_eq!(length, 10);
    }

    #[tokio::test]
    async fn what_is_thrown_away_of_a_body_that_is_too_large_takes_no_room() {
        let room = BodyBudget::of(10);
        let (too_large, taken) = room.enter(request(pieces(&[4, 4, 4, 100]))).ok().unwrap();
        taken.as_ref().unwrap().keeps_at_most(6);
        assert_eq!(too_large.into_body().collect().await.unwrap().to_bytes().len(), 112);
        assert_eq!((room.budget.taken(), taken.is_some()), (0, true));
    }
}

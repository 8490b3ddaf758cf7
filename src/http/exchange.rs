//! A request and its answer, as the connection that they are on sees them: how much has come, how fast, and how much of
//! the answer was taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    Request,
    body::{Body as _, Frame, Incoming, SizeHint},
};
use tokio::time::{Instant, Sleep};

use super::{
    answers::Held,
    pace::Pace,
    progress::{Bounds, Progress},
};
use crate::{
    model::{Problem, code},
    units::{show_bytes, show_duration},
};

/// The pieces of an answer on a connection with streams, in bytes. What has been handed over takes memory until the other
/// side makes room for it, and how much it takes is its own choice.
const PIECE: usize = 16 * 1024;

/// A request whose head has come. It ends with the last of its parts.
pub(super) struct Exchange {
    progress: Arc<Progress>,
    number: u64,
}

impl Exchange {
    /// Begins with a request whose head has come.
    pub(super) fn begin(
        progress: &Arc<Progress>,
        request: Request<Incoming>,
    ) -> (Request<Body>, Arc<Self>) {
        let is_whole = request.body().is_end_stream();
        let exchange = Arc::new(Self { progress: progress.clone(), number: progress.begin(is_whole) });
        let request = request.map(|body| match is_whole {
            true => Body::empty(),
            false => Body::new(RequestBody {
                body,
                exchange: exchange.clone(),
                pace: Pace::default(),
                alarm: None,
                is_over: false,
            }),
        });
        (request, exchange)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.progress.end(self.number);
    }
}

/// A body comes too slowly.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stalled {
    /// Nothing has come for this time.
    #[error("nothing of the body has come for {}", show_duration(*.0))]
    Silent(Duration),
    /// Less than this number of bytes per second has come.
    #[error("the body comes more slowly than {} per second", show_bytes(*.0))]
    Slow(u64),
}

impl Stalled {
    pub(super) fn problem(&self) -> Problem {
        Problem::new(code::REQUEST_TIMEOUT, self.to_string())
    }
}

/// Returns the time after which a body is waited for no more, and the reason.
fn patience(pace: &Pace, bounds: &Bounds) -> (Duration, Stalled) {
    let left = pace.left(bounds.slow);
    match left < bounds.body {
        true => (left, Stalled::Slow(bounds.rate)),
        false => (bounds.body, Stalled::Silent(bounds.body)),
    }
}

/// The end of a wait for more of a body.
struct Alarm {
    begun: Instant,
    sleep: Pin<Box<Sleep>>,
    stalled: Option<Stalled>,
}

/// A request's body; what its handler does not want any more counts as come.
struct RequestBody {
    body: Incoming,
    exchange: Arc<Exchange>,
    pace: Pace,
    /// None while bytes are there.
    alarm: Option<Alarm>,
    /// It has been read to its end.
    is_over: bool,
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let waited = this.alarm.take().map_or(Duration::ZERO, |alarm| alarm.begun.elapsed());
            if let Some(Ok(frame)) = &frame {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.pace.came(waited, bytes, this.exchange.progress.bounds().rate);
            }
            this.is_over = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let alarm = this.alarm.get_or_insert_with(|| {
            let (patience, stalled) = patience(&this.pace, this.exchange.progress.bounds());
            let sleep = Box::pin(tokio::time::sleep(patience));
            Alarm { begun: Instant::now(), sleep, stalled: Some(stalled) }
        });
        ready!(alarm.sleep.as_mut().poll(context));
        // Once it was told, nothing more comes.
        Poll::Ready(alarm.stalled.take().map(|stalled| Err(axum::Error::new(stalled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let is_read = self.is_over || self.body.is_end_stream();
        self.exchange.progress.came_whole(self.exchange.number, is_read);
    }
}

/// An answer's body.
pub(super) struct AnswerBody {
    body: Body,
    exchange: Arc<Exchange>,
    /// It is handed over in pieces, and is followed in doing so.
    in_pieces: bool,
    /// The bytes of which the next pieces are made.
    rest: Bytes,
    /// A piece of `rest` has been handed over.
    is_cut: bool,
    /// How fast it is taken.
    pace: Pace,
    /// The piece that was handed over last: when, and its bytes.
    handed: Option<(Instant, u64)>,
    /// The room that it takes up.
    held: Option<Held>,
}

impl AnswerBody {
    /// Follows an answer until it has been handed over; with `in_pieces`, whether it is taken too. Else the connection notes when
    /// it has been written.
    pub(super) fn new(body: Body, exchange: Arc<Exchange>, held: Option<Held>, in_pieces: bool) -> Self {
        exchange.progress.tell(exchange.number);
        let (rest, pace) = (Bytes::new(), Pace::default());
        Self { body, exchange, in_pieces, rest, is_cut: false, pace, handed: None, held }
    }

    fn piece(&mut self) -> Bytes {
        if self.rest.len() > PIECE {
            self.is_cut = true;
            return self.rest.split_to(PIECE);
        }
        let last = std::mem::take(&mut self.rest);
        // The last piece of many, which may wait for long, would keep the memory of all.
        match std::mem::take(&mut self.is_cut) {
            true => Bytes::copy_from_slice(&last),
            false => last,
        }
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if !this.in_pieces {
            return Pin::new(&mut this.body).poll_frame(context);
        }
        let progress = &this.exchange.progress;
        if let Some((since, bytes)) = this.handed.take() {
            this.pace.came(since.elapsed(), bytes, progress.bounds().rate);
            progress.taken(this.exchange.number);
        }
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => this.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let piece = this.piece();
        let progress = &this.exchange.progress;
        progress.handed_over(this.exchange.number, this.pace.left(progress.bounds().take));
        this.handed = Some((Instant::now(), piece.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let Exchange { progress, number } = &*self.exchange;
        match self.in_pieces {
            true => progress.end(*number),
            false => progress.queue(*number, self.held.take()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn a_body_may_fall_behind_its_rate_for_a_while_and_gains_no_time_by_coming_fast() {
        let (bounds, seconds) = (Bounds::default(), Duration::from_secs);
        let mut pace = Pace::default();
        let mut after = |waited: u64, bytes: u64| {
            pace.came(seconds(waited), bytes, bounds.rate);
            let (time, stalled) = patience(&pace, &bounds);
            (time.as_secs(), stalled.to_string())
        };
        let silent = "nothing of the body has come for 30 s".to_owned();
        let slow = "the body comes more slowly than 1 KiB per second".to_owned();
        assert_eq!(after(0, 0), (30, silent.clone()));
        assert_eq!(after(25, 10 * 1024), (15, slow.clone()));
        assert_eq!(after(10, 10 * 1024), (15, slow.clone()));
        assert_eq!(after(1, 6 * 1024 * 1024), (30, silent));
        assert_eq!(after(20, 0), (10, slow.clone()));
        assert_eq!(after(20, 0), (0, slow));
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_the_same_and_its_length_is_known() {
        let bounds = Bounds::default();
        let progress = Arc::new(Progress::new(bounds, false));
        let exchange =
            || Arc::new(Exchange { progress: progress.clone(), number: progress.begin(true) });
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut body = AnswerBody::new(Body::from(bytes.clone()), exchange(), None, true);
            assert_eq!(body.size_hint().exact(), Some(length as u64));
            let mut read = Vec::new();
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                assert!(data.len() <= PIECE);
                read.extend_from_slice(&data);
                assert_eq!(body.size_hint().exact(), Some((length - read.len()) as u64));
                assert_eq!(body.is_end_stream(), read.len() == length);
            }
            assert!(read == bytes, "{length}");
        }
        assert!(!matches!(progress.standing(Instant::now()), super::super::caps::Standing::Answering));
    }
}

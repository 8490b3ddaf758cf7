//! How far a connection has come, and when it has said nothing for too long.
//!
//! ```text
//! nothing yet ─▶ head ─▶ body ─▶ whole request ─▶ answered ─▶ head …
//! ```

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use crate::{
    model::{Problem, code},
    units::show_duration,
};

/// The bounds of a server's connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The head of a request has come after this time; a connection that has begun one, or that is new, is closed
    /// otherwise.
    pub head: Duration,
    /// A connection without a request is closed after this time.
    pub idle: Duration,
    /// A request of whose body nothing has come for this time is refused.
    pub body: Duration,
    /// The size of the bodies of all unanswered requests together, in bytes.
    pub bodies: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            // Clients that keep connections keep them for less, so that none is closed while a request is sent.
            idle: Duration::from_secs(180),
            body: Duration::from_secs(60),
            bodies: 512 * 1024 * 1024,
        }
    }
}

/// Nothing has come.
const NEW: u8 = 0;
/// Some of a head has come.
const HEAD: u8 = 1;
/// A head has come, and not all of the body.
const BODY: u8 = 2;
/// A whole request has come and is being answered.
const WHOLE: u8 = 3;
/// The answer has been handed over, and no other request has begun.
const ANSWERED: u8 = 4;

/// How much of the newest request of a connection has come.
pub(super) struct Progress {
    begun: Instant,
    phase: AtomicU8,
    /// The time at which the phase began that is limited, in milliseconds after the connection began.
    since: AtomicU64,
    bounds: Bounds,
}

impl Progress {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { begun: Instant::now(), phase: AtomicU8::new(NEW), since: AtomicU64::new(0), bounds }
    }

    pub(super) fn has_whole_request(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= WHOLE
    }

    /// Returns once the other side has let too much time pass.
    pub(super) async fn overdue(&self) {
        let mut look = Instant::now() + self.bounds.head;
        loop {
            tokio::time::sleep_until(look).await;
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return;
            }
            // Whatever begins meanwhile has its deadline after the next look.
            let next = now + self.bounds.head;
            look = deadline.map_or(next, |deadline| deadline.min(next));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let phase = self.phase.load(Ordering::Acquire);
        let bound = match phase {
            NEW | HEAD => self.bounds.head,
            ANSWERED => self.bounds.idle,
            // A body has a limit of its own, and an answer takes as long as it takes.
            _ => return None,
        };
        Some(self.begun + Duration::from_millis(self.since.load(Ordering::Acquire)) + bound)
    }

    fn enter(&self, phase: u8) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Release);
        self.phase.store(phase, Ordering::Release);
    }

    /// Notes that bytes have come; in a request under way they are its own.
    fn came(&self) {
        if matches!(self.phase.load(Ordering::Acquire), NEW | ANSWERED) {
            self.enter(HEAD);
        }
    }

    /// Follows a request whose head has come.
    pub(super) fn request(self: &Arc<Self>, body: Incoming) -> Body {
        if body.is_end_stream() {
            self.phase.store(WHOLE, Ordering::Release);
            return Body::empty();
        }
        self.phase.store(BODY, Ordering::Release);
        let (progress, silence) = (self.clone(), None);
        Body::new(RequestBody { body, progress, silence })
    }

    /// Follows an answer until it has been handed over.
    pub(super) fn answer(self: &Arc<Self>, body: Body) -> AnswerBody {
        AnswerBody { body, progress: self.clone() }
    }
}

/// Nothing of a body has come for a while.
#[derive(Debug, thiserror::Error)]
#[error("nothing of the body has come for {}", show_duration(*.0))]
pub(super) struct Stalled(Duration);

impl Stalled {
    pub(super) fn problem(&self) -> Problem {
        Problem::new(code::REQUEST_TIMEOUT, self.to_string())
    }
}

/// A request's body; what its handler does not want any more counts as come.
struct RequestBody {
    body: Incoming,
    progress: Arc<Progress>,
    /// Ends when nothing has come for too long; none while bytes are there.
    silence: Option<Pin<Box<Sleep>>>,
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.silence = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let bound = self.progress.bounds.body;
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
        match pin!(silence).poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(axum::Error::new(Stalled(bound))))),
            Poll::Pending => Poll::Pending,
        }
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
        let _ = self.progress.phase.compare_exchange(BODY, WHOLE, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// An answer's body.
pub(super) struct AnswerBody {
    body: Body,
    progress: Arc<Progress>,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.progress.enter(ANSWERED);
    }
}

/// A stream whose incoming bytes are noted.
pub(super) struct Noted {
    pub stream: TcpStream,
    pub progress: Arc<Progress>,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.progress.came();
        }
        read
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

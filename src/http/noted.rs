//! A stream that notes what comes, lets no reader hold it up, and keeps back what hyper itself would answer.
//!
//! hyper answers a head that it cannot read with a status and nothing else. Such an answer is recognised by its time: part
//! of a head has come, nothing of an earlier answer is still to be written, and yet something is. It is not written, and
//! [`super::raw_answer`] takes its place.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{pace::Pace, progress::Progress};

/// A stream whose bytes are noted.
pub(super) struct Noted<S> {
    pub stream: S,
    progress: Arc<Progress>,
    /// All that was handed over has been written.
    is_flushed: bool,
    /// The status that hyper would have answered.
    kept_back: Option<u16>,
    /// How fast the other side takes what is written.
    pace: Pace,
    /// A wait for the other side to take something: since when, and its end.
    stall: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Noted<S> {
    pub(super) fn new(stream: S, progress: Arc<Progress>) -> Self {
        Self { stream, progress, is_flushed: true, kept_back: None, pace: Pace::default(), stall: None }
    }

    /// Returns the status that hyper would have answered to a head that it could not read.
    pub(super) fn kept_back(&self) -> Option<u16> {
        self.kept_back
    }

    /// Returns whether all that was handed over has been written.
    pub(super) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    /// Returns whether these bytes are an answer of hyper's own, and keeps them back then.
    fn keeps_back(&mut self, bytes: &[u8]) -> bool {
        if self.kept_back.is_none() && self.is_flushed && self.progress.is_in_head() {
            self.kept_back = Some(status(bytes).unwrap_or(400));
        }
        self.kept_back.is_some()
    }

    /// Passes on what came of a write, the number of bytes that were taken, unless it has waited for too long, or often.
    fn in_time(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let bounds = self.progress.bounds();
        let Poll::Ready(written) = written else {
            let left = self.pace.left(bounds.take);
            let (_, end) =
                self.stall.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
            return end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        };
        let waited = self.stall.take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
        let bytes = *written.as_ref().unwrap_or(&0) as u64;
        self.pace.came(waited, bytes, bounds.rate);
        Poll::Ready(written)
    }
}

/// The status of an answer that begins with these bytes.
fn status(answer: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(answer.get(..12)?).ok()?;
    text.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.keeps_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.is_flushed = false;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // hyper flushes once it has nothing left to write.
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.is_flushed = true;
            self.progress.written();
        }
        self.in_time(flushed.map_ok(|()| 0), context).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kept_back.is_some() {
            return Poll::Ready(Ok(()));
        }
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(context);
        self.in_time(shut_down.map_ok(|()| 0), context).map_ok(|_| ())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first: &[u8] = match pieces.first() {
            Some(piece) => piece,
            None => &[],
        };
        if self.keeps_back(first) {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        self.is_flushed = false;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::progress::Bounds, *};

    #[test]
    fn the_status_of_an_answer_is_read() {
        assert_eq!(status(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"), Some(431));
        assert_eq!(status(b"HTTP/1.0 400"), Some(400));
        for text in ["", "HTTP/1.1 43", "HTTP/1.1 abc", "nothing of the kind"] {
            assert_eq!(status(text.as_bytes()), None, "{text}");
        }
    }

    #[tokio::test]
    async fn only_an_answer_to_half_a_head_is_kept_back() {
        let progress = Arc::new(Progress::new(Bounds::default(), false));
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut noted = Noted::new(ours, progress.clone());
        theirs.write_all(b"GET / HT").await.unwrap();
        assert_eq!(noted.read(&mut [0; 64]).await.unwrap(), 8);
        // The answer to a request whose head has come.
        let request = progress.begin(true);
        noted.write_all(b"first").await.unwrap();
        progress.queue(request, None);
        // The next head begins before that has been flushed.
        theirs.write_all(b"GET / HT").await.unwrap();
        assert_eq!(noted.read(&mut [0; 64]).await.unwrap(), 8);
        noted.write_all(b"-rest").await.unwrap();
        noted.flush().await.unwrap();
        assert_eq!(noted.kept_back(), None);
        noted.write_all(b"HTTP/1.1 431 Request").await.unwrap();
        noted.shutdown().await.unwrap();
        assert_eq!(noted.kept_back(), Some(431));
        noted.stream.shutdown().await.unwrap();
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "first-rest");
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let take = Duration::from_millis(100);
        let bounds = Bounds { take, ..Bounds::default() };
        let progress = Arc::new(Progress::new(bounds, false));
        let (ours, _theirs) = tokio::io::duplex(8);
        let mut noted = Noted::new(ours, progress);
        let error = noted.write_all(b"more than there is room for").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    #[tokio::test]
    async fn a_reader_that_trickles_is_given_up() {
        let take = Duration::from_millis(200);
        let bounds = Bounds { take, ..Bounds::default() };
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut noted = Noted::new(ours, Arc::new(Progress::new(bounds, false)));
        let trickle = async {
            loop {
                tokio::time::sleep(take / 4).await;
                theirs.read_exact(&mut [0; 8]).await.unwrap();
            }
        };
        // In each wait something is taken, and less than 1 KiB per second.
        let written = tokio::select! {
            written = noted.write_all(&[b'a'; 64 * 1024]) => written,
            () = trickle => unreachable!(),
        };
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

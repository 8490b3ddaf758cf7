//! A connection that speaks HTTP/2, which TLS has negotiated.
//!
//! What one takes in memory is bounded: requests' bytes that nobody has read yet by [`CONNECTION_WINDOW`], an answer on its
//! way by the answer itself (see [`super::answers`]), as it is handed over in small pieces, of which [`SEND_BUFFER`] may wait for
//! the other side, and heads by [`MAX_HEAD`] each. Floods of resets end the
//! connection with GOAWAY: h2 counts those that come before a request was looked at ([`PENDING_RESETS`]) and those that
//! wrong frames make it send itself ([`OWN_RESETS`]); it bounds `CONTINUATION` frames by [`MAX_HEAD`] and answers pings and
//! settings one at a time.

use std::{pin::Pin, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    noted::Noted,
    port::{Link, Port},
    progress::{LAST_BYTES, Progress},
};

/// The most requests at once on a connection; clients expect at least 100 (RFC 9113, 6.5.2).
const STREAMS: u32 = 100;
/// The size of a head, in bytes, as RFC 9113 counts it (6.5.2): 3.2 MB for the heads of all requests of a connection.
const MAX_HEAD: u32 = 32 * 1024;
/// Bytes of a request's body that may come before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same of all requests of a connection together.
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// The most bytes of a frame: what every client must be able to send, and the least that may be set.
const FRAME: u32 = 16 * 1024;
/// Bytes of an answer that are handed over before they are sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Resets of requests that have not been looked at yet.
const PENDING_RESETS: usize = 20;
/// Resets that this side sends because of what the other does.
const OWN_RESETS: usize = 100;
/// A client that has said nothing for this time is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// The time in which it has to answer.
const PONG: Duration = Duration::from_secs(20);

/// Serves a connection until it ends, or the port stops. The requests on it end with it.
pub(super) async fn serve<S>(stream: S, link: Link, progress: Arc<Progress>, port: Arc<Port>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = {
        let (progress, port) = (progress.clone(), port.clone());
        service_fn(move |request: Request<Incoming>| port.answer(request, &progress, link))
    };
    let end_of_streams = CancellationToken::new();
    let stream = TokioIo::new(Noted::new(stream, progress.clone()));
    let mut connection = builder(&end_of_streams).serve_connection(stream, service);
    let _streams = end_of_streams.drop_guard();
    tokio::select! {
        served = &mut connection => return told(served),
        () = port.stop.cancelled() => {}
        end = progress.ends() => return tracing::trace!(?end, "connection closed"),
    }
    // Requests that come from now on are refused, and the client may send them elsewhere.
    Pin::new(&mut connection).graceful_shutdown();
    let answered = async {
        progress.all_answered().await;
        tokio::time::sleep(LAST_BYTES).await;
    };
    tokio::select! {
        served = &mut connection => told(served),
        () = answered => {}
        _ = progress.ends() => {}
    }
}

fn builder(end_of_streams: &CancellationToken) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams(end_of_streams.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(MAX_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(OWN_RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    builder
}

/// Runs the requests of a connection until the token is cancelled.
#[derive(Clone)]
struct Streams(CancellationToken);

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let end = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = stream => {}
                () = end.cancelled() => {}
            }
        });
    }
}

fn told(served: hyper::Result<()>) {
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;

//! Connections of a port: accepted, served, and let go when the role stops.
//!
//! At a stop a connection that has sent a whole request gets its answer. Every other one is dropped at
//! once: one that says nothing, one that has sent half a header, one whose body is still under way. None of
//! them can hold up the stop.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    Request,
    body::{Body as _, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::auth::Guarded;

/// Maximum number of open connections. Further ones wait in the kernel's backlog until others are closed.
const MOST: usize = 10_000;
/// After this long without a file for another connection the port is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`, and then until the requests that have come whole are answered. Dropped, it drops
/// every connection.
pub(super) async fn serve(listener: TcpListener, app: Arc<Guarded>, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept(), if open.len() < MOST => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(open.spawn(connection(stream, app.clone(), stop.clone()))),
            // The other end has changed its mind.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted; trying again");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn is_of_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, app: Arc<Guarded>, stop: CancellationToken) {
    // Answers are small and awaited: Nagle's algorithm would only hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let progress = Arc::new(Progress::default());
    let service = service_fn(|request: Request<Incoming>| {
        let answer = app.answer(request.map(|body| progress.follow(body)));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection =
        std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        served = connection.as_mut() => return told(served),
        () = stop.cancelled() => {}
    }
    if progress.has_whole_request() {
        connection.as_mut().graceful_shutdown();
        told(connection.await);
    }
}

fn told(served: hyper::Result<()>) {
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}

/// How much of the newest request of a connection has come.
#[derive(Default)]
struct Progress(AtomicU8);

/// 0: there was none yet.
const HEADER: u8 = 1;
const WHOLE: u8 = 2;

impl Progress {
    fn has_whole_request(&self) -> bool {
        self.0.load(Ordering::Acquire) == WHOLE
    }

    fn follow(self: &Arc<Self>, body: Incoming) -> Body {
        if body.is_end_stream() {
            self.0.store(WHOLE, Ordering::Release);
            return Body::empty();
        }
        self.0.store(HEADER, Ordering::Release);
        Body::new(Followed { body, progress: self.clone() })
    }
}

/// A request's body; what its handler does not want any more counts as come.
struct Followed {
    body: Incoming,
    progress: Arc<Progress>,
}

impl hyper::body::Body for Followed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.progress.0.store(WHOLE, Ordering::Release);
    }
}

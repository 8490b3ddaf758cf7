//! Connections of a port: accepted, served, and let go when the role stops.
//!
//! One that has said nothing for too long is closed: see [`Bounds`].
//!
//! At a stop a connection that has sent a whole request gets its answer. Every other one is dropped at
//! once: one that says nothing, one that has sent half a header, one whose body is still under way. None of
//! them can hold up the stop.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    auth::{Arrived, Guarded},
    progress::{Bounds, Noted, Progress},
};

/// Maximum number of open connections. Further ones wait in the kernel's backlog until others are closed.
const MOST: usize = 10_000;
/// After this long without a file for another connection the port is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`, and then until the requests that have come whole are answered. Dropped, it drops
/// every connection.
pub(super) async fn serve(
    listener: TcpListener,
    app: Arc<Guarded>,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept(), if open.len() < MOST => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let progress = Arc::new(Progress::new(bounds));
                // An IPv4 address that came through a socket of IPv6 is still one.
                let from = address.ip().to_canonical();
                open.spawn(connection(stream, from, progress, app.clone(), stop.clone()));
            }
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

async fn connection(
    stream: TcpStream,
    from: IpAddr,
    progress: Arc<Progress>,
    app: Arc<Guarded>,
    stop: CancellationToken,
) {
    // Answers are small and awaited: Nagle's algorithm would only hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(|request: Request<Incoming>| {
        let arrived = Arrived { from, is_tls: false, protocol: "HTTP/1.1" };
        let answer = app.answer(request.map(|body| progress.request(body)), arrived);
        let progress = &progress;
        async move { Ok::<_, Infallible>(answer.await.map(|body| progress.answer(body))) }
    });
    let stream = TokioIo::new(Noted { stream, progress: progress.clone() });
    let mut connection = std::pin::pin!(http1::Builder::new().serve_connection(stream, service));
    tokio::select! {
        served = connection.as_mut() => return told(served),
        () = stop.cancelled() => {}
        () = progress.overdue() => return tracing::trace!("connection closed: nothing has come"),
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

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;

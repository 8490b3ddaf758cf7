//! Connections of a port: accepted, served, and let go when the role stops.
//!
//! One that has said nothing for too long is closed: see [`Bounds`](super::Bounds). There is a most of them, of the port and
//! of a client; beyond it [`super::caps`] says which one goes for the new one.
//!
//! At a stop a connection that has sent a whole request gets its answer. Every other one is dropped at
//! once: one that says nothing, one that shakes hands, one that has sent half a header, one whose body is still under way.
//! None of them can hold up the stop.

use std::{
    io::{self, Write as _},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    caps, http1, http2,
    open::Open,
    port::{Link, Port},
    progress::Progress,
    raw_answer,
    tls::Tls,
};

/// Connections beyond the most that may be there while those that make room for them end.
const LEAVING: usize = 64;
/// The number of connections that are given up when there is no file for another one.
const GIVEN_UP: usize = 16;
/// After this long without a file for another connection the port is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// It is told that connections cannot be accepted at most once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Serves until the port's stop, and then until the requests that have come whole are answered. Dropped, it drops
/// every connection.
pub(super) async fn serve(listener: TcpListener, port: Port) {
    let port = Arc::new(port);
    let (mut open, mut told) = (Open::default(), None);
    loop {
        let has_room = open.len() < port.bounds.connections.saturating_add(LEAVING);
        let accepted = tokio::select! {
            biased;
            () = port.stop.cancelled() => break,
            () = open.one_has_ended() => continue,
            accepted = listener.accept(), if has_room => accepted,
        };
        match accepted {
            // An IPv4 address that came through a socket of IPv6 is still one.
            Ok((stream, address)) => admit(&mut open, &port, stream, address.ip().to_canonical()),
            // The other end has changed its mind.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                let given_up = open.give_up(GIVEN_UP);
                if told.is_none_or(|told: Instant| told.elapsed() >= TOLD_EVERY) {
                    tracing::error!(%error, given_up, "connections cannot be accepted; trying again");
                    told = Some(Instant::now());
                }
                tokio::select! {
                    () = port.stop.cancelled() => break,
                    () = pause(&mut open) => {}
                }
            }
        }
    }
    drop(listener);
    open.all_have_ended().await;
}

/// Waits a moment, in which connections may end.
async fn pause(open: &mut Open) {
    let pause = tokio::time::sleep(PAUSE);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return,
            () = open.one_has_ended() => {}
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves a connection if there is a place for it, if need be that of another one.
fn admit(open: &mut Open, port: &Arc<Port>, stream: TcpStream, from: IpAddr) {
    let bounds = port.bounds;
    // Behind a proxy there are many clients, and who is behind this machine's own is not known.
    let is_apart = from.is_loopback() || port.front.trusted_proxies.contains(from);
    let of_client = bounds.of_address.filter(|_| !is_apart).map(|most| (caps::client(from), most));
    let has_room = of_client.is_none_or(|(client, most)| open.has_room_of(client, most))
        && open.has_room(bounds.connections);
    if !has_room {
        return refuse(stream, port.front.tls.is_some());
    }
    let progress = Arc::new(Progress::new(bounds, port.front.tls.is_some()));
    let connection = connection(stream, from, progress.clone(), port.clone());
    open.serve(progress, of_client.map(|(client, _)| client), connection);
}

/// Says that there is no place, if that takes no time.
fn refuse(stream: TcpStream, is_tls: bool) {
    if !is_tls && let Ok(mut stream) = stream.into_std() {
        // It does not block, and a new connection has room for it.
        let _ = stream.write_all(&raw_answer::written(&raw_answer::no_place(), Timestamp::now()));
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}

async fn connection(stream: TcpStream, from: IpAddr, progress: Arc<Progress>, port: Arc<Port>) {
    // Answers are small and awaited: Nagle's algorithm would only hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let Some(tls) = port.front.tls.clone() else {
        let link = Link { from, is_tls: false, has_streams: false };
        return http1::serve(stream, link, progress, port).await;
    };
    let stream = tokio::select! {
        shaken = tls.accept(stream) => match shaken {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!(%error, %from, "no TLS connection was made"),
        },
        () = port.stop.cancelled() => return,
        end = progress.ends() => return tracing::trace!(?end, "connection closed"),
    };
    let has_streams = Tls::is_http2(&stream);
    progress.shook_hands(has_streams);
    let link = Link { from, is_tls: true, has_streams };
    match has_streams {
        true => http2::serve(stream, link, progress, port).await,
        false => http1::serve(stream, link, progress, port).await,
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;

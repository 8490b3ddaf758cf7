//! Connections to the server on a port, kept for the next request.

use std::{
    io::{self, IoSlice},
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// A connection that was idle for longer is closed: the server may be about to do so, and one that serves a single connection
/// at a time accepts no other one before.
const MAX_IDLE: Duration = Duration::from_secs(1);

/// An open connection. Dropping it closes it, even while a request is written to it.
pub struct Connection {
    /// The way to send a request.
    pub sender: SendRequest<Full<Bytes>>,
    carrier: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// The connections that wait for a request.
pub struct Connections {
    port: u16,
    /// The oldest is the first, and the last is used first.
    idle: Mutex<Vec<(Connection, Instant)>>,
    more: Notify,
}

impl Connections {
    /// Makes an empty set, from which what is idle for too long goes by itself.
    pub fn new(port: u16) -> Arc<Self> {
        let connections = Arc::new(Self { port, idle: Mutex::default(), more: Notify::new() });
        tokio::spawn(Arc::clone(&connections).close_idle());
        connections
    }

    /// Takes a connection that was used before, and takes a request now.
    pub fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        loop {
            let (connection, since) = idle.pop()?;
            if since.elapsed() < MAX_IDLE && connection.sender.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Opens another one.
    pub async fn open(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(Prompt(stream))).await.map_err(io::Error::other)?;
        let carrier = tokio::spawn(async move {
            // The sender of a request on it gets the error.
            let _ = connection.await;
        });
        Ok(Connection { sender, carrier: carrier.abort_handle() })
    }

    /// Takes a connection back. One that takes no request now is closed: the server may have answered before it has read all
    /// of the last one, and never read the rest.
    pub fn give_back(&self, connection: Connection) {
        if connection.sender.is_ready() {
            self.idle().push((connection, Instant::now()));
            self.more.notify_one();
        }
    }

    /// Closes connections that are idle for too long. Never returns.
    async fn close_idle(self: Arc<Self>) {
        loop {
            let oldest = self.idle().first().map(|(_, since)| *since);
            match oldest {
                Some(since) => sleep_until(since + MAX_IDLE).await,
                None => self.more.notified().await,
            }
            self.idle().retain(|(_, since)| since.elapsed() < MAX_IDLE);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that acknowledges at once what has come. A server that writes head and body of its answer apart, and has not
/// set TCP_NODELAY, waits with the body for that; the kernel would let it wait for 40 ms.
struct Prompt(TcpStream);

impl Prompt {
    /// Asks the kernel, which goes back to its own way after a while.
    fn acknowledge(&self) {
        let _ = set_tcp_quickack(&self.0, true);
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, buffer));
        self.acknowledge();
        Poll::Ready(read)
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.0).poll_write(cx, bytes));
        self.acknowledge();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.0).poll_write_vectored(cx, bytes));
        self.acknowledge();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

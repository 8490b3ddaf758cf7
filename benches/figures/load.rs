//! Clients: each has one connection and sends the next request when the answer has come. They are tasks of
//! this one process, whatever they call, so that all are measured by the same means.
//!
//! An unexpected answer of a program of ours ends the run. One of another server is counted, like a connection that it
//! refuses or closes, and the client goes on, with a new connection where it needs one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

use crate::options::Other;

/// Any HTTP endpoint that answers a POST of the payload with 200, or 202 when it is asked not to wait.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    asynchronous: bool,
    /// For a server that speaks TLS: whom to trust.
    tls: Option<TlsConnector>,
    /// Of another server.
    troubles: Option<Arc<Troubles>>,
}

/// Calls that another server did not answer as expected.
#[derive(Default)]
struct Troubles {
    refused: AtomicUsize,
    hung_up: AtomicUsize,
}

pub const PAYLOAD: &[u8] = br#"{"name":"Alice"}"#;

/// What is not measured, before what is: calls of one client; so long of several, that instances are there.
const WARM_UP: usize = 50;
const WARM_UP_TOGETHER: Duration = Duration::from_millis(300);
/// After a call that failed: a server that is away is not asked without a pause, nor by one client more often than this.
const PAUSE: Duration = Duration::from_millis(5);
const GIVE_UP: usize = 200;

impl Endpoint {
    pub fn new(address: SocketAddr, path: &str) -> Self {
        let headers = vec![(HOST, HeaderValue::from_static("127.0.0.1"))];
        Self { address, path: path.to_owned(), headers, asynchronous: false, tls: None, troubles: None }
    }

    /// A server that is not ours, and may do as it likes.
    pub fn of_another(other: &Other) -> Self {
        let mut this = Self::new(other.address, &other.path);
        this.headers.clear();
        for (name, value) in &other.headers {
            let name: HeaderName = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            let value = value.parse().unwrap_or_else(|error| panic!("{name}: {value}: {error}"));
            // The last one counts: the URL's host may be named otherwise.
            this.headers.retain(|(known, _)| *known != name);
            this.headers.push((name, value));
        }
        Self { troubles: Some(Arc::default()), ..this }
    }

    pub fn with_token(mut self, token: &str) -> Self {
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        self.headers.push((AUTHORIZATION, value));
        self
    }

    /// The same over TLS, with a certificate of this authority.
    pub fn over_tls(self, authority: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Some(TlsConnector::from(Arc::new(config))), ..self }
    }

    /// The calls that another server refused, and those in which it hung up, since this was asked last.
    pub fn troubles(&self) -> Option<(usize, usize)> {
        let troubles = self.troubles.as_ref()?;
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        Some((take(&troubles.refused), take(&troubles.hung_up)))
    }

    /// The same, asked with `Prefer: respond-async`.
    pub fn asynchronous(self) -> Self {
        Self { asynchronous: true, ..self }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::post(&self.path).header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.asynchronous {
            request = request.header("prefer", "respond-async");
        }
        request.body(Full::new(Bytes::from_static(PAYLOAD))).unwrap()
    }

    /// One client, one call after the other.
    pub async fn alone(&self, calls: usize) -> Vec<Duration> {
        self.alone_within(calls, Duration::MAX).await
    }

    /// The same, and no longer than `length`.
    pub async fn alone_within(&self, calls: usize, length: Duration) -> Vec<Duration> {
        let mut connection = Connection::to(self);
        for _ in 0..WARM_UP {
            connection.call().await;
        }
        let begun = Instant::now();
        let mut times = Vec::with_capacity(calls);
        while times.len() < calls && begun.elapsed() < length && !connection.gives_up() {
            times.extend(connection.call().await);
        }
        times
    }

    /// One call after the other within `length`, each of a new client: it connects, too.
    pub async fn anew_within(&self, calls: usize, length: Duration) -> Vec<Duration> {
        for _ in 0..WARM_UP {
            Connection::to(self).call().await;
        }
        let all = Instant::now();
        let mut times = Vec::with_capacity(calls);
        while times.len() < calls && all.elapsed() < length {
            let begun = Instant::now();
            if Connection::to(self).call().await.is_some() {
                times.push(begun.elapsed());
            }
        }
        times
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Many clients at once for a while.
    pub async fn together(&self, clients: usize, length: Duration) -> Together {
        let begun = Instant::now();
        let warm_up = self.clients(clients, move |_| begun.elapsed() < WARM_UP_TOGETHER).await;
        let begun = Instant::now();
        let measured = self.clients(clients, move |_| begun.elapsed() < length).await;
        Together { calls: warm_up.calls + measured.calls, ..measured }
    }

    /// Many clients at once until so many calls have been made.
    pub async fn share(&self, clients: usize, calls: usize) -> Together {
        self.clients(clients, move |made| made < calls.div_ceil(clients)).await
    }

    /// Each goes on while it `may`, which is told how many calls it has made.
    async fn clients(
        &self,
        clients: usize,
        may: impl Fn(usize) -> bool + Clone + Send + 'static,
    ) -> Together {
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            let mut connection = Connection::to(self);
            connection.open().await;
            connections.push(connection);
        }
        let begun = Instant::now();
        let mut tasks: JoinSet<Vec<Duration>> = JoinSet::new();
        for mut connection in connections {
            let may = may.clone();
            tasks.spawn(async move {
                let mut times = Vec::new();
                while may(times.len()) && !connection.gives_up() {
                    times.extend(connection.call().await);
                }
                times
            });
        }
        let mut times = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            times.extend(ended.unwrap());
        }
        Together { calls: times.len(), times, length: begun.elapsed() }
    }

    /// Many clients who go on until this is dropped, also when they are refused.
    pub async fn flood(&self, clients: usize) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let mut connection = Connection::to(self);
            tasks.spawn(async move {
                loop {
                    let (_, status, body) = connection.send().await.unwrap();
                    let expected = matches!(status, StatusCode::OK | StatusCode::TOO_MANY_REQUESTS);
                    assert!(expected, "{status}: {}", String::from_utf8_lossy(&body));
                }
            });
        }
        tasks
    }
}

/// What came of many clients.
pub struct Together {
    pub times: Vec<Duration>,
    /// Those of the warm-up included.
    pub calls: usize,
    length: Duration,
}

impl Together {
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss)]
        let calls = self.times.len() as f64;
        calls / self.length.as_secs_f64()
    }
}

struct Connection {
    endpoint: Endpoint,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// The calls that failed, since one succeeded.
    failed: usize,
}

/// A call without an answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the connection was refused")]
    Refused(#[source] std::io::Error),
    #[error("the server hung up")]
    HungUp(#[source] hyper::Error),
}

impl Connection {
    fn to(endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.clone(), sender: None, failed: 0 }
    }

    /// Connects now; without it, the first call does. What fails, fails again then.
    async fn open(&mut self) {
        self.sender = self.connect().await.ok();
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Unanswered> {
        let stream = TcpStream::connect(self.endpoint.address).await.map_err(Unanswered::Refused)?;
        stream.set_nodelay(true).map_err(Unanswered::Refused)?;
        let Some(tls) = &self.endpoint.tls else { return handshake(stream).await };
        let name = ServerName::from(self.endpoint.address.ip());
        handshake(tls.connect(name, stream).await.map_err(Unanswered::Refused)?).await
    }

    /// Another server that answers nothing is not called for ever.
    fn gives_up(&self) -> bool {
        self.failed >= GIVE_UP
    }

    /// The time of a call that was answered as expected.
    async fn call(&mut self) -> Option<Duration> {
        let sent = self.send().await;
        let expected = if self.endpoint.asynchronous { 202 } else { 200 };
        if let Ok((time, status, _)) = &sent
            && *status == expected
        {
            self.failed = 0;
            return Some(*time);
        }
        let Some(troubles) = &self.endpoint.troubles else { panic!("{}: {sent:?}", self.endpoint.path) };
        match sent {
            Ok(_) | Err(Unanswered::Refused(_)) => &troubles.refused,
            Err(Unanswered::HungUp(_)) => &troubles.hung_up,
        }
        .fetch_add(1, Ordering::Relaxed);
        self.failed += 1;
        tokio::time::sleep(PAUSE).await;
        None
    }

    async fn send(&mut self) -> Result<(Duration, StatusCode, Bytes), Unanswered> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let request = self.endpoint.request();
        // Its task may not have seen yet that the answer before has ended.
        sender.ready().await.map_err(Unanswered::HungUp)?;
        let begun = Instant::now();
        let answer = sender.send_request(request).await.map_err(Unanswered::HungUp)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(Unanswered::HungUp)?.to_bytes();
        let time = begun.elapsed();
        self.sender = Some(sender);
        Ok((time, status, body))
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, Unanswered> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(Unanswered::HungUp)?;
    tokio::spawn(connection);
    Ok(sender)
}

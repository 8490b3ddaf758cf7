//! Clients: each has one connection and sends the next request when the answer has come. They are tasks of
//! this one process, whatever they call, so that all are measured by the same means.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

/// Any HTTP endpoint that answers a POST of the payload with 200, or 202 when it is asked not to wait.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    path: String,
    token: Option<String>,
    asynchronous: bool,
}

pub const PAYLOAD: &[u8] = br#"{"name":"Alice"}"#;

/// What is not measured, before what is: calls of one client; so long of several, that instances are there.
const WARM_UP: usize = 50;
const WARM_UP_TOGETHER: Duration = Duration::from_millis(300);

impl Endpoint {
    pub fn new(address: SocketAddr, path: &str) -> Self {
        Self { address, path: path.to_owned(), token: None, asynchronous: false }
    }

    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The same, asked with `Prefer: respond-async`.
    pub fn asynchronous(self) -> Self {
        Self { asynchronous: true, ..self }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request =
            Request::post(&self.path).header(HOST, "127.0.0.1").header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
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
        let mut connection = Connection::open(self).await;
        for _ in 0..WARM_UP {
            connection.call().await;
        }
        let begun = Instant::now();
        let mut times = Vec::with_capacity(calls);
        while times.len() < calls && begun.elapsed() < length {
            times.push(connection.call().await);
        }
        times
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
            connections.push(Connection::open(self).await);
        }
        let begun = Instant::now();
        let mut tasks: JoinSet<Vec<Duration>> = JoinSet::new();
        for mut connection in connections {
            let may = may.clone();
            tasks.spawn(async move {
                let mut times = Vec::new();
                while may(times.len()) {
                    times.push(connection.call().await);
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
            let mut connection = Connection::open(self).await;
            tasks.spawn(async move {
                loop {
                    let (_, status, body) = connection.send().await;
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
    sender: SendRequest<Full<Bytes>>,
    endpoint: Endpoint,
}

impl Connection {
    async fn open(endpoint: &Endpoint) -> Self {
        let stream = TcpStream::connect(endpoint.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, endpoint: endpoint.clone() }
    }

    async fn call(&mut self) -> Duration {
        let (time, status, body) = self.send().await;
        let expected = if self.endpoint.asynchronous { 202 } else { 200 };
        assert_eq!(status, expected, "{}: {}", self.endpoint.path, String::from_utf8_lossy(&body));
        time
    }

    async fn send(&mut self) -> (Duration, StatusCode, Bytes) {
        let request = self.endpoint.request();
        // Its task may not have seen yet that the answer before has ended.
        self.sender.ready().await.unwrap();
        let begun = Instant::now();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (begun.elapsed(), status, body)
    }
}

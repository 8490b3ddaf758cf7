//! Clients: each has one connection and sends the next request when the answer has come.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Any HTTP endpoint that answers a POST of the payload with 200.
#[derive(Clone)]
pub struct Endpoint {
    pub address: SocketAddr,
    pub path: String,
    pub token: Option<String>,
}

pub const PAYLOAD: &[u8] = br#"{"name":"Alice"}"#;

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
        let mut request = Request::post(&self.endpoint.path)
            .header(HOST, "127.0.0.1")
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.endpoint.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from_static(PAYLOAD))).unwrap();
        // Its task may not have seen yet that the answer before has ended.
        self.sender.ready().await.unwrap();
        let begun = Instant::now();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let time = begun.elapsed();
        assert_eq!(status, 200, "{}: {}", self.endpoint.path, String::from_utf8_lossy(&body));
        time
    }
}

impl Endpoint {
    /// One client, one call after the other.
    pub async fn alone(&self, warm_up: usize, calls: usize) -> Vec<Duration> {
        let mut connection = Connection::open(self).await;
        for _ in 0..warm_up {
            connection.call().await;
        }
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            times.push(connection.call().await);
        }
        times
    }

    /// Many clients at once for a while: answers per second, and the times of all calls.
    pub async fn together(&self, clients: usize, length: Duration) -> (f64, Vec<Duration>) {
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            let mut connection = Connection::open(self).await;
            connection.call().await;
            connections.push(connection);
        }
        let begun = Instant::now();
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while begun.elapsed() < length {
                        times.push(connection.call().await);
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        #[expect(clippy::cast_precision_loss)]
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        (rate, times)
    }
}

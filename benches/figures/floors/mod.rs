//! Servers to compare with, each a process of its own: this program, started again by [`Floor::start`].

mod accepts;
mod broker;
mod lambda;
mod prototype;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use axum::{
    Router,
    http::{StatusCode, header},
    routing::post,
};
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::load::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same HTTP server, answering a constant.
    Constant,
    /// The same, with the answer to an async invocation.
    ConstantAccept,
    /// HTTP → channel → Unix socket → the same guest in two containers, and nothing else.
    Prototype,
    /// The same through a broker with our client library, transient.
    RabbitMq,
    /// The same, persistent and confirmed.
    RabbitMqDurable,
    /// HTTP → an insert of what waits together → a confirmed publish.
    Accepts,
    /// HTTP → AWS Lambda's runtime API → a program that asks it.
    Lambda,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Constant,
        Self::ConstantAccept,
        Self::Prototype,
        Self::RabbitMq,
        Self::RabbitMqDurable,
        Self::Accepts,
        Self::Lambda,
    ];

    /// As an argument of this program, and in the names of queues.
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// What a floor's process is told: the label of what it makes, and a database.
#[derive(Clone)]
pub struct Given {
    pub run: String,
    pub database: String,
}

/// A running server; it ends with its standard input: when this is dropped, and with us.
pub struct Floor {
    child: Child,
    pub kind: Kind,
    pub endpoint: Endpoint,
}

impl Floor {
    pub fn start(kind: Kind, given: &Given) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["floor", &kind.word(), &given.run, &given.database])
            // Ctrl-C is ours: we stop them in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The address is not known yet.
        let endpoint = Endpoint::new(SocketAddr::from(([127, 0, 0, 1], 0)), "/");
        let mut this = Self { child, kind, endpoint };
        let mut line = String::new();
        BufReader::new(this.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap_or_else(|_| panic!("floor {kind:?} said '{line}'"));
        this.endpoint = Endpoint::new(address, "/");
        this
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In the child: serves until standard input ends.
pub async fn serve(kind: &str, given: Given) {
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind).expect("a kind of floor");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let queue = queue(&given.run, kind);
    match kind {
        Kind::Constant => {
            until_eof(listener, Router::new().route("/", post(async |_: Bytes| "Hello Alice!"))).await;
        }
        Kind::ConstantAccept => {
            let accept = async |_: Bytes| accepted(uuid::Uuid::nil());
            until_eof(listener, Router::new().route("/", post(accept))).await;
        }
        Kind::Prototype => prototype::serve(listener, &given.run).await,
        Kind::RabbitMq => broker::serve(listener, &given.run, &queue, false).await,
        Kind::RabbitMqDurable => broker::serve(listener, &given.run, &queue, true).await,
        Kind::Accepts => accepts::serve(listener, &queue, &given.database).await,
        Kind::Lambda => lambda::serve(listener).await,
    }
}

/// What an async invocation is answered.
fn accepted(id: uuid::Uuid) -> (StatusCode, [(header::HeaderName, String); 3], String) {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::LOCATION, format!("/v1/invocations/{id}")),
        (header::HeaderName::from_static("preference-applied"), "respond-async".to_owned()),
    ];
    (StatusCode::ACCEPTED, headers, format!("{{\"id\":\"{id}\",\"state\":\"queued\"}}"))
}

async fn until_eof(listener: TcpListener, router: Router) {
    let eof = tokio::task::spawn_blocking(|| drop(std::io::stdin().read_to_end(&mut Vec::new())));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        stream.set_nodelay(true).unwrap();
    });
    tokio::select! {
        served = axum::serve(listener, router).into_future() => served.unwrap(),
        _ = eof => {}
    }
}

fn queue(run: &str, kind: Kind) -> String {
    format!("{run}.{}", kind.word())
}

/// Deletes the queues of a run's floors, also of those that ended badly.
pub async fn delete_queues(run: &str) {
    broker::delete(Kind::ALL.map(|kind| queue(run, kind))).await;
}

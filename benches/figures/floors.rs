//! Servers to compare with, each a process of its own: this program, started again by [`Floor::start`].
//!
//! - `constant`: the same HTTP server, answering a constant;
//! - `prototype`: HTTP → channel → Unix socket → the same guest in two containers, and nothing else;
//! - `rabbitmq`: the same through a broker with our client library, transient;
//! - `rabbitmq-durable`: the same, persistent and confirmed.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use cloudfunc::{model::Network, runtime};
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{
    guests::{Bare, BareGuest},
    load::Endpoint,
    setting,
};

/// Containers of a prototype.
const INSTANCES: usize = 2;

/// A running server; it ends with its standard input, and thereby with us.
pub struct Floor {
    child: Child,
    pub endpoint: Endpoint,
}

impl Floor {
    pub fn start(kind: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["floor", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap_or_else(|_| panic!("floor {kind} said '{line}'"));
        Self { child, endpoint: Endpoint { address, path: "/".to_owned(), token: None } }
    }

    pub fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// In the child: serves until standard input ends.
pub async fn serve(kind: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    match kind {
        "constant" => {
            until_eof(listener, Router::new().route("/", post(async |_: Bytes| "Hello Alice!"))).await;
        }
        "prototype" => prototype(listener).await,
        "rabbitmq" => over_rabbitmq(listener, false).await,
        "rabbitmq-durable" => over_rabbitmq(listener, true).await,
        _ => panic!("no floor is called {kind}"),
    }
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

async fn guests(bare: &Bare) -> Vec<BareGuest> {
    let mut guests = Vec::with_capacity(INSTANCES);
    for _ in 0..INSTANCES {
        guests.push(bare.start(Network::None).await);
    }
    guests
}

type Call = (Bytes, oneshot::Sender<Bytes>);

async fn prototype(listener: TcpListener) {
    let bare = Bare::new(runtime::Kind::Docker);
    let (sender, receiver) = mpsc::channel::<Call>(1024);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    for mut guest in guests(&bare).await {
        let receiver = receiver.clone();
        tokio::spawn(async move {
            loop {
                let next = receiver.lock().await.recv().await;
                let Some((payload, answer)) = next else { return };
                let _ = answer.send(guest.call(&payload).await);
            }
        });
    }
    let invoke = async |State(sender): State<mpsc::Sender<Call>>, payload: Bytes| {
        let (answer, answered) = oneshot::channel();
        sender.send((payload, answer)).await.unwrap();
        answered.await.unwrap()
    };
    until_eof(listener, Router::new().route("/", post(invoke)).with_state(sender)).await;
    bare.close().await;
}

#[derive(Clone)]
struct Broker {
    channel: Channel,
    requests: String,
    replies: String,
    durable: bool,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Bytes>>>>,
}

impl Broker {
    async fn connect(durable: bool) -> (Self, Connection) {
        let url = setting("CLOUDFUNC_TEST_RABBITMQ_URL");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        if durable {
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        }
        let id = uuid::Uuid::now_v7().simple().to_string();
        let (requests, replies) = (format!("floor.{id}"), format!("floor.{id}.replies"));
        let options = QueueDeclareOptions { durable, ..Default::default() };
        channel.queue_declare(requests.as_str().into(), options, FieldTable::default()).await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        channel.queue_declare(replies.as_str().into(), options, FieldTable::default()).await.unwrap();
        (Self { channel, requests, replies, durable, waiting: Arc::default() }, connection)
    }

    async fn publish(&self, queue: &str, id: &str, payload: &[u8], persistent: bool) {
        let properties = BasicProperties::default()
            .with_correlation_id(id.into())
            .with_delivery_mode(if persistent { 2 } else { 1 });
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish("".into(), queue.into(), options, payload, properties);
        let confirm = sent.await.unwrap();
        if persistent {
            confirm.await.unwrap();
        }
    }

    async fn invoke(&self, payload: &[u8]) -> Bytes {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), answer);
        self.publish(&self.requests, &id, payload, self.durable).await;
        answered.await.unwrap()
    }

    async fn work(self, connection: Arc<Connection>, mut guest: BareGuest) {
        let channel = connection.create_channel().await.unwrap();
        channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let queue = self.requests.as_str().into();
        let mut requests =
            channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap();
        while let Some(Ok(delivery)) = requests.next().await {
            let id = delivery.properties.correlation_id().as_ref().unwrap().to_string();
            let result = guest.call(&delivery.data.clone().into()).await;
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            self.publish(&self.replies, &id, &result, false).await;
        }
    }

    async fn receive(self) {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let queue = self.replies.as_str().into();
        let mut replies =
            self.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap();
        while let Some(Ok(delivery)) = replies.next().await {
            let id = delivery.properties.correlation_id().as_ref().unwrap().to_string();
            let answer = self.waiting.lock().unwrap().remove(&id).unwrap();
            let _ = answer.send(delivery.data.into());
        }
    }
}

async fn over_rabbitmq(listener: TcpListener, durable: bool) {
    let bare = Bare::new(runtime::Kind::Docker);
    let (broker, connection) = Broker::connect(durable).await;
    let connection = Arc::new(connection);
    for guest in guests(&bare).await {
        tokio::spawn(broker.clone().work(connection.clone(), guest));
    }
    tokio::spawn(broker.clone().receive());
    let invoke = async |State(broker): State<Broker>, payload: Bytes| broker.invoke(&payload).await;
    until_eof(listener, Router::new().route("/", post(invoke)).with_state(broker.clone())).await;
    let options = QueueDeleteOptions::default();
    broker.channel.queue_delete(broker.requests.as_str().into(), options).await.unwrap();
    bare.close().await;
}

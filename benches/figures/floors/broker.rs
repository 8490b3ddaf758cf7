//! HTTP → RabbitMQ → Unix socket → guest → RabbitMQ, with our client library.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use tokio::{net::TcpListener, sync::oneshot};

use super::{prototype::instances, until_eof};
use crate::{
    docker::{Container, Engine},
    setting,
};

/// A channel to a queue of one's own; `durable`: with confirms.
pub struct Publisher {
    channel: Channel,
    queue: String,
    durable: bool,
}

pub async fn connect() -> Connection {
    let url = setting("CLOUDFUNC_TEST_RABBITMQ_URL");
    Connection::connect(&url, ConnectionProperties::default()).await.unwrap()
}

pub async fn delete(queues: impl IntoIterator<Item = String>) {
    let connection = connect().await;
    let channel = connection.create_channel().await.unwrap();
    for queue in queues {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    connection.close(0, "".into()).await.unwrap();
}

impl Publisher {
    pub async fn new(connection: &Connection, queue: &str, durable: bool) -> Self {
        let channel = connection.create_channel().await.unwrap();
        if durable {
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        }
        let options = QueueDeclareOptions { durable, ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        Self { channel, queue: queue.to_owned(), durable }
    }

    /// Answers when it is sent, and confirmed where that was asked for.
    pub async fn publish(&self, id: &str, payload: &[u8]) {
        publish(&self.channel, &self.queue, id, payload, self.durable).await;
    }
}

async fn publish(channel: &Channel, queue: &str, id: &str, payload: &[u8], durable: bool) {
    let properties = BasicProperties::default()
        .with_correlation_id(id.into())
        .with_delivery_mode(if durable { 2 } else { 1 });
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, payload, properties);
    let confirm = sent.await.unwrap();
    if durable {
        confirm.await.unwrap();
    }
}

struct Caller {
    requests: Publisher,
    waiting: Mutex<HashMap<String, oneshot::Sender<Bytes>>>,
}

impl Caller {
    async fn invoke(&self, payload: &[u8]) -> Bytes {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), answer);
        self.requests.publish(&id, payload).await;
        answered.await.unwrap()
    }

    async fn receive(self: Arc<Self>, channel: Channel, queue: String) {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut replies = channel
            .basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default())
            .await
            .unwrap();
        while let Some(Ok(delivery)) = replies.next().await {
            let id = delivery.properties.correlation_id().as_ref().unwrap().to_string();
            let answer = self.waiting.lock().unwrap().remove(&id).unwrap();
            let _ = answer.send(delivery.data.into());
        }
    }
}

async fn work(connection: Arc<Connection>, queue: String, replies: String, mut container: Container) {
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let mut requests = channel
        .basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    while let Some(Ok(delivery)) = requests.next().await {
        let id = delivery.properties.correlation_id().as_ref().unwrap().to_string();
        let result = container.call(&delivery.data).await;
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        publish(&channel, &replies, &id, &result, false).await;
    }
}

pub async fn serve(listener: TcpListener, run: &str, queue: &str, durable: bool) {
    let engine = Engine::connect(run, cloudfunc::model::Language::Python).await;
    let connection = Arc::new(connect().await);
    let requests = Publisher::new(&connection, queue, durable).await;
    let replies = format!("{queue}.replies");
    let receiving = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    receiving.queue_declare(replies.as_str().into(), options, FieldTable::default()).await.unwrap();
    for container in instances(&engine).await {
        tokio::spawn(work(connection.clone(), queue.to_owned(), replies.clone(), container));
    }
    let caller = Arc::new(Caller { requests, waiting: Mutex::default() });
    tokio::spawn(caller.clone().receive(receiving, replies));
    let invoke = async |State(caller): State<Arc<Caller>>, payload: Bytes| caller.invoke(&payload).await;
    until_eof(listener, Router::new().route("/", post(invoke)).with_state(caller)).await;
}

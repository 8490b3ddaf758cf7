//! The broker as the old program left it: its queues and exchanges with their arguments, the messages in them.

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::Value;

use super::{fixture::Fixture, messages};
use crate::support::eventually;

/// The platform's name while it was recorded. A test has one of its own, as all share a broker.
const RECORDED: &str = "cloudfunc.upgrade.";

pub struct OldBroker {
    connection: Connection,
    channel: Channel,
    queues: Vec<String>,
}

impl OldBroker {
    /// Declares and publishes what was recorded, for the platform `name`.
    pub async fn lay(fixture: &Fixture, url: &str, name: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut old = Self { connection, channel, queues: Vec::new() };
        let recorded = fixture.broker();
        for exchange in recorded["exchanges"].as_array().unwrap() {
            old.declare_exchange(exchange, name).await;
        }
        for queue in recorded["queues"].as_array().unwrap() {
            old.declare_queue(queue, name).await;
        }
        old
    }

    async fn declare_exchange(&self, exchange: &Value, platform: &str) {
        assert_eq!(exchange["type"], "fanout");
        let options = ExchangeDeclareOptions {
            durable: exchange["durable"].as_bool().unwrap(),
            auto_delete: exchange["auto_delete"].as_bool().unwrap(),
            internal: exchange["internal"].as_bool().unwrap(),
            ..Default::default()
        };
        let (name, arguments) = (renamed(exchange, platform), arguments(&exchange["arguments"]));
        let declared =
            self.channel.exchange_declare(name.into(), ExchangeKind::Fanout, options, arguments);
        declared.await.unwrap();
    }

    async fn declare_queue(&mut self, queue: &Value, platform: &str) {
        let options = QueueDeclareOptions {
            durable: queue["durable"].as_bool().unwrap(),
            auto_delete: queue["auto_delete"].as_bool().unwrap(),
            ..Default::default()
        };
        let name = renamed(queue, platform);
        let key: ShortString = name.as_str().into();
        self.channel.queue_declare(key.clone(), options, arguments(&queue["arguments"])).await.unwrap();
        for message in queue["messages"].as_array().unwrap() {
            let (bytes, options) = (messages::bytes(message), BasicPublishOptions::default());
            let published =
                self.channel.basic_publish("".into(), key.clone(), options, &bytes, properties(message));
            published.await.unwrap().await.unwrap();
        }
        self.mark_as_delivered(&key, queue).await;
        self.queues.push(name);
    }

    /// Takes messages that were in the hands of a consumer, and gives them back: they are redelivered then.
    async fn mark_as_delivered(&self, queue: &ShortString, recorded: &Value) {
        let messages = recorded["messages"].as_array().unwrap();
        let delivered = messages.iter().filter(|message| message["redelivered"] == true).count();
        let channel = self.connection.create_channel().await.unwrap();
        for _ in 0..delivered {
            channel.basic_get(queue.clone(), BasicGetOptions::default()).await.unwrap().unwrap();
        }
        channel.close(200, "given back".into()).await.unwrap();
    }

    /// The new program consumes each of the old queues, and has taken everything out of it.
    pub async fn is_emptied(&self) {
        for name in &self.queues {
            eventually(&format!("{name} is consumed and empty"), async || {
                let passive = QueueDeclareOptions { passive: true, ..Default::default() };
                let key = name.as_str().into();
                let queue =
                    self.channel.queue_declare(key, passive, FieldTable::default()).await.unwrap();
                (queue.consumer_count() > 0 && queue.message_count() == 0).then_some(())
            })
            .await;
        }
    }

    pub async fn close(self) {
        self.connection.close(200, "".into()).await.unwrap();
    }
}

fn renamed(entry: &Value, platform: &str) -> String {
    let rest = entry["name"].as_str().unwrap().strip_prefix(RECORDED).unwrap();
    format!("cloudfunc.{platform}.{rest}")
}

fn arguments(recorded: &Value) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in recorded.as_object().unwrap() {
        let value = match value {
            Value::String(text) => AMQPValue::LongString(text.as_str().into()),
            other => panic!("no argument of this kind was recorded so far: {other}"),
        };
        table.insert(key.as_str().into(), value);
    }
    table
}

fn properties(message: &Value) -> BasicProperties {
    let mut properties = BasicProperties::default();
    for (key, value) in message["properties"].as_object().unwrap() {
        properties = match (key.as_str(), value) {
            ("delivery_mode", mode) => {
                properties.with_delivery_mode(mode.as_u64().unwrap().try_into().unwrap())
            }
            ("message_id", Value::String(id)) => properties.with_message_id(id.as_str().into()),
            ("expiration", Value::String(after)) => properties.with_expiration(after.as_str().into()),
            other => panic!("no property of this kind was recorded so far: {other:?}"),
        };
    }
    properties
}

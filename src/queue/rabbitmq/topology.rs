//! Names, kinds and arguments of a platform's queues and exchanges on the broker. They must not change: the broker
//! refuses a queue that was declared differently before.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{super::Address, failure::BrokerFailure};
use crate::model::{FunctionId, Mode, PlatformName};

/// AMQP's delivery modes.
pub(super) const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// Returns the properties that decide how a message to that address is kept.
pub(super) fn properties(to: &Address, expires: Option<Duration>) -> BasicProperties {
    let mode = if matches!(to, Address::Function(_, Mode::Sync)) { TRANSIENT } else { PERSISTENT };
    let properties = BasicProperties::default().with_delivery_mode(mode);
    match expires {
        // Zero would mean: unless a consumer takes it at once.
        Some(after) => properties.with_expiration(after.as_millis().max(1).to_string().into()),
        None => properties,
    }
}

/// The names of this platform's queues.
#[derive(Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn of(platform: &PlatformName) -> Self {
        Self { prefix: format!("cloudfunc.{platform}") }
    }

    pub(super) fn queue(&self, address: &Address) -> ShortString {
        let prefix = &self.prefix;
        match address {
            Address::Function(id, mode) => format!("{prefix}.fn.{id}.{}", mode.as_str()).into(),
            Address::Outcomes => format!("{prefix}.outcomes").into(),
            Address::Builds => format!("{prefix}.build").into(),
            Address::Reply(name) => name.as_str().into(),
        }
    }

    pub(super) fn of_function(&self, id: FunctionId) -> [ShortString; 2] {
        [Mode::Sync, Mode::Async].map(|mode| self.queue(&Address::Function(id, mode)))
    }

    pub(super) fn events(&self) -> ShortString {
        format!("{}.events", self.prefix).into()
    }
}

/// Names the classic type: a broker may have another type as its default.
pub(super) fn classic() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments
}

/// Declares a queue that survives a restart of the broker; whether a message does depends on the message.
pub(super) async fn declare_queue(channel: &Channel, name: ShortString) -> Result<(), BrokerFailure> {
    channel.queue_declare(name, QueueDeclareOptions::durable(), classic()).await?;
    Ok(())
}

/// Returns the number of messages that wait in a queue, which is not declared if it is missing.
pub(super) async fn count_messages(channel: &Channel, name: ShortString) -> Result<u32, BrokerFailure> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let queue = channel.queue_declare(name, options, FieldTable::default()).await?;
    Ok(queue.message_count())
}

/// Declares the exchange for broadcasts.
pub(super) async fn declare_events(channel: &Channel, name: ShortString) -> Result<(), BrokerFailure> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let arguments = FieldTable::default();
    channel.exchange_declare(name, ExchangeKind::Fanout, options, arguments).await?;
    Ok(())
}

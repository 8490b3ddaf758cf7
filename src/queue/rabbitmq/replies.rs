//! Answers, by the broker's own way for them: from the channel of who answers to the channel of who asked, through no
//! queue. It is there for as long as its consumer.
//!
//! The broker names the way in the messages whose sender wants its answer there. Ours say themselves where their
//! answer goes, so the name has to be known before: a message to ourselves tells it. The sender of an answer does
//! not notice: the name is that of a queue, as before.

use std::sync::Arc;

use lapin::{
    BasicProperties,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::{FieldTable, ShortString},
};

use super::{
    super::Consumer,
    channels::OpenChannel,
    consumer::{Incoming, Returns},
    failure::BrokerFailure,
    live::Live,
    topology::{classic, count_messages},
};

/// RabbitMQ's pseudo-queue for direct replies: it is consumed, and a request names it as the place for its answer.
const DIRECT: &str = "amq.rabbitmq.reply-to";

/// Opens a way for answers, and returns its name.
pub(super) async fn open(live: Arc<Live>) -> Result<(ShortString, Consumer), BrokerFailure> {
    let channel = OpenChannel::open(&live.wire).await?;
    let consume = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consumer =
        channel.basic_consume(DIRECT.into(), "".into(), consume, FieldTable::default()).await?;
    let name = name(&channel).await?;
    Ok((name, Consumer::new(Incoming::new(consumer, channel, Returns::Never))))
}

/// Returns whether a way for answers still leads to somebody: the broker takes the name for that of a queue which exists as
/// long. A channel that asks for one that does not is closed, so this is not a shared one.
pub(super) async fn is_open(live: Arc<Live>, name: ShortString) -> Result<bool, BrokerFailure> {
    let channel = OpenChannel::open(&live.wire).await?;
    match count_messages(&channel, name).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(failure),
    }
}

async fn name(channel: &OpenChannel) -> Result<ShortString, BrokerFailure> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, classic()).await?.name().clone();
    let properties = BasicProperties::default().with_reply_to(DIRECT.into());
    let publish = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue.clone(), publish, b"", properties).await?;
    // What one channel sends to a queue and asks of it keeps its order: the message is there.
    let message = channel.basic_get(queue.clone(), BasicGetOptions { no_ack: true }).await?;
    channel.queue_delete(queue, QueueDeleteOptions::default()).await?;
    let name = message.and_then(|message| message.properties.reply_to().clone());
    name.ok_or(BrokerFailure::NoReplyName)
}

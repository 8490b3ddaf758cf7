//! A broker's description of itself, read without leaving anything there: for `cloudfunc doctor`.
//!
//! Product and version are in the first frame that a broker sends, before any login. An alarm (memory, disk) is only
//! told to a connection that publishes; so two messages are published that no queue takes, and the broker drops them.

use std::{sync::Arc, time::Duration};

use lapin::{
    BasicProperties, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    protocol::connection::parse_start,
    types::AMQPValue,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    super::{Error, Survey},
    failure::BrokerFailure,
    link::{Link, Purpose},
    live::Live,
};
use crate::{model::PlatformName, model::SecretUrl};

/// The limit for each of the two connections.
const PATIENCE: Duration = Duration::from_secs(4);
/// The limit for a confirm: a broker without an alarm confirms within milliseconds.
const CONFIRM: Duration = Duration::from_secs(1);
/// The name of a queue that does not exist.
const NOWHERE: &str = "cloudfunc.doctor.nowhere";
/// AMQP 0-9-1, the version that RabbitMQ speaks first.
const PROTOCOL: &[u8] = b"AMQP\0\0\x09\x01";
/// The limit of the first frame, in bytes: a broker's has a few hundred.
const MAX_GREETING: u32 = 64 * 1024;

pub(in crate::queue) async fn survey(url: &SecretUrl, platform: &PlatformName) -> Result<Survey, Error> {
    let link = Link::new(url, platform, Purpose::Consuming, &Arc::default())?;
    let blocked = link.call(PATIENCE, |live| async move { is_blocked(&live).await }).await;
    link.close().await;
    let blocked = blocked?;
    let greeting = timeout(PATIENCE, greeting(url)).await.ok().flatten();
    Ok(Survey { version: greeting, blocked })
}

/// Returns whether the broker takes nothing from publishers now.
async fn is_blocked(live: &Live) -> Result<bool, BrokerFailure> {
    let connection: &Connection = &live.wire.connection;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let sent = async {
        // The first one still gets through: only then does the broker stop reading.
        for _ in 0..2 {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), NOWHERE.into(), options, b"", properties).await?.await?;
        }
        Ok::<_, lapin::Error>(())
    };
    match timeout(CONFIRM, sent).await {
        Ok(sent) => sent.map(|()| false).map_err(BrokerFailure::from),
        Err(_) => Ok(connection.status().blocked()),
    }
}

/// Returns `RabbitMQ 3.13.7`; none when the broker does not tell it, or only under TLS.
async fn greeting(url: &SecretUrl) -> Option<String> {
    let url: url::Url = url.expose().parse().ok().filter(|url: &url::Url| url.scheme() == "amqp")?;
    let mut stream = TcpStream::connect((url.host_str()?, url.port().unwrap_or(5672))).await.ok()?;
    stream.write_all(PROTOCOL).await.ok()?;
    // A frame: type, channel, size, then that number of bytes.
    stream.read_exact(&mut [0; 3]).await.ok()?;
    let size = stream.read_u32().await.ok().filter(|size| *size <= MAX_GREETING)?;
    let mut frame = vec![0; size as usize];
    stream.read_exact(&mut frame).await.ok()?;
    product(&frame)
}

/// Reads the payload of the frame `connection.start`.
fn product(frame: &[u8]) -> Option<String> {
    // The numbers of class and method come first.
    let (_, start) = parse_start(frame.strip_prefix(&[0, 10, 0, 10])?).ok()?;
    let properties = start.server_properties.inner();
    let text = |name: &str| match properties.get(name) {
        Some(AMQPValue::LongString(text)) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    };
    Some(format!("{} {}", text("product")?, text("version")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_read_from_the_first_frame() {
        let pair = |key: &str, value: &str| {
            let mut bytes = vec![u8::try_from(key.len()).unwrap()];
            bytes.extend(key.as_bytes());
            bytes.push(b'S');
            bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(value.as_bytes());
            bytes
        };
        let table = [pair("product", "RabbitMQ"), pair("version", "3.13.7")].concat();
        let mut frame = vec![0, 10, 0, 10, 0, 9];
        frame.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
        frame.extend(&table);
        for list in ["PLAIN", "en_US"] {
            frame.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            frame.extend(list.as_bytes());
        }
        assert_eq!(product(&frame).as_deref(), Some("RabbitMQ 3.13.7"));
        assert_eq!(product(&frame[..20]), None);
        assert_eq!(product(b"HTTP/1.1 400"), None);
    }
}

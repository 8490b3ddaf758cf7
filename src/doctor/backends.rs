//! Asks the store and the queue, without changing them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::timeout;

use super::judge::backends::{Answer, Facts, Queue, Store};
use crate::{model::PlatformName, queue, store};

/// The time limit of a check. It exceeds the limits of the backends, whose errors say more.
const PATIENCE: Duration = Duration::from_secs(9);

/// Asks the backends; also returns by how many milliseconds the store's clock is ahead of ours.
pub async fn gather(
    store: Option<&store::Config>,
    queue: Option<&queue::Config>,
    platform: &PlatformName,
) -> (Facts, Option<i64>) {
    let ((store, ahead), queue) = tokio::join!(ask_store(store), ask_queue(queue, platform));
    (Facts { store, queue }, ahead)
}

async fn ask_store(config: Option<&store::Config>) -> (Store, Option<i64>) {
    let Some(config) = config else { return (Store::Later, None) };
    let survey = match timeout(PATIENCE, store::survey(config)).await {
        Ok(Ok(Some(survey))) => survey,
        Ok(Ok(None)) => return (Store::Later, None),
        Ok(Err(error)) => return (Store::Fails(chain(error)), None),
        Err(_) => return (Store::Fails("the store does not answer".to_owned()), None),
    };
    let address = match config {
        store::Config::Postgres { url } => url.address(),
        store::Config::Sqlite { path } => path.display().to_string(),
    };
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let ahead = survey.clock.as_millisecond() - now.as_millisecond();
    let store::Migrations { applied, missing, unknown } = survey.migrations;
    let (is_empty, totals) = (applied == 0, survey.totals);
    (
        Store::Answers(Answer {
            version: survey.version,
            address,
            missing,
            unknown,
            is_empty,
            totals,
            unusable: survey.unusable,
        }),
        Some(ahead),
    )
}

async fn ask_queue(config: Option<&queue::Config>, platform: &PlatformName) -> Queue {
    let url = match config {
        None => return Queue::Later,
        Some(queue::Config::Embedded) => return Queue::Embedded,
        Some(queue::Config::RabbitMq { url }) => url,
    };
    let config = queue::Config::RabbitMq { url: url.clone() };
    match timeout(PATIENCE, queue::survey(&config, platform)).await {
        Ok(Ok(Some(survey))) => {
            Queue::Answers { version: survey.version, address: url.address(), blocked: survey.blocked }
        }
        Ok(Ok(None)) => Queue::Later,
        Ok(Err(error)) => Queue::Fails(chain(error)),
        Err(_) => Queue::Fails(format!("the message broker at {} does not answer", url.address())),
    }
}

fn chain(error: impl Into<anyhow::Error>) -> String {
    let error = error.into();
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! What came of async attempts: written to the store in batches, then acked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Scheduler;
use crate::{
    http::chain,
    model::{
        AttemptRecord, Body,
        message::{self, Outcome, Verdict},
    },
    queue::{Address, ConsumeOptions, Consumer, Delivery},
    store::{self, Finish},
};

const PREFETCH: ConsumeOptions = ConsumeOptions { prefetch: 512, priority: 0 };
/// Outcomes in one commit, and their bytes (one more may go over it).
const BATCH: usize = 256;
const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Takes outcomes until `stop`; whatever is not acked by then is delivered again.
pub async fn receive(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    const RETRY: Duration = Duration::from_millis(500);
    let receiving = async {
        loop {
            match scheduler.queue.consume(&Address::Outcomes, PREFETCH).await {
                Ok(mut consumer) => take_all(&scheduler, &mut consumer).await,
                Err(error) => tracing::debug!(error = %chain(&error), "outcomes cannot be consumed yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = receiving => {}
    }
}

async fn take_all(scheduler: &Scheduler, consumer: &mut Consumer) {
    while let Some(first) = consumer.next().await {
        let mut bytes = first.bytes.len();
        let mut batch = vec![first];
        // What is here already goes into the same commit; nothing is waited for.
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(Some(delivery)) = consumer.next().now_or_never()
        {
            bytes += delivery.bytes.len();
            batch.push(delivery);
        }
        settle(scheduler, batch).await;
    }
}

async fn settle(scheduler: &Scheduler, batch: Vec<Delivery>) {
    let mut finishes = Vec::with_capacity(batch.len());
    let mut returns = Vec::new();
    for delivery in &batch {
        match message::decode::<Outcome>(delivery.bytes.clone()) {
            Ok((outcome, body)) => match outcome.verdict {
                Verdict::NotRun { ref reason, delay, .. } => {
                    returns.push((outcome.id, outcome.attempt, delay, reason.clone()));
                }
                Verdict::Underway | Verdict::Interrupted => {
                    tracing::error!(invocation = %outcome.id, "an outcome that is none");
                }
                _ => finishes.push(finish(outcome, body)),
            },
            Err(error) => tracing::error!(%error, "outcome dropped"),
        }
    }
    let stored = async || -> Result<Vec<bool>, store::Error> {
        let ended = match finishes.is_empty() {
            true => Vec::new(),
            false => scheduler.store.finish(&finishes).await?,
        };
        for (id, attempt, delay, reason) in &returns {
            scheduler.store.give_back(*id, *attempt, *delay, reason).await?;
        }
        Ok(ended)
    };
    // Until the store has it; repeating is harmless, since a finished row is not `running` any more.
    let mut pause = Duration::from_millis(100);
    let ended = loop {
        match stored().await {
            Ok(ended) => break ended,
            Err(error) => tracing::warn!(error = %chain(&error), "outcomes not stored yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    };
    for (finish, ended) in finishes.iter().zip(ended) {
        // One that was delivered again, or is stale, ends nothing.
        if ended {
            tracing::info!(invocation = %finish.id, attempt = finish.attempt, state = %finish.state.as_str(), "finished");
        }
        let _ = scheduler.finished.send(finish.id);
    }
    for delivery in batch {
        if let Err(error) = delivery.ack().await {
            tracing::debug!(error = %chain(&error), "ack failed; the repeat changes nothing");
        }
    }
}

fn finish(outcome: Outcome, body: Bytes) -> Finish {
    let state = outcome.verdict.state().expect("an ending verdict");
    Finish {
        id: outcome.id,
        attempt: outcome.attempt,
        state,
        start: outcome.start,
        prewarmed: outcome.prewarmed,
        attempt_record: AttemptRecord {
            number: outcome.attempt,
            revision: Some(outcome.revision),
            instance: outcome.instance,
            outcome: Some(state),
            error: outcome.verdict.error().cloned(),
        },
        phases: outcome.phases,
        result: outcome.content_type.map(|content_type| Body { content_type, bytes: body }),
        finished_at: Timestamp::now(),
    }
}

//! What came of async attempts: written to the store in batches, then acked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    error_chain::chain,
    model::{
        AttemptRecord, Body,
        message::{Outcome, Verdict},
    },
    queue::{Address, ConsumeOptions, Consumer, Delivery},
    scheduler::Scheduler,
    store::{self, Finish},
};

const PREFETCH: ConsumeOptions = ConsumeOptions { prefetch: 64, priority: 0 };
/// Outcomes in one commit, and their bytes (one more may go over it).
const BATCH: usize = 64;
const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Time for a stop: for what is here already. A store that is away then is not waited for.
const LAST_BATCHES: Duration = Duration::from_secs(3);

/// Takes outcomes until `stop`, and then those that are here: managers stop before schedulers, and a queue
/// inside this process would forget them. Whatever is not acked by then is delivered again by a durable one.
pub async fn receive(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    const RETRY: Duration = Duration::from_millis(500);
    let receiving = async {
        while !stop.is_cancelled() {
            match scheduler.queue.consume(&Address::Outcomes, PREFETCH).await {
                Ok(mut consumer) => take_all(&scheduler, &mut consumer, &stop).await,
                Err(error) => tracing::debug!(error = %chain(&error), "outcomes cannot be consumed yet"),
            }
            let _ = tokio::time::timeout(RETRY, stop.cancelled()).await;
        }
    };
    let too_long = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_BATCHES).await;
    };
    tokio::select! {
        () = too_long => tracing::warn!("outcomes are left; what they ended is run again"),
        () = receiving => {}
    }
}

async fn take_all(scheduler: &Scheduler, consumer: &mut Consumer, stop: &CancellationToken) {
    loop {
        let first = tokio::select! {
            biased;
            first = consumer.next() => first,
            () = stop.cancelled() => None,
        };
        let Some(first) = first else { return };
        let mut bytes = first.parcel.size();
        let mut batch = vec![first];
        // What is here already goes into the same commit; nothing is waited for.
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(Some(delivery)) = consumer.next().now_or_never()
        {
            bytes += delivery.parcel.size();
            batch.push(delivery);
        }
        settle(scheduler, batch).await;
    }
}

async fn settle(scheduler: &Scheduler, batch: Vec<Delivery>) {
    let mut finishes = Vec::with_capacity(batch.len());
    let mut returns = Vec::new();
    for delivery in &batch {
        match delivery.parcel.open::<Outcome>() {
            Ok((outcome, body)) => match outcome.verdict {
                Verdict::NotRun { ref reason, delay, .. } => {
                    returns.push((outcome.id, outcome.attempt, delay, reason.clone()));
                }
                Verdict::Underway | Verdict::Interrupted => {
                    tracing::error!(invocation = %outcome.id, "an outcome that is none");
                }
                _ => finishes.push(finish(outcome, body, scheduler.clock.now())),
            },
            Err(error) => tracing::error!(%error, "outcome dropped"),
        }
    }
    match patiently(|| scheduler.store.finish(&finishes)).await {
        Ok(ended) => announce(scheduler, &finishes, &ended),
        // One of them cannot be stored, and must not hold up the others.
        Err(_) => {
            for finish in &finishes {
                let one = std::slice::from_ref(finish);
                match patiently(|| scheduler.store.finish(one)).await {
                    Ok(ended) => announce(scheduler, one, &ended),
                    Err(error) => {
                        tracing::error!(invocation = %finish.id, error = %chain(&error), "outcome lost");
                    }
                }
            }
        }
    }
    for (id, attempt, delay, reason) in &returns {
        let given_back = || scheduler.store.give_back(*id, *attempt, *delay, reason);
        if let Err(error) = patiently(given_back).await {
            tracing::error!(invocation = %id, error = %chain(&error), "not given back");
        }
    }
    if let Err(error) = Delivery::ack_all(batch).await {
        tracing::debug!(error = %chain(&error), "ack failed; the repeat changes nothing");
    }
}

/// Until the store has it or refuses; repeating is harmless, since a finished row is not `running`
/// any more.
async fn patiently<'a, T>(
    mut store: impl FnMut() -> BoxFuture<'a, Result<T, store::Error>>,
) -> Result<T, store::Error> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        match store().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %chain(&error), "outcomes not stored yet");
            }
            stored => return stored,
        }
        backoff.pause().await;
    }
}

fn announce(scheduler: &Scheduler, finishes: &[Finish], ended: &[bool]) {
    for (finish, ended) in finishes.iter().zip(ended) {
        // One that was delivered again, or is stale, ends nothing.
        if *ended {
            let (attempt, state) = (finish.attempt, finish.state.as_str());
            tracing::info!(invocation = %finish.id, attempt, state, "finished");
        }
        let _ = scheduler.finished.send(finish.id);
    }
}

fn finish(outcome: Outcome, body: Bytes, finished_at: Timestamp) -> Finish {
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
            lines: outcome.lines,
        },
        phases: outcome.phases,
        result: outcome.content_type.map(|content_type| Body { content_type, bytes: body }),
        finished_at,
    }
}

//! What came of async attempts: written to the store in batches, then acked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    error_chain::chain,
    lifecycle::{self, Event, Facts, Policy, Transition},
    model::{
        AttemptRecord, Body, FunctionError, State,
        message::{Outcome, Verdict},
    },
    queue::{Address, ConsumeOptions, Consumer, Delivery},
    scheduler::Scheduler,
    store::{self, Settlement},
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
    let mut settlements = Vec::with_capacity(batch.len());
    for delivery in &batch {
        match delivery.parcel.open::<Outcome>() {
            Ok((outcome, body)) => settlements.push(settlement(outcome, body, scheduler.clock.now())),
            Err(error) => tracing::error!(%error, "outcome dropped"),
        }
    }
    match patiently(|| scheduler.store.settle(&settlements)).await {
        Ok(settled) => announce(scheduler, &settlements, &settled),
        // One of them cannot be stored, and must not hold up the others.
        Err(_) => {
            for settlement in &settlements {
                let one = std::slice::from_ref(settlement);
                match patiently(|| scheduler.store.settle(one)).await {
                    Ok(settled) => announce(scheduler, one, &settled),
                    Err(error) => {
                        tracing::error!(invocation = %settlement.id, error = %chain(&error), "outcome lost");
                    }
                }
            }
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

fn announce(scheduler: &Scheduler, settlements: &[Settlement], settled: &[bool]) {
    for (settlement, settled) in settlements.iter().zip(settled) {
        let (id, attempt) = (settlement.id, settlement.attempt);
        match &settlement.transition {
            Transition::End { ending, .. } => {
                // One that was delivered again, or is stale, ends nothing.
                if *settled {
                    let state = ending.state.as_str();
                    tracing::info!(invocation = %id, attempt, state, "finished");
                }
                let _ = scheduler.finished.send(id);
            }
            Transition::Retry { after, .. } if *settled => {
                tracing::debug!(invocation = %id, attempt, ?after, "tried again later");
            }
            Transition::Retry { .. } | Transition::Run { .. } => {}
            Transition::Stay => tracing::error!(invocation = %id, "an outcome that says no end"),
        }
    }
}

/// What an outcome does to its invocation, if the row is still running with that attempt.
fn settlement(outcome: Outcome, body: Bytes, now: Timestamp) -> Settlement {
    let claimed = outcome.claimed;
    let accepted_at =
        claimed.and_then(|claimed| Timestamp::from_millisecond(claimed.accepted_at_ms).ok());
    let facts = Facts {
        state: State::Running,
        attempt: outcome.attempt,
        failures: claimed.map_or(0, |claimed| claimed.failures),
        accepted_at: accepted_at.unwrap_or(now),
    };
    let event = Event::Outcome { attempt: outcome.attempt, verdict: &outcome.verdict };
    let transition = lifecycle::decide(facts, event, &Policy::DEFAULT, now, chance());
    let error = match &outcome.verdict {
        Verdict::NotRun { reason, .. } => Some(FunctionError::platform(reason.as_str())),
        verdict => verdict.error().cloned(),
    };
    Settlement {
        id: outcome.id,
        attempt: outcome.attempt,
        transition,
        attempt_record: AttemptRecord {
            number: outcome.attempt,
            revision: Some(outcome.revision),
            instance: outcome.instance,
            outcome: outcome.verdict.state(),
            error,
            lines: outcome.lines,
        },
        start: outcome.start,
        prewarmed: outcome.prewarmed,
        phases: outcome.phases,
        result: outcome.content_type.map(|content_type| Body { content_type, bytes: body }),
        finished_at: now,
    }
}

/// A random number from 0 up to, not including, 1.
fn chance() -> f64 {
    // Without a source of randomness every pause is half of its bound.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / (f64::from(u32::MAX) + 1.0)
}

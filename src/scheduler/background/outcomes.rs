//! What came of async attempts: written to the store in batches, then acked.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    error_chain::chain,
    lifecycle::{self, Event, Facts, Policy, Transition},
    model::{
        AttemptRecord, FunctionError, State,
        message::{self, Outcome, Verdict},
    },
    queue::{Address, ConsumeOptions, Consumer, Delivery, Message},
    scheduler::Scheduler,
    store::{self, Settlement},
};

const PREFETCH: ConsumeOptions = ConsumeOptions { prefetch: 64, priority: 0 };
/// Outcomes in one commit, and their bytes (one more may go over it): what a slow network moves in the store's time.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

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
    let mut fits = Fits::default();
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
        settle(scheduler, batch, &mut fits).await;
    }
}

async fn settle(scheduler: &Scheduler, batch: Vec<Delivery>, fits: &mut Fits) {
    let mut settlements = Vec::with_capacity(batch.len());
    let mut read = Vec::with_capacity(batch.len());
    for delivery in batch {
        match delivery.parcel.open::<Outcome>() {
            Ok((outcome, body)) => {
                settlements.push(settlement(outcome, body, scheduler.clock.now()));
                read.push(delivery);
            }
            Err(error) => leave_to_others(scheduler, delivery, &error),
        }
    }
    let mut left = &settlements[..];
    while !left.is_empty() {
        let settling = patiently(&scheduler.unstored, fits, left, |part| scheduler.store.settle(part));
        let (part, settled) = settling.await;
        match settled {
            Ok(settled) => {
                announce(scheduler, part, &settled);
                note_late(scheduler, part, &settled).await;
            }
            Err(_) => one_by_one(scheduler, part).await,
        }
        left = &left[part.len()..];
    }
    if let Err(error) = Delivery::ack_all(read).await {
        tracing::debug!(error = %chain(&error), "ack failed; the repeat changes nothing");
    }
}

/// Outcomes that changed nothing: of attempts that were taken for lost, or told twice. A record that lacks what came of a
/// lost attempt is not worth a second try.
async fn note_late(scheduler: &Scheduler, settlements: &[Settlement], settled: &[bool]) {
    let late = settlements.iter().zip(settled).filter(|(_, settled)| !**settled);
    let late: Vec<Settlement> = late.map(|(settlement, _)| settlement.clone()).collect();
    if !late.is_empty()
        && let Err(error) = scheduler.store.note_late(&late).await
    {
        tracing::warn!(error = %chain(&error), "what came of lost attempts is not in their records");
    }
}

/// A newer version may have written it, and a scheduler of that version can read it: after a moment it goes to the end of
/// the queue. Acked alone, its invocation would stay `running` for ever.
fn leave_to_others(scheduler: &Scheduler, delivery: Delivery, error: &message::DecodeError) {
    const MOMENT: Duration = Duration::from_secs(5);
    tracing::error!(%error, "an outcome that this version cannot read; it is left to others");
    let (queue, stop) = (scheduler.queue.clone(), scheduler.stop.clone());
    tokio::spawn(async move {
        let _ = tokio::time::timeout(MOMENT, stop.cancelled()).await;
        let message = Message { parcel: delivery.parcel.clone(), expires: None };
        if queue.publish(&Address::Outcomes, message).await.is_ok() {
            drop(delivery.ack().await);
        }
    });
}

/// The store refuses the batch. One that it refuses while it takes others ends as a failure of the platform, so that it
/// does not hold them up. If it refuses everything, nothing is acked: a password may have been changed.
async fn one_by_one(scheduler: &Scheduler, settlements: &[Settlement]) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut left: Vec<&Settlement> = settlements.iter().collect();
    loop {
        left = refused_of(scheduler, left).await;
        // A write that changes nothing tells whether the store takes any.
        if !left.is_empty() && scheduler.store.mark_published(&[]).await.is_ok() {
            for settlement in refused_of(scheduler, std::mem::take(&mut left)).await {
                if !end_instead(scheduler, settlement).await {
                    left.push(settlement);
                }
            }
        }
        if left.is_empty() {
            return scheduler.unstored.is_over();
        }
        scheduler.unstored.say(&"the store refuses outcomes");
        backoff.pause().await;
    }
}

/// Stores each by itself; returns those that are refused.
async fn refused_of<'a>(scheduler: &Scheduler, settlements: Vec<&'a Settlement>) -> Vec<&'a Settlement> {
    let mut refused = Vec::new();
    for settlement in settlements {
        let one = std::slice::from_ref(settlement);
        let mut fits = Fits::default();
        let settling = patiently(&scheduler.unstored, &mut fits, one, |one| scheduler.store.settle(one));
        match settling.await.1 {
            Ok(settled) => announce(scheduler, one, &settled),
            Err(error) => {
                tracing::error!(invocation = %settlement.id, error = %chain(&error), "outcome refused");
                refused.push(settlement);
            }
        }
    }
    refused
}

/// Ends an invocation whose outcome cannot be stored. False: the store does not take that either.
async fn end_instead(scheduler: &Scheduler, settlement: &Settlement) -> bool {
    let failures = match settlement.transition {
        Transition::Retry { failures, .. } | Transition::End { failures, .. } => failures,
        Transition::Stay | Transition::Run { .. } => 0,
    };
    let ending = Policy::DEFAULT.claims().exhausted;
    let transition = Transition::End { ending, failures };
    let instead = [Settlement { transition, result: None, ..settlement.clone() }];
    match scheduler.store.settle(&instead).await {
        Ok(settled) => {
            announce(scheduler, &instead, &settled);
            true
        }
        Err(_) => false,
    }
}

/// The number of outcomes that the store takes together. One that falls silent over a batch may be at the end of a slow
/// network, which would never move the whole in its time: half as many are tried then, and one more after each success.
struct Fits(usize);

impl Default for Fits {
    fn default() -> Self {
        Self(BATCH)
    }
}

/// Repeats until the store has the first of these, as many as fit, or refuses them, and returns these: repeating is
/// harmless, since a finished row is not `running` any more.
async fn patiently<'a>(
    unstored: &Unstored,
    fits: &mut Fits,
    settlements: &'a [Settlement],
    mut store: impl FnMut(&'a [Settlement]) -> BoxFuture<'a, Result<Vec<bool>, store::Error>>,
) -> (&'a [Settlement], Result<Vec<bool>, store::Error>) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let part = &settlements[..settlements.len().min(fits.0)];
        match store(part).await {
            Err(error) if error.is_transient() => {
                unstored.say(&chain(&error));
                if matches!(error, store::Error::UnknownFate { .. }) {
                    fits.0 = part.len().div_ceil(2);
                }
            }
            Ok(settled) => {
                unstored.is_over();
                // A smaller part shows nothing.
                if part.len() == fits.0 {
                    fits.0 = BATCH.min(fits.0 + 1);
                }
                return (part, Ok(settled));
            }
            refused => return (part, refused),
        }
        backoff.pause().await;
    }
}

/// Why outcomes cannot be stored now; `/readyz` says so, and the log, once.
#[derive(Default)]
pub struct Unstored(Mutex<Option<String>>);

impl Unstored {
    pub fn why(&self) -> Option<String> {
        self.lock().clone()
    }

    fn say(&self, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        let mut said = self.lock();
        if said.is_none() {
            tracing::warn!(error = why, "outcomes not stored yet");
        }
        *said = Some(why);
    }

    fn is_over(&self) {
        if self.lock().take().is_some() {
            tracing::info!("outcomes are stored again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        losses: claimed.map_or(0, |claimed| claimed.losses),
        accepted_at: accepted_at.unwrap_or(now),
    };
    let event = Event::Outcome { attempt: outcome.attempt, verdict: &outcome.verdict };
    let transition = lifecycle::decide(facts, event, &Policy::DEFAULT, now, chance());
    let error = match &outcome.verdict {
        Verdict::NotRun { reason, .. } | Verdict::Unfinished { reason } => {
            Some(FunctionError::platform(reason.as_str()))
        }
        verdict => verdict.error().cloned(),
    };
    let result = outcome.result(&body);
    Settlement {
        id: outcome.id,
        attempt: outcome.attempt,
        token: claimed.and_then(|claimed| claimed.token),
        transition,
        attempt_record: AttemptRecord {
            number: outcome.attempt,
            revision: Some(outcome.revision),
            instance: outcome.instance,
            outcome: outcome.verdict.state(),
            error,
            lines: outcome.lines,
            http_status: outcome.http.as_ref().map(|response| response.status),
        },
        start: outcome.start,
        prewarmed: outcome.prewarmed,
        phases: outcome.phases,
        result,
        finished_at: now,
    }
}

/// A random number from 0 up to, not including, 1.
fn chance() -> f64 {
    // Without a source of randomness every pause is half of its bound.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use futures_util::future::ready;

    use super::*;
    use crate::model::{
        InvocationId, Phases, RevisionNumber,
        message::{Claimed, VERSION},
    };

    fn succeeded() -> Settlement {
        let claimed = Claimed {
            function: crate::model::FunctionId::new(),
            accepted_at_ms: 0,
            failures: 0,
            losses: 0,
            token: None,
        };
        let outcome = Outcome {
            v: VERSION,
            id: InvocationId::new(),
            attempt: 1,
            owner: None,
            revision: RevisionNumber(1),
            instance: None,
            start: None,
            prewarmed: false,
            verdict: Verdict::Succeeded,
            content_type: None,
            http: None,
            phases: Phases::new(),
            manager_ms: 0.0,
            lines: None,
            claimed: Some(claimed),
        };
        settlement(outcome, Bytes::new(), Timestamp::UNIX_EPOCH)
    }

    fn silence() -> store::Error {
        store::Error::UnknownFate { address: "far away".to_owned(), source: "no answer".into() }
    }

    #[tokio::test]
    async fn a_batch_over_which_the_store_falls_silent_is_halved_until_it_fits_its_time() {
        let settlements: Vec<Settlement> = (0..BATCH).map(|_| succeeded()).collect();
        let (unstored, mut fits, mut sent) = (Unstored::default(), Fits::default(), Vec::new());
        let (mut left, mut stored) = (&settlements[..], Vec::new());
        while !left.is_empty() {
            let (part, settled) = patiently(&unstored, &mut fits, left, |part| {
                sent.push(part.len());
                // What its network moves in time.
                let answer = if part.len() > 20 { Err(silence()) } else { Ok(vec![true; part.len()]) };
                Box::pin(ready(answer))
            })
            .await;
            assert_eq!(settled.unwrap().len(), part.len());
            stored.extend(part.iter().map(|one| one.id));
            left = &left[part.len()..];
        }
        assert_eq!(sent, [64, 32, 16, 17, 18, 13], "what has fitted is remembered");
        assert_eq!(fits.0, 19, "the last part was smaller than what fits");
        assert_eq!(stored, settlements.iter().map(|one| one.id).collect::<Vec<_>>(), "each once");
        assert_eq!(unstored.why(), None);
    }

    #[tokio::test]
    async fn a_store_that_nothing_was_sent_to_is_tried_with_the_whole_again() {
        let settlements = [succeeded(), succeeded()];
        let (unstored, mut fits, mut is_away) = (Unstored::default(), Fits::default(), true);
        let (part, settled) = patiently(&unstored, &mut fits, &settlements, |part| {
            let away =
                || store::Error::Unavailable { address: "here".to_owned(), source: "away".into() };
            let answer =
                if std::mem::take(&mut is_away) { Err(away()) } else { Ok(vec![true; part.len()]) };
            Box::pin(ready(answer))
        })
        .await;
        assert_eq!((part.len(), settled.unwrap()), (2, vec![true; 2]));
    }
}

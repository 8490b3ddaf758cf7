//! A piece of work: one attempt of one invocation, with the delivery that it came in. Every way of
//! settling it is here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{logs::Sink, shared::Shared};
use crate::{
    backoff::Backoff,
    error_chain::chain,
    model::{
        Body, InstanceId, InvocationId, Mode, Phase, PhaseName, Phases, Revision, RevisionNumber, Start,
        message::{self, Claimed, Invoke, Outcome, Parcel, Verdict},
    },
    queue::{Address, Delivery, Message},
    store::Claim,
};

pub struct Work {
    pub invoke: Invoke,
    pub payload: Bytes,
    pub attempt: u32,
    /// Async: how many earlier attempts the function failed.
    pub failures: u32,
    pub revision: Arc<Revision>,
    /// When this manager took the message: the zero of the phases it reports.
    pub taken: Instant,
    /// Sync: until then it waits for an instance.
    pub deadline: Option<Instant>,
    pub delivery: Delivery,
}

/// How an attempt went, apart from the work itself.
pub struct Run {
    pub verdict: Verdict,
    pub result: Option<Body>,
    pub instance: Option<InstanceId>,
    pub start: Option<Start>,
    /// A cold start on a prewarmed instance.
    pub prewarmed: bool,
    pub phases: Phases,
    /// Log lines that it wrote.
    pub lines: u64,
}

impl Run {
    /// It did not get as far as an instance.
    pub fn without_instance(verdict: Verdict) -> Self {
        let phases = Phases::new();
        Self { verdict, result: None, instance: None, start: None, prewarmed: false, phases, lines: 0 }
    }
}

impl Work {
    /// Tells what came of it. Sync: acked first, so that it is never run twice, then answered. Async:
    /// the outcome is confirmed by the queue first, then acked, so that it is never lost; that may
    /// take a while when the broker is away and happens beside everything else.
    pub async fn settle(self, shared: &Arc<Shared>, run: Run) {
        let manager_ms = self.taken.elapsed().as_secs_f64() * 1000.0;
        let verdict = run.verdict;
        let error_lines = verdict.error().map_or(0, |error| {
            let instance = run.instance.unwrap_or(InstanceId(uuid::Uuid::nil()));
            let attempt = Some((self.invoke.id, self.attempt));
            let mut sink = Sink::new(shared, &self.revision, instance, attempt);
            sink.write_error(error);
            sink.lines
        });
        let outcome = Outcome {
            v: message::VERSION,
            id: self.invoke.id,
            attempt: self.attempt,
            owner: Some(shared.owner),
            revision: self.revision.number,
            instance: run.instance,
            start: run.start,
            prewarmed: run.prewarmed,
            verdict,
            content_type: run.result.as_ref().map(|body| body.content_type.clone()),
            phases: match self.invoke.mode {
                // The scheduler knows what came before.
                Mode::Sync => run.phases,
                Mode::Async => {
                    let now_ms = shared.clock.now().as_millisecond();
                    since_accepted(run.phases, self.invoke.accepted_at_ms, now_ms, manager_ms)
                }
            },
            manager_ms,
            lines: Some(run.lines + error_lines).filter(|lines| *lines > 0),
            claimed: claimed(&self.invoke, self.failures),
        };
        let body = run.result.map(|body| body.bytes).unwrap_or_default();
        let id = outcome.id;
        let message = Message { parcel: Parcel::new(outcome, body), expires: None };
        match (self.invoke.mode, self.invoke.reply_to) {
            (Mode::Sync, reply_to) => {
                if let Err(error) = self.delivery.ack().await {
                    tracing::debug!(invocation = %id, error = %chain(&error), "ack failed");
                }
                reply(shared, reply_to, message).await;
            }
            (Mode::Async, _) => {
                let shared = shared.clone();
                let tracker = shared.tracker.clone();
                tracker.spawn(async move { send_outcome(&shared, message, self.delivery).await });
            }
        }
    }

    /// Puts unstarted work back for another manager: sync is published again as it came and then
    /// acked, so that "redelivered" goes on meaning "a manager was lost"; async becomes due again.
    pub async fn give_back(self, shared: &Arc<Shared>) {
        if self.invoke.mode == Mode::Async {
            let verdict = Verdict::NotRun {
                reason: "the manager stopped before it began".to_owned(),
                throttled: false,
                delay: Duration::ZERO,
            };
            return self.settle(shared, Run::without_instance(verdict)).await;
        }
        let expires = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        give_back_sync(shared, &self.invoke, &self.payload, expires, self.delivery).await;
    }

    /// The manager stops while it runs, which is not an outcome. Async: another one claims it as soon as
    /// the lease is released. Sync: it cannot be run again, and the caller learns that now.
    pub async fn abandon(self, shared: &Shared) {
        tracing::warn!(invocation = %self.invoke.id, "given up");
        if self.invoke.mode == Mode::Sync {
            let interrupted =
                bare_reply(shared, self.invoke.id, self.revision.number, Verdict::Interrupted);
            drop(self.delivery.ack().await);
            reply(shared, self.invoke.reply_to, interrupted).await;
        }
    }
}

/// Phases on the time line of an async invocation; the clocks of two hosts may differ a little.
fn since_accepted(mut phases: Phases, accepted_at_ms: i64, now_ms: i64, manager_ms: f64) -> Phases {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one invocation")]
    let total = (now_ms - accepted_at_ms) as f64;
    let queued = (total - manager_ms).max(0.0);
    for phase in &mut phases {
        phase.start_ms += queued;
    }
    // Until the first of them: the claim and the wait for an instance belong to it.
    let duration_ms = phases.first().map_or(queued, |first| first.start_ms);
    phases.insert(0, Phase { name: PhaseName::Queue, start_ms: 0.0, duration_ms });
    phases
}

/// See [`Work::give_back`]; for a message that has not become work yet.
pub async fn give_back_sync(
    shared: &Shared,
    invoke: &Invoke,
    payload: &Bytes,
    expires: Option<Duration>,
    delivery: Delivery,
) {
    let message = Message { parcel: Parcel::new(invoke.clone(), payload.clone()), expires };
    match shared.queue.publish(&Address::Function(invoke.function, Mode::Sync), message).await {
        Ok(()) => drop(delivery.ack().await),
        // Unacked, it comes back as redelivered and is answered as interrupted.
        Err(error) => {
            tracing::warn!(invocation = %invoke.id, error = %chain(&error), "work could not be given back");
        }
    }
}

/// Answers a sync caller; the caller may have gone, which is not an error.
pub async fn reply(shared: &Shared, to: Option<String>, message: Message) {
    let Some(to) = to else { return };
    if let Err(error) = shared.queue.publish(&Address::Reply(to), message).await {
        tracing::debug!(error = %chain(&error), "reply not delivered");
    }
}

/// A reply that no attempt stands behind.
pub fn bare_reply(
    shared: &Shared,
    id: InvocationId,
    revision: RevisionNumber,
    verdict: Verdict,
) -> Message {
    bare_outcome(shared, id, revision, 1, verdict, None)
}

/// Gives a claim back that cannot become work.
pub async fn give_back_claim(
    shared: &Shared,
    invoke: &Invoke,
    claim: &Claim,
    reason: &str,
    delivery: Delivery,
) {
    let verdict =
        Verdict::NotRun { reason: reason.to_owned(), throttled: false, delay: Duration::from_secs(1) };
    let claimed = claimed(invoke, claim.failures);
    let outcome = bare_outcome(shared, invoke.id, claim.revision, claim.attempt, verdict, claimed);
    send_outcome(shared, outcome, delivery).await;
}

fn claimed(invoke: &Invoke, failures: u32) -> Option<Claimed> {
    let Invoke { mode, function, accepted_at_ms, .. } = *invoke;
    (mode == Mode::Async).then_some(Claimed { function, accepted_at_ms, failures })
}

fn bare_outcome(
    shared: &Shared,
    id: InvocationId,
    revision: RevisionNumber,
    attempt: u32,
    verdict: Verdict,
    claimed: Option<Claimed>,
) -> Message {
    let outcome = Outcome {
        v: message::VERSION,
        id,
        attempt,
        owner: Some(shared.owner),
        revision,
        instance: None,
        start: None,
        prewarmed: false,
        verdict,
        content_type: None,
        phases: Phases::new(),
        manager_ms: 0.0,
        lines: None,
        claimed,
    };
    Message { parcel: Parcel::new(outcome, Bytes::new()), expires: None }
}

/// Tries until the queue has it: nothing that was accepted is lost for want of a broker. When this
/// process ends before, the lease runs out and another manager claims the invocation anew.
async fn send_outcome(shared: &Shared, message: Message, delivery: Delivery) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    while let Err(error) = shared.queue.publish(&Address::Outcomes, message.clone()).await {
        tracing::debug!(error = %chain(&error), "outcome not published yet");
        backoff.pause().await;
    }
    if let Err(error) = delivery.ack().await {
        tracing::debug!(error = %chain(&error), "ack failed; the repeat will be refused its claim");
    }
}

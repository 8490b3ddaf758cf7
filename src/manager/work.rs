//! A piece of work: one attempt of one invocation, with the delivery that it came in. Every way of
//! settling it is here.
//!
//! Async work is nobody's until there is an instance for it: only then it is claimed (`begin.rs`). What waits without a
//! claim can be dropped at any time, and its message goes to somebody else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{in_hand::Taken, lives::Life, logs::Sink, shared::Shared};
use crate::{
    backoff::Backoff,
    error_chain::chain,
    model::{
        Body, HttpResponse, InstanceId, InvocationId, Mode, OwnerId, Phase, PhaseName, Phases, Revision,
        RevisionNumber, Start,
        message::{self, Claimed, Invoke, Outcome, Parcel, Verdict},
    },
    queue::{Address, Delivery, Message},
};

/// An answer is tried again for this long beyond everything that an invocation may take, as its caller waits.
const ANSWER_LATEST: Duration = Duration::from_secs(60);

pub struct Work {
    pub invoke: Invoke,
    pub payload: Bytes,
    /// Async: none until there is an instance for it.
    pub claim: Option<Held>,
    pub revision: Arc<Revision>,
    /// When this manager took the message: the zero of the phases it reports.
    pub taken: Instant,
    /// Sync: until then it waits for an instance.
    pub deadline: Option<Instant>,
    pub delivery: Delivery,
    /// How many instances ended before it began on them.
    pub handed: u8,
}

/// A claim that this manager has.
pub struct Held {
    pub attempt: u32,
    pub token: uuid::Uuid,
    pub failures: u32,
    pub losses: u32,
    /// The life in which it was made.
    pub life: Arc<Life>,
    /// It is ours until its outcome is with the queue.
    pub _in_hand: Taken,
}

/// How an attempt went, apart from the work itself.
pub struct Run {
    pub verdict: Verdict,
    pub result: Option<Body>,
    /// The response whose body the result is, of a web server.
    pub http: Option<HttpResponse>,
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
        let (phases, prewarmed, lines) = (Phases::new(), false, 0);
        let (result, http, instance, start) = (None, None, None, None);
        Self { verdict, result, http, instance, start, prewarmed, phases, lines }
    }
}

impl Work {
    /// The number of the attempt; sync invocations have one.
    pub fn attempt(&self) -> u32 {
        self.claim.as_ref().map_or(1, |claim| claim.attempt)
    }

    /// Returns whether a broker that has lost our connection may have sent its message a second time.
    pub fn is_delivered_again(&self) -> bool {
        self.invoke.mode == Mode::Async && self.delivery.redelivered
    }

    pub fn needs_claim(&self) -> bool {
        self.invoke.mode == Mode::Async && self.claim.is_none()
    }

    fn owner(&self, shared: &Shared) -> OwnerId {
        self.claim.as_ref().map_or_else(|| shared.lives.now().owner, |claim| claim.life.owner)
    }

    /// Tells what came of it. Sync: acked first, so that it is never run twice, then answered. Async:
    /// the outcome is confirmed by the queue first, then acked, so that it is never lost; that may
    /// take a while when the broker is away and happens beside everything else.
    pub async fn settle(self, shared: &Arc<Shared>, run: Run) {
        let manager_ms = self.taken.elapsed().as_secs_f64() * 1000.0;
        let verdict = run.verdict;
        let error_lines = verdict.error().map_or(0, |error| {
            let instance = run.instance.unwrap_or(InstanceId(uuid::Uuid::nil()));
            let attempt = Some((self.invoke.id, self.attempt()));
            let mut sink = Sink::new(shared, &self.revision, instance, attempt);
            sink.write_error(error);
            sink.lines
        });
        let outcome = Outcome {
            v: message::VERSION,
            id: self.invoke.id,
            attempt: self.attempt(),
            owner: Some(self.owner(shared)),
            revision: self.revision.number,
            instance: run.instance,
            start: run.start,
            prewarmed: run.prewarmed,
            verdict,
            content_type: run.result.as_ref().map(|body| body.content_type.clone()),
            http: run.http,
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
            claimed: self.claimed(),
        };
        let body = run.result.map(|body| body.bytes).unwrap_or_default();
        let id = outcome.id;
        let message = Message { parcel: Parcel::new(outcome, body), expires: None };
        let until = self.answer_until();
        match (self.invoke.mode, self.invoke.reply_to) {
            (Mode::Sync, reply_to) => {
                if let Err(error) = self.delivery.ack().await {
                    tracing::debug!(invocation = %id, error = %chain(&error), "ack failed");
                }
                answer(shared, reply_to, message, until).await;
            }
            (Mode::Async, _) => {
                let shared = shared.clone();
                shared.clone().tasks.spawn(async move {
                    send_outcome(&shared, message, self.delivery).await;
                    drop(self.claim);
                });
            }
        }
    }

    /// Returns whether its caller would not wait for its end any more, if it began now: what it waited for, such as an
    /// image that is made, has taken too long.
    pub fn is_too_late(&self, now: Instant) -> bool {
        let last = self.answer_until() - self.revision.spec.timeout;
        self.invoke.mode == Mode::Sync && now > last
    }

    /// The last moment at which somebody may wait for its answer.
    fn answer_until(&self) -> Instant {
        let spec = &self.revision.spec;
        self.deadline.unwrap_or(self.taken) + spec.load_limit() + spec.timeout + ANSWER_LATEST
    }

    fn claimed(&self) -> Option<Claimed> {
        let Invoke { function, accepted_at_ms, .. } = self.invoke;
        let Held { token, failures, losses, .. } = self.claim.as_ref()?;
        let (failures, losses) = (*failures, *losses);
        Some(Claimed { function, accepted_at_ms, failures, losses, token: Some(*token) })
    }

    /// Puts unstarted work back for another manager: sync is published again as it came and then
    /// acked, so that "redelivered" goes on meaning "a manager was lost"; an async message is nobody's yet.
    pub async fn give_back(self, shared: &Arc<Shared>) {
        if self.invoke.mode == Mode::Sync {
            let expires =
                self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            give_back_sync(shared, &self.invoke, &self.payload, expires, self.delivery).await;
        }
    }

    /// Its function was deleted before it began. An async one has ended with it, in the store.
    pub async fn cancel(self, shared: &Arc<Shared>) {
        if self.invoke.mode == Mode::Async {
            return drop(self.delivery.ack().await);
        }
        self.settle(shared, Run::without_instance(Verdict::deleted())).await;
    }

    /// It is stopped while it runs, which is not an outcome: the manager stops, or has lost its lease. Async: whoever
    /// claims it next runs it again. Sync: it cannot be run again, and the caller learns that now.
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
    let slot_left_ms = expires.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    let invoke = Invoke { slot_left_ms: slot_left_ms.or(invoke.slot_left_ms), ..invoke.clone() };
    let (id, function) = (invoke.id, invoke.function);
    let message = Message { parcel: Parcel::new(invoke, payload.clone()), expires };
    match shared.queue.publish(&Address::Function(function, Mode::Sync), message).await {
        Ok(()) => drop(delivery.ack().await),
        // Unacked, it comes back as redelivered and is answered as interrupted.
        Err(error) => {
            tracing::warn!(invocation = %id, error = %chain(&error), "work could not be given back");
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

/// Answers a sync caller who waits until then: a broker that does not take it now is asked again, beside everything
/// else.
async fn answer(shared: &Shared, to: Option<String>, message: Message, until: Instant) {
    let Some(to) = to else { return };
    let address = Address::Reply(to);
    match shared.queue.publish(&address, message.clone()).await {
        Err(error) if error.is_transient() => {
            let (queue, stop) = (shared.queue.clone(), shared.given_up.clone());
            shared.tasks.spawn(async move {
                let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
                let trying = async {
                    loop {
                        backoff.pause().await;
                        match queue.publish(&address, message.clone()).await {
                            Err(error) if error.is_transient() => {}
                            _ => return,
                        }
                    }
                };
                tokio::select! {
                    () = trying => {}
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep_until(until.into()) => {}
                }
            });
        }
        Err(error) => tracing::debug!(error = %chain(&error), "reply not delivered"),
        Ok(()) => {}
    }
}

/// A reply that no attempt stands behind.
pub fn bare_reply(
    shared: &Shared,
    id: InvocationId,
    revision: RevisionNumber,
    verdict: Verdict,
) -> Message {
    let outcome = Outcome {
        v: message::VERSION,
        id,
        attempt: 1,
        owner: Some(shared.lives.now().owner),
        revision,
        instance: None,
        start: None,
        prewarmed: false,
        verdict,
        content_type: None,
        http: None,
        phases: Phases::new(),
        manager_ms: 0.0,
        lines: None,
        claimed: None,
    };
    Message { parcel: Parcel::new(outcome, Bytes::new()), expires: None }
}

/// Tries until the queue has it: nothing that was accepted is lost for want of a broker. When this
/// process ends before, its lease is ended and another manager claims the invocation anew.
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

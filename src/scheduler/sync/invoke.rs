//! Sync invocations: admitted, published, awaited. What the caller is told is in `response.rs`, what is
//! kept of it in `record.rs`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    pending::{Arrival, Pending, Told},
    record::ended_record,
    response::{answered, hint_at_json, interrupted, no_broker, no_instance, throttled},
};
use crate::{
    error_chain::chain,
    http::Failure,
    lifecycle::Ending,
    model::{
        Call, Ended, InvocationId, Mode,
        api::Unusable,
        message::{self, Invoke, Outcome, Parcel},
    },
    payload,
    queue::{self, Address, Message},
    scheduler::{Scheduler, cached_function::CachedFunction, input::Input},
    store,
};

/// A manager that took a message in the last moment of its life in the queue has said so by then
/// (it does after 1 s, looking every 0.5 s).
const UNDERWAY_GRACE: Duration = Duration::from_millis(2500);
/// The wait for a first word is counted in such steps; each that took longer counts as one.
const STEP: Duration = Duration::from_secs(1);
/// Beyond the limits of loading and running: a start, and the way back.
const LATEST: Duration = Duration::from_secs(60);

/// A sync call could not be published.
#[derive(Debug, thiserror::Error)]
enum NotPublished {
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// Its queue is gone, and the store does not say whether its function is.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Scheduler {
    /// Publishes a call and waits for what comes of it. Dropped while it waits for a slot, nothing has happened. Dropped
    /// later, the invocation goes on: its record is written all the same, and its slot is free when it has ended or can
    /// no longer be taken.
    pub async fn invoke(&self, mut call: Call) -> Result<Ended, Failure> {
        let (accepted, accepted_at) = (Instant::now(), self.clock.now());
        let arrival = call.http.as_mut().and_then(|http| http.arrival.as_mut());
        let rules = arrival.and_then(|arrival| arrival.rules.take());
        let (id, function) = (call.id, self.functions.find_under(&call.function, rules).await?);
        let in_flight = self.enter(&function)?;
        let input = Input::of(&function, call).await?;
        // Bodies of requests reach the handler as text, forms too.
        let is_form = input.http.is_none() && payload::is_form(&input.payload.content_type);
        let http = input.http.clone();
        let arrival =
            Arrival { function: function.clone(), accepted, accepted_at, http, _in_flight: in_flight };
        let slot = accepted + self.limits.queue_wait;
        let before = Instant::now();
        let Some(sync_slot) = function.slots().enter(slot.into()).await else {
            self.conclude(id, &arrival, Err(Ending::throttled()));
            return Err(no_instance(&function, self.limits.queue_wait).invocation(id).into());
        };
        let waited = before.elapsed();
        let (tell, told) = oneshot::channel();
        let pending = Pending {
            arrival,
            admitted: None,
            owner: None,
            until: slot + function.load_limit + function.timeout + LATEST,
            tell,
            taken_by: slot + UNDERWAY_GRACE,
            sync_slot,
        };
        let reply_to = self.replies.get().ok_or_else(no_broker)?;
        self.pending.insert(id, pending);
        // Lost since: whoever waits for its replies was told so before this one came.
        if self.replies.get().as_ref() != Some(&reply_to) {
            self.pending.remove(id);
            return Err(no_broker().into());
        }
        let left = self.limits.queue_wait.saturating_sub(waited);
        let parcel = self.message(id, &function, (accepted_at, left), input, reply_to);
        let message = Message { parcel, expires: Some(left) };
        if let Err(error) = self.publish_sync(&function, message).await {
            let pending = self.pending.remove(id);
            return Err(self.publish_failed(&function, error, id, pending).await);
        }
        self.pending
            .with(id, |pending| pending.admitted = Some(accepted.elapsed().saturating_sub(waited)));
        let ended = self.await_reply(id, &function, told, accepted).await?;
        let hints = is_form && function.interface.is_protocol();
        Ok(if hints { hint_at_json(ended) } else { ended })
    }

    /// Payload and headers are not copied: they go with it.
    fn message(
        &self,
        id: InvocationId,
        function: &CachedFunction,
        (accepted_at, left): (Timestamp, Duration),
        input: Input,
        reply_to: String,
    ) -> Parcel {
        let Input { payload, headers, http } = input;
        let queue_wait = i64::try_from(self.limits.queue_wait.as_millis()).unwrap_or(i64::MAX);
        let invoke = Invoke {
            v: message::VERSION,
            id,
            mode: Mode::Sync,
            function: function.id,
            name: function.name.clone(),
            revision: function.revision,
            accepted_at_ms: accepted_at.as_millisecond(),
            slot_deadline_ms: Some(accepted_at.as_millisecond() + queue_wait),
            slot_left_ms: Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            content_type: payload.content_type,
            headers: headers.joined,
            header_list: headers.list,
            http,
            reply_to: Some(reply_to),
        };
        Parcel::new(invoke, payload.bytes)
    }

    /// Publishes to the function's queue, which is declared again if it is gone and the function is not.
    async fn publish_sync(
        &self,
        function: &CachedFunction,
        message: Message,
    ) -> Result<(), NotPublished> {
        match publish(&*self.queue, function, Mode::Sync, message.clone()).await {
            Err(queue::Error::NoQueue(address)) => match self.store.function(&function.name).await? {
                Some(found) if found.id == function.id => {
                    self.queue.declare(function.id).await?;
                    Ok(self.queue.publish(&address, message).await?)
                }
                _ => Err(queue::Error::NoQueue(address).into()),
            },
            other => Ok(other?),
        }
    }

    /// No queue means that the function has been deleted. What the broker did not confirm may have
    /// been sent all the same.
    async fn publish_failed(
        &self,
        function: &CachedFunction,
        error: NotPublished,
        id: InvocationId,
        pending: Option<Pending>,
    ) -> Failure {
        let error = match error {
            NotPublished::Queue(error) => error,
            // Nothing was published, and no record is kept.
            NotPublished::Store(error) => return error.into(),
        };
        if matches!(error, queue::Error::NoQueue(_)) {
            return self.functions.not_found(&function.name).into();
        }
        if matches!(error, queue::Error::Full(_)) {
            if let Some(pending) = pending {
                self.conclude(id, &pending.arrival, Err(Ending::throttled()));
            }
            let detail = format!("the queue of '{}' is full", function.name);
            return throttled(detail).invocation(id).into();
        }
        if error.is_transient() {
            tracing::debug!(invocation = %id, error = %chain(&error), "publishing not confirmed");
            if let Some(pending) = pending {
                self.conclude(id, &pending.arrival, Err(Ending::interrupted()));
            }
            return interrupted(id).into();
        }
        error.into()
    }

    async fn await_reply(
        &self,
        id: InvocationId,
        function: &CachedFunction,
        mut told: oneshot::Receiver<Told>,
        accepted: Instant,
    ) -> Result<Ended, Failure> {
        // Step by step: a process, or a whole machine, that stood still meanwhile has not waited.
        let slot = accepted + self.limits.queue_wait + UNDERWAY_GRACE;
        let mut left = slot.saturating_duration_since(Instant::now());
        while !left.is_zero() {
            let step = left.min(STEP);
            if let Ok(told) = tokio::time::timeout(step, &mut told).await {
                return self.answer(id, function, told);
            }
            left -= step;
        }
        let (underway, until) = self
            .pending
            .with(id, |pending| (pending.owner.is_some(), pending.until))
            // The reply has come in this moment and is in the channel.
            .unwrap_or((true, Instant::now() + UNDERWAY_GRACE));
        if underway && let Ok(told) = tokio::time::timeout_at(until.into(), &mut told).await {
            return self.answer(id, function, told);
        }
        match self.pending.remove(id) {
            None => self.answer(id, function, told.await),
            // Silence is no word for that it did not run: a manager may have been lost with it, or its answer.
            Some(pending) => {
                self.conclude(id, &pending.arrival, Err(Ending::interrupted()));
                let problem = interrupted(id);
                Err(match self.unusable(function).await {
                    Some(hint) => problem.hint(hint).into(),
                    None => problem.into(),
                })
            }
        }
    }

    /// Returns which manager cannot run a function, and why: there may be no other.
    async fn unusable(&self, function: &CachedFunction) -> Option<String> {
        let asked = tokio::time::timeout(STEP, self.store.unusable(function.id)).await;
        let Unusable { manager, reason } = asked.ok()?.ok()?.into_iter().next()?;
        let name = &function.name;
        Some(format!(
            "manager {manager} cannot run it: {reason}; `cloudfunc show {name}` names all that cannot, and another manager \
             has to be running"
        ))
    }

    fn answer(
        &self,
        id: InvocationId,
        function: &CachedFunction,
        told: Result<Told, oneshot::error::RecvError>,
    ) -> Result<Ended, Failure> {
        match told {
            Ok(Told::Outcome(outcome, bytes)) => {
                Ok(answered(function, self.limits.queue_wait, *outcome, bytes))
            }
            Ok(Told::Lost) | Err(_) => Err(interrupted(id).into()),
        }
    }

    /// Writes the record of a sync invocation that has ended, also when its caller has hung up. The
    /// outcome's phases are on our time line.
    pub fn conclude(
        &self,
        id: InvocationId,
        arrival: &Arrival,
        end: Result<(&Outcome, &Bytes), Ending>,
    ) {
        self.recorder.write(ended_record(id, arrival, end));
    }
}

/// Publishes to a function's queue; the first time it is declared.
pub async fn publish(
    queue: &dyn queue::Queue,
    function: &CachedFunction,
    mode: Mode,
    message: Message,
) -> Result<(), queue::Error> {
    let address = Address::Function(function.id, mode);
    if !function.is_declared() {
        queue.declare(function.id).await?;
        function.set_declared();
    }
    queue.publish(&address, message).await
}

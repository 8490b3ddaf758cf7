//! Sync invocations: published, awaited, answered.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::{
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    Scheduler,
    functions::Known,
    waiting::{Pending, Told},
};
use crate::{
    config::units::show_duration,
    http::{Answer, Failure, chain},
    model::{
        AttemptRecord, Body, FunctionError, FunctionName, InstanceId, InvocationId, Mode, Phase,
        Problem, ProblemCode, Record, ResultInfo, Start, State,
        api::header,
        code,
        message::{self, Invoke, Outcome, Verdict},
    },
    queue::{self, Address, Message},
    store::SyncRecord,
};

/// A manager that took a message in the last moment of its life in the queue has said so by then
/// (it does after 1 s, looking every 0.5 s).
const UNDERWAY_GRACE: Duration = Duration::from_millis(2500);
/// Beyond the invocation timeout: a start, a load, and the way back.
const LATEST: Duration = Duration::from_secs(90);
/// What a throttled caller is told to wait, in seconds.
const RETRY_AFTER: u64 = 1;

/// What a caller gets of an invocation that a manager has taken: also a failure says where and how
/// long it ran.
pub struct Answered {
    pub id: InvocationId,
    pub ending: Result<Body, Box<Problem>>,
    pub start: Option<Start>,
    pub instance: Option<InstanceId>,
    /// On the scheduler's time line.
    pub phases: Vec<Phase>,
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let mut response = match self.ending {
            Ok(Body { content_type, bytes }) => ([(CONTENT_TYPE, content_type)], bytes).into_response(),
            Err(problem) => Failure(problem).into_response(),
        };
        let timing: Vec<String> = self
            .phases
            .iter()
            .map(|phase| format!("{};dur={:.3}", phase.name, phase.duration_ms))
            .collect();
        let instance = self.instance.map(|instance| instance.to_string());
        let start = self.start.map(|start| start.as_str().to_owned());
        let timing = Some(timing.join(", ")).filter(|timing| !timing.is_empty());
        for (name, value) in [
            (header::INVOCATION_ID, Some(self.id.to_string())),
            (header::START, start),
            (header::INSTANCE, instance),
            (header::SERVER_TIMING, timing),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Scheduler {
    pub async fn invoke(
        &self,
        name: &FunctionName,
        payload: Body,
        headers: BTreeMap<String, String>,
    ) -> Answer<Answered> {
        let (accepted, accepted_at) = (Instant::now(), Timestamp::now());
        let function = self.functions.find(name).await?;
        let id = InvocationId::new();
        let in_flight = function
            .enter(self.limits.max_waiting.saturating_add(function.max_instances))
            .ok_or_else(|| {
            let waiting = self.limits.max_waiting;
            throttled(format!("{waiting} invocations of '{name}' are waiting already"))
        })?;
        let no_broker = || {
            Problem::new(code::UNAVAILABLE, "the message broker does not answer")
                .retry_after(RETRY_AFTER)
        };
        let reply_to = self.replies.get().ok_or_else(no_broker)?;
        let (tell, told) = oneshot::channel();
        let until = accepted + self.limits.queue_wait + function.timeout + LATEST;
        self.waiting.insert(
            id,
            Pending {
                function: function.clone(),
                accepted,
                accepted_at,
                admitted: Duration::ZERO,
                owner: None,
                until,
                tell: Some(tell),
                _in_flight: in_flight,
            },
        );
        // Lost since: whoever waits for its replies was told so before this one came.
        if self.replies.get().as_ref() != Some(&reply_to) {
            self.waiting.remove(id);
            return Err(no_broker().into());
        }
        let queue_wait = i64::try_from(self.limits.queue_wait.as_millis()).unwrap_or(i64::MAX);
        let invoke = Invoke {
            v: message::VERSION,
            id,
            mode: Mode::Sync,
            function: function.id,
            name: name.clone(),
            revision: function.revision,
            accepted_at_ms: accepted_at.as_millisecond(),
            slot_deadline_ms: Some(accepted_at.as_millisecond() + queue_wait),
            content_type: payload.content_type,
            headers,
            reply_to: Some(reply_to),
        };
        let message = Message {
            bytes: message::encode(&invoke, &payload.bytes),
            expires: Some(self.limits.queue_wait),
        };
        if let Err(error) = self.publish_sync(&function, message).await {
            let pending = self.waiting.remove(id);
            return Err(self.publish_failed(&function, error, id, pending).await);
        }
        self.waiting.with(id, |pending| pending.admitted = accepted.elapsed());
        self.await_reply(id, &function, told, accepted).await
    }

    /// A queue that is gone is made again, unless it went with its function.
    async fn publish_sync(&self, function: &Known, message: Message) -> Result<(), queue::Error> {
        match publish(&*self.queue, function, Mode::Sync, message.clone()).await {
            Err(queue::Error::NoQueue(address)) => match self.store.function(&function.name).await {
                Ok(Some(found)) if found.id == function.id => {
                    self.queue.declare(function.id).await?;
                    self.queue.publish(&address, message).await
                }
                _ => Err(queue::Error::NoQueue(address)),
            },
            other => other,
        }
    }

    /// No queue means that the function has been deleted. What the broker did not confirm may have
    /// been sent all the same.
    async fn publish_failed(
        &self,
        function: &Known,
        error: queue::Error,
        id: InvocationId,
        pending: Option<Pending>,
    ) -> Failure {
        if matches!(error, queue::Error::NoQueue(_)) {
            return self.functions.not_found(&function.name).into();
        }
        if error.is_transient() {
            tracing::debug!(invocation = %id, error = %chain(&error), "publishing not confirmed");
            if let Some(pending) = pending {
                self.conclude(id, pending, None, "interrupted");
            }
            return interrupted(id).into();
        }
        let Failure(problem) = error.into();
        problem.invocation(id).into()
    }

    async fn await_reply(
        &self,
        id: InvocationId,
        function: &Known,
        mut told: oneshot::Receiver<Told>,
        accepted: Instant,
    ) -> Answer<Answered> {
        let slot = accepted + self.limits.queue_wait + UNDERWAY_GRACE;
        if let Ok(told) = tokio::time::timeout_at(slot.into(), &mut told).await {
            return self.answer(id, function, told);
        }
        let (underway, until) = self
            .waiting
            .with(id, |pending| (pending.owner.is_some(), pending.until))
            // The reply has come in this moment and is in the channel.
            .unwrap_or((true, Instant::now() + UNDERWAY_GRACE));
        if underway && let Ok(told) = tokio::time::timeout_at(until.into(), &mut told).await {
            return self.answer(id, function, told);
        }
        match self.waiting.remove(id) {
            None => self.answer(id, function, told.await),
            Some(pending) if underway => {
                self.conclude(id, pending, None, "interrupted");
                Err(interrupted(id).into())
            }
            Some(pending) => {
                self.conclude(id, pending, None, "throttled");
                Err(self.no_instance(function).invocation(id).into())
            }
        }
    }

    fn no_instance(&self, function: &Known) -> Problem {
        let wait = show_duration(self.limits.queue_wait);
        throttled(format!("no instance of '{}' became free within {wait}", function.name))
    }

    /// What the caller is told of what came back.
    fn answer(
        &self,
        id: InvocationId,
        function: &Known,
        told: Result<Told, oneshot::error::RecvError>,
    ) -> Answer<Answered> {
        let Ok(Told::Outcome(outcome, bytes)) = told else { return Err(interrupted(id).into()) };
        let Outcome { start, instance, phases, content_type, verdict, .. } = *outcome;
        let problem = match verdict {
            Verdict::Succeeded => None,
            Verdict::Failed { error } => {
                let detail =
                    format!("function '{}' failed: {}: {}", function.name, error.kind, error.message);
                Some(of_function(code::FUNCTION_FAILED, detail, error))
            }
            Verdict::TimedOut { error } => {
                Some(of_function(code::FUNCTION_TIMED_OUT, error.message.clone(), error))
            }
            Verdict::Crashed { error } => {
                Some(of_function(code::FUNCTION_CRASHED, error.message.clone(), error))
            }
            Verdict::NotRun { throttled: true, .. } => Some(self.no_instance(function)),
            Verdict::NotRun { reason, .. } => Some(start_failed(function, &reason)),
            Verdict::Interrupted | Verdict::Underway => Some(interrupted(id)),
        };
        let ending = match problem {
            None => Ok(Body { content_type: content_type.unwrap_or_default(), bytes }),
            Some(problem) => Err(Box::new(problem.invocation(id))),
        };
        Ok(Answered { id, ending, start, instance, phases })
    }

    /// Writes the record of a sync invocation that has ended, whether anybody waits for it or not. The
    /// outcome's phases are on our time line.
    pub fn conclude(
        &self,
        id: InvocationId,
        pending: Pending,
        outcome: Option<(&Outcome, &Bytes)>,
        reason: &str,
    ) {
        self.recorder.write(record(id, &pending, outcome, reason));
    }
}

/// Publishes to a function's queue; the first time it is declared.
pub async fn publish(
    queue: &dyn queue::Queue,
    function: &Known,
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

fn throttled(detail: String) -> Problem {
    Problem::new(code::THROTTLED, detail)
        .retry_after(RETRY_AFTER)
        .hint("try again later, raise [scaling] max_instances, or invoke it asynchronously; 'cloudfunc status' tells whether a manager is running")
}

fn interrupted(id: InvocationId) -> Problem {
    Problem::new(
        code::INTERRUPTED,
        "a part of the platform was lost while it had the invocation; whether it ran is not known",
    )
    .invocation(id)
}

fn of_function(code: ProblemCode, detail: String, error: FunctionError) -> Problem {
    let mut problem = Problem::new(code, detail);
    problem.error_type = Some(error.kind);
    problem.trace = error.trace;
    problem
}

fn start_failed(function: &Known, reason: &str) -> Problem {
    let detail = format!("function '{}' could not be started: {reason}", function.name);
    Problem::new(code::START_FAILED, detail)
        .retry_after(RETRY_AFTER)
        .hint("'cloudfunc logs --role manager' tells more")
}

/// All phases on the scheduler's time line: its own, then the manager's. Waiting in the queue goes on
/// until the manager's first phase, so that nothing is left out between them.
pub fn phases(pending: &Pending, outcome: &Outcome) -> Vec<Phase> {
    let total_ms = pending.accepted.elapsed().as_secs_f64() * 1000.0;
    let admit = pending.admitted.as_secs_f64() * 1000.0;
    let taken = admit + (total_ms - outcome.manager_ms - admit).max(0.0);
    let begun = taken + outcome.phases.first().map_or(outcome.manager_ms, |first| first.start_ms);
    let phase =
        |name: &str, start_ms, duration_ms| Phase { name: name.to_owned(), start_ms, duration_ms };
    let mut all = vec![phase("admit", 0.0, admit), phase("queue", admit, begun - admit)];
    all.extend(outcome.phases.iter().map(|own| phase(&own.name, own.start_ms + taken, own.duration_ms)));
    all
}

fn record(
    id: InvocationId,
    pending: &Pending,
    outcome: Option<(&Outcome, &Bytes)>,
    reason: &str,
) -> SyncRecord {
    let elapsed = pending.accepted.elapsed();
    let total_ms = elapsed.as_secs_f64() * 1000.0;
    let (verdict, result) = match outcome {
        Some((outcome, bytes)) => {
            let body = outcome.content_type.clone();
            (Some(outcome), body.map(|content_type| Body { content_type, bytes: bytes.clone() }))
        }
        None => (None, None),
    };
    let (state, reason) = match verdict.map(|outcome| &outcome.verdict) {
        Some(Verdict::NotRun { throttled: true, .. }) => (State::Expired, Some("throttled".to_owned())),
        Some(Verdict::NotRun { reason, .. }) => {
            (State::Expired, Some(format!("start_failed: {reason}")))
        }
        Some(verdict) => match verdict.state() {
            Some(state) => (state, None),
            None => (State::Crashed, Some("interrupted".to_owned())),
        },
        None if reason == "throttled" => (State::Expired, Some(reason.to_owned())),
        None => (State::Crashed, Some(reason.to_owned())),
    };
    // What could not be loaded was tried as well; what never got that far was not.
    let attempts =
        verdict.filter(|outcome| outcome.verdict.state().is_some()).map(|outcome| AttemptRecord {
            number: 1,
            revision: Some(outcome.revision),
            instance: outcome.instance,
            outcome: outcome.verdict.state(),
            error: outcome.verdict.error().cloned(),
        });
    SyncRecord {
        function: pending.function.id,
        record: Record {
            id,
            function: pending.function.name.clone(),
            mode: Mode::Sync,
            state,
            dead_letter: false,
            start: verdict.and_then(|outcome| outcome.start),
            prewarmed: verdict.is_some_and(|outcome| outcome.prewarmed),
            accepted_at: pending.accepted_at,
            finished_at: pending.accepted_at.checked_add(elapsed).ok(),
            duration_ms: Some(total_ms),
            attempts: attempts.into_iter().collect(),
            phases: verdict.map(|outcome| outcome.phases.clone()).unwrap_or_default(),
            result: result.as_ref().map(|body| ResultInfo {
                content_type: body.content_type.clone(),
                size: body.bytes.len() as u64,
            }),
            parent: None,
            reason,
        },
        result,
    }
}

/// The record of one that has not ended.
pub fn running_record(id: InvocationId, pending: &Pending) -> Record {
    Record {
        id,
        function: pending.function.name.clone(),
        mode: Mode::Sync,
        state: if pending.owner.is_some() { State::Running } else { State::Queued },
        dead_letter: false,
        start: None,
        prewarmed: false,
        accepted_at: pending.accepted_at,
        finished_at: None,
        duration_ms: None,
        attempts: Vec::new(),
        phases: Vec::new(),
        result: None,
        parent: None,
        reason: None,
    }
}

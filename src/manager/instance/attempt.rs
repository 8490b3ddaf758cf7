//! The parts of an attempt that are the same whether an instance runs one at a time or several.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{
        shared::Shared,
        start_failure::function_error,
        work::{Run, Work},
    },
    Instance,
    crash::Lost,
    for_callers::for_callers,
};
use crate::{
    model::{
        Body, InstanceId, InvocationId, Phase, PhaseName, Phases, Revision, Start, message::Verdict,
    },
    runtime::{Finished, Invoke},
    units::show_duration,
};

/// Limit of a payload, in bytes, in the debug log.
const SHOWN_PAYLOAD: usize = 1024;

/// An instance, as an attempt in it sees it.
#[derive(Clone, Copy)]
pub(super) struct AttemptContext<'a> {
    pub shared: &'a Arc<Shared>,
    pub id: InstanceId,
    pub revision: &'a Arc<Revision>,
    with_context: bool,
    prewarmed: bool,
    begun: Instant,
    ready: Instant,
    loaded: Instant,
}

/// The end of an attempt in a guest.
pub(super) enum End {
    Finished(Finished),
    /// After this long.
    TimedOut(Duration),
    /// After this long, in an instance that is not stopped before other attempts have ended.
    Overran(Duration),
    Lost(Lost),
}

impl Instance {
    pub(super) fn context(&self) -> AttemptContext<'_> {
        AttemptContext {
            shared: &self.shared,
            id: self.id,
            revision: &self.revision,
            with_context: self.guest.with_context(),
            prewarmed: self.prewarmed,
            begun: self.begun,
            ready: self.ready,
            loaded: self.loaded,
        }
    }
}

impl AttemptContext<'_> {
    /// Returns the same one, borrowed from somebody else than the instance.
    pub(super) fn held_by<'a>(
        &self,
        shared: &'a Arc<Shared>,
        revision: &'a Arc<Revision>,
    ) -> AttemptContext<'a> {
        AttemptContext { shared, revision, ..*self }
    }

    /// Makes the message to the guest; takes headers and content type from the work.
    pub(super) fn invoke(&self, work: &mut Work, start: Start) -> Invoke {
        let function = self.revision.name.as_str();
        tracing::info!(function, invocation = %work.invoke.id, attempt = work.attempt(), payload_bytes = work.payload.len(), start = start.as_str(), "executing");
        let shown = &work.payload[..work.payload.len().min(SHOWN_PAYLOAD)];
        tracing::debug!(invocation = %work.invoke.id, payload = %String::from_utf8_lossy(shown), "payload");
        let headers = std::mem::take(&mut work.invoke.headers);
        let limit = self.revision.spec.timeout;
        Invoke {
            id: work.invoke.id,
            attempt: work.attempt(),
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: if self.with_context { headers } else { BTreeMap::new() },
            content_type: std::mem::take(&mut work.invoke.content_type),
            http: None,
        }
    }

    /// Says what came of an attempt that began in the guest at `begun` and has just ended, with the number of `lines` that
    /// it wrote.
    pub(super) fn run(&self, work: &Work, start: Start, begun: Instant, end: End, lines: u64) -> Run {
        let (verdict, result) = match end {
            End::Finished(Finished::Result(body)) => (Verdict::Succeeded, Some(body)),
            End::Finished(Finished::Error(error)) => {
                (Verdict::Failed { error: for_callers(error, self.revision) }, None)
            }
            End::TimedOut(limit) => (timed_out(limit, " and was stopped"), None),
            End::Overran(limit) => {
                let rest = "; its instance ends once the other invocations in it have ended";
                (timed_out(limit, rest), None)
            }
            End::Lost(Lost::Crashed(error)) => {
                (Verdict::Crashed { error: for_callers(error, self.revision) }, None)
            }
            End::Lost(Lost::FromOutside(reason)) => (Verdict::Unfinished { reason }, None),
        };
        let ended = Instant::now();
        self.log_outcome(work.invoke.id, &verdict, result.as_ref(), lines, ended - begun);
        let mut phases = Phases::new();
        if start == Start::Cold {
            phases.push(phase(PhaseName::Start, work.taken, self.begun, self.ready));
            phases.push(phase(PhaseName::Load, work.taken, self.ready, self.loaded));
        }
        phases.push(phase(PhaseName::Run, work.taken, begun, ended));
        let prewarmed = self.prewarmed && start == Start::Cold;
        let instance = Some(self.id);
        Run { verdict, result, instance, start: Some(start), prewarmed, phases, lines }
    }

    /// Says in the platform's log how an invocation ended.
    fn log_outcome(
        &self,
        invocation: InvocationId,
        verdict: &Verdict,
        result: Option<&Body>,
        lines: u64,
        duration: Duration,
    ) {
        let function = self.revision.name.as_str();
        // To a microsecond: more would be noise.
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        if let Some(body) = result {
            tracing::info!(function, lines, result_bytes = body.bytes.len(), "function output");
        }
        if let Verdict::Unfinished { reason } = verdict {
            tracing::warn!(function, %invocation, duration_ms, reason, "invocation not finished");
            return;
        }
        match verdict.error() {
            None => tracing::info!(function, %invocation, duration_ms, "successfully invoked"),
            Some(error) => {
                tracing::info!(function, %invocation, duration_ms, error = error.kind, "invocation failed");
            }
        }
    }
}

fn timed_out(limit: Duration, rest: &str) -> Verdict {
    let limit = show_duration(limit);
    let message = format!("the function did not answer within its timeout of {limit}{rest}");
    Verdict::TimedOut { error: function_error("timeout", message) }
}

/// A stretch of time in milliseconds since the work was taken; a start that began for another work
/// before this one came counts from then.
fn phase(name: PhaseName, zero: Instant, from: Instant, to: Instant) -> Phase {
    let from = from.max(zero);
    let to = to.max(from);
    Phase {
        name,
        start_ms: (from - zero).as_secs_f64() * 1000.0,
        duration_ms: (to - from).as_secs_f64() * 1000.0,
    }
}

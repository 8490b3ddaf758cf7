//! One invocation in an instance.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    super::{
        logs::Sink,
        start_failure::function_error,
        work::{Run, Work},
    },
    Instance,
    advice::advised,
    crash::Lost,
};
use crate::{
    model::{Body, InvocationId, Phase, PhaseName, Phases, Start, message::Verdict},
    runtime::{Finished, GuestError, Invoke},
    units::show_duration,
};

/// Limit of a payload, in bytes, in the debug log.
const SHOWN_PAYLOAD: usize = 1024;

impl Instance {
    /// Runs one job; answers what came of it, and whether the instance can run another.
    pub(super) async fn run(&mut self, work: &mut Work, start: Start) -> (Run, bool) {
        let revision = self.revision.clone();
        let limit = revision.spec.timeout;
        let function = revision.name.as_str();
        tracing::info!(function, invocation = %work.invoke.id, attempt = work.attempt(), payload_bytes = work.payload.len(), start = start.as_str(), "executing");
        let shown = &work.payload[..work.payload.len().min(SHOWN_PAYLOAD)];
        tracing::debug!(invocation = %work.invoke.id, payload = %String::from_utf8_lossy(shown), "payload");
        let headers = std::mem::take(&mut work.invoke.headers);
        let invoke = Invoke {
            id: work.invoke.id,
            attempt: work.attempt(),
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: if self.guest.with_context() { headers } else { BTreeMap::new() },
            content_type: std::mem::take(&mut work.invoke.content_type),
        };
        let begun = Instant::now();
        let mut sink =
            Sink::new(&self.shared, &revision, self.id, Some((work.invoke.id, work.attempt())));
        let answer =
            self.guest.invoke(&invoke, &work.payload, limit, &mut |line| sink.write(line)).await;
        let lines = sink.lines;
        let (verdict, result, usable) = match answer {
            Ok(Finished::Result(body)) => (Verdict::Succeeded, Some(body), true),
            Ok(Finished::Error(error)) => {
                (Verdict::Failed { error: advised(error, &revision.spec) }, None, true)
            }
            Err(GuestError::TimedOut(limit)) => {
                let limit = show_duration(limit);
                let message =
                    format!("the function did not answer within its timeout of {limit} and was stopped");
                (Verdict::TimedOut { error: function_error("timeout", message) }, None, false)
            }
            Err(error) => {
                let verdict = match self.crash(error).await {
                    Lost::Crashed(error) => Verdict::Crashed { error: advised(error, &revision.spec) },
                    Lost::FromOutside(reason) => Verdict::Unfinished { reason },
                };
                (verdict, None, false)
            }
        };
        let ended = Instant::now();
        self.log_outcome(function, work.invoke.id, &verdict, result.as_ref(), lines, ended - begun);
        let mut phases = Phases::new();
        if start == Start::Cold {
            phases.push(phase(PhaseName::Start, work.taken, self.begun, self.ready));
            phases.push(phase(PhaseName::Load, work.taken, self.ready, self.loaded));
        }
        phases.push(phase(PhaseName::Run, work.taken, begun, ended));
        let prewarmed = self.prewarmed && start == Start::Cold;
        let instance = Some(self.id);
        (Run { verdict, result, instance, start: Some(start), prewarmed, phases, lines }, usable)
    }

    /// Says in the platform's log how an invocation ended.
    fn log_outcome(
        &self,
        function: &str,
        invocation: InvocationId,
        verdict: &Verdict,
        result: Option<&Body>,
        lines: u64,
        duration: Duration,
    ) {
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

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
    for_callers::{for_callers, of_bare_call},
};
use crate::{
    model::{
        Body, FunctionError, HttpResponse, InstanceId, Interface, InvocationId, Phase, PhaseName,
        Phases, Revision, Start,
        message::{self, Verdict},
    },
    runtime::{Finished, Invoke, RequestHead},
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
#[derive(Debug)]
pub(super) enum End {
    Finished(Finished),
    /// The invocation's own process ended, in a guest that goes on.
    Crashed(FunctionError),
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
        let limit = self.revision.spec.timeout;
        let is_request = work.invoke.http.is_some() || self.is_web_server();
        let http = is_request.then(|| request(&mut work.invoke, work.payload.len()));
        // Those of a request are in it.
        let headers = std::mem::take(&mut work.invoke.headers);
        Invoke {
            id: work.invoke.id,
            attempt: work.attempt(),
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: if self.with_context { headers } else { BTreeMap::new() },
            content_type: std::mem::take(&mut work.invoke.content_type),
            http,
        }
    }

    /// Returns whether every invocation is a request, also one whose caller has named none.
    fn is_web_server(&self) -> bool {
        matches!(self.revision.spec.interface, Interface::Http { .. })
    }

    /// Says what came of an attempt that began in the guest at `begun` and has just ended, with the number of `lines` that
    /// it wrote.
    pub(super) fn run(&self, work: &Work, start: Start, begun: Instant, end: End, lines: u64) -> Run {
        let mut http = None;
        let (verdict, result) = match end {
            End::Finished(Finished::Result(body)) => (Verdict::Succeeded, Some(body)),
            End::Finished(Finished::Response(response, body)) => {
                let verdict = match of_response(&response, self.is_web_server()) {
                    Verdict::Failed { error } => {
                        Verdict::Failed { error: for_callers(error, self.revision) }
                    }
                    verdict => verdict,
                };
                http = Some(response);
                (verdict, Some(body))
            }
            End::Finished(Finished::Error(error)) => {
                let error = for_callers(error, self.revision);
                let error = match &work.invoke.http {
                    Some(_) => error,
                    None => of_bare_call(error, &self.revision.spec),
                };
                (Verdict::Failed { error }, None)
            }
            End::TimedOut(limit) => (timed_out(limit, " and was stopped"), None),
            End::Overran(limit) => {
                let rest = "; its instance ends once the other invocations in it have ended";
                (timed_out(limit, rest), None)
            }
            End::Crashed(error) | End::Lost(Lost::Crashed(error)) => {
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
        Run { verdict, result, http, instance, start: Some(start), prewarmed, phases, lines }
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

/// Returns the request of an invocation with a body of this length, whose caller may have named none; takes its headers.
fn request(invoke: &mut message::Invoke, length: usize) -> RequestHead {
    let mut joined = std::mem::take(&mut invoke.headers);
    joined.remove("content-length");
    let mut headers = invoke.header_list.take().unwrap_or_else(|| joined.into_iter().collect());
    if length > 0 {
        headers.push(("content-length".to_owned(), length.to_string()));
    }
    RequestHead { request: invoke.http.clone().unwrap_or_default(), headers }
}

/// Returns what a response says of its invocation.
fn of_response(response: &HttpResponse, is_web_server: bool) -> Verdict {
    if !response.is_failure() {
        return Verdict::Succeeded;
    }
    let status = response.status;
    let answerer = if is_web_server { "server" } else { "function" };
    let message = format!("the {answerer} answered {status}");
    Verdict::Failed { error: function_error(&format!("http_{status}"), message) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FunctionId, HttpRequest, Mode, RevisionNumber};

    fn invoke(http: Option<HttpRequest>, list: Option<Vec<(String, String)>>) -> message::Invoke {
        message::Invoke {
            v: message::VERSION,
            id: InvocationId::new(),
            function: FunctionId::new(),
            name: "shop".parse().unwrap(),
            revision: RevisionNumber(1),
            mode: Mode::Sync,
            accepted_at_ms: 0,
            slot_deadline_ms: None,
            slot_left_ms: None,
            content_type: "text/plain".to_owned(),
            headers: BTreeMap::from([("a".to_owned(), "1, 2".to_owned())]),
            header_list: list,
            http,
            reply_to: None,
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_server_gets_the_callers_request_or_a_post() {
        let head = request(&mut invoke(None, None), 0);
        assert_eq!((head.request.method.as_str(), head.request.target().as_str()), ("POST", "/"));
        assert_eq!(head.headers, [pair("a", "1, 2")]);
        let query = Some("b=1".to_owned());
        let (method, path) = ("GET".to_owned(), "/x".to_owned());
        let given = HttpRequest { method, path, query, arrival: None };
        let list = vec![pair("a", "1"), pair("a", "2")];
        let mut work = invoke(Some(given.clone()), Some(list.clone()));
        assert_eq!(request(&mut work, 0), RequestHead { request: given, headers: list });
        assert!(work.headers.is_empty(), "they are not sent twice");
    }

    #[test]
    fn a_request_with_a_body_says_its_length_once_however_its_headers_came() {
        for list in [None, Some(vec![pair("a", "1"), pair("a", "2")])] {
            let mut work = invoke(None, list);
            work.headers.extend([pair("content-length", "7")]);
            let headers = request(&mut work, 7).headers;
            let said: Vec<_> = headers.iter().filter(|(name, _)| name == "content-length").collect();
            assert_eq!(said, [&pair("content-length", "7")]);
            let mut work = invoke(None, None);
            work.headers.extend([pair("content-length", "0")]);
            assert_eq!(request(&mut work, 0).headers, [pair("a", "1, 2")]);
        }
    }

    #[test]
    fn an_answer_of_500_or_above_is_a_failure() {
        let verdict = |status, is_web_server| {
            of_response(&HttpResponse { status, headers: Vec::new() }, is_web_server)
        };
        for status in [200, 301, 404, 499] {
            assert_eq!(verdict(status, true), Verdict::Succeeded);
            assert_eq!(verdict(status, false), Verdict::Succeeded);
        }
        let failed =
            |message: &str| Verdict::Failed { error: function_error("http_503", message.to_owned()) };
        assert_eq!(verdict(503, true), failed("the server answered 503"));
        assert_eq!(verdict(503, false), failed("the function answered 503"));
    }
}

//! The outcome of an invocation, printed the same way by `invoke`, `run` and `invocation wait`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Error, Exit, Output, text::milliseconds};
use crate::{
    client::{self, CallOptions, InvokeAnswer, Outcome, ServerAnswer},
    error::{Kind, exit_of},
    lifecycle,
    model::{
        Body, FunctionError, HttpRequest, HttpResponse, InvocationId, Problem, Record, Start, State,
        code, rounded,
    },
};

/// The end of an invocation.
pub struct Answer {
    id: InvocationId,
    state: State,
    start: Option<Start>,
    duration_ms: Option<f64>,
    instance: Option<String>,
    /// Status and headers of an HTTP response; of a record, the status alone.
    http: Option<HttpResponse>,
    /// Advice shown with a value.
    advice: Option<String>,
    ending: Ending,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Ending {
    Value(Body),
    Failed {
        /// The body of an HTTP response that says that the function has failed.
        body: Option<Body>,
        exit: Exit,
        message: String,
        hint: Option<String>,
        error: Option<FunctionError>,
        kind: Kind,
    },
}

/// The document that `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    id: InvocationId,
    state: State,
    start: Option<Start>,
    #[serde(serialize_with = "rounded::option")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<&'a HttpResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    /// The value itself when it is JSON, a string when it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    /// A value that is neither JSON nor text.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_base64: Option<String>,
    error: Option<&'a FunctionError>,
}

impl Answer {
    /// Takes the answer of a call. `waited_ms`, the time that the caller waited, is the duration if the
    /// platform does not give one.
    pub fn of_call(answer: InvokeAnswer, waited_ms: f64) -> Self {
        let duration_ms = answer.duration_ms().or(Some(waited_ms));
        let InvokeAnswer { id, start, instance, phases: _, outcome, http } = answer;
        let (http, body) = match http {
            Some(ServerAnswer { response, body }) => (Some(response), Some(body)),
            None => (None, None),
        };
        let (state, ending) = match outcome {
            Outcome::Value(body) => (State::Succeeded, Ending::Value(body)),
            Outcome::Failed(problem) => (state_of(&problem), Ending::of_problem(*problem, body)),
        };
        Self { id, state, start, duration_ms, instance, http, advice: None, ending }
    }

    /// Adds advice where a server does not take `POST`, which a call is sent as unless it says otherwise.
    pub fn advised(mut self, options: &CallOptions) -> Self {
        let request = options.http.clone().unwrap_or_default();
        let is_refused = self.http.as_ref().is_some_and(|http| matches!(http.status, 405 | 501));
        if is_refused && request.method == HttpRequest::default().method {
            let sent = format!("{} {}", request.method, request.target());
            let advice = format!("it was sent {sent}; --method and --path say otherwise");
            match &mut self.ending {
                Ending::Value(_) => self.advice = Some(advice),
                Ending::Failed { hint, .. } => {
                    hint.get_or_insert(advice);
                }
            }
        }
        self
    }

    /// Takes a terminal record; `value` is its result if it succeeded.
    pub fn of_record(record: Record, value: Option<Body>) -> Self {
        let ending = match value {
            Some(value) => Ending::Value(value),
            None => Ending::of_record(&record),
        };
        let http = record.http_status().map(|status| HttpResponse { status, headers: Vec::new() });
        let Record { id, state, start, duration_ms, .. } = record;
        Self { id, state, start, duration_ms, instance: None, http, advice: None, ending }
    }

    /// Prints the value on stdout and one line on stderr; returns a failure as the error to end with.
    pub fn print(self, out: &Output) -> Result<(), Error> {
        self.print_as(out, Output::bytes, |out, document| out.document(document))
    }

    /// Prints the answer as one of several: each begins on a line of its own.
    pub fn print_in_row(self, out: &Output) -> Result<(), Error> {
        self.print_as(out, Output::bytes_in_row, |out, document| out.json_line(document))
    }

    fn print_as(
        self,
        out: &Output,
        value: impl FnOnce(&Output, &[u8]) -> Result<(), Error>,
        document: impl FnOnce(&Output, &Document<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // The function has run: a user who cannot read the result should at least know that there is no need to
        // run it again.
        let told = |error: Error| {
            if error.reason.is_some() {
                out.warn(&format!("the invocation has ended all the same: {}", self.line()));
            }
            error
        };
        if out.json() {
            document(out, &self.document()).map_err(told)?;
        } else {
            match &self.ending {
                Ending::Value(body) | Ending::Failed { body: Some(body), .. } => {
                    value(out, &body.bytes).map_err(told)?;
                }
                Ending::Failed { error: Some(FunctionError { trace: Some(trace), .. }), .. } => {
                    out.report(trace);
                }
                Ending::Failed { .. } => {}
            }
            if let Some(response) = &self.http {
                tell(response, out);
            }
            out.note(&self.line());
            if let Some(advice) = &self.advice {
                out.hint(advice);
            }
        }
        match self.ending {
            Ending::Value(_) => Ok(()),
            Ending::Failed { exit, message, hint, kind, .. } => {
                let message = out.foreign_stderr(&message).into_owned();
                let kind = Kind { invocation: Some(self.id), ..kind };
                Err(Error { hint, ..Error::new(exit, anyhow::Error::msg(message)) }.of(kind))
            }
        }
    }

    /// Formats the line on stderr: `cold start · 412 ms · id …`.
    fn line(&self) -> String {
        let mut parts = Vec::new();
        if self.state != State::Succeeded {
            parts.push(self.state.to_string());
        }
        parts.extend(self.start.map(|start| format!("{} start", start.as_str())));
        parts.extend(self.duration_ms.map(milliseconds));
        parts.push(format!("id {}", self.id));
        parts.join(" · ")
    }

    fn document(&self) -> Document<'_> {
        let mut document = Document {
            id: self.id,
            state: self.state,
            start: self.start,
            duration_ms: self.duration_ms,
            instance: self.instance.as_deref(),
            http: self.http.as_ref(),
            content_type: None,
            result: None,
            result_base64: None,
            error: None,
        };
        match &self.ending {
            Ending::Failed { error, body, .. } => {
                document.error = error.as_ref();
                if let Some(body) = body {
                    document.add(body);
                }
            }
            Ending::Value(body) => document.add(body),
        }
        document
    }
}

impl<'a> Document<'a> {
    fn add(&mut self, body: &'a Body) {
        self.content_type = Some(&body.content_type);
        self.result = embedded(body);
        self.result_base64 = self.result.is_none().then(|| BASE64_STANDARD.encode(&body.bytes));
    }
}

/// Says on stderr what an HTTP response has besides the body: a status other than 2xx, or on request everything.
fn tell(response: &HttpResponse, out: &Output) {
    let status = format!("HTTP {}", response.status);
    if out.is_verbose() {
        out.detail(&status);
        response.headers.iter().for_each(|(name, value)| out.detail(&format!("{name}: {value}")));
    } else if !(200..300).contains(&response.status) {
        out.note(&status);
    }
}

impl Ending {
    fn of_problem(problem: Problem, body: Option<Body>) -> Self {
        let (exit, kind) = (exit_of(&problem), Kind::of(&problem));
        let error = FunctionError {
            kind: problem.error_type.unwrap_or(problem.code),
            message: problem.detail.clone(),
            trace: problem.trace,
            hint: None,
        };
        let (message, hint) = (problem.detail, problem.hint);
        Self::Failed { body, exit, message, hint, error: Some(error), kind }
    }

    fn of_record(record: &Record) -> Self {
        let error = record.attempts.last().and_then(|attempt| attempt.error.clone());
        let why = match (&error, &record.reason) {
            (Some(error), _) => format!(": {}", error.summary()),
            (None, Some(reason)) => format!(": {reason}"),
            (None, None) => String::new(),
        };
        let message = format!("the invocation of {} ended as {}{why}", record.function, record.state);
        let hint = error.as_ref().and_then(|error| error.hint.clone());
        let hint = hint.or_else(|| (record.state == State::TimedOut).then(|| of_timeout(record)));
        // A record that has not ended should never be asked about; it counts as a failure of the platform.
        let kind = lifecycle::Ending::of_record(record).map(|ending| ending.kind());
        let exit = kind.map_or(Exit::Platform, |kind| Exit::from(kind.exit()));
        let code = kind.map_or("platform", lifecycle::Kind::word);
        let kind = Kind { code: Some(code.to_owned()), ..Kind::default() };
        Self::Failed { body: None, exit, message, hint, error, kind }
    }
}

/// Advice on an invocation that ran out of time.
fn of_timeout(record: &Record) -> String {
    format!(
        "`cloudfunc logs {} --invocation {}` shows how far it came; if it needs more time, raise `timeout` (for \
         loading: `load_timeout`) in cloudfunc.toml",
        record.function, record.id
    )
}

fn state_of(problem: &Problem) -> State {
    if client::is(problem, code::FUNCTION_TIMED_OUT) {
        State::TimedOut
    } else if client::is(problem, code::FUNCTION_CRASHED) {
        State::Crashed
    } else {
        State::Failed
    }
}

/// Returns JSON as it came and text as a JSON string.
fn embedded(body: &Body) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(&body.bytes).ok()?;
    if body.content_type.starts_with("application/json") {
        return RawValue::from_string(text.to_owned()).ok();
    }
    let is_text = body.content_type.starts_with("text/");
    is_text.then(|| serde_json::value::to_raw_value(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: &str, bytes: &'static [u8]) -> Answer {
        let body = Body { content_type: content_type.to_owned(), bytes: bytes.into() };
        Answer {
            id: "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f".parse().unwrap(),
            state: State::Succeeded,
            start: Some(Start::Cold),
            duration_ms: Some(412.3),
            instance: None,
            http: None,
            advice: None,
            ending: Ending::Value(body),
        }
    }

    #[test]
    fn the_line_names_start_duration_and_id() {
        let line = answer("text/plain", b"x").line();
        assert_eq!(line, "cold start · 412 ms · id 01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f");
    }

    #[test]
    fn the_document_keeps_json_as_it_came() {
        let json = |answer: Answer| serde_json::to_string(&answer.document()).unwrap();
        let rest = |kind: &str, result: &str| {
            format!(
                "{{\"id\":\"01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f\",\"state\":\"succeeded\",\"start\":\"cold\",\
                 \"duration_ms\":412.3,\"content_type\":\"{kind}\",{result},\"error\":null}}"
            )
        };
        assert_eq!(
            json(answer("application/json", b"{\"a\":1.50}")),
            rest("application/json", "\"result\":{\"a\":1.50}")
        );
        assert_eq!(json(answer("text/plain", b"a\"b")), rest("text/plain", "\"result\":\"a\\\"b\""));
        assert_eq!(
            json(answer("application/octet-stream", b"\xff\x00")),
            rest("application/octet-stream", "\"result_base64\":\"/wA=\"")
        );
    }

    #[test]
    fn a_server_that_does_not_take_a_post_is_told_of_with_the_flags_that_say_otherwise() {
        let advice = |status: u16, method: Option<&str>, target: Option<&str>| {
            let http = Some(HttpResponse { status, headers: Vec::new() });
            let answer = Answer { http, ..answer("text/plain", b"") };
            let named = HttpRequest::named(method, target).unwrap();
            let http = (method.is_some() || target.is_some()).then_some(named);
            answer.advised(&CallOptions { http, headers: Vec::new() }).advice
        };
        let expected = Some("it was sent POST /; --method and --path say otherwise".to_owned());
        assert_eq!((advice(405, None, None), advice(501, None, None)), (expected.clone(), expected));
        let expected = "it was sent POST /a?b; --method and --path say otherwise";
        assert_eq!(advice(405, None, Some("/a?b")).as_deref(), Some(expected));
        assert_eq!((advice(405, Some("GET"), None), advice(404, None, None)), (None, None));
    }

    #[test]
    fn the_document_of_a_web_servers_failure_has_its_response() {
        let response = HttpResponse { status: 503, headers: vec![("x-a".to_owned(), "1".to_owned())] };
        let body = Body { content_type: "text/plain".to_owned(), bytes: "away".into() };
        let problem = Problem::new(code::FUNCTION_FAILED, "function 'f' failed");
        let answer = Answer {
            state: State::Failed,
            http: Some(response),
            ending: Ending::of_problem(problem, Some(body)),
            ..answer("text/plain", b"")
        };
        let document = serde_json::to_value(answer.document()).unwrap();
        assert_eq!(document["http"], serde_json::json!({ "status": 503, "headers": [["x-a", "1"]] }));
        assert_eq!((&document["result"], &document["state"]), (&"away".into(), &"failed".into()));
        assert_eq!(document["error"]["type"], "function_failed");
    }
}

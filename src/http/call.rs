//! A call between gateway and scheduler. Between processes it is an HTTP request, and what came of it a response;
//! within one process both stay what they are: typed values.

use std::fmt::Write as _;

use axum::{
    Json,
    body::Body as HttpBody,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{
    Answer, Failure, check_room, handler_headers,
    headers::seen_bytes,
    web_server::{arrival, name_request, named_request, respond, responded},
};
use crate::model::{
    ArrivedBy, Body, Call, CallAnswer, CallEnding, Ended, FunctionName, HttpRequest, InvocationId, Mode,
    Phase, Phases, Problem, Start, State,
    api::{Accepted, header as ours},
    code,
    message::MAX_BODY,
};

/// A call as an adapter of the gateway has it: decoded, and with the headers of one connection taken out.
#[derive(Debug)]
pub struct CallRequest {
    /// The id of the invocation that it becomes.
    pub id: InvocationId,
    pub function: FunctionName,
    pub headers: HeaderMap,
    pub payload: Bytes,
    /// The request by HTTP; none where the caller has named none.
    pub http: Option<HttpRequest>,
}

impl CallRequest {
    /// A call that came from another process, with the id that was chosen there.
    pub fn received(function: FunctionName, headers: HeaderMap, payload: Bytes) -> Answer<Self> {
        let id = text(&headers, ours::INVOCATION_ID).and_then(|id| id.parse().ok());
        let (id, mut http) = (id.unwrap_or_else(InvocationId::new), named_request(&headers)?);
        if let Some(arrival) = arrival(&headers)? {
            http.get_or_insert_default().arrival = Some(arrival);
        }
        Ok(Self { id, function, headers, payload, http })
    }

    /// The call as it goes to another process. No header of a caller has these names: the gateway takes those out.
    pub(super) fn sent(mut self) -> (FunctionName, HeaderMap, Bytes) {
        self.headers.insert(ours::INVOCATION_ID, ascii(self.id.to_string()));
        if let Some(request) = &self.http {
            name_request(request, &mut self.headers);
        }
        (self.function, self.headers, self.payload)
    }

    /// The call as the scheduler takes it.
    pub fn typed(self) -> Answer<Call> {
        let Self { id, function, headers, payload, http } = self;
        let beside = http.as_ref().map_or(0, size);
        let seen = handler_headers(&headers, payload.len(), beside)?;
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type =
            content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        // By HTTP, `Prefer` is the function's to read.
        let arrival = http.as_ref().and_then(|request| request.arrival.as_ref());
        let is_call = arrival.is_none_or(|arrival| arrival.by == ArrivedBy::Call);
        let mode = if is_call && wants_async(&headers) { Mode::Async } else { Mode::Sync };
        Ok(Call { id, function, payload, content_type, headers: seen, http, mode })
    }
}

/// Refuses headers that a call has no room for beside this request, before its payload has come.
pub fn check_room_for(headers: &HeaderMap, http: &HttpRequest) -> Answer<()> {
    check_room(seen_bytes(headers) + size(http))
}

/// Returns the bytes of a request that share the room of its headers.
fn size(request: &HttpRequest) -> usize {
    let parameters = request.arrival.iter().flat_map(|arrival| &arrival.parameters);
    request.size() + parameters.map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

fn wants_async(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

impl IntoResponse for CallAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Ended(ended) => ended.into_response(),
            Self::Accepted(id) => accepted(id),
        }
    }
}

fn accepted(id: InvocationId) -> Response {
    let answer = Accepted { id, state: State::Queued };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, ascii(format!("/v1/invocations/{id}")));
    headers.insert(ours::INVOCATION_ID, ascii(id.to_string()));
    headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
    response
}

impl IntoResponse for Ended {
    fn into_response(self) -> Response {
        let mut response = match self.ending {
            CallEnding::Value(Body { content_type, bytes }) => {
                let mut response = Response::new(HttpBody::from(bytes));
                // What no header can say is left to the caller's guess, as it is with a handler's own type.
                response.headers_mut().insert(header::CONTENT_TYPE, ascii(content_type));
                response
            }
            CallEnding::Response(response, body) => respond(&response, body),
            CallEnding::Problem(problem) => Failure(problem).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(ours::INVOCATION_ID, ascii(self.id.to_string()));
        if let Some(start) = self.start {
            headers.insert(ours::START, HeaderValue::from_static(start.as_str()));
        }
        if let Some(instance) = self.instance {
            headers.insert(ours::INSTANCE, ascii(instance.to_string()));
        }
        if !self.phases.is_empty() {
            headers.insert(ours::SERVER_TIMING, ascii(server_timing(&self.phases)));
        }
        response
    }
}

/// A header's value of text that is ASCII by its making; another one is empty.
fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// `admit;dur=0.021, run;dur=1.500`. In whole microseconds: to format a float takes several times as long.
fn server_timing(phases: &[Phase]) -> String {
    let mut text = String::with_capacity(24 * phases.len());
    for Phase { name, duration_ms, .. } in phases {
        let comma = if text.is_empty() { "" } else { ", " };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of time")]
        let us = (duration_ms * 1000.0).round() as u64;
        text.extend([comma, name.as_str(), ";dur="]);
        write!(text, "{}.{:03}", us / 1000, us % 1000).expect("a string takes all");
    }
    text
}

/// Reads what [`CallAnswer`] was written as. None: its body did not come whole.
pub(super) async fn read(response: Response) -> Option<Answer<CallAnswer>> {
    let (head, body) = response.into_parts();
    let headers = head.headers;
    let id = text(&headers, ours::INVOCATION_ID).and_then(|id| id.parse().ok());
    // Read in any case: a connection whose answer was not read to its end is not used again.
    let bytes = axum::body::to_bytes(body, 2 * MAX_BODY).await.ok()?;
    let of_server = responded(head.status, &headers);
    if of_server.is_none()
        && head.status == StatusCode::ACCEPTED
        && let Some(id) = id
    {
        return Some(Ok(CallAnswer::Accepted(id)));
    }
    let ending = if let Some(response) = of_server {
        CallEnding::Response(response, bytes)
    } else if head.status.is_success() {
        // An image of the user's own may answer with any bytes.
        let content_type =
            headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let content_type = String::from_utf8_lossy(content_type).into_owned();
        CallEnding::Value(Body { content_type, bytes })
    } else {
        CallEnding::Problem(serde_json::from_slice::<Box<Problem>>(&bytes).unwrap_or_else(|error| {
            tracing::error!(%error, status = head.status.as_u16(), "an answer that is not a problem");
            Box::new(Problem::new(code::INTERNAL, "the scheduler's answer cannot be read"))
        }))
    };
    let start = match text(&headers, ours::START) {
        Some("cold") => Some(Start::Cold),
        Some("warm") => Some(Start::Warm),
        _ => None,
    };
    let instance = text(&headers, ours::INSTANCE).and_then(|id| id.parse().ok());
    let phases = text(&headers, ours::SERVER_TIMING).map(phases).unwrap_or_default();
    Some(match (ending, id) {
        // Of a manager it would say more than the problem.
        (CallEnding::Problem(problem), _) if start.is_none() && phases.is_empty() => {
            Err(Failure(problem))
        }
        (ending, Some(id)) => Ok(CallAnswer::Ended(Ended { id, ending, start, instance, phases })),
        (CallEnding::Problem(problem), None) => Err(Failure(problem)),
        (_, None) => Err(Problem::new(code::INTERNAL, "the scheduler's answer has no id").into()),
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok())
}

/// What [`server_timing`] wrote.
fn phases(text: &str) -> Phases {
    let mut start_ms = 0.0;
    let phase = |entry: &str| {
        let (name, duration) = entry.trim().split_once(";dur=")?;
        let duration_ms: f64 = duration.parse().ok()?;
        let phase = Phase { name: name.into(), start_ms, duration_ms };
        start_ms += duration_ms;
        Some(phase)
    };
    text.split(',').filter_map(phase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arrival, HttpResponse, PhaseName};

    async fn there_and_back(answer: CallAnswer) -> Answer<CallAnswer> {
        read(answer.into_response()).await.expect("a whole body")
    }

    fn ended(ending: CallEnding) -> Ended {
        let phase = |name, start_ms, duration_ms| Phase { name, start_ms, duration_ms };
        Ended {
            id: InvocationId::new(),
            ending,
            start: Some(Start::Warm),
            instance: Some(crate::model::InstanceId::new()),
            phases: [phase(PhaseName::Admit, 0.0, 0.125), phase(PhaseName::Run, 0.125, 1.5)]
                .into_iter()
                .collect(),
        }
    }

    #[tokio::test]
    async fn a_value_comes_out_as_it_went_in() {
        let body = Body { content_type: "text/plain".to_owned(), bytes: Bytes::from_static(b"hello") };
        let sent = ended(CallEnding::Value(body.clone()));
        let (id, instance, phases) = (sent.id, sent.instance, sent.phases.clone());
        let Ok(CallAnswer::Ended(got)) = there_and_back(CallAnswer::Ended(sent)).await else { panic!() };
        assert_eq!((got.id, got.instance, got.start), (id, instance, Some(Start::Warm)));
        assert_eq!(got.phases, phases);
        let CallEnding::Value(value) = got.ending else { panic!() };
        assert_eq!((value.content_type, value.bytes), (body.content_type, body.bytes));
    }

    #[tokio::test]
    async fn a_failure_keeps_its_problem_and_where_it_ran() {
        let problem = Problem::new(code::FUNCTION_FAILED, "it raised").hint("look");
        let sent = ended(CallEnding::Problem(Box::new(problem)));
        let id = sent.id;
        let Ok(CallAnswer::Ended(got)) = there_and_back(CallAnswer::Ended(sent)).await else { panic!() };
        let CallEnding::Problem(problem) = got.ending else { panic!() };
        assert_eq!(
            (got.id, problem.detail.as_str(), problem.hint.as_deref()),
            (id, "it raised", Some("look"))
        );
        assert_eq!(got.phases.len(), 2);
    }

    #[tokio::test]
    async fn a_web_servers_response_is_no_problem_whatever_its_status() {
        for (status, body) in
            [(200, "page"), (202, "later"), (302, ""), (204, ""), (404, "none"), (503, "{}")]
        {
            let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let headers =
                vec![header("set-cookie", "a=1"), header("set-cookie", "b=2"), header("location", "/")];
            let response = HttpResponse { status, headers };
            let body = Bytes::from_static(body.as_bytes());
            let sent = ended(CallEnding::Response(response.clone(), body.clone()));
            let (id, phases) = (sent.id, sent.phases.clone());
            let Ok(CallAnswer::Ended(got)) = there_and_back(CallAnswer::Ended(sent)).await else {
                panic!()
            };
            assert_eq!((got.id, got.phases), (id, phases));
            let CallEnding::Response(same, bytes) = got.ending else { panic!("{status}") };
            assert_eq!((same, bytes), (response, body));
        }
    }

    #[test]
    fn a_call_of_a_web_server_comes_out_as_it_went_in() {
        let http = HttpRequest::named(Some("PUT"), Some("/a?b=1")).ok();
        let (id, function) = (InvocationId::new(), "f".parse::<FunctionName>().unwrap());
        let (headers, payload) = (HeaderMap::new(), Bytes::from_static(b"body"));
        let request =
            CallRequest { id, function: function.clone(), headers, payload, http: http.clone() };
        let (function_sent, headers, payload) = request.sent();
        let got = CallRequest::received(function_sent, headers, payload).unwrap().typed().unwrap();
        assert_eq!((got.id, got.function, got.http), (id, function, http));
        assert_eq!((&got.payload[..], got.content_type, got.mode), (&b"body"[..], None, Mode::Sync));
        assert_eq!(got.headers.joined.into_keys().collect::<Vec<_>>(), ["content-length"]);
    }

    #[test]
    fn a_request_by_http_is_sync_whatever_it_prefers_and_a_call_that_names_one_is_not() {
        for (by, expected) in [
            (None, Mode::Async),
            (Some(ArrivedBy::Call), Mode::Async),
            (Some(ArrivedBy::Name), Mode::Sync),
            (Some(ArrivedBy::Address), Mode::Sync),
        ] {
            let arrival = by.map(|by| Arrival {
                by,
                protocol: "HTTP/1.1".to_owned(),
                from: [192, 0, 2, 1].into(),
                at_ms: 1,
                route: None,
                parameters: [("a".to_owned(), "b".repeat(1000))].into(),
                rules: None,
            });
            let http = HttpRequest { arrival: arrival.map(Box::new), ..HttpRequest::default() };
            let (beside, http) = (size(&http), Some(http));
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static("respond-async"));
            let (id, function) = (InvocationId::new(), "f".parse::<FunctionName>().unwrap());
            let request =
                CallRequest { id, function, headers, payload: Bytes::new(), http: http.clone() };
            let (function, headers, payload) = request.sent();
            let got = CallRequest::received(function, headers, payload).unwrap().typed().unwrap();
            assert_eq!((got.mode, &got.http), (expected, &http), "{by:?}");
            assert_eq!(beside, if by.is_some() { 1006 } else { 5 });
        }
    }

    #[test]
    fn headers_that_a_call_has_no_room_for_are_refused_before_its_payload_has_come() {
        let http = HttpRequest::default();
        let with = |length: usize| {
            let mut headers = HeaderMap::new();
            headers.insert("x", HeaderValue::try_from("a".repeat(length)).unwrap());
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("6291456"));
            headers
        };
        // `POST /` takes five bytes.
        assert!(check_room_for(&with(24 * 1024 - 6), &http).is_ok());
        let Failure(problem) = check_room_for(&with(24 * 1024 - 5), &http).unwrap_err();
        let detail = "the request's headers have 24577 bytes, over the limit of 24 KiB";
        assert_eq!((problem.status, problem.detail.as_str()), (431, detail));
        let (id, function) = (InvocationId::new(), "f".parse::<FunctionName>().unwrap());
        let headers = with(24 * 1024 - 5);
        let call = CallRequest { id, function, headers, payload: Bytes::new(), http: Some(http) };
        assert_eq!(call.typed().unwrap_err().0.detail, detail, "the same as of the whole call");
    }

    #[tokio::test]
    async fn what_was_accepted_and_what_was_refused_are_told_apart() {
        let id = InvocationId::new();
        let got = there_and_back(CallAnswer::Accepted(id)).await;
        assert!(matches!(got, Ok(CallAnswer::Accepted(other)) if other == id));
        let refused = Failure::from(Problem::new(code::THROTTLED, "too many").retry_after(1));
        let got = read(refused.into_response()).await.unwrap();
        let Failure(problem) = got.unwrap_err();
        assert_eq!((problem.code.as_str(), problem.retry_after), ("throttled", Some(1)));
    }
}

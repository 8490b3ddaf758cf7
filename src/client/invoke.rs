//! Invocations and their outcomes.

use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};

use super::{Client, Error};
use crate::model::{
    Body, Fault, FunctionName, HttpRequest, HttpResponse, InvocationId, Problem, Start,
    api::{Accepted, header},
    code, route,
};

/// The parts of a call besides its payload.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The HTTP request that the function gets; none: `POST /` for a web server, and the payload alone for others.
    pub http: Option<HttpRequest>,
    /// Headers for the function: name and value.
    pub headers: Vec<(String, String)>,
}

/// A sync invocation that has ended.
#[derive(Debug)]
pub struct InvokeAnswer {
    pub id: InvocationId,
    pub start: Option<Start>,
    /// The id of the instance that ran it ([`Client::instances`] gives its container).
    pub instance: Option<String>,
    /// The phases in their order, in milliseconds.
    pub phases: Vec<(String, f64)>,
    pub outcome: Outcome,
    /// The response to an HTTP request, also of a function that has failed.
    pub http: Option<ServerAnswer>,
}

/// A function's response to an HTTP request.
#[derive(Clone, Debug)]
pub struct ServerAnswer {
    /// Status and headers.
    pub response: HttpResponse,
    pub body: Body,
}

/// The outcome of an invocation. Both are answers: the platform did what it was asked.
#[derive(Debug)]
pub enum Outcome {
    Value(Body),
    /// The function raised an error, crashed, exceeded its timeout, or answered with a status of 500 and above.
    Failed(Box<Problem>),
}

impl InvokeAnswer {
    /// Returns the sum of the phases, if the platform reports them: a record's duration also includes the way
    /// of the answer.
    pub fn duration_ms(&self) -> Option<f64> {
        (!self.phases.is_empty()).then(|| self.phases.iter().map(|(_, ms)| ms).sum())
    }
}

impl Client {
    /// Invokes a function and waits for the result.
    pub async fn invoke(&self, name: &FunctionName, payload: Body) -> Result<InvokeAnswer, Error> {
        self.invoke_with(name, payload, &CallOptions::default()).await
    }

    /// Like [`Self::invoke`], with more said than the payload.
    pub async fn invoke_with(
        &self,
        name: &FunctionName,
        payload: Body,
        options: &CallOptions,
    ) -> Result<InvokeAnswer, Error> {
        let response = self.answer(self.invocation(name, payload, options)).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let (outcome, http) = if let Some(outcome) = text(&headers, header::OUTCOME) {
            let http = ServerAnswer {
                response: response_of(status, &headers),
                body: self.body(response).await?,
            };
            let outcome = match outcome {
                "failed" => Outcome::Failed(failure_of(name, status)),
                _ => Outcome::Value(http.body.clone()),
            };
            (outcome, Some(http))
        } else if status.is_success() {
            (Outcome::Value(self.body(response).await?), None)
        } else {
            match self.refusal(response).await {
                Error::Problem(problem) if problem.fault == Fault::Function => {
                    (Outcome::Failed(problem), None)
                }
                error => return Err(error),
            }
        };
        let id = text(&headers, header::INVOCATION_ID).and_then(|id| id.parse().ok());
        let id = id.or(match &outcome {
            Outcome::Failed(problem) => problem.invocation_id,
            Outcome::Value(_) => None,
        });
        let id = id.ok_or_else(|| {
            Error::Protocol(format!("status {status} without the header {}", header::INVOCATION_ID))
        })?;
        let start = match text(&headers, header::START) {
            Some("cold") => Some(Start::Cold),
            Some("warm") => Some(Start::Warm),
            _ => None,
        };
        let instance = text(&headers, header::INSTANCE).map(str::to_owned);
        let phases = text(&headers, header::SERVER_TIMING).map(phases).unwrap_or_default();
        Ok(InvokeAnswer { id, start, instance, phases, outcome, http })
    }

    /// Invokes a function without waiting: returns as soon as the invocation is stored.
    pub async fn invoke_async(&self, name: &FunctionName, payload: Body) -> Result<Accepted, Error> {
        self.invoke_async_with(name, payload, &CallOptions::default()).await
    }

    /// Like [`Self::invoke_async`], with more said than the payload.
    pub async fn invoke_async_with(
        &self,
        name: &FunctionName,
        payload: Body,
        options: &CallOptions,
    ) -> Result<Accepted, Error> {
        self.json(self.invocation(name, payload, options).header("prefer", "respond-async")).await
    }

    /// A payload with an empty type is sent without one.
    fn invocation(
        &self,
        name: &FunctionName,
        payload: Body,
        options: &CallOptions,
    ) -> reqwest::RequestBuilder {
        let mut request = self.request(route::INVOKE.at(name));
        if !payload.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, payload.content_type);
        }
        if let Some(http) = &options.http {
            request = request.header(header::HTTP_METHOD, http.method.as_str());
            request = request.header(header::HTTP_PATH, http.target());
        }
        for (name, value) in &options.headers {
            request = request.header(name.as_str(), value.as_bytes());
        }
        request.body(payload.bytes)
    }
}

/// Status and headers of a function's own response: those of the platform and of the connection are not among them.
fn response_of(status: StatusCode, headers: &HeaderMap) -> HttpResponse {
    let own = headers.iter().filter(|(name, _)| header::is_of_server(name.as_str()));
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let own = own.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    HttpResponse { status: status.as_u16(), headers: own.collect() }
}

/// The problem of a response that says that the function has failed: it is not an answer of ours.
fn failure_of(name: &FunctionName, status: StatusCode) -> Box<Problem> {
    let status = status.as_u16();
    let kind = format!("http_{status}");
    let detail = format!("function '{name}' failed: {kind}: the function answered {status}");
    let mut problem = Problem::new(code::FUNCTION_FAILED, detail);
    problem.error_type = Some(kind);
    Box::new(problem)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Reads `queue;dur=1.5, run;dur=20` as pairs; an entry without a duration is skipped.
fn phases(server_timing: &str) -> Vec<(String, f64)> {
    let phase = |entry: &str| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next()?.to_owned();
        let duration = parts.find_map(|part| part.strip_prefix("dur="))?;
        Some((name, duration.trim_matches('"').parse().ok()?))
    };
    server_timing.split(',').filter_map(phase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_of_an_answer_is_the_servers_own_is_in_its_response() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/plain"),
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("server-timing", "run;dur=1"),
            ("cloudfunc-outcome", "succeeded"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let expected = [("content-type".to_owned(), "text/plain".to_owned())];
        assert_eq!(response_of(StatusCode::OK, &headers).headers, expected);
    }

    #[test]
    fn a_status_of_500_is_the_functions_whatever_its_interface() {
        let problem = failure_of(&"shop".parse().unwrap(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem.detail, "function 'shop' failed: http_503: the function answered 503");
        assert_eq!(problem.error_type.as_deref(), Some("http_503"));
    }

    #[test]
    fn server_timing_is_read_as_phases() {
        let expected = vec![("queue".to_owned(), 1.5), ("run".to_owned(), 20.0)];
        assert_eq!(phases("queue;dur=1.5, cache;desc=x, run;desc=\"r\";dur=20"), expected);
        assert!(phases("").is_empty());
    }
}

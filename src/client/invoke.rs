//! Invocations and their outcomes.

use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::{Client, Error};
use crate::model::{
    Body, Fault, FunctionName, InvocationId, Problem, Start,
    api::{Accepted, header},
    route,
};

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
}

/// The outcome of an invocation. Both are answers: the platform did what it was asked.
#[derive(Debug)]
pub enum Outcome {
    Value(Body),
    /// The function raised an error, crashed or exceeded its timeout.
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
        let request = self.invocation(name, payload);
        let response = self.answer(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let outcome = if status.is_success() {
            Outcome::Value(self.body(response).await?)
        } else {
            match self.refusal(response).await {
                Error::Problem(problem) if problem.fault == Fault::Function => Outcome::Failed(problem),
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
        Ok(InvokeAnswer { id, start, instance, phases, outcome })
    }

    /// Invokes a function without waiting: returns as soon as the invocation is stored.
    pub async fn invoke_async(&self, name: &FunctionName, payload: Body) -> Result<Accepted, Error> {
        self.json(self.invocation(name, payload).header("prefer", "respond-async")).await
    }

    fn invocation(&self, name: &FunctionName, payload: Body) -> reqwest::RequestBuilder {
        self.request(route::INVOKE.at(name))
            .header(CONTENT_TYPE, payload.content_type)
            .body(payload.bytes)
    }
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
    use super::phases;

    #[test]
    fn server_timing_is_read_as_phases() {
        let expected = vec![("queue".to_owned(), 1.5), ("run".to_owned(), 20.0)];
        assert_eq!(phases("queue;dur=1.5, cache;desc=x, run;desc=\"r\";dur=20"), expected);
        assert!(phases("").is_empty());
    }
}

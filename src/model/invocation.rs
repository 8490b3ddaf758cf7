//! Invocations: states, the outcome of an attempt, and the record that users read. `lifecycle` decides which state
//! follows which.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    FunctionName, HttpRequest, InstanceId, InvocationId, Phases, Reason, RevisionNumber, rounded,
};

/// The two ways to call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The caller waits for the result.
    Sync,
    /// The platform answers once the invocation is on disk, and runs it later.
    Async,
}

impl Mode {
    /// Returns its word in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// The states of an invocation. `queued`, `running` and `retrying` are followed by others; all others are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its first attempt.
    Queued,
    /// A manager has claimed it.
    Running,
    /// It waits for another attempt.
    Retrying,
    /// The function returned a value.
    Succeeded,
    /// The function raised, could not be loaded, or returned a value that cannot be serialised.
    Failed,
    /// Killed at the invocation timeout.
    TimedOut,
    /// The function exited, ran out of memory or broke the protocol.
    Crashed,
    /// Its function was deleted while it waited, or after its manager was lost.
    Cancelled,
    /// It grew too old before it ran, or its caller had stopped waiting.
    Expired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Crashed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Returns whether it is an end, which never changes.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Retrying)
    }

    /// Returns its word in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Crashed => "crashed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// An error: the text is not a state.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown state '{0}'; one of queued, running, retrying, succeeded, failed, timed_out, crashed, cancelled, expired"
)]
pub struct UnknownState(pub String);

/// The way an invocation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// No idle instance had the code: one was started for it, or a prewarmed one took the code.
    Cold,
    /// An instance that was idle for this revision ran it.
    Warm,
}

impl Start {
    /// Returns its word in JSON and in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// Opaque bytes with their media type: a payload or a result, passed on unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The media type, as in `Content-Type`; empty where an HTTP request has none.
    pub content_type: String,
    /// The bytes, at most [`MAX_BODY`](super::message::MAX_BODY) of them.
    pub bytes: Bytes,
}

/// A call's headers as a handler sees them, by their names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallHeaders {
    /// The headers by name; the values of a repeated one are joined by ", " (`cookie`: by "; ").
    pub joined: BTreeMap<String, String>,
    /// Every value of every header, in order; none where `joined` is the same.
    pub list: Option<Vec<(String, String)>>,
}

/// The error of a run that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionError {
    /// The exception's type, or one of ours (`timeout`, `exit`, `out_of_memory`, `protocol`, `load`, `start`,
    /// `platform`).
    #[serde(rename = "type")]
    pub kind: String,
    /// The error in words; may be empty.
    pub message: String,
    /// The function's traceback, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Advice, where the platform has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl FunctionError {
    /// Makes the error of an attempt that the platform could not run; `reason` is for users.
    pub fn platform(reason: impl Into<String>) -> Self {
        Self { kind: "platform".to_owned(), message: reason.into(), trace: None, hint: None }
    }

    /// Returns `ValueError: no`, or only the type of an error without a message.
    pub fn summary(&self) -> String {
        match self.message.trim().is_empty() {
            true => self.kind.clone(),
            false => format!("{}: {}", self.kind, self.message),
        }
    }
}

/// One attempt on one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AttemptRecord {
    /// The number of the attempt, from 1; the fence of an async claim.
    pub number: u32,
    /// The revision it ran on; none while it is not known.
    pub revision: Option<RevisionNumber>,
    /// The instance that ran it; none when it did not reach one.
    pub instance: Option<InstanceId>,
    /// The terminal state that it would lead to by itself; none while it runs, when it could not run, or when its
    /// manager was lost.
    pub outcome: Option<State>,
    /// The error that ended it; none when it succeeded, while it runs, or when its manager was lost.
    pub error: Option<FunctionError>,
    /// The number of lines that it wrote into its function's log; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// The status of its function's answer to an HTTP request; none for other invocations, and where no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

impl AttemptRecord {
    /// Returns whether its manager was lost during the attempt: it has no outcome, and another attempt followed or none
    /// is allowed.
    pub fn is_lost(&self, record: &Record) -> bool {
        let is_last = record.attempts.last().is_some_and(|last| last.number == self.number);
        self.outcome.is_none()
            && self.error.is_none()
            && (!is_last || record.reason == Some(Reason::Platform))
    }
}

/// The description of a result without its bytes; `GET /v1/invocations/{id}/result` returns those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResultInfo {
    /// The media type of the result.
    pub content_type: String,
    /// The size in bytes.
    pub size: u64,
}

/// An invocation as users see it; its JSON is frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// Its id.
    pub id: InvocationId,
    /// The name of its function.
    pub function: FunctionName,
    /// The way it was called.
    pub mode: Mode,
    /// Its state.
    pub state: State,
    /// Whether it was given up after several attempts, and waits for someone to look at it.
    pub dead_letter: bool,
    /// The way its last attempt began; none when none ran.
    pub start: Option<Start>,
    /// Whether a prewarmed instance ran it: one that was started ahead of the call, without code.
    pub prewarmed: bool,
    /// The time of acceptance, on the clock of the scheduler that accepted it.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub accepted_at: Timestamp,
    /// The time of its end; none while it has not ended.
    #[serde(default, with = "super::time::optional")]
    #[cfg_attr(test, schemars(with = "Option<super::schema::Moment>"))]
    pub finished_at: Option<Timestamp>,
    /// The time from acceptance to end, in milliseconds; none while it has not ended.
    #[serde(serialize_with = "rounded::option")]
    pub duration_ms: Option<f64>,
    /// Its attempts in order; empty before the first one.
    pub attempts: Vec<AttemptRecord>,
    /// The parts of its time, in order.
    #[cfg_attr(test, schemars(with = "Vec<super::Phase>"))]
    pub phases: Phases,
    /// The description of its result; none without one.
    pub result: Option<ResultInfo>,
    /// The invocation that called it; none in all records so far, since no caller is recorded yet.
    pub parent: Option<InvocationId>,
    /// The reason of an end that no attempt explains; a string in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The HTTP request that its function got; none for other invocations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRequest>,
}

impl Record {
    /// Returns the status that the last attempt answered to an HTTP request.
    pub fn http_status(&self) -> Option<u16> {
        self.attempts.last()?.http_status
    }
}

//! Invocations: states, what came of an attempt, and the record that users read. `lifecycle` says which state follows
//! which.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FunctionName, InstanceId, InvocationId, Reason, RevisionNumber, rounded};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Sync,
    Async,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Running,
    Retrying,
    Succeeded,
    /// The function raised, could not be loaded, or returned what cannot be serialised.
    Failed,
    /// Killed at the invocation timeout.
    TimedOut,
    /// The function exited, ran out of memory or broke the protocol.
    Crashed,
    Cancelled,
    /// Nobody waited for it any longer, or it grew too old, before it ran.
    Expired,
}

impl State {
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

    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Retrying)
    }

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

#[derive(Debug, thiserror::Error)]
#[error(
    "unknown state '{0}'; one of queued, running, retrying, succeeded, failed, timed_out, crashed, cancelled, expired"
)]
pub struct UnknownState(pub String);

/// How an invocation began: warm = on an instance that was idle for this revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    Cold,
    Warm,
}

impl Start {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// Opaque bytes with their media type: a payload or a result, rebuilt by nobody on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub content_type: String,
    pub bytes: Bytes,
}

/// A call's headers as a handler sees them, by their names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallHeaders {
    /// The values of a repeated one joined by ", " (`cookie`: by "; ").
    pub joined: BTreeMap<String, String>,
    /// Every value of every header, in order; none where `joined` says it all.
    pub list: Option<Vec<(String, String)>>,
}

/// Why the function's run was no success; `kind` is the exception's type, or one of ours
/// (`timeout`, `exit`, `out_of_memory`, `protocol`, `load`, `start`, `platform`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionError {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Advice, where the platform has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl FunctionError {
    /// The error of an attempt that did not run because the platform could not; `reason` is for users.
    pub fn platform(reason: impl Into<String>) -> Self {
        Self { kind: "platform".to_owned(), message: reason.into(), trace: None, hint: None }
    }

    /// `ValueError: no`; of an error without words only its type.
    pub fn summary(&self) -> String {
        match self.message.trim().is_empty() {
            true => self.kind.clone(),
            false => format!("{}: {}", self.kind, self.message),
        }
    }
}

/// A stretch of an invocation's time, in milliseconds since it was accepted.
/// Names: `admit queue start load run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    #[serde(serialize_with = "rounded::value")]
    pub start_ms: f64,
    #[serde(serialize_with = "rounded::value")]
    pub duration_ms: f64,
}

/// One try on one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// From 1; the fence of an async claim.
    pub number: u32,
    pub revision: Option<RevisionNumber>,
    pub instance: Option<InstanceId>,
    /// How it ended, as the terminal state that it would lead to by itself; none while it runs, when it could not run, or
    /// when its manager was lost.
    pub outcome: Option<State>,
    pub error: Option<FunctionError>,
    /// Lines that it wrote into its function's log; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
}

impl AttemptRecord {
    /// Whether its manager was lost while it had it: it has no outcome, and another attempt followed or none may.
    pub fn is_lost(&self, record: &Record) -> bool {
        let is_last = record.attempts.last().is_some_and(|last| last.number == self.number);
        self.outcome.is_none()
            && self.error.is_none()
            && (!is_last || record.reason == Some(Reason::Platform))
    }
}

/// What is told of a result without its bytes; `GET /v1/invocations/{id}/result` has those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultInfo {
    pub content_type: String,
    /// In bytes.
    pub size: u64,
}

/// An invocation as users see it; its JSON is frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: InvocationId,
    pub function: FunctionName,
    pub mode: Mode,
    pub state: State,
    pub dead_letter: bool,
    pub start: Option<Start>,
    pub prewarmed: bool,
    #[serde(with = "super::time::moment")]
    pub accepted_at: Timestamp,
    #[serde(default, with = "super::time::optional")]
    pub finished_at: Option<Timestamp>,
    /// From accepted to finished.
    #[serde(serialize_with = "rounded::option")]
    pub duration_ms: Option<f64>,
    pub attempts: Vec<AttemptRecord>,
    pub phases: Vec<Phase>,
    pub result: Option<ResultInfo>,
    pub parent: Option<InvocationId>,
    /// Why it is terminal without an attempt to say so; a string in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

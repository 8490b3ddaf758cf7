//! The JSON of the HTTP API where it is not a model type itself: shared by the roles that answer and
//! the client that asks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Digest, FunctionId, FunctionName, FunctionSpec, InstanceId, InvocationId, ManagerId, PlatformName,
    Problem, RevisionNumber, State,
};

/// Response headers of an invocation.
pub mod header {
    pub const INVOCATION_ID: &str = "cloudfunc-invocation-id";
    /// `cold` or `warm`.
    pub const START: &str = "cloudfunc-start";
    /// The id of the instance that ran it; `GET …/instances` has its container.
    pub const INSTANCE: &str = "cloudfunc-instance";
    /// Phases `admit queue start load run`, each with its duration in milliseconds.
    pub const SERVER_TIMING: &str = "server-timing";
    /// Of an answer with log lines that are not all: `?cursor=` of the page before it.
    pub const NEXT_CURSOR: &str = "cloudfunc-next-cursor";
    /// Beside it: how many older lines there are, with a `+` when there are more than were counted.
    pub const OLDER_LINES: &str = "cloudfunc-older-lines";
    /// Of an answer that follows: new lines have higher numbers. `?after=` goes on from there.
    pub const POSITION: &str = "cloudfunc-position";
    /// How many lines of ended invocations are not stored yet, or were lost.
    pub const MISSING_LINES: &str = "cloudfunc-missing-lines";
}

/// A page of a list; `next` goes into `?cursor=` of the next request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// `GET /v1/functions`, `…/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionInfo {
    pub name: FunctionName,
    pub id: FunctionId,
    pub active_revision: RevisionNumber,
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
    #[serde(with = "super::time::moment")]
    pub deployed_at: Timestamp,
    /// Whether a live instance is there (or an external tool says so).
    pub is_warm: bool,
    /// Live ones, over all managers.
    pub instances: u32,
    /// Of the active revision.
    pub image: String,
    pub spec: FunctionSpec,
}

/// `GET …/{name}/revisions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionInfo {
    pub number: RevisionNumber,
    pub active: bool,
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
    pub source: Digest,
    pub image: String,
    pub spec: FunctionSpec,
}

/// `GET …/{name}/instances`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceInfo {
    pub id: InstanceId,
    pub manager: ManagerId,
    pub revision: RevisionNumber,
    /// The engine's id.
    pub sandbox: String,
    #[serde(with = "super::time::moment")]
    pub started_at: Timestamp,
}

/// `PUT …/{name}/active-revision`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveRevision {
    pub revision: RevisionNumber,
}

/// What a deploy answers (201, or 200 when nothing changed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    pub name: FunctionName,
    pub revision: RevisionNumber,
    /// The same source and manifest were active already.
    pub unchanged: bool,
    pub image: String,
    /// A remark for the caller: the code was not loaded, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Output of the code while it was loaded once; its end, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A line of a deploy's NDJSON; the last one is `done` or `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeployLine {
    Progress { message: String },
    Done(Deployed),
    Error { problem: Problem },
}

/// `POST /v1/prune`: what was deleted, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pruned {
    pub dry_run: bool,
    pub revisions: Amount,
    /// That no other revision names.
    pub bundles: Amount,
    pub invocations: Amount,
    pub log_lines: Amount,
    /// By how many bytes the store's file is smaller; none of a dry run, and where the store does that itself.
    pub given_back: Option<u64>,
}

/// Without what the store needs around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub count: u64,
    pub bytes: u64,
}

/// What an async invocation is answered (202).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    pub id: InvocationId,
    pub state: State,
}

/// `GET /healthz`, `/readyz` of every role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Ports do not tell whose they are.
    pub platform: PlatformName,
    pub role: String,
    pub version: String,
    pub ready: bool,
    /// What it is waiting for when it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Of this role: store, queue, runtime, as far as it uses them.
    pub backends: Vec<String>,
    /// None when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
}

/// What a process has dropped since it began, because the store was too slow or away: of what is written
/// behind, and in this order when memory for it runs out. Async invocations are never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Bytes that sync invocations returned; the records without them were kept, and the callers had them.
    #[serde(default)]
    pub results: u64,
    /// Lines of logs.
    #[serde(default)]
    pub lines: u64,
    /// Records of sync invocations.
    #[serde(default)]
    pub records: u64,
    /// Writes of any kind that the store's disk refused, because it was full or read-only. Whoever asked for one
    /// was told so, or tries again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

//! The JSON of the HTTP API where it is not a model type itself: shared by the roles that answer and
//! the client that asks.

mod access;
mod classic;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use access::{
    KeyRotated, KnownToken, LeftReason, LeftSecret, MadeToken, NewToken, RotateToken, SecretInfo,
    SecretSet, TokenChanges, TokenInfo,
};
pub use classic::{ClassicDeploy, ClassicDeployed, ClassicHealth, ClassicInvoke, ClassicInvoked};

use super::{
    Dependencies, Digest, FunctionId, FunctionName, FunctionSpec, HttpSpec, InstanceId, InvocationId,
    Language, ManagerId, PackageVersion, PlatformName, Problem, RevisionNumber, State, Target,
};

/// Headers of an invocation's request and of answers.
pub mod header {
    use crate::model::limits::OF_A_CONNECTION;

    /// The header of a call for the method of the HTTP request that the function gets.
    pub const HTTP_METHOD: &str = "cloudfunc-http-method";
    /// The header of a call for path and query of the HTTP request that the function gets.
    pub const HTTP_PATH: &str = "cloudfunc-http-path";
    /// The [`Arrival`](crate::model::Arrival) of a request as JSON, from the gateway to the scheduler of its host. One that a
    /// client sends is not passed on.
    pub const HTTP_ARRIVAL: &str = "cloudfunc-http-arrival";
    /// `succeeded` or `failed`, with the response of a function to an HTTP request: the platform's own answers have no such
    /// header.
    pub const OUTCOME: &str = "cloudfunc-outcome";
    /// The status that a function answered to an HTTP request, with the result of its invocation.
    pub const HTTP_STATUS: &str = "cloudfunc-http-status";
    /// The id of the invocation (UUID).
    pub const INVOCATION_ID: &str = "cloudfunc-invocation-id";
    /// `cold` or `warm`.
    pub const START: &str = "cloudfunc-start";
    /// The id of the instance that ran it; `GET …/instances` has its container.
    pub const INSTANCE: &str = "cloudfunc-instance";
    /// Phases `admit queue start load run`, each with its duration in milliseconds.
    pub const SERVER_TIMING: &str = "server-timing";
    /// The value for `?cursor=` that gives the page before this one; only on an answer that does not hold all log
    /// lines.
    pub const NEXT_CURSOR: &str = "cloudfunc-next-cursor";
    /// The number of older lines than these, with a `+` when there are more than were counted; only next to
    /// [`NEXT_CURSOR`].
    pub const OLDER_LINES: &str = "cloudfunc-older-lines";
    /// The position of an answer to `?follow=`: new lines have higher numbers. `?after=` continues from there.
    pub const POSITION: &str = "cloudfunc-position";
    /// The number of waiting invocations that a deletion cancelled.
    pub const CANCELLED: &str = "cloudfunc-cancelled";
    /// The number of a function's own secrets that went with it.
    pub const DELETED_SECRETS: &str = "cloudfunc-deleted-secrets";
    /// The [`Caller`](crate::model::Caller) of a request as JSON, from the gateway to another role of its host. One that a
    /// client sends is not passed on.
    pub const CALLER: &str = "cloudfunc-caller";
    /// The number of lines of ended invocations that are not stored yet, or were lost.
    pub const MISSING_LINES: &str = "cloudfunc-missing-lines";

    /// Returns whether a header of a response, by its name in lower case, is the server's own: others are of one connection,
    /// or the platform says them.
    pub fn is_of_server(name: &str) -> bool {
        let is_not = OF_A_CONNECTION.contains(&name) || name == SERVER_TIMING;
        !is_not && !name.starts_with("cloudfunc-")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn headers_of_a_connection_and_of_the_platform_are_not_a_servers_own() {
            for name in ["content-type", "set-cookie", "content-encoding", "www-authenticate", "x-a"] {
                assert!(is_of_server(name), "{name}");
            }
            for name in
                ["connection", "content-length", "keep-alive", "server-timing", "cloudfunc-start"]
            {
                assert!(!is_of_server(name), "{name}");
            }
        }
    }
}

/// A page of a list; `next` goes into `?cursor=` of the next request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PageOf{T}"))]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; none on the last one.
    pub next: Option<String>,
}

/// A function, as in the answers to `GET /v1/functions` and `…/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionInfo {
    /// Its name, unique on the platform.
    pub name: FunctionName,
    /// Its id: another one after it was deleted and deployed again.
    pub id: FunctionId,
    /// The revision that new invocations run on.
    pub active_revision: RevisionNumber,
    /// The time of its first deployment.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub created_at: Timestamp,
    /// The time when the active revision was created.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub deployed_at: Timestamp,
    /// It has a live instance, or an external tool says so.
    pub is_warm: bool,
    /// The number of live instances, over all managers.
    pub instances: u32,
    /// The active revision's image, by the engine's id.
    pub image: String,
    /// The active revision's installed packages; none where it has none, and in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<Packages>,
    /// The reason why this host keeps fewer instances than `min_instances`; none where it keeps them, and in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<NotKept>,
    /// The managers that cannot run the active revision; none in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<Unusable>,
    /// The active revision's manifest.
    pub spec: FunctionSpec,
}

/// The functions that have addresses, as gateways follow them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpFunctions {
    /// The process that counts the generations.
    pub process: Uuid,
    /// The number of this state of the functions; another one after every change.
    pub generation: u64,
    /// All functions whose active revision has `[http]`, by name; none where the generation that was asked with is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<HttpFunction>>,
}

/// A function that has addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpFunction {
    /// Its name.
    pub name: FunctionName,
    /// The time of its first deployment: of two functions with one address, as earlier versions may leave behind, the older
    /// one has it.
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
    /// Its addresses.
    pub http: HttpSpec,
}

/// A function with `min_instances` of which a manager cannot start an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotKept {
    /// Its name.
    pub function: FunctionName,
    /// The revision that cannot be started.
    pub revision: RevisionNumber,
    /// The time of the first failure since the last instance was started.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub since: Timestamp,
    /// The reason, for users.
    pub reason: String,
}

/// Installed packages. The name of their tree is not among it: code that knows it finds the packages of other functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Packages {
    /// The language that installed them.
    pub language: Language,
    /// The interpreter and machine that they were installed for.
    pub target: Target,
    /// The packages, by name.
    pub packages: Vec<PackageVersion>,
    /// The number of files.
    pub files: u64,
    /// The size of all files together, in bytes.
    pub bytes: u64,
}

impl From<Dependencies> for Packages {
    fn from(dependencies: Dependencies) -> Self {
        let Dependencies { key: _, tree: _, language, target, packages, files, bytes, pieces: _ } =
            dependencies;
        Self { language, target, packages, files, bytes }
    }
}

/// A manager that cannot run a revision, and leaves it to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unusable {
    /// The manager.
    pub manager: ManagerId,
    /// The reason, for people.
    pub reason: String,
}

/// A revision, as in the answer to `GET …/{name}/revisions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RevisionInfo {
    /// Its number, from 1.
    pub number: RevisionNumber,
    /// It is the active revision.
    pub active: bool,
    /// The time of its deployment.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub created_at: Timestamp,
    /// The digest of the uploaded source.
    pub source: Digest,
    /// The image it was built against, by the engine's id.
    pub image: String,
    /// Its installed packages; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<Packages>,
    /// Its manifest.
    pub spec: FunctionSpec,
}

/// An instance, as in the answer to `GET …/{name}/instances`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InstanceInfo {
    /// Its id.
    pub id: InstanceId,
    /// The manager that runs it.
    pub manager: ManagerId,
    /// The revision whose code it holds.
    pub revision: RevisionNumber,
    /// Its sandbox, by the engine's id.
    pub sandbox: String,
    /// The time when it started.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub started_at: Timestamp,
}

/// The body of `PUT …/{name}/active-revision`; the answer is a [`FunctionInfo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ActiveRevision {
    /// The revision to make active.
    pub revision: RevisionNumber,
}

/// The end of a successful deploy (201, or 200 when nothing changed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deployed {
    /// The function that was deployed.
    pub name: FunctionName,
    /// The active revision.
    pub revision: RevisionNumber,
    /// The same source and manifest were active already.
    pub unchanged: bool,
    /// The image it was built against, by the engine's id.
    pub image: String,
    /// Remarks for the caller, a line each, such as that the code was not loaded, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Output of the code while it was loaded once: the last 16 KiB of it at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A line of a deploy's NDJSON; the last one is `done` or `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeployLine {
    /// A step of the build.
    Progress {
        /// The step in words, one line.
        message: String,
    },
    /// The deploy has succeeded.
    Done(Deployed),
    /// The deploy has failed, and nothing was changed.
    Error {
        /// The problem, as another route would answer it.
        problem: Problem,
    },
}

/// The answer to `POST /v1/prune`: the amounts that were deleted, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pruned {
    /// The amounts were only counted.
    pub dry_run: bool,
    /// Revisions beyond the newest ones of each function; the active one stays.
    pub revisions: Amount,
    /// Bundles that no other revision names.
    pub bundles: Amount,
    /// Trees of installed packages that no other revision names; none from earlier versions.
    #[serde(default)]
    pub packages: Amount,
    /// Records of ended invocations.
    pub invocations: Amount,
    /// Lines of logs.
    pub log_lines: Amount,
    /// The number of bytes by which the store's file has shrunk; none after a dry run, and where the store frees space
    /// by itself.
    pub given_back: Option<u64>,
}

/// A number of things and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Amount {
    /// How many there are.
    pub count: u64,
    /// Their size in bytes, without what the store needs around them.
    pub bytes: u64,
}

/// The answer to an async invocation (202): it is on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted {
    /// Its id.
    pub id: InvocationId,
    /// Its state: `queued`.
    pub state: State,
}

/// The answer of every role to `GET /healthz` and `/readyz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
    /// The name of its platform: a port alone does not tell which platform answers on it.
    pub platform: PlatformName,
    /// The role that answers, in lower case.
    pub role: String,
    /// The version of the program.
    pub version: String,
    /// The role can serve requests.
    pub ready: bool,
    /// The part that it is waiting for when it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The backends of this role: store, queue and runtime, as far as it uses them.
    pub backends: Vec<String>,
    /// The work that was dropped; none when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
    /// The URL on which a gateway listens for the addresses of functions alone, such as `http://0.0.0.0:8080`; absent without
    /// such a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

/// The work that a process has dropped since it started, because the store was too slow or unavailable. Only what is
/// written behind is dropped, in the order of these fields, when memory for it runs out. Async invocations are never
/// dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Dropped {
    /// Results of sync invocations; their records were kept without them, and the callers had received them.
    #[serde(default)]
    pub results: u64,
    /// Lines of logs.
    #[serde(default)]
    pub lines: u64,
    /// Records of sync invocations.
    #[serde(default)]
    pub records: u64,
    /// Writes of any kind that the store's disk refused, because it was full or read-only. The caller of each was told
    /// so, or tries again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// Entries of the audit log.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audit: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

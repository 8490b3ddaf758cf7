//! The platform's vocabulary as pure data: ids, names, functions, invocations and the messages between roles. Nothing
//! here does I/O, reads a clock (except to make an id) or imports another module of ours than [`crate::language`], the
//! list of languages, which is data too.
#![warn(missing_docs)]

pub mod access;
pub mod api;
pub mod audit;
pub mod build_log;
pub mod call;
pub mod dependencies;
pub mod error;
pub mod function;
pub mod http;
pub mod http_spec;
pub mod id;
pub mod invocation;
pub mod limits;
pub mod log;
pub mod message;
pub mod name;
pub mod path_pattern;
pub mod phase;
mod reason;
pub mod rounded;
pub mod route;
#[cfg(test)]
pub mod schema;
pub mod secret;
mod secret_url;
pub mod time;
pub mod trusted_proxies;

pub use crate::language::Language;
pub use access::{Caller, FunctionPattern, RateLimit, StoredToken, TokenRole};
pub use audit::{AuditEntry, AuditOutcome, NewAuditEntry};
pub use build_log::{BuildLine, BuildLog, WhichBuild};
pub use call::{Call, CallAnswer, CallEnding, Ended};
pub use dependencies::{Dependencies, PackageVersion, Target};
pub use error::{Code as ProblemCode, Fault, Problem, code};
pub use function::{
    BuildCommand, Code, Function, FunctionSpec, Interface, Network, Package, Revision, Scaling,
};
pub use http::{Arrival, ArrivedBy, HttpRequest, HttpResponse, UnfitRequest};
pub use http_spec::{Address, AddressTaken, HttpAuth, HttpSpec};
pub use id::{
    Digest, FunctionId, IdPart, InstanceId, InvocationId, InvocationRef, ManagerId, OwnerId,
    RevisionNumber,
};
pub use invocation::{
    AttemptRecord, Body, CallHeaders, FunctionError, Mode, Record, ResultInfo, Start, State,
};
pub use log::{LineKind, LogLine, Stream, Tail};
pub use name::{FunctionName, PlatformName, TokenName};
pub use path_pattern::{PathPattern, UnfitPattern};
pub use phase::{Phase, PhaseName, Phases};
pub use reason::Reason;
pub use secret::{
    KeyId, MAX_SECRET, SealedSecret, SecretName, SecretPlace, SecretVersion, StoredSecret,
    StoredSecretInfo,
};
pub use secret_url::SecretUrl;
pub use trusted_proxies::TrustedProxies;

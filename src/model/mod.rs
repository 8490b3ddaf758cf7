//! The platform's words as pure data: ids, names, functions, invocations and the messages
//! between roles. Nothing here does I/O, reads a clock (but to make an id) or imports another module of
//! ours.

pub mod api;
pub mod error;
pub mod function;
pub mod id;
pub mod invocation;
pub mod log;
pub mod message;
pub mod name;
pub mod rounded;

pub use error::{Code as ProblemCode, Fault, Problem, code};
pub use function::{Code, Function, FunctionSpec, Language, Network, Package, Revision, Scaling};
pub use id::{Digest, FunctionId, InstanceId, InvocationId, ManagerId, OwnerId, RevisionNumber};
pub use invocation::{
    AttemptRecord, Body, FunctionError, Mode, Phase, Record, ResultInfo, Start, State,
};
pub use log::{LogLine, Stream};
pub use name::{FunctionName, PlatformName};

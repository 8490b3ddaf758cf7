//! The examination of this machine: what it has, what keeps the platform from working, and what to do about it.
//!
//! ```text
//! gather (I/O, each with a deadline) ─▶ facts (plain structs) ─▶ judge (pure) ─▶ findings
//! ```
//! For each group of checks, one file gathers the facts, and the one of the same name in [`judge`] interprets
//! them. Nothing is changed for good: what is created for a test (a control group, a file, a port, a message)
//! is removed at once.

mod backends;
mod cgroups;
mod clock;
mod compose;
mod disk;
mod engine;
pub mod finding;
mod judge;
mod limits;
mod packages;
mod platform;
mod ports;
mod sandbox;
mod secrets;
mod subject;
mod system;
mod tls;
mod tools;
mod version;

pub use self::subject::Subject;

//! What this machine has, what keeps the platform from working, and what to do.
//!
//! ```text
//! gather (I/O, each with a deadline) ─▶ facts (plain structs) ─▶ judge (pure) ─▶ findings
//! ```
//! A file per group of checks gathers, the one of the same name in [`judge`] says what it means. Nothing
//! lasting is changed: what is tried (a control group, a file, a port, a message) is gone at once.

mod backends;
mod cgroups;
mod clock;
mod compose;
mod disk;
mod engine;
pub mod finding;
mod judge;
mod limits;
mod platform;
mod ports;
mod sandbox;
mod subject;
mod system;
mod tools;
mod version;

pub use self::subject::Subject;

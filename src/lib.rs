//! CloudFunc: a self-hosted serverless function platform in one binary.
//!
//! ARCHITECTURE.md is the map. [`lifecycle`] decides what happens next to an invocation. The seams ([`store`], [`queue`], [`runtime`]) hide their backends;
//! the roles ([`gateway`], [`registry`], [`scheduler`], [`manager`]) use the seams; `app` puts
//! them together and `cli` is what a user types.

pub mod app;
pub mod backends;
pub mod backoff;
mod batch;
mod budget;
pub mod bundle;
mod certificates;
pub mod cli;
pub mod client;
pub mod clock;
mod compose;
mod disk;
mod docker_ignore;
mod doctor;
mod error;
mod error_chain;
pub mod gateway;
pub mod http;
pub mod keyring;
pub mod language;
pub mod lifecycle;
mod local;
pub mod manager;
pub mod manifest;
pub mod model;
mod open_files;
mod panicked;
pub mod payload;
pub mod place;
mod private_file;
pub mod queue;
mod rate_limiter;
pub mod registry;
pub mod runtime;
pub mod scheduler;
pub mod settings;
pub mod shutdown;
pub mod store;
pub mod suggest;
pub mod toml_document;
pub mod units;
mod write_behind;

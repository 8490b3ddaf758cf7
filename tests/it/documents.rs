//! What the documents say is true: README.md, CONTRIBUTING.md and docs/ (the manual), and partly ARCHITECTURE.md and
//! CHANGELOG.md. Commands run, flags exist, tables match the code, links lead somewhere.

mod commands;
mod guarantees;
mod http;
mod links;
pub mod markdown;
mod picture;
mod run;
mod tables;

//! What the roles' HTTP servers share: problems as answers, the one authorisation layer, health.

mod auth;
mod client;
mod problem;
mod serve;

pub use auth::{Guard, authorise};
pub use client::client;
pub use problem::{Answer, Failure, chain, function_not_found};
pub use serve::{Body, Ready, bind, health_routes, read_body, serve};

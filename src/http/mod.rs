//! What the roles' HTTP servers share: problems as answers, the one authorisation layer, health.

mod auth;
mod problem;
mod serve;

pub use auth::{Guard, authorise};
pub use problem::{Answer, Failure, chain};
pub use serve::{Body, Ready, bind, health_routes, read_body, serve};

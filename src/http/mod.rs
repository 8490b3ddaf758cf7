//! What the roles' HTTP servers share: problems as answers, the one authorisation layer, health.

mod auth;
mod client;
mod connections;
mod disk;
mod peer;
mod problem;
mod request;
mod serve;

pub use client::client;

pub use disk::chain_of_disk;

pub use auth::{Guard, authorise};
pub use peer::{Door, Peer, Unanswered};
pub use problem::{Answer, Failure, chain, function_not_found, of_store};
pub use request::{function_name, payload_too_large, read_body};
pub use serve::{Counts, Ready, Server, bind, drops_nothing, health_routes, store_and_queue};

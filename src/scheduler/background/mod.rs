//! Invocations that nobody waits for: committed before they are answered, published, and ended by what managers
//! report; what got stuck is found by the sweeper.

pub mod admit;
pub mod forsaken;
mod lease_watch;
pub mod lost_messages;
pub mod outcomes;
pub mod prune;
pub mod publisher;
pub mod sweep;

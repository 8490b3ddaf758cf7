//! Invocations whose caller waits: admitted, published, awaited; their records are written behind.

pub mod invoke;
pub mod pending;
pub mod record;
pub mod recorder;
pub mod replies;
pub mod response;
pub mod slots;

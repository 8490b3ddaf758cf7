//! The store itself: whether it answers, and its end.

use async_trait::async_trait;

use super::Error;

/// What every role asks of a store.
#[async_trait]
pub trait Health: Send + Sync {
    /// The backend, for `status` and the startup text: `postgres` or `sqlite`.
    fn kind(&self) -> &'static str;
    /// Makes a round trip, for readiness. After a write that its disk refused, and where that disk has next to no room,
    /// another write is tried: [`Error::Unwritable`] while it is refused, though reads go on.
    async fn ping(&self) -> Result<(), Error>;
    /// How many writes the disk refused since the process began.
    fn refused(&self) -> u64;
    /// Closes the connections after what is under way.
    async fn close(&self);
}

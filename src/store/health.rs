//! The store itself: whether it answers, and its shutdown.

use async_trait::async_trait;

use super::Error;

/// The methods that every role needs.
#[async_trait]
pub trait Health: Send + Sync {
    /// Returns the backend, for `status` and the startup text: `postgres` or `sqlite`.
    fn kind(&self) -> &'static str;
    /// Makes a round trip, for readiness. After a write that the store's disk refused, and where that disk is nearly
    /// full, it also tries a write: [`Error::Unwritable`] while that is refused, though reads still work.
    async fn ping(&self) -> Result<(), Error>;
    /// Returns the number of writes that the disk has refused since the process began.
    fn refused(&self) -> u64;
    /// Returns once the store can write nothing more in this process, through a mistake of ours: the task that writes has
    /// panicked. It never returns for a store whose connections are made anew.
    async fn broken(&self);
    /// Closes the connections once the work under way is done.
    async fn close(&self);
}

//! Trying again what cannot be consumed, followed or begun now.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::{backoff::Backoff, error_chain::chain, queue};

/// The pause before a message that cannot be begun now returns to its queue, from where it comes back at once.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Drops a message, or work with its message, after a pause: it returns to its queue, for any manager to take.
pub fn give_back_later(message: impl Send + 'static, shared: &Shared) {
    let stop = shared.given_up.clone();
    shared.tasks.spawn(async move {
        let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
        drop(message);
    });
}

/// Pauses that grow while something stays away, and one line in the log when it begins; but none for
/// a broker that is away: the queue says so itself, once for all its consumers.
pub struct Retry(Backoff);

impl Retry {
    const FIRST: Duration = Duration::from_millis(100);
    /// Short: what is back serves again within two seconds.
    const LONGEST: Duration = Duration::from_secs(1);

    pub fn new() -> Self {
        Self(Backoff::new(Self::FIRST, Self::LONGEST))
    }

    /// After a success: the next failure is a first one again.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Waits for the next pause, or until `stop`. `what` is for the log.
    pub async fn pause(
        &mut self,
        what: &'static str,
        error: &(dyn std::error::Error + Send + Sync + 'static),
        stop: &CancellationToken,
    ) {
        let is_said = error.downcast_ref().is_some_and(queue::Error::is_transient);
        if self.0.is_fresh() && !is_said {
            tracing::warn!(error = %chain(error), "{what}; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.0.pause() => {}
        }
    }
}

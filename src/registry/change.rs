//! What the routes that change something have in common.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Registry;
use crate::{
    http::Answer,
    model::{Caller, Problem, code},
    store,
};

/// Limit of a document that a route takes, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// The detail of an entry of the audit log for a change that may have happened.
const UNKNOWN: &str = "whether it happened is not known";

/// Does `work` in a task of its own, one of `changes`: a client that hangs up does not leave half of it done.
pub async fn to_the_end<T: Send + 'static>(
    changes: TaskTracker,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    changes.spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change ended unexpectedly");
        Err(Problem::new(code::INTERNAL, "the change ended unexpectedly").into())
    })
}

/// Waits for changes whose clients have hung up, until `hard`: a server waits for open requests only.
pub async fn all_ended(changes: &TaskTracker, hard: &CancellationToken) {
    changes.close();
    tokio::select! {
        biased;
        () = changes.wait() => {}
        () = hard.cancelled() => tracing::warn!(changes = changes.len(), "changes are abandoned"),
    }
}

impl Registry {
    /// Enters a change of which the store cannot say whether it happened; other results are the caller's to enter.
    pub async fn audit_unknown<T>(
        &self,
        result: &Result<T, store::Error>,
        caller: &Caller,
        action: &'static str,
        target: Option<String>,
    ) {
        if matches!(result, Err(store::Error::UnknownFate { .. })) {
            self.audit(caller, action, target, Some(UNKNOWN.to_owned())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use futures_util::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;

    /// Begins a change whose client hangs up at once. It ends once it is let go, and says that it has ended.
    fn begun(changes: &TaskTracker) -> (Arc<Notify>, Arc<AtomicBool>) {
        let (let_go, is_done) = (Arc::<Notify>::default(), Arc::<AtomicBool>::default());
        let (waits, done) = (let_go.clone(), is_done.clone());
        let change = to_the_end(changes.clone(), async move {
            waits.notified().await;
            done.store(true, Ordering::SeqCst);
            Ok(())
        });
        assert!(change.now_or_never().is_none());
        (let_go, is_done)
    }

    #[tokio::test]
    async fn a_stop_waits_for_a_change_whose_client_has_hung_up() {
        let (changes, hard) = (TaskTracker::new(), CancellationToken::new());
        let (let_go, is_done) = begun(&changes);
        tokio::join!(all_ended(&changes, &hard), async { let_go.notify_one() });
        assert!(is_done.load(Ordering::SeqCst) && changes.is_empty());
    }

    #[tokio::test]
    async fn a_hard_stop_waits_for_no_change() {
        let (changes, hard) = (TaskTracker::new(), CancellationToken::new());
        let (_let_go, is_done) = begun(&changes);
        hard.cancel();
        all_ended(&changes, &hard).await;
        assert!(!is_done.load(Ordering::SeqCst) && changes.len() == 1);
    }
}

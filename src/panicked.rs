//! Panics of tasks that nobody waits for.

use tokio_util::sync::CancellationToken;

/// Learns of a panic in any of the tasks that it watches. Clones share what they have seen.
#[derive(Clone, Debug, Default)]
pub struct Panicked(CancellationToken);

impl Panicked {
    /// Returns the future of a task to be spawned in place of `task`, which it runs.
    pub fn watch<F: Future>(&self, task: F) -> impl Future<Output = F::Output> + use<F> {
        let guard = Guard(self.0.clone());
        async move {
            let _guard = guard;
            task.await
        }
    }

    /// Returns once a watched task has panicked; at once if one already has.
    pub async fn seen(&self) {
        self.0.cancelled().await;
    }
}

struct Guard(CancellationToken);

impl Drop for Guard {
    fn drop(&mut self) {
        // A task that is aborted or ends drops it, too.
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_seen_and_an_ordinary_end_is_not() {
        let panicked = Panicked::default();
        assert_eq!(panicked.watch(async { 1 }).await, 1);
        let aborted = tokio::spawn(panicked.watch(pending::<()>()));
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert!(!panicked.0.is_cancelled());

        let task = tokio::spawn(panicked.clone().watch(async { panic!("for a test") }));
        panicked.seen().await;
        assert!(task.await.unwrap_err().is_panic());
    }
}

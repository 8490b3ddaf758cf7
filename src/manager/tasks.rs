//! The tasks of single invocations and instances.

use tokio_util::task::TaskTracker;

use crate::panicked::Panicked;

/// Tasks that must end before the process does: outcomes on their way, sandboxes being removed. What one that panics had
/// in hand nobody can settle any more, so the manager ends with it and starts anew.
#[derive(Default)]
pub struct Tasks {
    tracker: TaskTracker,
    panicked: Panicked,
}

impl Tasks {
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.panicked.watch(task));
    }

    /// Does the same for a task that the stop does not wait for.
    pub fn spawn_unawaited(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.panicked.watch(task));
    }

    /// Returns once one of them has panicked.
    pub async fn panicked(&self) {
        self.panicked.seen().await;
    }

    /// Waits until there is none; those that begin meanwhile are waited for, too.
    pub async fn all_ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

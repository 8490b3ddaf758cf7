//! Started roles: watches them and stops them in order.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{JoinError, JoinHandle};

use super::{Role, Watched};
use crate::shutdown::Shutdown;

/// The time limit of a hard stop, in which a role still removes its sandboxes. A role that takes longer is
/// aborted.
pub const HARD_STOP: Duration = Duration::from_secs(10);

/// A role that has been started.
pub struct Running {
    pub role: Role,
    pub shutdown: Shutdown,
    pub task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops the role: softly, then hard after `grace`, and aborts it if even that takes too long.
    async fn stop(mut self, grace: Duration) -> anyhow::Result<()> {
        let role = self.role;
        self.shutdown.soft.cancel();
        let ended = match tokio::time::timeout(grace, &mut self.task).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(role = role.as_str(), "not stopped in time; stopping it at once");
                self.shutdown.hard.cancel();
                let ended = tokio::time::timeout(HARD_STOP, &mut self.task).await;
                ended.unwrap_or_else(|_| {
                    tracing::error!(role = role.as_str(), "not stopped; it is left behind");
                    self.task.abort();
                    Ok(Ok(()))
                })
            }
        };
        outcome(role, ended)
    }
}

fn outcome(role: Role, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.with_context(|| format!("the {role} panicked"))?.with_context(|| format!("the {role} ended"))
}

/// Waits until the roles are told to stop, one ends by itself, their data folder or store is deleted, or the store can
/// write no more; then stops them in order.
pub async fn supervise(
    shutdown: &Shutdown,
    mut running: Vec<Running>,
    grace: Duration,
    watched: &Watched,
    store_broken: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let any_ended =
        futures_util::future::select_all(running.iter_mut().map(|running| &mut running.task));
    let mut result = Ok(());
    let first = tokio::select! {
        // Checked first: a role that was told to stop hard may end at once.
        biased;
        () = shutdown.soft.cancelled() => None,
        () = shutdown.hard.cancelled() => None,
        (ended, index, _) = any_ended => Some((ended, index)),
        gone = watched.gone() => {
            tracing::error!("{gone}");
            result = Err(gone.into());
            None
        }
        () = store_broken => {
            tracing::error!("the task that writes to the store panicked; the roles end and can be started again");
            result = Err(anyhow::anyhow!("the task that writes to the store panicked"));
            None
        }
    };
    if let Some((ended, index)) = first {
        let role = running.remove(index).role;
        result = outcome(role, ended).and_then(|()| anyhow::bail!("the {role} ended unasked"));
    }
    for role in Role::STOP {
        if let Some(index) = running.iter().position(|running| running.role == role) {
            result = result.and(running.remove(index).stop(grace).await);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn roles_stop_and_report_an_error_when_their_store_can_write_no_more() {
        let own = Shutdown::default();
        let (stopped, mut has_stopped) = tokio::sync::mpsc::unbounded_channel();
        let soft = own.soft.clone();
        let task = tokio::spawn(async move {
            soft.cancelled().await;
            stopped.send(()).unwrap();
            Ok(())
        });
        let running = vec![Running { role: Role::Scheduler, shutdown: own, task }];
        let watched = Watched::default();
        let broken = std::future::ready(());
        let ended = supervise(&Shutdown::default(), running, HARD_STOP, &watched, broken).await;
        assert_eq!(ended.unwrap_err().to_string(), "the task that writes to the store panicked");
        has_stopped.recv().await.expect("it was stopped softly");
    }
}

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

/// Waits until the roles are told to stop, one ends by itself, or their data folder or store is deleted; then
/// stops them in order.
pub async fn supervise(
    shutdown: &Shutdown,
    mut running: Vec<Running>,
    grace: Duration,
    watched: &Watched,
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

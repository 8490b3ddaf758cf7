//! Roles that have been started: watched, and stopped in order.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{JoinError, JoinHandle};

use super::Role;
use crate::shutdown::Shutdown;

/// A role that has been started.
pub struct Running {
    pub role: Role,
    pub shutdown: Shutdown,
    pub task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Softly, and hard when that takes longer than `grace`.
    async fn stop(mut self, grace: Duration) -> anyhow::Result<()> {
        let role = self.role;
        self.shutdown.soft.cancel();
        let ended = match tokio::time::timeout(grace, &mut self.task).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(role = role.as_str(), "not stopped in time; stopping it at once");
                self.shutdown.hard.cancel();
                self.task.await
            }
        };
        outcome(role, ended)
    }
}

fn outcome(role: Role, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.with_context(|| format!("the {role} panicked"))?.with_context(|| format!("the {role} ended"))
}

/// Waits until they are told to stop or one ends by itself, and stops them in order.
pub async fn supervise(
    shutdown: &Shutdown,
    mut running: Vec<Running>,
    grace: Duration,
) -> anyhow::Result<()> {
    let any_ended =
        futures_util::future::select_all(running.iter_mut().map(|running| &mut running.task));
    let first = tokio::select! {
        // First: who is told to stop hard may end at once.
        biased;
        () = shutdown.soft.cancelled() => None,
        () = shutdown.hard.cancelled() => None,
        (ended, index, _) = any_ended => Some((ended, index)),
    };
    let mut result = Ok(());
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

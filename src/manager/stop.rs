//! The end of a manager: each step in bounded time, and what nobody else can do first.
//!
//! ```text
//! soft ─▶ consumers end, what runs finishes ──────────▶ sandboxes removed ─▶ lines stored ─▶ lease ended
//!           │ at most `stop_grace`, or until hard         │ REMOVAL             │ LAST_WRITES, none after hard
//!           └────▶ given up, GIVE_UP ────────────────────▲
//! ```

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{commands::Dispatch, lease, left_overs::clean_up, shared::Shared};
use crate::runtime::Owner;

/// Time for work that is given up: it ends at once, apart from the removal of its sandbox.
const GIVE_UP: Duration = Duration::from_secs(1);
/// An engine that is slower than this is left to the next start, which removes by label.
const REMOVAL: Duration = Duration::from_secs(8);
/// Time for a store that is slow or away at a stop: log lines, then the lease.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// The same after a hard stop, for the lease alone: others may then claim at once what was running.
const LAST_WORD: Duration = Duration::from_millis(500);

/// The tasks of a manager that runs.
pub(super) struct Tasks {
    pub consumers: JoinHandle<()>,
    pub dispatcher: JoinHandle<()>,
    pub builds: JoinHandle<()>,
    pub bytecode: JoinHandle<()>,
    pub health: JoinHandle<()>,
    pub logs: JoinHandle<()>,
    pub lease: JoinHandle<()>,
    pub claims: JoinHandle<()>,
    pub tidy: JoinHandle<()>,
    pub lost_outcomes: JoinHandle<()>,
    pub stop_health: CancellationToken,
    pub stop_lease: CancellationToken,
}

impl Tasks {
    /// Waits until one of them ends, and names it. Those that end by themselves do so after a soft stop.
    pub async fn first_end(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.consumers => "consumers",
            _ = &mut self.dispatcher => "dispatcher",
            _ = &mut self.builds => "builds",
            _ = &mut self.bytecode => "bytecode",
            _ = &mut self.health => "health",
            _ = &mut self.logs => "logs",
            _ = &mut self.lease => "lease",
            _ = &mut self.claims => "claims",
            _ = &mut self.tidy => "tidy",
            _ = &mut self.lost_outcomes => "lost outcomes",
        }
    }
}

/// After the soft stop. Answers whether everything is as it should be left.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    owner: &Owner,
    dispatch: Dispatch,
    mut tasks: Tasks,
    hard: &CancellationToken,
) -> anyhow::Result<()> {
    let finished = async {
        end_of(&mut tasks.consumers).await;
        dispatch.drain();
        end_of(&mut tasks.dispatcher).await;
        end_of(&mut tasks.builds).await;
        end_of(&mut tasks.bytecode).await;
        shared.tasks.all_ended().await;
    };
    if within(shared.limits.stop_grace, hard, finished).await.is_none() {
        tracing::warn!("running invocations did not finish in time and are given up");
        dispatch.drain();
        shared.given_up.cancel();
        let _ = tokio::time::timeout(GIVE_UP, shared.tasks.all_ended()).await;
    }
    tasks.consumers.abort();
    tasks.builds.abort();
    tasks.bytecode.abort();
    // First: whatever else does not come to its end, no function goes on running.
    let removed = tokio::time::timeout(REMOVAL, clean_up(&*shared.runtime, owner, &shared.instances));
    let removed = removed.await.unwrap_or_else(|_| {
        tracing::warn!("not all sandboxes are removed yet; the next start removes them");
        Ok(())
    });
    tasks.dispatcher.abort();
    tasks.claims.abort();
    tasks.stop_health.cancel();
    tasks.health.abort();
    shared.logs.close();
    if within(LAST_WRITES, hard, end_of(&mut tasks.logs)).await.is_none() {
        tasks.logs.abort();
        let lines = shared.logs.waiting();
        tracing::warn!(lines, "log lines are not stored and are lost");
    }
    tasks.stop_lease.cancel();
    tasks.lease.abort();
    let patience = if hard.is_cancelled() { LAST_WORD } else { LAST_WRITES };
    match tokio::time::timeout(patience, lease::release(shared)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = crate::error_chain::chain(&error);
            tracing::warn!(
                error,
                "the lease could not be ended; what it holds is claimed by others a little later"
            );
        }
        Err(_) => tracing::warn!(
            "the lease could not be ended in time; what it holds is claimed by others a little later"
        ),
    }
    removed
}

/// Waits for the end of a task, which may have been seen already.
async fn end_of(task: &mut JoinHandle<()>) {
    if !task.is_finished() {
        let _ = task.await;
    }
}

/// None when it took too long, or the stop became a hard one.
async fn within<T>(
    limit: Duration,
    hard: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = hard.cancelled() => None,
        () = tokio::time::sleep(limit) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn whichever_task_of_a_manager_panics_its_end_is_noticed() {
        let names = [
            "consumers",
            "dispatcher",
            "builds",
            "bytecode",
            "health",
            "logs",
            "lease",
            "claims",
            "tidy",
            "lost outcomes",
        ];
        for broken in names {
            let task = |name| match name == broken {
                true => tokio::spawn(async { panic!("for a test") }),
                false => tokio::spawn(pending()),
            };
            let [
                consumers,
                dispatcher,
                builds,
                bytecode,
                health,
                logs,
                lease,
                claims,
                tidy,
                lost_outcomes,
            ] = names.map(task);
            let (stop_health, stop_lease) = (CancellationToken::new(), CancellationToken::new());
            let mut tasks = Tasks {
                consumers,
                dispatcher,
                builds,
                bytecode,
                health,
                logs,
                lease,
                claims,
                tidy,
                lost_outcomes,
                stop_health,
                stop_lease,
            };
            assert_eq!(tasks.first_end().await, broken);
        }
    }
}

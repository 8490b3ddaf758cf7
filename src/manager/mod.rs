//! The manager: takes invocations from the queues and runs them in sandboxes that it owns.
//!
//! ```text
//!  queues ──▶ consumers ──Work──▶ dispatch (pool) ──Job──▶ instance ──▶ reply or outcome
//!                                     ▲                       │
//!                                     └──── Finished, Gone ───┘
//! ```
//!
//! `dispatch` is the one task that owns the pool; one task owns each instance. A delivery is settled
//! by [`work::Work`] and by nothing else.

mod advice;
mod build;
mod bundles;
pub mod checks;
mod consumers;
mod dispatch;
mod instance;
mod keep_alive;
mod lease;
mod load_once;
mod logs;
pub mod pool;
mod prewarm;
mod shape;
pub mod stock;
mod stop;
mod tidy;
mod work;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::sync::{Notify, mpsc::UnboundedSender};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    http::{self, Server},
    model::{FunctionSpec, LogLine, ManagerId, OwnerId, api::Dropped},
    queue::Queue,
    runtime::{Owner, Runtime},
    settings::platform::Limits,
    shutdown::Shutdown,
    store::ManagerStore,
};

/// What a manager works with.
pub struct Backends {
    pub store: Arc<dyn ManagerStore>,
    pub queue: Arc<dyn Queue>,
    pub runtime: Arc<dyn Runtime>,
    /// Gets each log line when it is read, before the answer of its invocation goes out.
    pub lines: Option<UnboundedSender<LogLine>>,
    /// What a manifest means that says nothing: instances for that are prewarmed.
    pub usual: FunctionSpec,
}

/// What every task of this manager shares.
struct Shared {
    store: Arc<dyn ManagerStore>,
    queue: Arc<dyn Queue>,
    runtime: Arc<dyn Runtime>,
    limits: Limits,
    manager: ManagerId,
    /// This life of the process.
    owner: OwnerId,
    bundles: bundles::Bundles,
    revisions: consumers::Revisions,
    under_way: build::UnderWay,
    logs: logs::LogWriter,
    /// What functions and revisions there are has changed.
    changed: Notify,
    /// `<data>/instances`.
    instances: PathBuf,
    /// Tasks that must end before the process does: outcomes on their way, sandboxes being removed.
    tracker: TaskTracker,
    /// What still runs is given up: from now on the end of a guest is our doing and says nothing.
    given_up: CancellationToken,
}

/// Runs a manager until it is told to stop. Soft: what runs is finished (for at most the grace),
/// what has not begun is given back. In any case none of its sandboxes is left.
pub async fn run(
    backends: Backends,
    owner: Owner,
    limits: Limits,
    data_dir: PathBuf,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Backends { store, queue, runtime, lines, usual } = backends;
    let instances = data_dir.join("instances");
    clean_up(&*runtime, &owner, &instances).await?;
    std::fs::create_dir_all(&instances)
        .with_context(|| format!("cannot create {}", instances.display()))?;
    // What an earlier life of this manager had claimed need not wait until its lease runs out.
    if let Err(error) = store.release_manager(owner.manager).await {
        tracing::warn!(error = %crate::error_chain::chain(&error), "older leases not ended; they run out by themselves");
    }
    let (logs, log_task) = logs::start(store.clone(), lines);
    let shared = Arc::new(Shared {
        bundles: bundles::Bundles::new(data_dir.join("cache/bundles"), store.clone()),
        revisions: consumers::Revisions::default(),
        under_way: build::UnderWay::default(),
        manager: owner.manager,
        owner: OwnerId::new(),
        tracker: TaskTracker::new(),
        given_up: CancellationToken::new(),
        changed: Notify::new(),
        store,
        queue,
        runtime,
        limits,
        logs,
        instances,
    });
    tokio::select! {
        () = lease::acquire(&shared) => {}
        () = shutdown.soft.cancelled() => return Ok(()),
    }
    tracing::info!(manager = %shared.manager, owner = %shared.owner, "manager ready");

    let stop_lease = CancellationToken::new();
    let lease = tokio::spawn(lease::keep(shared.clone(), stop_lease.clone()));
    let stop_health = CancellationToken::new();
    let health = tokio::spawn(server.serve(health_routes(&shared, &owner), stop_health.clone()));
    let (dispatch, dispatcher) = dispatch::start(shared.clone(), &usual, shutdown.soft.clone());
    let builds = tokio::spawn(build::consume(shared.clone(), dispatch.clone(), shutdown.soft.clone()));
    tokio::spawn(tidy::run(shared.clone(), shutdown.soft.clone()));
    let consuming = consumers::run(shared.clone(), dispatch.clone(), shutdown.soft.clone());
    let consumers = tokio::spawn(consuming);
    tokio::select! {
        () = shutdown.soft.cancelled() => {}
        () = shutdown.hard.cancelled() => {}
    }
    tracing::info!("manager stops: running invocations finish, the rest is given back");
    let tasks = stop::Tasks {
        consumers,
        dispatcher,
        builds,
        health,
        logs: log_task,
        lease,
        stop_health,
        stop_lease,
    };
    stop::stop(&shared, &owner, dispatch, tasks, &shutdown.hard).await
}

fn health_routes(shared: &Shared, owner: &Owner) -> axum::Router {
    let kinds = [shared.store.kind(), shared.queue.kind(), shared.runtime.kind()];
    let (store, queue, runtime) = (shared.store.clone(), shared.queue.clone(), shared.runtime.clone());
    let ready = Arc::new(move || {
        let (store, queue, runtime) = (store.clone(), queue.clone(), runtime.clone());
        Box::pin(async move {
            store.ping().await.map_err(|error| error.to_string())?;
            queue.ping().await.map_err(|error| error.to_string())?;
            runtime.ping().await.map(drop).map_err(|error| error.to_string())
        }) as _
    });
    let logs = shared.logs.clone();
    let counting = shared.store.clone();
    let dropped = Arc::new(move || Dropped {
        lines: logs.dropped(),
        refused: counting.refused(),
        ..Dropped::default()
    });
    http::health_routes(
        "manager",
        owner.platform.clone(),
        kinds.map(str::to_owned).to_vec(),
        ready,
        dropped,
    )
}

/// Removes what an earlier life of this manager has left: sandboxes by label, instance folders. An
/// engine that does not answer is no reason not to start: it has no sandbox running for us either.
async fn clean_up(
    runtime: &dyn Runtime,
    owner: &Owner,
    instances: &std::path::Path,
) -> anyhow::Result<()> {
    match runtime.remove_all(owner).await {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => tracing::info!(count = removed.len(), "left-over sandboxes removed"),
        Err(error) => {
            tracing::warn!(error = %crate::error_chain::chain(&error), "cannot look for left-over sandboxes")
        }
    }
    // Not the folder itself: it must not be made again where somebody has deleted everything.
    let entries = match std::fs::read_dir(instances) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot empty {}", instances.display()));
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

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

mod builds;
mod bundles;
mod code_check;
mod commands;
mod consumers;
mod dispatch;
mod instance;
mod lease;
mod left_overs;
mod logs;
mod outdated;
pub mod pool;
mod retry;
mod revisions;
mod shared;
mod start_failure;
mod stop;
mod tidy;
mod warm;
mod work;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    error_chain::chain,
    http::{self, Server},
    model::{FunctionSpec, LogLine, OwnerId, api::Dropped},
    queue::Queue,
    runtime::{Owner, Runtime},
    settings::Limits,
    shutdown::Shutdown,
    store::ManagerStore,
};
use builds::under_way::BuildsUnderWay;
use bundles::BundleCache;
use left_overs::clean_up;
use outdated::Outdated;
use revisions::RevisionCache;
use shared::Shared;

/// Everything that a manager works with.
pub struct Backends {
    pub store: Arc<dyn ManagerStore>,
    pub queue: Arc<dyn Queue>,
    pub runtime: Arc<dyn Runtime>,
    pub clock: Clock,
    /// Gets each log line when it is read, before the answer of its invocation goes out.
    pub lines: Option<UnboundedSender<LogLine>>,
    /// The usual functions, one of each language: instances for them are prewarmed.
    pub usual: Vec<FunctionSpec>,
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
    let Backends { store, queue, runtime, clock, lines, usual } = backends;
    let instances = data_dir.join("instances");
    clean_up(&*runtime, &owner, &instances).await?;
    std::fs::create_dir_all(&instances)
        .with_context(|| format!("cannot create {}", instances.display()))?;
    // What an earlier life of this manager had claimed need not wait until its lease runs out.
    if let Err(error) = store.release_manager(owner.manager).await {
        tracing::warn!(error = %chain(&error), "older leases not ended; they run out by themselves");
    }
    let (logs, log_task) = logs::start(store.clone(), lines);
    let shared = Arc::new(Shared {
        bundles: BundleCache::new(data_dir.join("cache/bundles"), store.clone()),
        revisions: RevisionCache::default(),
        under_way: BuildsUnderWay::default(),
        manager: owner.manager,
        owner: OwnerId::new(),
        tracker: TaskTracker::new(),
        given_up: CancellationToken::new(),
        outdated: Outdated::default(),
        store,
        queue,
        runtime,
        limits,
        logs,
        instances,
        clock,
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
    let builds = tokio::spawn(builds::consume(shared.clone(), dispatch.clone(), shutdown.soft.clone()));
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

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

mod begin;
mod boots;
mod builds;
mod bundles;
mod bytecode;
mod claims;
mod code_check;
mod commands;
mod consumers;
mod dependencies;
mod dispatch;
mod function_set;
mod held_secrets;
mod in_hand;
mod instance;
mod last_secrets;
mod lease;
mod left_overs;
mod lives;
mod logs;
mod lost_outcomes;
mod not_kept;
mod outdated;
pub mod pool;
mod retry;
mod revisions;
mod secrets;
mod shared;
mod stalls;
mod start_failure;
mod stop;
mod tasks;
mod tidy;
mod work;
mod workshop;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    http::{self, Server},
    keyring::Keyring,
    model::{FunctionSpec, LogLine, api::Dropped},
    queue::Queue,
    runtime::{Owner, Runtime},
    settings::{Builds, Limits},
    shutdown::Shutdown,
    store::ManagerStore,
};
use builds::under_way::BuildsUnderWay;
use bundles::BundleCache;
use claims::Claims;
pub use dependencies::kept::KeptPackages;
use dependencies::{cache::DependencyCache, packages::Packages};
use left_overs::clean_up;
use lives::Lives;
use not_kept::NotKept;
use outdated::Outdated;
use revisions::RevisionCache;
use secrets::SecretReader;
use shared::Shared;
use tasks::Tasks;

/// Everything that a manager works with.
pub struct Backends {
    pub store: Arc<dyn ManagerStore>,
    pub queue: Arc<dyn Queue>,
    pub runtime: Arc<dyn Runtime>,
    pub clock: Clock,
    /// The keys that this host decrypts secrets with.
    pub keyring: Arc<Keyring>,
    /// Gets each log line when it is read, before the answer of its invocation goes out.
    pub lines: Option<UnboundedSender<LogLine>>,
    /// The packages that outlive the platform; none where its store does that.
    pub kept: Option<Arc<KeptPackages>>,
    /// The sources of packages.
    pub builds: Builds,
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
    let Backends { store, queue, runtime, clock, keyring, lines, kept, builds, usual } = backends;
    let instances = data_dir.join("instances");
    let cache = match kept.as_ref().and_then(|kept| kept.trees()) {
        Some(folder) => DependencyCache::shared(folder, store.clone()),
        None => {
            let folder = data_dir.join("cache/dependencies");
            DependencyCache::open(folder.clone(), store.clone())
                .with_context(|| format!("cannot use {}", folder.display()))?
        }
    };
    // A process without isolation runs in whatever is on the machine.
    let has_lasting_ids = runtime.kind() != "process";
    let (lives, (claims, wanted)) = (Arc::new(Lives::default()), Claims::new());
    let (logs, log_task) = logs::start(store.clone(), lines);
    let shared = Arc::new(Shared {
        bundles: BundleCache::new(data_dir.join("cache/bundles"), store.clone()),
        bytecode: bytecode::queue::CompileQueue::default(),
        packages: Packages::new(cache, builds).keeping(kept, has_lasting_ids),
        revisions: RevisionCache::default(),
        secrets: SecretReader::new(store.clone(), keyring.clone()),
        keyring,
        under_way: BuildsUnderWay::default(),
        manager: owner.manager,
        lives: lives.clone(),
        claims,
        in_hand: Arc::default(),
        tasks: Tasks::default(),
        given_up: CancellationToken::new(),
        outdated: Outdated::default(),
        not_kept: NotKept::default(),
        store,
        queue,
        runtime,
        limits,
        logs,
        instances,
        clock,
    });
    // At the same time: what an earlier life had claimed can be published again meanwhile.
    let releasing = async {
        shutdown.soft.run_until_cancelled(lease::end_older(&shared)).await;
        Ok(())
    };
    tokio::try_join!(clean_up(&*shared.runtime, &owner, &shared.instances), releasing)?;
    std::fs::create_dir_all(&shared.instances)
        .with_context(|| format!("cannot create {}", shared.instances.display()))?;
    if shutdown.soft.run_until_cancelled(lease::acquire(&shared)).await.is_none() {
        return Ok(());
    }
    tracing::info!(manager = %shared.manager, owner = %shared.lives.now().owner, "manager ready");

    let (stop_lease, stop_health) = (CancellationToken::new(), CancellationToken::new());
    let (dispatch, dispatcher) = dispatch::start(shared.clone(), &usual, shutdown.soft.clone());
    let consuming = consumers::run(shared.clone(), dispatch.clone(), shutdown.soft.clone());
    let building = builds::consume(shared.clone(), dispatch.clone(), shutdown.soft.clone());
    let mut tasks = stop::Tasks {
        lease: tokio::spawn(lease::keep(shared.clone(), stop_lease.clone())),
        claims: tokio::spawn(claims::run(shared.store.clone(), lives, wanted)),
        health: tokio::spawn(server.serve(routes(&shared, &owner), stop_health.clone())),
        builds: tokio::spawn(building),
        bytecode: tokio::spawn(bytecode::run(shared.clone(), shutdown.soft.clone())),
        lost_outcomes: tokio::spawn(lost_outcomes::run(shared.clone(), shutdown.soft.clone())),
        tidy: tokio::spawn(tidy::run(shared.clone(), shutdown.soft.clone())),
        consumers: tokio::spawn(consuming),
        dispatcher,
        logs: log_task,
        stop_health,
        stop_lease,
    };
    let ended = tokio::select! {
        biased;
        () = shutdown.soft.cancelled() => None,
        () = shutdown.hard.cancelled() => None,
        // They end only by a panic, and nothing works without them: the supervisor starts us again.
        ended = tasks.first_end() => Some(ended),
        () = shared.tasks.panicked() => Some("an invocation or instance"),
    };
    let Some(ended) = ended else {
        tracing::info!("manager stops: running invocations finish, the rest is given back");
        return stop::stop(&shared, &owner, dispatch, tasks, &shutdown.hard).await;
    };
    tracing::error!(task = ended, "a task of the manager ended; the manager ends with it");
    let hard = CancellationToken::new();
    hard.cancel();
    stop::stop(&shared, &owner, dispatch, tasks, &hard).await?;
    anyhow::bail!("the task '{ended}' of the manager ended")
}

fn routes(shared: &Arc<Shared>, owner: &Owner) -> axum::Router {
    let health = health_routes(shared, owner);
    let shared = shared.clone();
    let not_kept = async move || axum::Json(shared.not_kept.all());
    health.route(crate::model::route::NOT_KEPT, axum::routing::get(not_kept))
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

//! The registry: owns functions, revisions and bundles, and shows which functions are warm; owns tokens and the audit log.

mod address_notices;
mod audit_batches;
mod audit_log;
mod broadcasts;
mod build;
mod build_log;
mod change;
mod checks;
mod classic;
mod deleted;
mod deploy;
mod functions;
mod http_functions;
mod kept_memory;
mod list;
mod missing_keys;
mod page;
mod prune;
mod routes;
mod secret_checks;
mod secret_key;
mod secrets;
mod taken_address;
mod taken_name;
mod token_changes;
mod token_uses;
mod tokens;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    error_chain::chain,
    http::{Peer, Server},
    keyring::Keyring,
    manifest::Defaults,
    model::{
        FunctionId, Language, PlatformName,
        message::{self, Change, Event},
    },
    queue::Queue,
    settings::Limits,
    shutdown::Shutdown,
    store::RegistryStore,
};

/// What a registry works with.
pub struct Backends {
    pub platform: PlatformName,
    pub store: Arc<dyn RegistryStore>,
    pub queue: Arc<dyn Queue>,
    /// Encrypts secrets.
    pub keyring: Arc<Keyring>,
    pub clock: Clock,
}

/// What functions can be written in here.
pub struct Languages {
    pub defaults: Defaults,
    /// Languages with one base image for all versions: only the default version is available.
    pub only_default: Vec<Language>,
    /// Functions run on the host's own interpreter.
    pub is_hosts: bool,
}

struct Registry {
    platform: PlatformName,
    store: Arc<dyn RegistryStore>,
    queue: Arc<dyn Queue>,
    keyring: Arc<Keyring>,
    clock: Clock,
    languages: Languages,
    limits: Limits,
    checks: checks::Checks,
    peers: Peers,
    audit_log: audit_log::Writer,
    /// Changes under way: they go on when their client hangs up.
    changes: TaskTracker,
    /// Changes of tokens.
    generations: token_changes::Generations,
    /// Functions with addresses.
    addressed: http_functions::Addressed,
    /// Uses of tokens that are to be written.
    uses: token_uses::Uses,
    /// Held from a look at which secrets there are until what depends on it is done: of two deletes at once, each would see the
    /// other's secret stand in for its own. Another host's changes are not kept out by it.
    secret_changes: tokio::sync::Mutex<()>,
    /// Cancelled at a stop: requests that only wait for a change are answered.
    stop: CancellationToken,
}

/// The other roles of this host.
pub struct Peers {
    /// Told about changes before a deploy is answered.
    pub scheduler: Peer,
    /// Asked why it does not keep instances.
    pub manager: Peer,
}

/// Runs a registry until it is told to stop. Soft: requests under way are answered, a deploy
/// included, changes whose clients have hung up end, and the audit log is written.
pub async fn run(
    backends: Backends,
    languages: Languages,
    limits: Limits,
    peers: Peers,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let (audit_log, mut auditing) = audit_log::start(backends.store.clone(), audit_log::PATIENCE);
    let registry = Arc::new(Registry {
        platform: backends.platform,
        store: backends.store,
        queue: backends.queue,
        keyring: backends.keyring,
        clock: backends.clock,
        languages,
        limits,
        checks: checks::Checks::default(),
        peers,
        audit_log,
        changes: TaskTracker::new(),
        generations: token_changes::Generations::default(),
        addressed: http_functions::Addressed::default(),
        uses: token_uses::Uses::default(),
        secret_changes: tokio::sync::Mutex::default(),
        stop: shutdown.soft.clone(),
    });
    tracing::info!("registry ready");
    let serving = server.serve(routes::routes(registry.clone()), shutdown.soft.clone());
    let warn_of_missing_keys = async {
        registry.warn_of_missing_keys().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        () = registry.remove_queues_of_the_deleted() => {}
        () = registry.follow_broadcasts() => {}
        () = registry.follow_http_functions() => {}
        () = registry.write_uses() => {}
        () = warn_of_missing_keys => {}
        () = shutdown.hard.cancelled() => {}
        // It ends only by a panic. The supervisor starts us again.
        ended = &mut auditing => anyhow::bail!("the writer of the audit log ended: {ended:?}"),
    }
    change::all_ended(&registry.changes, &shutdown.hard).await;
    registry.audit_log.finish(auditing, &shutdown.hard).await;
    Ok(())
}

impl Registry {
    /// Tells everybody that a function has changed: other hosts by broadcast, this host's scheduler and gateway
    /// and waits for them, so that a client whose deploy was answered reaches the new revision, at its addresses.
    async fn announce(&self, change: Change) {
        let function = match &change {
            Change::FunctionChanged { function } | Change::FunctionDeleted { function } => *function,
            // The scheduler keeps nothing of these.
            Change::SecretChanged { .. } | Change::TokenChanged { .. } => {
                return self.broadcast(change).await;
            }
        };
        let (addresses, ()) = tokio::join!(self.enter_http_function(function), self.broadcast(change));
        const PATIENCE: Duration = Duration::from_secs(2);
        let path = format!("/internal/v1/refresh?function={function}");
        let refresh = self.peers.scheduler.send(Method::POST, &path, HeaderMap::new(), Body::empty());
        let is_told = match tokio::time::timeout(PATIENCE, refresh).await {
            Ok(Ok(answer)) => answer.status().is_success(),
            Ok(Err(_)) | Err(_) => false,
        };
        if !is_told {
            tracing::debug!("this host's scheduler was not told; it hears the broadcast");
        }
        if let Some(generation) = addresses {
            self.addressed.used_by_gateway(generation).await;
        }
    }

    /// Tells all roles of all hosts of a change. It does not fail: what does not hear of it finds out later by itself.
    async fn broadcast(&self, change: Change) {
        let event = Event { v: message::VERSION, change };
        if let Err(error) = self.queue.broadcast(message::encode(&event, b"")).await {
            tracing::warn!(error = %chain(&error), "change not broadcast; caches read again when they reconnect");
        }
    }

    async fn announce_changed(&self, function: FunctionId) {
        self.announce(Change::FunctionChanged { function }).await;
    }
}

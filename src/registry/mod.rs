//! The registry: owns functions, revisions and bundles, and shows which functions are warm.

mod build;
mod build_log;
mod change;
mod checks;
mod classic;
mod deleted;
mod deploy;
mod functions;
mod kept_memory;
mod list;
mod prune;
mod routes;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};

use crate::{
    clock::Clock,
    error_chain::chain,
    http::{Peer, Server},
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
    clock: Clock,
    languages: Languages,
    limits: Limits,
    checks: checks::Checks,
    peers: Peers,
}

/// The other roles of this host.
pub struct Peers {
    /// Told about changes before a deploy is answered.
    pub scheduler: Peer,
    /// Asked why it does not keep instances.
    pub manager: Peer,
}

/// Runs a registry until it is told to stop. Soft: requests under way are answered, a deploy
/// included.
pub async fn run(
    backends: Backends,
    languages: Languages,
    limits: Limits,
    peers: Peers,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let registry = Arc::new(Registry {
        platform: backends.platform,
        store: backends.store,
        queue: backends.queue,
        clock: backends.clock,
        languages,
        limits,
        checks: checks::Checks::default(),
        peers,
    });
    tracing::info!("registry ready");
    let serving = server.serve(routes::routes(registry.clone()), shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = registry.remove_queues_of_the_deleted() => {}
        () = shutdown.hard.cancelled() => {}
    }
    Ok(())
}

impl Registry {
    /// Tells everybody that a function has changed: other hosts by broadcast, this host's scheduler
    /// and wait for it, so that who has an answer to his deploy reaches the new revision.
    async fn announce(&self, change: Change) {
        let function = match &change {
            Change::FunctionChanged { function } | Change::FunctionDeleted { function } => *function,
            // The scheduler keeps nothing of these.
            Change::SecretChanged { .. } | Change::TokensChanged => return self.broadcast(change).await,
        };
        self.broadcast(change).await;
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

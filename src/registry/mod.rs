//! The registry: owns functions, revisions and bundles, and shows which functions are warm.

mod deploy;
mod routes;
mod seed;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use crate::{
    config::manifest::Defaults,
    http::{self, Guard, chain},
    model::{
        FunctionId, PlatformName,
        message::{self, Change, Event},
    },
    queue::Queue,
    shutdown::Shutdown,
    store::Store,
};

/// What a registry works with.
pub struct Backends {
    pub platform: PlatformName,
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
}

/// What functions can be written in here.
pub struct Languages {
    pub defaults: Defaults,
    /// One base image for all: only the default version can be had.
    pub is_fixed: bool,
}

/// The scheduler of this host, which is told about changes before a deploy is answered.
pub struct LocalScheduler {
    pub address: SocketAddr,
    /// The bearer token of the internal ports.
    pub token: String,
}

struct Registry {
    platform: PlatformName,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    languages: Languages,
    scheduler: LocalScheduler,
    client: reqwest::Client,
}

/// Runs a registry until it is told to stop. Soft: requests under way are answered, a deploy
/// included.
pub async fn run(
    backends: Backends,
    languages: Languages,
    scheduler: LocalScheduler,
    listener: TcpListener,
    guard: Guard,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let registry = Arc::new(Registry {
        platform: backends.platform,
        store: backends.store,
        queue: backends.queue,
        languages,
        scheduler,
        client: http::client()?,
    });
    tracing::info!("registry ready");
    let serving = http::serve(listener, routes::routes(registry.clone()), guard, shutdown.soft.clone());
    tokio::select! {
        served = serving => served?,
        () = shutdown.hard.cancelled() => {}
    }
    Ok(())
}

impl Registry {
    /// Tells everybody that a function has changed: other hosts by broadcast, this host's scheduler
    /// and wait for it, so that who has an answer to his deploy reaches the new revision.
    async fn announce(&self, change: Change) {
        let event = Event { v: message::VERSION, change };
        if let Err(error) = self.queue.broadcast(message::encode(&event, b"")).await {
            tracing::warn!(error = %chain(&error), "change not broadcast; caches read again when they reconnect");
        }
        const PATIENCE: Duration = Duration::from_secs(2);
        let url = format!("http://{}/internal/v1/refresh", self.scheduler.address);
        let told = self
            .client
            .post(url)
            .bearer_auth(&self.scheduler.token)
            .timeout(PATIENCE)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        if let Err(error) = told {
            tracing::debug!(%error, "this host's scheduler was not told; it hears the broadcast");
        }
    }

    async fn announce_changed(&self, function: FunctionId) {
        self.announce(Change::FunctionChanged { function }).await;
    }
}

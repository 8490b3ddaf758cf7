//! The gateway: the public HTTP API. It authorises, limits and checks; the registry and the
//! scheduler answer.

mod forward;
mod routes;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::forward::Upstream;
use crate::{
    http::{Peer, Server},
    model::PlatformName,
    shutdown::Shutdown,
};

/// The roles behind the gateway, on this host.
pub struct Upstreams {
    pub platform: PlatformName,
    pub registry: Peer,
    pub scheduler: Peer,
}

struct Gateway {
    platform: PlatformName,
    registry: Upstream,
    scheduler: Upstream,
    stop: CancellationToken,
}

/// Runs a gateway until it is told to stop. Soft: requests under way are answered, those that only
/// follow or wait for something end.
pub async fn run(upstreams: Upstreams, server: Server, shutdown: Shutdown) -> anyhow::Result<()> {
    let gateway = Arc::new(Gateway {
        registry: Upstream::new("registry", upstreams.registry),
        scheduler: Upstream::new("scheduler", upstreams.scheduler),
        stop: shutdown.soft.clone(),
        platform: upstreams.platform,
    });
    tracing::info!("gateway ready");
    let serving = server.serve(routes::routes(gateway), shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = shutdown.hard.cancelled() => {}
    }
    Ok(())
}

//! The gateway: the public HTTP API. It authorises, limits and checks; the registry and the
//! scheduler answer.

mod forward;
mod routes;

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    http::{self, Guard},
    model::PlatformName,
    shutdown::Shutdown,
};

/// The roles behind the gateway, on this host.
pub struct Upstreams {
    pub platform: PlatformName,
    pub registry: SocketAddr,
    pub scheduler: SocketAddr,
    /// The bearer token of the internal ports.
    pub token: String,
}

struct Gateway {
    platform: PlatformName,
    registry: forward::Upstream,
    scheduler: forward::Upstream,
    stop: CancellationToken,
}

/// Runs a gateway until it is told to stop. Soft: requests under way are answered, those that only
/// follow or wait for something end.
pub async fn run(
    upstreams: Upstreams,
    listener: TcpListener,
    guard: Guard,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let client = http::client()?;
    let upstream =
        |role, address| forward::Upstream::new(role, address, &upstreams.token, client.clone());
    let gateway = Arc::new(Gateway {
        registry: upstream("registry", upstreams.registry),
        scheduler: upstream("scheduler", upstreams.scheduler),
        stop: shutdown.soft.clone(),
        platform: upstreams.platform,
    });
    tracing::info!("gateway ready");
    let serving = http::serve(listener, routes::routes(gateway), guard, shutdown.soft.clone());
    tokio::select! {
        served = serving => served?,
        () = shutdown.hard.cancelled() => {}
    }
    Ok(())
}

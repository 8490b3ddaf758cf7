//! The gateway: the public HTTP API. It authorises, limits and checks; the registry and the
//! scheduler answer. There is an adapter per kind of caller, over one table of routes (`model/route.rs`).

mod classic;
mod forward;
mod oidc;
mod v1;

use std::{sync::Arc, time::Duration};

use axum::Router;
use tokio_util::sync::CancellationToken;

use self::forward::Upstream;
pub use self::oidc::Oidc;
use crate::{
    http::{Peer, Served, Server, drops_nothing, health_routes},
    model::PlatformName,
    shutdown::Shutdown,
};

/// The roles behind the gateway, on this host.
pub struct Upstreams {
    pub platform: PlatformName,
    pub registry: Peer,
    pub scheduler: Peer,
    /// The provider whose tokens are accepted, too; none where none is set.
    pub oidc: Option<Arc<Oidc>>,
}

struct Gateway {
    platform: PlatformName,
    registry: Upstream,
    scheduler: Upstream,
    stop: CancellationToken,
}

/// Runs a gateway until it is told to stop. Soft: requests under way are answered, those that only
/// follow or wait for something end. A call that takes longer than `grace` is answered that nobody knows what becomes of
/// it, before this process ends.
pub async fn run(
    upstreams: Upstreams,
    queue_wait: Duration,
    grace: Duration,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let give_up = CancellationToken::new();
    let giving_up = {
        let (soft, give_up) = (shutdown.soft.clone(), give_up.clone());
        async move {
            soft.cancelled().await;
            tokio::time::sleep(grace).await;
            give_up.cancel();
            std::future::pending::<()>().await;
        }
    };
    let gateway = Arc::new(Gateway {
        registry: Upstream::new("registry", upstreams.registry, queue_wait, give_up.clone()),
        scheduler: Upstream::new("scheduler", upstreams.scheduler, queue_wait, give_up),
        stop: shutdown.soft.clone(),
        platform: upstreams.platform,
    });
    tracing::info!("gateway ready");
    let shortcut = Some(v1::shortcut(gateway.clone()));
    let serves = Served { routes: routes(gateway), calls: None, shortcut };
    let serving = server.serve(serves, shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = giving_up => {}
        () = shutdown.hard.cancelled() => {}
    }
    Ok(())
}

fn routes(gateway: Arc<Gateway>) -> Router {
    let platform = gateway.platform.clone();
    // It has no backend of its own: it is ready when the roles that it asks are.
    let asked = gateway.clone();
    let ready = Arc::new(move || {
        let gateway = asked.clone();
        Box::pin(async move {
            gateway.registry.ready().await?;
            gateway.scheduler.ready().await
        }) as _
    });
    v1::routes().merge(classic::routes()).with_state(gateway).merge(health_routes(
        "gateway",
        platform,
        Vec::new(),
        ready,
        drops_nothing(),
    ))
}

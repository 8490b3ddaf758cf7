//! The gateway: the public HTTP API. It authorises, limits and checks; the registry and the
//! scheduler answer. There is an adapter per kind of caller, over one table of routes (`model/route.rs`).

mod access;
mod classic;
mod forward;
mod functions;
mod oidc;
mod openapi;
mod router;
mod told;
mod v1;

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use tokio_util::sync::CancellationToken;

pub use self::{
    access::{Access, TokenAges},
    oidc::Oidc,
};
use self::{
    access::{Refusals, authorise},
    forward::Upstream,
    functions::{Addresses, Port, follow},
};
use crate::{
    clock::Clock,
    http::{Answer, Failure, Peer, SentBy, Served, Server},
    model::{FunctionName, PlatformName, TrustedProxies, route::Endpoint},
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
    /// Of its port for the addresses of functions alone.
    public_url: Option<String>,
    registry: Upstream,
    scheduler: Upstream,
    refusals: Arc<Refusals>,
    /// The proxies in front of it.
    trusted_proxies: TrustedProxies,
    clock: Clock,
    addresses: Arc<Addresses>,
    document: openapi::Document,
    stop: CancellationToken,
}

/// A request whose caller may use its route.
struct Admitted {
    endpoint: &'static Endpoint,
    sent_by: SentBy,
    /// The function that its path names.
    function: Option<FunctionName>,
    /// The function, token or secret that its path names, for the audit log.
    target: Option<String>,
}

/// The longest time that a stop waits for the last refusals to be told.
const LAST_REFUSALS: Duration = Duration::from_secs(2);

/// Runs a gateway until it is told to stop, with a second port for the addresses of functions alone, if there is one. Soft:
/// requests under way are answered, those that only follow or wait for something end. A call that takes longer than `grace` is
/// answered that nobody knows what becomes of it, before this process ends.
pub async fn run(
    access: Access,
    upstreams: Upstreams,
    queue_wait: Duration,
    grace: Duration,
    server: Server,
    public: Option<Server>,
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
    let (refusals, registry) = (access.refusals(), upstreams.registry.clone());
    let addresses = Arc::new(Addresses::default());
    let gateway = Arc::new(Gateway {
        addresses: addresses.clone(),
        document: openapi::Document::new(),
        registry: Upstream::new("registry", upstreams.registry, queue_wait, give_up.clone()),
        scheduler: Upstream::new("scheduler", upstreams.scheduler, queue_wait, give_up),
        refusals: refusals.clone(),
        trusted_proxies: server.front.trusted_proxies.clone(),
        clock: Clock::system(),
        stop: shutdown.soft.clone(),
        platform: upstreams.platform,
        public_url: public.as_ref().map(url_of).transpose()?,
    });
    tracing::info!("gateway ready");
    let functions = |server: &Server, is_public| {
        let (gateway, guard, addresses) = (gateway.clone(), server.guard.clone(), addresses.clone());
        Some(functions::on(Port { gateway, guard, addresses, is_public }))
    };
    let serves = Served {
        routes: router::routes(gateway.clone()),
        calls: None,
        shortcut: Some(v1::shortcut(gateway.clone())),
        functions: functions(&server, false),
    };
    let serving = server.serve(serves, shutdown.soft.clone());
    let on_public = async {
        if let Some(public) = public {
            // It has no routes, and no request gets as far as its guard.
            let functions = functions(&public, true);
            let serves = Served { functions, ..Served::from(Router::new()) };
            public.serve(serves, shutdown.soft.clone()).await;
        }
    };
    let is_over = CancellationToken::new();
    let mut telling = pin!(refusals.run(is_over.clone()));
    tokio::select! {
        ((), ()) = async { tokio::join!(serving, on_public) } => {}
        () = follow(registry, addresses.clone()) => {}
        () = giving_up => {}
        () = access.keep_up_to_date() => {}
        () = &mut telling => {}
        () = shutdown.hard.cancelled() => {
            refusals.warn_of_lost();
            return Ok(());
        }
    }
    is_over.cancel();
    let _ = tokio::time::timeout(LAST_REFUSALS, telling).await;
    refusals.warn_of_lost();
    Ok(())
}

/// Returns the URL on which a server listens.
fn url_of(server: &Server) -> anyhow::Result<String> {
    let scheme = if server.front.tls.is_some() { "https" } else { "http" };
    let address = server.listener.local_addr().context("a bound socket has no address")?;
    Ok(format!("{scheme}://{address}"))
}

impl Gateway {
    /// Returns 403 if the sender may not use this route, or not for this function, and notes that.
    fn authorise(
        &self,
        sent_by: &SentBy,
        endpoint: &Endpoint,
        function: Option<&FunctionName>,
    ) -> Answer<()> {
        authorise(&sent_by.caller, endpoint, function).inspect_err(|Failure(problem)| {
            let target = function.map(ToString::to_string);
            self.refusals.of_caller(sent_by, endpoint, target, Some(&problem.detail));
        })
    }

    /// Returns why the sender's token is refused by now, if its request took more than a moment to come, and notes that.
    async fn check_again(
        &self,
        sent_by: &SentBy,
        endpoint: &Endpoint,
        function: Option<&FunctionName>,
    ) -> Answer<()> {
        sent_by.token.still_holds().await.inspect_err(|Failure(problem)| {
            if matches!(problem.status, 401 | 403) {
                let target = function.map(ToString::to_string);
                self.refusals.of_caller(sent_by, endpoint, target, Some(&problem.detail));
            }
        })
    }
}

#[cfg(test)]
impl Gateway {
    /// Makes one whose roles never answer.
    fn alone() -> Arc<Self> {
        let peer = || Peer::here(crate::http::Door::default());
        let upstream = |role| Upstream::new(role, peer(), Duration::ZERO, CancellationToken::new());
        Arc::new(Self {
            platform: "p".parse().unwrap(),
            public_url: None,
            registry: upstream("registry"),
            scheduler: upstream("scheduler"),
            refusals: Arc::new(Refusals::new(peer())),
            trusted_proxies: TrustedProxies::default(),
            addresses: Arc::default(),
            document: openapi::Document::new(),
            clock: Clock::system(),
            stop: CancellationToken::new(),
        })
    }
}

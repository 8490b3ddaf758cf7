//! The composition root: builds roles from settings and runs them.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Platform, lock::StoreLock, manifest::Defaults, platform::Addresses, state::State},
    gateway,
    http::{self, Guard, chain},
    manager,
    queue::{self, Queue},
    registry,
    runtime::{self, Owner, Runtime},
    scheduler,
    shutdown::Shutdown,
    store::{self, Store},
};

/// A role of the platform; its name is also its subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Gateway,
    Registry,
    Scheduler,
    Manager,
}

impl Role {
    /// In the order in which they start.
    pub const ALL: [Self; 4] = [Self::Registry, Self::Scheduler, Self::Manager, Self::Gateway];

    /// In the order in which they stop: no new requests, then what runs is finished, then its outcomes
    /// are taken.
    pub const STOP: [Self; 4] = [Self::Gateway, Self::Manager, Self::Scheduler, Self::Registry];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Registry => "registry",
            Self::Scheduler => "scheduler",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// On top of what a role itself waits for its running work; then it is stopped hard.
pub const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Runs roles in this process until they are told to stop. Returns an error when one cannot start
/// (a taken port, a store that refuses); what merely does not answer yet is waited for.
pub async fn run(roles: &[Role], platform: &Platform, shutdown: Shutdown) -> anyhow::Result<()> {
    Host::bind(roles, platform).await?.run(shutdown).await
}

/// Roles with their ports taken, not yet running.
pub struct Host {
    platform: Platform,
    listeners: Vec<(Role, TcpListener)>,
}

impl Host {
    /// Takes the ports. [`Host::platform`] then has the real ones where 0 was asked for.
    pub async fn bind(roles: &[Role], platform: &Platform) -> anyhow::Result<Self> {
        let mut platform = platform.clone();
        let mut listeners = Vec::with_capacity(roles.len());
        for role in Role::ALL.into_iter().filter(|role| roles.contains(role)) {
            let address = address(&mut platform.addresses, role);
            let listener =
                http::bind(*address).await.with_context(|| format!("the {role} cannot start"))?;
            *address = listener.local_addr().context("a bound socket has no address")?;
            listeners.push((role, listener));
        }
        Ok(Self { platform, listeners })
    }

    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { platform, listeners } = self;
        let state = State::open(&platform.data_dir)?;
        let roles: Vec<Role> = listeners.iter().map(|(role, _)| *role).collect();
        let Some(backends) = Backends::connect(&roles, &platform, &state, &shutdown).await? else {
            return Ok(());
        };
        let mut running = Vec::new();
        for (role, listener) in listeners {
            // Each has tokens of its own, so that they can be stopped in order.
            let own = Shutdown { soft: CancellationToken::new(), hard: shutdown.hard.child_token() };
            let task = start(role, listener, &platform, &state, &backends, own.clone())?;
            running.push(Running { role, shutdown: own, task });
        }
        let result = supervise(&shutdown, running, platform.limits.stop_grace + STOP_MARGIN).await;
        backends.close().await;
        result
    }
}

/// A role that has been started.
struct Running {
    role: Role,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Softly, and hard when that takes longer than `grace`.
    async fn stop(mut self, grace: Duration) -> anyhow::Result<()> {
        let role = self.role;
        self.shutdown.soft.cancel();
        let ended = match tokio::time::timeout(grace, &mut self.task).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(role = role.as_str(), "not stopped in time; stopping it at once");
                self.shutdown.hard.cancel();
                self.task.await
            }
        };
        outcome(role, ended)
    }
}

fn outcome(role: Role, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.with_context(|| format!("the {role} panicked"))?.with_context(|| format!("the {role} ended"))
}

/// Waits until they are told to stop or one ends by itself, and stops them in order.
async fn supervise(
    shutdown: &Shutdown,
    mut running: Vec<Running>,
    grace: Duration,
) -> anyhow::Result<()> {
    let any_ended =
        futures_util::future::select_all(running.iter_mut().map(|running| &mut running.task));
    let first = tokio::select! {
        // First: who is told to stop hard may end at once.
        biased;
        () = shutdown.soft.cancelled() => None,
        () = shutdown.hard.cancelled() => None,
        (ended, index, _) = any_ended => Some((ended, index)),
    };
    let mut result = Ok(());
    if let Some((ended, index)) = first {
        let role = running.remove(index).role;
        result = outcome(role, ended).and_then(|()| anyhow::bail!("the {role} ended unasked"));
    }
    for role in Role::STOP {
        if let Some(index) = running.iter().position(|running| running.role == role) {
            result = result.and(running.remove(index).stop(grace).await);
        }
    }
    result
}

fn start(
    role: Role,
    listener: TcpListener,
    platform: &Platform,
    state: &State,
    backends: &Backends,
    shutdown: Shutdown,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let internal = state.internal_token()?;
    let internal_guard = Guard::new(internal.expose());
    let internal_token = internal.expose().to_owned();
    let store = backends.store.clone().context("no store");
    let queue = backends.queue.clone().context("no queue");
    let Addresses { registry, scheduler, .. } = platform.addresses;
    let (name, limits) = (platform.name.clone(), platform.limits);
    Ok(match role {
        Role::Gateway => {
            let guard = Guard::new(state.token()?.expose()).with_hosts(platform.gateway_hosts.clone());
            let upstreams =
                gateway::Upstreams { platform: name, registry, scheduler, token: internal_token };
            tokio::spawn(gateway::run(upstreams, listener, guard, shutdown))
        }
        Role::Registry => {
            let backends = registry::Backends { platform: name, store: store?, queue: queue? };
            let defaults = Defaults { python_version: platform.python_version.clone() };
            let languages = registry::Languages { is_fixed: has_one_python(platform), defaults };
            let scheduler = registry::LocalScheduler { address: scheduler, token: internal_token };
            tokio::spawn(registry::run(
                backends,
                languages,
                scheduler,
                listener,
                internal_guard,
                shutdown,
            ))
        }
        Role::Scheduler => {
            let backends = scheduler::Backends { platform: name, store: store?, queue: queue? };
            tokio::spawn(scheduler::run(backends, limits, listener, internal_guard, shutdown))
        }
        Role::Manager => {
            let owner = Owner { platform: name, manager: state.manager_id()? };
            let backends = manager::Backends {
                store: store?,
                queue: queue?,
                runtime: backends.runtime.clone().context("no runtime")?,
            };
            let data_dir = platform.data_dir.clone();
            tokio::spawn(manager::run(
                backends,
                owner,
                limits,
                data_dir,
                listener,
                internal_guard,
                shutdown,
            ))
        }
    })
}

/// What the roles of this process share; none where no role needs it.
struct Backends {
    /// Of a store that is a file.
    _lock: Option<StoreLock>,
    store: Option<Arc<dyn Store>>,
    queue: Option<Arc<dyn Queue>>,
    runtime: Option<Arc<dyn Runtime>>,
}

impl Backends {
    /// None when told to stop before everything answered.
    async fn connect(
        roles: &[Role],
        platform: &Platform,
        state: &State,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<Self>> {
        let mut backends = Self { _lock: None, store: None, queue: None, runtime: None };
        if roles.iter().all(|role| *role == Role::Gateway) {
            return Ok(Some(backends));
        }
        if let store::Config::Sqlite { path } = &platform.store {
            let alone = matches!(platform.queue, queue::Config::Embedded);
            backends._lock = Some(StoreLock::take(path, alone)?);
        }
        if roles.contains(&Role::Manager) {
            let config = platform.runtime_config(state.manager_id()?);
            backends.runtime = Some(runtime::connect(&config).context("no runtime")?);
        }
        let connecting = async {
            let store = || store::connect(&platform.store).boxed();
            let store = patiently("store", store, store::Error::is_transient).await?;
            let queue = || queue::connect(&platform.queue, &platform.name).boxed();
            let queue = patiently("queue", queue, queue::Error::is_transient).await?;
            anyhow::Ok((store, queue))
        };
        tokio::select! {
            connected = connecting => {
                let (store, queue) = connected?;
                backends.store = Some(store);
                backends.queue = Some(queue);
                Ok(Some(backends))
            }
            () = shutdown.soft.cancelled() => Ok(None),
            () = shutdown.hard.cancelled() => Ok(None),
        }
    }

    async fn close(self) {
        if let Some(queue) = self.queue {
            queue.close().await;
        }
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Tries again for as long as trying again can help; says what it waits for when that changes.
async fn patiently<'a, T, E: std::error::Error + Send + Sync + 'static>(
    what: &str,
    mut connect: impl FnMut() -> BoxFuture<'a, Result<T, E>>,
    is_transient: impl Fn(&E) -> bool,
) -> anyhow::Result<T> {
    let mut pause = Duration::from_millis(100);
    let mut said = String::new();
    loop {
        match connect().await {
            Ok(connected) => {
                if !said.is_empty() {
                    tracing::info!("the {what} answers");
                }
                return Ok(connected);
            }
            Err(error) if is_transient(&error) => {
                let reason = chain(&error);
                if reason != said {
                    tracing::warn!(error = %reason, "waiting for the {what}");
                    said = reason;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(3));
            }
            Err(error) => return Err(error).with_context(|| format!("the {what} cannot be used")),
        }
    }
}

/// One image for all versions, or the host's own interpreter.
fn has_one_python(platform: &Platform) -> bool {
    platform.runtime == runtime::Kind::Oci || !platform.python_image.contains("{version}")
}

fn address(addresses: &mut Addresses, role: Role) -> &mut std::net::SocketAddr {
    match role {
        Role::Gateway => &mut addresses.gateway,
        Role::Registry => &mut addresses.registry,
        Role::Scheduler => &mut addresses.scheduler,
        Role::Manager => &mut addresses.manager,
    }
}

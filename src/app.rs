//! The composition root: builds roles from settings and runs them.

mod backends;
mod folder;
mod running;

use std::{collections::HashMap, fmt, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::mpsc::UnboundedSender, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::folder::{Gone, Watched};
use self::{
    backends::Backends,
    running::{Running, supervise},
};
pub use crate::manager::KeptPackages;
use crate::{
    clock::Clock,
    gateway,
    http::{self, Door, Front, Guard, Peer, Server, Tls},
    keyring::{Keyring, KeyringError},
    manager,
    manifest::{self, Defaults},
    model::{Language, LogLine},
    place::{
        Addresses, certificate_file,
        state::{State, write_private},
    },
    registry,
    runtime::{self, Owner},
    scheduler,
    settings::{Limits, Platform},
    shutdown::Shutdown,
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
    /// All roles, in the order in which they start.
    pub const ALL: [Self; 4] = [Self::Registry, Self::Scheduler, Self::Manager, Self::Gateway];

    /// The order in which the roles stop: first no new requests are accepted, then running work is finished,
    /// then its outcomes are recorded.
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

/// The time that a role gets for its stop in addition to the time for its running work; after that it is
/// stopped hard.
pub const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Returns the maximum time that the stop of a role takes, whatever it waits for.
pub fn stops_within(limits: &Limits) -> Duration {
    limits.stop_grace + STOP_MARGIN + running::HARD_STOP
}

/// Returns the keys of secrets: those of the file that the settings name, or of the one in the data folder, which is made at its
/// first use.
pub fn keyring(given: Option<&Path>, state: &State) -> Result<Keyring, KeyringError> {
    match given {
        Some(path) => Keyring::read(path),
        None => Keyring::read_or_make(&state.secret_key_file()),
    }
}

/// Runs roles in this process until they are told to stop. Returns an error if one cannot start (a taken port,
/// a store that refuses); a backend that does not answer yet is waited for.
pub async fn run(roles: &[Role], platform: &Platform, shutdown: Shutdown) -> anyhow::Result<()> {
    Host::bind(roles, platform).await?.run(shutdown).await
}

/// Roles with their ports taken, not yet running.
pub struct Host {
    platform: Platform,
    listeners: Vec<(Role, Port)>,
    lines: Option<UnboundedSender<LogLine>>,
    kept: Option<Arc<KeptPackages>>,
}

/// The place where a role listens.
struct Port {
    listener: TcpListener,
    /// The second one of a gateway.
    public: Option<TcpListener>,
    /// The certificate of both.
    tls: Option<Tls>,
}

impl Host {
    /// Takes the ports, and reads the certificate of the gateway. [`Host::platform`] then has the real port in place of each 0.
    pub async fn bind(roles: &[Role], platform: &Platform) -> anyhow::Result<Self> {
        let mut platform = platform.clone();
        platform.addresses.is_tls = platform.tls.is_some();
        let mut listeners = Vec::with_capacity(roles.len());
        for role in Role::ALL.into_iter().filter(|role| roles.contains(role)) {
            let port = Port::bind(role, &mut platform).await;
            listeners.push((role, port.with_context(|| format!("the {role} cannot start"))?));
        }
        Ok(Self { platform, listeners, lines: None, kept: None })
    }

    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Sends a copy of what functions write to `lines`: each line at once, and before the answer of its
    /// invocation.
    pub fn watched_by(self, lines: UnboundedSender<LogLine>) -> Self {
        Self { lines: Some(lines), ..self }
    }

    /// Uses packages that earlier platforms have installed, and installs new ones for later platforms. The caller
    /// that opened them closes them when the roles have ended.
    pub fn with_kept_packages(self, kept: Option<Arc<KeptPackages>>) -> Self {
        Self { kept, ..self }
    }

    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { platform, listeners, lines, kept } = self;
        let state = State::open(&platform.data_dir)?;
        let roles: Vec<Role> = listeners.iter().map(|(role, _)| *role).collect();
        let Some(mut backends) = Backends::connect(&roles, &platform, &state, &shutdown).await? else {
            return Ok(());
        };
        backends.lines = lines;
        backends.kept = kept;
        let doors: HashMap<Role, Door> = roles.iter().map(|role| (*role, Door::default())).collect();
        let mut running = Vec::new();
        for (role, port) in listeners {
            // Each role has tokens of its own, so that the roles can be stopped in order.
            let own = Shutdown { soft: CancellationToken::new(), hard: shutdown.hard.child_token() };
            let task = start(role, port, &doors, &platform, &state, &backends, own.clone())?;
            running.push(Running { role, shutdown: own, task });
        }
        let watched = Watched::of(&platform);
        let grace = platform.limits.stop_grace + STOP_MARGIN;
        let result = supervise(&shutdown, running, grace, &watched, backends.broken()).await;
        backends.close().await;
        result
    }
}

impl Port {
    async fn bind(role: Role, platform: &mut Platform) -> anyhow::Result<Self> {
        let listener = bound(address(&mut platform.addresses, role)).await?;
        if role != Role::Gateway {
            return Ok(Self { listener, public: None, tls: None });
        }
        let tls = platform.tls.as_ref().map(|files| Tls::load(&files.cert, &files.key)).transpose()?;
        let public = match &mut platform.addresses.public {
            Some(address) => Some(bound(address).await?),
            None => None,
        };
        Ok(Self { listener, public, tls })
    }
}

/// Takes a port, and puts the real one in place of 0.
async fn bound(address: &mut SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = http::bind(*address).await?;
    *address = listener.local_addr().context("a bound socket has no address")?;
    Ok(listener)
}

fn start(
    role: Role,
    port: Port,
    doors: &HashMap<Role, Door>,
    platform: &Platform,
    state: &State,
    backends: &Backends,
    shutdown: Shutdown,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let internal = state.internal_token()?;
    // The gateway's own takes its place below.
    let guard = Guard::new(internal.expose());
    let Port { listener, public, tls } = port;
    let door = doors.get(&role).cloned().unwrap_or_default();
    let server = Server { listener, guard, door, front: Front::default() };
    let peer = |role: Role| match doors.get(&role) {
        Some(door) => Ok(Peer::here(door.clone())),
        None => Peer::at(*address(&mut platform.addresses.clone(), role), internal.expose()),
    };
    let store = backends.store.clone().context("no store");
    let queue = backends.queue.clone().context("no queue");
    let keyring = backends.keyring.clone().context("no keys of secrets");
    let (name, limits) = (platform.name.clone(), platform.limits);
    Ok(match role {
        Role::Gateway => {
            let (registry, scheduler) = (peer(Role::Registry)?, peer(Role::Scheduler)?);
            let ages = gateway::TokenAges { recheck: limits.token_recheck, kept: limits.token_age };
            let oidc = platform.oidc.as_ref().map(|oidc| gateway::Oidc::new(oidc, Clock::system()));
            let file_token = state.token()?;
            let access =
                gateway::Access::new(file_token.expose(), registry.clone(), oidc.transpose()?, ages);
            let guard = access.guard().with_hosts(platform.gateway_hosts.clone());
            let front = front(tls, platform, state)?;
            let public = public.map(|listener| {
                let (guard, door) = (guard.clone(), Door::default());
                Server { listener, guard, door, front: front.clone() }
            });
            let server = Server { guard, front: front.clone(), ..server };
            let upstreams = gateway::Upstreams { platform: name, registry, scheduler };
            let (queue_wait, grace) = (limits.queue_wait, limits.stop_grace);
            let runs = gateway::run(access, upstreams, queue_wait, grace, server, public, shutdown);
            tokio::spawn(with_certificate(front.tls, runs))
        }
        Role::Registry => {
            let clock = Clock::system();
            let (store, queue, keyring) = (store?, queue?, keyring?);
            let backends = registry::Backends { platform: name, store, queue, keyring, clock };
            let languages = registry::Languages {
                only_default: with_one_version(platform),
                is_hosts: platform.runtime == runtime::Kind::Oci,
                defaults: Defaults { versions: platform.versions() },
            };
            let (scheduler, manager) = (peer(Role::Scheduler)?, peer(Role::Manager)?);
            let peers = registry::Peers { scheduler, manager };
            tokio::spawn(registry::run(backends, languages, limits, peers, server, shutdown))
        }
        Role::Scheduler => {
            let backends = scheduler::Backends { platform: name, store: store?, queue: queue? };
            tokio::spawn(scheduler::run(backends, limits, Clock::system(), server, shutdown))
        }
        Role::Manager => {
            let owner = Owner { platform: name, manager: state.manager_id()? };
            let backends = manager::Backends {
                store: store?,
                queue: queue?,
                runtime: backends.runtime.clone().context("no runtime")?,
                keyring: keyring?,
                clock: Clock::system(),
                lines: backends.lines.clone(),
                kept: backends.kept.clone(),
                builds: platform.builds.clone(),
                usual: manifest::usual(&Defaults { versions: platform.versions() }),
            };
            let data_dir = platform.data_dir.clone();
            tokio::spawn(manager::run(backends, owner, limits, data_dir, server, shutdown))
        }
    })
}

/// Returns what the ports of a gateway have in common. Its certificate is written to the data folder, where clients of this host
/// find it.
fn front(tls: Option<Tls>, platform: &Platform, state: &State) -> anyhow::Result<Front> {
    let file = certificate_file(state.folder());
    let tls = tls.map(|tls| tls.published(move |pem| Ok(write_private(&file, pem)?))).transpose()?;
    Ok(Front { tls: tls.map(Arc::new), trusted_proxies: platform.trusted_proxies.clone() })
}

/// Runs a gateway beside its certificate, which is replaced when its files change.
async fn with_certificate(
    tls: Option<Arc<Tls>>,
    runs: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let Some(tls) = tls else { return runs.await };
    tokio::select! {
        ended = runs => ended,
        () = tls.keep_up_to_date() => Ok(()),
    }
}

/// Returns the languages with one image for all versions; all languages if functions run on the host's own
/// interpreters.
fn with_one_version(platform: &Platform) -> Vec<Language> {
    let images = platform.base_images();
    let is_one = |language: &&Language| {
        platform.runtime == runtime::Kind::Oci || !images.has_versions(**language)
    };
    Language::ALL.iter().filter(is_one).copied().collect()
}

fn address(addresses: &mut Addresses, role: Role) -> &mut SocketAddr {
    match role {
        Role::Gateway => &mut addresses.gateway,
        Role::Registry => &mut addresses.registry,
        Role::Scheduler => &mut addresses.scheduler,
        Role::Manager => &mut addresses.manager,
    }
}

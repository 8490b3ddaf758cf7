//! The composition root: builds roles from settings and runs them.

mod backends;
mod folder;
mod running;

use std::{collections::HashMap, fmt, path::Path, sync::Arc, time::Duration};

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
    http::{self, Door, Front, Guard, Peer, Server},
    keyring::{Keyring, KeyringError},
    manager,
    manifest::{self, Defaults},
    model::{Language, LogLine},
    place::{Addresses, state::State},
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
    listeners: Vec<(Role, TcpListener)>,
    lines: Option<UnboundedSender<LogLine>>,
    kept: Option<Arc<KeptPackages>>,
}

impl Host {
    /// Takes the ports. [`Host::platform`] then has the real port in place of each 0.
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
        for (role, listener) in listeners {
            // Each role has tokens of its own, so that the roles can be stopped in order.
            let own = Shutdown { soft: CancellationToken::new(), hard: shutdown.hard.child_token() };
            let task = start(role, listener, &doors, &platform, &state, &backends, own.clone())?;
            running.push(Running { role, shutdown: own, task });
        }
        let watched = Watched::of(&platform);
        let grace = platform.limits.stop_grace + STOP_MARGIN;
        let result = supervise(&shutdown, running, grace, &watched, backends.broken()).await;
        backends.close().await;
        result
    }
}

fn start(
    role: Role,
    listener: TcpListener,
    doors: &HashMap<Role, Door>,
    platform: &Platform,
    state: &State,
    backends: &Backends,
    shutdown: Shutdown,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let internal = state.internal_token()?;
    // The gateway's own takes its place below.
    let guard = Guard::new(internal.expose());
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
            let server = Server { guard, ..server };
            let upstreams = gateway::Upstreams { platform: name, registry, scheduler };
            let (queue_wait, grace) = (limits.queue_wait, limits.stop_grace);
            tokio::spawn(gateway::run(access, upstreams, queue_wait, grace, server, shutdown))
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

/// Returns the languages with one image for all versions; all languages if functions run on the host's own
/// interpreters.
fn with_one_version(platform: &Platform) -> Vec<Language> {
    let images = platform.base_images();
    let is_one = |language: &&Language| {
        platform.runtime == runtime::Kind::Oci || !images.has_versions(**language)
    };
    Language::ALL.iter().filter(is_one).copied().collect()
}

fn address(addresses: &mut Addresses, role: Role) -> &mut std::net::SocketAddr {
    match role {
        Role::Gateway => &mut addresses.gateway,
        Role::Registry => &mut addresses.registry,
        Role::Scheduler => &mut addresses.scheduler,
        Role::Manager => &mut addresses.manager,
    }
}

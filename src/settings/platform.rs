//! The settings of a platform's roles, resolved: flag, environment and file have been looked at.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    model::{Language, ManagerId, PlatformName},
    place::Addresses,
    queue, runtime, store,
};

/// Everything that a role needs to start. The same for all roles of one host.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: PlatformName,
    /// Tokens, bundle cache, instance folders, role logs: `$XDG_STATE_HOME/cloudfunc/<stack>`.
    pub data_dir: PathBuf,
    pub store: store::Config,
    pub queue: queue::Config,
    pub runtime: runtime::Kind,
    /// This program, for a runtime that runs it again. Not a setting: tests are another program.
    pub program: PathBuf,
    pub addresses: Addresses,
    /// Names by which the gateway may be called, besides IP addresses and `localhost`.
    pub gateway_hosts: Vec<String>,
    /// Base image of Python, may hold `{version}`.
    pub python_image: String,
    /// The version of Python that a manifest without one gets.
    pub python_version: String,
    pub limits: Limits,
}

impl Platform {
    /// The same settings as environment variables, for a role that is started as a process. Store and
    /// queue may hold passwords, which other users could read in its arguments.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        let port = |address: SocketAddr| address.port().to_string();
        let (addresses, limits) = (&self.addresses, &self.limits);
        vec![
            ("CLOUDFUNC_PLATFORM", self.name.to_string()),
            ("CLOUDFUNC_DATA_DIR", self.data_dir.display().to_string()),
            ("CLOUDFUNC_STORE", store_url(&self.store)),
            ("CLOUDFUNC_QUEUE", queue_url(&self.queue)),
            ("CLOUDFUNC_RUNTIME", self.runtime.as_str().to_owned()),
            ("CLOUDFUNC_GATEWAY_HOST", addresses.gateway.ip().to_string()),
            ("CLOUDFUNC_GATEWAY_PORT", port(addresses.gateway)),
            ("CLOUDFUNC_GATEWAY_HOSTS", self.gateway_hosts.join(",")),
            ("CLOUDFUNC_REGISTRY_PORT", port(addresses.registry)),
            ("CLOUDFUNC_SCHEDULER_PORT", port(addresses.scheduler)),
            ("CLOUDFUNC_MANAGER_PORT", port(addresses.manager)),
            ("CLOUDFUNC_PYTHON_IMAGE", self.python_image.clone()),
            ("CLOUDFUNC_PYTHON_VERSION", self.python_version.clone()),
            ("CLOUDFUNC_QUEUE_WAIT", ms(limits.queue_wait)),
            ("CLOUDFUNC_MAX_WAITING", limits.max_waiting.to_string()),
            ("CLOUDFUNC_MAX_BACKLOG", limits.max_backlog.to_string()),
            ("CLOUDFUNC_MEMORY_BUDGET", format!("{}B", limits.memory_budget)),
            ("CLOUDFUNC_KEEP_ALIVE", limits.keep_alive.as_str().to_owned()),
            ("CLOUDFUNC_PREWARM_BUDGET", format!("{}B", limits.prewarm_budget)),
            ("CLOUDFUNC_MAX_STARTS", limits.max_starts.to_string()),
            ("CLOUDFUNC_STOP_GRACE", ms(limits.stop_grace)),
            ("CLOUDFUNC_RETENTION", ms(limits.retention)),
            ("CLOUDFUNC_KEEP_REVISIONS", limits.keep_revisions.to_string()),
        ]
    }

    /// The version of each language for functions that name none.
    pub fn versions(&self) -> BTreeMap<Language, String> {
        BTreeMap::from([(Language::Python, self.python_version.clone())])
    }

    /// The base images that functions run in, by language.
    pub fn base_images(&self) -> runtime::BaseImages {
        runtime::BaseImages::of(Language::Python, &*self.python_image)
    }

    /// The runtime as the manager of this data folder sees it: with its labels.
    pub fn runtime_config(&self, manager: ManagerId) -> runtime::Config {
        let owner = runtime::Owner { platform: self.name.clone(), manager };
        let program = self.program.clone();
        runtime::Config::new(
            self.runtime,
            owner,
            self.base_images(),
            self.data_dir.join("runtime"),
            program,
        )
    }
}

fn store_url(store: &store::Config) -> String {
    match store {
        store::Config::Postgres { url } => url.expose().to_owned(),
        store::Config::Sqlite { path } => format!("sqlite:{}", path.display()),
    }
}

fn queue_url(queue: &queue::Config) -> String {
    match queue {
        queue::Config::RabbitMq { url } => url.expose().to_owned(),
        queue::Config::Embedded => "embedded".to_owned(),
    }
}

/// How long idle instances are kept; what that means in full stands in the manager's `keep_alive.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlivePolicy {
    /// For the `idle_timeout` of their revision; the least recently used one is evicted first.
    Fixed,
    /// For at least that, and longer where the function's past says that it will be wanted again; the one
    /// that is worth least is evicted first.
    Adaptive,
}

impl KeepAlivePolicy {
    pub const ALL: [Self; 2] = [Self::Fixed, Self::Adaptive];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Adaptive => "adaptive",
        }
    }
}

impl std::str::FromStr for KeepAlivePolicy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        known.ok_or_else(|| "not a keep-alive policy; accepted are fixed and adaptive".to_owned())
    }
}

/// Bounds, each with what happens at it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a sync call waits for a slot; then 429.
    pub queue_wait: Duration,
    /// How many sync calls of one function may wait for a slot at once; one more is answered 429.
    pub max_waiting: u32,
    /// Async invocations that are queued or retrying; beyond it 503 before anything is stored.
    pub max_backlog: u64,
    /// Memory of all instances of one manager together, by their limits; an idle one is evicted at it,
    /// and when none is idle, the start waits.
    pub memory_budget: u64,
    /// How long an idle instance is kept, and which one is evicted.
    pub keep_alive: KeepAlivePolicy,
    /// Memory of all prewarmed instances of one manager together, out of what its functions leave of
    /// `memory_budget`; 0: there are none.
    pub prewarm_budget: u64,
    /// Sandboxes being started at once by one manager; others wait their turn.
    pub max_starts: usize,
    /// How long a deploy's load check waits for memory; then it is skipped. Fixed; tests shorten it.
    pub check_wait: Duration,
    /// How often a role that follows the functions reads all of them, as the announcement of a change may have been
    /// lost. Fixed; tests shorten it.
    pub reread: Duration,
    /// How long a soft stop waits for running invocations before it gives up on them.
    pub stop_grace: Duration,
    /// Terminal records and logs are kept for so long.
    pub retention: Duration,
    /// How many revisions of a function are kept, the newest ones; the active one is kept in any case, and one
    /// that still has instances or running invocations until they have ended.
    pub keep_revisions: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_wait: Duration::from_secs(10),
            max_waiting: 100,
            max_backlog: 100_000,
            memory_budget: 8 << 30,
            keep_alive: KeepAlivePolicy::Fixed,
            // Four of the default 128 MiB, which take a few MiB each while they wait.
            prewarm_budget: 512 << 20,
            // Docker's starts saturate at about twice the cores (measured: 4 on 2 cores).
            max_starts: 2 * std::thread::available_parallelism().map_or(2, usize::from),
            check_wait: Duration::from_secs(10),
            reread: Duration::from_secs(60),
            stop_grace: Duration::from_secs(30),
            retention: Duration::from_secs(7 * 24 * 3600),
            keep_revisions: 10,
        }
    }
}

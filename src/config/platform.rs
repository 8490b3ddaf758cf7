//! The settings of a platform's roles, resolved: flag, environment and file have been looked at.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{model::PlatformName, queue, runtime, store};

/// Everything that a role needs to start. The same for all roles of one host.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: PlatformName,
    /// Tokens, bundle cache, instance folders, role logs: `$XDG_STATE_HOME/cloudfunc/<stack>`.
    pub data_dir: PathBuf,
    pub store: store::Config,
    pub queue: queue::Config,
    pub runtime: runtime::Kind,
    pub addresses: Addresses,
    /// Base image of Python, may hold `{version}`.
    pub python_image: String,
    /// The version of Python that a manifest without one gets.
    pub python_version: String,
    pub limits: Limits,
}

/// Where each role listens. Port 0 takes a free one (tests).
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub gateway: SocketAddr,
    pub registry: SocketAddr,
    pub scheduler: SocketAddr,
    pub manager: SocketAddr,
}

impl Default for Addresses {
    /// The seed's ports, on loopback.
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            gateway: local(8000),
            registry: local(7000),
            scheduler: local(9000),
            manager: local(9001),
        }
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
    /// Memory of all instances of one manager together, by their limits; the least recently used idle
    /// one is evicted at it, and when none is idle, the start waits.
    pub memory_budget: u64,
    /// Sandboxes being started at once by one manager; others wait their turn.
    pub max_starts: usize,
    /// How long a soft stop waits for running invocations before it gives up on them.
    pub stop_grace: Duration,
    /// Terminal records and logs are kept for so long.
    pub retention: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_wait: Duration::from_secs(10),
            max_waiting: 100,
            max_backlog: 100_000,
            memory_budget: 8 << 30,
            // Docker's starts saturate at about twice the cores (measured: 4 on 2 cores).
            max_starts: 2 * std::thread::available_parallelism().map_or(2, usize::from),
            stop_grace: Duration::from_secs(30),
            retention: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

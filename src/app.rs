//! The composition root: builds roles from settings and runs them.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::config::Platform;

/// A role of the platform; its name is also its subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Gateway,
    Registry,
    Scheduler,
    Manager,
}

impl Role {
    /// In the order in which they start; they stop in the reverse one.
    pub const ALL: [Self; 4] = [Self::Registry, Self::Scheduler, Self::Manager, Self::Gateway];

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

/// How a role is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take no new work, finish what runs, give the rest back.
    pub soft: CancellationToken,
    /// Stop at once.
    pub hard: CancellationToken,
}

/// Runs roles in this process until they are told to stop. Returns an error when one cannot start
/// (a taken port, a store that refuses); what merely does not answer yet is waited for.
pub async fn run(roles: &[Role], platform: &Platform, shutdown: Shutdown) -> anyhow::Result<()> {
    let _ = (roles, platform, shutdown);
    todo!()
}

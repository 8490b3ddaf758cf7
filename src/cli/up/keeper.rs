//! Keeps one role running: starts its child, restarts it when it dies, and stops it when told to.

use std::{
    borrow::Cow,
    process::ExitStatus,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    child::Child,
    pulse::{self, SILENCE},
    restart::{MAX_FAILED_STARTS, Next, Restarts},
    screen::{RoleLog, Screen},
};
use crate::{
    app::{Role, STOP_MARGIN, Watched},
    local::probe::Prober,
    model::ManagerId,
    runtime,
    settings::Platform,
    units::show_duration,
};

/// The time limit for removing a dead manager's sandboxes: a slow engine does not delay the next start.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// The time limit for the end of a killed process: if its disk or network file system hangs, it ends only when
/// that responds.
const KILLED: Duration = Duration::from_secs(5);

pub struct Keeper {
    pub role: Role,
    pub platform: Arc<Platform>,
    /// The id of this host's manager, whose sandboxes are removed when it dies.
    pub manager: ManagerId,
    pub log: Arc<Mutex<RoleLog>>,
    pub log_filter: String,
    pub screen: Screen,
    pub prober: Prober,
    /// Cancelled to stop in order.
    pub stop: CancellationToken,
    /// Cancelled to stop at once.
    pub kill: CancellationToken,
    pub watched: Arc<Watched>,
}

/// A role that cannot be kept running, with its last log lines.
#[derive(Debug, thiserror::Error)]
#[error("the {role} {problem}{}", last_lines(.last))]
pub struct Failed {
    role: Role,
    problem: String,
    last: Vec<String>,
}

fn last_lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

impl Keeper {
    /// Runs until the role has been stopped or is given up.
    pub async fn run(self) -> Result<(), Failed> {
        let mut restarts = Restarts::new();
        loop {
            let child = Child::start(self.role, &self.platform, &self.log_filter, &self.log);
            let mut child = child.map_err(|error| self.failed(format!("cannot be started: {error}")))?;
            let status = tokio::select! {
                status = self.ended(&mut child) => status,
                () = self.stop.cancelled() => return self.end(child).await,
            };
            let status = status.map_err(|error| self.failed(format!("is lost: {error}")))?;
            let life = child.started.elapsed();
            let next = restarts.ended(life, status.code());
            self.clean_up().await;
            // The next start would create the folder again. The supervisor notices the loss too, and stops
            // everything.
            if self.watched.look().is_err() {
                self.stop.cancelled().await;
                return Ok(());
            }
            let Next::Again(pause) = next else {
                return Err(self.failed(format!(
                    "ended {MAX_FAILED_STARTS} times in a row at its start ({status})"
                )));
            };
            self.screen.note(format!(
                "the {} ended after {} ({status}); starting it again in {}",
                self.role,
                show_duration(life),
                show_duration(pause)
            ));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Waits for the end of the child, and kills it if it does not answer any more: callers would wait for it forever. Cancel safe.
    async fn ended(&self, child: &mut Child) -> std::io::Result<ExitStatus> {
        tokio::select! {
            status = child.ended() => return status,
            () = pulse::silent(&self.prober, self.role) => {}
        }
        let silence = show_duration(SILENCE);
        self.screen.note(format!("the {} has not answered for {silence}; killing it", self.role));
        child.kill();
        child.ended().await
    }

    /// Stops the child softly, and after a while or when told to, hard.
    async fn end(&self, mut child: Child) -> Result<(), Failed> {
        let lost = |error: std::io::Error| self.failed(format!("is lost: {error}"));
        child.terminate();
        let grace = self.platform.limits.stop_grace + STOP_MARGIN;
        tokio::select! {
            status = child.ended() => {
                let status = status.map_err(lost)?;
                self.stopped(status).await;
                return Ok(());
            }
            () = self.kill.cancelled() => {}
            () = tokio::time::sleep(grace) => {
                let grace = show_duration(grace);
                self.screen.note(format!("the {} has not stopped within {grace}; killing it", self.role));
            }
        }
        child.kill();
        match tokio::time::timeout(KILLED, child.ended()).await {
            Ok(status) => drop(status.map_err(lost)?),
            Err(_) => self.screen.note(format!("the {} was killed and is not gone yet", self.role)),
        }
        self.clean_up().await;
        Ok(())
    }

    async fn stopped(&self, status: ExitStatus) {
        if !status.success() {
            self.screen.note(format!("the {} stopped with {status}", self.role));
            self.clean_up().await;
        }
    }

    /// Removes the sandboxes of a dead manager: no process uses them any more.
    async fn clean_up(&self) {
        if self.role != Role::Manager {
            return;
        }
        let removed = async {
            runtime::connect(&self.platform.runtime_config(self.manager))?
                .remove_all(&runtime::Owner {
                    platform: self.platform.name.clone(),
                    manager: self.manager,
                })
                .await
        };
        let removed = tokio::time::timeout(CLEAN_UP, removed).await;
        let Ok(removed) = removed else {
            self.screen.note("the manager's containers are not removed yet; its next start tries again");
            return;
        };
        match removed {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => {
                self.screen.note(format!("removed {} containers of the manager", removed.len()))
            }
            Err(error) => self.screen.note(format!(
                "cannot remove the manager's containers: {:#}; its next start tries again",
                anyhow::Error::from(error)
            )),
        }
    }

    fn failed(&self, problem: String) -> Failed {
        let log = self.log.lock().expect("no panic while writing a line");
        Failed { role: self.role, problem, last: log.last().map(Cow::into_owned).collect() }
    }
}

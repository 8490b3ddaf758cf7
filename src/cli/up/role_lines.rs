//! What the roles of one process log: each line to the role that it comes from.
//!
//! Tasks do not tell whose they are (a span would have to be handed to every task that is spawned), but
//! an event does: its target is the module that it stands in. What the roles share, as the store,
//! concerns all of them: it is shown once and kept in every role's file.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::screen::{RoleLog, Screen};
use crate::{app::Role, cli::Error, config::State};

/// For the subscriber, which lives as long as the process; closed when the platform has stopped.
#[derive(Clone)]
pub struct RoleLines(Arc<Mutex<Option<Logs>>>);

struct Logs {
    screen: Screen,
    roles: Vec<RoleLog>,
}

impl RoleLines {
    /// The folder of the files must be there.
    pub fn open(state: &State, screen: &Screen) -> Result<Self, Error> {
        let open = |role: Role| {
            let path = state.log_file(role.as_str());
            RoleLog::open(role, path.clone(), screen.clone())
                .map_err(|error| Error::platform(format!("cannot write {}: {error}", path.display())))
        };
        let roles = Role::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Mutex::new(Some(Logs { screen: screen.clone(), roles })))))
    }

    /// Lets go of the screen: what is logged from now on is lost.
    pub fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Logs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one formatted event.
pub struct Line<'l> {
    lines: &'l RoleLines,
    role: Option<Role>,
}

impl<'w> MakeWriter<'w> for RoleLines {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Line<'w> {
        Line { lines: self, role: None }
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> Line<'w> {
        Line { lines: self, role: role_of(event.target()) }
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if let Some(logs) = &mut *self.lines.lock() {
            let text = event.strip_suffix(b"\n").unwrap_or(event);
            text.split(|byte| *byte == b'\n').for_each(|line| logs.line(self.role, line));
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    fn line(&mut self, role: Option<Role>, line: &[u8]) {
        match role {
            Some(role) => {
                self.roles.iter_mut().filter(|log| log.role() == role).for_each(|log| log.line(line))
            }
            None => {
                self.screen.shared(&String::from_utf8_lossy(line));
                self.roles.iter_mut().for_each(|log| log.keep(line));
            }
        }
    }
}

/// None for what is no role's own. Sandboxes and bundles are the manager's business.
fn role_of(target: &str) -> Option<Role> {
    let mut path = target.split("::");
    if path.next() != Some(env!("CARGO_CRATE_NAME")) {
        return None;
    }
    match path.next()? {
        "gateway" => Some(Role::Gateway),
        "registry" => Some(Role::Registry),
        "scheduler" => Some(Role::Scheduler),
        "manager" | "runtime" | "bundle" => Some(Role::Manager),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_path_tells_the_role() {
        for (target, role) in [
            ("cloudfunc::manager::dispatch", Some(Role::Manager)),
            ("cloudfunc::runtime::docker::events", Some(Role::Manager)),
            ("cloudfunc::gateway", Some(Role::Gateway)),
            ("cloudfunc::store::sqlite", None),
            ("sqlx::query", None),
            ("scheduler", None),
        ] {
            assert_eq!(role_of(target), role, "{target}");
        }
    }
}

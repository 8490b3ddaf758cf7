//! The logs of several roles in one process: each line goes to the role that it comes from.
//!
//! A task does not say to which role it belongs (a span would have to be passed to every spawned task), but an
//! event does: its target is the module that emits it. Events of shared modules, such as the store, concern all
//! roles: they are shown once and kept in every role's file.

use std::io;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::screen::{RoleLog, Screen, lines_of};
use crate::{
    app::Role,
    cli::{
        Error,
        log_writer::{self, Batch, Closing, LogWriter},
    },
    place::State,
};

/// The origin of an event; `None` for modules that the roles share.
type Origin = Option<Role>;

/// The writer for the subscriber, which lives as long as the process.
pub struct RoleLines(LogWriter<Origin>);

impl RoleLines {
    /// Opens the log files; their folder must exist. Dropping the returned `Closing` releases files and screen:
    /// lines logged after that are lost.
    pub fn open(state: &State, screen: &Screen) -> Result<(Self, Closing<Origin>), Error> {
        let open = |role: Role| {
            let path = state.log_file(role.as_str());
            RoleLog::open(role, path.clone(), screen.clone())
                .map_err(|error| Error::platform(format!("cannot write {}: {error}", path.display())))
        };
        let roles = Role::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        let mut logs = Logs { screen: screen.clone(), roles };
        let (writer, closing) = log_writer::start(move |batch: &Batch<Origin>| logs.write(batch));
        Ok((Self(writer), closing))
    }
}

/// Takes one formatted event.
pub struct Event<'l> {
    lines: &'l RoleLines,
    origin: Origin,
}

impl<'w> MakeWriter<'w> for RoleLines {
    type Writer = Event<'w>;

    fn make_writer(&'w self) -> Event<'w> {
        Event { lines: self, origin: None }
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> Event<'w> {
        Event { lines: self, origin: role_of(event.target()) }
    }
}

impl io::Write for Event<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.lines.0.append(self.origin, event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Logs {
    screen: Screen,
    roles: Vec<RoleLog>,
}

impl Logs {
    /// Consecutive lines of the same origin are written together.
    fn write(&mut self, batch: &Batch<Origin>) {
        let mut begin = 0;
        for same in batch.lines.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((origin, end)) = same.last() else { continue };
            self.lines(*origin, &batch.bytes[begin..*end]);
            begin = *end;
        }
        if batch.dropped > 0 {
            self.lines(None, format!("{} lines found no room and are lost\n", batch.dropped).as_bytes());
        }
    }

    fn lines(&mut self, origin: Origin, lines: &[u8]) {
        match origin {
            Some(role) => {
                self.roles.iter_mut().filter(|log| log.role() == role).for_each(|log| log.lines(lines))
            }
            None => {
                lines_of(lines).for_each(|line| self.screen.shared(&line));
                self.roles.iter_mut().for_each(|log| log.keep(lines));
            }
        }
    }
}

/// Returns the role of a target, or `None` for shared modules. Sandboxes and bundles belong to the manager.
fn role_of(target: &str) -> Option<Role> {
    let path = target.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::"))?;
    match path.split_once(':').map_or(path, |(module, _)| module) {
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

//! What the roles of one process log: each line to the role that it comes from.
//!
//! Tasks do not tell whose they are (a span would have to be handed to every task that is spawned), but
//! an event does: its target is the module that it stands in. What the roles share, as the store,
//! concerns all of them: it is shown once and kept in every role's file.

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

/// Where each event comes from; none is what the roles share.
type Origin = Option<Role>;

/// For the subscriber, which lives as long as the process.
pub struct RoleLines(LogWriter<Origin>);

impl RoleLines {
    /// The folder of the files must be there. What is returned beside it lets go of files and screen when
    /// it is dropped: what is logged from then on is lost.
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
    /// Neighbours of one origin go out together.
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

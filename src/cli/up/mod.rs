//! `cloudfunc up`: the whole platform on this machine, in the foreground.
//!
//! Checks and backends come first (if there is a problem, nothing is started: [`prepare`]), then the roles: as
//! children of a [`supervisor`], or as tasks of this process ([`embedded`]). Then it runs until it is told to
//! stop.

pub mod backends;
mod child;
mod detached;
mod embedded;
pub mod engine;
mod keeper;
pub mod leftovers;
pub mod prepare;
mod pulse;
mod ready;
mod restart;
mod role_lines;
mod screen;
mod supervisor;

use std::time::Duration;

use backends::ComposeArgs;
use prepare::Prepared;
use supervisor::{End, Supervisor};

use super::{
    Error, Exit, Output,
    settings::SettingsArgs,
    signals::{Signals, Stop},
};
use crate::{
    model::api::Health,
    place::{
        Dirs, Stack,
        platforms::{Platforms, Wish},
    },
    units,
};

/// Start the platform: Postgres and RabbitMQ with Docker Compose, and the four roles
///
/// With --embedded, everything runs in one process that needs neither.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Run everything in this one process, without Postgres and RabbitMQ: the store is SQLite, the queue is
    /// embedded
    #[arg(long)]
    embedded: bool,
    /// Start the platform in the background, wait until it is ready, and exit; `cloudfunc down` stops it
    #[arg(long)]
    detach: bool,
    /// With --detach: how long to wait until the platform is ready [default: 5m]
    #[arg(long, value_name = "DURATION", requires = "detach", value_parser = units::parse_duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compose: ComposeArgs,
}

impl Args {
    /// Runs until Ctrl-C (exit code 130) or SIGTERM.
    pub async fn run(self, out: &Output) -> Result<(), Error> {
        if !cfg!(target_os = "linux") {
            return Err(Error::platform("`cloudfunc up` runs on Linux only")
                .hint("run it in WSL2, or use a platform on another machine with --url"));
        }
        let dirs = self.settings.place().dirs()?;
        let is_detached = self.detach && detached::is_this();
        if is_detached {
            detached::leave_terminal().map_err(|error| Error::new(Exit::Platform, error))?;
        }
        let settings = match self.embedded {
            true => self.settings.load_embedded(&dirs)?,
            false => self.settings.load(&dirs)?,
        };
        if self.detach && !is_detached {
            return detached::start(&settings, &dirs, self.wait, out).await;
        }
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let prepared = tokio::select! {
            prepared = prepare::prepare(settings, &self.compose, &dirs, out) => prepared?,
            stop = signals.next() => return stopped(stop),
        };
        serve(&prepared, &dirs, signals, is_detached, out).await
    }
}

/// Returns the option with which commands find this platform; empty if they find it without one.
fn by_name(prepared: &Prepared, dirs: &Dirs) -> String {
    let chosen = Platforms::look(&dirs.state).choose(Wish::default());
    let is_found = chosen
        .is_ok_and(|chosen| chosen.is_some_and(|chosen| chosen.data_dir == prepared.platform.data_dir));
    if is_found { String::new() } else { format!(" --platform {}", prepared.platform.name) }
}

async fn serve(
    prepared: &Prepared,
    dirs: &Dirs,
    mut signals: Signals,
    is_detached: bool,
    out: &Output,
) -> Result<(), Error> {
    let Prepared { platform, state, stack, runtime, .. } = prepared;
    let (screen, printed) = screen::Screen::new(out, !is_detached);
    let ready = |health: &[Health]| {
        // If standard output is closed, the message is not needed.
        let said = ready::Said { runtime, by_name: by_name(prepared, dirs), is_detached };
        let _ = ready::show(platform, &said, &state.token_file(), health, out);
        if is_detached {
            detached::all_is_said();
        }
    };
    let end = match stack {
        Stack::Embedded => embedded::run(platform, state, screen, &mut signals, out, ready).await?,
        Stack::Compose | Stack::External => {
            let supervisor = Supervisor::start(platform, state, out.is_verbose(), screen)?;
            supervisor.run(&mut signals, ready).await
        }
    };
    screen::flush(printed).await;
    if *stack == Stack::Compose {
        out.note("Postgres and RabbitMQ keep running; stop them with `cloudfunc down`");
    }
    match end {
        End::Stopped(stop) => stopped(stop),
        End::Killed => Err(Error::silent(Exit::Interrupted)),
        End::Failed(failed) => {
            let logs = state.folder().join("logs");
            match logs.exists() {
                true => Err(failed.hint(format!("the whole story is in {}", logs.display()))),
                false => Err(failed.hint("start it again; what was in it is gone")),
            }
        }
    }
}

/// Maps SIGTERM to a normal end and Ctrl-C to an interruption.
fn stopped(stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::Terminate => Ok(()),
        Stop::Interrupt => Err(Error::silent(Exit::Interrupted)),
    }
}

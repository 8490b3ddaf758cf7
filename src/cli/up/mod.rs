//! `cloudfunc up`: the whole platform on this machine, in the foreground.
//!
//! Checks and backends first (nothing is started when something is in the way: [`prepare`]), then the
//! roles: as children under a [`supervisor`], or as tasks of this process ([`embedded`]). Then it stays
//! until it is told to stop.

pub mod backends;
mod child;
pub mod compose;
pub mod credentials;
mod embedded;
pub mod engine;
mod keeper;
pub mod leftovers;
pub mod ports;
pub mod prepare;
pub mod probe;
mod ready;
mod restart;
mod role_lines;
mod screen;
mod supervisor;

use backends::ComposeArgs;
use prepare::{Prepared, unusable};
use supervisor::{End, Supervisor};

use super::{
    Error, Exit, Output,
    settings::SettingsArgs,
    signals::{Signals, Stop},
};
use crate::{
    config::{
        Dirs, Stack,
        current::{self, Current},
    },
    model::api::Health,
};

/// Start the platform: Postgres and RabbitMQ with Docker Compose, and the four roles
///
/// With --embedded: one process that needs nothing else.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Everything in this one process, without Postgres and RabbitMQ: the store is sqlite, the queue
    /// embedded
    #[arg(long)]
    embedded: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compose: ComposeArgs,
}

impl Args {
    /// Until Ctrl-C (exit code 130) or SIGTERM.
    pub async fn run(self, out: &Output) -> Result<(), Error> {
        if !cfg!(target_os = "linux") {
            return Err(Error::platform("`cloudfunc up` runs on Linux only")
                .hint("use a gateway on another machine with --url, or WSL2"));
        }
        let dirs = Dirs::from_env().map_err(|error| Error::new(Exit::Caller, error))?;
        let settings = match self.embedded {
            true => self.settings.load_embedded(&dirs)?,
            false => self.settings.load(&dirs)?,
        };
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let prepared = tokio::select! {
            prepared = prepare::prepare(settings, &self.compose, &dirs, out) => prepared?,
            stop = signals.next() => return stopped(stop),
        };
        serve(&prepared, &dirs, signals, out).await
    }
}

async fn serve(
    prepared: &Prepared,
    dirs: &Dirs,
    mut signals: Signals,
    out: &Output,
) -> Result<(), Error> {
    let Prepared { platform, state, stack, runtime, .. } = prepared;
    state.token().map_err(unusable)?;
    let url = format!("http://{}", probe::reachable(platform.addresses.gateway));
    let current = Current { url, token_file: state.token_file() };
    let (screen, printed) = screen::Screen::new(out);
    let ready = |health: &[Health]| {
        if let Err(error) = current::write(dirs, &current) {
            out.warn(&format!("commands will need --url and --token-file: {error}"));
        }
        // Whoever closed our standard output does not want to know.
        let _ = ready::show(platform, runtime, &current, health, out);
    };
    let end = match stack {
        Stack::Embedded => embedded::run(platform, state, screen, &mut signals, out, ready).await?,
        Stack::Compose | Stack::External => {
            let supervisor = Supervisor::start(platform, state, out.is_verbose(), screen)?;
            supervisor.run(&mut signals, ready).await
        }
    };
    current::remove(dirs, &current);
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

/// SIGTERM is the polite end; Ctrl-C is an interruption.
fn stopped(stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::Terminate => Ok(()),
        Stop::Interrupt => Err(Error::silent(Exit::Interrupted)),
    }
}

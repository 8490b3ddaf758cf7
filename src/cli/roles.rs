//! `cloudfunc gateway | registry | scheduler | manager`: one role in this process.

use std::{io, os::fd::AsFd as _, time::Duration};

use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use super::{
    Error, Exit, Output,
    settings::{SettingsArgs, unfit},
    signals::Signals,
};
use crate::{
    app::{self, Role},
    place::Stack,
    shutdown::Shutdown,
};

/// The time in which a role without its supervisor finishes its work: the next `up` may be waiting.
const ORPHAN_GRACE: Duration = Duration::from_secs(5);
/// The time after which a hard stop is no longer waited for.
const HARD_GRACE: Duration = Duration::from_secs(3);

/// Run one role of the platform; `cloudfunc up` runs all of them
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Stop when standard input ends: the supervisor holds the other end
    #[arg(long, hide = true)]
    supervised: bool,
}

impl Args {
    /// Runs the role until it is told to stop: once to finish its work, twice to stop at once.
    pub async fn run(self, role: Role, out: &Output) -> Result<(), Error> {
        let dirs = self.settings.place().dirs()?;
        let settings = self.settings.load(&dirs)?;
        match settings.stack().map_err(|error| Error::new(Exit::Caller, error))? {
            Stack::External => {}
            Stack::Compose => {
                return Err(Error::usage("no store and no queue are given")
                    .hint("give --store and --queue, or start everything with `cloudfunc up`"));
            }
            Stack::Embedded => {
                return Err(Error::usage(format!(
                    "the {role} alone cannot use an embedded queue: it works inside one process only"
                ))
                .hint("`cloudfunc up --embedded` runs all roles in one process"));
            }
        }
        let platform = settings.platform(&dirs).map_err(unfit)?;
        let _written_behind = super::logging::init_behind(out);

        let shutdown = Shutdown::default();
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let stdin = if self.supervised {
            Some(supervisor_pipe().map_err(|error| Error::new(Exit::Platform, error))?)
        } else {
            None
        };
        let stop = async {
            tokio::select! {
                _ = signals.next() => {
                    shutdown.soft.cancel();
                    signals.next().await;
                }
                () = end_of(stdin) => {
                    shutdown.soft.cancel();
                    tokio::time::sleep(ORPHAN_GRACE).await;
                }
            }
            shutdown.hard.cancel();
            tokio::time::sleep(HARD_GRACE).await;
        };
        let roles = [role];
        tokio::select! {
            result = app::run(&roles, &platform, shutdown.clone()) => {
                result.map_err(|error| Error::from(error).context(format!("the {role} cannot run")))
            }
            () = stop => Err(Error::platform(format!("the {role} did not stop within {HARD_GRACE:?}"))),
        }
    }
}

/// Opens standard input as a pipe of the reactor: a blocking read would keep the process alive.
fn supervisor_pipe() -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)
}

/// Returns when the other end of the pipe is closed; never if there is no pipe.
async fn end_of(stdin: Option<pipe::Receiver>) {
    let Some(mut stdin) = stdin else { return std::future::pending().await };
    let mut ignored = [0; 64];
    while matches!(stdin.read(&mut ignored).await, Ok(count) if count > 0) {}
}

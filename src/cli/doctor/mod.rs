//! `cloudfunc doctor`: what this machine has, what keeps the platform from working, and what to do.
//!
//! ```text
//! gather (I/O, each with a deadline) ─▶ facts (plain structs) ─▶ judge (pure) ─▶ findings ─▶ show
//! ```
//! A file per group of checks gathers, the one of the same name in [`judge`] says what it means. Nothing
//! lasting is changed: what is tried (a control group, a file, a port, a message) is gone at once.

mod backends;
mod cgroups;
mod clock;
mod compose;
mod disk;
mod engine;
mod finding;
mod judge;
mod limits;
mod platform;
mod ports;
mod sandbox;
mod show;
mod subject;
mod system;
mod tools;
mod version;

use finding::Status;
use subject::Subject;

use super::{Error, Exit, Output, settings::SettingsArgs, target::Target, up::backends::ComposeArgs};

/// Look at this machine: what the platform needs, and what is in its way
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Look at what `up --embedded` needs
    #[arg(long)]
    embedded: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compose: ComposeArgs,
}

impl Args {
    /// Exit code 3 when something keeps `up` from working.
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        if !cfg!(target_os = "linux") {
            return Err(Error::platform(
                "`cloudfunc doctor` looks at Linux: the platform runs there only",
            )
            .hint("use a gateway on another machine with --url, or WSL2"));
        }
        let told = self.settings.place.clone();
        let dirs = told.dirs()?;
        let settings = match self.embedded {
            true => self.settings.load_embedded(&dirs)?,
            false => self.settings.load(&dirs)?,
        };
        let subject = Subject::new(&told, settings, self.compose, dirs, target)?;
        let report = {
            let _progress = out.waiting("looking at this machine");
            subject.look().await
        };
        match out.json() {
            true => out.document(&show::document(&report, subject.place().into()))?,
            false => {
                out.line(&subject.describe())?;
                let lines = show::lines(
                    &report,
                    out.columns(),
                    |text| out.foreign(text),
                    |style, text| out.style(style, text),
                );
                lines.iter().try_for_each(|line| out.line(line))?;
            }
        }
        out.next(subject.next(&report));
        match report.count(Status::Problem) {
            0 => Ok(()),
            _ => Err(Error::silent(Exit::Platform)),
        }
    }
}

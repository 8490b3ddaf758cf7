//! `cloudfunc doctor`: shows the findings of [`crate::doctor`].

mod show;

use super::{
    Error, Exit, Output,
    settings::{PlaceArgs, SettingsArgs},
    target::Target,
    up::{backends::ComposeArgs, prepare::no_stack},
};
use crate::{
    doctor::{Subject, finding::Status},
    local::LocalPlatform,
    place::{
        Dirs, Stack,
        platforms::{Known, Platforms, shown},
    },
    settings::Settings,
};

/// Check this machine: what the platform needs, and what keeps it from working
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Check what `up --embedded` needs
    #[arg(long)]
    embedded: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compose: ComposeArgs,
}

impl Args {
    /// Ends with exit code 3 if something keeps `up` from working.
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        if !cfg!(target_os = "linux") {
            return Err(Error::platform(
                "`cloudfunc doctor` looks at Linux: the platform runs there only",
            )
            .hint("run it in WSL2, or use a platform on another machine with --url"));
        }
        let told = self.settings.place();
        let dirs = told.dirs()?;
        let settings = match self.embedded {
            true => self.settings.load_embedded(&dirs)?,
            false => self.settings.load(&dirs)?,
        };
        let chosen = subject(&told, &settings, &dirs, target)?;
        let subject = Subject::new(chosen, settings, self.compose.ports().ok(), dirs)?;
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

/// Chooses the platform to examine: the one that flags name; else the one that is running or was chosen; else
/// the one that `up` would start.
fn subject(
    told: &PlaceArgs,
    settings: &Settings,
    dirs: &Dirs,
    target: &Target,
) -> Result<(LocalPlatform, Stack), Error> {
    let stack = settings.stack().map_err(no_stack)?;
    if let Some(url) = target.url(told)? {
        let known = Platforms::look(&dirs.state).at_url(&url).cloned();
        let known = known.ok_or_else(|| {
            let message = format!(
                "doctor examines this machine, but no platform on it is known at {}, the address from --url, \
                 CLOUDFUNC_URL or config.toml",
                shown(&url)
            );
            Error::usage(message).hint("name a platform on this machine with --platform NAME or --data-dir DIR")
        })?;
        let stack = known.stack.unwrap_or(stack);
        return Ok((LocalPlatform::of(known), stack));
    }
    let folder = settings.data_dir(dirs, stack);
    let would_be = || LocalPlatform {
        platform: settings.name(),
        stack: Some(stack),
        running: false,
        holder: None,
        folder: folder.clone(),
    };
    if stack != Stack::Compose {
        let place = Known::at(&folder).map_or_else(would_be, LocalPlatform::of);
        return Ok((place, stack));
    }
    // Without flags, the platform that is running or was chosen is meant.
    let place = LocalPlatform::find(&told.0, settings, dirs)?;
    let is_meant = place.running
        || told.0.data_dir.is_some()
        || told.0.name.is_some()
        || Platforms::look(&dirs.state).chosen.as_ref() == Some(&place.folder);
    Ok(match place.stack.filter(|_| is_meant) {
        Some(stack) => (place, stack),
        None => (would_be(), stack),
    })
}

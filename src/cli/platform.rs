//! `cloudfunc platform list | use`: the platforms of this user on this machine, and the one that commands talk
//! to.

use std::path::PathBuf;

use serde::Serialize;

use super::{Error, Exit, Output, target::Target};
use crate::{
    model::PlatformName,
    place::{
        Stack,
        client::SettingsError,
        platforms::{self, ChoiceError, Known, Platforms, Wish, shown},
    },
};

/// List the platforms on this machine, or choose the one that commands talk to
///
/// Commands use the first of these that is given: --url, CLOUDFUNC_URL, --platform, CLOUDFUNC_PLATFORM,
/// CLOUDFUNC_DATA_DIR, `url` of config.toml, the platform chosen with `platform use`, the only platform that is
/// running.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the platforms that this user has started, running or not; `*` marks the one that commands talk to
    #[command(visible_alias = "ls")]
    List,
    /// Choose the platform that commands talk to, until another one is chosen
    Use(Use),
}

#[derive(Debug, clap::Args)]
struct Use {
    /// Name of a platform in `platform list`
    #[arg(value_name = "NAME", required_unless_present = "none")]
    name: Option<PlatformName>,
    /// Clear the choice: commands talk to the platform that is running
    #[arg(long, conflicts_with = "name")]
    none: bool,
}

/// An item of `platform list --json`.
#[derive(Serialize)]
struct Item {
    name: PlatformName,
    stack: Option<Stack>,
    url: String,
    data_dir: PathBuf,
    running: bool,
    pid: Option<u32>,
    /// Commands talk to it by default.
    used: bool,
    /// `platform use` has chosen it.
    chosen: bool,
}

#[derive(Serialize)]
struct Document {
    items: Vec<Item>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        match self.command {
            Command::List => list(target, out),
            Command::Use(Use { name, .. }) => choose(name, target, out),
        }
    }
}

fn list(target: &Target, out: &Output) -> Result<(), Error> {
    let state = state(target)?;
    let platforms = Platforms::look(&state);
    for gone in &platforms.gone {
        platforms::forget(&state, gone);
        out.note(&format!("forgot a platform whose data folder is gone: {}", gone.display()));
    }
    // None is marked if a URL leads elsewhere, or if it cannot be determined.
    let settings = target.settings();
    let is_open = matches!(settings, Err(SettingsError::Choice(ChoiceError::Several(_))));
    let used = settings.ok().and_then(|settings| settings.platform);
    let item = |known: &Known| Item {
        name: known.name.clone(),
        stack: known.stack,
        url: shown(&known.url).to_owned(),
        data_dir: known.data_dir.clone(),
        running: known.is_running,
        pid: known.holder.as_ref().filter(|_| known.is_running).map(|holder| holder.pid),
        used: used.as_ref().is_some_and(|used| used.data_dir == known.data_dir),
        chosen: platforms.chosen.as_ref() == Some(&known.data_dir),
    };
    let items: Vec<Item> = platforms.all.iter().map(item).collect();
    if out.json() {
        return out.document(&Document { items });
    }
    if items.is_empty() {
        out.note("no platform was started yet");
        out.next("cloudfunc up --embedded");
        return Ok(());
    }
    let row = |item: &Item| {
        let state = match (item.running, item.chosen) {
            (true, true) => "running, chosen",
            (true, false) => "running",
            (false, true) => "stopped, chosen",
            (false, false) => "stopped",
        };
        [
            if item.used { "*".to_owned() } else { String::new() },
            item.name.to_string(),
            item.stack.map_or("-", Stack::as_str).to_owned(),
            state.to_owned(),
            item.url.clone(),
            item.data_dir.display().to_string(),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    out.whole_table(["", "NAME", "STACK", "STATE", "URL", "DATA FOLDER"], &rows)?;
    if is_open {
        out.note("commands need --platform NAME, or a choice: cloudfunc platform use NAME");
    }
    Ok(())
}

fn choose(name: Option<PlatformName>, target: &Target, out: &Output) -> Result<(), Error> {
    let state = state(target)?;
    let platforms = Platforms::look(&state);
    let known = match &name {
        Some(name) => platforms.choose(Wish { name: Some(name), ..Wish::default() })?,
        None => None,
    };
    platforms::choose(&state, known.as_ref()).map_err(|error| Error::new(Exit::Platform, error))?;
    match &known {
        Some(known) => out.line(&format!("commands talk to platform {}", known.describe()))?,
        None => out.line("commands talk to the platform that runs")?,
    }
    if let Some(stopped) = known.as_ref().filter(|known| !known.is_running) {
        out.note(&format!("it is not running; start it with `{}`", stopped.up(&state)));
    }
    // A setting with precedence over the choice makes the choice ineffective.
    let other = match target.settings() {
        Ok(settings)
            if settings.platform.as_ref().map(|one| &one.data_dir)
                != known.as_ref().map(|one| &one.data_dir) =>
        {
            known.is_some().then(|| settings.describe())
        }
        Err(SettingsError::Choice(ChoiceError::Several(_) | ChoiceError::NoneRuns(_))) | Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(other) = other {
        out.warn(&format!(
            "the choice has no effect now: the environment, a flag or config.toml says otherwise ({other})"
        ));
    }
    Ok(())
}

fn state(target: &Target) -> Result<PathBuf, Error> {
    target.state_dir().ok_or_else(|| {
        Error::usage("none of XDG_STATE_HOME, STATE_DIRECTORY and HOME names a folder, so no platform is known by name")
            .hint("set HOME, or pass --url and --token-file")
    })
}

//! `cloudfunc down`: stops what `cloudfunc up` has started on this machine.

use std::{path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::{
    Error, Output, ask,
    settings::{PlaceArgs, SettingsArgs},
    target::Target,
};
use crate::{
    compose::{self, Project},
    local::LocalPlatform,
    place::{
        lock,
        platforms::{self, Platforms, shown},
        wipe,
    },
};

/// How often the lock is checked: the kernel does not notify when another process releases it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The maximum number of remaining files that are named.
const NAMED: usize = 5;

/// Stop the platform on this machine, and Postgres and RabbitMQ if `up` started them
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Also remove the data: functions, records, messages, code, logs, tokens, secrets and their keys, passwords.
    /// Other files in the data folder are kept
    #[arg(long)]
    volumes: bool,
    /// Do not ask for confirmation before removing data
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let place = self.place(target)?;
        let files = if self.volumes { place.store_files() } else { Vec::new() };
        // Data can outlive the folder that recorded them.
        let lost = self.volumes && !place.running && files.is_empty();
        let project = place.project().or_else(|| lost.then(|| place.named_project()));
        if let Some(project) = &project {
            refuse_stranger(project).await?;
        }
        if let Some(project) = project.as_ref().filter(|_| self.volumes) {
            self.ask(&format!("all functions, records and messages of {}", project.name), out).await?;
        } else if !files.is_empty() || (self.volumes && wipe::is_used(&place.folder)) {
            self.ask(&format!("all functions and records in {}", place.folder.display()), out).await?;
        }
        if place.running {
            stop_up(&place, out).await?;
        }
        let is_used = self.volumes && wipe::is_used(&place.folder);
        let Some(project) = project else {
            if self.volumes {
                self.forget(&place)?;
                // A store elsewhere stays, with its secrets.
                wipe_folder(&place.folder, files.is_empty(), out)?;
            }
            if !place.running && files.is_empty() && !is_used {
                out.note(&format!("nothing is running: {}", place.describe()));
                self.tell_of_others(&place, out)?;
            }
            return Ok(());
        };
        take_down(&project, self.volumes, place.running, out).await?;
        if self.volumes {
            self.forget(&place)?;
            wipe_folder(&place.folder, false, out)?;
        }
        Ok(())
    }

    /// Finds the platform to stop: it must be on this machine, however it is named.
    fn place(&self, target: &Target) -> Result<LocalPlatform, Error> {
        let dirs = self.place.dirs()?;
        if let Some(url) = target.url(&self.place)? {
            let known = Platforms::look(&dirs.state).at_url(&url).cloned();
            let url = shown(&url);
            return known.map(LocalPlatform::of).ok_or_else(|| {
                Error::usage(format!("no platform on this machine is known at {url}, the address from --url, CLOUDFUNC_URL or config.toml"))
                    .hint("`down` stops platforms on this machine: name one with --platform NAME or --data-dir DIR")
            });
        }
        // Data can outlive the folder that recorded them.
        if !self.volumes {
            LocalPlatform::refuse_unknown(&self.place.0, &dirs)?;
        }
        let settings = SettingsArgs::from(self.place.clone().settings()?).load(&dirs)?;
        LocalPlatform::find(&self.place.0, &settings, &dirs)
    }

    /// Forgets the platform: no data is left that its name could lead to.
    fn forget(&self, place: &LocalPlatform) -> Result<(), Error> {
        platforms::forget(&self.place.dirs()?.state, &place.folder);
        Ok(())
    }

    /// Names other running platforms, in case the user meant one of them.
    fn tell_of_others(&self, place: &LocalPlatform, out: &Output) -> Result<(), Error> {
        let platforms = Platforms::look(&self.place.dirs()?.state);
        for other in platforms.running().filter(|other| other.data_dir != place.folder) {
            let name = &other.name;
            out.note(&format!(
                "platform {} is running; `cloudfunc down --platform {name}` stops it",
                other.describe()
            ));
        }
        Ok(())
    }

    async fn ask(&self, what: &str, out: &Output) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        if !out.can_ask() {
            return Err(Error::usage("--volumes removes all functions, records and messages")
                .hint("pass --yes if there is no terminal to ask on"));
        }
        match ask::confirm(format!("Remove {what}?")).await? {
            true => Ok(()),
            false => Err(Error::usage("nothing was removed")),
        }
    }
}

/// Refuses a project of another data folder: projects are found by name, and two folders may use the same one.
async fn refuse_stranger(project: &Project) -> Result<(), Error> {
    let Some(folder) = project.stranger().await? else { return Ok(()) };
    let folder = folder.parent().unwrap_or(&folder).display().to_string();
    let message = format!(
        "the containers of {} belong to the platform in another data folder, {folder}",
        project.name
    );
    Err(Error::usage(message)
        .hint(format!("take that one down with `cloudfunc down --data-dir {folder}`")))
}

async fn stop_up(place: &LocalPlatform, out: &Output) -> Result<(), Error> {
    let unknown = || Error::platform("`cloudfunc up` is starting and cannot be stopped yet; try again");
    let holder = place.holder.as_ref().ok_or_else(unknown)?;
    let (id, patience) = (holder.pid, Duration::from_secs(holder.stops_within));
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
    out.note(&format!("stopping {}, process {id}; running work finishes", place.describe()));
    kill_process(pid, Signal::TERM)
        .map_err(|error| Error::platform(format!("cannot stop process {id}: {error}")))?;
    let deadline = Instant::now() + patience;
    while lock::look(&place.folder).is_some() {
        if Instant::now() > deadline {
            let message = format!("process {id} has not stopped within {} s", patience.as_secs());
            return Err(Error::platform(message).hint(format!("stop it at once: kill -9 {id}")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    out.note("the platform has stopped");
    Ok(())
}

/// Removes everything that the platform, which has stopped, has put into its data folder; with `keeps_key` all but its keys of
/// secrets.
fn wipe_folder(folder: &Path, keeps_key: bool, out: &Output) -> Result<(), Error> {
    if !wipe::is_used(folder) {
        return Ok(());
    }
    if lock::look(folder).is_some() {
        return Err(Error::platform(format!(
            "a platform has started on {} meanwhile",
            folder.display()
        )));
    }
    let left = wipe::wipe(folder, keeps_key).map_err(|error| {
        Error::platform(format!("not everything is removed: {error}"))
            .hint(format!("what is left of the platform is in {}", folder.display()))
    })?;
    let removed = "functions, records, logs, unpacked code and tokens are removed";
    let key = folder.join(wipe::SECRET_KEY);
    if key.exists() {
        let key = key.display();
        out.note(&format!("{key} is kept: secrets in the platform's store cannot be read without it"));
    } else if left.is_empty() {
        out.note(&format!("{removed}, and the folder {} too", folder.display()));
        return Ok(());
    }
    if left.is_empty() {
        out.note(removed);
        return Ok(());
    }
    let names: Vec<String> = left.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more =
        if left.len() > NAMED { format!(" and {} more", left.len() - NAMED) } else { String::new() };
    out.note(&format!(
        "{removed}; kept, because the platform did not create it: {}{more}",
        names.join(", ")
    ));
    Ok(())
}

async fn take_down(
    project: &Project,
    volumes: bool,
    was_running: bool,
    out: &Output,
) -> Result<(), Error> {
    let services = project.services().await?;
    let data = volumes && project.has_volumes().await?;
    if services.is_empty() && !data {
        if !was_running {
            out.note(&format!("nothing is running (compose project {})", project.name));
        }
        return Ok(());
    }
    let progress = out.progress("stopping Postgres and RabbitMQ");
    project.down(volumes).await?;
    drop(progress);
    if volumes {
        compose::remove(&project.folder);
        out.note("Postgres and RabbitMQ are removed with their data");
    } else {
        out.note("Postgres and RabbitMQ are stopped; their data stay (`--volumes` removes them)");
    }
    Ok(())
}

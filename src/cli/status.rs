//! `cloudfunc status`: what runs on this machine, and what it waits for.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    Error, Exit, Output,
    settings::{AddressArgs, PlaceArgs, SettingsArgs},
    up::{
        compose::{self, Project, Service},
        credentials,
        probe::{self, Answer, Prober},
    },
};
use crate::{
    app::Role,
    config::{
        Dirs, Settings, Stack, StorePlace, current,
        lock::{self, Holder},
    },
    model::PlatformName,
    store,
};

/// Show whether the platform's roles and services on this machine are ready
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    addresses: AddressArgs,
}

/// `status --json`.
#[derive(Serialize)]
struct Status {
    ready: bool,
    platform: PlatformName,
    data_dir: PathBuf,
    /// Of `cloudfunc up`; none when it does not run.
    up_pid: Option<u32>,
    roles: Vec<RoleStatus>,
    services: Vec<ServiceStatus>,
}

#[derive(Serialize)]
struct RoleStatus {
    role: &'static str,
    url: String,
    /// `ready`, `waiting`, `down` or `foreign`.
    state: &'static str,
    /// What it waits for, or who answers instead.
    detail: Option<String>,
    backends: Vec<String>,
}

#[derive(Serialize)]
struct ServiceStatus {
    service: String,
    state: String,
    healthy: bool,
}

impl Args {
    /// Exit code 3 unless every role is ready.
    pub async fn run(self, out: &Output) -> Result<(), Error> {
        let dirs = Dirs::from_env().map_err(|error| Error::new(Exit::Caller, error))?;
        let flags =
            SettingsArgs { place: self.place, addresses: self.addresses, ..SettingsArgs::default() };
        let settings = flags.load(&dirs)?;
        let place = Place::find(&settings, &dirs);
        let addresses = match &place.holder {
            Some(holder) => holder.addresses(),
            None => settings.addresses().map_err(|error| Error::new(Exit::Caller, error))?,
        };
        let prober = Prober::of(place.platform.clone(), addresses);
        let mut roles = Vec::new();
        for role in Role::ALL.into_iter().rev() {
            let url = format!("http://{}", probe::reachable(probe::address(&addresses, role)));
            roles.push(role_status(role, url, prober.ask(role).await));
        }
        let services = match place.project() {
            Some(project) => project.services().await.unwrap_or_else(|error| {
                out.note(&format!("the compose services cannot be seen: {}", error.chain().join(": ")));
                Vec::new()
            }),
            None => Vec::new(),
        };
        let status = Status {
            ready: roles.iter().all(|role| role.state == "ready"),
            platform: place.platform,
            data_dir: place.folder,
            up_pid: place.holder.map(|holder| holder.pid),
            roles,
            services: services.iter().map(service_status).collect(),
        };
        status.show(out)?;
        match (status.ready, place.running) {
            (true, _) => Ok(()),
            (false, true) => Err(Error::platform("the platform is not ready")),
            (false, false) if status.roles.iter().all(|role| role.state == "down") => {
                Err(Error::platform("the platform is not running")
                    .hint("start it with `cloudfunc up` or `cloudfunc up --embedded`"))
            }
            (false, false) => Err(Error::platform("not all roles are ready")),
        }
    }
}

impl Status {
    fn show(&self, out: &Output) -> Result<(), Error> {
        if out.json() {
            return out.document(self);
        }
        for role in &self.roles {
            let detail = role.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            let backends = role.backends.join(", ");
            let line = format!("{:<10} {:<22} {}{detail}  {backends}", role.role, role.url, role.state);
            out.line(line.trim_end())?;
        }
        for service in &self.services {
            out.line(&format!("{:<10} {:<22} {}", service.service, "compose", service.state))?;
        }
        Ok(())
    }
}

fn role_status(role: Role, url: String, answer: Answer) -> RoleStatus {
    let (state, detail, backends) = match answer {
        Answer::Ready(health) => ("ready", None, health.backends),
        Answer::Waiting(what) => ("waiting", Some(format!("for {what}")), Vec::new()),
        Answer::Down => ("down", None, Vec::new()),
        Answer::Stranger(who) => ("foreign", Some(format!("{who} answers")), Vec::new()),
    };
    RoleStatus { role: role.as_str(), url, state, detail, backends }
}

fn service_status(service: &Service) -> ServiceStatus {
    ServiceStatus {
        service: service.name.clone(),
        state: service.describe().to_owned(),
        healthy: service.is_healthy(),
    }
}

/// The data folder that is meant, and whether an `up` runs on it.
#[derive(Clone)]
pub struct Place {
    pub folder: PathBuf,
    pub platform: PlatformName,
    pub running: bool,
    pub holder: Option<Holder>,
}

impl Place {
    /// The folder that is given; else that of the platform which the other commands reach, too; else
    /// the one of the stacks' that is in use, or was, compose first.
    pub fn find(settings: &Settings, dirs: &Dirs) -> Self {
        let stacks = [Stack::Compose, Stack::External, Stack::Embedded]
            .map(|stack| settings.data_dir(dirs, stack));
        let is_told = settings.data_dir.is_some() || settings.name.is_some();
        let current = if is_told { None } else { current::data_dir(dirs) };
        let running = current.iter().chain(&stacks).find(|folder| lock::look(folder).is_some());
        let used = || stacks.iter().find(|folder| folder.exists());
        let folder = running.or_else(used).unwrap_or(&stacks[0]).clone();
        let look = lock::look(&folder);
        let running = look.is_some();
        let holder = look.flatten();
        let platform = holder.as_ref().map_or_else(|| settings.name(), |holder| holder.platform.clone());
        Self { folder, platform, running, holder }
    }

    /// The SQLite file here with what belongs to it; empty where there is none.
    pub fn store_files(&self) -> Vec<PathBuf> {
        let store::Config::Sqlite { path } = StorePlace::DataDir.within(&self.folder) else {
            return Vec::new();
        };
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
        ["", "-wal", "-shm"].map(beside).into_iter().filter(|path| path.exists()).collect()
    }

    /// The compose project that was started from here, if one was.
    pub fn project(&self) -> Option<Project> {
        compose::was_used(&self.folder.join("compose")).then(|| self.named_project())
    }

    /// The compose project that belongs here, whether or not it was ever started.
    pub fn named_project(&self) -> Project {
        let folder = self.folder.join("compose");
        let name =
            credentials::project(&folder).unwrap_or_else(|| format!("cloudfunc-{}", self.platform));
        Project { name, folder }
    }
}

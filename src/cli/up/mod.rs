//! `cloudfunc up`: the whole platform on this machine, in the foreground.
//!
//! Checks first (nothing is started when something is in the way), then the backends, then the roles
//! as children under a [`supervisor`], then it stays until it is told to stop.

pub mod backends;
mod child;
pub mod compose;
pub mod credentials;
mod keeper;
pub mod leftovers;
pub mod ports;
pub mod probe;
mod ready;
mod restart;
mod screen;
mod supervisor;

use std::io;

use backends::ComposeArgs;
use ports::Port;
use supervisor::{End, Supervisor};

use super::{
    Error, Exit, Output,
    settings::SettingsArgs,
    signals::{Signals, Stop},
};
use crate::{
    config::{
        Dirs, Platform, Settings, Stack, State,
        current::{self, Current},
        lock::{self, Holder, Lock, LockError},
        state::StateError,
    },
    runtime,
};

/// Start the platform: Postgres and RabbitMQ with Docker Compose, and the four roles
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
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
        let settings = self.settings.load(&dirs)?;
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let prepared = tokio::select! {
            prepared = prepare(settings, &self.compose, &dirs, out) => prepared?,
            stop = signals.next() => return stopped(stop),
        };
        let (platform, state, stack, _lock) = prepared;
        serve(&platform, &state, stack, &dirs, signals, out).await
    }
}

/// Everything before the first child. The lock is held as long as it is kept.
async fn prepare(
    mut settings: Settings,
    compose: &ComposeArgs,
    dirs: &Dirs,
    out: &Output,
) -> Result<(Platform, State, Stack, Lock), Error> {
    let stack = settings.stack().map_err(|error| {
        Error::new(Exit::Caller, error)
            .hint("give both, or none: then `up` starts Postgres and RabbitMQ itself")
    })?;
    ports::choose(&mut [
        &mut settings.gateway_port,
        &mut settings.registry_port,
        &mut settings.scheduler_port,
        &mut settings.manager_port,
    ])
    .map_err(|error| Error::new(Exit::Platform, error))?;
    let addresses = settings.addresses().map_err(|error| Error::new(Exit::Caller, error))?;
    let folder = settings.data_dir(dirs, stack);
    let state = State::open(&folder).map_err(unusable)?;
    // The roles stop one after the other.
    let stops_within = (settings.limits().stop_grace + keeper::STOP_MARGIN) * 4;
    let holder = Holder::new(settings.name(), &addresses, stops_within);
    let lock = lock::take(&folder, &holder).map_err(held)?;
    leftovers::wait(&folder, out).await;
    ports::check(&[
        Port { of: "the gateway", address: addresses.gateway, flag: "--gateway-port" },
        Port { of: "the registry", address: addresses.registry, flag: "--registry-port" },
        Port { of: "the scheduler", address: addresses.scheduler, flag: "--scheduler-port" },
        Port { of: "the manager", address: addresses.manager, flag: "--manager-port" },
    ])?;
    check_engine(&settings, &state, stack).await?;
    if stack == Stack::Compose {
        let name = compose::project_name(&settings.name());
        let project = compose::Project { name, folder: state.compose_folder() };
        let (store, queue) = backends::start(&project, compose, out).await?;
        (settings.store, settings.queue) = (Some(store), Some(queue));
    }
    settings.data_dir = Some(folder);
    let platform = settings.platform(dirs).map_err(|error| Error::new(Exit::Caller, error))?;
    Ok((platform, state, stack, lock))
}

async fn check_engine(settings: &Settings, state: &State, stack: Stack) -> Result<(), Error> {
    let kind = settings.runtime.unwrap_or(runtime::Kind::Docker);
    if kind != runtime::Kind::Docker && stack == Stack::External {
        return Ok(());
    }
    let manager = state.manager_id().map_err(unusable)?;
    let owner = runtime::Owner { platform: settings.name(), manager };
    let folder = state.folder().join("runtime");
    let config =
        runtime::Config { kind: runtime::Kind::Docker, python_image: String::new(), folder, owner };
    let ping = async { runtime::connect(&config)?.ping().await };
    match ping.await {
        Ok(_) => Ok(()),
        Err(runtime::Error::Unavailable { address, source }) => Err(unavailable(&address, source)),
        Err(error) => Err(Error::new(Exit::Platform, error).context("Docker cannot be used".to_owned())),
    }
}

async fn serve(
    platform: &Platform,
    state: &State,
    stack: Stack,
    dirs: &Dirs,
    mut signals: Signals,
    out: &Output,
) -> Result<(), Error> {
    state.token().map_err(unusable)?;
    let url = format!("http://{}", probe::reachable(platform.addresses.gateway));
    let current = Current { url, token_file: state.token_file() };
    let (screen, printed) = screen::Screen::new(out);
    let supervisor = Supervisor::start(platform, state, out.is_verbose(), screen)?;
    let end = supervisor
        .run(&mut signals, |health| {
            if let Err(error) = current::write(dirs, &current) {
                out.warn(&format!("commands will need --url and --token-file: {error}"));
            }
            // Whoever closed our standard output does not want to know.
            let _ = ready::show(platform, &current, health, out);
        })
        .await;
    current::remove(dirs, &current);
    screen::flush(printed).await;
    if stack == Stack::Compose {
        out.note("Postgres and RabbitMQ keep running; stop them with `cloudfunc down`");
    }
    match end {
        End::Stopped(stop) => stopped(stop),
        End::Killed => Err(Error::silent(Exit::Interrupted)),
        End::Failed(failed) => Err(Error::new(Exit::Platform, failed)
            .hint(format!("the whole story is in {}", state.folder().join("logs").display()))),
    }
}

/// Of an engine that does not run, or does not want us.
fn unavailable(address: &str, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let source = anyhow::Error::from_boxed(source);
    let cause = source.root_cause();
    let denied =
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
    if denied {
        return Error::platform(format!("this user may not use Docker at {address}: {cause}"))
            .hint("join the group of its socket (`docker`, as a rule), and log in again");
    }
    Error::platform(format!("Docker is not running: no engine answers at {address} ({cause})"))
        .hint("start it, or set DOCKER_HOST to the engine to use")
}

/// SIGTERM is the polite end; Ctrl-C is an interruption.
fn stopped(stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::Terminate => Ok(()),
        Stop::Interrupt => Err(Error::silent(Exit::Interrupted)),
    }
}

fn unusable(error: StateError) -> Error {
    let hint = match &error {
        StateError::Open { path, .. } => {
            format!("chmod 700 {}, or choose another with --data-dir", path.display())
        }
        _ => "choose another folder with --data-dir".to_owned(),
    };
    Error::new(Exit::Caller, error).hint(hint)
}

fn held(error: LockError) -> Error {
    let LockError::Held(holder) = error else { return Error::new(Exit::Platform, error) };
    let who = holder.map_or_else(String::new, |holder| {
        let url = probe::reachable(holder.gateway);
        format!(" (process {}, gateway http://{url})", holder.pid)
    });
    Error::usage(format!("`cloudfunc up` is running already{who}"))
        .hint("see `cloudfunc status`; stop it with `cloudfunc down`; another platform needs another --platform and other ports")
}

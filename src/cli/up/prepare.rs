//! The steps before the first role starts: settings, the data folder and its lock, ports, the runtime, and the
//! backends of the compose stack.

use std::path::Path;

use super::{
    backends::{self, ComposeArgs},
    engine::{self, Engine, Place},
    leftovers,
};
use crate::{
    app,
    cli::{Error, Exit, Output, settings::unfit},
    compose,
    local::{
        ports::{self, Port},
        sources::{self, SourceError},
    },
    model::Language,
    place::{
        Addresses, Dirs, Stack, State, Unread,
        lock::{self, Holder, Lock, LockError},
        platforms,
        state::StateError,
    },
    runtime::{Kind, Owner},
    settings::{Platform, Settings, SettingsError, StorePlace},
};

/// Advice about a missing base image.
const WITHOUT_IMAGE: &str = "load it with `docker load`, name one that is there in CLOUDFUNC_PYTHON_IMAGE, or choose `--runtime oci`";

/// The input of the roles.
pub struct Prepared {
    pub platform: Platform,
    pub state: State,
    pub stack: Stack,
    /// The runtime of functions, in words.
    pub runtime: String,
    _lock: Lock,
}

pub async fn prepare(
    mut settings: Settings,
    compose: &ComposeArgs,
    dirs: &Dirs,
    out: &Output,
) -> Result<Prepared, Error> {
    let stack = settings.stack().map_err(no_stack)?;
    check_sources(&settings)?;
    check_oidc(&settings)?;
    check_tls(&settings, out)?;
    choose_ports(&mut settings)?;
    let addresses = settings.addresses().map_err(unfit)?;
    warn_of_clear_text(&addresses, out);
    let folder = settings.data_dir(dirs, stack);
    let state = State::open(&folder).map_err(unusable)?;
    // The roles stop one after the other.
    let stops_within = app::stops_within(&settings.limits()) * 4;
    let tls_files = settings.tls().map_err(unfit)?.map(|files| (files.cert, files.key));
    let holder = Holder { tls_files, ..Holder::new(settings.name(), stack, &addresses, stops_within) };
    let lock = lock::take(&folder, &holder).map_err(|error| held(error, &folder))?;
    state.token().map_err(unusable)?;
    app::keyring(settings.secret_key_file.as_deref(), &state)?;
    leftovers::wait(&folder, out).await;
    check_ports(&addresses)?;
    let Engine { kind, told, lacks } = choose_runtime(&settings, &state, stack).await?;
    if let Some(lacks) = lacks {
        out.warn(&format!("no Python function can be deployed: {lacks} ({WITHOUT_IMAGE})"));
    }
    settings.runtime = Some(kind);
    if stack == Stack::Compose {
        let name = compose::project_name(&settings.name());
        let project = compose::Project { name, folder: state.compose_folder() };
        let (store, queue) = backends::start(&project, compose, out).await?;
        (settings.store, settings.queue) = (Some(StorePlace::At(store)), Some(queue));
    }
    // Noted before any of its ports answers, so that a client that sees it ready finds it and its token by
    // name. And not before it is able to start: a platform that never ran is not listed.
    if let Err(error) = platforms::note(&dirs.state, &folder, &holder) {
        out.warn(&format!("commands will need --url and --token-file: {error}"));
    }
    settings.data_dir = Some(folder);
    let platform = settings.platform(dirs).map_err(unfit)?;
    Ok(Prepared { platform, state, stack, runtime: told, _lock: lock })
}

/// Refuses files and folders of packages that can never be used; `doctor` says the rest.
pub fn check_sources(settings: &Settings) -> Result<(), Error> {
    sources::check(settings).map_err(unusable_source)
}

/// Refuses a provider of tokens that can never be used: the gateway, which needs it, starts last.
fn check_oidc(settings: &Settings) -> Result<(), Error> {
    sources::check_oidc(settings).map_err(unusable_source)
}

/// Refuses a gateway that would be open to the network, and a certificate that it could not use: it starts last.
fn check_tls(settings: &Settings, out: &Output) -> Result<(), Error> {
    let Some(files) = settings.tls().map_err(unfit)? else { return Ok(()) };
    match sources::check_tls(&files) {
        Ok(None) => Ok(()),
        Ok(Some(trouble)) => {
            out.warn(&format!("the certificate in {} {trouble}", files.cert.display()));
            Ok(())
        }
        Err(wrong) => {
            let hint = wrong.hint();
            Err(Error::new(Exit::Caller, wrong).hint(hint))
        }
    }
}

/// Warns of what `--insecure` allows.
pub fn warn_of_clear_text(addresses: &Addresses, out: &Output) {
    if let Some((what, address)) = addresses.in_clear() {
        out.warn(&format!(
            "{what} listens on {address} without TLS: tokens and payloads go over the network in clear"
        ));
    }
}

/// Puts a free port in place of each 0.
fn choose_ports(settings: &mut Settings) -> Result<(), Error> {
    let mut public = settings.public_listen.map(|address| address.port());
    ports::choose(&mut [
        &mut settings.gateway_port,
        &mut settings.registry_port,
        &mut settings.scheduler_port,
        &mut settings.manager_port,
        &mut public,
    ])
    .map_err(|error| Error::new(Exit::Platform, error))?;
    if let (Some(address), Some(port)) = (&mut settings.public_listen, public) {
        address.set_port(port);
    }
    Ok(())
}

fn unusable_source(wrong: SourceError) -> Error {
    let hint = wrong.hint();
    Error::new(Exit::Caller, wrong).hint(hint)
}

fn check_ports(addresses: &Addresses) -> Result<(), Error> {
    let public =
        addresses.public.map(|address| Port { of: "the public port", address, flag: ports::PUBLIC });
    ports::check(public.as_slice())?;
    ports::check(&[
        Port { of: "the gateway", address: addresses.gateway, flag: "--gateway-port" },
        Port { of: "the registry", address: addresses.registry, flag: "--registry-port" },
        Port { of: "the scheduler", address: addresses.scheduler, flag: "--scheduler-port" },
        Port { of: "the manager", address: addresses.manager, flag: "--manager-port" },
    ])
}

/// Chooses the runtime. Only a platform in one process may choose; for the others, a missing engine is an
/// error.
async fn choose_runtime(settings: &Settings, state: &State, stack: Stack) -> Result<Engine, Error> {
    let manager = state.manager_id().map_err(unusable)?;
    let owner = Owner { platform: settings.name(), manager };
    let place = Place { data_dir: state.folder().to_owned(), owner };
    let wanted = settings.runtime;
    const WITHOUT: &str = "`cloudfunc up --embedded`";
    let image = settings.docker_languages().usual_image(Language::DEFAULT);
    let chosen = match stack {
        Stack::Embedded => return engine::choose(wanted, &place, &image).await,
        Stack::External => engine::required(wanted.unwrap_or(Kind::Docker), &place, WITHOUT).await?,
        Stack::Compose => {
            // The services of the compose stack run in Docker, whatever the runtime of functions.
            let docker = engine::required(Kind::Docker, &place, WITHOUT).await?;
            match wanted.filter(|kind| *kind != Kind::Docker) {
                Some(other) => engine::required(other, &place, WITHOUT).await?,
                None => docker,
            }
        }
    };
    Ok(chosen.looked_through(&image).await)
}

/// Builds the error for settings that do not describe a stack.
pub fn no_stack(error: SettingsError) -> Error {
    let hint = match &error {
        SettingsError::EmbeddedElsewhere => {
            "give --store sqlite with the embedded queue, or --queue amqp://… with Postgres"
        }
        _ => "give both, or none: then `up` starts Postgres and RabbitMQ itself",
    };
    Error::new(Exit::Caller, error).hint(hint)
}

pub fn unusable(error: StateError) -> Error {
    let hint = match &error {
        StateError::Open { path, .. } => {
            format!("chmod 700 {}, or choose another with --data-dir", path.display())
        }
        StateError::Secret(Unread::Open { path, .. }) => {
            let path = path.display();
            format!("others may know it: remove it, and the next start makes a new one: rm {path}")
        }
        _ => "choose another folder with --data-dir".to_owned(),
    };
    Error::new(Exit::Caller, error).hint(hint)
}

fn held(error: LockError, folder: &Path) -> Error {
    let LockError::Held(holder) = error else { return Error::new(Exit::Platform, error) };
    let folder = folder.display();
    let who = match holder {
        Some(holder) => {
            let (name, pid, url) = (&holder.platform, holder.pid, holder.url());
            format!("platform '{name}' is running already (process {pid}, {url}, data folder {folder})")
        }
        None => format!("a platform is running already on the data folder {folder}"),
    };
    Error::usage(who)
        .hint("see `cloudfunc status`; stop it with `cloudfunc down`; another platform needs another --platform and other ports")
}

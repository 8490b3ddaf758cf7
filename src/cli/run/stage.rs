//! A platform for one command: all roles in this process, on free loopback ports, in a temporary folder.

use std::{
    collections::HashSet,
    fs::Permissions,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};

use crate::{
    app::{Host, KeptPackages, Role},
    cli::{
        Error, Exit, Output, logging,
        up::engine::{self, Engine, Place},
    },
    client::Client,
    model::{InvocationId, Language, LogLine, ManagerId, PlatformName},
    place::{Dirs, State},
    queue,
    runtime::{self, Owner},
    settings::{Platform, Settings, StorePlace},
    shutdown::Shutdown,
};

/// The time limit of the clean-up. Removing a container takes a tenth of a second; an engine that hangs is not
/// waited for any longer.
const CLEARED_WITHIN: Duration = Duration::from_secs(15);
/// The time in which an image becomes free whose last container was just removed. One that another platform uses does not.
const IMAGES_FREE_WITHIN: Duration = Duration::from_secs(1);

/// The platform, for as long as the command needs it.
pub struct Stage {
    folder: TempDir,
    platform: Platform,
    manager: ManagerId,
    shutdown: Shutdown,
    roles: JoinHandle<anyhow::Result<()>>,
    kept: Option<Arc<KeptPackages>>,
}

/// The access to the platform.
pub struct Window {
    pub client: Client,
    /// Lines that functions write; all lines of an invocation arrive before its answer.
    pub lines: UnboundedReceiver<LogLine>,
}

/// Chooses the runtime and starts the roles. Packages come from `kept` and go there. It does not wait for the roles: their
/// ports are taken, and early requests wait there. If this future is dropped before it completes, nothing remains.
pub async fn set(
    given: Settings,
    language: Language,
    kept: Option<KeptPackages>,
    out: &Output,
) -> Result<(Stage, Window), Error> {
    let kept = kept.map(Arc::new);
    let folder = tempfile::Builder::new()
        .prefix("cloudfunc-run-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir();
    let folder = folder.context("cannot make a temporary folder")?;
    let state = State::open(folder.path()).map_err(|error| Error::new(Exit::Platform, error))?;
    let name: PlatformName = format!("run-{}", InvocationId::new().0.simple())
        .parse()
        .context("the name of a stage is none")?;
    let manager = state.manager_id().map_err(|error| Error::new(Exit::Platform, error))?;
    let owner = Owner { platform: name.clone(), manager };
    let place = Place { data_dir: folder.path().to_owned(), owner };
    let Engine { kind, told, .. } =
        engine::choose(given.runtime, &place, &given.docker_languages().usual_image(language)).await?;
    match given.runtime.is_none() && kind != runtime::Kind::Docker {
        // It is not the usual runtime, so the reason is shown.
        true => out.note(&format!("functions run in {told}")),
        false => out.detail(&format!("functions run in {told}")),
    }
    if out.is_verbose() || std::env::var_os("CLOUDFUNC_LOG").is_some() {
        logging::init(out);
    }
    let platform = platform(Settings { runtime: Some(kind), ..given }, name, folder.path())?;
    let (lines, seen) = unbounded_channel();
    let host = Host::bind(&Role::ALL, &platform).await?.watched_by(lines);
    let host = host.with_kept_packages(kept.clone());
    let platform = host.platform().clone();
    let token = state.token().map_err(|error| Error::new(Exit::Platform, error))?;
    let url = format!("http://{}/", platform.addresses.gateway);
    let client = Client::new(url.parse().context("the gateway's address")?, Some(token))?;
    let shutdown = Shutdown::default();
    let roles = tokio::spawn(host.run(shutdown.clone()));
    Ok((Stage { folder, platform, manager, shutdown, roles, kept }, Window { client, lines: seen }))
}

/// Builds settings with the user's limits and images and without prewarming; everything else belongs to this
/// stage.
fn platform(given: Settings, name: PlatformName, folder: &Path) -> Result<Platform, Error> {
    let settings = Settings {
        name: Some(name),
        data_dir: Some(folder.to_owned()),
        store: Some(StorePlace::DataDir),
        queue: Some(queue::Config::Embedded),
        // The platform's keys are not for what lives as long as one command.
        secret_key_file: None,
        gateway_host: None,
        gateway_hosts: None,
        public_listen: None,
        tls_cert: None,
        tls_key: None,
        trusted_proxies: None,
        insecure: None,
        gateway_port: Some(0),
        registry_port: Some(0),
        scheduler_port: Some(0),
        manager_port: Some(0),
        // There is only one function, and it is started at once.
        prewarm_budget: Some(0),
        // Only this command calls it, with the stage's own token.
        oidc_issuer: None,
        oidc_audience: None,
        oidc_roles: None,
        oidc_ca_file: None,
        ..given
    };
    let nowhere = Dirs { config: folder.to_owned(), state: folder.to_owned() };
    settings.platform(&nowhere).map_err(|error| Error::new(Exit::Caller, error))
}

impl Stage {
    /// Waits until the platform fails, which should not happen.
    pub async fn broken(&mut self) -> Error {
        match (&mut self.roles).await {
            Ok(Err(error)) => error.into(),
            Ok(Ok(())) => Error::platform("the roles ended unasked"),
            Err(panic) => {
                Error::new(Exit::Platform, panic).context("the platform broke down".to_owned())
            }
        }
    }

    /// Removes everything but the packages that were installed. `at_once` abandons running invocations.
    pub async fn clear(self, at_once: bool, out: &Output) {
        let Self { folder, platform, manager, shutdown, roles, kept } = self;
        if at_once {
            shutdown.hard.cancel();
        }
        shutdown.soft.cancel();
        let ended = roles.is_finished() || tokio::time::timeout(CLEARED_WITHIN, roles).await.is_ok();
        if !ended {
            out.warn(&format!(
                "containers may be left: those with the label cloudfunc.platform={}",
                platform.name
            ));
        }
        if platform.runtime == runtime::Kind::Docker {
            let config = platform.runtime_config(manager);
            let removed = tokio::time::timeout(CLEARED_WITHIN, remove_images(&config)).await;
            if !matches!(removed, Ok(Ok(true))) {
                out.warn(&format!(
                    "images may be left: those with the label cloudfunc.image-manager={manager}"
                ));
            }
        }
        let closing = tokio::task::spawn_blocking(move || kept?.close());
        // A disk that hangs is not waited for.
        if let Ok(Ok(Some(why))) = tokio::time::timeout(CLEARED_WITHIN, closing).await {
            out.notice(&format!("the packages are installed again by the next `run`: {why}"));
        }
        if let Err(error) = remove(folder.path()).await {
            out.warn(&format!("cannot remove {}: {error}", folder.path().display()));
        }
    }
}

/// Removes the images that were built for functions of this stage, which nothing else does. Returns whether none is left.
async fn remove_images(config: &runtime::Config) -> Result<bool, runtime::Error> {
    let (runtime, deadline) = (runtime::connect(config)?, Instant::now() + IMAGES_FREE_WITHIN);
    loop {
        let (_, are_left) = runtime.remove_images(&HashSet::new()).await?;
        if !are_left || Instant::now() >= deadline {
            return Ok(!are_left);
        }
        // Nothing tells when the engine is done with a container.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Removes a folder while interrupted work may still write to it: a thread that unpacks code cannot be stopped.
async fn remove(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + CLEARED_WITHIN;
    loop {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && Instant::now() < deadline => {
                // Nothing tells when that thread is done.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_goes_once_nothing_is_written_into_it_any_more() {
        let folder = tempfile::tempdir().unwrap().keep();
        std::fs::write(folder.join("first"), "").unwrap();
        let written = folder.clone();
        let writer = std::thread::spawn(move || {
            for number in 0..2000 {
                // Once the folder is gone nothing can be.
                if std::fs::write(written.join(number.to_string()), "").is_err() {
                    break;
                }
            }
        });
        remove(&folder).await.unwrap();
        writer.join().unwrap();
        assert!(!folder.exists());
    }
}

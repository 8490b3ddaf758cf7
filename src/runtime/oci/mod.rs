//! Sandboxes as containers that this program makes itself, from the machine's own interpreters: no engine,
//! no images.
//!
//! ```text
//! start: interpreter, root ─▶ folder, cgroup ─▶ helper ─▶ three connections and hello
//!        (known)                 │                           │ or the container's end, or the limit
//!                                └─ from here on a guard removes it, whatever happens
//! ```
//! [`host`] finds interpreters, [`root`] defines what a sandbox sees of the machine, [`config`] and [`seccomp`] define
//! what it may do, [`cgroup`] sets its limits, [`network`] and [`fence`] decide what it reaches; [`helper`] is the
//! process that makes it, run by [`make`], and [`exchange`] has the data that these two exchange; [`container`] is one
//! of them, [`orphans`] are those whose maker has died.

mod cgroup;
mod config;
mod container;
mod exchange;
mod fence;
mod helper;
mod host;
mod make;
mod network;
mod orphans;
mod root;
mod seccomp;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use async_trait::async_trait;
use tokio::{net::unix::pipe, runtime::Handle};
use tokio_util::io::ReaderStream;

use self::{
    cgroup::{Cgroup, Cgroups},
    config::User,
    container::{Container, Life, Traces},
    exchange::Request,
    host::{Installer, Interpreter},
    make::Made,
    root::Root,
};
pub use self::{
    helper::helper,
    host::{HostInterpreter, host_interpreter},
};
use super::{
    Error, HelperFile, Image, Owner, Progress, Runtime, Sandbox, Spec, Started, guest::Listener,
    hello::hello,
};
use crate::model::{Language, Network};

/// The backend.
pub(super) struct Oci {
    shared: Arc<Shared>,
    /// The answer of [`Runtime::ping`]: a machine that can make sandboxes once is able to later.
    tried: tokio::sync::OnceCell<String>,
    /// The roots by language and version. Locked while one is made: other callers wait for it.
    roots: tokio::sync::Mutex<HashMap<(Language, String), Arc<Root>>>,
}

struct Shared {
    owner: Owner,
    folder: PathBuf,
    program: PathBuf,
    /// The first program of some sandboxes, which is not the [`helper`] that makes them.
    first: HelperFile,
    cgroups: OnceLock<Option<Cgroups>>,
    /// The containers of this process, by id.
    live: Mutex<HashMap<String, Weak<Life>>>,
    /// Locked for reading while a container is made: [`Oci::remove_all`] waits for them.
    creating: Arc<tokio::sync::RwLock<()>>,
}

impl Oci {
    pub(super) fn new(owner: &Owner, folder: &Path, program: &Path, first: &HelperFile) -> Self {
        let shared = Shared {
            owner: owner.clone(),
            folder: folder.to_owned(),
            program: program.to_owned(),
            first: first.clone(),
            cgroups: OnceLock::new(),
            live: Mutex::default(),
            creating: Arc::default(),
        };
        let (tried, roots) = (tokio::sync::OnceCell::new(), tokio::sync::Mutex::default());
        Self { shared: Arc::new(shared), tried, roots }
    }

    async fn root(&self, image: &Image) -> Result<Arc<Root>, Error> {
        let Image::Language { language, version } = image else { return Err(no_images(image)) };
        let key = (*language, version.clone());
        let mut roots = self.roots.lock().await;
        if let Some(root) = roots.get(&key) {
            return Ok(root.clone());
        }
        let (folder, (language, wanted)) = (self.shared.folder.join("roots"), key.clone());
        let find = move || {
            let has_one = language.facts().interpreter.is_some();
            let interpreter = has_one.then(|| Interpreter::find(language, &wanted)).transpose()?;
            Root::make(&folder, language, interpreter)
        };
        let root = Arc::new(blocking(find).await?);
        roots.insert(key, root.clone());
        Ok(root)
    }

    /// Makes a container in a separate task, so that one whose caller stopped waiting is removed as soon as it exists.
    async fn create(&self, spec: &Spec, root: Arc<Root>) -> Result<(Container, pipe::Receiver), Error> {
        let (shared, spec) = (self.shared.clone(), spec.clone());
        let gate = shared.creating.clone().read_owned().await;
        let tasks = Handle::current();
        let (container, output) = blocking(move || {
            let _gate = gate;
            shared.create(&spec, &root, tasks)
        })
        .await?;
        let output = pipe::Receiver::from_owned_fd(output.into());
        Ok((container, output.map_err(|source| Error::Io { path: "a pipe".into(), source })?))
    }
}

/// Runs blocking work to its end, even when its caller no longer waits.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let failed = |failure: tokio::task::JoinError| Error::Engine {
        action: "finish a task",
        source: failure.into(),
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn no_images(image: &Image) -> Error {
    let (kind, image) = match image {
        Image::Language { language, version } => ("image", format!("{language} {version}")),
        Image::Function { tag, .. } => ("image", tag.clone()),
        Image::Own { reference } => ("image", reference.clone()),
        Image::Dockerfile { dockerfile, .. } => ("the Dockerfile", dockerfile.clone()),
    };
    Error::NoImages { kind, image, runtime: "oci" }
}

impl Shared {
    fn cgroups(&self) -> Option<Cgroups> {
        *self.cgroups.get_or_init(Cgroups::usable)
    }

    fn folder_of(&self, owner: &Owner) -> PathBuf {
        self.folder.join("sandboxes").join(owner.manager.to_string())
    }

    /// Returns the folder and cgroup of an instance.
    fn traces(&self, owner: &Owner, id: &str) -> Traces {
        let cgroup = self.cgroups().map(|cgroups| cgroups.find(owner, id));
        Traces { folder: self.folder_of(owner).join(id), cgroup }
    }

    fn create(
        &self,
        spec: &Spec,
        root: &Root,
        tasks: Handle,
    ) -> Result<(Container, std::io::PipeReader), Error> {
        let id = spec.instance.0.to_string();
        let cgroup = self.cgroups().map(|cgroups| cgroups.of(&self.owner, &spec.function, &id));
        let traces = Traces { folder: self.folder_of(&self.owner).join(&id), cgroup };
        let installer = match (&spec.build, &root.interpreter) {
            (Some(build), Some(interpreter)) if build.installs => Some(interpreter.installer()?),
            (Some(build), Some(interpreter)) if build.calls_installer => interpreter.installer().ok(),
            _ => None,
        };
        let made = self.make(spec, root, installer.as_ref(), &traces);
        // Some of its processes may be running, whatever failed.
        let made = made.inspect_err(|_| orphans::remove(&traces))?;
        let life = Life::begin(id.clone(), made.process, made.link, traces.clone(), &tasks);
        let life = life.map_err(|source| {
            traces.remove();
            Error::Io { path: "a pidfd".into(), source }
        })?;
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, life| life.strong_count() > 0);
        live.insert(id, Arc::downgrade(&life));
        Ok((Container { life, tasks }, made.output))
    }

    fn make(
        &self,
        spec: &Spec,
        root: &Root,
        installer: Option<&Installer>,
        traces: &Traces,
    ) -> Result<Made, Error> {
        let folder = &traces.folder;
        let io = |source| Error::Io { path: folder.clone(), source };
        traces.make_folder().map_err(io)?;
        let limits = self.cgroups().map(|cgroups| cgroups.make(&self.owner, spec)).transpose();
        let limits = limits
            .map_err(|error| Error::Engine { action: "limit a container", source: error.into() })?;
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { User::of_instance(spec) } else { User::Root };
        let connected = network::is_connected(spec.network);
        let resolv_conf = folder.join("resolv.conf");
        if connected {
            fs::write(&resolv_conf, network::resolv_conf()).map_err(io)?;
        }
        let names = connected.then_some(&*resolv_conf);
        let config = config::config(spec, root, installer, names, user, limits.is_none())?;
        let entrances = limits.as_ref().map(Cgroup::entrances).unwrap_or_default();
        let filters = root.filters.clone();
        let reachable = spec.build.as_ref().map(|build| build.reachable.clone()).unwrap_or_default();
        let request = Request { entrances, filters, user_namespace: !is_root, connected, reachable };
        let made = make::make(&self.program, traces, &config, &request)?;
        if let Err(error) = orphans::remember(folder) {
            made.end();
            return Err(io(error));
        }
        Ok(made)
    }

    fn live(&self, id: &str) -> Option<Arc<Life>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).get(id).and_then(Weak::upgrade)
    }
}

#[async_trait]
impl Runtime for Oci {
    fn kind(&self) -> &'static str {
        "oci"
    }

    async fn ping(&self) -> Result<String, Error> {
        let attempt = || async {
            blocking(|| host_interpreter(Language::DEFAULT).map(drop)).await?;
            let shared = self.shared.clone();
            blocking(move || {
                make::attempt(&shared.program)?;
                let limits = shared
                    .cgroups()
                    .map_or("no cgroup".to_owned(), |found| format!("cgroup v{}", found.number()));
                Ok(format!("OCI containers by libcontainer 0.7.0, {limits}, {}", network::summary()))
            })
            .await
        };
        self.tried.get_or_try_init(attempt).await.cloned()
    }

    async fn ensure_image(&self, image: &Image, _progress: &Progress) -> Result<String, Error> {
        Ok(self.root(image).await?.id.clone())
    }

    async fn start(&self, spec: &Spec) -> Result<Started, Error> {
        let root = self.root(&spec.image).await?;
        let listener = Listener::bind(&spec.folder)?;
        spec.provide_helper(&self.shared.first)?;
        spec.make_task_folder()?;
        let (container, output) = self.create(spec, root).await?;
        // It runs already.
        let (start, output) = (async { Ok(()) }, ReaderStream::new(output));
        match hello(&container, &listener, start, output, "").await {
            Ok(guest) => Ok(Started { sandbox: Arc::new(container), guest }),
            Err(error) => {
                container.remove().await;
                Err(error)
            }
        }
    }

    async fn notices(&self, network: Network) -> Vec<String> {
        let mut notices = Vec::new();
        if !rustix::process::geteuid().is_root() {
            notices.push(NOT_ROOT.to_owned());
        }
        if self.shared.cgroups().is_none() {
            notices.push(NO_CGROUPS.to_owned());
        }
        notices.extend(network::notice(network));
        notices
    }

    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, Error> {
        // The containers that this process is making now exist once we have the lock.
        let _gate = self.shared.creating.write().await;
        let mut removed = Vec::new();
        for (id, _) in orphans::list(&self.shared.folder_of(owner)) {
            match self.shared.live(&id) {
                Some(life) => life.remove().await,
                None => {
                    let traces = self.shared.traces(owner, &id);
                    blocking(move || {
                        orphans::remove(&traces);
                        Ok(())
                    })
                    .await?;
                }
            }
            removed.push(id);
        }
        removed.sort_unstable();
        Ok(removed)
    }
}

const NOT_ROOT: &str = "all functions run as the platform's own user, though without its rights outside their \
                        sandboxes: only a platform that runs as root gives each instance a user of its own";

const NO_CGROUPS: &str = "memory is limited for each process and not for the function as a whole, and the cpus \
                          are not limited: this platform may not write cgroups";

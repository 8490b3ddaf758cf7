//! The runtime seam: sandboxes that speak the runtime protocol.
//!
//! A backend makes a sandbox from an image, with a folder of its own mounted read-only at `/var/task`
//! and another at `/run/cloudfunc` that holds the socket; the guest inside connects, and from
//! then on everything goes through [`Guest`]. The engine is asked for nothing between start and end.

#![warn(missing_docs)]

mod cgroups;
mod config;
mod docker;
mod forbidden;
mod guest;
mod hello;
mod limits;
mod oci;
mod process;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

pub use config::{BaseImages, Config, Kind};
pub use docker::{BaseImage, Component, LabelledContainer, Survey as EngineSurvey, base_image};
pub use guest::{Finished, Guest, GuestError, Invoke, Line, Load, LoadFailure};
pub use oci::{HostInterpreter, helper, host_interpreter};

use crate::model::{InstanceId, Language, ManagerId, Network, PlatformName};

/// From asking for a sandbox to the guest's `hello`; then it is removed and the start has failed.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a sandbox's code path starts inside the sandbox.
pub const TASK_PATH: &str = "/var/task";

/// The file that this process was started from, also when another one has taken its place since.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// What to make a sandbox from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Image {
    /// The platform's image of a language: base, shim, compiled bytecode.
    Language {
        /// Whose shim runs.
        language: Language,
        /// As a manifest names it, never empty.
        version: String,
    },
    /// A function's own image: the language's image with a bundle copied to `/var/task`.
    Function {
        /// Whose shim runs.
        language: Language,
        /// As a manifest names it, never empty.
        version: String,
        /// The image's name in the engine.
        tag: String,
        /// The unpacked folder that the image is rebuilt from where it is missing.
        bundle: PathBuf,
    },
    /// An image from elsewhere; it must speak the runtime protocol.
    Own {
        /// Its name, or its id in the engine.
        reference: String,
    },
}

/// The owner of sandboxes: the labels `cloudfunc.platform` and `cloudfunc.manager`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The platform's name; two of one name may share an engine.
    pub platform: PlatformName,
    /// The manager's id, which is kept with its data.
    pub manager: ManagerId,
}

/// A sandbox to be made. Everything here is the platform's choice, nothing is passed on from a user
/// unchecked.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The id of the instance; no other sandbox has it.
    pub instance: InstanceId,
    /// For the label `cloudfunc.function` and people who list containers, and for what the instances of a
    /// function may use together; empty for a prewarmed one.
    pub function: String,
    /// What the sandbox is made from.
    pub image: Image,
    /// The instance's own folder on the host, mode 0700, made by the caller. `task/` in it is mounted
    /// at `/var/task` (unless the image holds the code); the backend makes `run/` for the socket.
    pub folder: PathBuf,
    /// Limit of memory, in bytes, `/tmp` included; over it the kernel kills a process.
    pub memory_bytes: u64,
    /// Limit of processor time, in processors; one processor of the machine is always left to others.
    pub cpus: f64,
    /// What it may connect to.
    pub network: Network,
    /// What the process inside is started with besides the platform's own: a function's variables that are read
    /// then. They reach nothing outside of the sandbox.
    pub env: BTreeMap<String, String>,
}

impl Spec {
    /// Makes sure that `task/` is there: a mount of nothing is an error.
    fn make_task_folder(&self) -> Result<(), Error> {
        let path = self.folder.join("task");
        fs::create_dir_all(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .map_err(|source| Error::Io { path, source })
    }
}

/// A sandbox whose guest has said `hello`.
pub struct Started {
    /// The sandbox; dropping it removes it.
    pub sandbox: Arc<dyn Sandbox>,
    /// The connection to the guest inside, which has no code yet.
    pub guest: Guest,
}

/// Makes and removes sandboxes. Cheap to share; safe to call from many tasks at once.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// For `status` and the startup text: `docker`, `oci` or `process`.
    fn kind(&self) -> &'static str;

    /// Asks whether sandboxes can be made; answers with the engine's name and version.
    async fn ping(&self) -> Result<String, Error>;

    /// Makes sure that an image is there: builds or pulls it where missing (once, however many ask at
    /// the same time) and answers the engine's id of it. What was found is remembered.
    /// `progress` gets lines for people.
    async fn ensure_image(&self, image: &Image, progress: &Progress) -> Result<String, Error>;

    /// Makes a sandbox, starts it and waits for its guest's `hello`, at most [`START_TIMEOUT`].
    /// On error, and when this future is dropped, no sandbox is left (in the latter case it goes in
    /// the background). Calls [`Runtime::ensure_image`] itself.
    async fn start(&self, spec: &Spec) -> Result<Started, Error>;

    /// What the owner of a function with this network should know about how it is isolated here: one
    /// sentence each, without a full stop; empty when everything holds. Looked up now; makes what the
    /// sandboxes of that network share, if that is not there yet.
    async fn notices(&self, network: Network) -> Vec<String>;

    /// Removes the images that this manager made for functions, but those of these tags and ids; answers the tags
    /// that went, and whether others are still in use and could go later.
    async fn remove_images(&self, _keep: &HashSet<String>) -> Result<(Vec<String>, bool), Error> {
        Ok((Vec::new(), false))
    }

    /// The machine that sandboxes run on, asked for now.
    async fn machine(&self) -> Machine {
        Machine::here()
    }

    /// Removes every sandbox of this owner, whatever process made it, and what only its platform's
    /// sandboxes need (a network) when no other uses it; answers the engine's ids.
    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, Error>;
}

/// The resources of the machine that sandboxes run on; none where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory as a whole, in bytes.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// This one.
    fn here() -> Self {
        let cpus = std::thread::available_parallelism().ok();
        let memory = fs::read_to_string("/proc/meminfo").ok();
        Self {
            cpus: cpus.and_then(|cpus| u32::try_from(cpus.get()).ok()),
            memory_bytes: memory.and_then(|text| total_memory(&text)),
        }
    }
}

/// Of `/proc/meminfo`, whose first line is as in `MemTotal:       24575448 kB`.
fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Where lines about a slow step go.
pub type Progress = dyn Fn(String) + Send + Sync;

/// One live or ended sandbox. Dropping it removes the sandbox in the background.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The engine's id.
    fn id(&self) -> &str;

    /// Waits until the sandbox has ended by itself, and says why. Cancel safe; may be called again.
    /// After [`Sandbox::remove`] it answers [`Exit::Removed`].
    async fn exited(&self) -> Exit;

    /// Kills what runs and deletes everything of it. Idempotent; answers when it is gone. Errors are
    /// logged: whoever owns the label removes what stays.
    async fn remove(&self);
}

/// Why a sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By our own [`Sandbox::remove`].
    Removed,
    /// The engine says that the memory limit was hit.
    OutOfMemory,
    /// Exit code (128 + signal for a signal).
    Code(i64),
    /// It is gone, and the engine does not say why.
    Unknown,
}

/// An exit code for people: 128 and a signal's number stand for the signal.
pub fn show_code(code: i64) -> String {
    match code.checked_sub(128).and_then(signal_name) {
        Some(name) => format!("code {code} (signal {name})"),
        None => format!("code {code}"),
    }
}

/// The signals that end a process, by their numbers on Linux.
fn signal_name(number: i64) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

/// Why a sandbox or an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be reached; trying later may help.
    #[error("the container engine at {address} does not answer")]
    Unavailable {
        /// Where it was asked.
        address: String,
        /// The answer, or why there was none.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image is not there and cannot be pulled.
    #[error("image '{image}' is not available: {help}")]
    NoImage {
        /// Its reference, or language and version.
        image: String,
        /// What the user can do.
        help: String,
        /// The engine's answer, where it was asked.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An image was asked for, and the runtime has none.
    #[error(
        "image '{image}' cannot be used: the runtime '{runtime}' has no images; start `up` with `--runtime docker`"
    )]
    NoImages {
        /// What was asked for.
        image: String,
        /// The runtime's kind.
        runtime: &'static str,
    },
    /// The sandbox ended or stayed silent before `hello`.
    #[error("the sandbox did not get ready: {reason}")]
    Start {
        /// Why, in words.
        reason: String,
        /// The end of what it wrote, at most 64 KiB.
        output: String,
        /// What its process exited with; none where that is not the reason.
        code: Option<i64>,
    },
    /// The engine refused something.
    #[error("the container engine failed to {action}")]
    Engine {
        /// What it was asked to do, after "failed to".
        action: &'static str,
        /// Its answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or folder of the host failed.
    #[error("cannot use {path}")]
    Io {
        /// The file, or what stands for it.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Where the Docker engine is that [`Kind::Docker`] means.
pub fn engine_address() -> String {
    docker::address()
}

/// Connects. Answers also when the engine is down: the first use then fails with
/// [`Error::Unavailable`], and works again when it is back.
pub fn connect(config: &Config) -> Result<Arc<dyn Runtime>, Error> {
    Ok(match config {
        Config::Docker { owner, images } => Arc::new(docker::Docker::new(owner, images)),
        Config::Oci { owner, folder, program } => Arc::new(oci::Oci::new(owner, folder, program)),
        Config::Process { owner } => Arc::new(process::Process::new(owner)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_how_much_memory_this_machine_has() {
        assert_eq!(total_memory("MemTotal:       24575448 kB\nMemFree: 1 kB\n"), Some(24_575_448 << 10));
        assert_eq!(total_memory(""), None);
        let here = Machine::here();
        assert!(
            here.memory_bytes.is_some_and(|bytes| bytes > 1 << 28) && here.cpus >= Some(1),
            "{here:?}"
        );
    }

    #[test]
    fn a_code_that_stands_for_a_signal_names_it() {
        assert_eq!(show_code(139), "code 139 (signal SIGSEGV)");
        assert_eq!(show_code(137), "code 137 (signal SIGKILL)");
        assert_eq!(show_code(3), "code 3");
        assert_eq!(show_code(128), "code 128");
        assert_eq!(show_code(255), "code 255");
    }
}

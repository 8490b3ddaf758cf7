//! The runtime seam: sandboxes that speak the runtime protocol.
//!
//! A backend makes a sandbox from an image, with a folder of its own mounted read-only at `/var/task` and another at
//! `/run/cloudfunc` that holds the socket; the guest inside connects, and from then on everything goes through
//! [`Guest`]. The engine is asked for nothing between start and end.

#![warn(missing_docs)]

mod cgroups;
mod config;
mod docker;
mod entry;
mod forbidden;
mod guest;
mod hello;
mod helper_program;
mod limits;
mod oci;
mod process;
mod programs;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    net::SocketAddrV4,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

pub use config::{BaseImages, Config, Kind};
pub use docker::{BaseImage, Component, LabelledContainer, Survey as EngineSurvey, base_image};
pub use entry::{Entry, HelperFile, no_helper, place_helper};
pub use guest::{
    Calls, Finished, Guest, GuestError, Invoke, Line, Load, LoadFailure, RequestHead, Several,
    run_folder,
};
pub use helper_program::helper_program;
pub use oci::{HostInterpreter, helper, host_interpreter};
pub use programs::environment_of_programs;

use crate::model::{InstanceId, Language, ManagerId, Network, PlatformName};

/// The time from asking for a sandbox to the guest's `hello`; after it, the sandbox is removed and the start has
/// failed.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The folder of the function's code inside the sandbox.
pub const TASK_PATH: &str = "/var/task";

/// The folder in a sandbox with the installed packages of all functions. It cannot be listed, and each tree in it has a
/// name that cannot be guessed; the process runtime has it elsewhere, in `CLOUDFUNC_PACKAGES`.
pub const PACKAGES_PATH: &str = "/opt/packages";

/// The folder that a build may write to; the process runtime has it elsewhere, in `CLOUDFUNC_OUTPUT`.
pub const OUTPUT_PATH: &str = "/var/output";

/// The folder with packages of the platform's own, for builds; the process runtime has it in `CLOUDFUNC_WHEELS`.
pub const WHEELS_PATH: &str = "/opt/wheels";

/// The file that this process was started from, even when another one has taken its place since.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// The source of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Image {
    /// The platform's image of a language: base, shim, compiled bytecode.
    Language {
        /// The language whose shim runs.
        language: Language,
        /// The version as a manifest names it, never empty.
        version: String,
    },
    /// A function's own image: the language's image with a bundle copied to `/var/task`.
    Function {
        /// The language whose shim runs.
        language: Language,
        /// The version as a manifest names it, never empty.
        version: String,
        /// The image's name in the engine.
        tag: String,
        /// The unpacked folder from which the image is built again where it is missing.
        bundle: PathBuf,
    },
    /// An image from elsewhere; with [`Entry::Shim`] it must speak the runtime protocol.
    Own {
        /// Its name, or its id in the engine.
        reference: String,
    },
    /// An image that the engine builds from a function's source, where it is missing.
    Dockerfile {
        /// The image's name in the engine.
        tag: String,
        /// The id that it has where its revision was deployed; another host has another one.
        id: Option<String>,
        /// The unpacked source.
        source: PathBuf,
        /// The path of the Dockerfile in it.
        dockerfile: String,
        /// The values of its `ARG`s.
        args: BTreeMap<String, String>,
        /// The network of its `RUN`s.
        network: Network,
        /// True where it is built even if it exists, without using anything of earlier builds.
        refresh: bool,
    },
}

/// The memory of a build, in bytes. It is not part of the budget for instances: there are two builds at most.
pub const BUILD_MEMORY: u64 = 1 << 30;

/// The facts about an image that decide whether it can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The system and processor that it is for, as in `linux/amd64`; empty where it does not say.
    pub platform: String,
    /// Those of the engine.
    pub engine: String,
    /// True where it names a program to run.
    pub has_command: bool,
}

/// The owner of sandboxes: the labels `cloudfunc.platform` and `cloudfunc.manager`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The platform's name; two of one name may share an engine.
    pub platform: PlatformName,
    /// The manager's id, which is kept with its data.
    pub manager: ManagerId,
}

/// A sandbox to be made. Everything here is the platform's choice; nothing is passed on from a user unchecked.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The id of the instance; unique among sandboxes.
    pub instance: InstanceId,
    /// The function's name, for the label `cloudfunc.function` and people who list containers, and for the limits that
    /// the instances of a function share; empty for a prewarmed one.
    pub function: String,
    /// The source of the sandbox.
    pub image: Image,
    /// The first program in it.
    pub entry: Entry,
    /// The instance's own folder on the host, mode 0700, made by the caller. `task/` in it is mounted
    /// at `/var/task` (unless the image holds the code); the backend makes `run/` for the socket and the helper.
    pub folder: PathBuf,
    /// The limit of memory, in bytes, `/tmp` included; over it the kernel kills a process.
    pub memory_bytes: u64,
    /// The limit of processor time, in processors; one processor of the machine is always left to others.
    pub cpus: f64,
    /// The network that it may connect to.
    pub network: Network,
    /// Variables that the process inside is started with, in addition to the platform's own: a function's variables
    /// that are read then. They are not visible outside of the sandbox.
    pub env: BTreeMap<String, String>,
    /// The folder on the host that is mounted read-only at [`PACKAGES_PATH`], unless the image is from elsewhere. What is
    /// put into it later is seen in sandboxes that run.
    pub packages: Option<PathBuf>,
    /// The additional rights of a build; none for a function.
    pub build: Option<BuildRights>,
}

/// The rights of a sandbox in which something of a function is made, in addition to those of a function: it may write to
/// `output/` of the instance's folder, made by the caller with mode 0777 and mounted at [`OUTPUT_PATH`].
///
/// A build is started, loaded and invoked as a function is, and ends in the same ways: [`Runtime::start`] fails with
/// [`Error::NoInstaller`] where this machine lacks that program. Whatever ends it, a dropped future included, leaves what is
/// in `output/` to the caller, who may use it once [`Sandbox::remove`] has returned and [`Sandbox::is_gone`]: until then code
/// may write to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRights {
    /// Addresses that it may connect to wherever they are: the platform's own sources of packages.
    pub reachable: Vec<SocketAddrV4>,
    /// The folder on the host that is mounted read-only at [`WHEELS_PATH`].
    pub wheels: Option<PathBuf>,
    /// It sees the program that installs packages, where the language's image is the machine's own interpreter.
    pub installs: bool,
    /// It sees that program if this machine has it; one that lacks it is no error.
    pub calls_installer: bool,
}

/// The name of the folder that a build may write to, in the instance's folder.
pub const OUTPUT: &str = "output";

impl Spec {
    /// Makes sure that `task/` exists: mounting a missing folder is an error.
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
    /// Returns the backend, for `status` and the startup text: `docker`, `oci` or `process`.
    fn kind(&self) -> &'static str;

    /// Asks whether sandboxes can be made; returns the engine's name and version.
    async fn ping(&self) -> Result<String, Error>;

    /// Makes sure that an image exists: builds or pulls it where missing (once, however many callers ask at the same
    /// time) and returns the engine's id of it. The result is remembered. `progress` gets lines for people.
    async fn ensure_image(&self, image: &Image, progress: &Progress) -> Result<String, Error>;

    /// Returns what is known of an image that is there, by its id; none if it is gone, or where there are no images.
    async fn image_facts(&self, _id: &str) -> Result<Option<ImageFacts>, Error> {
        Ok(None)
    }

    /// Makes a sandbox, starts it and waits for its guest's `hello`, for up to [`START_TIMEOUT`]. On error, and when
    /// this future is dropped, no sandbox is left (in the latter case it is removed in the background). Calls
    /// [`Runtime::ensure_image`] itself, but for the image of a Dockerfile: where that is missing, it fails with
    /// [`Error::NotBuilt`], and the same start may be tried again once it is there.
    async fn start(&self, spec: &Spec) -> Result<Started, Error>;

    /// Returns what the owner of a function with this network should know about its isolation here: one sentence each,
    /// without a full stop; empty when the isolation is complete. Looked up now; makes what the sandboxes of that
    /// network share, if it does not exist yet.
    async fn notices(&self, network: Network) -> Vec<String>;

    /// Returns whether there are images that this manager made for functions.
    async fn has_images(&self) -> Result<bool, Error> {
        Ok(false)
    }

    /// Removes the images that this manager made for functions, except those with these tags and ids; returns the tags
    /// that were removed, and whether others are still in use and could be removed later.
    async fn remove_images(&self, _keep: &HashSet<String>) -> Result<(Vec<String>, bool), Error> {
        Ok((Vec::new(), false))
    }

    /// Returns the machine that sandboxes run on, asked for now.
    async fn machine(&self) -> Machine {
        Machine::here()
    }

    /// Removes every sandbox of this owner, whatever process made it, and the things that only its platform's sandboxes
    /// need (a network) when no other uses them; returns the engine's ids.
    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, Error>;
}

/// The resources of the machine that sandboxes run on; none where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The number of processors.
    pub cpus: Option<u32>,
    /// The whole memory, in bytes.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// Returns the resources of this machine.
    fn here() -> Self {
        let cpus = std::thread::available_parallelism().ok();
        let memory = fs::read_to_string("/proc/meminfo").ok();
        Self {
            cpus: cpus.and_then(|cpus| u32::try_from(cpus.get()).ok()),
            memory_bytes: memory.and_then(|text| total_memory(&text)),
        }
    }
}

/// Reads `/proc/meminfo`, whose first line looks like `MemTotal:       24575448 kB`.
fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// A receiver of lines about a slow step.
pub type Progress = dyn Fn(String) + Send + Sync;

/// A sandbox, running or ended. Dropping it removes the sandbox in the background.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Returns the engine's id.
    fn id(&self) -> &str;

    /// Waits until the sandbox has ended by itself, and returns the reason. Cancel safe; may be called again. After
    /// [`Sandbox::remove`] it returns [`Exit::Removed`].
    async fn exited(&self) -> Exit;

    /// Asks for the sandbox itself, which may have ended without a word of it yet. Returns false where nobody answers: an
    /// engine that is away has taken its containers with it. What it learns of an end, [`Sandbox::exited`] returns.
    async fn is_running(&self) -> bool;

    /// Kills all its processes and deletes everything of it. Idempotent; returns when it is gone. Errors are logged:
    /// the next removal by label deletes the rest.
    async fn remove(&self);

    /// Returns how many of its processes the kernel has killed by now because it had reached its limit of memory; zero
    /// where nobody tells. Where the word of a kill may come later than what follows from it, this waits a moment for one
    /// more than the `known` ones.
    async fn memory_kills(&self, _known: u64) -> u64 {
        0
    }

    /// Returns whether none of its processes runs any more, as [`Sandbox::remove`] has found.
    fn is_gone(&self) -> bool {
        true
    }
}

/// The reason why a sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// [`Sandbox::remove`] ended it.
    Removed,
    /// It hit the memory limit, as the engine says.
    OutOfMemory,
    /// Its process exited with this code (128 + signal for a signal).
    Code(i64),
    /// It does not exist any more, and the engine does not say why.
    Unknown,
}

/// Returns an exit code for people: 128 and a signal's number stand for the signal.
pub fn show_code(code: i64) -> String {
    match code.checked_sub(128).and_then(signal_name) {
        Some(name) => format!("code {code} (signal {name})"),
        None => format!("code {code}"),
    }
}

/// Returns the names of signals that end a process, by their numbers on Linux.
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

/// The reason why a sandbox or an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be reached; trying later may help.
    #[error("the container engine at {address} does not answer")]
    Unavailable {
        /// The engine's address.
        address: String,
        /// The answer, or the reason why there was none.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image does not exist and cannot be pulled.
    #[error("image '{image}' is not available: {help}")]
    NoImage {
        /// Its reference, or language and version.
        image: String,
        /// Advice for the user.
        help: String,
        /// The engine's answer, where it was asked.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An image was requested, and the runtime has none.
    #[error(
        "{kind} '{image}' cannot be used: the runtime '{runtime}' has no images; start `up` or `run` with `--runtime docker`, \
         or name a `language` in its place: \"native\" runs any program"
    )]
    NoImages {
        /// The word before its name: `image` or `the Dockerfile`.
        kind: &'static str,
        /// The image or Dockerfile that was requested.
        image: String,
        /// The runtime's kind.
        runtime: &'static str,
    },
    /// The image of a Dockerfile is not on this host. [`Runtime::ensure_image`] builds it, which may take minutes.
    #[error("image '{image}' is not built on this host")]
    NotBuilt {
        /// The image's name in the engine.
        image: String,
    },
    /// An image cannot be built: the author of its Dockerfile has to change something.
    #[error("{reason}")]
    Dockerfile {
        /// The reason, in words.
        reason: String,
        /// The end of what its last step has written.
        output: String,
    },
    /// The platform's helper is not there, with which the sandbox would begin.
    #[error("the platform's helper is missing: {0}")]
    NoHelper(String),
    /// The program that installs packages is missing on this machine.
    #[error("packages cannot be installed: {0}")]
    NoInstaller(String),
    /// The sandbox ended or stayed silent before `hello`.
    #[error("the sandbox did not get ready: {reason}")]
    Start {
        /// The reason, in words.
        reason: String,
        /// The end of its output, at most 64 KiB.
        output: String,
        /// The exit code of its process; none where that is not the reason.
        code: Option<i64>,
    },
    /// The engine refused something.
    #[error("the container engine failed to {action}")]
    Engine {
        /// The action that it was asked for, after "failed to".
        action: &'static str,
        /// The engine's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or folder of the host failed.
    #[error("cannot use {path}")]
    Io {
        /// The file, or a text that stands for it.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Returns whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Returns the address of the Docker engine that [`Kind::Docker`] uses.
pub fn engine_address() -> String {
    docker::address()
}

/// Connects. Succeeds even when the engine is down: the first use then fails with [`Error::Unavailable`], and works
/// again when the engine is back.
pub fn connect(config: &Config) -> Result<Arc<dyn Runtime>, Error> {
    Ok(match config {
        Config::Docker { owner, images, helper } => Arc::new(docker::Docker::new(owner, images, helper)),
        Config::Oci { owner, folder, program, helper } => {
            Arc::new(oci::Oci::new(owner, folder, program, helper))
        }
        Config::Process { owner, helper } => Arc::new(process::Process::new(owner, helper)),
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

//! `up --detach`: the same command as a process in the background.
//!
//! ```text
//! up --detach ──starts──▶ up --detach   ──▶ its standard output is a pipe: what it says when it is ready
//!      └── waits for the end of the pipe ◀──┘   its standard error is `logs/up.log` of the data folder
//! ```
//! A variable of its environment tells the command which of the two it is. The process in the background has no
//! terminal, so that Ctrl-C and a closed window do not reach it; `down` stops it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use super::{
    child::own_executable,
    prepare::{no_stack, unusable, warn_of_clear_text},
};
use crate::{
    cli::{Error, Exit, Output, signals::Signals, text},
    local::{LocalPlatform, probe::Prober},
    place::{Dirs, State, platforms::Known, state::make_folder},
    settings::Settings,
    units::show_duration,
};

/// The variable that marks the process in the background; not for users.
const DETACHED: &str = "CLOUDFUNC_UP_DETACHED";
/// The time limit of a start: a first start pulls images and creates a database.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// The maximum size of the output of a failed start that is shown, in bytes.
const MAX_SAID: u64 = 64 << 10;

/// Starts the process in the background and waits until it is ready, has ended, or the time is over.
pub async fn start(
    settings: &Settings,
    dirs: &Dirs,
    wait: Option<Duration>,
    out: &Output,
) -> Result<(), Error> {
    let stack = settings.stack().map_err(no_stack)?;
    let folder = settings.data_dir(dirs, stack);
    let logs = State::open(&folder).map_err(unusable)?.folder().join("logs");
    make_folder(&logs).map_err(|error| Error::new(Exit::Platform, error))?;
    let path = logs.join("up.log");
    let unwritable = |error| Error::platform(format!("cannot write {}: {error}", path.display()));
    let log =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(unwritable)?;
    let before = log.metadata().map_err(unwritable)?.len();

    let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
    let mut child = spawn(log).map_err(|error| Error::platform(format!("cannot start it: {error}")))?;
    let pid = child.id().unwrap_or_default();
    let mut pipe = child.stdout.take().expect("piped");
    let mut said = Vec::new();
    let within = wait.unwrap_or(READY_WITHIN);
    let progress = out.waiting("starting the platform in the background");
    tokio::select! {
        _ = pipe.read_to_end(&mut said) => {}
        () = tokio::time::sleep(within) => {
            let message = format!("the platform is not ready within {}", show_duration(within));
            return Err(Error::platform(message).hint(format!(
                "it goes on starting as process {pid}, and says why in {}; `cloudfunc status --wait` waits on, \
                 `cloudfunc down` stops it",
                path.display()
            )));
        }
        _ = signals.next() => {
            stop(&child);
            return Err(Error::silent(Exit::Interrupted));
        }
    }
    drop(progress);
    // No output means that the process has ended or is about to end.
    if said.is_empty() {
        let ended = child.wait().await.map_err(|error| Error::new(Exit::Platform, error))?;
        return Err(failed(ended, &path, before, out));
    }
    warn(&folder, out).await;
    if out.is_quiet() && !out.json() {
        return Ok(());
    }
    out.bytes_in_row(said.trim_ascii_end())
}

/// Says what the process in the background and its registry say, too, which nobody sees.
async fn warn(folder: &Path, out: &Output) {
    let Some(place) = Known::at(folder).map(LocalPlatform::of) else { return };
    let Some(holder) = place.holder.as_ref().filter(|_| place.running) else { return };
    warn_of_clear_text(&holder.addresses(), out);
    if holder.tls {
        place.certificate_warnings().iter().for_each(|warning| out.warn(warning));
    }
    let prober = Prober::of(place.platform.clone(), holder.addresses(), &place.folder);
    let missing = prober.with_tokens_of(&place.folder, true).missing_keys().await;
    let count: usize = missing.values().sum();
    if count > 0 {
        let secrets = text::count(count, "secret");
        out.warn(&format!(
            "this host does not have the keys of {secrets}: functions that get them are not started; `cloudfunc doctor` names \
             the keys"
        ));
    }
}

fn spawn(log: File) -> io::Result<Child> {
    Command::new(own_executable()?)
        .args(std::env::args_os().skip(1))
        .env(DETACHED, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
}

fn stop(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Prints the output of the failed process, and returns an error with its exit code.
fn failed(ended: ExitStatus, log: &Path, before: u64, out: &Output) -> Error {
    let mut said = String::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(before))?;
        file.take(MAX_SAID).read_to_string(&mut said)
    });
    let is_told = read.is_ok() && !said.trim().is_empty();
    if is_told {
        out.report(&said);
    }
    let exit = match ended.code() {
        Some(1) => Exit::Function,
        Some(2) => Exit::Caller,
        Some(130) => Exit::Interrupted,
        _ => Exit::Platform,
    };
    if is_told && ended.signal().is_none() {
        return Error::silent(exit);
    }
    Error::new(exit, anyhow::anyhow!("the platform ended before it was ready ({ended})"))
        .hint(format!("see {}", log.display()))
}

/// Returns whether this process is the one in the background.
pub fn is_this() -> bool {
    std::env::var_os(DETACHED).is_some()
}

/// Detaches the process in the background from its terminal; called before anything else.
pub fn leave_terminal() -> io::Result<()> {
    rustix::process::setsid().map(drop).map_err(io::Error::from)
}

/// Closes the pipe that the other process reads: from now on, there is no reader.
pub fn all_is_said() {
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

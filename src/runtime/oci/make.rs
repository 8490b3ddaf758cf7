//! Has a container made by the helper, and waits for it. Blocks: from some ten milliseconds to [`START_TIMEOUT`].

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::DirBuilderExt, net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, pidfd_open,
        pidfd_send_signal, waitid, waitpgid,
    },
};
use serde_json::Value;

use super::{
    container::Traces,
    exchange::{ARGUMENT, CONFIG, PID, REASON, REQUEST, Request, TRIAL},
    network::{self, Link},
};
use crate::runtime::{Error, START_TIMEOUT};

/// A container that runs: its first process, a child of this one, and its output.
pub(super) struct Made {
    pub(super) process: OwnedFd,
    pub(super) output: io::PipeReader,
    /// The connection, with egress only.
    pub(super) link: Option<Link>,
}

impl Made {
    /// Kills and reaps a process that no other code could find again.
    pub(super) fn end(self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
    }
}

/// Makes a container. On error no process runs; the caller has to remove the traces.
pub(super) fn make(
    program: &Path,
    traces: &Traces,
    config: &Value,
    request: &Request,
) -> Result<Made, Error> {
    let folder = &traces.folder;
    let write = |name: &str, text: String| fs::write(folder.join(name), text);
    let written = serde_json::to_string(request)
        .map_err(io::Error::from)
        .and_then(|request| write(REQUEST, request))
        .and_then(|()| write(CONFIG, config.to_string()))
        .and_then(|()| fs::DirBuilder::new().mode(0o700).create(folder.join("state")));
    written.map_err(|source| Error::Io { path: folder.clone(), source })?;
    let (succeeded, output, link) = run(program, folder, request.connected)?;
    match (succeeded, first_process(folder)) {
        (true, Some(process)) => Ok(Made { process, output, link }),
        _ if traces.cgroup.as_ref().is_some_and(super::cgroup::Cgroup::ran_out_of_memory) => {
            let reason = "it ran out of memory before it was there".to_owned();
            Err(Error::Start { reason, output: String::new(), code: None })
        }
        _ => {
            let reason = fs::read_to_string(folder.join(REASON));
            let reason = reason.unwrap_or_else(|_| "the helper ended without a word".to_owned());
            Err(engine("make a container")(io::Error::other(reason)))
        }
    }
}

fn engine(action: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Engine { action, source: source.into() }
}

/// Tries the things that a container needs; the error says which one is missing.
pub(super) fn attempt(program: &Path) -> Result<(), Error> {
    let output = command(program, TRIAL.as_ref()).stderr(Stdio::piped()).output();
    let output = output.map_err(engine("run the helper"))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(engine("make a sandbox on this machine")(io::Error::other(reason)))
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).arg(folder).env_clear().current_dir("/").stdin(Stdio::null());
    command
}

/// Returns whether the helper succeeded. If not, every process that it started is dead and reaped.
fn run(
    program: &Path,
    folder: &Path,
    connected: bool,
) -> Result<(bool, io::PipeReader, Option<Link>), Error> {
    let failed = engine("run the helper");
    let (ours, helpers) = UnixStream::pair().map_err(&failed)?;
    let stdin = if connected { OwnedFd::from(helpers).into() } else { Stdio::null() };
    let (output, group, helper) = begin(program, folder, stdin).map_err(&failed)?;
    let link = if connected { network::accompany(program, ours, group) } else { Ok(None) };
    if link.is_err() || !ends_in_time(&helper) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let succeeded = reap(group, &helper, folder).map_err(failed)?;
    let link = link.map_err(engine("connect a sandbox to the network"))?;
    Ok((succeeded, output, link))
}

/// Starts the helper; returns its output, the number of its process group, and a handle of it.
fn begin(program: &Path, folder: &Path, stdin: Stdio) -> io::Result<(io::PipeReader, Pid, OwnedFd)> {
    let (output, writer) = io::pipe()?;
    let child = command(program, folder)
        .stdin(stdin)
        .stdout(writer.try_clone()?)
        .stderr(writer)
        // By its group, the helper's own helper is found, whose number is not reported.
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let group = group.ok_or_else(|| io::Error::other("a child without a number"))?;
    // The child has not been reaped: the number still belongs to it.
    Ok((output, group, pidfd_open(group, PidfdFlags::empty())?))
}

/// Waits for the helper's end.
fn reap(group: Pid, helper: &OwnedFd, folder: &Path) -> io::Result<bool> {
    // Looked at, not reaped yet: so the group's number stays taken.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(helper.as_fd()), look)?;
    let succeeded = status.and_then(|status| status.exit_status()) == Some(0);
    if !succeeded {
        let _ = kill_process_group(group, Signal::KILL);
        end_first_process(folder);
    }
    while !matches!(waitpgid(group, WaitOptions::empty()), Err(error) if error != Errno::INTR) {}
    Ok(succeeded)
}

fn ends_in_time(process: &OwnedFd) -> bool {
    let limit = Timespec { tv_sec: START_TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
    // Of the helper's own helper, which is a child of this thread, the end is signalled meanwhile.
    let ended = retry_on_intr(|| poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)));
    ended.is_ok_and(|ready| ready > 0)
}

/// Ends the first process of a container that was half made. It may have ended already, but has not been reaped.
fn end_first_process(folder: &Path) {
    if let Some(process) = first_process(folder) {
        let _ = pidfd_send_signal(&process, Signal::KILL);
        let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
    }
}

fn first_process(folder: &Path) -> Option<OwnedFd> {
    let pid = Pid::from_raw(fs::read_to_string(folder.join(PID)).ok()?.parse().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

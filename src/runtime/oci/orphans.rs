//! Containers whose maker has died, found by the folders that they left.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    container::{END_TIMEOUT, Traces},
    exchange::PID,
};

/// The file with the time when the first process was started, in the kernel's ticks since the kernel's own start: a
/// process number is used again later, the time is not.
const BORN: &str = "born";

/// Writes it next to the number, once that is known.
pub(super) fn remember(folder: &Path) -> std::io::Result<()> {
    let Some(pid) = number(folder) else { return Ok(()) };
    fs::write(folder.join(BORN), born(pid).unwrap_or_default())
}

/// Returns the names of the folders below an owner's.
pub(super) fn list(owner: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(owner).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

/// Kills the processes of a container that still run, and removes it. Blocks.
pub(super) fn remove(traces: &Traces) {
    if let Some(process) = alive(&traces.folder) {
        let _ = pidfd_send_signal(&process, Signal::KILL);
        let limit = Timespec { tv_sec: END_TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
        let _ = retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)));
    }
    // This also ends one that was half made. It has no other members.
    if let Some(cgroup) = &traces.cgroup {
        cgroup.kill();
    }
    traces.remove();
}

fn alive(folder: &Path) -> Option<OwnedFd> {
    let remembered = fs::read_to_string(folder.join(BORN)).ok()?;
    let pid = number(folder)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Checked only now: an open handle stays with the same process.
    (born(pid)? == remembered).then_some(process)
}

fn number(folder: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(folder.join(PID)).ok()?.parse().ok()?)
}

/// Returns the 22nd field; the second one, the name, may contain blanks and parentheses.
fn born(pid: Pid) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_to_another_process_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        fs::write(folder.path().join(PID), &own).unwrap();
        assert!(alive(folder.path()).is_none(), "nothing is remembered of it");
        remember(folder.path()).unwrap();
        assert!(alive(folder.path()).is_some());
        fs::write(folder.path().join(BORN), "1").unwrap();
        assert!(alive(folder.path()).is_none());
    }
}

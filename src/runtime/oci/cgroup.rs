//! The limits of a sandbox as a whole: memory, cpu time, processes. Version 1 and 2 of the kernel's
//! interface.
//!
//! Made and removed here, not by libcontainer: its version 1 puts a container into all twelve
//! controllers, of which three are of use, and it fails where they may not be written. The helper enters
//! them before it makes the container.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    model::InstanceId,
    runtime::{
        Owner, Spec,
        limits::{CPU_PERIOD, PIDS},
    },
};

const ROOT: &str = "/sys/fs/cgroup";
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// For the processes of a sandbox to be gone after they were killed; then the folder stays, and the next
/// removal finds it.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two tries meanwhile.
const REMOVAL_PAUSE: Duration = Duration::from_millis(2);

/// How limits can be set on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    V1,
    V2,
}

/// One sandbox's: a folder per hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    version: Cgroups,
    folders: Vec<PathBuf>,
}

impl Cgroups {
    /// The version in use here, if its limits may be set by this process.
    pub(super) fn usable() -> Option<Self> {
        let writable = |path: &Path| {
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok() && path.is_dir()
        };
        let root = Path::new(ROOT);
        if root.join("cgroup.controllers").exists() {
            let enabled = writable(root) && enable(root).is_ok();
            return enabled.then_some(Self::V2);
        }
        let all = CONTROLLERS.iter().all(|name| writable(&root.join(name)));
        all.then_some(Self::V1)
    }

    pub(super) fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// Where an instance's limits are, whether it is there or not.
    pub(super) fn of(self, owner: &Owner, instance: &str) -> Cgroup {
        let path = format!("cloudfunc-{}/{}/{instance}", owner.platform, owner.manager);
        let root = Path::new(ROOT);
        let folders = match self {
            Self::V1 => CONTROLLERS.iter().map(|name| root.join(name).join(&path)).collect(),
            Self::V2 => vec![root.join(path)],
        };
        Cgroup { version: self, folders }
    }

    /// Makes a sandbox's with its limits.
    pub(super) fn make(self, owner: &Owner, spec: &Spec) -> io::Result<Cgroup> {
        let InstanceId(instance) = spec.instance;
        let cgroup = self.of(owner, &instance.to_string());
        let made = cgroup.folders.iter().try_for_each(|folder| make_with_parents(self, folder));
        match made.and_then(|()| cgroup.limit(spec)) {
            Ok(()) => Ok(cgroup),
            Err(error) => {
                cgroup.remove();
                Err(error)
            }
        }
    }
}

/// A parent may be removed, being empty, while a child of it is made: then once more.
fn make_with_parents(version: Cgroups, folder: &Path) -> io::Result<()> {
    let parents = || {
        let owner = folder.parent().unwrap_or(folder);
        let platform = owner.parent().unwrap_or(owner);
        for parent in [platform, owner] {
            ignore(fs::create_dir(parent), io::ErrorKind::AlreadyExists)?;
            if version == Cgroups::V2 {
                enable(parent)?;
            }
        }
        ignore(fs::create_dir(folder), io::ErrorKind::AlreadyExists)
    };
    match parents() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => parents(),
        other => other,
    }
}

fn ignore(result: io::Result<()>, kind: io::ErrorKind) -> io::Result<()> {
    result.or_else(|error| if error.kind() == kind { Ok(()) } else { Err(error) })
}

/// Lets the children of a version 2 group have limits.
fn enable(folder: &Path) -> io::Result<()> {
    let all = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
    fs::write(folder.join("cgroup.subtree_control"), all)
}

impl Cgroup {
    fn limit(&self, spec: &Spec) -> io::Result<()> {
        let quota = quota(spec.cpus);
        match (self.version, self.folders.as_slice()) {
            (Cgroups::V1, [memory, cpu, pids]) => {
                write(memory, "memory.limit_in_bytes", spec.memory_bytes)?;
                // Of memory and swap together: no swap. Kernels may be without.
                write_if_there(memory, "memory.memsw.limit_in_bytes", spec.memory_bytes)?;
                write(cpu, "cpu.cfs_period_us", CPU_PERIOD)?;
                write(cpu, "cpu.cfs_quota_us", quota)?;
                write(pids, "pids.max", PIDS)
            }
            (_, folders) => folders.iter().try_for_each(|folder| {
                write(folder, "memory.max", spec.memory_bytes)?;
                write_if_there(folder, "memory.swap.max", 0)?;
                write(folder, "cpu.max", format!("{quota} {CPU_PERIOD}"))?;
                write(folder, "pids.max", PIDS)
            }),
        }
    }

    /// The files to which a process of one thread writes `0` to be a member.
    pub(super) fn entrances(&self) -> Vec<PathBuf> {
        // Of version 1's two files, this one spares the kernel a wait for all its processors.
        let name = if self.version == Cgroups::V1 { "tasks" } else { "cgroup.procs" };
        self.folders.iter().map(|folder| folder.join(name)).collect()
    }

    /// Whether the kernel has killed a process in it because there was no memory left.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let Some(memory) = self.folders.first() else { return false };
        let name = if self.version == Cgroups::V1 { "memory.oom_control" } else { "memory.events" };
        fs::read_to_string(memory.join(name)).is_ok_and(|text| counts_a_kill(&text))
    }

    /// Kills whatever is in it.
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Removes it, and the owner's when it was the last one. What is still in it has been killed, and is
    /// waited for. Answers whether all of it is gone.
    pub(super) fn remove(&self) -> bool {
        let deadline = Instant::now() + REMOVAL_TIMEOUT;
        let mut gone = true;
        for folder in &self.folders {
            loop {
                match fs::remove_dir(folder) {
                    Err(error)
                        if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
                    {
                        sleep(REMOVAL_PAUSE);
                    }
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(path = %folder.display(), %error, "a cgroup could not be removed");
                        gone = false;
                        break;
                    }
                    _ => break,
                }
            }
            // The owner's and the platform's: not while another is in them.
            for parent in folder.ancestors().skip(1).take(2) {
                if fs::remove_dir(parent).is_err() {
                    break;
                }
            }
        }
        gone
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of cpus is small")]
fn quota(cpus: f64) -> u64 {
    // The kernel takes no less than a millisecond.
    ((cpus * f64::from(CPU_PERIOD)) as u64).max(1000)
}

fn write(folder: &Path, name: &str, value: impl ToString) -> io::Result<()> {
    let path = folder.join(name);
    fs::write(&path, value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn write_if_there(folder: &Path, name: &str, value: impl ToString) -> io::Result<()> {
    if folder.join(name).exists() { write(folder, name, value) } else { Ok(()) }
}

/// Both versions have a line `oom_kill` with a number.
fn counts_a_kill(text: &str) -> bool {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.is_some_and(|count| count.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_for_memory_is_read_from_either_version() {
        assert!(counts_a_kill("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
        assert!(!counts_a_kill("oom_kill_disable 1\nunder_oom 0\noom_kill 0\n"));
        assert!(counts_a_kill("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n"));
        assert!(!counts_a_kill("low 0\nmax 12\noom 1\noom_kill 0\n"));
    }

    #[test]
    fn cpus_are_a_share_of_a_period() {
        assert_eq!([1.0, 0.5, 2.0, 0.001].map(quota), [100_000, 50_000, 200_000, 1000]);
    }
}

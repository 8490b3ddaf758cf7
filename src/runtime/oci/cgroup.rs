//! The limits of a sandbox as a whole: memory, cpu time, processes. Version 1 and 2 of the kernel's interface.
//!
//! Made and removed here, not by libcontainer: its version 1 puts a container into all twelve controllers, of which
//! three are of use, and it fails where they may not be written. The helper enters the groups before it makes the
//! container.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

pub(super) use crate::runtime::cgroups::Cgroups;
use crate::{
    model::InstanceId,
    runtime::{
        Owner, Spec,
        cgroups::{CONTROLLERS, above, of_function, quota, write, write_if_there},
        limits::{CPU_PERIOD, PIDS, cpus_of_instance},
    },
};

/// The limit of waiting for killed processes of a sandbox to end; after it the folder stays, and the next removal finds
/// it.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a group is made again that was removed in between.
const ATTEMPTS: u32 = 5;
/// The pause between two tries meanwhile.
const REMOVAL_PAUSE: Duration = Duration::from_millis(2);

/// The group of one sandbox: a folder per hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    version: Cgroups,
    folders: Vec<PathBuf>,
}

impl Cgroups {
    /// Returns the folder for the groups of an owner's instances: in a hierarchy with the controller `cpu`, these are
    /// below the groups of their functions.
    fn owners(self, owner: &Owner, controller: &str) -> PathBuf {
        self.hierarchy(controller).join(format!("cloudfunc-{}/{}", owner.platform, owner.manager))
    }

    fn controllers(self) -> &'static [&'static str] {
        // Version 2 has all of them in one place.
        if self == Self::V1 { &CONTROLLERS } else { &["cpu"] }
    }

    /// Returns the group for an instance's limits.
    pub(super) fn of(self, owner: &Owner, function: &str, instance: &str) -> Cgroup {
        self.placed(owner, instance, |_| Some(of_function(function)))
    }

    /// Finds the group of an instance, whatever its function is.
    pub(super) fn find(self, owner: &Owner, instance: &str) -> Cgroup {
        let has_it = |function: &fs::DirEntry| function.path().join(instance).is_dir();
        self.placed(owner, instance, |folder| {
            let function = fs::read_dir(folder).ok()?.flatten().find(has_it)?;
            function.file_name().into_string().ok()
        })
    }

    fn placed(
        self,
        owner: &Owner,
        instance: &str,
        function: impl Fn(&Path) -> Option<String>,
    ) -> Cgroup {
        let folder = |controller: &&str| {
            let mut folder = self.owners(owner, controller);
            if *controller == "cpu" {
                folder.extend(function(&folder));
            }
            folder.join(instance)
        };
        Cgroup { version: self, folders: self.controllers().iter().map(folder).collect() }
    }

    /// Makes the group of a sandbox with its limits.
    pub(super) fn make(self, owner: &Owner, spec: &Spec) -> io::Result<Cgroup> {
        let InstanceId(instance) = spec.instance;
        let cgroup = self.of(owner, &spec.function, &instance.to_string());
        let mut attempts = 1;
        loop {
            let made = cgroup.folders.iter().try_for_each(|folder| self.make_all(folder));
            let Err(error) = made.and_then(|()| cgroup.limit(spec)) else { return Ok(cgroup) };
            cgroup.remove();
            // The last other instance of the function may have taken the function's group away in between.
            if attempts == ATTEMPTS || !was_removed(&error) {
                return Err(error);
            }
            attempts += 1;
        }
    }
}

/// Returns whether a group went while a file of it was written.
fn was_removed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

impl Cgroup {
    fn limit(&self, spec: &Spec) -> io::Result<()> {
        let quota = quota(cpus_of_instance(spec.cpus));
        match (self.version, self.folders.as_slice()) {
            (Cgroups::V1, [memory, cpu, pids]) => {
                write(memory, "memory.limit_in_bytes", spec.memory_bytes)?;
                // The limit of memory and swap together: no swap. Some kernels do not have it.
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

    /// Returns the files to which a process of one thread writes `0` to become a member.
    pub(super) fn entrances(&self) -> Vec<PathBuf> {
        // Of version 1's two files, this one spares the kernel a wait for all its processors.
        let name = if self.version == Cgroups::V1 { "tasks" } else { "cgroup.procs" };
        self.folders.iter().map(|folder| folder.join(name)).collect()
    }

    /// Returns whether the kernel has killed a process in it because it has reached its limit of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.memory_kills() > 0
    }

    /// Returns how many processes in it the kernel has killed because it has reached its limit of memory.
    pub(super) fn memory_kills(&self) -> u64 {
        let memory = self.folders.first();
        memory.and_then(|memory| self.version.memory_kills(memory)).unwrap_or_default()
    }

    /// Kills all processes in it.
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Removes it, and the owner's when it was the last one. The processes in it have been killed; this waits for their
    /// end. Returns whether all of it is gone.
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
            // The groups of the function, the owner and the platform: not while another one is in them.
            for parent in above(folder) {
                if fs::remove_dir(parent).is_err() {
                    break;
                }
            }
        }
        gone
    }
}

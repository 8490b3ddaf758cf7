//! The kernel's control groups, version 1 and 2: the parts that are the same for every backend that makes some.
//!
//! ```text
//! cloudfunc-…        all functions: a small share of the processors when others want them too
//! └─ function.NAME   one function: one processor less than there are, for all its instances together
//!    └─ …            one instance: its own limits
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::limits::{CPU_PERIOD, CPU_SHARES, CPU_WEIGHT, most_cpus};

pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// The controllers that limit instances.
pub(super) const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// The beginning of the name of a group of all functions; `cloudfunc doctor` looks for it.
const TOP: &str = "cloudfunc-";

/// The beginning of the name of a function's group; the name of a function has no dot in it.
const FUNCTION: &str = "function.";

/// The kernel charges memory in batches; with one more, the limit would have been exceeded.
const AT_ONCE: u64 = 1 << 20;

/// The way to set limits on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    V1,
    V2,
}

impl Cgroups {
    /// Returns the version in use here, if this process may set its limits.
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

    /// Returns how many processes of a group with the controller `memory` the kernel has killed because the group has
    /// reached its limit; none where that cannot be read. A machine that has no memory left kills, too: that is counted in
    /// the same place, without the limit.
    pub(super) fn memory_kills(self, folder: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        match self {
            Self::V1 => {
                let kills = count(&read("memory.oom_control")?, "oom_kill ");
                // Its counts of failures stay at zero where memory and swap have the same limit.
                let number = |name| read(name)?.trim().parse::<u64>().ok();
                let most = number("memory.max_usage_in_bytes").unwrap_or_default();
                let is_hit = number("memory.limit_in_bytes").is_none_or(|limit| most + AT_ONCE >= limit);
                Some(if is_hit { kills } else { 0 })
            }
            Self::V2 => {
                let events = read("memory.events")?;
                let is_hit = count(&events, "oom ") > 0;
                Some(if is_hit { count(&events, "oom_kill ") } else { 0 })
            }
        }
    }

    /// Returns the root of the groups with this controller.
    pub(super) fn hierarchy(self, controller: &str) -> PathBuf {
        match self {
            Self::V1 => Path::new(ROOT).join(controller),
            Self::V2 => ROOT.into(),
        }
    }

    /// Returns all roots below which another program may have made a group for ours.
    pub(super) fn hierarchies(self) -> Vec<PathBuf> {
        match self {
            Self::V1 => {
                fs::read_dir(ROOT).into_iter().flatten().flatten().map(|one| one.path()).collect()
            }
            Self::V2 => vec![ROOT.into()],
        }
    }

    /// Makes the groups above `folder`, and `folder` itself, each with the settings that its name stands for. A parent
    /// may be removed, being empty, while a child of it is made: then it tries once more.
    pub(super) fn make_all(self, folder: &Path) -> io::Result<()> {
        let all = || -> io::Result<()> {
            for parent in above(folder).iter().rev() {
                ignore(fs::create_dir(parent), io::ErrorKind::AlreadyExists)?;
                if self == Self::V2 {
                    enable(parent)?;
                }
                self.rank(parent)?;
            }
            ignore(fs::create_dir(folder), io::ErrorKind::AlreadyExists)?;
            self.rank(folder)
        };
        match all() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => all(),
            other => other,
        }
    }

    /// Sets the rank of a group. In a hierarchy without the controller there is nothing to write.
    fn rank(self, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match (self, most_cpus()) {
            (Self::V1, _) if name.starts_with(TOP) => write_if_there(folder, "cpu.shares", CPU_SHARES),
            (Self::V2, _) if name.starts_with(TOP) => write_if_there(folder, "cpu.weight", CPU_WEIGHT),
            (Self::V1, Some(most)) if name.starts_with(FUNCTION) => {
                write_if_there(folder, "cpu.cfs_period_us", CPU_PERIOD)?;
                write_if_there(folder, "cpu.cfs_quota_us", quota(most))
            }
            (Self::V2, Some(most)) if name.starts_with(FUNCTION) => {
                write_if_there(folder, "cpu.max", format!("{} {CPU_PERIOD}", quota(most)))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the number in the line of the text that begins so.
fn count(text: &str, beginning: &str) -> u64 {
    let count = text.lines().find_map(|line| line.strip_prefix(beginning));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// Returns the name of a function's group; `name` is empty when the function is not known yet. Then nothing is shared.
pub(super) fn of_function(name: &str) -> String {
    if name.is_empty() { "none".to_owned() } else { format!("{FUNCTION}{name}") }
}

/// Returns the groups above this one that are ours, the nearest first.
pub(super) fn above(folder: &Path) -> Vec<&Path> {
    let is_top = |path: &&Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(TOP))
    };
    let parents: Vec<_> = folder.ancestors().skip(1).collect();
    match parents.iter().position(is_top) {
        Some(top) => parents[..=top].to_vec(),
        None => Vec::new(),
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

/// Returns the quota of a period, in microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of cpus is small")]
pub(super) fn quota(cpus: f64) -> u64 {
    // The kernel takes at least a millisecond.
    ((cpus * f64::from(CPU_PERIOD)) as u64).max(1000)
}

pub(super) fn write(folder: &Path, name: &str, value: impl ToString) -> io::Result<()> {
    let path = folder.join(name);
    fs::write(&path, value.to_string()).map_err(|error| {
        // A file of a group that was removed after the file was opened.
        let is_gone = error.raw_os_error() == Some(Errno::NODEV.raw_os_error());
        let kind = if is_gone { io::ErrorKind::NotFound } else { error.kind() };
        io::Error::new(kind, format!("{}: {error}", path.display()))
    })
}

pub(super) fn write_if_there(folder: &Path, name: &str, value: impl ToString) -> io::Result<()> {
    if folder.join(name).exists() { write(folder, name, value) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_a_share_of_a_period() {
        assert_eq!([1.0, 0.5, 2.0, 0.001].map(quota), [100_000, 50_000, 200_000, 1000]);
    }

    #[test]
    fn kills_count_as_the_functions_own_only_where_its_limit_was_reached() {
        let folder = tempfile::tempdir().unwrap();
        let kills = |version: Cgroups, files: &[(&str, &str)]| {
            for (name, text) in files {
                fs::write(folder.path().join(name), text).unwrap();
            }
            version.memory_kills(folder.path())
        };
        assert_eq!(kills(Cgroups::V1, &[]), None);
        assert_eq!(kills(Cgroups::V2, &[]), None);
        for (oom, oom_kill, expected) in [(1, 1, 1), (2, 3, 3), (0, 1, 0), (1, 0, 0), (0, 0, 0)] {
            let events =
                format!("low 0\nhigh 0\nmax 12\noom {oom}\noom_kill {oom_kill}\noom_group_kill 0\n");
            let said = format!("oom {oom}, oom_kill {oom_kill}");
            assert_eq!(
                kills(Cgroups::V2, &[("memory.events", events.as_str())]),
                Some(expected),
                "{said}"
            );
        }
        let limit: u64 = 128 << 20;
        for (most, killed, expected) in
            [(limit, 1, 1), (limit - AT_ONCE, 2, 2), (limit / 2, 1, 0), (limit, 0, 0)]
        {
            let (limited, used) = (format!("{limit}\n"), format!("{most}\n"));
            let control = format!("oom_kill_disable 1\nunder_oom 0\noom_kill {killed}\n");
            let files = [
                ("memory.limit_in_bytes", limited.as_str()),
                ("memory.max_usage_in_bytes", used.as_str()),
                ("memory.oom_control", control.as_str()),
            ];
            assert_eq!(kills(Cgroups::V1, &files), Some(expected), "{most} of {limit}, {killed} kills");
        }
    }

    #[test]
    fn the_groups_above_are_those_from_the_platforms_on() {
        let folder = Path::new("/sys/fs/cgroup/cpu/cloudfunc-p/m/function.f/i");
        let names: Vec<_> = above(folder).iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["function.f", "m", "cloudfunc-p"]);
        assert!(above(Path::new("/sys/fs/cgroup/cpu")).is_empty());
    }

    /// In a plain folder, whose files are made first: no real group is changed.
    #[test]
    fn either_version_is_told_the_rank_of_all_functions_and_the_share_of_one() {
        let root = tempfile::tempdir().unwrap();
        let function = root.path().join("cloudfunc-p").join(of_function("f"));
        fs::create_dir_all(&function).unwrap();
        let files = ["cpu.shares", "cpu.weight", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max"];
        for folder in [function.parent().unwrap(), &function] {
            files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
        }
        for version in [Cgroups::V1, Cgroups::V2] {
            version.make_all(&function).unwrap();
        }
        let read = |folder: &Path| files.map(|file| fs::read_to_string(folder.join(file)).unwrap());
        assert_eq!(read(function.parent().unwrap()), ["512", "50", "", "", ""]);
        let expected = most_cpus().map(|most| quota(most).to_string());
        let [_, _, _, quota, max] = read(&function);
        let line = expected.clone().map(|quota| format!("{quota} {CPU_PERIOD}"));
        assert_eq!((quota, max), (expected.unwrap_or_default(), line.unwrap_or_default()));
    }
}

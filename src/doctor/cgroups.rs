//! Examines control groups, and creates one for a test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    judge::cgroups::{Controller, Facts, Layout},
    tools,
};

/// The controllers that limit sandboxes.
const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];

/// The prefix of our groups; the runtimes name theirs with it.
pub const PREFIX: &str = "cloudfunc-";
/// The name of the group that is created here for a moment.
const TRIAL: &str = "cloudfunc-doctor-";

pub fn gather() -> Facts {
    let mounts = tools::read("/proc/self/mounts").unwrap_or_default();
    let own = tools::read("/proc/self/cgroup").unwrap_or_default();
    let hierarchies = hierarchies(&mounts);
    let (has_old, has_new) =
        (hierarchies.iter().any(|h| h.is_old), hierarchies.iter().any(|hierarchy| !hierarchy.is_old));
    let layout = match (has_old, has_new) {
        (false, false) => return Facts::default(),
        (true, false) => Layout::V1,
        (true, true) => Layout::Hybrid,
        (false, true) => Layout::V2,
    };
    let folder = |name: &str| match layout {
        Layout::V2 => own_folder(&hierarchies, &own, None),
        _ => own_folder(&hierarchies, &own, Some(name)),
    };
    let look = |name: &'static str| {
        let folder = folder(name).filter(|folder| layout != Layout::V2 || offers(folder, name));
        let refused = folder.as_ref().and_then(|folder| trial(folder).err());
        Controller { name, is_there: folder.is_some(), refused: refused.map(|error| error.to_string()) }
    };
    let swap = ["memory.memsw.limit_in_bytes", "memory.swap.max"];
    let memory = folder("memory");
    Facts {
        layout,
        controllers: NEEDED.map(look).to_vec(),
        limits_swap: memory.is_some_and(|folder| swap.iter().any(|file| folder.join(file).exists())),
    }
}

/// Finds our groups in all hierarchies, with the number of their processes.
pub fn ours() -> Vec<(PathBuf, usize)> {
    let mounts = tools::read("/proc/self/mounts").unwrap_or_default();
    let mut found = Vec::new();
    for hierarchy in hierarchies(&mounts) {
        // Below the root come a service, a session, a scope; our groups are not deeper than that.
        walk(&hierarchy.folder, 5, &mut found);
    }
    found
}

fn walk(folder: &Path, depth: u32, found: &mut Vec<(PathBuf, usize)>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && !name.starts_with(TRIAL) {
            found.push((entry.path(), processes(&entry.path())));
        } else if depth > 0 {
            walk(&entry.path(), depth - 1, found);
        }
    }
}

/// Counts the processes in this group and those below it.
fn processes(group: &Path) -> usize {
    let own = fs::read_to_string(group.join("cgroup.procs")).map_or(0, |all| all.lines().count());
    let below = fs::read_dir(group).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    own + below.map(|entry| processes(&entry.path())).sum::<usize>()
}

struct Hierarchy {
    folder: PathBuf,
    is_old: bool,
    /// The mount options of a v1 hierarchy; they include its controllers.
    options: String,
}

fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, folder, kind, options, ..] = fields.as_slice() else { return None };
        // The named hierarchies of systemd have no controller.
        let is_old = *kind == "cgroup" && !options.contains("name=");
        let counts = is_old || *kind == "cgroup2";
        counts.then(|| Hierarchy { folder: folder.into(), is_old, options: (*options).to_owned() })
    };
    mounts.lines().filter_map(of_line).collect()
}

/// Returns the folder of this process's group in the v1 hierarchy of a controller, or in the v2 hierarchy.
fn own_folder(hierarchies: &[Hierarchy], own: &str, controller: Option<&str>) -> Option<PathBuf> {
    let is_of = |list: &str| controller.is_some_and(|name| list.split(',').any(|one| one == name));
    let hierarchy = hierarchies.iter().find(|hierarchy| match controller {
        Some(_) => hierarchy.is_old && is_of(&hierarchy.options),
        None => !hierarchy.is_old,
    })?;
    // `4:memory:/user.slice`; in the v2 hierarchy, `0::/user.slice`.
    let path = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let matches = controller.map_or(controllers.is_empty(), |_| is_of(controllers));
        matches.then(|| path.trim_start_matches('/'))
    })?;
    let folder = hierarchy.folder.join(path);
    // Inside a container the path may be that of the host.
    Some(if folder.is_dir() { folder } else { hierarchy.folder.clone() })
}

fn offers(folder: &Path, controller: &str) -> bool {
    let all = tools::read(folder.join("cgroup.controllers")).unwrap_or_default();
    all.split(' ').any(|one| one == controller)
}

/// Creates a group and removes it.
fn trial(folder: &Path) -> std::io::Result<()> {
    let group = folder.join(format!("{TRIAL}{}", std::process::id()));
    fs::create_dir(&group)?;
    fs::remove_dir(&group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                          cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                          cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
                          cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0";

    #[test]
    fn hierarchies_are_found_by_their_controllers() {
        let hierarchies = hierarchies(MOUNTS);
        assert_eq!(hierarchies.iter().map(|h| h.is_old).collect::<Vec<_>>(), [true, false]);
        let own = "3:cpu,cpuacct:/\n1:name=systemd:/x\n0::/";
        let folder = |controller| own_folder(&hierarchies, own, controller);
        assert_eq!(folder(Some("cpu")), Some("/sys/fs/cgroup/cpu,cpuacct/".into()));
        assert_eq!(folder(Some("memory")), None);
        assert_eq!(folder(None), Some("/sys/fs/cgroup/unified".into()));
    }

    #[test]
    fn the_trial_leaves_nothing() {
        let facts = gather();
        assert_eq!(facts.controllers.len(), if facts.layout == Layout::None { 0 } else { 3 });
        let name = format!("{TRIAL}{}", std::process::id());
        for hierarchy in hierarchies(&tools::read("/proc/self/mounts").unwrap()) {
            assert!(!hierarchy.folder.join(&name).exists());
        }
        let folder = tempfile::tempdir().unwrap();
        trial(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

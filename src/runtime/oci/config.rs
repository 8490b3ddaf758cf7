//! The configuration for libcontainer, in the OCI's own terms: `config.json`. Nothing here comes from a user unchecked.

use std::path::Path;

use serde_json::{Value, json};

use super::{host::Installer, root::Root};
use crate::{
    language::Image,
    runtime::{
        Entry, Error, OUTPUT, OUTPUT_PATH, PACKAGES_PATH, Spec, TASK_PATH, WHEELS_PATH,
        guest::run_folder,
        limits::{ACCOUNT, PIDS, RUN_PATH, SHM_BYTES, TMP_BYTES, core_bytes, own_open_files},
    },
};

/// The first of the user ids from which every instance gets one: from here to 2^31 - 1, no distribution and no
/// container engine assigns any (systemd's list of user ids calls the range unused).
const FIRST_USER: u32 = 0x7000_0000;

/// The kernel's preference for killing a function when the whole machine is out of memory: before the platform, which
/// has 0.
const OOM_SCORE: i32 = 500;

/// Files that Docker hides too: those that describe or change the machine as a whole.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];

const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The user that runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// A user of its own for each instance, without an account.
    OfInstance(u32),
    /// In a user namespace with one member there is only root: outside, it is the platform's own user.
    Root,
}

impl User {
    pub(super) fn of_instance(spec: &Spec) -> Self {
        let id = spec.instance.0.as_u128();
        // The end of an id is its random part.
        let random = u32::try_from(id & 0x0fff_ffff).unwrap_or_default();
        Self::OfInstance(FIRST_USER | random)
    }
}

/// Returns the limits of single processes. `without_cgroups`: they take the place of limits by cgroups.
fn rlimits(spec: &Spec, without_cgroups: bool) -> Value {
    let limit = |name: &str, [soft, hard]: [u64; 2]| json!({"type": name, "soft": soft, "hard": hard});
    let mut limits = vec![
        limit("RLIMIT_CORE", [core_bytes(); 2]),
        limit("RLIMIT_NOFILE", own_open_files()),
        limit("RLIMIT_NPROC", [PIDS, PIDS]),
    ];
    if without_cgroups {
        // The private memory that a process may write to. The address space as a whole would count the libraries that
        // it maps too, and every thread's unused stack.
        limits.push(limit("RLIMIT_DATA", [spec.memory_bytes, spec.memory_bytes]));
    }
    limits.into()
}

/// Returns the configuration; `installer` is what a build calls, `names` is the `resolv.conf` of a sandbox that is
/// connected.
pub(super) fn config(
    spec: &Spec,
    root: &Root,
    installer: Option<&Installer>,
    names: Option<&Path>,
    user: User,
    without_cgroups: bool,
) -> Result<Value, Error> {
    let (id, groups) = match user {
        User::OfInstance(id) => (id, vec![id]),
        // It may not set any.
        User::Root => (0, vec![]),
    };
    let args = root.command(spec)?;
    // The helper makes the network namespace before.
    let namespaces = ["pid", "mount", "ipc", "uts", "cgroup"].map(|name| json!({"type": name}));
    Ok(json!({
        "ociVersion": "1.0.2",
        "hostname": "function",
        "root": {"path": root.folder, "readonly": true},
        "process": {
            "user": {"uid": id, "gid": id, "additionalGids": groups},
            "cwd": TASK_PATH,
            "args": args,
            "env": environment(spec),
            "noNewPrivileges": true,
            "oomScoreAdj": OOM_SCORE,
            "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
            "rlimits": rlimits(spec, without_cgroups),
        },
        "mounts": mounts(spec, root, installer, names),
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }))
}

/// Returns the environment of the process, given with the call that starts it: it is not visible outside of the
/// container.
fn environment(spec: &Spec) -> Vec<String> {
    let path = match spec.entry {
        Entry::Shim => "/usr/bin:/bin",
        // A program names its interpreter as it does everywhere.
        Entry::Helper => Image::PATH,
    };
    let usual = [("PATH", path), ("LANG", "C.UTF-8")];
    let usual = usual.into_iter().chain(ACCOUNT).filter(|(name, _)| !spec.env.contains_key(*name));
    let given = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    usual.chain(given).map(|(name, value)| format!("{name}={value}")).collect()
}

fn mounts(spec: &Spec, root: &Root, installer: Option<&Installer>, names: Option<&Path>) -> Vec<Value> {
    let bytes = |count: u64| format!("size={count}");
    let special = |path: &str, kind: &str, options: &[&str]| json!({"destination": path, "type": kind, "source": kind, "options": options});
    // Each with the mounts below it, on some machines drivers, as read-only as itself.
    let shown = |from: &Path, to: &Path| {
        let options = ["rbind", "ro", "nosuid", "nodev", "rro", "rnosuid", "rnodev"];
        json!({"destination": to, "type": "bind", "source": from, "options": options})
    };
    let mut mounts = vec![
        special("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        special("/dev", "tmpfs", &["nosuid", "noexec", "mode=755", "size=65536"]),
        // Terminals of the function's own; few, since the machine has a limit for all together.
        special(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "max=64"],
        ),
        special("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &bytes(SHM_BYTES)]),
        // Programs in it may run: build tools and packages unpack theirs there.
        special("/tmp", "tmpfs", &["nosuid", "nodev", "mode=1777", &bytes(TMP_BYTES)]),
    ];
    mounts.extend(root.mounts.iter().map(|(from, to)| shown(from, to)));
    mounts.extend(names.map(|names| shown(names, "/etc/resolv.conf".as_ref())));
    mounts.push(shown(&spec.folder.join("task"), TASK_PATH.as_ref()));
    mounts.push(shown(&run_folder(&spec.folder), RUN_PATH.as_ref()));
    mounts.extend(spec.packages.iter().map(|packages| shown(packages, PACKAGES_PATH.as_ref())));
    mounts.extend(installer.map(|installer| shown(&installer.from, &installer.to)));
    if let Some(build) = &spec.build {
        let (from, options) = (spec.folder.join(OUTPUT), ["bind", "rw", "nosuid", "nodev"]);
        mounts.push(
            json!({"destination": OUTPUT_PATH, "type": "bind", "source": from, "options": options}),
        );
        mounts.extend(root.headers.iter().map(|headers| shown(headers, headers)));
        mounts.extend(build.wheels.iter().map(|wheels| shown(wheels, WHEELS_PATH.as_ref())));
    }
    mounts
}

//! The maker of one container: a short-lived process of this same program, which has only one thread.
//!
//! A process of many threads cannot make a container. The helper is given a folder with a [`Request`] and the
//! container's `config.json`; it ends with code 0 when the container runs, and otherwise leaves the reason in the
//! folder. Its standard output and error are the container's.
//!
//! ```text
//! manager ── helper ── (CLONE_PARENT) intermediate, a child of the manager: ends at once
//!    └────────────────────────────── (CLONE_PARENT) the container's first process: a child of the manager
//! ```

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, anyhow};
use libcontainer::{
    container::builder::ContainerBuilder,
    notify_socket::{NOTIFY_FILE, NotifySocket},
    oci_spec::runtime::Spec,
    syscall::syscall::SyscallType,
    workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError},
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use seccompiler::BpfProgram;

use super::{
    exchange::{ARGUMENT, CONNECT, PID, REASON, REQUEST, Request, TRIAL},
    fence::Fence,
    network, seccomp,
};

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// Runs the helper if these are its arguments. `main` has to call it before it does anything else.
pub fn helper(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.nth(1)? != ARGUMENT {
        return None;
    }
    let folder = PathBuf::from(arguments.next()?);
    let outcome = match folder.to_str() {
        Some(TRIAL) => trial(),
        Some(CONNECT) => Err(become_connector(arguments)),
        _ => make(&folder).inspect_err(|error| {
            let _ = fs::write(folder.join(REASON), format!("{error:#}"));
        }),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    })
}

/// Becomes the connector; returns only when that fails. `slirp4netns` shuts itself in by removing mounts, and where
/// they are shared, as systemd's are, that removes them from the whole machine: root's gets mounts of its own.
fn become_connector(mut command: impl Iterator<Item = OsString>) -> anyhow::Error {
    let Some(program) = command.next() else { return anyhow!("no program") };
    if rustix::process::geteuid().is_root() {
        let alone = unshare(CloneFlags::CLONE_NEWNS).context("no mount namespace may be made");
        if let Err(error) = alone.and_then(|()| mount_nothing_outside()) {
            return error;
        }
    }
    match keep_output_open() {
        Ok(ready) => {
            let ready_fd = format!("--ready-fd={}", ready.as_raw_fd());
            anyhow::Error::new(Command::new(&program).arg(ready_fd).args(command).exec())
                .context(format!("cannot run {program:?}"))
        }
        Err(error) => anyhow::Error::new(error).context("cannot pass on the standard output"),
    }
}

/// Moves the pipe on which the connector says that it is ready away from its standard output, which goes to its standard
/// error instead. It closes that pipe then; and were it descriptor 1, a connection of the function would get that number,
/// and what the connector had printed would be flushed into the connection at its end.
fn keep_output_open() -> io::Result<OwnedFd> {
    let ready = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(ready)
}

/// Tries everything that may be forbidden, without a container.
fn trial() -> anyhow::Result<()> {
    enter_namespaces(!rustix::process::geteuid().is_root())?;
    seccomp::filters()?;
    unshare(CloneFlags::CLONE_NEWPID).context("no pid namespace may be made")
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let request = fs::read(folder.join(REQUEST)).context("no request")?;
    let request: Request = serde_json::from_slice(&request).context("not a request")?;
    // Read while everything is still where the manager sees it.
    let filters = fs::read(&request.filters)
        .with_context(|| format!("cannot read {}", request.filters.display()))?;
    for entrance in &request.entrances {
        fs::write(entrance, "0").with_context(|| format!("cannot write {}", entrance.display()))?;
    }
    let fence = request.connected.then(|| Fence::around_this_host(&request.reachable)).transpose();
    let fence = fence.context("cannot see this host's addresses")?;
    enter_namespaces(request.user_namespace)?;
    if let Some(fence) = fence {
        network::wait_for_connection().context("no network")?;
        fence.set().context("cannot shut the network off from this host")?;
    }
    let filters = seccomp::read(&filters)?;
    let states = folder.join("state");
    let container = ContainerBuilder::new("container".to_owned(), SyscallType::Linux)
        .with_root_path(&states)?
        .with_pid_file(Some(folder.join(PID)))?
        .with_executor(Entry { filters })
        .as_init(folder)
        .with_systemd(false)
        .with_detach(true)
        .as_sibling(true)
        .build()?;
    let mut notify = NotifySocket::new(states.join(container.id()).join(NOTIFY_FILE));
    notify.notify_container_start().context("the container cannot be started")
}

fn enter_namespaces(user_namespace: bool) -> anyhow::Result<()> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    let ids = (rustix::process::geteuid(), rustix::process::getegid());
    if user_namespace {
        flags |= CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWCGROUP;
    }
    unshare(flags).with_context(|| refused(user_namespace))?;
    if user_namespace {
        be_root(ids)?;
    }
    mount_nothing_outside()?;
    hide_cgroups(user_namespace).context("cannot hide the cgroups")?;
    network::loopback_up().context("cannot bring up the loopback device")
}

fn refused(user_namespace: bool) -> String {
    match user_namespace {
        true => "the kernel refuses namespaces to users; see the settings user.max_user_namespaces, \
                 kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns of sysctl"
            .to_owned(),
        false => "the kernel refuses namespaces, to root too: is this a container without privileges?".to_owned(),
    }
}

/// Enters a new user namespace: its root is the user who made it.
fn be_root((user, group): (rustix::process::Uid, rustix::process::Gid)) -> anyhow::Result<()> {
    // Otherwise the kernel refuses groups from a user who is not root.
    fs::write("/proc/self/setgroups", "deny").context("cannot write setgroups")?;
    let maps = [("uid_map", user.as_raw()), ("gid_map", group.as_raw())];
    for (file, id) in maps {
        fs::write(format!("/proc/self/{file}"), format!("0 {id} 1"))
            .with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// Keeps every mount from here on in this namespace.
fn mount_nothing_outside() -> anyhow::Result<()> {
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .context("cannot make the mounts private")
}

/// Hides the cgroups. The helper is in its own already, or there are none: libcontainer must not find any work to do.
/// An empty `tmpfs` looks to it like version 1 without any controller. Where the mounts of others cannot be removed, a
/// version 2 in which nothing may be written works as well.
fn hide_cgroups(user_namespace: bool) -> nix::Result<()> {
    let nothing = None::<&str>;
    if user_namespace {
        return mount(Some("cgroup2"), CGROUP_ROOT, Some("cgroup2"), MsFlags::empty(), nothing);
    }
    // Where it is not a mount there is nothing to hide.
    let _ = umount2(CGROUP_ROOT, MntFlags::MNT_DETACH);
    mount(Some("tmpfs"), CGROUP_ROOT, Some("tmpfs"), MsFlags::MS_RDONLY, nothing)
}

/// The last step inside the container, before the interpreter.
#[derive(Clone)]
struct Entry {
    filters: Vec<BpfProgram>,
}

impl Executor for Entry {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// The interpreter gets its environment with the call that starts it.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let error = self.run(spec);
        // There is no other receiver now: it is read as the container's own output.
        let _ = writeln!(io::stderr(), "{error:#}");
        Err(ExecutorError::Other(error.to_string()))
    }
}

impl Entry {
    /// Becomes the interpreter; returns only when that fails.
    fn run(&self, spec: &Spec) -> anyhow::Error {
        let process = spec.process().as_ref();
        let arguments = process.and_then(|process| process.args().as_deref()).unwrap_or_default();
        let Some((program, rest)) = arguments.split_first() else { return anyhow!("no program") };
        let environment = process.and_then(|process| process.env().as_deref()).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(rest).env_clear();
        command.envs(environment.iter().filter_map(|pair| pair.split_once('=')));
        for filter in &self.filters {
            if let Err(error) = seccompiler::apply_filter(filter) {
                return anyhow::Error::new(error).context("no seccomp filter can be set");
            }
        }
        anyhow::Error::new(command.exec()).context(format!("cannot run {program}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_refuses_is_answered_with_what_to_look_at() {
        let settings =
            ["user.max_user_namespaces", "kernel.unprivileged_userns_clone", "kernel.apparmor"];
        assert!(settings.iter().all(|setting| refused(true).contains(setting)), "{}", refused(true));
        assert!(refused(false).contains("to root too"), "{}", refused(false));
    }

    #[test]
    fn only_its_own_arguments_make_a_helper() {
        let run = |arguments: &[&str]| helper(arguments.iter().map(OsString::from));
        assert!(run(&["cloudfunc"]).is_none());
        assert!(run(&["cloudfunc", "list"]).is_none());
        assert!(run(&["cloudfunc", ARGUMENT]).is_none());
        assert!(run(&["cloudfunc", ARGUMENT, "/nowhere"]).is_some_and(|code| code == ExitCode::FAILURE));
    }
}

//! One container, from its start to its removal.
//!
//! Its first process is a child of this one. Its end is learned from its pidfd, the reason from its exit code and its
//! cgroup. It also has a folder below the platform's, and the cgroup: both are removed with the container, and are
//! found by their names when the process that made it has died.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::{OnceCell, watch},
    time::timeout,
};

use super::{cgroup::Cgroup, network::Link};
use crate::runtime::{Exit, Sandbox};

/// The exit code of a process that was killed, by the kernel for its memory or by another process.
const KILLED: i64 = 128 + 9;

/// The limit of waiting for a killed process to end: only a call into the kernel that hangs takes longer.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The traces of a container outside of it.
#[derive(Clone, Debug)]
pub(super) struct Traces {
    pub(super) folder: PathBuf,
    /// Its cgroup; `None` where limits cannot be set.
    pub(super) cgroup: Option<Cgroup>,
}

impl Traces {
    pub(super) fn make_folder(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    /// Removes them, once no process runs any more. The folder goes last: the rest is found by it.
    pub(super) fn remove(&self) {
        if self.cgroup.as_ref().is_some_and(|cgroup| !cgroup.remove()) {
            return;
        }
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.folder.display(), %error, "a container's folder could not be removed");
            }
            _ => {}
        }
        // The owner's folder, when this was its last one.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    removed: bool,
    /// The exit code, if it could be learned, and whether memory had run out by then; none before the end.
    ended: Option<(Option<i64>, bool)>,
}

impl State {
    /// Our own kill > the kernel's report on memory > the exit code. A process killed for its memory that the guest had
    /// started itself is not a reason: only the process that was killed counts.
    fn exit(self) -> Option<Exit> {
        match self {
            Self { removed: true, .. } => Some(Exit::Removed),
            Self { ended: Some((Some(KILLED), true)), .. } => Some(Exit::OutOfMemory),
            Self { ended: Some((Some(code), _)), .. } => Some(Exit::Code(code)),
            Self { ended: Some((None, _)), .. } => Some(Exit::Unknown),
            Self { ended: None, .. } => None,
        }
    }
}

/// A container that was made: the parts that its owner, its watcher and `remove_all` share.
pub(super) struct Life {
    id: String,
    process: OwnedFd,
    traces: Traces,
    state: watch::Sender<State>,
    removed: OnceCell<()>,
}

impl Life {
    /// Begins with a child of this process, and waits for its end from here on; where waiting is not possible, it
    /// kills the child and fails.
    pub(super) fn begin(
        id: String,
        process: OwnedFd,
        link: Option<Link>,
        traces: Traces,
        tasks: &Handle,
    ) -> io::Result<Arc<Self>> {
        let end = match process.try_clone().and_then(watched) {
            Ok(end) => end,
            Err(error) => {
                let _ = pidfd_send_signal(&process, Signal::KILL);
                let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
                return Err(error);
            }
        };
        let (state, removed) = (watch::Sender::default(), OnceCell::new());
        let life = Arc::new(Self { id, process, traces, state, removed });
        tasks.spawn(life.clone().watch(end, link));
        Ok(life)
    }

    /// Waits for the end of the process, reaps it, and disconnects.
    async fn watch(self: Arc<Self>, end: AsyncFd<OwnedFd>, link: Option<Link>) {
        if end.readable().await.is_err() {
            return; // This program is ending, and no caller is left.
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.process.as_fd()), options);
        drop(link);
        let code = status.ok().flatten().as_ref().and_then(code);
        let memory = self.traces.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory);
        self.state.send_modify(|state| state.ended = Some((code, memory)));
    }

    pub(super) async fn exited(&self) -> Exit {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| state.exit().is_some()).await;
        ended.ok().and_then(|state| state.exit()).unwrap_or(Exit::Unknown)
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.borrow().exit().is_none()
    }

    fn memory_kills(&self) -> u64 {
        self.traces.cgroup.as_ref().map_or(0, Cgroup::memory_kills)
    }

    fn has_ended(&self) -> bool {
        self.state.borrow().ended.is_some()
    }

    /// Kills the first process of its namespace: all the others die with it.
    fn kill(&self) {
        self.state.send_modify(|state| state.removed = true);
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    pub(super) async fn remove(&self) {
        self.kill();
        self.removed.get_or_init(|| self.clear()).await;
    }

    async fn clear(&self) {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| state.ended.is_some());
        if timeout(END_TIMEOUT, ended).await.is_err() {
            // Its traces stay: the next start of this manager finds it by them.
            return tracing::warn!(container = self.id, "a container was killed and does not end");
        }
        let traces = self.traces.clone();
        let _ = tokio::task::spawn_blocking(move || traces.remove()).await;
    }
}

/// Returns a handle that is readable when the pidfd's process has ended.
#[expect(
    deprecated,
    reason = "its successor is unsafe for descriptors that may be replaced; this one is owned"
)]
fn watched(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(process, Interest::READABLE)
}

fn code(status: &WaitIdStatus) -> Option<i64> {
    let signal = status.terminating_signal().map(|signal| 128 + i64::from(signal));
    status.exit_status().map(i64::from).or(signal)
}

/// The owner's handle of a container; dropping it removes the container.
pub(super) struct Container {
    pub(super) life: Arc<Life>,
    pub(super) tasks: Handle,
}

#[async_trait]
impl Sandbox for Container {
    fn id(&self) -> &str {
        &self.life.id
    }

    async fn exited(&self) -> Exit {
        self.life.exited().await
    }

    async fn is_running(&self) -> bool {
        self.life.is_running()
    }

    async fn remove(&self) {
        self.life.remove().await;
    }

    /// The kernel counts a kill before anybody can learn of it.
    async fn memory_kills(&self, _known: u64) -> u64 {
        self.life.memory_kills()
    }

    fn is_gone(&self) -> bool {
        self.life.has_ended()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.life.removed.initialized() {
            return;
        }
        // At once: the rest is done only if there is time.
        self.life.kill();
        let life = self.life.clone();
        self.tasks.spawn(async move { life.remove().await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_reason_is_our_kill_then_memory_then_the_code() {
        let exit = |removed, ended| State { removed, ended }.exit();
        assert_eq!(exit(false, None), None);
        assert_eq!(exit(false, Some((Some(3), false))), Some(Exit::Code(3)));
        assert_eq!(exit(false, Some((Some(137), true))), Some(Exit::OutOfMemory));
        assert_eq!(exit(false, Some((Some(137), false))), Some(Exit::Code(137)));
        assert_eq!(exit(false, Some((Some(1), true))), Some(Exit::Code(1)));
        assert_eq!(exit(false, Some((None, false))), Some(Exit::Unknown));
        assert_eq!(exit(true, Some((Some(137), true))), Some(Exit::Removed));
    }
}

//! A role as a child process: its start, its output and its end.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{self, ChildStdin, Command},
    task::JoinSet,
    time::Instant,
};

use super::screen::RoleLog;
use crate::{app::Role, settings::Platform};

/// The length at which a line is split into pieces.
const MAX_LINE: usize = 64 << 10;
/// The time for which the output of an ended child is still read; a process that it started may keep the pipe
/// open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A child process, killed when dropped.
pub struct Child {
    process: process::Child,
    /// The other end of the child's standard input. When this process ends, for whatever reason, the kernel
    /// closes it and the child stops by itself.
    _lifeline: Option<ChildStdin>,
    readers: JoinSet<()>,
    pub started: Instant,
}

impl Child {
    /// Starts the role; `log_filter` becomes its `CLOUDFUNC_LOG`.
    pub fn start(
        role: Role,
        platform: &Platform,
        log_filter: &str,
        log: &Arc<Mutex<RoleLog>>,
    ) -> io::Result<Self> {
        log.lock().expect("no panic while writing a line").begin();
        let mut process = Command::new(own_executable()?)
            // These are for `ps`; all settings, including passwords, are in the environment.
            .args([role.as_str(), "--supervised", "--platform", platform.name.as_str(), "--data-dir"])
            .arg(&platform.data_dir)
            .envs(platform.environment())
            .env("CLOUDFUNC_LOG", log_filter)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own: Ctrl-C at the terminal is for the supervisor, which stops the roles
            // in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut readers = JoinSet::new();
        readers.spawn(read(process.stdout.take().expect("piped"), log.clone()));
        readers.spawn(read(process.stderr.take().expect("piped"), log.clone()));
        let _lifeline = process.stdin.take();
        Ok(Self { process, _lifeline, readers, started: Instant::now() })
    }

    /// Waits for the end of the process. Cancel safe.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        let drained = async { while self.readers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
        Ok(status)
    }

    /// Asks the process to stop: the first time, softly.
    pub fn terminate(&self) {
        let pid = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // The process was not reaped yet, so the id is still its own.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        let _ = self.process.start_kill();
    }
}

/// Returns the path of this program, also after the file was replaced by a new build.
pub fn own_executable() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(if path.exists() { path } else { Path::new("/proc/self/exe").to_owned() })
}

async fn read(mut stream: impl AsyncRead + Unpin, log: Arc<Mutex<RoleLog>>) {
    let mut unread = BytesMut::with_capacity(MAX_LINE);
    let tell = |lines: &[u8]| log.lock().expect("no panic while writing a line").lines(lines);
    while let Ok(1..) = stream.read_buf(&mut unread).await {
        if let Some(end) = unread.iter().rposition(|byte| *byte == b'\n') {
            tell(&unread.split_to(end + 1));
        }
        if unread.len() >= MAX_LINE {
            unread.extend_from_slice(b"\n");
            tell(&unread.split());
        }
        unread.reserve(MAX_LINE);
    }
    if !unread.is_empty() {
        unread.extend_from_slice(b"\n");
        tell(&unread);
    }
}

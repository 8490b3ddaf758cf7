//! The processes that were started here, and the ends of all children of this process: as the first process of its sandbox
//! it becomes the parent of every process whose own parent has ended.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};

/// The processes that were started here and live.
#[derive(Clone)]
pub struct Children(Arc<Mutex<HashMap<Pid, Live>>>);

struct Live {
    child: Child,
    tell: watch::Sender<Option<Ended>>,
}

impl Children {
    /// Starts to reap. Nothing else in this process may wait for a child.
    pub fn new() -> io::Result<Self> {
        let children = Self(Arc::default());
        let mut signals = signal(SignalKind::child())?;
        let reaper = children.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                reaper.reap();
            }
        });
        Ok(children)
    }

    /// Enters a process that was started just now, as the leader of a group of its own.
    pub fn enter(&self, pid: u32) -> Child {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the number of a process");
        let (tell, ended) = watch::channel(None);
        let child = Child { pid, ended };
        self.lock().insert(pid, Live { child: child.clone(), tell });
        child
    }

    /// Sends a signal to the groups of all.
    pub fn signal(&self, signal: Signal) {
        for pid in self.lock().keys() {
            let _ = kill_process_group(*pid, signal);
        }
    }

    /// Asks all to end, and kills those that have not after `grace`.
    pub async fn stop(&self, grace: Duration) {
        self.signal(Signal::TERM);
        let live: Vec<Child> = self.lock().values().map(|live| live.child.clone()).collect();
        let all = async {
            for child in live {
                child.ended().await;
            }
        };
        let _ = timeout(grace, all).await;
        self.signal(Signal::KILL);
    }

    fn reap(&self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(live) = self.lock().remove(&pid) {
                live.tell.send_replace(Some(Ended::from(status)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that was started here: one of several views of it.
#[derive(Clone, Debug)]
pub struct Child {
    pid: Pid,
    ended: watch::Receiver<Option<Ended>>,
}

impl Child {
    /// Waits for its end. Cancel safe.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let told = ended.wait_for(Option::is_some).await.map(|ended| *ended);
        match told {
            Ok(Some(ended)) => ended,
            // The reaping task has ended, and so has everything else.
            _ => std::future::pending().await,
        }
    }

    /// Kills it and all processes of its group.
    pub fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The process exited with this code.
    Code(u8),
    /// The process was killed by this signal.
    Signal(u8),
}

impl Ended {
    /// Returns the code with which a shell, and the first process of a sandbox, passes it on.
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 | signal,
        }
    }
}

impl From<WaitStatus> for Ended {
    fn from(status: WaitStatus) -> Self {
        let byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
        match status.terminating_signal() {
            Some(signal) => Self::Signal(byte(signal)),
            None => Self::Code(byte(status.exit_status().unwrap_or_default())),
        }
    }
}

/// The words after "the program": `ended with code 3`, `was killed by signal 9 (SIGKILL)`.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u8, &str); 12] = [
            (1, "SIGHUP"),
            (2, "SIGINT"),
            (4, "SIGILL"),
            (5, "SIGTRAP"),
            (6, "SIGABRT"),
            (7, "SIGBUS"),
            (8, "SIGFPE"),
            (9, "SIGKILL"),
            (11, "SIGSEGV"),
            (13, "SIGPIPE"),
            (15, "SIGTERM"),
            (31, "SIGSYS"),
        ];
        let signal = match self {
            Self::Code(code) => return write!(f, "ended with code {code}"),
            Self::Signal(signal) => signal,
        };
        match NAMES.iter().find(|(number, _)| number == signal) {
            Some((_, name)) => write!(f, "was killed by signal {signal} ({name})"),
            None => write!(f, "was killed by signal {signal}"),
        }
    }
}

//! Processes behind the platform's helper that the kernel has killed for their memory. The helper lives on, and reports only
//! signals and closed connections; the sandbox knows why.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{attempt::End, crash::out_of_memory};
use crate::{
    model::{FunctionError, FunctionSpec, Interface},
    runtime::{Finished, Sandbox},
};

/// The helper's words for a process that was killed so, and for one that passes on the end of its child as shells do.
const KILLED: [&str; 2] = [" was killed by signal 9 ", " ended with code 137"];

/// The helper's words for a server that has ended, or one of whose processes has, while it answered.
const GONE: [&str; 3] = [" closed the connection ", " broke off its answer ", " takes no connection "];

/// The kills that were seen in a sandbox, which is asked only about failures that a kill may have caused.
#[derive(Default)]
pub(super) struct MemoryKills(Mutex<Seen>);

#[derive(Clone, Copy, Default)]
struct Seen {
    count: u64,
    /// The time at which the last of them was found.
    at: Option<Instant>,
}

impl MemoryKills {
    /// Returns the end of an attempt that began at `begun` and that the guest has answered. The guest goes on: a server
    /// starts its worker again, and a command has a process of its own.
    pub(super) async fn end(
        &self,
        sandbox: &dyn Sandbox,
        spec: &FunctionSpec,
        begun: Instant,
        finished: Finished,
    ) -> End {
        if let Finished::Error(error) = &finished
            && self.are_behind(sandbox, spec, begun, error).await
        {
            return End::Crashed(out_of_memory(spec));
        }
        End::Finished(finished)
    }

    /// Returns whether kills have caused an error of what began at `begun`. Where several attempts are under way, one may
    /// find the kills of all; they count for each that had begun by then.
    pub(super) async fn are_behind(
        &self,
        sandbox: &dyn Sandbox,
        spec: &FunctionSpec,
        begun: Instant,
        error: &FunctionError,
    ) -> bool {
        if !may_be_one(error, spec.interface) {
            return false;
        }
        let known = self.seen().count;
        let count = sandbox.memory_kills(known).await;
        let mut seen = self.seen();
        if count > seen.count {
            *seen = Seen { count, at: Some(Instant::now()) };
        }
        seen.at.is_some_and(|at| begun <= at)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a kill may have caused an error. The type of a handler's own error is any text.
fn may_be_one(error: &FunctionError, interface: Interface) -> bool {
    let says = |all: &[&str]| all.iter().any(|words| error.message.contains(words));
    let was_killed = || error.kind == "exit" && says(&KILLED);
    match interface {
        Interface::Protocol => false,
        Interface::Command | Interface::Lambda => was_killed(),
        Interface::Http { .. } => (error.kind == "http" && says(&GONE)) || was_killed(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;

    use super::{super::super::start_failure::function_error, *};
    use crate::{
        manifest::{self, Defaults},
        runtime::Exit,
    };

    /// A sandbox that counts how often it is asked.
    #[derive(Default)]
    struct Counts {
        kills: AtomicU64,
        asked: AtomicU64,
    }

    #[async_trait]
    impl Sandbox for Counts {
        fn id(&self) -> &str {
            "counts"
        }

        async fn exited(&self) -> Exit {
            std::future::pending().await
        }

        async fn is_running(&self) -> bool {
            true
        }

        async fn remove(&self) {}

        async fn memory_kills(&self, _known: u64) -> u64 {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.kills.load(Ordering::Relaxed)
        }
    }

    const HTTP: &str = "interface = 'http'\ncommand = ['gunicorn', 'app:app']\n";
    const COMMAND: &str = "interface = 'command'\ncommand = ['./run.sh']\n";

    fn spec(manifest: &str) -> FunctionSpec {
        manifest::parse(&format!("{manifest}memory = '64MiB'\n"), manifest::FILE, &Defaults::default())
            .unwrap()
            .spec
    }

    fn failed(kind: &str, message: &str) -> Finished {
        Finished::Error(function_error(kind, message.to_owned()))
    }

    fn killed() -> Finished {
        failed("exit", "the program was killed by signal 9 (SIGKILL)")
    }

    #[tokio::test]
    async fn a_process_that_was_killed_for_its_memory_has_crashed() {
        for (manifest, kind, message) in [
            (COMMAND, "exit", "the program was killed by signal 9 (SIGKILL)"),
            (COMMAND, "exit", "the program ended with code 137"),
            (HTTP, "http", "the server on port 8080 closed the connection before it had answered"),
        ] {
            let (kills, sandbox, spec) = (MemoryKills::default(), Counts::default(), spec(manifest));
            let end = kills.end(&sandbox, &spec, Instant::now(), failed(kind, message)).await;
            assert!(matches!(end, End::Finished(Finished::Error(_))), "by somebody else: {end:?}");
            sandbox.kills.store(1, Ordering::Relaxed);
            let begun = Instant::now();
            let End::Crashed(error) = kills.end(&sandbox, &spec, begun, failed(kind, message)).await
            else {
                panic!("{message}")
            };
            assert_eq!(error.kind, "out_of_memory");
            assert_eq!(error.message, "the function used more than its memory limit of 64 MiB");
            // A kill that was seen is not behind what begins later.
            let later = kills.end(&sandbox, &spec, Instant::now(), failed(kind, message)).await;
            assert!(matches!(later, End::Finished(_)), "{later:?}");
        }
    }

    #[tokio::test]
    async fn kills_that_one_attempt_finds_are_those_of_all_under_way() {
        let (kills, sandbox, spec) = (MemoryKills::default(), Counts::default(), spec(COMMAND));
        let begun = Instant::now();
        sandbox.kills.store(2, Ordering::Relaxed);
        for _ in 0..2 {
            let end = kills.end(&sandbox, &spec, begun, killed()).await;
            assert!(matches!(end, End::Crashed(_)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_sandbox_is_not_asked_about_what_no_kill_is_behind() {
        let (kills, sandbox) = (MemoryKills::default(), Counts::default());
        sandbox.kills.store(1, Ordering::Relaxed);
        for (manifest, finished) in [
            (COMMAND, failed("exit", "the program ended with code 1")),
            (COMMAND, failed("too_large", "the program wrote more than")),
            (COMMAND, failed("http", "the server on port 8080 closed the connection")),
            (HTTP, failed("too_large", "the response's body has more than")),
            // An odd answer is an answer.
            (HTTP, failed("http", "the server on port 8080 sent something that is not HTTP: …")),
            // Of a handler's own.
            ("", killed()),
        ] {
            let end = kills.end(&sandbox, &spec(manifest), Instant::now(), finished).await;
            assert!(matches!(end, End::Finished(_)), "{end:?}");
        }
        assert_eq!(sandbox.asked.load(Ordering::Relaxed), 0);
    }
}

//! Why a guest was lost: by its own doing, or by a kill from outside.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::super::start_failure::function_error;
use crate::{
    model::{FunctionError, FunctionSpec},
    runtime::{self, Exit, GuestError, Sandbox},
    units::show_bytes,
};

/// A guest that hung up is given this long to be found dead by the engine, which knows why.
const EXIT_REASON_TIMEOUT: Duration = Duration::from_secs(3);

/// Exit codes of a kill. The first process of a sandbox passes on how the function's own process ended, so one that sends
/// itself such a signal, or exits with such a number, is taken for killed from outside, too; and so is one that sends SIGTERM
/// to the helper, which says in the log that it got it.
const KILLS: [i64; 2] = [128 + 9, 128 + 15];

/// Returns why the guest of a sandbox was lost that the platform did not kill.
pub(super) async fn crash(sandbox: &dyn Sandbox, spec: &FunctionSpec, error: GuestError) -> Lost {
    if let GuestError::Violation(what) = error {
        return crashed("protocol", format!("the function broke the runtime protocol: {what}"));
    }
    let Some(exit) = exit_of(sandbox, EXIT_REASON_TIMEOUT).await else {
        return crashed("exit", "the function's process hung up without an answer".to_owned());
    };
    match exit {
        Exit::OutOfMemory => Lost::Crashed(out_of_memory(spec)),
        Exit::Code(code) if KILLS.contains(&code) => {
            let code = runtime::show_code(code);
            Lost::FromOutside(format!(
                "its process exited with {code}: it was killed from outside, or sent the signal to itself"
            ))
        }
        Exit::Code(code) => {
            let code = runtime::show_code(code);
            crashed("exit", format!("the function's process exited with {code}"))
        }
        Exit::Removed => Lost::FromOutside("its container was removed from outside".to_owned()),
        // An engine that is away or comes back takes its containers with it, and does not say more.
        Exit::Unknown => {
            Lost::FromOutside("its process ended, and the engine does not know how".to_owned())
        }
    }
}

/// Returns how the sandbox of a guest ended that has hung up; none if it lives. An engine that is away, or has just come
/// back, may have killed it and not have told so yet.
async fn exit_of(sandbox: &dyn Sandbox, limit: Duration) -> Option<Exit> {
    if let Ok(exit) = tokio::time::timeout(limit, sandbox.exited()).await {
        return Some(exit);
    }
    let is_running = tokio::time::timeout(limit, sandbox.is_running()).await;
    match is_running.unwrap_or(false) {
        true => None,
        // Its end may have been learned by that question.
        false => Some(sandbox.exited().now_or_never().unwrap_or(Exit::Unknown)),
    }
}

/// Why a guest was lost.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// By its own doing.
    Crashed(FunctionError),
    /// By a kill, or with its engine; in words, for users.
    FromOutside(String),
}

/// Returns the error of a function that has reached its limit of memory.
pub(super) fn out_of_memory(spec: &FunctionSpec) -> FunctionError {
    let limit = show_bytes(spec.memory_bytes);
    function_error("out_of_memory", format!("the function used more than its memory limit of {limit}"))
}

fn crashed(kind: &str, message: String) -> Lost {
    Lost::Crashed(function_error(kind, message))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;

    /// A sandbox whose end is told when somebody asks whether it runs, as by an engine that has come back.
    struct Silent {
        runs: bool,
        tells: Option<Exit>,
        asked: AtomicBool,
    }

    #[async_trait]
    impl Sandbox for Silent {
        fn id(&self) -> &str {
            "silent"
        }

        async fn exited(&self) -> Exit {
            match &self.tells {
                Some(exit) if self.asked.load(Ordering::SeqCst) => exit.clone(),
                _ => std::future::pending().await,
            }
        }

        async fn is_running(&self) -> bool {
            self.asked.store(true, Ordering::SeqCst);
            self.runs
        }

        async fn remove(&self) {}
    }

    #[tokio::test]
    async fn only_a_sandbox_that_is_seen_to_run_has_hung_up() {
        let killed = Exit::Code(143);
        let cases = [
            (true, None, None),
            (false, None, Some(Exit::Unknown)),
            (false, Some(killed.clone()), Some(killed)),
        ];
        for (runs, tells, expected) in cases {
            let sandbox = Silent { runs, tells, asked: AtomicBool::default() };
            assert_eq!(exit_of(&sandbox, Duration::from_millis(10)).await, expected);
        }
    }
}

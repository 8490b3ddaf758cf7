//! Why a guest was lost: by its own doing, or by a kill from outside.

use std::time::Duration;

use super::{super::start_failure::function_error, Instance};
use crate::{
    model::FunctionError,
    runtime::{self, Exit, GuestError},
    units::show_bytes,
};

/// A guest that hung up is given this long to be found dead by the engine, which knows why.
const EXIT_REASON_TIMEOUT: Duration = Duration::from_secs(3);

/// Exit codes of a kill. A function is the first process of its namespace, which such signals from inside do not end; one
/// that exits with such a number by itself is taken for killed, too.
const KILLS: [i64; 2] = [128 + 9, 128 + 15];

impl Instance {
    /// Returns why a guest was lost that the platform did not kill.
    pub(super) async fn crash(&mut self, error: GuestError) -> Lost {
        if let GuestError::Violation(what) = error {
            return crashed("protocol", format!("the function broke the runtime protocol: {what}"));
        }
        let exit = tokio::time::timeout(EXIT_REASON_TIMEOUT, self.sandbox.exited()).await;
        let exit = match exit {
            Ok(exit) => exit,
            // It hung up, and lives; or there is nobody who could say so.
            Err(_) if self.shared.runtime.ping().await.is_ok() => {
                return crashed("exit", "the function's process hung up without an answer".to_owned());
            }
            Err(_) => Exit::Unknown,
        };
        match exit {
            Exit::OutOfMemory => {
                let limit = show_bytes(self.revision.spec.memory_bytes);
                let message = format!("the function used more than its memory limit of {limit}");
                crashed("out_of_memory", message)
            }
            Exit::Code(code) if KILLS.contains(&code) => {
                let code = runtime::show_code(code);
                Lost::FromOutside(format!("it was killed from outside: its process exited with {code}"))
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
}

/// Why a guest was lost.
pub(super) enum Lost {
    /// By its own doing.
    Crashed(FunctionError),
    /// By a kill, or with its engine; in words, for users.
    FromOutside(String),
}

fn crashed(kind: &str, message: String) -> Lost {
    Lost::Crashed(function_error(kind, message))
}

//! Why a guest was lost.

use std::time::Duration;

use super::{super::start_failure::function_error, Instance};
use crate::{
    model::FunctionError,
    runtime::{self, Exit, GuestError},
    units::show_bytes,
};

/// A guest that hung up is given this long to be found dead by the engine, which knows why.
const EXIT_REASON_TIMEOUT: Duration = Duration::from_secs(3);

impl Instance {
    /// Why the guest is lost when it was not us: the engine's word for it.
    pub(super) async fn crash(&mut self, error: GuestError) -> FunctionError {
        if let GuestError::Violation(what) = error {
            return function_error(
                "protocol",
                format!("the function broke the runtime protocol: {what}"),
            );
        }
        let exit = tokio::time::timeout(EXIT_REASON_TIMEOUT, self.sandbox.exited()).await;
        match exit.unwrap_or(Exit::Unknown) {
            Exit::OutOfMemory => {
                let limit = show_bytes(self.revision.spec.memory_bytes);
                let message = format!("the function used more than its memory limit of {limit}");
                function_error("out_of_memory", message)
            }
            Exit::Code(code) => {
                let code = runtime::show_code(code);
                function_error("exit", format!("the function's process exited with {code}"))
            }
            Exit::Removed => function_error("exit", "the function's container was removed".to_owned()),
            Exit::Unknown => function_error("exit", "the function's process ended".to_owned()),
        }
    }
}

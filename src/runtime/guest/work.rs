//! Work on payloads and results, which may be megabytes.

use tokio::task::spawn_blocking;

use crate::model::FunctionError;

/// Up to this many bytes are worked on where they are, in a fraction of a millisecond.
const INLINE: usize = 256 * 1024;

/// Does work on this many bytes: much of it on a thread of its own, so that no other invocation waits for it. An error means
/// that the process is ending.
pub(super) async fn beside<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FunctionError> {
    if length <= INLINE {
        return Ok(work());
    }
    spawn_blocking(work).await.map_err(|error| {
        let message = format!("a request or its answer was not translated: {error}");
        FunctionError { kind: "internal".to_owned(), message, trace: None, hint: None }
    })
}

#[cfg(test)]
mod tests {
    use std::thread::current;

    use super::*;

    #[tokio::test]
    async fn only_much_work_is_done_on_a_thread_of_its_own() {
        let here = current().id();
        let on = |length| beside(length, || current().id());
        assert_eq!(on(INLINE).await, Ok(here));
        assert_ne!(on(INLINE + 1).await, Ok(here));
    }
}

//! What a role tells others of its store and its queue: whether they answer, and what their errors mean to a caller.
//! The outside text names no internals; the inside text is logged here, once.

use std::sync::Arc;

use crate::{
    error_chain::chain,
    http::{Failure, Ready},
    model::{Problem, code},
    queue::{self, Queue},
    store::{self, Health, Refusal},
};

/// The readiness of a role that needs both.
pub fn store_and_queue(store: Arc<dyn Health>, queue: Arc<dyn Queue>) -> Ready {
    Arc::new(move || {
        let (store, queue) = (store.clone(), queue.clone());
        Box::pin(async move {
            store.ping().await.map_err(|error| error.to_string())?;
            queue.ping().await.map_err(|error| error.to_string())
        })
    })
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let problem = of_store(&error);
        if problem.status >= 500 {
            tracing::error!(error = %chain(&error), "store failed");
        }
        problem.into()
    }
}

/// The problem that a caller is told.
pub fn of_store(error: &store::Error) -> Problem {
    match error {
        store::Error::Unavailable { .. } => {
            Problem::new(code::UNAVAILABLE, "the store does not answer").retry_after(1)
        }
        store::Error::Refused { .. } => {
            Problem::new(code::UNAVAILABLE, "the store refuses the platform's user")
                .retry_after(RETRY_AFTER_REPAIR)
                .hint("its administrator has to let it in again, or to restart it with the new password")
        }
        store::Error::UnknownFate { .. } => {
            Problem::new(code::UNKNOWN_FATE, "the store was lost while it committed").hint(LOOK_FIRST)
        }
        store::Error::Conflict(text) => Problem::new(code::CONFLICT, text.clone()),
        store::Error::AddressTaken(taken) => Problem::new(code::ADDRESS_TAKEN, taken.to_string())
            .hint("choose another path, method or host in [http], or delete the other function first"),
        store::Error::AddressesHeld => {
            Problem::new(code::UNAVAILABLE, error.to_string()).retry_after(1).hint(DONE_NOTHING)
        }
        store::Error::Missing(text) => {
            Problem::new(code::REVISION_NOT_FOUND, format!("{text} is not there"))
        }
        store::Error::Unwritable { reason, .. } => {
            let problem = Problem::new(code::DISK_FULL, reason.to_string());
            const SERVED: &str = "calls that wait for their result are still served";
            match reason {
                Refusal::DiskFailed => {
                    problem.hint(format!("{SERVED}; check the disk, then restart the platform"))
                }
                Refusal::DiskFull | Refusal::ServerFull => {
                    problem.retry_after(RETRY_AFTER_REPAIR).hint(format!("{SERVED}; make room there"))
                }
                Refusal::DiskReadOnly | Refusal::ServerReadOnly => {
                    problem.retry_after(RETRY_AFTER_REPAIR).hint(SERVED)
                }
            }
        }
        store::Error::Internal { .. } => Problem::new(code::INTERNAL, "the store failed"),
    }
}

/// The hint where others have to end first.
const DONE_NOTHING: &str = "nothing was changed: repeat it in a moment";

/// The hint where something may have been done.
const LOOK_FIRST: &str = "list what is there before you repeat it: it may have been done";

/// Seconds after which the cause may have been fixed.
const RETRY_AFTER_REPAIR: u64 = 5;

impl From<queue::Error> for Failure {
    fn from(error: queue::Error) -> Self {
        // A broker that is away has been logged by the queue.
        if !error.is_transient() {
            tracing::error!(error = %chain(&error), "queue failed");
        }
        Problem::new(code::UNAVAILABLE, "the message broker does not answer").retry_after(1).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_others_hold_up_can_be_repeated() {
        let problem = of_store(&store::Error::AddressesHeld);
        let of = (problem.code.as_str(), problem.status, problem.retry_after, problem.retry_safe);
        assert_eq!(of, ("unavailable", 503, Some(1), true));
        let detail =
            "another function's addresses are being changed or deleted, which takes longer than usual";
        assert_eq!(problem.detail, detail);
        assert_eq!(problem.hint.as_deref(), Some("nothing was changed: repeat it in a moment"));
        assert!(store::Error::AddressesHeld.is_transient());
    }

    #[test]
    fn what_may_have_been_done_is_told_with_a_hint_to_look_first() {
        let (address, source) = ("here".to_owned(), "for a test".into());
        let problem = of_store(&store::Error::UnknownFate { address, source });
        assert_eq!((problem.code.as_str(), problem.status), ("unknown_fate", 503));
        assert_eq!(problem.title, "whether it was done is not known");
        assert_eq!(problem.detail, "the store was lost while it committed");
        let hint = "list what is there before you repeat it: it may have been done";
        assert_eq!(problem.hint.as_deref(), Some(hint));
    }
}

//! Writes that a store's disk refuses: counted, remembered for readiness, and forgotten with the next write that
//! succeeds.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Error, Refusal};

#[derive(Default)]
pub(super) struct Refusals {
    count: AtomicU64,
    /// Set after a refusal, so that a write that succeeds, as nearly all do, looks at one flag only.
    is_refusing: AtomicBool,
    reason: Mutex<Option<Refusal>>,
}

impl Refusals {
    /// Counts a write that was refused, and returns its result as it is.
    pub fn note<T>(&self, written: Result<T, Error>) -> Result<T, Error> {
        match &written {
            Err(Error::Unwritable { reason, .. }) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.set(Some(*reason));
            }
            Ok(_) if self.is_refusing.load(Ordering::Relaxed) => self.set(None),
            _ => {}
        }
        written
    }

    /// Returns the number of refused writes since the process began.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns whether the last write was refused.
    pub fn is_refusing(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }

    fn set(&self, reason: Option<Refusal>) {
        let mut known = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) if *known != Some(reason) => tracing::error!("{reason}: nothing can be stored"),
            None if known.is_some() => tracing::info!("the store takes writes again"),
            _ => {}
        }
        *known = reason;
        self.is_refusing.store(reason.is_some(), Ordering::Relaxed);
    }
}

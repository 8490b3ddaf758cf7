//! Batches of entries of the audit log, stored.

use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    backoff::Backoff,
    error_chain::chain,
    model::NewAuditEntry,
    store::{self, AuditLog},
};

/// Pauses between the attempts to store an entry by itself.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The way of batches to the store. It says once that entries wait, and once that they are stored.
pub struct Batches {
    store: Arc<dyn AuditLog>,
    is_failing: AtomicBool,
    /// Entries that are lost.
    dropped: Arc<AtomicU64>,
}

impl Batches {
    /// Makes one that counts what is lost.
    pub fn new(store: Arc<dyn AuditLog>, dropped: Arc<AtomicU64>) -> Self {
        Self { store, is_failing: AtomicBool::new(false), dropped }
    }

    /// Stores the entries together. Where the store refuses them for good, one of them may be the reason: then each is stored
    /// by itself, and only what it refuses then is lost.
    pub async fn store(&self, entries: &[NewAuditEntry]) -> Result<(), store::Error> {
        match self.append(entries).await {
            Err(error) if !error.is_transient() => {
                for entry in entries {
                    self.store_one(entry).await;
                }
                Ok(())
            }
            other => other,
        }
    }

    async fn store_one(&self, entry: &NewAuditEntry) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while let Err(error) = self.append(slice::from_ref(entry)).await {
            if !error.is_transient() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                let NewAuditEntry { caller, action, .. } = entry;
                tracing::error!(caller, action, error = %chain(&error), "an entry of the audit log is lost");
                return;
            }
            backoff.pause().await;
        }
    }

    async fn append(&self, entries: &[NewAuditEntry]) -> Result<(), store::Error> {
        let stored = self.store.append_audit(entries).await;
        match &stored {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit log is written again");
                }
            }
            Err(error) if error.is_transient() => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = %chain(error), "the audit log is not written: its entries wait in memory");
                }
            }
            Err(_) => {}
        }
        stored
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::{
        model::{AuditEntry, audit::action},
        store::AuditFilter,
    };

    /// A store that refuses entries with the target `bad`, and is away for the first entry that comes alone.
    #[derive(Default)]
    struct Choosy {
        stored: Mutex<Vec<String>>,
        was_away: AtomicBool,
    }

    #[async_trait]
    impl AuditLog for Choosy {
        async fn append_audit(&self, entries: &[NewAuditEntry]) -> Result<(), store::Error> {
            let (address, source) = ("here".to_owned(), "for a test".into());
            let targets: Vec<String> = entries.iter().filter_map(|entry| entry.target.clone()).collect();
            if targets.iter().any(|target| target == "bad") {
                return Err(store::Error::Internal { address, source });
            }
            if targets.len() == 1 && !self.was_away.swap(true, Ordering::SeqCst) {
                return Err(store::Error::Unavailable { address, source });
            }
            self.stored.lock().unwrap().extend(targets);
            Ok(())
        }

        async fn audit_log(&self, _filter: &AuditFilter) -> Result<Vec<AuditEntry>, store::Error> {
            Ok(Vec::new())
        }

        async fn prune_audit(&self, _: Duration, _: u64, _: u32) -> Result<u64, store::Error> {
            Ok(0)
        }
    }

    fn entry(target: &str) -> NewAuditEntry {
        let entry = json!({
            "caller": "token ci", "action": action::DEPLOY, "target": target, "outcome": "done", "count": 1,
        });
        serde_json::from_value(entry).unwrap()
    }

    #[tokio::test]
    async fn an_entry_that_the_store_refuses_takes_no_other_one_with_it() {
        let (store, dropped) = (Arc::<Choosy>::default(), Arc::<AtomicU64>::default());
        let batches = Batches::new(store.clone(), dropped.clone());
        let entries = ["a", "bad", "b"].map(entry);
        batches.store(&entries).await.unwrap();
        assert_eq!(*store.stored.lock().unwrap(), ["a", "b"]);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        assert!(store.was_away.load(Ordering::SeqCst));
    }
}

//! Entries of the audit log that are older than its retention, and tokens that expired long ago, are deleted now and then.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Registry;
use crate::{
    error_chain::chain,
    store::{self, MAX_AUDIT_ENTRIES},
};

const EVERY: Duration = Duration::from_secs(10 * 60);
/// Entries that are deleted in one transaction.
const PIECE: u32 = 1000;

impl Registry {
    /// Deletes them again and again; does not return.
    pub async fn delete_old_entries(&self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.delete_old().await {
                tracing::warn!(error = %chain(&error), "old entries of the audit log, or expired tokens, are not deleted");
            }
        }
    }

    async fn delete_old(&self) -> Result<(), store::Error> {
        self.store.prune_tokens().await?;
        let age = self.limits.audit_retention;
        while self.store.prune_audit(age, MAX_AUDIT_ENTRIES, PIECE).await? > 0 {}
        Ok(())
    }
}

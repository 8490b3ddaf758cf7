//! Once a minute: old revisions, records, lines, entries of the audit log and tokens are deleted. A task of its own, since
//! that may take long, and what is due must not wait for it.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    error_chain::chain,
    scheduler::Scheduler,
    store::{self, Retention},
};

const EVERY: Duration = Duration::from_secs(60);

/// Deletes until `stop`, which the piece under way does not hold up for long.
pub async fn run(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = prune(&scheduler, &stop).await {
            tracing::warn!(error = %chain(&error), "old records not deleted");
        }
    }
}

/// Old revisions; then everything else.
async fn prune(scheduler: &Scheduler, stop: &CancellationToken) -> Result<(), store::Error> {
    let revisions = scheduler.store.prune_revisions(scheduler.limits.keep_revisions, None);
    if let Some(Err(error)) = stop.run_until_cancelled(revisions).await {
        tracing::warn!(error = %chain(&error), "old revisions not deleted");
    }
    let limits = &scheduler.limits;
    let keep = Retention { records: limits.retention, audit_log: limits.audit_retention };
    store::prune_all(&*scheduler.store, keep, || stop.is_cancelled()).await
}

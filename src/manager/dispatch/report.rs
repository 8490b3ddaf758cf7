//! The live instances, as the consumers and the store are told of them.

use std::sync::Arc;

use tokio::sync::watch;

use super::{super::shared::Shared, Dispatcher};
use crate::store::ReportedInstance;

impl Dispatcher {
    /// Tells the consumers which functions are warm here, and the store which instances live.
    pub(super) fn instances_changed(&self) {
        let warm = self.instances.values().filter(|instance| instance.jobs.is_some());
        self.warm.set(warm.map(|instance| instance.revision.function).collect());
        self.reports.send_replace(self.instances.values().filter_map(|i| i.report.clone()).collect());
    }
}

/// Writes the live instances behind whenever they change, or this manager is a new owner; the newest state counts.
pub(super) async fn report_instances(
    shared: Arc<Shared>,
    mut reports: watch::Receiver<Vec<ReportedInstance>>,
) {
    let mut lives = shared.lives.follow();
    loop {
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            _ = lives.changed() => {}
        }
        let report = reports.borrow_and_update().clone();
        if let Err(error) = shared.store.report_instances(shared.lives.now().owner, &report).await {
            tracing::warn!(error = %crate::error_chain::chain(&error), "instances not reported");
            // The store may be away: it is not asked again at once.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            reports.mark_changed();
        }
    }
}

//! Once a second: which managers are lost, and who waits for them. A task of its own, since looks that come late show
//! nothing, and a sweep may take its time.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::lease_watch::LeaseWatch;
use crate::{
    error_chain::chain,
    lifecycle::Ending,
    model::OwnerId,
    scheduler::{Scheduler, sync::replies},
    store,
};

const EVERY: Duration = Duration::from_secs(1);

/// Looks until `stop`.
pub async fn run(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    let looking = async {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = LeaseWatch::new(!scheduler.queue.is_durable());
        loop {
            ticks.tick().await;
            if let Err(error) = tell_forsaken(&scheduler, &mut watch).await {
                tracing::debug!(error = %chain(&error), "leases not read");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

/// Sync callers whose manager has vanished: its lease was ended, or, as the last resort, the time in
/// which any answer must have come. A message that was in its hands may have expired since then.
async fn tell_forsaken(scheduler: &Scheduler, watch: &mut LeaseWatch) -> Result<(), store::Error> {
    let now = Instant::now();
    replies::tell_lost(scheduler, scheduler.pending.take_overdue(now));
    for (id, pending) in scheduler.pending.take_abandoned(now) {
        // No manager has said that it did not run it.
        scheduler.conclude(id, &pending.arrival, Err(Ending::interrupted()));
    }
    let owners = scheduler.pending.owners();
    let leases = scheduler.store.leases().await?;
    let mut live: HashSet<OwnerId> = leases.iter().map(|lease| lease.owner).collect();
    for lease in watch.look(&leases, now) {
        match scheduler.store.end_lease(&lease).await {
            Ok(true) => {
                let owner = lease.owner;
                tracing::warn!(%owner, "a manager has not renewed its lease and counts as lost");
                live.remove(&owner);
            }
            // It was renewed, or ended, in this moment.
            Ok(false) => {}
            Err(error) => {
                watch.forget_looks();
                return Err(error);
            }
        }
    }
    scheduler.functions.set_managers(u32::try_from(live.len()).unwrap_or(u32::MAX));
    // Only those asked about: one that has come since then is not known to be lost.
    let is_lost = |owner| owners.contains(&owner) && !live.contains(&owner);
    replies::tell_lost(scheduler, scheduler.pending.take_lost(is_lost));
    Ok(())
}

//! The lease that keeps this process's claims its own, and the report of its live instances.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::shared::Shared;

/// A claim of a manager that has not renewed for this long may be taken by another.
pub const LEASE: Duration = Duration::from_secs(10);
/// Three renewals fit into a lease, so that one lost renewal does no harm.
const RENEW: Duration = Duration::from_secs(3);

/// Takes the lease, for as long as that takes: without one, whatever is claimed counts as lost.
pub async fn acquire(shared: &Shared) {
    while let Err(error) = shared.store.renew_lease(shared.owner, shared.manager, LEASE).await {
        tracing::warn!(error = %crate::error_chain::chain(&error), "waiting for the lease");
        tokio::time::sleep(RENEW / 6).await;
    }
}

/// Renews the lease until told to stop. A store that does not answer is tried again sooner.
pub async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let renewed = shared.store.renew_lease(shared.owner, shared.manager, LEASE).await;
        let pause = match renewed {
            Ok(()) => {
                if failing {
                    tracing::info!("lease renewed again");
                }
                failing = false;
                RENEW
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %crate::error_chain::chain(&error), "lease not renewed");
                }
                failing = true;
                RENEW / 6
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

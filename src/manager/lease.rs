//! The lease that keeps this process's claims its own.
//!
//! Schedulers watch its renewals. One that found none for a while has ended it, and others may run by now what was
//! claimed under it: then that is stopped here, and this process goes on under a new name, as a new owner.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{lives::Life, shared::Shared};
use crate::{error_chain::chain, store};

/// For hosts of an earlier version: a lease that was not renewed for this long counts as expired there.
const LEASE: Duration = Duration::from_secs(10);
/// Three renewals fit into the patience of those who watch, so that one lost renewal does no harm.
const RENEW: Duration = Duration::from_secs(3);

/// Ends the leases of earlier lives of this manager, however often the store has to be asked: what was claimed under them
/// need not wait until schedulers find that nobody renews them.
pub async fn end_older(shared: &Shared) {
    let mut is_told = false;
    while let Err(error) = shared.store.release_manager(shared.manager).await {
        if !is_told {
            tracing::warn!(error = %chain(&error), "waiting for older leases to end");
            is_told = true;
        }
        tokio::time::sleep(RENEW / 6).await;
    }
}

/// Takes the lease, for as long as that takes: without one, nothing can be claimed.
pub async fn acquire(shared: &Shared) {
    let owner = shared.lives.now().owner;
    while let Err(error) = shared.store.take_lease(owner, shared.manager, LEASE).await {
        tracing::warn!(error = %chain(&error), "waiting for the lease");
        tokio::time::sleep(RENEW / 6).await;
    }
}

/// Renews the lease until told to stop. A store that does not answer is tried again sooner.
pub async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let keeping = async {
        let mut failing = false;
        loop {
            let pause = renew(&shared, &mut failing).await;
            tokio::select! {
                () = shared.lives.doubted() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = keeping => {}
    }
}

/// Answers when to renew it next.
async fn renew(shared: &Shared, failing: &mut bool) -> Duration {
    let life = shared.lives.now();
    match shared.store.renew_lease(life.owner, LEASE).await {
        Ok(true) => {
            if *failing {
                tracing::info!("lease renewed again");
            }
            *failing = false;
            RENEW
        }
        Ok(false) => {
            begin_anew(shared, &life).await;
            *failing = false;
            RENEW
        }
        Err(error) => {
            if !*failing {
                tracing::warn!(error = %chain(&error), "lease not renewed");
            }
            *failing = true;
            RENEW / 6
        }
    }
}

/// Cancels what runs under the lost lease, and takes a new lease under a new owner id. New claims do not wait until the
/// old sandboxes are removed.
async fn begin_anew(shared: &Shared, lost: &Life) {
    tracing::warn!(
        owner = %lost.owner,
        "this manager counted as lost: others run what it had claimed, and what runs here is stopped"
    );
    shared.lives.begin();
    acquire(shared).await;
    shared.lives.has_begun();
}

/// Ends the lease; what was claimed under it can be claimed by others at once.
pub async fn release(shared: &Shared) -> Result<(), store::Error> {
    shared.store.release_lease(shared.lives.now().owner).await
}

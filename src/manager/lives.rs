//! The names under which this manager claims work, one after the other: it gets a new one when its lease was ended.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::model::OwnerId;

/// The time in which this manager is one owner.
#[derive(Debug)]
pub struct Life {
    pub owner: OwnerId,
    /// Cancelled when the lease was ended: what was claimed under it is somebody else's.
    pub lost: CancellationToken,
}

impl Life {
    fn new() -> Arc<Self> {
        Arc::new(Self { owner: OwnerId::new(), lost: CancellationToken::new() })
    }
}

/// The lives of this manager, one after the other.
pub struct Lives {
    now: RwLock<Arc<Life>>,
    changed: watch::Sender<()>,
    /// Notified when a claim was refused because the lease is gone.
    doubted: Notify,
}

impl Default for Lives {
    fn default() -> Self {
        let (now, changed) = (RwLock::new(Life::new()), watch::channel(()).0);
        Self { now, changed, doubted: Notify::new() }
    }
}

impl Lives {
    /// Returns the present one.
    pub fn now(&self) -> Arc<Life> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells of every new one that has its lease.
    pub fn follow(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Asks for a renewal now, after a claim was refused because the lease is gone.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Waits for such a doubt.
    pub async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// The present one is over, and the next one begins.
    pub fn begin(&self) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        now.lost.cancel();
        *now = Life::new();
    }

    /// The next one has its lease.
    pub fn has_begun(&self) {
        self.changed.send_replace(());
    }
}

//! Code that may have gone with a revision or a function, until it is looked at.

use std::{collections::HashSet, sync::Mutex};

use tokio::sync::Notify;

use crate::model::Digest;

#[derive(Default)]
pub struct Outdated {
    digests: Mutex<HashSet<Digest>>,
    told: Notify,
}

impl Outdated {
    pub fn look_at(&self, digests: Vec<Digest>) {
        self.keep(digests);
        self.told.notify_one();
    }

    /// Takes them back, to be looked at the next time.
    pub fn keep(&self, digests: Vec<Digest>) {
        self.digests.lock().expect("no holder panics").extend(digests);
    }

    /// Returns when there was something to look at since the last time.
    pub async fn told(&self) {
        self.told.notified().await;
    }

    pub fn take(&self) -> HashSet<Digest> {
        std::mem::take(&mut *self.digests.lock().expect("no holder panics"))
    }
}

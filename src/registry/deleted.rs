//! Queues of deleted functions. A registry may end between a deletion and the removal of its queues, and a role that has
//! not heard of the deletion declares them again: each is removed soon after, and once more a day later.

use std::{collections::HashSet, time::Duration};

use tokio::time::MissedTickBehavior;

use super::Registry;
use crate::{
    error_chain::chain,
    model::FunctionId,
    queue,
    store::{self, DeletedFunction},
};

/// A deletion of this age is known to every role: caches are read again each minute.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
}

impl Registry {
    /// Removes the queues of deleted functions, again and again; does not return.
    pub async fn remove_queues_of_the_deleted(&self) {
        let mut removed = HashSet::new();
        let mut looks = tokio::time::interval(self.limits.reread);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            looks.tick().await;
            let failure = self.remove_queues(&mut removed).await.err();
            if let Some(error) = &failure
                && !failing
            {
                tracing::warn!(error = %chain(error), "queues of deleted functions stay; they are tried again each minute");
            }
            failing = failure.is_some();
        }
    }

    /// `removed`: those that need not be removed again before they are forgotten. One that cannot be removed keeps no other
    /// one; the last failure is returned.
    async fn remove_queues(&self, removed: &mut HashSet<FunctionId>) -> Result<(), Error> {
        let deleted = self.store.deleted_functions().await?;
        let there: HashSet<FunctionId> = deleted.iter().map(|one| one.id).collect();
        removed.retain(|id| there.contains(id));
        let (mut forgotten, mut result) = (Vec::new(), Ok(()));
        for DeletedFunction { id, age } in deleted {
            let is_old = age >= FORGET_AFTER;
            if !is_old && removed.contains(&id) {
                continue;
            }
            match self.queue.remove(id).await {
                Ok(()) if is_old => forgotten.push(id),
                Ok(()) => drop(removed.insert(id)),
                // Each would wait for the broker.
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => result = Err(error.into()),
            }
        }
        if !forgotten.is_empty() {
            self.store.forget_deleted(&forgotten).await?;
        }
        result
    }
}

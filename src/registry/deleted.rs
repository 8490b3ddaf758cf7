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

/// The age of a deletion at which everybody has heard of it.
const KNOWN: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
}

impl Registry {
    /// Never ends.
    pub async fn remove_queues_of_the_deleted(&self) {
        let mut removed = HashSet::new();
        let mut looks = tokio::time::interval(self.limits.reread);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // Store and queue say themselves when they are away; the next look goes on.
            if let Err(error) = self.remove_queues(&mut removed).await {
                tracing::debug!(error = %chain(&error), "queues of deleted functions stay");
            }
        }
    }

    /// `removed`: those that need not be removed again before the deletion is known to everybody.
    async fn remove_queues(&self, removed: &mut HashSet<FunctionId>) -> Result<(), Error> {
        let deleted = self.store.deleted_functions().await?;
        let there: HashSet<FunctionId> = deleted.iter().map(|one| one.id).collect();
        removed.retain(|id| there.contains(id));
        let (known, recent): (Vec<_>, Vec<_>) = deleted.into_iter().partition(|one| one.age >= KNOWN);
        for DeletedFunction { id, .. } in recent {
            if !removed.contains(&id) {
                self.queue.remove(id).await?;
                removed.insert(id);
            }
        }
        let mut forgotten = Vec::new();
        for DeletedFunction { id, .. } in known {
            self.queue.remove(id).await?;
            forgotten.push(id);
        }
        if !forgotten.is_empty() {
            self.store.forget_deleted(&forgotten).await?;
        }
        Ok(())
    }
}

//! How many sync invocations of one function are with the managers at once. The others wait here, first
//! come, first served: beyond what the managers take, messages would only stand in the way of other
//! functions' on the one connection to the broker. Their payloads wait in memory here, of at most `max_waiting`
//! and `max_instances × concurrency` callers of a function.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// A manager takes as many as it has places in instances, and, so that none of these waits for the next one, as many
/// again.
const TAKEN: u32 = 2;

#[derive(Debug)]
pub struct SyncSlots {
    slots: Arc<Semaphore>,
    size: Arc<Mutex<Size>>,
}

/// Counts of slots.
#[derive(Debug, Default)]
struct Size {
    wanted: u32,
    /// Larger than wanted until enough of them were left.
    present: u32,
}

/// A slot that is taken until this is dropped.
#[derive(Debug)]
pub struct SyncSlot {
    permit: Option<OwnedSemaphorePermit>,
    size: Arc<Mutex<Size>>,
}

impl Default for SyncSlots {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(0)), size: Arc::default() }
    }
}

impl SyncSlots {
    /// Sets the size for a function of this number of places at each manager, and for this number of managers. When it
    /// shrinks, what is under way beyond it ends first.
    pub fn resize(&self, places: u32, managers: u32) {
        let mut size = lock(&self.size);
        size.wanted = TAKEN.saturating_mul(places.max(1)).saturating_mul(managers.max(1));
        if size.present < size.wanted {
            self.slots.add_permits((size.wanted - size.present) as usize);
            size.present = size.wanted;
        } else {
            let forgotten = self.slots.forget_permits((size.present - size.wanted) as usize);
            size.present -= u32::try_from(forgotten).expect("no more than asked for");
        }
    }

    /// Waits for a slot. None: there was none in time.
    pub async fn enter(&self, until: Instant) -> Option<SyncSlot> {
        // The semaphore is never closed.
        let permit = timeout_at(until, self.slots.clone().acquire_owned()).await.ok()?.ok();
        Some(SyncSlot { permit, size: self.size.clone() })
    }
}

impl Drop for SyncSlot {
    /// A slot beyond the size wanted is not given back: the next one in line would get it.
    fn drop(&mut self) {
        let mut size = lock(&self.size);
        if size.present > size.wanted
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            size.present -= 1;
        }
    }
}

fn lock(size: &Mutex<Size>) -> MutexGuard<'_, Size> {
    size.lock().expect("no holder panics")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn slots_grow_at_once_and_shrink_as_they_are_left() {
        let slots = SyncSlots::default();
        let soon = || Instant::now() + Duration::from_millis(20);
        slots.resize(1, 1);
        let (first, second) = (slots.enter(soon()).await.unwrap(), slots.enter(soon()).await.unwrap());
        assert!(slots.enter(soon()).await.is_none(), "two for one instance");
        slots.resize(1, 2);
        let others = (slots.enter(soon()).await.unwrap(), slots.enter(soon()).await.unwrap());
        assert!(slots.enter(soon()).await.is_none());
        slots.resize(1, 1);
        // Somebody waits all the time, as for a busy function.
        let waits = tokio::time::timeout(Duration::from_millis(40), slots.enter(Instant::now() + LONG));
        let leave = async { drop(others) };
        let (waited, ()) = tokio::join!(waits, leave);
        assert!(waited.is_err(), "the first two are still there");
        drop((first, second));
        let again = (slots.enter(soon()).await, slots.enter(soon()).await);
        assert!(again.0.is_some() && again.1.is_some() && slots.enter(soon()).await.is_none());
    }
}

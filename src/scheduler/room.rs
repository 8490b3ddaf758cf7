//! How many sync invocations of one function are with the managers at once. The others wait here, first
//! come, first served: beyond what the managers take, messages would only stand in the way of other
//! functions' on the one connection to the broker. Their payloads wait in memory here, of at most `max_waiting`
//! and `max_instances` callers of a function.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// A manager takes as many as it has instances, and, so that none of these waits for the next one, as many
/// again.
const TAKEN: u32 = 2;

#[derive(Debug)]
pub struct Room {
    slots: Arc<Semaphore>,
    size: Arc<Mutex<Size>>,
}

/// In places.
#[derive(Debug, Default)]
struct Size {
    wanted: u32,
    /// Larger than wanted until enough of them were left.
    present: u32,
}

/// Until it is dropped.
#[derive(Debug)]
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    size: Arc<Mutex<Size>>,
}

impl Default for Room {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(0)), size: Arc::default() }
    }
}

impl Room {
    /// For so many managers. What is under way beyond a smaller size ends first.
    pub fn resize(&self, max_instances: u32, managers: u32) {
        let mut size = lock(&self.size);
        size.wanted = TAKEN.saturating_mul(max_instances.max(1)).saturating_mul(managers.max(1));
        if size.present < size.wanted {
            self.slots.add_permits((size.wanted - size.present) as usize);
            size.present = size.wanted;
        } else {
            let forgotten = self.slots.forget_permits((size.present - size.wanted) as usize);
            size.present -= u32::try_from(forgotten).expect("no more than asked for");
        }
    }

    /// None: there was none in time.
    pub async fn enter(&self, until: Instant) -> Option<Place> {
        // The semaphore is never closed.
        let permit = timeout_at(until, self.slots.clone().acquire_owned()).await.ok()?.ok();
        Some(Place { permit, size: self.size.clone() })
    }
}

impl Drop for Place {
    /// One place too many goes with its guest: given back it would be the next one's in line.
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
    async fn a_room_grows_at_once_and_shrinks_as_its_guests_leave() {
        let room = Room::default();
        let soon = || Instant::now() + Duration::from_millis(20);
        room.resize(1, 1);
        let (first, second) = (room.enter(soon()).await.unwrap(), room.enter(soon()).await.unwrap());
        assert!(room.enter(soon()).await.is_none(), "two for one instance");
        room.resize(1, 2);
        let others = (room.enter(soon()).await.unwrap(), room.enter(soon()).await.unwrap());
        assert!(room.enter(soon()).await.is_none());
        room.resize(1, 1);
        // Somebody waits all the time, as for a busy function.
        let waits = tokio::time::timeout(Duration::from_millis(40), room.enter(Instant::now() + LONG));
        let leave = async { drop(others) };
        let (waited, ()) = tokio::join!(waits, leave);
        assert!(waited.is_err(), "the first two are still there");
        drop((first, second));
        let again = (room.enter(soon()).await, room.enter(soon()).await);
        assert!(again.0.is_some() && again.1.is_some() && room.enter(soon()).await.is_none());
    }
}

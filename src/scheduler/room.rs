//! How many sync invocations of one function are with the managers at once. The others wait here, first
//! come, first served: beyond what the managers take, messages would only stand in the way of other
//! functions' on the one connection to the broker.

use std::sync::{Arc, Mutex};

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
    size: Mutex<u32>,
}

impl Default for Room {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(0)), size: Mutex::default() }
    }
}

impl Room {
    /// For so many managers. What is under way beyond a smaller size ends first.
    pub fn resize(&self, max_instances: u32, managers: u32) {
        let wanted = TAKEN.saturating_mul(max_instances.max(1)).saturating_mul(managers.max(1));
        let mut size = self.size.lock().expect("no holder panics");
        if *size < wanted {
            self.slots.add_permits((wanted - *size) as usize);
            *size = wanted;
        } else {
            let forgotten = self.slots.forget_permits((*size - wanted) as usize);
            *size -= u32::try_from(forgotten).expect("no more than asked for");
        }
    }

    /// A place until it is dropped; none in time: None.
    pub async fn enter(&self, until: Instant) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        timeout_at(until, self.slots.clone().acquire_owned()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
        drop(others);
        // The sweeper sets the size again and again.
        room.resize(1, 1);
        assert!(room.enter(soon()).await.is_none(), "the first two are still there");
        drop((first, second));
        let again = (room.enter(soon()).await, room.enter(soon()).await);
        assert!(again.0.is_some() && again.1.is_some() && room.enter(soon()).await.is_none());
    }
}

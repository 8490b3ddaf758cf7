//! The invocations that this manager has claimed, or asks for, and whose outcomes are not with the queue yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::InvocationId;

#[derive(Default)]
pub struct InHand(Mutex<HashMap<InvocationId, u32>>);

impl InHand {
    /// Counts this one until what is returned is dropped.
    pub fn take(self: &Arc<Self>, id: InvocationId) -> Taken {
        *self.lock().entry(id).or_default() += 1;
        Taken { in_hand: self.clone(), id }
    }

    pub fn contains(&self, id: InvocationId) -> bool {
        self.lock().contains_key(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InvocationId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Taken {
    in_hand: Arc<InHand>,
    id: InvocationId,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut all = self.in_hand.lock();
        if let Some(count) = all.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_taken_twice_is_in_hand_until_it_was_dropped_twice() {
        let (in_hand, id) = (Arc::<InHand>::default(), InvocationId::new());
        let first = in_hand.take(id);
        let second = in_hand.take(id);
        drop(first);
        assert!(in_hand.contains(id) && !in_hand.contains(InvocationId::new()));
        drop(second);
        assert!(!in_hand.contains(id) && in_hand.lock().is_empty());
    }
}

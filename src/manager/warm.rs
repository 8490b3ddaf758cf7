//! The functions that have a live instance here. With thousands of functions, an instance that comes or goes wakes the
//! consumers of its own function and nobody else's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::model::FunctionId;

#[derive(Default)]
pub struct Warm(Mutex<State>);

#[derive(Default)]
struct State {
    warm: HashSet<FunctionId>,
    told: HashMap<FunctionId, watch::Sender<bool>>,
}

impl Warm {
    /// Returns whether the function is warm, as it changes.
    pub fn follow(&self, function: FunctionId) -> watch::Receiver<bool> {
        let mut state = self.lock();
        let is_warm = state.warm.contains(&function);
        state.told.entry(function).or_insert_with(|| watch::channel(is_warm).0).subscribe()
    }

    /// The function was deleted: those who follow it are told no more.
    pub fn forget(&self, function: FunctionId) {
        self.lock().told.remove(&function);
    }

    /// Sets the functions that are warm now.
    pub fn set(&self, warm: HashSet<FunctionId>) {
        let mut state = self.lock();
        for changed in state.warm.symmetric_difference(&warm) {
            if let Some(told) = state.told.get(changed) {
                told.send_replace(warm.contains(changed));
            }
        }
        state.warm = warm;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_a_function_is_told_of_that_one_only() {
        let warm = Warm::default();
        let (one, other, late) = (FunctionId::new(), FunctionId::new(), FunctionId::new());
        let (mut first, mut second) = (warm.follow(one), warm.follow(other));
        assert!(!*first.borrow_and_update() && !*second.borrow_and_update());
        warm.set([one, late].into());
        assert!(first.has_changed().unwrap() && *first.borrow_and_update());
        assert!(!second.has_changed().unwrap());
        assert!(*warm.follow(late).borrow() && *warm.follow(one).borrow());
        warm.set([late].into());
        assert!(!*first.borrow_and_update() && !second.has_changed().unwrap());
        warm.forget(one);
        assert!(first.has_changed().is_err(), "nobody tells of a function that was deleted");
    }
}

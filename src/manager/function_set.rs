//! A set of functions that is followed one function at a time: those that have a live instance here, those of which none
//! can be started here. With thousands of functions, one that comes or goes wakes its own consumers and nobody else's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::model::FunctionId;

#[derive(Default)]
pub struct FunctionSet(Mutex<State>);

#[derive(Default)]
struct State {
    members: HashSet<FunctionId>,
    told: HashMap<FunctionId, watch::Sender<bool>>,
}

impl FunctionSet {
    /// Returns whether the function is in it, as that changes.
    pub fn follow(&self, function: FunctionId) -> watch::Receiver<bool> {
        let mut state = self.lock();
        let is_in = state.members.contains(&function);
        state.told.entry(function).or_insert_with(|| watch::channel(is_in).0).subscribe()
    }

    /// The function was deleted: those who follow it are told no more.
    pub fn forget(&self, function: FunctionId) {
        self.lock().told.remove(&function);
    }

    /// Sets the functions that are in it now.
    pub fn set(&self, members: HashSet<FunctionId>) {
        let mut state = self.lock();
        for changed in state.members.symmetric_difference(&members) {
            if let Some(told) = state.told.get(changed) {
                told.send_replace(members.contains(changed));
            }
        }
        state.members = members;
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
        let set = FunctionSet::default();
        let (one, other, late) = (FunctionId::new(), FunctionId::new(), FunctionId::new());
        let (mut first, mut second) = (set.follow(one), set.follow(other));
        assert!(!*first.borrow_and_update() && !*second.borrow_and_update());
        set.set([one, late].into());
        assert!(first.has_changed().unwrap() && *first.borrow_and_update());
        assert!(!second.has_changed().unwrap());
        assert!(*set.follow(late).borrow() && *set.follow(one).borrow());
        set.set([late].into());
        assert!(!*first.borrow_and_update() && !second.has_changed().unwrap());
        set.forget(one);
        assert!(first.has_changed().is_err(), "nobody tells of a function that was deleted");
    }
}

//! Replacing instances that have an old value of a secret, without harm to anybody who waits for one; and leaving a function to
//! others while its secrets cannot be read here. Pure, a part of [`Pool`](super::Pool).
//!
//! The pool is told which instances are *outdated*. Each is retired, for good: a rollback to its revision does not bring it back.
//!
//! - An idle one goes at once.
//! - A busy one is given nothing more, and goes after what it runs.
//! - One that loads its code is not stopped: those who wait have waited for its start, which would begin anew without it. It
//!   runs what had arrived before it was outdated, up to its places, and goes after that. What comes later gets another one.
//!
//! What comes afterwards gets new instances, and so does `min_instances`. An outdated one does not count among its function's
//! `max_instances`, or one long run on it would keep all other calls waiting; but with them there are at most twice as many. Its
//! memory counts until it is gone. Prewarmed instances and checks have no secrets, and stay.

use super::{Action, Instance, Life, Line, Pool, Rejection, Slot};
use crate::model::FunctionId;

impl Pool {
    /// The instance has an old value.
    pub(super) fn replace(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        let arrivals = self.arrivals;
        let Some(instance) = self.instances.get_mut(&slot) else { return };
        // From the first time on.
        instance.outdated.get_or_insert(arrivals);
        match instance.life {
            Life::Idle { .. } | Life::Busy => self.retire(slot, actions),
            Life::Starting => instance.retired = true,
            Life::Stopping => {}
        }
    }

    /// What has kept instances from starting may be gone.
    pub(super) fn secrets_changed(&mut self, function: FunctionId) {
        self.left_to_others.remove(&function);
        self.minimums.try_again(function);
    }

    /// No instance of the function could be started here.
    pub(super) fn leave_to_others(&mut self, function: FunctionId, actions: &mut Vec<Action>) {
        self.left_to_others.insert(function);
        self.minimums.forget(function);
        let of_function = self.instances.iter().filter(|(_, i)| i.key.function == function);
        for slot in of_function.map(|(slot, _)| *slot).collect::<Vec<_>>() {
            self.replace(slot, actions);
        }
        for (_, line) in self.lines.iter_mut().filter(|(key, _)| key.function == function) {
            give_back(line, Rejection::ToOthers, actions);
        }
    }

    /// A start has failed, and every other one of its revision would. Its work may come here again: the function's queues are
    /// open if another revision is active.
    pub(super) fn cannot_start_here(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        let Some(Instance { key, .. }) = self.instances.remove(&slot) else { return };
        if let Some(line) = self.lines.get_mut(&key) {
            give_back(line, Rejection::ToOthersLater, actions);
        }
    }
}

fn give_back(line: &mut Line, why: Rejection, actions: &mut Vec<Action>) {
    let waiting = line.sync.drain(..).chain(line.background.drain(..));
    actions.extend(waiting.map(|one| Action::Reject { work: one.work, why }));
}

//! Replacing the instances of a function whose secrets have changed, without harm to anybody who waits for one. Pure, a part
//! of [`Pool`](super::Pool).
//!
//! - An idle instance goes at once.
//! - A busy one is retired: it is given nothing more, and goes after what it runs.
//! - One that loads its code may have read the old value. Those who wait have waited for its start, which would begin anew
//!   without it; so it runs what waits when it is ready, up to its places, and goes after that. A call that came while it
//!   was loading may be the last one to see the old value.
//! - One whose sandbox is still being made has read nothing, and stays: it reads the new value.
//!
//! What comes afterwards gets new instances, and so does `min_instances`, within the usual limits: an instance on its way
//! out counts among its function's until it has stopped. Prewarmed instances and checks belong to no function, and stay.

use super::{Action, Life, Line, Pool, Rejection, Slot};
use crate::model::FunctionId;

impl Pool {
    /// `to_others`: no new instance could read the secrets here, so that what waits goes back to its queues.
    pub(super) fn renew(&mut self, function: FunctionId, to_others: bool, actions: &mut Vec<Action>) {
        let mut idle: Vec<Slot> = Vec::new();
        for (slot, instance) in &mut self.instances {
            if instance.key.function != function {
                continue;
            }
            match instance.life {
                Life::Idle { .. } => idle.push(*slot),
                Life::Busy => instance.retired = true,
                Life::Starting => instance.retired |= instance.is_made,
                Life::Stopping => {}
            }
        }
        for slot in idle {
            self.stop(slot, actions);
        }
        match to_others {
            true => {
                self.minimums.forget(function);
                self.give_back(function, actions);
            }
            false => self.minimums.try_again(function),
        }
    }

    fn give_back(&mut self, function: FunctionId, actions: &mut Vec<Action>) {
        let lines = self.lines.iter_mut().filter(|(key, _)| key.function == function);
        for Line { sync, background, .. } in lines.map(|(_, line)| line) {
            let waiting = sync.drain(..).chain(background.drain(..));
            actions
                .extend(waiting.map(|one| Action::Reject { work: one.work, why: Rejection::ToOthers }));
        }
    }
}

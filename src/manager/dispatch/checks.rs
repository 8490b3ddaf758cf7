//! Load checks of the dispatcher: asked for, begun, stopped.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{
    super::{
        code_check::GivenCheck,
        commands::{Command, Order},
        instance::{load_once, shape::Shape},
        pool::{CheckId, Event, Slot},
    },
    Dispatcher,
};

impl Dispatcher {
    pub(super) fn check(&mut self, check: GivenCheck) {
        let id = CheckId(self.next_check);
        self.next_check += 1;
        let spec = &check.revision.spec;
        let class = Shape::of(spec).map(|shape| self.shapes.class(shape));
        let (memory, deadline) = (spec.memory_bytes, Instant::now() + self.shared.limits.check_wait);
        self.checks.insert(id, check);
        self.apply(Event::CheckWanted { check: id, class, memory, deadline });
    }

    /// In an ordinary start.
    pub(super) fn start_check(&mut self, slot: Slot, check: CheckId) {
        let Some((check, stop)) = self.begin_check(slot, check) else {
            return self.tell(Command::Gone { slot });
        };
        let (shared, commands) = (self.shared.clone(), self.commands.clone());
        self.shared.tasks.spawn(load_once::start(shared, commands, slot, check, stop));
    }

    /// In a prewarmed instance.
    pub(super) fn take_for_check(&mut self, slot: Slot, check: CheckId) {
        let sender = self.prewarmed.remove(&slot);
        if let (Some((check, stop)), Some(sender)) = (self.begin_check(slot, check), sender)
            && let Err(Order::Check(check, _)) = sender.send(Order::Check(check, stop))
        {
            // It has just ended, and its `Ended` is on the way.
            if let Some((id, _)) = self.checking.get(&slot) {
                self.checks.insert(*id, check);
            }
        }
    }

    fn begin_check(&mut self, slot: Slot, id: CheckId) -> Option<(GivenCheck, CancellationToken)> {
        let check = self.checks.remove(&id)?;
        let stop = CancellationToken::new();
        self.checking.insert(slot, (id, stop.clone().drop_guard()));
        Some((check, stop))
    }
}

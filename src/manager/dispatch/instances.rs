//! Instances of the dispatcher: started, prewarmed, taken, stopped.

use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::{
    super::{
        commands::{Command, Order},
        instance::{self, prewarm},
        pool::{Class, Event, Key, Slot},
        start_failure::StartFailure,
    },
    Dispatcher, Instance,
};
use crate::{
    model::{FunctionId, Revision},
    runtime,
};

impl Dispatcher {
    pub(super) fn start(&mut self, slot: Slot, key: Key) {
        let Some(revision) = self.starting(slot, key) else { return };
        let (shared, commands) = (self.shared.clone(), self.commands.clone());
        self.shared.tasks.spawn(instance::live(shared, commands, slot, revision));
        self.instances_changed();
    }

    pub(super) fn starting(&mut self, slot: Slot, key: Key) -> Option<Arc<Revision>> {
        let Some((revision, _)) = self.revisions.get(&key).cloned() else {
            tracing::error!(?key, "a start without a revision");
            self.tell(Command::Started { slot, result: Err(StartFailure::unknown_revision()) });
            return None;
        };
        self.instances.insert(slot, Instance { revision: revision.clone(), jobs: None, report: None });
        Some(revision)
    }

    pub(super) fn prewarm(&mut self, slot: Slot, class: Class) {
        let Some(shape) = self.shapes.get(class) else {
            tracing::error!(?class, "an instance of an unknown class");
            let (reason, output) = (format!("{class:?} is unknown"), String::new());
            let result = Err(runtime::Error::Start { reason, output, code: None });
            return self.tell(Command::Prewarmed { slot, result });
        };
        let (sender, taken) = oneshot::channel();
        self.prewarmed.insert(slot, sender);
        let (shared, commands) = (self.shared.clone(), self.commands.clone());
        self.shared.tasks.spawn(prewarm::live(shared, commands, slot, shape, taken));
    }

    /// One that has just ended does not take the revision any more: its `Ended` is on the way then.
    pub(super) fn take(&mut self, slot: Slot, key: Key) {
        let sender = self.prewarmed.remove(&slot);
        if let (Some(revision), Some(sender)) = (self.starting(slot, key), sender) {
            let _ = sender.send(Order::Serve(revision));
        }
    }

    pub(super) fn stop_instance(&mut self, slot: Slot) {
        self.prewarmed.remove(&slot);
        if let Some((id, _)) = self.checking.remove(&slot)
            && let Some(check) = self.checks.remove(&id)
        {
            check.preempt();
        }
        if let Some(instance) = self.instances.get_mut(&slot) {
            tracing::debug!(function = %instance.revision.name, "instance stops");
            instance.jobs = None;
        }
    }

    /// Notes the result of a start. A function that the platform cannot start here stalls.
    pub(super) fn start_ended(&mut self, slot: Slot, failure: Option<&StartFailure>) {
        let Some(instance) = self.instances.get(&slot) else { return };
        let revision = instance.revision.clone();
        let (function, name) = (revision.function, revision.name.clone());
        match failure {
            Some(failure) => {
                self.shared.not_kept.failed(&revision, failure.reason(), self.shared.clock.now());
            }
            None => self.shared.not_kept.forget(function),
        }
        let is_live = |one: &Instance| {
            one.jobs.is_some()
                && one.revision.function == function
                && one.revision.number == revision.number
        };
        let changed = match failure {
            // Others of its revision do the work, and the pool starts none beside them for a while.
            Some(StartFailure::Platform(_)) if self.instances.values().any(is_live) => false,
            Some(StartFailure::Platform(_)) => self.stalls.failed(function, Instant::now()),
            // Not for a while, but for as long as the key is missing: whoever follows the function's secrets sees to that.
            Some(StartFailure::NoKey(_)) => false,
            // Its code was run; or there will be another start at once.
            Some(_) | None => self.stalls.succeeded(function),
        };
        if !changed {
            return;
        }
        self.stalled.set(self.stalls.stalled());
        if self.stalls.is_stalled(function) {
            tracing::warn!(function = %name, "no instance can be started here; its queued invocations are left to others for a while");
            self.apply(Event::Stalled { function });
        }
    }

    /// Its code has changed, or it is gone.
    pub(super) fn forget_stall(&mut self, function: FunctionId) {
        self.shared.not_kept.forget(function);
        if self.stalls.succeeded(function) {
            self.stalled.set(self.stalls.stalled());
        }
    }

    /// Takes work again for functions whose pause is over; if their next start fails, they stall again.
    pub(super) fn try_stalled_again(&mut self) {
        if self.stalls.try_again(Instant::now()) {
            self.stalled.set(self.stalls.stalled());
        }
    }
}

//! Work of the dispatcher: admitted to the pool, handed to an instance, or rejected.

use std::{collections::HashSet, time::Duration};

use tokio::sync::mpsc;

use super::{
    super::{
        commands::Job,
        instance::shape::Shape,
        logs::Sink,
        pool::{Event, Key, Needs, Rejection, Slot, WorkId},
        start_failure::StartFailure,
        work::{Run, Work},
    },
    AwaitedReply, Dispatcher,
};
use crate::model::{Start, message::Verdict};

/// An async invocation whose instance could not be started is tried again after this long.
const START_RETRY: Duration = Duration::from_secs(5);

impl Dispatcher {
    pub(super) fn admit(&mut self, work: Box<Work>) -> Event {
        let id = WorkId(self.next_work);
        self.next_work += 1;
        let key = Key { function: work.invoke.function, revision: work.revision.number };
        let (shapes, revision) = (&mut self.shapes, &work.revision);
        let (_, class) = *self.revisions.entry(key).or_insert_with(|| {
            (revision.clone(), Shape::of(&revision.spec).map(|shape| shapes.class(shape)))
        });
        if let Some(reply_to) = work.invoke.reply_to.clone() {
            let revision = work.revision.number;
            self.awaited.insert(
                id,
                AwaitedReply { id: work.invoke.id, revision, reply_to, taken: work.taken, told: false },
            );
        }
        let spec = &work.revision.spec;
        let needs = Needs {
            max_instances: spec.scaling.max_instances,
            idle_timeout: spec.scaling.idle_timeout,
            memory: spec.memory_bytes,
            class,
        };
        let (mode, deadline) = (work.invoke.mode, work.deadline);
        self.waiting.insert(id, work);
        Event::Arrived { work: id, key, needs, mode, deadline }
    }

    /// Hands it to that instance.
    pub(super) fn run_work(&mut self, slot: Slot, work: WorkId, start: Start) {
        let Some(piece) = self.waiting.remove(&work) else { return };
        let jobs = self.instances.get(&slot).and_then(|instance| instance.jobs.as_ref());
        let job = Job { id: work, work: *piece, start };
        if let Err(mpsc::error::SendError(job)) = match jobs {
            Some(jobs) => jobs.send(job),
            None => Err(mpsc::error::SendError(job)),
        } {
            // It ended in this very moment: its `Ended` is on the way behind this.
            self.awaited.remove(&work);
            let run = Run::without_instance(not_run("the instance ended before it began", false));
            self.beside(|shared| async move { job.work.settle(&shared, run).await });
        }
    }

    pub(super) fn reject(&mut self, id: WorkId, why: Rejection) {
        self.awaited.remove(&id);
        let Some(work) = self.waiting.remove(&id) else { return };
        let (mut lines, mut instance_id) = (0, None);
        let verdict = match why {
            Rejection::Draining => {
                return self.beside(|shared| async move { work.give_back(&shared).await });
            }
            Rejection::Expired => not_run("no instance became free in time", true),
            Rejection::StartFailed(slot) => {
                if let Some((instance, output)) = self.load_outputs.get_mut(&slot) {
                    // The first of those that waited has the output; all know whose load it was.
                    let (id, output) = (*instance, std::mem::take(output));
                    instance_id = Some(id);
                    let invocation = Some((work.invoke.id, work.attempt));
                    lines = output.write(Sink::new(&self.shared, &work.revision, id, invocation));
                }
                let failure =
                    self.failures.get(&slot).cloned().unwrap_or_else(StartFailure::unknown_revision);
                failure.verdict(START_RETRY)
            }
        };
        let run = Run { lines, instance: instance_id, ..Run::without_instance(verdict) };
        self.beside(|shared| async move { work.settle(&shared, run).await });
    }

    pub(super) fn forget_unused_revisions(&mut self) {
        let used: HashSet<Key> = self
            .instances
            .values()
            .map(|instance| &instance.revision)
            .chain(self.waiting.values().map(|work| &work.revision))
            .map(|revision| Key { function: revision.function, revision: revision.number })
            .collect();
        self.revisions.retain(|key, _| used.contains(key));
    }
}

fn not_run(reason: &str, throttled: bool) -> Verdict {
    Verdict::NotRun { reason: reason.to_owned(), throttled, delay: START_RETRY }
}

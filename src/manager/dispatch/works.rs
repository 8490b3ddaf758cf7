//! Work of the dispatcher: admitted to the pool, handed to an instance, or rejected.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::{
    super::{
        begin,
        commands::Job,
        instance::shape::Shape,
        logs::Sink,
        pool::{Event, Key, Needs, Rejection, Slot, WorkId},
        retry,
        start_failure::StartFailure,
        work::{Run, Work},
    },
    AwaitedReply, Dispatcher,
};
use crate::model::{Revision, Scaling, Start, message::Verdict};

/// An async invocation whose instance could not be started is tried again after this long.
const START_RETRY: Duration = Duration::from_secs(5);

impl Dispatcher {
    pub(super) fn admit(&mut self, work: Box<Work>) -> Event {
        let id = WorkId(self.next_work);
        self.next_work += 1;
        let key = Key { function: work.invoke.function, revision: work.revision.number };
        let needs = self.needs(key, &work.revision);
        if let Some(reply_to) = work.invoke.reply_to.clone() {
            let revision = work.revision.number;
            self.awaited.insert(
                id,
                AwaitedReply { id: work.invoke.id, revision, reply_to, taken: work.taken, told: None },
            );
        }
        let (mode, deadline) = (work.invoke.mode, work.deadline);
        self.waiting.insert(id, work);
        Event::Arrived { work: id, key, needs, mode, deadline }
    }

    /// Remembers the revision, and returns what it asks of the pool.
    pub(super) fn needs(&mut self, key: Key, revision: &Arc<Revision>) -> Needs {
        let shapes = &mut self.shapes;
        let (_, class) = *self.revisions.entry(key).or_insert_with(|| {
            (revision.clone(), Shape::of(&revision.spec).map(|shape| shapes.class(shape)))
        });
        let Scaling { idle_timeout, max_instances, min_instances, concurrency } = revision.spec.scaling;
        let memory = revision.spec.memory_bytes;
        Needs { max_instances, min_instances, concurrency, idle_timeout, memory, class }
    }

    /// Takes work that was delivered again. If it still waits here, its new delivery replaces the old one. That is acked:
    /// either its connection is lost, or it is another message of the same invocation, which would come back for ever.
    pub(super) fn take_again(&mut self, mut work: Box<Work>) {
        let waiting = self.waiting.values_mut();
        match waiting.into_iter().find(|waiting| waiting.invoke.id == work.invoke.id) {
            Some(waiting) => {
                std::mem::swap(&mut waiting.delivery, &mut work.delivery);
                self.shared.tasks.spawn(work.delivery.ack().map(drop));
            }
            None => {
                let event = self.admit(work);
                self.apply(event);
            }
        }
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
            let commands = self.commands.clone();
            self.beside(|shared| async move { begin::hand_on(job.work, &shared, &commands).await });
        }
    }

    pub(super) fn reject(&mut self, id: WorkId, why: Rejection) {
        self.awaited.remove(&id);
        let Some(work) = self.waiting.remove(&id) else { return };
        let commands = self.commands.clone();
        match why {
            Rejection::ToOthers => self.beside(|shared| async move { work.give_back(&shared).await }),
            Rejection::ToOthersLater => self.beside(|shared| async move {
                let _ = tokio::time::timeout(retry::PAUSE, shared.given_up.cancelled()).await;
                work.give_back(&shared).await;
            }),
            Rejection::Outdated => {
                self.beside(|shared| async move { begin::admit_again(*work, &shared, &commands) });
            }
            Rejection::Deleted => self.beside(|shared| async move { work.cancel(&shared).await }),
            Rejection::Expired => self.beside(|shared| async move {
                let verdict = not_run("no instance became free in time", true);
                work.settle(&shared, Run::without_instance(verdict)).await;
            }),
            Rejection::StartFailed(slot) => self.start_failed(*work, slot),
        }
    }

    /// The failure answers this one, of those that waited for the start. An async invocation is claimed for that: its
    /// record shows it.
    fn start_failed(&mut self, work: Work, slot: Slot) {
        // The first of them has the output; all know whose load it was.
        let output = self.load_outputs.get_mut(&slot);
        let output = output.map(|(instance, output)| (*instance, std::mem::take(output)));
        let failure = self.failures.get(&slot).cloned().unwrap_or_else(StartFailure::unknown_revision);
        let commands = self.commands.clone();
        self.beside(|shared| async move {
            let Some(work) = begin::claim(work, &shared, &commands).await else { return };
            let verdict = match failure {
                // It did begin, in a way; and nobody else may ever end it.
                StartFailure::Image(reason) if work.claim.is_some() => Verdict::Unfinished { reason },
                failure => failure.verdict(START_RETRY),
            };
            let mut run = Run::without_instance(verdict);
            if let Some((instance, output)) = output {
                let invocation = Some((work.invoke.id, work.attempt()));
                run.instance = Some(instance);
                run.lines = output.write(Sink::new(&shared, &work.revision, instance, invocation));
            }
            work.settle(&shared, run).await;
        });
    }

    pub(super) fn forget_unused_revisions(&mut self) {
        let used: HashSet<Key> = self
            .instances
            .values()
            .map(|instance| &instance.revision)
            .chain(self.waiting.values().map(|work| &work.revision))
            .map(|revision| Key { function: revision.function, revision: revision.number })
            .collect();
        let pool = &self.pool;
        self.revisions.retain(|key, _| used.contains(key) || pool.keeps(*key));
    }
}

fn not_run(reason: &str, throttled: bool) -> Verdict {
    Verdict::NotRun { reason: reason.to_owned(), throttled, deleted: false, delay: START_RETRY }
}

//! An instance at work on several jobs at a time. Each is a future of the instance's own task, so that what they share
//! needs no other task; only the pool counts them.
//!
//! An attempt that overruns its time is answered at once, and the pool gives the instance nothing more. It is removed when
//! the last one has ended. When its guest is lost, all attempts under way are, for the same reason.

use std::{
    future::pending,
    mem::take,
    pin::{Pin, pin},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::{mpsc, watch};

use super::{
    super::{
        begin,
        commands::{Command, Commands, Job},
        lives::Life,
        logs::{LoadOutput, Sink},
        pool::Slot,
        work::Work,
    },
    Instance,
    attempt::{AttemptContext, End},
    crash::{Lost, crash},
    memory_kills::MemoryKills,
    serve::pause,
};
use crate::{
    model::{InvocationId, Start},
    runtime::{Calls, GuestError, Sandbox},
};

/// Reason for ending attempts that the guest has not answered.
#[derive(Clone)]
enum Over {
    No,
    /// The guest was lost.
    Lost(Lost),
    /// The instance is removed for the sake of another attempt.
    Stopped,
    /// The manager stops.
    GivenUp,
}

/// The reason why an attempt has no end.
enum Abandoned {
    /// The lease was ended under which it began: somebody else may run it by now.
    LeaseLost,
    GivenUp,
}

/// The fate of an instance after an attempt.
#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    /// Its attempts must not run on.
    Kill,
}

impl Instance {
    /// Runs jobs, as many as there are at a time, until there are no more or the guest is of no use.
    pub(super) async fn serve_several(
        &mut self,
        commands: &Commands,
        slot: Slot,
        jobs: &mut mpsc::UnboundedReceiver<Job>,
    ) {
        let (shared, revision, container) =
            (self.shared.clone(), self.revision.clone(), self.short_id());
        let context = self.context().held_by(&shared, &revision);
        let load_output = Mutex::new(take(&mut self.load_output));
        let (tell, over) = watch::channel(Over::No);
        let (calls, mut several) = self.guest.several();
        let (sandbox, memory_kills) = (&*self.sandbox, take(&mut self.memory_kills));
        let running = AtomicUsize::new(0);
        let attempts = Attempts {
            context,
            calls,
            sandbox,
            memory_kills,
            commands,
            slot,
            load_output,
            over,
            running,
        };
        let mut sink = Sink::new(&shared, &revision, self.id, None);
        let mut between = |line| sink.write(line);
        let mut carrying = pin!(several.run(&mut between));
        // Once, and not for each invocation: to begin and to end a wait takes locks that all instances share.
        let mut given_up = pin!(shared.given_up.cancelled());
        let mut lost = pin!(shared.lives.now().lost.clone().cancelled_owned());
        let mut under_way = FuturesUnordered::new();
        let mut crashing: Option<Pin<Box<_>>> = None;
        let (mut is_alive, mut has_jobs) = (true, true);
        while has_jobs || !under_way.is_empty() {
            let is_held = !attempts.load_output().is_empty();
            tokio::select! {
                biased;
                // Its sandbox is about to be removed, which must not look like a crash.
                () = &mut given_up, if !under_way.is_empty() => {
                    tell.send_replace(Over::GivenUp);
                    break;
                }
                () = &mut lost, if !under_way.is_empty() => {
                    lost.set(shared.lives.now().lost.clone().cancelled_owned());
                    // Each looks whether it was its own.
                    tell.send_modify(|_| ());
                }
                // Before the carrier: a guest that floods its output uses all that one turn of this task may do. These come
                // to an end, as they get nothing new while it has no turn.
                Some(after) = under_way.next() => if after == After::Kill {
                    tell.send_replace(Over::Stopped);
                    // At once: somebody else may run by now what it runs, and to settle all that may take long.
                    self.sandbox.remove().await;
                    break;
                },
                job = jobs.recv(), if has_jobs => match job {
                    // Where the guest is lost it is handed on, which may take long, and must not hold up the others.
                    Some(job) => under_way.push(attempts.attempt(job)),
                    None => has_jobs = false,
                },
                error = &mut carrying, if is_alive => {
                    is_alive = false;
                    let _ = commands.send(Command::Ended { slot });
                    if under_way.is_empty() {
                        tracing::warn!(function = %revision.name, container, %error, "instance ended while idle");
                    }
                    crashing = Some(Box::pin(crash(&*self.sandbox, &revision.spec, error)));
                }
                why = end_of(&mut crashing), if crashing.is_some() => {
                    crashing = None;
                    tell.send_replace(Over::Lost(why));
                }
                () = pause(is_held) => drop(attempts.write_load_output(None)),
            }
        }
        while under_way.next().await.is_some() {}
        // What was handed over in the last moment has not begun.
        jobs.close();
        while let Some(job) = jobs.recv().await {
            attempts.hand_on(job).await;
        }
        attempts.write_load_output(None);
    }
}

async fn end_of<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Everything that the attempts of an instance share.
struct Attempts<'a> {
    context: AttemptContext<'a>,
    calls: Calls,
    sandbox: &'a dyn Sandbox,
    memory_kills: MemoryKills,
    commands: &'a Commands,
    slot: Slot,
    load_output: Mutex<LoadOutput>,
    over: watch::Receiver<Over>,
    /// The number of attempts that begin or run.
    running: AtomicUsize,
}

/// One of those that are counted, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Attempts<'_> {
    /// Runs a job and answers it.
    async fn attempt(&self, job: Job) -> After {
        if self.is_over() {
            self.hand_on(job).await;
            return After::GoOn;
        }
        let (shared, Job { id, work, start }) = (self.context.shared, job);
        let finished = |usable| {
            let _ = self.commands.send(Command::Finished { slot: self.slot, work: id, usable });
        };
        if work.is_too_late(Instant::now()) {
            finished(true);
            begin::too_late(work, shared).await;
            return After::GoOn;
        }
        let counted = Counted::new(&self.running);
        let claimed = match work.needs_claim() {
            true => begin::claim(work, shared, self.commands).await,
            false => Some(work),
        };
        let Some(mut work) = claimed else {
            finished(true);
            return After::GoOn;
        };
        // While it was claimed.
        if self.is_over() {
            finished(false);
            let is_lease_lost = work.claim.as_ref().is_some_and(|claim| claim.life.lost.is_cancelled());
            match is_lease_lost {
                true => work.abandon(shared).await,
                false => begin::did_not_begin(work, shared).await,
            }
            return After::GoOn;
        }
        // A cold start's invocations are those that waited; the first of them has the output of the load. Where nobody
        // waited it is the instance's, and is written before anything runs.
        let waited = (start == Start::Cold).then_some((work.invoke.id, work.attempt()));
        let written = self.write_load_output(waited);
        let load_lines = if waited.is_some() { written } else { 0 };
        // Its lease may have been ended while its claim was on its way here.
        let life = work.claim.as_ref().map(|claim| claim.life.clone());
        let life = life.unwrap_or_else(|| shared.lives.now());
        let begun = Instant::now();
        let (end, lines) = match self.run(&mut work, start, begun, &life).await {
            Ok(ended) => ended,
            Err(Abandoned::GivenUp) => {
                work.abandon(shared).await;
                return After::GoOn;
            }
            Err(Abandoned::LeaseLost) => {
                finished(false);
                work.abandon(shared).await;
                return After::Kill;
            }
        };
        let usable = matches!(end, End::Finished(_) | End::Crashed(_));
        // Nothing is stopped while others run.
        let end = match end {
            End::TimedOut(limit) if !counted.is_alone() => End::Overran(limit),
            end => end,
        };
        drop(counted);
        let mut run = self.context.run(&work, start, begun, end, lines);
        run.lines += load_lines;
        // Before the answer: whoever has it and comes back at once finds its place free.
        finished(usable);
        work.settle(shared, run).await;
        After::GoOn
    }

    /// Returns whether nothing can begin any more.
    fn is_over(&self) -> bool {
        self.calls.is_closed() || matches!(*self.over.borrow(), Over::Lost(_) | Over::Stopped)
    }

    /// Runs it in the guest; returns its end and the number of lines that it wrote.
    async fn run(
        &self,
        work: &mut Work,
        start: Start,
        begun: Instant,
        life: &Life,
    ) -> Result<(End, u64), Abandoned> {
        let AttemptContext { shared, revision, id, .. } = self.context;
        let invoke = self.context.invoke(work, start);
        let limit = revision.spec.timeout;
        let mut sink = Sink::new(shared, revision, id, Some((work.invoke.id, work.attempt())));
        let mut write = |line| sink.write(line);
        let answer = async {
            match self.calls.invoke(&invoke, &work.payload, limit, &mut write).await {
                Ok(finished) => {
                    self.memory_kills.end(self.sandbox, &revision.spec, begun, finished).await
                }
                Err(GuestError::TimedOut(limit)) => End::TimedOut(limit),
                // The reason is found once for all attempts.
                Err(_) => pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            end = answer => end,
            over = self.over(life) => over?,
        };
        Ok((end, sink.lines))
    }

    /// Waits for an end that does not come from the guest.
    async fn over(&self, life: &Life) -> Result<End, Abandoned> {
        let mut over = self.over.clone();
        loop {
            match &*over.borrow_and_update() {
                Over::Lost(why) => return Ok(End::Lost(why.clone())),
                Over::GivenUp => return Err(Abandoned::GivenUp),
                _ if life.lost.is_cancelled() => return Err(Abandoned::LeaseLost),
                Over::Stopped => {
                    let reason = "its instance was stopped, as this manager had lost its lease";
                    return Ok(End::Lost(Lost::FromOutside(reason.to_owned())));
                }
                Over::No => {}
            }
            if over.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// Gives a job back that has not begun.
    async fn hand_on(&self, job: Job) {
        let (slot, work) = (self.slot, job.id);
        let _ = self.commands.send(Command::Finished { slot, work, usable: false });
        begin::hand_on(job.work, self.context.shared, self.commands).await;
    }

    fn load_output(&self) -> std::sync::MutexGuard<'_, LoadOutput> {
        self.load_output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the output of the load, as that invocation's, or as the instance's own.
    fn write_load_output(&self, invocation: Option<(InvocationId, u32)>) -> u64 {
        let output = take(&mut *self.load_output());
        let AttemptContext { shared, revision, id, .. } = self.context;
        output.write(Sink::new(shared, revision, id, invocation))
    }
}

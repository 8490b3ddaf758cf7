//! The one task that owns the pool: it turns what happens into events and performs the actions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Shared,
    checks::CheckId,
    instance::{self, Failure, Job, Live},
    load_once::{self, Given},
    logs::{LoadOutput, Sink},
    pool::{Action, Event, Key, Limits, Needs, Pool, Rejection, Slot, WorkId},
    prewarm::{self, Complaint, Order},
    shape::{Shape, Shapes},
    stock::{Class, Stock},
    work::{self, Run, Work},
};
use crate::{
    model::{
        FunctionId, FunctionSpec, InstanceId, InvocationId, Revision, RevisionNumber,
        message::{Invoke, Verdict},
    },
    queue::Delivery,
    runtime,
    store::ReportedInstance,
    units::show_duration,
};

/// A sync invocation that has not ended after this long is reported as under way.
const UNDERWAY_AFTER: Duration = Duration::from_secs(1);
/// How often such invocations are looked for, while there is any sync work at all.
const UNDERWAY_CHECK: Duration = Duration::from_millis(500);
/// Another manager that still has a message says so within this time ([`UNDERWAY_AFTER`], looked for every
/// [`UNDERWAY_CHECK`], and the way), or has answered by then.
const WORD_OF_OTHERS: Duration = Duration::from_secs(2);
/// An async invocation whose instance could not be started is tried again after this long.
const START_RETRY: Duration = Duration::from_secs(5);

/// What happened, told to the dispatcher.
pub enum Command {
    Work(Box<Work>),
    Started {
        slot: Slot,
        result: Result<Live, Failure>,
    },
    /// Output of a load that failed; `Started` with the failure follows.
    LoadOutput {
        slot: Slot,
        instance: InstanceId,
        output: LoadOutput,
    },
    /// An instance waits to be taken, or was not made.
    Prewarmed {
        slot: Slot,
        result: Result<(), runtime::Error>,
    },
    Finished {
        slot: Slot,
        work: WorkId,
        usable: bool,
    },
    Ended {
        slot: Slot,
    },
    Gone {
        slot: Slot,
    },
    Active {
        function: FunctionId,
        revision: Option<RevisionNumber>,
    },
    ImageMade,
    /// A sync message that has been in somebody's hands before: its caller has to be told, unless it is still
    /// in ours.
    Redelivered {
        invoke: Box<Invoke>,
        delivery: Delivery,
    },
    /// A revision's code is to be loaded once, before the revision exists.
    Check(Given),
    CheckLoaded {
        slot: Slot,
    },
    /// The prewarmed instance that a check was given was dead.
    CheckAgain {
        slot: Slot,
        check: Given,
    },
    Drain,
}

/// The way to the dispatcher. Unbounded, since what is in it is bounded by the prefetch of the
/// consumers and by the number of instances.
#[derive(Clone)]
pub struct Dispatch {
    commands: mpsc::UnboundedSender<Command>,
    live: watch::Receiver<Arc<HashSet<FunctionId>>>,
}

impl Dispatch {
    pub fn send(&self, command: Command) {
        // The dispatcher ends only after a drain, when nobody has anything to say any more.
        let _ = self.commands.send(command);
    }

    pub fn drain(&self) {
        self.send(Command::Drain);
    }

    /// The functions that have a live instance here, as it changes.
    pub fn live(&self) -> watch::Receiver<Arc<HashSet<FunctionId>>> {
        self.live.clone()
    }
}

struct Instance {
    revision: Arc<Revision>,
    /// None while it starts and once it was told to stop.
    jobs: Option<mpsc::UnboundedSender<Job>>,
    report: Option<ReportedInstance>,
}

/// A sync invocation that waits or runs here, whose caller may have to be told that it takes longer.
struct Awaited {
    id: InvocationId,
    revision: RevisionNumber,
    reply_to: String,
    taken: Instant,
    /// He was.
    told: bool,
}

struct Dispatcher {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    pool: Pool,
    waiting: HashMap<WorkId, Box<Work>>,
    awaited: HashMap<WorkId, Awaited>,
    instances: HashMap<Slot, Instance>,
    /// The prewarmed ones; the sender takes what one is given to.
    prewarmed: HashMap<Slot, oneshot::Sender<Order>>,
    /// Those that wait.
    checks: HashMap<CheckId, Given>,
    /// Those that have an instance; dropped, the guard stops it.
    checking: HashMap<Slot, (CheckId, DropGuard)>,
    shapes: Shapes,
    complaint: Complaint,
    /// With the class whose prewarmed instances will do.
    revisions: HashMap<Key, (Arc<Revision>, Option<Class>)>,
    failures: HashMap<Slot, Failure>,
    /// Output of instances whose load failed, for the invocation that the failure answers.
    load_outputs: HashMap<Slot, (InstanceId, LoadOutput)>,
    live: watch::Sender<Arc<HashSet<FunctionId>>>,
    reports: watch::Sender<Vec<ReportedInstance>>,
    next_work: u64,
    next_check: u64,
    draining: bool,
    /// The manager stops.
    stop: CancellationToken,
}

/// Starts the dispatcher; its task ends after [`Dispatch::drain`], when nothing is left.
/// Instances for `usual` are prewarmed whether anybody asks for them or not.
pub fn start(
    shared: Arc<Shared>,
    usual: &FunctionSpec,
    stop: CancellationToken,
) -> (Dispatch, JoinHandle<()>) {
    let (commands, receiver) = mpsc::unbounded_channel();
    let (live, live_receiver) = watch::channel(Arc::default());
    let (reports, reports_receiver) = watch::channel(Vec::new());
    tokio::spawn(report_instances(shared.clone(), reports_receiver));
    let limits =
        Limits { max_starts: shared.limits.max_starts, memory_budget: shared.limits.memory_budget };
    let keep_alive = shared.limits.keep_alive;
    let mut shapes = Shapes::default();
    let stock = match (shared.limits.prewarm_budget, Shape::of(usual)) {
        (0, _) | (_, None) => Stock::default(),
        (budget, Some(shape)) => Stock::new(budget, (shapes.class(shape), usual.memory_bytes)),
    };
    let dispatcher = Dispatcher {
        shared,
        commands: commands.clone(),
        pool: Pool::new(limits).keeping(keep_alive).prewarming(stock),
        waiting: HashMap::new(),
        awaited: HashMap::new(),
        instances: HashMap::new(),
        prewarmed: HashMap::new(),
        checks: HashMap::new(),
        checking: HashMap::new(),
        shapes,
        complaint: Complaint::default(),
        revisions: HashMap::new(),
        failures: HashMap::new(),
        load_outputs: HashMap::new(),
        live,
        reports,
        next_work: 0,
        next_check: 0,
        draining: false,
        stop,
    };
    let task = tokio::spawn(dispatcher.run(receiver));
    (Dispatch { commands, live: live_receiver }, task)
}

impl Dispatcher {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut underway = tokio::time::interval(UNDERWAY_CHECK);
        underway.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        let mut armed: Option<Instant> = None;
        // The first prewarmed instances.
        self.apply(Event::Tick);
        loop {
            if self.draining && self.pool.is_empty() && self.instances.is_empty() {
                return;
            }
            // Deadlines move with every invocation, mostly away: one that was set too early costs a tick for
            // nothing once in a while, setting each anew would cost every invocation.
            if let Some(deadline) = self.pool.next_deadline()
                && armed.is_none_or(|armed| deadline < armed)
            {
                timer.as_mut().reset(deadline.into());
                armed = Some(deadline);
            }
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.handle(command),
                    None => return,
                },
                () = &mut timer, if armed.is_some() => {
                    armed = None;
                    self.apply(Event::Tick);
                }
                _ = underway.tick(), if !self.awaited.is_empty() => self.tell_underway(),
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Work(work) => {
                let event = self.admit(work);
                self.apply(event);
            }
            Command::Started { slot, result: Ok(live) } => {
                if let Some(instance) = self.instances.get_mut(&slot) {
                    instance.jobs = Some(live.jobs);
                    instance.report = Some(live.report);
                }
                self.apply(Event::Started { slot });
                self.instances_changed();
            }
            Command::LoadOutput { slot, instance, output } => {
                self.load_outputs.insert(slot, (instance, output));
            }
            Command::Started { slot, result: Err(failure) } => {
                let instance = self.instances.remove(&slot);
                self.failures.insert(slot, failure);
                self.apply(Event::StartFailed { slot });
                self.failures.remove(&slot);
                if let (Some(instance), Some((id, output))) = (instance, self.load_outputs.remove(&slot))
                {
                    // Nobody has waited for it until its end.
                    output.write(Sink::new(&self.shared, &instance.revision, id, None));
                }
                self.instances_changed();
            }
            Command::Finished { slot, work, usable } => {
                self.awaited.remove(&work);
                self.apply(Event::Finished { slot, usable });
            }
            Command::Prewarmed { slot, result: Ok(()) } => {
                self.complaint.made();
                self.apply(Event::Started { slot });
            }
            Command::Prewarmed { slot, result: Err(error) } => {
                self.prewarmed.remove(&slot);
                self.complaint.failed(&error);
                self.apply(Event::StartFailed { slot });
            }
            Command::Ended { slot } => self.apply(Event::Ended { slot }),
            Command::Gone { slot } => {
                self.instances.remove(&slot);
                self.prewarmed.remove(&slot);
                self.checking.remove(&slot);
                self.apply(Event::Gone { slot });
                self.forget_unused_revisions();
                self.instances_changed();
            }
            Command::Active { function, revision } => {
                self.apply(Event::Active { function, revision });
            }
            Command::ImageMade => self.apply(Event::ImageMade),
            Command::Redelivered { invoke, delivery } => self.redelivered(*invoke, delivery),
            Command::Check(check) => self.check(check),
            Command::CheckLoaded { slot } => self.apply(Event::Started { slot }),
            Command::CheckAgain { slot, check } => {
                match self.checking.get(&slot) {
                    Some((id, _)) => drop(self.checks.insert(*id, check)),
                    None => check.preempt(),
                }
                self.apply(Event::Ended { slot });
            }
            Command::Drain => {
                self.draining = true;
                self.apply(Event::Drain);
            }
        }
    }

    fn admit(&mut self, work: Box<Work>) -> Event {
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
                Awaited { id: work.invoke.id, revision, reply_to, taken: work.taken, told: false },
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

    fn check(&mut self, check: Given) {
        let id = CheckId(self.next_check);
        self.next_check += 1;
        let spec = &check.revision.spec;
        let class = Shape::of(spec).map(|shape| self.shapes.class(shape));
        let (memory, deadline) = (spec.memory_bytes, Instant::now() + self.shared.limits.check_wait);
        self.checks.insert(id, check);
        self.apply(Event::CheckWanted { check: id, class, memory, deadline });
    }

    fn apply(&mut self, event: Event) {
        let now = Instant::now();
        for action in self.pool.handle(event, now) {
            self.perform(action);
        }
        if let Event::Finished { slot, usable: true } = event
            && let Some(until) = self.pool.idle_until(slot)
            && let Some(instance) = self.instances.get(&slot)
        {
            let after = show_duration(until - now);
            tracing::info!(
                function = instance.revision.name.as_str(),
                after,
                "idle, clean-up unless invoked"
            );
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { slot, key } => self.start(slot, key),
            Action::Prewarm { slot, class } => self.prewarm(slot, class),
            Action::Take { slot, key } => self.take(slot, key),
            Action::Run { slot, work, start } => {
                let Some(piece) = self.waiting.remove(&work) else { return };
                let jobs = self.instances.get(&slot).and_then(|instance| instance.jobs.as_ref());
                let job = Job { id: work, work: *piece, start };
                if let Err(mpsc::error::SendError(job)) = match jobs {
                    Some(jobs) => jobs.send(job),
                    None => Err(mpsc::error::SendError(job)),
                } {
                    // It ended in this very moment: its `Ended` is on the way behind this.
                    self.awaited.remove(&work);
                    let run =
                        Run::without_instance(not_run("the instance ended before it began", false));
                    self.beside(|shared| async move { job.work.settle(&shared, run).await });
                }
            }
            Action::Stop { slot } => {
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
            Action::Check { slot, check } => {
                let Some((check, stop)) = self.begin_check(slot, check) else {
                    return self.tell(Command::Gone { slot });
                };
                let (shared, commands) = (self.shared.clone(), self.commands.clone());
                self.shared.tracker.spawn(load_once::start(shared, commands, slot, check, stop));
            }
            Action::TakeForCheck { slot, check } => {
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
            Action::Skip { check, why } => {
                if let Some(check) = self.checks.remove(&check) {
                    check.skip(&self.shared, why);
                }
            }
            Action::Reject { work, why } => self.reject(work, why),
        }
    }

    fn begin_check(&mut self, slot: Slot, id: CheckId) -> Option<(Given, CancellationToken)> {
        let check = self.checks.remove(&id)?;
        let stop = CancellationToken::new();
        self.checking.insert(slot, (id, stop.clone().drop_guard()));
        Some((check, stop))
    }

    fn start(&mut self, slot: Slot, key: Key) {
        let Some(revision) = self.starting(slot, key) else { return };
        let (shared, commands) = (self.shared.clone(), self.commands.clone());
        self.shared.tracker.spawn(instance::live(shared, commands, slot, revision));
        self.instances_changed();
    }

    fn starting(&mut self, slot: Slot, key: Key) -> Option<Arc<Revision>> {
        let Some((revision, _)) = self.revisions.get(&key).cloned() else {
            tracing::error!(?key, "a start without a revision");
            self.tell(Command::Started { slot, result: Err(Failure::unknown_revision()) });
            return None;
        };
        self.instances.insert(slot, Instance { revision: revision.clone(), jobs: None, report: None });
        Some(revision)
    }

    fn prewarm(&mut self, slot: Slot, class: Class) {
        let Some(shape) = self.shapes.get(class) else {
            tracing::error!(?class, "an instance of an unknown class");
            let (reason, output) = (format!("{class:?} is unknown"), String::new());
            let result = Err(runtime::Error::Start { reason, output, code: None });
            return self.tell(Command::Prewarmed { slot, result });
        };
        let (sender, taken) = oneshot::channel();
        self.prewarmed.insert(slot, sender);
        let (shared, commands) = (self.shared.clone(), self.commands.clone());
        self.shared.tracker.spawn(prewarm::live(shared, commands, slot, shape, taken));
    }

    /// One that has just ended does not take the revision any more: its `Ended` is on the way then.
    fn take(&mut self, slot: Slot, key: Key) {
        let sender = self.prewarmed.remove(&slot);
        if let (Some(revision), Some(sender)) = (self.starting(slot, key), sender) {
            let _ = sender.send(Order::Serve(revision));
        }
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    fn reject(&mut self, id: WorkId, why: Rejection) {
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
                    self.failures.get(&slot).cloned().unwrap_or_else(Failure::unknown_revision);
                failure.verdict(START_RETRY)
            }
        };
        let run = Run { lines, instance: instance_id, ..Run::without_instance(verdict) };
        self.beside(|shared| async move { work.settle(&shared, run).await });
    }

    fn tell_underway(&mut self) {
        let is_late =
            |awaited: &&mut Awaited| !awaited.told && awaited.taken.elapsed() >= UNDERWAY_AFTER;
        let mut replies = Vec::new();
        for awaited in self.awaited.values_mut().filter(is_late) {
            awaited.told = true;
            let Awaited { id, revision, .. } = *awaited;
            let reply = work::bare_reply(&self.shared, id, revision, Verdict::Underway);
            replies.push((Some(awaited.reply_to.clone()), reply));
        }
        if replies.is_empty() {
            return;
        }
        self.beside(|shared| async move {
            for (to, reply) in replies {
                work::reply(&shared, to, reply).await;
            }
        });
    }

    /// The broker gives back what is in hand when it loses our connection, and what is in the hands of a manager
    /// that it has lost. Ours goes on, and its own answer is the true one. Of the other it is not known whether
    /// it ran: its caller is told so, after a pause in which whoever still has it can say that.
    fn redelivered(&mut self, invoke: Invoke, delivery: Delivery) {
        let is_ours = self.awaited.values().any(|awaited| awaited.id == invoke.id);
        let verdict = if is_ours { Verdict::Underway } else { Verdict::Interrupted };
        tracing::debug!(invocation = %invoke.id, ?verdict, "delivered again");
        let reply = work::bare_reply(&self.shared, invoke.id, invoke.revision, verdict);
        let stop = self.stop.clone();
        self.beside(move |shared| async move {
            if !is_ours {
                let _ = tokio::time::timeout(WORD_OF_OTHERS, stop.cancelled()).await;
            }
            drop(delivery.ack().await);
            work::reply(&shared, invoke.reply_to, reply).await;
        });
    }

    /// A broker that does not answer must not hold up the pool; the stop waits for these tasks.
    fn beside<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Arc<Shared>) -> F) {
        self.shared.tracker.spawn(task(self.shared.clone()));
    }

    /// Tells the consumers which functions are warm here, and the store which instances live.
    fn instances_changed(&self) {
        let live: HashSet<FunctionId> = self
            .instances
            .values()
            .filter(|instance| instance.jobs.is_some())
            .map(|instance| instance.revision.function)
            .collect();
        self.live.send_if_modified(|known| {
            let changed = **known != live;
            if changed {
                *known = Arc::new(live);
            }
            changed
        });
        self.reports.send_replace(self.instances.values().filter_map(|i| i.report.clone()).collect());
    }

    fn forget_unused_revisions(&mut self) {
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

/// Writes the live instances behind whenever they change; the newest state counts.
async fn report_instances(shared: Arc<Shared>, mut reports: watch::Receiver<Vec<ReportedInstance>>) {
    while reports.changed().await.is_ok() {
        let report = reports.borrow_and_update().clone();
        if let Err(error) = shared.store.report_instances(shared.owner, &report).await {
            tracing::warn!(error = %crate::error_chain::chain(&error), "instances not reported");
            tokio::time::sleep(Duration::from_secs(1)).await;
            reports.mark_changed();
        }
    }
}

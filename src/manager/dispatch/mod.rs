//! The one task that owns the pool: it turns what happens into events and performs the actions.

mod checks;
mod instances;
mod report;
mod underway;
mod works;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    code_check::GivenCheck,
    commands::{Command, Commands, Dispatch, Job, Order},
    function_set::FunctionSet,
    instance::{
        prewarm::PrewarmLog,
        shape::{Shape, Shapes},
    },
    logs::{LoadOutput, Sink},
    pool::{Action, CheckId, Class, Event, Key, Limits, Pool, Slot, Stock, WorkId},
    shared::Shared,
    stalls::Stalls,
    start_failure::StartFailure,
    work::Work,
};
use crate::{
    model::{FunctionSpec, InstanceId, Language, Revision},
    store::ReportedInstance,
    units::show_duration,
};
use underway::AwaitedReply;

struct Instance {
    revision: Arc<Revision>,
    /// None while it starts and once it was told to stop.
    jobs: Option<mpsc::UnboundedSender<Job>>,
    report: Option<ReportedInstance>,
}

struct Dispatcher {
    shared: Arc<Shared>,
    commands: Commands,
    pool: Pool,
    waiting: HashMap<WorkId, Box<Work>>,
    awaited: HashMap<WorkId, AwaitedReply>,
    instances: HashMap<Slot, Instance>,
    /// The prewarmed ones; the sender takes what one is given to.
    prewarmed: HashMap<Slot, oneshot::Sender<Order>>,
    /// Those that wait.
    checks: HashMap<CheckId, GivenCheck>,
    /// Those that have an instance; dropped, the guard stops it.
    checking: HashMap<Slot, (CheckId, DropGuard)>,
    shapes: Shapes,
    /// The class of each language's usual functions, and the memory of one instance.
    usual: HashMap<Language, (Class, u64)>,
    prewarm_log: PrewarmLog,
    /// With the class whose prewarmed instances will do.
    revisions: HashMap<Key, (Arc<Revision>, Option<Class>)>,
    failures: HashMap<Slot, StartFailure>,
    /// Output of instances whose load failed, for the invocation that the failure answers.
    load_outputs: HashMap<Slot, (InstanceId, LoadOutput)>,
    warm: Arc<FunctionSet>,
    stalls: Stalls,
    stalled: Arc<FunctionSet>,
    reports: watch::Sender<Vec<ReportedInstance>>,
    next_work: u64,
    next_check: u64,
    draining: bool,
    /// The manager stops.
    stop: CancellationToken,
}

/// Starts the dispatcher; its task ends after [`Dispatch::drain`], when nothing is left.
/// Instances for `usual`, one function of each language, are prewarmed whether anybody asks for them or not: for the
/// default language always, for another one from its first function on.
pub fn start(
    shared: Arc<Shared>,
    usual: &[FunctionSpec],
    stop: CancellationToken,
) -> (Dispatch, JoinHandle<()>) {
    let (commands, receiver) = mpsc::unbounded_channel();
    let (warm, stalled) = (Arc::<FunctionSet>::default(), Arc::<FunctionSet>::default());
    let (reports, reports_receiver) = watch::channel(Vec::new());
    shared.tasks.spawn_unawaited(report::report_instances(shared.clone(), reports_receiver));
    let limits = Limits {
        max_starts: shared.limits.max_starts.max(1),
        memory_budget: shared.limits.memory_budget,
    };
    let keep_alive = shared.limits.keep_alive;
    let mut shapes = Shapes::default();
    let classes = usual.iter().filter_map(|spec| {
        let shape = Shape::of(spec)?;
        Some((shape.language, (shapes.class(shape), spec.memory_bytes)))
    });
    let usual: HashMap<Language, (Class, u64)> = classes.collect();
    let always: Vec<_> = usual.get(&Language::DEFAULT).copied().into_iter().collect();
    let stock = match shared.limits.prewarm_budget {
        0 => Stock::default(),
        budget => Stock::new(budget, &always),
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
        usual,
        prewarm_log: PrewarmLog::default(),
        revisions: HashMap::new(),
        failures: HashMap::new(),
        load_outputs: HashMap::new(),
        warm: warm.clone(),
        stalls: Stalls::default(),
        stalled: stalled.clone(),
        reports,
        next_work: 0,
        next_check: 0,
        draining: false,
        stop,
    };
    let task = tokio::spawn(dispatcher.run(receiver));
    (Dispatch::new(commands, warm, stalled), task)
}

impl Dispatcher {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut underway = tokio::time::interval(underway::CHECK);
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
            let deadlines = self.pool.next_deadline().into_iter().chain(self.stalls.next_deadline());
            if let Some(deadline) = deadlines.min()
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
                    self.try_stalled_again();
                    self.apply(Event::Tick);
                }
                _ = underway.tick(), if !self.awaited.is_empty() => self.tell_underway(),
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Work(work) if work.is_delivered_again() => self.take_again(work),
            Command::Work(work) => {
                let event = self.admit(work);
                self.apply(event);
            }
            Command::Started { slot, result: Ok(live) } => {
                if let Some(instance) = self.instances.get_mut(&slot) {
                    instance.jobs = Some(live.jobs);
                    instance.report = Some(live.report);
                }
                self.start_ended(slot, None);
                self.apply(Event::Started { slot });
                self.instances_changed();
            }
            Command::Made { slot } => self.apply(Event::Made { slot }),
            Command::LoadOutput { slot, instance, output } => {
                self.load_outputs.insert(slot, (instance, output));
            }
            Command::Started { slot, result: Err(failure) } => {
                self.start_ended(slot, Some(&failure));
                let instance = self.instances.remove(&slot);
                let event = match &failure {
                    StartFailure::NoKey(_) => Event::CannotStartHere { slot },
                    StartFailure::Platform(_) => Event::StartFailed { slot, by_host: true },
                    _ => Event::StartFailed { slot, by_host: false },
                };
                self.failures.insert(slot, failure);
                self.apply(event);
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
                self.prewarm_log.made();
                self.apply(Event::Started { slot });
            }
            Command::Prewarmed { slot, result: Err(error) } => {
                self.prewarmed.remove(&slot);
                self.prewarm_log.failed(&error);
                self.apply(Event::StartFailed { slot, by_host: true });
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
                self.forget_stall(function);
                self.apply(Event::Active { function, revision });
            }
            Command::Keep { revision } => {
                let key = Key { function: revision.function, revision: revision.number };
                let needs = self.needs(key, &revision);
                self.apply(Event::Keep { key, needs });
                let (kept, wanted) = (self.pool.kept(key), needs.min_instances);
                if kept < wanted as usize {
                    let function = revision.name.as_str();
                    tracing::warn!(
                        function,
                        kept,
                        wanted,
                        "half of the memory budget is not enough for `min_instances`"
                    );
                }
            }
            Command::Outdated { slot } => self.apply(Event::Outdated { slot }),
            Command::SecretsChanged { function } => {
                // A value that kept it from starting may be gone.
                self.forget_stall(function);
                self.apply(Event::SecretsChanged { function });
            }
            Command::LeaveToOthers { function } => {
                self.forget_stall(function);
                self.apply(Event::LeaveToOthers { function });
            }
            Command::Deployed { language } => {
                if let Some(&(class, memory)) = self.usual.get(&language) {
                    self.apply(Event::Usual { class, memory });
                }
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
            Action::Run { slot, work, start } => self.run_work(slot, work, start),
            Action::Stop { slot } => self.stop_instance(slot),
            Action::Check { slot, check } => self.start_check(slot, check),
            Action::TakeForCheck { slot, check } => self.take_for_check(slot, check),
            Action::Skip { check, why } => {
                if let Some(check) = self.checks.remove(&check) {
                    check.skip(self.shared.limits.check_wait, why);
                }
            }
            Action::Reject { work, why } => self.reject(work, why),
        }
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// A broker that does not answer must not hold up the pool; the stop waits for these tasks.
    fn beside<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Arc<Shared>) -> F) {
        self.shared.tasks.spawn(task(self.shared.clone()));
    }
}

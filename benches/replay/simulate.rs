//! The manager's own pool in virtual time: a queue of what happens next stands in for the containers, the
//! functions and the clock.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use cloudfunc::{
    manager::pool::{Action, Event, Key, Limits, Needs, Pool, Slot, WorkId},
    model::{FunctionId, Mode, RevisionNumber, Start},
    settings::KeepAlivePolicy,
};

use super::trace::Trace;

/// The platform that a trace is replayed on.
#[derive(Clone, Debug)]
pub struct Setup {
    pub policy: KeepAlivePolicy,
    /// Bytes.
    pub memory_budget: u64,
    pub max_starts: usize,
    pub max_instances: u32,
    pub idle_timeout: Duration,
    pub queue_wait: Duration,
    /// From the decision to start an instance until it can run, for each function of the trace.
    pub cold_starts: Vec<Duration>,
    /// From the decision to stop an instance until its memory is free.
    pub stop: Duration,
    /// What the platform adds to every run.
    pub overhead: Duration,
}

/// What came of an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// None: it was not run.
    pub start: Option<Start>,
    /// From its arrival to its end: waiting, the start if there was one, and the run.
    pub total: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// As the calls of the trace.
    pub calls: Vec<Done>,
    /// Idle instances that had to make room.
    pub evictions: u64,
    /// Memory of idle instances over time.
    pub idle_gib_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Gone(Slot),
    Started(Slot),
    Finished(Slot, usize),
    Arrives(usize),
}

struct World<'a> {
    trace: &'a Trace,
    setup: &'a Setup,
    pool: Pool,
    begun: Instant,
    /// With a number that keeps the order of what happens at once.
    next: BinaryHeap<Reverse<(Instant, u64, Happens)>>,
    number: u64,
    functions: HashMap<Slot, usize>,
    idle: HashMap<Slot, Idle>,
    seen: Replayed,
}

#[derive(Clone, Copy)]
struct Idle {
    since: Instant,
    until: Instant,
}

/// Replays all of it. Ends with the last run: what idles then is not waited for.
pub fn replay(trace: &Trace, setup: &Setup) -> Replayed {
    let limits = Limits { max_starts: setup.max_starts, memory_budget: setup.memory_budget };
    let not_run = Done { start: None, total: Duration::ZERO };
    let mut world = World {
        trace,
        setup,
        pool: Pool::new(limits).keeping(setup.policy),
        begun: Instant::now(),
        next: BinaryHeap::new(),
        number: 0,
        functions: HashMap::new(),
        idle: HashMap::new(),
        seen: Replayed { calls: vec![not_run; trace.calls.len()], ..Replayed::default() },
    };
    for (index, call) in trace.calls.iter().enumerate() {
        world.happens(world.begun + call.at, Happens::Arrives(index));
    }
    world.run();
    world.seen
}

impl World<'_> {
    fn happens(&mut self, at: Instant, what: Happens) {
        self.number += 1;
        self.next.push(Reverse((at, self.number, what)));
    }

    fn run(&mut self) {
        let mut now = self.begun;
        while let Some(Reverse((at, _, what))) = self.next.pop() {
            while let Some(due) = self.pool.next_deadline().filter(|due| *due <= at) {
                now = now.max(due);
                self.tell(Event::Tick, now);
            }
            now = at;
            match what {
                Happens::Arrives(index) => self.tell(self.arrived(index), now),
                Happens::Started(slot) => {
                    self.tell(Event::Started { slot }, now);
                    self.idles(slot, now);
                }
                Happens::Finished(slot, index) => {
                    self.seen.calls[index].total = now - (self.begun + self.trace.calls[index].at);
                    self.tell(Event::Finished { slot, usable: true }, now);
                    self.idles(slot, now);
                }
                Happens::Gone(slot) => {
                    self.functions.remove(&slot);
                    self.tell(Event::Gone { slot }, now);
                }
            }
        }
        let left: Vec<Slot> = self.idle.keys().copied().collect();
        for slot in left {
            self.idles_no_longer(slot, now);
        }
    }

    fn arrived(&self, index: usize) -> Event {
        let call = self.trace.calls[index];
        let needs = Needs {
            max_instances: self.setup.max_instances,
            min_instances: 0,
            concurrency: 1,
            idle_timeout: self.setup.idle_timeout,
            memory: self.trace.functions[call.function].memory_mib << 20,
            class: None,
        };
        Event::Arrived {
            work: WorkId(index as u64),
            key: key(call.function),
            needs,
            mode: Mode::Sync,
            deadline: Some(self.begun + call.at + self.setup.queue_wait),
        }
    }

    fn tell(&mut self, event: Event, now: Instant) {
        for action in self.pool.handle(event, now) {
            match action {
                Action::Start { slot, key } => {
                    let function = function(key);
                    self.functions.insert(slot, function);
                    self.happens(now + self.setup.cold_starts[function], Happens::Started(slot));
                }
                Action::Check { .. } | Action::TakeForCheck { .. } | Action::Skip { .. } => {
                    unreachable!("nothing is deployed")
                }
                Action::Prewarm { .. } | Action::Take { .. } => {
                    unreachable!("this pool prewarms nothing")
                }
                Action::Run { slot, work, start } => {
                    self.idles_no_longer(slot, now);
                    let index = usize::try_from(work.0).expect("an index of the trace");
                    self.seen.calls[index].start = Some(start);
                    let run = self.trace.calls[index].run + self.setup.overhead;
                    self.happens(now + run, Happens::Finished(slot, index));
                }
                Action::Stop { slot } => {
                    // One that has gone idle in this very moment is not known here yet.
                    let is_due = self.idles_no_longer(slot, now).is_some_and(|idle| idle.until <= now);
                    self.seen.evictions += u64::from(!is_due);
                    self.happens(now + self.setup.stop, Happens::Gone(slot));
                }
                Action::Reject { work, .. } => {
                    let index = usize::try_from(work.0).expect("an index of the trace");
                    self.seen.calls[index].total = now - (self.begun + self.trace.calls[index].at);
                }
            }
        }
    }

    /// If it does.
    fn idles(&mut self, slot: Slot, now: Instant) {
        if let Some(until) = self.pool.idle_until(slot) {
            self.idle.insert(slot, Idle { since: now, until });
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "MiB")]
    fn idles_no_longer(&mut self, slot: Slot, now: Instant) -> Option<Idle> {
        let idle = self.idle.remove(&slot)?;
        let gib = self.trace.functions[self.functions[&slot]].memory_mib as f64 / 1024.0;
        self.seen.idle_gib_seconds += gib * (now - idle.since).as_secs_f64();
        Some(idle)
    }
}

fn key(function: usize) -> Key {
    let function = FunctionId(uuid::Uuid::from_u128(function as u128));
    Key { function, revision: RevisionNumber(1) }
}

fn function(key: Key) -> usize {
    usize::try_from(key.function.0.as_u128()).expect("made by key()")
}

//! The invariants of the pool, in a random outside world.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    starts::{PAUSE, START_COMES_FIRST, STARVING},
    tests::{key, needs},
    *,
};

/// A step of a random outside world.
#[derive(Clone, Debug)]
enum Step {
    Arrive { function: u32, revision: u32, background: bool, wait_ms: Option<u64> },
    StartOk(prop::sample::Index),
    SandboxMade(prop::sample::Index),
    StartBad { index: prop::sample::Index, by_host: bool },
    CannotStartHere(prop::sample::Index),
    Finish(prop::sample::Index, bool),
    Gone(prop::sample::Index),
    Made(prop::sample::Index),
    NotMade(prop::sample::Index),
    WaitingDies(prop::sample::Index),
    TakenDies(prop::sample::Index),
    ImageMade,
    Die(prop::sample::Index),
    DieBusy(prop::sample::Index),
    Check { class: u32, wait_ms: u64 },
    CheckOver { index: prop::sample::Index, loaded: bool },
    CheckDies(prop::sample::Index),
    Activate { function: u32, revision: Option<u32>, kept: u32 },
    Outdated(prop::sample::Index),
    SecretsChanged { function: u32 },
    LeaveToOthers { function: u32 },
    Pass(u64),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..3u32, 1..3u32, any::<bool>(), prop::option::of(0..3000u64)).prop_map(
            |(function, revision, background, wait_ms)| Step::Arrive { function, revision, background, wait_ms }
        ),
        5 => index().prop_map(Step::StartOk),
        2 => index().prop_map(Step::SandboxMade),
        1 => (index(), any::<bool>()).prop_map(|(index, by_host)| Step::StartBad { index, by_host }),
        1 => index().prop_map(Step::CannotStartHere),
        5 => (index(), any::<bool>()).prop_map(|(index, usable)| Step::Finish(index, usable)),
        3 => index().prop_map(Step::Gone),
        3 => index().prop_map(Step::Made),
        1 => index().prop_map(Step::NotMade),
        1 => index().prop_map(Step::WaitingDies),
        1 => index().prop_map(Step::TakenDies),
        1 => Just(Step::ImageMade),
        1 => index().prop_map(Step::Die),
        1 => index().prop_map(Step::DieBusy),
        1 => (0..3u32, prop::option::of(1..3u32), 0..2u32)
            .prop_map(|(function, revision, kept)| Step::Activate { function, revision, kept }),
        3 => index().prop_map(Step::Outdated),
        1 => (0..3u32).prop_map(|function| Step::SecretsChanged { function }),
        1 => (0..3u32).prop_map(|function| Step::LeaveToOthers { function }),
        2 => (0..3u32, 0..3000u64).prop_map(|(class, wait_ms)| Step::Check { class, wait_ms }),
        2 => (index(), any::<bool>()).prop_map(|(index, loaded)| Step::CheckOver { index, loaded }),
        1 => index().prop_map(Step::CheckDies),
        3 => (0..1500u64).prop_map(Step::Pass),
        1 => Just(Step::Drain),
    ]
}

/// The outside world: it knows what the pool has asked for and checks every answer.
struct World {
    pool: Pool,
    policy: KeepAlivePolicy,
    now: Instant,
    next_work: u64,
    work: BTreeMap<WorkId, Key>,
    settled: BTreeSet<WorkId>,
    starting: BTreeMap<Slot, Key>,
    /// Also of those that have started.
    begun: BTreeMap<Slot, Instant>,
    busy: BTreeMap<Slot, Key>,
    /// The pieces of work that each busy one runs.
    running: BTreeMap<Slot, usize>,
    /// Busy ones that are given nothing more, for what ended in them or for the sake of others; and outdated ones.
    retired: BTreeSet<Slot>,
    /// Those that have an old value of a secret, with the first work that came after that; also of those that are gone.
    outdated: BTreeMap<Slot, WorkId>,
    /// Functions of which no instance can be started here.
    left_to_others: BTreeSet<FunctionId>,
    /// The end of the pause in which none has to be started beside one that runs.
    pauses: BTreeMap<FunctionId, Instant>,
    active: BTreeMap<FunctionId, RevisionNumber>,
    /// One instance of each of these is kept.
    kept: BTreeSet<Key>,
    /// One that has just ended by itself.
    ended: Option<Slot>,
    drained: BTreeSet<Slot>,
    /// Also for the moment in which the pool decides about a started or finished one.
    idle: BTreeMap<Slot, (Key, Instant)>,
    just_started: Option<Slot>,
    stopping: BTreeSet<Slot>,
    prewarm_budget: u64,
    making: BTreeMap<Slot, Class>,
    ready: BTreeMap<Slot, Class>,
    ready_stopping: BTreeSet<Slot>,
    /// Starting instances whose sandbox is made; slots are never used twice.
    loading: BTreeSet<Slot>,
    taken: BTreeSet<Slot>,
    /// All that were ever asked for: the class, and until when they wait.
    checks: Vec<(Option<Class>, Instant)>,
    /// Checks that have not begun, or may begin again.
    checks_waiting: BTreeSet<CheckId>,
    checking: BTreeMap<Slot, CheckId>,
    checking_stopping: BTreeSet<Slot>,
}

/// Two functions have the usual class, one has another.
const USUAL: Class = Class(0);

fn class_of(key: Key) -> Option<Class> {
    Some(if key.function == self::key(2).function { Class(1) } else { USUAL })
}

/// The first function runs one at a time in an instance, the others run several.
fn concurrency(key: Key) -> u32 {
    match [0, 1].map(|number| self::key(number).function == key.function) {
        [true, _] => 1,
        [_, true] => 3,
        _ => 2,
    }
}

/// Everything that a revision asks of the pool here.
fn needs_of(key: Key) -> Needs {
    Needs { class: class_of(key), concurrency: concurrency(key), ..needs(MAX_INSTANCES, IDLE) }
}

const MAX_STARTS: usize = 3;
const BUDGET: u64 = 5 * 128;
const MAX_INSTANCES: u32 = 2;
const IDLE: Duration = Duration::from_secs(1);

impl World {
    fn send(&mut self, event: Event) {
        let actions = self.pool.handle(event, self.now);
        for action in actions {
            self.perform(action);
        }
        self.see_retired();
        self.check();
    }

    fn begin(&mut self, slot: Slot, key: Key) {
        assert!(!self.pool.draining);
        assert!(self.starting.insert(slot, key).is_none());
        self.begun.insert(slot, self.now);
        if self.active.get(&key.function).is_some_and(|active| *active != key.revision) {
            self.drained.insert(slot);
        }
        assert!(self.of_function(key) <= MAX_INSTANCES as usize, "too many instances");
        assert!(self.with_outdated(key) <= 2 * MAX_INSTANCES as usize, "too many with outdated ones");
        assert!(self.memory() <= BUDGET, "too much memory");
    }

    /// Before one more begins: more wait than will get a place without it.
    fn assert_is_wanted(&self, key: Key) {
        let starting = self
            .starting
            .iter()
            .filter(|(slot, other)| **other == key && !self.outdated.contains_key(*slot));
        let starting = starting.count();
        let waiting = self.pool.lines.get(&key).map_or(0, Line::len);
        assert!(waiting > starting * concurrency(key) as usize, "nobody waits for it");
    }

    fn is_paused(&self, key: Key) -> bool {
        self.pauses.get(&key.function).is_some_and(|until| *until > self.now) && self.is_usable(key)
    }

    fn is_usable(&self, key: Key) -> bool {
        let idle = self.idle.iter().map(|(slot, (key, _))| (slot, key));
        let mut runs = self.busy.iter().chain(idle);
        runs.any(|(slot, one)| {
            *one == key && !self.drained.contains(slot) && !self.retired.contains(slot)
        })
    }

    /// Notes busy ones that the pool has retired for the sake of a function that starves.
    fn see_retired(&mut self) {
        for slot in self.busy.keys() {
            let retired = self.pool.instances[slot].retired;
            assert!(retired || !self.retired.contains(slot), "it may run again");
            if retired && self.retired.insert(*slot) {
                let starves =
                    |line: &Line| line.since().is_some_and(|since| since + STARVING <= self.now);
                assert!(self.pool.lines.values().any(starves), "nobody starves");
            }
        }
    }

    fn live(&self, key: Key) -> impl Iterator<Item = &Slot> {
        let idle = self.idle.iter().map(|(slot, (key, _))| (slot, key));
        let live = self.starting.iter().chain(&self.busy).chain(idle);
        live.filter(move |(_, other)| other.function == key.function).map(|(slot, _)| slot)
    }

    /// Returns the number of a function's instances that count among its `max_instances`.
    fn of_function(&self, key: Key) -> usize {
        self.live(key).filter(|&slot| !self.outdated.contains_key(slot)).count()
    }

    fn with_outdated(&self, key: Key) -> usize {
        self.live(key).count()
    }

    /// Returns the places that will be taken of instances that are being started: an outdated one runs what came before that.
    fn coming(&self, key: Key) -> usize {
        let starting = self.starting.iter().filter(|(_, one)| **one == key).map(|(slot, _)| slot);
        let (outdated, others): (Vec<_>, Vec<_>) =
            starting.partition(|&slot| self.outdated.contains_key(slot));
        let mut since: Vec<WorkId> = outdated.into_iter().map(|slot| self.outdated[slot]).collect();
        since.sort_unstable();
        let places = concurrency(key) as usize;
        let waits = |work: &WorkId| self.work[work] == key && !self.settled.contains(work);
        let taken = since.into_iter().fold(0, |taken, since| {
            let before = self.work.range(..since).filter(|&(work, _)| waits(work)).count();
            taken + places.min(before.saturating_sub(taken))
        });
        others.len() * places + taken
    }

    /// Returns the memory of the functions' instances.
    fn memory(&self) -> u64 {
        let all = self.starting.len() + self.busy.len() + self.idle.len() + self.stopping.len();
        all as u64 * 128
    }

    fn begin_check(&mut self, slot: Slot, check: CheckId, class: Option<Class>) {
        assert!(!self.pool.draining);
        assert!(self.checks_waiting.remove(&check), "it waited");
        let (wanted, _) = self.checks[usize::try_from(check.0).unwrap()];
        assert!(class.is_none() || class == wanted, "of the right class");
        assert!(self.checking.insert(slot, check).is_none());
        assert!(self.memory() + self.memory_of_checks() <= BUDGET, "in memory that nobody has");
    }

    /// With those on their way out.
    fn memory_of_checks(&self) -> u64 {
        (self.checking.len() + self.checking_stopping.len()) as u64 * 128
    }

    fn ordinary_starts(&self) -> usize {
        let is_made = |slot| self.taken.contains(slot) || self.loading.contains(slot);
        self.starting.keys().filter(|slot| !is_made(slot)).count()
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { slot, key } => {
                if !self.kept.contains(&key) {
                    self.assert_is_wanted(key);
                }
                // What is kept is started although nobody waits, and leaves prewarmed ones to those who do.
                if !self.kept.contains(&key) || self.staying(key) > 0 {
                    assert!(self.pool.stock.ready(class_of(key)).is_none(), "a prewarmed one was there");
                    assert!(!self.is_paused(key), "the host could not make the last one");
                }
                self.begin(slot, key);
                assert!(self.ordinary_starts() <= MAX_STARTS, "too many starts");
            }
            Action::Take { slot, key } => {
                let class = self.ready.remove(&slot).expect("it was ready, and not given away before");
                assert_eq!(Some(class), class_of(key), "of the right class");
                self.assert_is_wanted(key);
                self.taken.insert(slot);
                self.begin(slot, key);
            }
            Action::Prewarm { slot, class } => {
                assert!(!self.pool.draining);
                assert!(self.making.is_empty(), "one at a time");
                let is_first = |slot| self.now < self.begun[slot] + START_COMES_FIRST;
                let mut ordinary = self.starting.keys().filter(|slot| !self.taken.contains(slot));
                assert!(!ordinary.any(is_first), "beside a start for an invocation");
                self.making.insert(slot, class);
                let all = self.making.len() + self.ready.len() + self.ready_stopping.len();
                assert!(all as u64 * 128 <= self.prewarm_budget, "over the budget");
            }
            Action::Run { slot, work, start } => {
                assert_eq!(
                    start == Start::Cold,
                    self.just_started == Some(slot),
                    "cold means just started"
                );
                let idle = self.idle.remove(&slot).map(|(key, _)| key);
                let key = idle.or(self.busy.get(&slot).copied()).expect("it was there");
                assert_eq!(self.work[&work], key, "work runs on its own revision");
                assert!(self.settled.insert(work), "work is settled once");
                self.busy.insert(slot, key);
                let running = self.running.entry(slot).or_default();
                *running += 1;
                assert!(*running <= concurrency(key) as usize, "more than it has places");
                let is_ready_only_now = self.just_started == Some(slot);
                assert!(
                    is_ready_only_now || !self.retired.contains(&slot),
                    "it was to be given nothing more"
                );
                let since = self.outdated.get(&slot);
                assert!(since.is_none_or(|since| work < *since), "it came after the new value");
                assert!(!self.left_to_others.contains(&key.function), "it is left to others");
            }
            Action::Stop { slot }
                if self.making.contains_key(&slot) || self.ready.contains_key(&slot) =>
            {
                self.making.remove(&slot);
                self.ready.remove(&slot);
                assert!(self.ready_stopping.insert(slot), "stopped once");
            }
            Action::Check { slot, check } => {
                let (class, _) = self.checks[usize::try_from(check.0).unwrap()];
                assert!(self.pool.stock.ready(class).is_none(), "a prewarmed one was there");
                assert!(self.ordinary_starts() < MAX_STARTS, "too many starts");
                self.begin_check(slot, check, None);
            }
            Action::TakeForCheck { slot, check } => {
                let class = self.ready.remove(&slot).expect("it was ready, and not given away before");
                self.begin_check(slot, check, Some(class));
            }
            Action::Skip { check, .. } => {
                assert!(self.checks_waiting.remove(&check), "skipped once");
                let (_, until) = self.checks[usize::try_from(check.0).unwrap()];
                assert!(self.pool.draining || until <= self.now, "it gave up too early");
            }
            Action::Stop { slot } if self.checking.contains_key(&slot) => {
                let wanted = self.memory() + self.checking.len() as u64 * 128 > BUDGET;
                assert!(self.pool.draining || wanted, "nobody wants its memory");
                self.checking.remove(&slot);
                self.checking_stopping.insert(slot);
            }
            Action::Stop { slot } => {
                self.assert_may_go(slot);
                self.starting.remove(&slot);
                self.idle.remove(&slot);
                assert!(
                    self.busy.remove(&slot).is_none() || self.ended == Some(slot),
                    "it runs something"
                );
                self.running.remove(&slot);
                self.retired.remove(&slot);
                assert!(self.stopping.insert(slot), "stopped once");
            }
            Action::Reject { work, .. } => assert!(self.settled.insert(work), "work is settled once"),
        }
    }

    /// Returns the number of a revision's instances that go on serving.
    fn staying(&self, key: Key) -> usize {
        let idle = self.idle.iter().map(|(slot, (key, _))| (slot, key));
        let live = self.starting.iter().chain(&self.busy).chain(idle);
        let goes = |slot| self.drained.contains(slot) || self.retired.contains(slot);
        live.filter(|(slot, one)| **one == key && !goes(slot)).count()
    }

    /// The last one that is kept is not stopped while it is idle, unless it has ended, or the manager ends, or work for
    /// another revision of its function waits.
    fn assert_may_go(&self, slot: Slot) {
        let Some((key, _)) = self.idle.get(&slot) else { return };
        let goes = self.drained.contains(&slot) || self.retired.contains(&slot);
        let is_kept = self.kept.contains(key) && !goes;
        if is_kept && self.ended != Some(slot) && !self.pool.draining {
            let is_in_the_way = |other: &Key| other.function == key.function && other != key;
            let others_wait = self.pool.lines.keys().any(is_in_the_way);
            let kept = self.pool.kept(*key);
            assert!(self.staying(*key) > kept || others_wait, "it was to be kept");
        }
    }

    fn pick<T: Copy>(of: impl Iterator<Item = T>, index: prop::sample::Index) -> Option<T> {
        let all: Vec<T> = of.collect();
        (!all.is_empty()).then(|| all[index.index(all.len())])
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Arrive { function, revision, background, wait_ms } => {
                let work = WorkId(self.next_work);
                self.next_work += 1;
                let key = Key { revision: RevisionNumber(revision), ..key(function) };
                let wait_ms = wait_ms.filter(|_| !background);
                self.work.insert(work, key);
                self.send(Event::Arrived {
                    work,
                    key,
                    needs: needs_of(key),
                    mode: if background { Mode::Async } else { Mode::Sync },
                    deadline: wait_ms.map(|ms| self.now + Duration::from_millis(ms)),
                });
            }
            Step::StartOk(index) => {
                if let Some(slot) = Self::pick(self.starting.keys().copied(), index) {
                    let key = self.starting.remove(&slot).expect("it was picked");
                    self.idle.insert(slot, (key, self.now + IDLE));
                    self.pauses.remove(&key.function);
                    self.just_started = Some(slot);
                    self.send(Event::Started { slot });
                    self.just_started = None;
                    self.is_kept(slot);
                }
            }
            Step::SandboxMade(index) => {
                if let Some(slot) = Self::pick(self.starting.keys().copied(), index) {
                    self.loading.insert(slot);
                    self.send(Event::Made { slot });
                }
            }
            Step::StartBad { index, by_host: false } => {
                if let Some(slot) = Self::pick(self.starting.keys().copied(), index) {
                    self.starting.remove(&slot);
                    self.send(Event::StartFailed { slot, by_host: false });
                }
            }
            Step::CannotStartHere(index) => {
                if let Some(slot) = Self::pick(self.starting.keys().copied(), index) {
                    let key = self.starting.remove(&slot).expect("it was picked");
                    self.send(Event::CannotStartHere { slot });
                    assert!(!self.pool.lines.contains_key(&key), "it waits for others to do it");
                }
            }
            Step::StartBad { index, by_host: true } => {
                if let Some(slot) = Self::pick(self.starting.keys().copied(), index) {
                    let key = self.starting.remove(&slot).expect("it was picked");
                    if self.is_usable(key) {
                        self.pauses.insert(key.function, self.now + PAUSE);
                    }
                    self.send(Event::StartFailed { slot, by_host: true });
                }
            }
            Step::Finish(index, usable) => {
                if let Some(slot) = Self::pick(self.busy.keys().copied(), index) {
                    let running = self.running.get_mut(&slot).expect("it is busy");
                    *running -= 1;
                    if !usable {
                        self.retired.insert(slot);
                    }
                    if *running == 0 {
                        let key = self.busy.remove(&slot).expect("it was picked");
                        self.running.remove(&slot);
                        if !self.retired.remove(&slot) {
                            self.idle.insert(slot, (key, self.now + IDLE));
                        }
                    }
                    self.send(Event::Finished { slot, usable });
                    self.is_kept(slot);
                }
            }
            Step::Gone(index) => {
                let all = self.stopping.iter().chain(&self.ready_stopping).copied();
                if let Some(slot) = Self::pick(all, index) {
                    self.gone(slot);
                }
            }
            Step::Made(index) => {
                if let Some(slot) = Self::pick(self.making.keys().copied(), index) {
                    let class = self.making.remove(&slot).expect("it was picked");
                    self.ready.insert(slot, class);
                    self.send(Event::Started { slot });
                }
            }
            Step::NotMade(index) => {
                let all = self.making.keys().chain(&self.ready_stopping).copied();
                if let Some(slot) = Self::pick(all, index) {
                    self.making.remove(&slot);
                    self.ready_stopping.remove(&slot);
                    self.send(Event::StartFailed { slot, by_host: false });
                }
            }
            Step::WaitingDies(index) => {
                if let Some(slot) = Self::pick(self.ready.keys().copied(), index) {
                    self.send(Event::Ended { slot });
                    assert!(self.ready_stopping.contains(&slot), "what died is removed");
                }
            }
            Step::TakenDies(index) => {
                let all = self.starting.keys().filter(|slot| self.taken.contains(slot)).copied();
                if let Some(slot) = Self::pick(all, index) {
                    self.send(Event::Ended { slot });
                    assert!(self.stopping.contains(&slot), "what died is removed");
                }
            }
            Step::ImageMade => self.send(Event::ImageMade),
            Step::Die(index) => {
                if let Some(slot) = Self::pick(self.idle.keys().copied(), index) {
                    self.ended = Some(slot);
                    self.send(Event::Ended { slot });
                }
            }
            Step::DieBusy(index) => {
                // With one place, the end of its run says so.
                let several = self.busy.iter().filter(|(_, key)| concurrency(**key) > 1);
                if let Some(slot) = Self::pick(several.map(|(slot, _)| *slot), index) {
                    let running = self.running[&slot];
                    self.ended = Some(slot);
                    self.send(Event::Ended { slot });
                    assert!(self.stopping.contains(&slot), "what died is removed");
                    for _ in 0..running {
                        self.send(Event::Finished { slot, usable: false });
                    }
                }
            }
            Step::Check { class, wait_ms } => {
                let check = CheckId(self.checks.len() as u64);
                let class = (class < 2).then_some(Class(class));
                let deadline = self.now + Duration::from_millis(wait_ms);
                self.checks.push((class, deadline));
                self.checks_waiting.insert(check);
                self.send(Event::CheckWanted { check, class, memory: 128, deadline });
            }
            Step::CheckOver { index, loaded } => {
                let all = self.checking.keys().chain(&self.checking_stopping).copied();
                if let Some(slot) = Self::pick(all, index) {
                    if loaded && self.checking.contains_key(&slot) {
                        self.send(Event::Started { slot });
                    }
                    self.checking.remove(&slot);
                    self.checking_stopping.remove(&slot);
                    self.send(Event::Gone { slot });
                }
            }
            Step::CheckDies(index) => {
                if let Some(slot) = Self::pick(self.checking.keys().copied(), index) {
                    let check = self.checking.remove(&slot).expect("it was picked");
                    self.checking_stopping.insert(slot);
                    self.checks_waiting.insert(check);
                    self.send(Event::Ended { slot });
                }
            }
            Step::Activate { function, revision, kept } => {
                let (function, revision) = (key(function).function, revision.map(RevisionNumber));
                self.kept.retain(|key| key.function != function || Some(key.revision) == revision);
                match revision {
                    Some(revision) => self.active.insert(function, revision),
                    None => self.active.remove(&function),
                };
                let idle = self.idle.iter().map(|(slot, (key, _))| (slot, key));
                let live = self.starting.iter().chain(&self.busy).chain(idle);
                for (slot, key) in live.filter(|(_, key)| key.function == function) {
                    match revision == Some(key.revision) {
                        true => self.drained.remove(slot),
                        false => self.drained.insert(*slot),
                    };
                }
                self.left_to_others.remove(&function);
                self.send(Event::Active { function, revision });
                if let Some(revision) = revision.filter(|_| kept > 0) {
                    let key = Key { function, revision };
                    self.kept.insert(key);
                    let needs = Needs { min_instances: kept, ..needs_of(key) };
                    self.send(Event::Keep { key, needs });
                }
            }
            Step::Outdated(index) => {
                let all = self.starting.keys().chain(self.busy.keys()).chain(self.idle.keys());
                if let Some(slot) = Self::pick(all.copied(), index) {
                    self.outdate(&[slot], Event::Outdated { slot });
                }
            }
            Step::SecretsChanged { function } => {
                let function = key(function).function;
                self.left_to_others.remove(&function);
                self.send(Event::SecretsChanged { function });
            }
            Step::LeaveToOthers { function } => {
                let function = key(function).function;
                let idle = self.idle.iter().map(|(slot, (key, _))| (slot, key));
                let live = self.starting.iter().chain(&self.busy).chain(idle);
                let all = live.filter(|(_, key)| key.function == function).map(|(slot, _)| *slot);
                let all: Vec<Slot> = all.collect();
                self.left_to_others.insert(function);
                self.kept.retain(|key| key.function != function);
                self.outdate(&all, Event::LeaveToOthers { function });
            }
            Step::Pass(ms) => {
                self.now += Duration::from_millis(ms);
                let due: Vec<Slot> = self
                    .idle
                    .iter()
                    .filter(|(_, (_, until))| *until <= self.now)
                    .map(|(slot, _)| *slot)
                    .collect();
                let kept: Vec<Slot> =
                    self.idle.keys().copied().filter(|slot| !due.contains(slot)).collect();
                self.send(Event::Tick);
                for slot in due {
                    if let Some((key, until)) = self.idle.get_mut(&slot) {
                        assert!(self.kept.contains(key), "idle for too long");
                        *until = self.pool.idle_until(slot).expect("it is idle");
                        assert!(*until > self.now, "it is looked at again later");
                    }
                }
                // Those that are not due may still make room for others, but not without somebody waiting.
                if self.pool.lines.is_empty() && self.kept.is_empty() {
                    assert!(kept.iter().all(|slot| self.idle.contains_key(slot)), "stopped too early");
                }
                let next = self.pool.next_deadline();
                assert!(next.is_none_or(|next| next > self.now), "a tick that is due for ever");
            }
            Step::Drain => self.send(Event::Drain),
        }
    }

    /// An event makes these have an old value.
    fn outdate(&mut self, slots: &[Slot], event: Event) {
        for slot in slots {
            self.retired.insert(*slot);
            self.outdated.entry(*slot).or_insert(WorkId(self.next_work));
        }
        let idle: Vec<Slot> =
            slots.iter().copied().filter(|slot| self.idle.contains_key(slot)).collect();
        self.send(event);
        assert!(idle.iter().all(|slot| self.stopping.contains(slot)), "idle ones go at once");
        let is_retired = |slot: &Slot| self.pool.instances.get(slot).is_some_and(|i| i.retired);
        assert!(slots.iter().all(is_retired), "none goes on with an old value");
    }

    fn gone(&mut self, slot: Slot) {
        assert!(self.stopping.remove(&slot) || self.ready_stopping.remove(&slot));
        self.send(Event::Gone { slot });
    }

    /// For as long as the policy wants, at least for its `idle_timeout`.
    fn is_kept(&mut self, slot: Slot) {
        if let Some((_, until)) = self.idle.get_mut(&slot) {
            let kept = self.pool.idle_until(slot).expect("it is idle");
            assert!(kept == *until || self.policy == KeepAlivePolicy::Adaptive && kept > *until);
            *until = kept;
        }
    }

    fn check(&self) {
        for key in self.pool.lines.keys() {
            assert!(self.idle.values().all(|(idle, _)| idle != key), "it waits beside an idle instance");
            let mut busy =
                self.busy.iter().filter(|(slot, busy)| *busy == key && !self.retired.contains(slot));
            let full = concurrency(*key) as usize;
            assert!(busy.all(|(slot, _)| self.running[slot] == full), "it waits beside a free place");
        }
        if self.pool.draining {
            assert!(self.idle.is_empty() && self.pool.lines.is_empty());
        }
        let pool_size = self.pool.instances.len();
        let world_size = self.starting.len() + self.busy.len() + self.idle.len() + self.stopping.len();
        assert_eq!(pool_size, world_size, "pool and world agree on what exists");
        for (key, line) in &self.pool.lines {
            assert!(!self.left_to_others.contains(&key.function), "it waits for nothing");
            if line.len() > self.coming(*key) {
                self.assert_held_up_by_others(*key);
            }
        }
        let (making, ready) = (self.making.len(), self.ready.len());
        let functions = self.memory() + self.memory_of_checks();
        assert!((making + ready) as u64 * 128 + functions <= BUDGET || making + ready == 0);
        let checks = self.checking.len() as u64 * 128;
        assert!(checks == 0 || self.memory() + checks <= BUDGET, "checks are in the way");
        if self.pool.draining {
            assert!(making + ready == 0, "nothing waits any more");
        }
    }

    /// Whatever waits without a start waits for a reason that has nothing to do with prewarming.
    fn assert_held_up_by_others(&self, key: Key) {
        let is_ready = self.ready.values().any(|class| Some(*class) == class_of(key));
        assert!(
            self.of_function(key) >= MAX_INSTANCES as usize
                || self.with_outdated(key) >= 2 * MAX_INSTANCES as usize
                || self.memory() + 128 > BUDGET
                || (self.is_paused(key) && !is_ready)
                || (self.ordinary_starts() >= MAX_STARTS && !is_ready),
            "it waits for a prewarmed one"
        );
    }

    /// Lets everything end well: nothing may be left waiting, but prewarmed ones.
    fn settle(&mut self, index: prop::sample::Index) {
        for function in 0..3 {
            self.step(Step::Activate { function, revision: None, kept: 0 });
        }
        self.step(Step::Pass(0));
        for _ in 0..10_000 {
            if let Some(slot) = self.stopping.first().or(self.ready_stopping.first()).copied() {
                self.gone(slot);
            } else if !self.starting.is_empty() {
                self.step(Step::StartOk(index));
            } else if !self.making.is_empty() {
                self.step(Step::Made(index));
            } else if !self.checking.is_empty() || !self.checking_stopping.is_empty() {
                self.step(Step::CheckOver { index, loaded: true });
            } else if !self.busy.is_empty() {
                self.step(Step::Finish(index, true));
            } else if !self.idle.is_empty() {
                self.step(Step::Pass(3_600_000));
            } else if let Some(next) = self.pool.next_deadline() {
                self.now = next;
                self.step(Step::Pass(0));
            } else {
                break;
            }
        }
        assert_eq!(self.settled.len(), self.work.len(), "every piece of work was settled");
        assert!(self.checks_waiting.is_empty(), "every check was begun or skipped");
        if !self.pool.draining {
            let full = usize::try_from(self.prewarm_budget.min(BUDGET) / 128).unwrap();
            assert_eq!(self.ready.values().filter(|class| **class == USUAL).count(), full, "it is full");
            assert_eq!(self.ready.len(), full, "demand is forgotten");
            self.step(Step::Drain);
            while let Some(slot) = self.ready_stopping.first().copied() {
                self.gone(slot);
            }
        }
        assert!(self.pool.is_empty(), "something is left: {:?}", self.pool);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_invariants_hold_whatever_happens(
        steps in prop::collection::vec(step(), 1..120),
        index in any::<prop::sample::Index>(),
        policy in prop::sample::select(&KeepAlivePolicy::ALL[..]),
        prewarmed in 0..5u64,
    ) {
        let limits = Limits { max_starts: MAX_STARTS, memory_budget: BUDGET };
        let prewarm_budget = prewarmed * 128;
        let mut world = World {
            pool: Pool::new(limits)
                .keeping(policy)
                .prewarming(Stock::new(prewarm_budget, &[(USUAL, 128)])),
            policy,
            now: Instant::now(),
            next_work: 0,
            work: BTreeMap::new(),
            settled: BTreeSet::new(),
            starting: BTreeMap::new(),
            begun: BTreeMap::new(),
            busy: BTreeMap::new(),
            running: BTreeMap::new(),
            retired: BTreeSet::new(),
            outdated: BTreeMap::new(),
            left_to_others: BTreeSet::new(),
            pauses: BTreeMap::new(),
            active: BTreeMap::new(),
            kept: BTreeSet::new(),
            ended: None,
            drained: BTreeSet::new(),
            idle: BTreeMap::new(),
            just_started: None,
            stopping: BTreeSet::new(),
            prewarm_budget,
            making: BTreeMap::new(),
            ready: BTreeMap::new(),
            ready_stopping: BTreeSet::new(),
            taken: BTreeSet::new(),
            loading: BTreeSet::new(),
            checks: Vec::new(),
            checks_waiting: BTreeSet::new(),
            checking: BTreeMap::new(),
            checking_stopping: BTreeSet::new(),
        };
        for step in steps {
            world.step(step);
        }
        world.settle(index);
    }
}

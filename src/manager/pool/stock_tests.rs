use super::{
    super::{CheckId, Key, Limits, Needs, Pool, WorkId},
    *,
};
use crate::model::{FunctionId, Mode, RevisionNumber, Start};

const SECOND: Duration = Duration::from_secs(1);
const USUAL: Class = Class(0);
const OTHER: Class = Class(1);
const ODD: Class = Class(2);

/// A pool whose instances are made, started and removed at once, with a clock that is set by hand.
struct Bench {
    pool: Pool,
    now: Instant,
    next_work: u64,
    log: VecDeque<Action>,
}

impl Bench {
    fn new(prewarm: u64, budget: u64) -> Self {
        let limits = Limits { max_starts: 4, memory_budget: budget };
        let pool = Pool::new(limits).prewarming(Stock::new(prewarm, &[(USUAL, 128)]));
        Self { pool, now: Instant::now(), next_work: 0, log: VecDeque::new() }
    }

    fn full(prewarm: u64, budget: u64) -> Self {
        let mut bench = Self::new(prewarm, budget);
        bench.send(Event::Tick);
        bench.settle();
        bench
    }

    fn send(&mut self, event: Event) -> Vec<Action> {
        let actions = self.pool.handle(event, self.now);
        self.log.extend(&actions);
        actions
    }

    /// An invocation of a function of its own.
    fn invoke(&mut self, class: Option<Class>, memory: u64) -> Vec<Action> {
        let work = self.next_work;
        self.next_work += 1;
        let function = FunctionId(uuid::Uuid::from_u128(u128::from(work)));
        let key = Key { function, revision: RevisionNumber(1) };
        let needs = Needs {
            max_instances: 1,
            min_instances: 0,
            concurrency: 1,
            idle_timeout: 3600 * SECOND,
            memory,
            class,
        };
        let (work, mode) = (WorkId(work), Mode::Sync);
        self.send(Event::Arrived { work, key, needs, mode, deadline: None })
    }

    /// Answers everything that was asked for, successfully, until nothing is asked any more.
    fn settle(&mut self) {
        while let Some(action) = self.log.pop_front() {
            match action {
                Action::Prewarm { slot, .. }
                | Action::Start { slot, .. }
                | Action::Take { slot, .. } => {
                    self.send(Event::Started { slot });
                }
                Action::Run { slot, .. } => {
                    self.send(Event::Finished { slot, usable: true });
                }
                Action::Stop { slot } => {
                    self.send(Event::Gone { slot });
                }
                Action::Check { slot, .. } | Action::TakeForCheck { slot, .. } => {
                    self.send(Event::Gone { slot });
                }
                Action::Reject { .. } | Action::Skip { .. } => {}
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.send(Event::Tick);
        self.settle();
    }

    fn ready(&self, class: Class) -> usize {
        let stock = self.pool.stock();
        let is_ready = |of: &&Prewarmed| of.class == class && matches!(of.life, Life::Ready { .. });
        stock.instances.values().filter(is_ready).count()
    }
}

#[test]
fn the_usual_class_fills_the_budget_one_at_a_time() {
    let mut bench = Bench::new(512, 10_000);
    for slot in 0..4 {
        let slot = Slot(slot);
        let actions = bench.send(if slot.0 == 0 { Event::Tick } else { started(slot.0 - 1) });
        assert_eq!(actions, [Action::Prewarm { slot, class: USUAL }]);
    }
    assert_eq!(bench.send(started(3)), []);
    assert_eq!(bench.pool.next_deadline(), None, "a full one has nothing to wait for");
}

fn started(slot: u64) -> Event {
    Event::Started { slot: Slot(slot) }
}

#[test]
fn a_cold_start_takes_one_and_the_refill_waits_for_a_moment_and_not_for_its_code_to_be_loaded() {
    let mut bench = Bench::full(256, 10_000);
    let actions = bench.invoke(Some(USUAL), 128);
    assert!(matches!(actions[..], [Action::Take { slot: Slot(0), .. }]), "{actions:?}");
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + REFILL_PAUSE));
    bench.now += REFILL_PAUSE;
    assert_eq!(bench.send(Event::Tick), [Action::Prewarm { slot: Slot(2), class: USUAL }]);
    let actions = bench.send(started(0));
    assert_eq!(actions, [Action::Run { slot: Slot(0), work: WorkId(0), start: Start::Cold }]);
}

#[test]
fn a_start_that_found_none_comes_first_until_it_is_done_but_for_a_second_at_most() {
    for takes in [SECOND / 2, 30 * SECOND] {
        let mut bench = Bench::full(256, 10_000);
        bench.invoke(Some(USUAL), 128);
        let actions = bench.invoke(None, 128);
        assert!(matches!(actions[..], [Action::Start { slot: Slot(2), .. }]), "{actions:?}");
        assert_eq!(bench.pool.next_deadline(), Some(bench.now + SECOND), "the other one was taken");
        bench.now += takes.min(SECOND);
        let event = if takes < SECOND { started(2) } else { Event::Tick };
        let actions = bench.send(event);
        assert_eq!(actions.last(), Some(&Action::Prewarm { slot: Slot(3), class: USUAL }));
    }
}

#[test]
fn no_class_and_another_class_take_none() {
    for class in [None, Some(OTHER)] {
        let mut bench = Bench::full(256, 10_000);
        let actions = bench.invoke(class, 128);
        assert!(matches!(actions[..], [Action::Start { .. }, ..]), "{actions:?}");
    }
}

#[test]
fn demand_makes_room_for_a_class_and_is_forgotten() {
    let mut bench = Bench::full(512, 10_000);
    bench.invoke(Some(OTHER), 256);
    bench.settle();
    bench.pass(REFILL_PAUSE);
    assert_eq!((bench.ready(USUAL), bench.ready(OTHER)), (2, 1));
    bench.pass(10 * SECOND);
    let actions = bench.invoke(Some(OTHER), 256);
    assert!(matches!(actions[..], [Action::Take { .. }]), "{actions:?}");
    bench.settle();
    bench.pass(REFILL_PAUSE);
    assert_eq!((bench.ready(USUAL), bench.ready(OTHER)), (2, 1), "a second one has no room");
    bench.pass(DEMAND);
    assert_eq!((bench.ready(USUAL), bench.ready(OTHER)), (4, 0));
}

#[test]
fn one_of_each_class_comes_before_a_second_one_and_the_latest_first() {
    let mut bench = Bench::full(512, 10_000);
    for class in [ODD, ODD, OTHER, OTHER] {
        bench.now += SECOND;
        bench.invoke(Some(class), 128);
    }
    bench.settle();
    bench.pass(REFILL_PAUSE);
    assert_eq!((bench.ready(USUAL), bench.ready(OTHER), bench.ready(ODD)), (1, 2, 1));
}

#[test]
fn what_is_larger_than_the_budget_is_not_prewarmed() {
    let mut bench = Bench::full(512, 10_000);
    bench.invoke(Some(OTHER), 1024);
    bench.settle();
    bench.pass(REFILL_PAUSE);
    assert_eq!((bench.ready(USUAL), bench.ready(OTHER)), (4, 0));
}

#[test]
fn prewarmed_ones_make_room_and_nobody_waits_for_them() {
    let mut bench = Bench::full(512, 640);
    let actions = bench.invoke(None, 256);
    assert!(
        matches!(actions[..], [Action::Start { .. }, Action::Stop { slot: Slot(3) }]),
        "the start, and the youngest goes: {actions:?}"
    );
    bench.settle();
    let actions = bench.invoke(None, 384);
    assert!(matches!(actions[..], [Action::Start { .. }, Action::Stop { .. }, Action::Stop { .. }, ..]));
    bench.settle();
    assert_eq!(bench.ready(USUAL), 0);
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + 3600 * SECOND), "it waits for memory");
}

#[test]
fn a_failure_is_tried_again_later_and_later_and_at_once_with_a_new_image() {
    let mut bench = Bench::new(128, 10_000);
    let mut slot = 0;
    let mut actions = bench.send(Event::Tick);
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(actions, [Action::Prewarm { slot: Slot(slot), class: USUAL }]);
        assert_eq!(bench.send(Event::StartFailed { slot: Slot(slot), by_host: false }), []);
        assert_eq!(bench.pool.next_deadline(), Some(bench.now + pause * SECOND));
        bench.now += pause * SECOND;
        slot += 1;
        actions = bench.send(Event::Tick);
    }
    bench.send(Event::StartFailed { slot: Slot(slot), by_host: false });
    assert_eq!(bench.send(Event::ImageMade), [Action::Prewarm { slot: Slot(slot + 1), class: USUAL }]);
}

#[test]
fn one_that_dies_is_replaced_after_a_pause() {
    let mut bench = Bench::full(128, 10_000);
    assert_eq!(bench.send(Event::Ended { slot: Slot(0) }), [Action::Stop { slot: Slot(0) }]);
    bench.send(Event::Gone { slot: Slot(0) });
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + FIRST_RETRY));
    bench.pass(FIRST_RETRY);
    bench.send(Event::Ended { slot: Slot(1) });
    bench.send(Event::Gone { slot: Slot(1) });
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + 2 * FIRST_RETRY));
    bench.pass(2 * FIRST_RETRY);
    bench.now += STEADY;
    bench.send(Event::Ended { slot: Slot(2) });
    bench.send(Event::Gone { slot: Slot(2) });
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + FIRST_RETRY), "it had been well for long");
}

#[test]
fn after_one_that_was_taken_and_loaded_a_failure_is_a_first_one() {
    let mut bench = Bench::new(128, 10_000);
    bench.send(Event::Tick);
    bench.send(Event::StartFailed { slot: Slot(0), by_host: false });
    bench.pass(FIRST_RETRY);
    bench.invoke(Some(USUAL), 128);
    bench.settle();
    bench.pass(REFILL_PAUSE);
    bench.send(Event::Ended { slot: Slot(2) });
    bench.send(Event::Gone { slot: Slot(2) });
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + FIRST_RETRY));
}

#[test]
fn one_that_is_dead_when_it_is_taken_is_replaced_by_a_start() {
    let mut bench = Bench::full(128, 10_000);
    bench.invoke(Some(USUAL), 128);
    let actions = bench.send(Event::Ended { slot: Slot(0) });
    assert!(
        matches!(actions[..], [Action::Stop { slot: Slot(0) }, Action::Start { slot: Slot(1), .. }]),
        "{actions:?}"
    );
}

#[test]
fn a_drain_stops_those_that_wait_and_those_that_are_made() {
    let mut bench = Bench::new(256, 10_000);
    bench.send(Event::Tick);
    bench.send(started(0));
    let actions = bench.send(Event::Drain);
    assert_eq!(actions, [Action::Stop { slot: Slot(0) }, Action::Stop { slot: Slot(1) }]);
    bench.send(Event::Gone { slot: Slot(0) });
    assert!(!bench.pool.is_empty());
    bench.send(Event::StartFailed { slot: Slot(1), by_host: false });
    assert!(bench.pool.is_empty());
}

#[test]
fn without_a_budget_there_are_none() {
    let mut bench = Bench::full(0, 10_000);
    let actions = bench.invoke(Some(USUAL), 128);
    assert!(matches!(actions[..], [Action::Start { .. }]), "{actions:?}");
    bench.settle();
    assert_eq!(bench.pool.next_deadline(), Some(bench.now + 3600 * SECOND));
}

#[test]
fn a_check_takes_one_that_waits_and_another_one_is_made() {
    let (mut pool, now) = (pool_with_one(), Instant::now());
    pool.handle(Event::Tick, now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    let (check, deadline) = (CheckId(0), now + REFILL_PAUSE);
    let wanted = Event::CheckWanted { check, class: Some(Class(0)), memory: 128, deadline };
    assert_eq!(pool.handle(wanted, now), [Action::TakeForCheck { slot: Slot(0), check }]);
    let after = now + REFILL_PAUSE;
    let refill = [Action::Prewarm { slot: Slot(1), class: Class(0) }];
    assert_eq!(pool.handle(Event::Tick, after), refill, "also while the check goes on");
    // It was dead: the check gets another start.
    let again = pool.handle(Event::Ended { slot: Slot(0) }, after);
    assert_eq!(again, [Action::Check { slot: Slot(2), check }]);
}

fn pool_with_one() -> Pool {
    Pool::new(Limits { max_starts: 4, memory_budget: 1024 })
        .prewarming(Stock::new(128, &[(Class(0), 128)]))
}

#[test]
fn the_usual_classes_share_the_memory_in_turns() {
    let pool = Pool::new(Limits { max_starts: 4, memory_budget: 4096 });
    let pool = pool.prewarming(Stock::new(640, &[(USUAL, 128), (OTHER, 128)]));
    let mut bench = Bench { pool, now: Instant::now(), next_work: 0, log: VecDeque::new() };
    for slot in 0..5 {
        let class = if slot % 2 == 0 { USUAL } else { OTHER };
        let actions = bench.send(if slot == 0 { Event::Tick } else { started(slot - 1) });
        assert_eq!(actions, [Action::Prewarm { slot: Slot(slot), class }]);
    }
    assert_eq!(bench.send(started(4)), [], "five of 128 in 640");
}

#[test]
fn a_class_that_becomes_a_usual_one_is_kept_ready_from_then_on() {
    let pool = Pool::new(Limits { max_starts: 4, memory_budget: 4096 });
    let pool = pool.prewarming(Stock::new(256, &[(USUAL, 128)]));
    let mut bench = Bench { pool, now: Instant::now(), next_work: 0, log: VecDeque::new() };
    assert_eq!(bench.send(Event::Tick), [Action::Prewarm { slot: Slot(0), class: USUAL }]);
    assert_eq!(bench.send(started(0)), [Action::Prewarm { slot: Slot(1), class: USUAL }]);
    assert_eq!(bench.send(started(1)), []);
    let wanted = Event::Usual { class: OTHER, memory: 128 };
    assert_eq!(bench.send(wanted), [Action::Stop { slot: Slot(1) }], "its place is the other's now");
    let gone = bench.send(Event::Gone { slot: Slot(1) });
    assert_eq!(gone, [Action::Prewarm { slot: Slot(2), class: OTHER }]);
    assert_eq!(bench.send(started(2)), []);
    assert_eq!(bench.send(wanted), [], "it is one already");
}

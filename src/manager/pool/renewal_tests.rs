use super::{
    tests::{SECOND, key, needs},
    *,
};

fn pool() -> Pool {
    Pool::new(Limits { max_starts: 4, memory_budget: 10_000 })
}

fn arrived(work: u64, mode: Mode, needs: Needs) -> Event {
    Event::Arrived { work: WorkId(work), key: key(1), needs, mode, deadline: None }
}

fn call(work: u64, needs: Needs) -> Event {
    arrived(work, Mode::Sync, needs)
}

fn renew() -> Event {
    Event::Renew { function: key(1).function, to_others: false }
}

fn start(slot: u64) -> Action {
    Action::Start { slot: Slot(slot), key: key(1) }
}

fn run(slot: u64, work: u64, start: Start) -> Action {
    Action::Run { slot: Slot(slot), work: WorkId(work), start }
}

fn stop(slot: u64) -> Action {
    Action::Stop { slot: Slot(slot) }
}

fn finished(slot: u64) -> Event {
    Event::Finished { slot: Slot(slot), usable: true }
}

#[test]
fn idle_ones_go_at_once_and_those_of_other_functions_stay() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    for (slot, key) in [(0, key(1)), (1, key(2))] {
        let (work, mode) = (WorkId(slot), Mode::Sync);
        pool.handle(Event::Arrived { work, key, needs, mode, deadline: None }, now);
        pool.handle(Event::Started { slot: Slot(slot) }, now);
        pool.handle(finished(slot), now);
    }
    assert_eq!(pool.handle(renew(), now), [stop(0)]);
    assert_eq!(pool.handle(call(2, needs), now), [start(2)], "new work gets a new one");
}

#[test]
fn a_busy_one_goes_after_its_run_and_is_given_nothing_more() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(renew(), now), []);
    assert_eq!(pool.handle(call(1, needs), now), [start(1)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)], "though somebody waits");
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), [run(1, 1, Start::Cold)]);
    assert_eq!(pool.handle(finished(1), now), [], "the new one idles");
}

#[test]
fn one_that_runs_several_goes_after_the_last_of_them() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 3, ..needs(1, 60 * SECOND) };
    for work in 0..2 {
        pool.handle(call(work, needs), now);
    }
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(renew(), now);
    assert_eq!(pool.handle(call(2, needs), now), [], "it counts until it has stopped");
    assert_eq!(pool.handle(finished(0), now), []);
    assert_eq!(pool.handle(finished(0), now), [stop(0), start(1)]);
}

#[test]
fn one_that_loads_runs_what_waits_for_it_and_goes_after_that() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Made { slot: Slot(0) }, now);
    assert_eq!(pool.handle(renew(), now), [], "its caller would wait for another start");
    assert_eq!(pool.handle(Event::Started { slot: Slot(0) }, now), [run(0, 0, Start::Cold)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)]);
    // And one for which nobody waits any more goes when it is ready.
    pool.handle(call(1, needs), now);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    pool.handle(call(2, needs), now);
    pool.handle(Event::Made { slot: Slot(2) }, now);
    assert_eq!(pool.handle(finished(1), now), [run(1, 2, Start::Warm)]);
    pool.handle(renew(), now);
    assert_eq!(pool.handle(Event::Started { slot: Slot(2) }, now), [stop(2)]);
}

#[test]
fn one_whose_sandbox_is_not_made_has_not_read_the_old_value() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(renew(), now);
    pool.handle(Event::Made { slot: Slot(0) }, now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(finished(0), now), [], "it stays");
    assert_eq!(pool.handle(call(1, needs), now), [run(0, 1, Start::Warm)]);
}

#[test]
fn kept_ones_are_replaced_and_a_start_that_pauses_is_tried_at_once() {
    let (mut pool, now) = (pool(), Instant::now());
    let function = key(1).function;
    let needs = Needs { min_instances: 1, ..needs(10, SECOND) };
    pool.handle(Event::Active { function, revision: Some(key(1).revision) }, now);
    assert_eq!(pool.handle(Event::Keep { key: key(1), needs }, now), [start(0)]);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(renew(), now), [stop(0), start(1)]);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(1), by_host: true }, now), []);
    assert_eq!(pool.handle(renew(), now), [start(2)], "the new value may let it start");
}

#[test]
fn what_waits_goes_to_others_where_no_new_instance_could_start() {
    let (mut pool, now) = (pool(), Instant::now());
    let function = key(1).function;
    let needs = Needs { min_instances: 1, ..needs(1, SECOND) };
    pool.handle(Event::Active { function, revision: Some(key(1).revision) }, now);
    pool.handle(Event::Keep { key: key(1), needs }, now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(call(0, needs), now);
    pool.handle(call(1, needs), now);
    pool.handle(arrived(2, Mode::Async, needs), now);
    let to_others = |work| Action::Reject { work: WorkId(work), why: Rejection::ToOthers };
    let renew = Event::Renew { function, to_others: true };
    assert_eq!(pool.handle(renew, now), [to_others(1), to_others(2)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)], "and none is kept");
    assert!(!pool.keeps(key(1)));
}

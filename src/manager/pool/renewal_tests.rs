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

fn outdated(slot: u64) -> Event {
    Event::Outdated { slot: Slot(slot) }
}

fn active(revision: u32) -> Event {
    Event::Active { function: key(1).function, revision: Some(RevisionNumber(revision)) }
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

fn to_others(work: u64) -> Action {
    Action::Reject { work: WorkId(work), why: Rejection::ToOthers }
}

#[test]
fn an_idle_one_goes_at_once_and_new_work_gets_a_new_one() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(finished(0), now);
    assert_eq!(pool.handle(outdated(0), now), [stop(0)]);
    assert_eq!(pool.handle(outdated(0), now), [], "it was said before");
    assert_eq!(pool.handle(call(1, needs), now), [start(1)]);
}

#[test]
fn a_busy_one_goes_after_its_run_and_is_given_nothing_more() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(outdated(0), now), []);
    assert_eq!(pool.handle(call(1, needs), now), [start(1)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)], "though somebody waits");
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), [run(1, 1, Start::Cold)]);
    assert_eq!(pool.handle(finished(1), now), [], "the new one idles");
}

#[test]
fn one_that_runs_for_long_holds_up_no_call_even_where_one_instance_is_the_limit() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 3, ..needs(1, 60 * SECOND) };
    for work in 0..2 {
        pool.handle(call(work, needs), now);
    }
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(outdated(0), now);
    assert_eq!(pool.handle(call(2, needs), now), [start(1)], "an old one does not count");
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), [run(1, 2, Start::Cold)]);
    assert_eq!(pool.handle(call(3, needs), now), [run(1, 3, Start::Warm)]);
    assert_eq!(pool.handle(finished(0), now), [], "it still runs another one");
    assert_eq!(pool.handle(finished(0), now), [stop(0)]);
    for work in 4..6 {
        pool.handle(call(work, needs), now);
    }
    assert_eq!(pool.handle(call(6, needs), now), [], "the new one counts");
}

#[test]
fn old_ones_count_against_the_memory() {
    let mut pool = Pool::new(Limits { max_starts: 4, memory_budget: 128 });
    let (needs, now) = (needs(1, 60 * SECOND), Instant::now());
    pool.handle(call(0, needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(outdated(0), now);
    assert_eq!(pool.handle(call(1, needs), now), []);
    assert_eq!(pool.handle(finished(0), now), [stop(0)]);
    assert_eq!(pool.handle(Event::Gone { slot: Slot(0) }, now), [start(1)]);
}

#[test]
fn one_that_loads_runs_what_waits_for_it_and_goes_after_that() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Made { slot: Slot(0) }, now);
    assert_eq!(pool.handle(outdated(0), now), [], "its caller would wait for another start");
    assert_eq!(pool.handle(Event::Started { slot: Slot(0) }, now), [run(0, 0, Start::Cold)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)]);
    // And one for which nobody waits any more goes when it is ready.
    pool.handle(call(1, needs), now);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    pool.handle(call(2, needs), now);
    pool.handle(Event::Made { slot: Slot(2) }, now);
    assert_eq!(pool.handle(finished(1), now), [run(1, 2, Start::Warm)]);
    pool.handle(outdated(2), now);
    assert_eq!(pool.handle(Event::Started { slot: Slot(2) }, now), [stop(2)]);
}

#[test]
fn one_that_loads_takes_nothing_that_came_later_and_that_gets_a_start_of_its_own() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 3, ..needs(1, 60 * SECOND) };
    pool.handle(call(0, needs), now);
    pool.handle(Event::Made { slot: Slot(0) }, now);
    pool.handle(outdated(0), now);
    assert_eq!(pool.handle(call(1, needs), now), [start(1)], "though the old one has places");
    assert_eq!(pool.handle(arrived(2, Mode::Async, needs), now), []);
    assert_eq!(pool.handle(outdated(0), now), [], "it stays as old as it was");
    assert_eq!(pool.handle(Event::Started { slot: Slot(0) }, now), [run(0, 0, Start::Cold)]);
    let both = [run(1, 1, Start::Cold), run(1, 2, Start::Cold)];
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), both);
}

#[test]
fn the_failure_of_an_old_start_answers_nothing_that_came_later() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 3, ..needs(1, 60 * SECOND) };
    pool.handle(call(0, needs), now);
    pool.handle(outdated(0), now);
    assert_eq!(pool.handle(call(1, needs), now), [start(1)]);
    let failed = Event::StartFailed { slot: Slot(0), by_host: false };
    let why = Rejection::StartFailed(Slot(0));
    assert_eq!(pool.handle(failed, now), [Action::Reject { work: WorkId(0), why }]);
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), [run(1, 1, Start::Cold)]);
}

#[test]
fn a_rollback_does_not_bring_an_old_one_back() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(active(1), now);
    pool.handle(call(0, needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    // The next revision does not have the secret that is set anew then.
    pool.handle(active(2), now);
    pool.handle(outdated(0), now);
    pool.handle(active(1), now);
    assert_eq!(pool.handle(call(1, needs), now), [start(1)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)]);
}

#[test]
fn kept_ones_are_replaced_and_a_start_that_pauses_is_tried_at_once() {
    let (mut pool, now) = (pool(), Instant::now());
    let function = key(1).function;
    let needs = Needs { min_instances: 1, ..needs(10, SECOND) };
    pool.handle(active(1), now);
    assert_eq!(pool.handle(Event::Keep { key: key(1), needs }, now), [start(0)]);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(outdated(0), now), [stop(0), start(1)]);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(1), by_host: true }, now), []);
    let changed = Event::SecretsChanged { function };
    assert_eq!(pool.handle(changed, now), [start(2)], "the new value may let it start");
}

#[test]
fn while_a_function_is_left_to_others_its_instances_go_and_its_work_goes_to_them() {
    let (mut pool, now) = (pool(), Instant::now());
    let function = key(1).function;
    let needs = Needs { min_instances: 1, ..needs(1, SECOND) };
    pool.handle(active(1), now);
    pool.handle(Event::Keep { key: key(1), needs }, now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(call(0, needs), now);
    pool.handle(call(1, needs), now);
    pool.handle(arrived(2, Mode::Async, needs), now);
    let leave = Event::LeaveToOthers { function };
    assert_eq!(pool.handle(leave, now), [to_others(1), to_others(2)]);
    assert_eq!(pool.handle(finished(0), now), [stop(0)], "and none is kept");
    assert!(!pool.keeps(key(1)));
    pool.handle(Event::Gone { slot: Slot(0) }, now);
    assert_eq!(pool.handle(call(3, needs), now), [to_others(3)], "what arrives meanwhile, too");
    let ends = [active(1), Event::Keep { key: key(1), needs }, Event::SecretsChanged { function }];
    for (work, end) in (4..).zip(ends) {
        pool.handle(leave, now);
        pool.handle(end, now);
        assert_ne!(pool.handle(call(work, needs), now), [to_others(work)], "after {end:?}");
    }
}

#[test]
fn what_waits_for_a_start_that_cannot_be_made_here_goes_to_others_after_a_pause() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    pool.handle(call(0, needs), now);
    pool.handle(arrived(1, Mode::Async, needs), now);
    let failed = Event::CannotStartHere { slot: Slot(0) };
    let later = |work| Action::Reject { work: WorkId(work), why: Rejection::ToOthersLater };
    assert_eq!(pool.handle(failed, now), [later(0), later(1)]);
    assert!(pool.is_empty());
}

#[test]
fn there_are_at_most_twice_as_many_with_those_that_are_outdated() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    for number in 0..2 {
        assert_eq!(pool.handle(call(number, needs), now), [start(number)]);
        pool.handle(Event::Started { slot: Slot(number) }, now);
        pool.handle(outdated(number), now);
    }
    assert_eq!(pool.handle(call(2, needs), now), [], "two run on with old values");
    assert_eq!(pool.handle(finished(0), now), [stop(0), start(2)]);
}

use std::time::Duration;

use super::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn needs(max_instances: u32, idle: Duration) -> Needs {
    Needs {
        max_instances,
        min_instances: 0,
        concurrency: 1,
        idle_timeout: idle,
        memory: 128,
        class: None,
    }
}

pub(super) fn key(number: u32) -> Key {
    Key { function: FunctionId(uuid::Uuid::from_u128(u128::from(number))), revision: RevisionNumber(1) }
}

fn arrived(work: u64, key: Key, needs: Needs) -> Event {
    Event::Arrived { work: WorkId(work), key, needs, mode: Mode::Sync, deadline: None }
}

fn pool() -> Pool {
    Pool::new(Limits { max_starts: 4, memory_budget: 10_000 })
}

#[test]
fn the_first_is_cold_the_next_is_warm_and_the_idle_timer_starts_at_the_end() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 2 * SECOND);
    let actions = pool.handle(arrived(1, key(1), needs), now);
    assert_eq!(actions, [Action::Start { slot: Slot(0), key: key(1) }]);
    let actions = pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(actions, [Action::Run { slot: Slot(0), work: WorkId(1), start: Start::Cold }]);
    assert_eq!(pool.next_deadline(), None, "no timer runs while it is busy");
    pool.handle(Event::Finished { slot: Slot(0), usable: true }, now + SECOND);
    assert_eq!(pool.next_deadline(), Some(now + 3 * SECOND));
    let actions = pool.handle(arrived(2, key(1), needs), now + 2 * SECOND);
    assert_eq!(actions, [Action::Run { slot: Slot(0), work: WorkId(2), start: Start::Warm }]);
    pool.handle(Event::Finished { slot: Slot(0), usable: true }, now + 2 * SECOND);
    assert_eq!(pool.handle(Event::Tick, now + 3 * SECOND), [], "the invocation has reset the timer");
    assert_eq!(pool.handle(Event::Tick, now + 4 * SECOND), [Action::Stop { slot: Slot(0) }]);
    pool.handle(Event::Gone { slot: Slot(0) }, now + 4 * SECOND);
    assert!(pool.is_empty());
}

#[test]
fn waiting_work_shares_starts_and_takes_what_becomes_free_first() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(
        pool.handle(arrived(2, key(1), needs), now),
        [Action::Start { slot: Slot(1), key: key(1) }]
    );
    assert_eq!(
        pool.handle(Event::Finished { slot: Slot(0), usable: true }, now),
        [Action::Run { slot: Slot(0), work: WorkId(2), start: Start::Warm }]
    );
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), [], "it idles: the work is taken");
}

#[test]
fn a_new_revision_drains_the_old_one() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(2, SECOND);
    for work in [1, 2] {
        pool.handle(arrived(work, key(1), needs), now);
        pool.handle(Event::Started { slot: Slot(work - 1) }, now);
    }
    pool.handle(Event::Finished { slot: Slot(0), usable: true }, now);
    let active = Event::Active { function: key(1).function, revision: Some(RevisionNumber(2)) };
    assert_eq!(pool.handle(active, now), [Action::Stop { slot: Slot(0) }], "idle ones go at once");
    assert_eq!(
        pool.handle(Event::Finished { slot: Slot(1), usable: true }, now),
        [Action::Stop { slot: Slot(1) }],
        "busy ones go after their invocation"
    );
}

fn asynchronous(work: u64, key: Key, needs: Needs) -> Event {
    Event::Arrived { work: WorkId(work), key, needs, mode: Mode::Async, deadline: None }
}

#[test]
fn background_work_waits_for_the_revision_that_is_active_when_it_begins() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    let function = key(1).function;
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), needs), now);
    pool.handle(asynchronous(3, key(1), needs), now);
    let active = Event::Active { function, revision: Some(RevisionNumber(2)) };
    assert_eq!(
        pool.handle(active, now),
        [Action::Reject { work: WorkId(3), why: Rejection::Outdated }],
        "the caller waits for the code that it called"
    );
    let new = Key { revision: RevisionNumber(2), ..key(1) };
    assert_eq!(pool.handle(asynchronous(4, new, needs), now), []);
}

#[test]
fn nothing_begins_of_a_function_that_was_deleted() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), needs), now);
    pool.handle(asynchronous(3, key(1), needs), now);
    let deleted = Event::Active { function: key(1).function, revision: None };
    let gone = |work| Action::Reject { work: WorkId(work), why: Rejection::Deleted };
    assert_eq!(pool.handle(deleted, now), [gone(2), gone(3)]);
    assert_eq!(
        pool.handle(Event::Finished { slot: Slot(0), usable: true }, now),
        [Action::Stop { slot: Slot(0) }]
    );
}

#[test]
fn a_function_that_starves_gets_its_memory_from_one_that_runs_on_and_on() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 4, memory_budget: 128 }), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), needs), now);
    let tenth = SECOND / 10;
    pool.handle(arrived(3, key(2), needs), now + tenth);
    let finished = Event::Finished { slot: Slot(0), usable: true };
    let run = |work| [Action::Run { slot: Slot(0), work: WorkId(work), start: Start::Warm }];
    assert_eq!(pool.handle(finished, now + 2 * SECOND), run(2), "who came first runs first");
    pool.handle(arrived(4, key(1), needs), now + 2 * SECOND);
    assert_eq!(pool.handle(finished, now + 3 * SECOND), [Action::Stop { slot: Slot(0) }]);
    pool.handle(Event::Gone { slot: Slot(0) }, now + 3 * SECOND);
    assert_eq!(pool.starting(key(2)), 1, "it has the room");
}

#[test]
fn a_function_that_starves_for_more_than_one_place_gets_it_too() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 4, memory_budget: 256 }), Instant::now());
    let (small, large) = (needs(10, 60 * SECOND), Needs { memory: 256, ..needs(1, 60 * SECOND) });
    for slot in 0..2 {
        pool.handle(arrived(slot, key(1), small), now);
        pool.handle(Event::Started { slot: Slot(slot) }, now);
    }
    pool.handle(arrived(2, key(2), large), now);
    for work in 3..9 {
        pool.handle(arrived(work, key(1), small), now + SECOND / 2);
    }
    let later = now + 2 * SECOND;
    for slot in [Slot(0), Slot(1)] {
        let finished = Event::Finished { slot, usable: true };
        assert_eq!(pool.handle(finished, later), [Action::Stop { slot }]);
        let actions = pool.handle(Event::Gone { slot }, later);
        let start = Action::Start { slot: Slot(2), key: key(2) };
        assert_eq!(actions, if slot == Slot(1) { vec![start] } else { vec![] });
    }
}

#[test]
fn functions_take_turns_in_starting_and_loading_is_no_start() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 1, memory_budget: 10_000 }), Instant::now());
    let needs = needs(10, SECOND);
    for work in 1..4 {
        pool.handle(arrived(work, key(1), needs), now);
    }
    pool.handle(arrived(4, key(2), needs), now);
    assert_eq!((pool.starting(key(1)), pool.starting(key(2))), (1, 0));
    let actions = pool.handle(Event::Made { slot: Slot(0) }, now);
    assert_eq!(actions, [Action::Start { slot: Slot(1), key: key(2) }], "while the first one loads");
    pool.handle(Event::Made { slot: Slot(1) }, now);
    assert_eq!((pool.starting(key(1)), pool.starting(key(2))), (2, 1));
}

#[test]
fn background_work_has_one_turn_in_four_beside_callers() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    pool.handle(arrived(0, key(1), needs), now);
    for work in 1..7 {
        pool.handle(arrived(work, key(1), needs), now);
        pool.handle(asynchronous(100 + work, key(1), needs), now);
    }
    let mut order = Vec::new();
    let mut event = Event::Started { slot: Slot(0) };
    for _ in 0..8 {
        for action in pool.handle(event, now) {
            if let Action::Run { work, .. } = action {
                order.push(work.0);
            }
        }
        event = Event::Finished { slot: Slot(0), usable: true };
    }
    assert_eq!(order, [0, 1, 2, 3, 101, 4, 5, 6]);
}

#[test]
fn the_least_recently_used_idle_instance_makes_room() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 4, memory_budget: 256 }), Instant::now());
    let needs = needs(2, 60 * SECOND);
    for number in [1, 2] {
        pool.handle(arrived(number, key(u32::try_from(number).unwrap()), needs), now);
        pool.handle(Event::Started { slot: Slot(number - 1) }, now);
        pool.handle(Event::Finished { slot: Slot(number - 1), usable: true }, now);
    }
    assert_eq!(pool.handle(arrived(3, key(3), needs), now), [Action::Stop { slot: Slot(0) }]);
    assert_eq!(
        pool.handle(Event::Gone { slot: Slot(0) }, now),
        [Action::Start { slot: Slot(2), key: key(3) }],
        "only when its memory is free"
    );
}

#[test]
fn under_adaptive_the_instance_that_is_worth_least_makes_room() {
    let pool = Pool::new(Limits { max_starts: 4, memory_budget: 256 });
    let (mut pool, now) = (pool.keeping(KeepAlivePolicy::Adaptive), Instant::now());
    let needs = needs(2, 60 * SECOND);
    for (slot, work, number) in [(0, 1, 1), (1, 2, 2)] {
        pool.handle(arrived(work, key(number), needs), now);
        pool.handle(Event::Started { slot: Slot(slot) }, now + SECOND);
        pool.handle(Event::Finished { slot: Slot(slot), usable: true }, now + SECOND);
    }
    for work in 3..6 {
        pool.handle(arrived(work, key(1), needs), now + SECOND);
        pool.handle(Event::Finished { slot: Slot(0), usable: true }, now + SECOND);
    }
    pool.handle(arrived(6, key(2), needs), now + SECOND);
    pool.handle(Event::Finished { slot: Slot(1), usable: true }, now + SECOND);
    let actions = pool.handle(arrived(7, key(3), needs), now + SECOND);
    assert_eq!(actions, [Action::Stop { slot: Slot(1) }], "the other one is used twice as often");
}

#[test]
fn a_failed_start_answers_one_and_tries_for_the_next() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 1, memory_budget: 10_000 }), Instant::now());
    let needs = needs(10, SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(arrived(2, key(1), needs), now);
    assert_eq!(
        pool.handle(Event::StartFailed { slot: Slot(0), by_host: false }, now),
        [
            Action::Reject { work: WorkId(1), why: Rejection::StartFailed(Slot(0)) },
            Action::Start { slot: Slot(1), key: key(1) },
        ]
    );
}

#[test]
fn a_start_that_the_host_could_not_make_costs_nobody_who_can_wait_for_another_instance() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    for work in 2..=3 {
        let start = Action::Start { slot: Slot(work - 1), key: key(1) };
        assert_eq!(pool.handle(asynchronous(work, key(1), needs), now), [start]);
    }
    for slot in [Slot(1), Slot(2)] {
        assert_eq!(pool.handle(Event::StartFailed { slot, by_host: true }, now), []);
    }
    let run = |slot, work, start| [Action::Run { slot: Slot(slot), work: WorkId(work), start }];
    let finished = Event::Finished { slot: Slot(0), usable: true };
    assert_eq!(pool.handle(finished, now + SECOND), run(0, 2, Start::Warm));
    assert_eq!(pool.handle(arrived(4, key(1), needs), now + SECOND), []);
    // After five seconds another start is tried; one that fails pauses starts again.
    assert_eq!(pool.next_deadline(), Some(now + 5 * SECOND));
    let starts = |slot| Action::Start { slot: Slot(slot), key: key(1) };
    assert_eq!(pool.handle(Event::Tick, now + 5 * SECOND), [starts(3), starts(4)]);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(3), by_host: true }, now + 5 * SECOND), []);
    assert_eq!(pool.handle(Event::Started { slot: Slot(4) }, now + 6 * SECOND), {
        let [run] = run(4, 4, Start::Cold);
        [run, starts(5)]
    });
}

#[test]
fn without_any_instance_a_start_that_the_host_could_not_make_is_a_failed_one() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(10, 60 * SECOND);
    let starts = |slot| Action::Start { slot: Slot(slot), key: key(1) };
    let fails =
        |work, slot| Action::Reject { work: WorkId(work), why: Rejection::StartFailed(Slot(slot)) };
    pool.handle(arrived(1, key(1), needs), now);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(0), by_host: true }, now), [fails(1, 0)]);
    // The last one ends during a pause.
    pool.handle(arrived(2, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    pool.handle(arrived(3, key(1), needs), now);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(2), by_host: true }, now), []);
    let ends = Event::Finished { slot: Slot(1), usable: false };
    assert_eq!(pool.handle(ends, now), [Action::Stop { slot: Slot(1) }, starts(3)]);
    assert_eq!(pool.handle(Event::StartFailed { slot: Slot(3), by_host: true }, now), [fails(3, 3)]);
}

#[test]
fn who_has_waited_too_long_is_told() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    let deadline = Some(now + SECOND);
    pool.handle(Event::Arrived { work: WorkId(2), key: key(1), needs, mode: Mode::Sync, deadline }, now);
    assert_eq!(pool.next_deadline(), deadline);
    assert_eq!(
        pool.handle(Event::Tick, now + SECOND),
        [Action::Reject { work: WorkId(2), why: Rejection::Expired }]
    );
}

#[test]
fn who_comes_after_his_deadline_is_not_run() {
    let (mut pool, now) = (pool(), Instant::now());
    let (needs, deadline) = (needs(1, SECOND), Some(now));
    let late = Event::Arrived { work: WorkId(1), key: key(1), needs, mode: Mode::Sync, deadline };
    assert_eq!(pool.handle(late, now), [Action::Reject { work: WorkId(1), why: Rejection::Expired }]);
}

#[test]
fn who_waits_for_a_start_waits_for_its_end() {
    let (mut pool, now) = (pool(), Instant::now());
    let deadline = Some(now + SECOND);
    let needs = needs(1, SECOND);
    for work in [1, 2] {
        let work = WorkId(work);
        pool.handle(Event::Arrived { work, key: key(1), needs, mode: Mode::Sync, deadline }, now);
    }
    assert_eq!(pool.next_deadline(), deadline, "of the second one, for which none may start");
    assert_eq!(
        pool.handle(Event::Tick, now + 2 * SECOND),
        [Action::Reject { work: WorkId(2), why: Rejection::Expired }]
    );
    assert_eq!(pool.next_deadline(), None);
    assert_eq!(
        pool.handle(Event::Started { slot: Slot(0) }, now + 20 * SECOND),
        [Action::Run { slot: Slot(0), work: WorkId(1), start: Start::Cold }]
    );
}

#[test]
fn a_drain_rejects_what_waits_and_lets_finish_what_runs() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = needs(1, SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), needs), now);
    assert_eq!(
        pool.handle(Event::Drain, now),
        [Action::Reject { work: WorkId(2), why: Rejection::ToOthers }]
    );
    assert_eq!(
        pool.handle(Event::Finished { slot: Slot(0), usable: true }, now),
        [Action::Stop { slot: Slot(0) }]
    );
}

fn check_wanted(check: u64, deadline: Instant) -> Event {
    Event::CheckWanted { check: CheckId(check), class: None, memory: 128, deadline }
}

#[test]
fn a_check_has_what_invocations_leave_and_makes_way_for_them() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 4, memory_budget: 256 }), Instant::now());
    let needs = needs(2, 60 * SECOND);
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(Event::Finished { slot: Slot(0), usable: true }, now);
    let begun = [Action::Check { slot: Slot(1), check: CheckId(1) }];
    assert_eq!(pool.handle(check_wanted(1, now + SECOND), now), begun);
    assert_eq!(
        pool.handle(arrived(2, key(2), needs), now),
        [Action::Start { slot: Slot(2), key: key(2) }, Action::Stop { slot: Slot(1) }],
        "the start does not wait, and no instance is evicted"
    );
    pool.handle(Event::Gone { slot: Slot(1) }, now);
    assert_eq!(pool.handle(check_wanted(2, now + SECOND), now), [], "it waits; the idle one stays");
    assert_eq!(pool.next_deadline(), Some(now + SECOND));
    let skip = |why| [Action::Skip { check: CheckId(2), why }];
    assert_eq!(pool.handle(Event::Tick, now + SECOND), skip(Skipped::NoMemory));
    pool.handle(check_wanted(2, now + 9 * SECOND), now + SECOND);
    let actions = pool.handle(Event::Drain, now + SECOND);
    assert!(actions.contains(&skip(Skipped::Draining)[0]), "{actions:?}");
}

#[test]
fn a_check_larger_than_the_whole_budget_is_made_when_nothing_else_lives() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 1, memory_budget: 64 }), Instant::now());
    let begun = [Action::Check { slot: Slot(0), check: CheckId(1) }];
    assert_eq!(pool.handle(check_wanted(1, now + SECOND), now), begun);
    assert_eq!(pool.handle(check_wanted(2, now + SECOND), now), [], "one at a time");
    pool.handle(Event::Gone { slot: Slot(0) }, now);
}

#[test]
fn a_check_waits_for_a_start_that_is_free() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 1, memory_budget: 10_000 }), Instant::now());
    pool.handle(arrived(1, key(1), needs(1, SECOND)), now);
    assert_eq!(pool.handle(check_wanted(1, now + SECOND), now), []);
    let actions = pool.handle(Event::Started { slot: Slot(0) }, now);
    assert!(actions.contains(&Action::Check { slot: Slot(1), check: CheckId(1) }), "{actions:?}");
    assert_eq!(
        pool.handle(arrived(2, key(2), needs(1, SECOND)), now),
        [Action::Start { slot: Slot(2), key: key(2) }],
        "the check is in no start's way"
    );
}

fn run(slot: u64, work: u64, start: Start) -> Action {
    Action::Run { slot: Slot(slot), work: WorkId(work), start }
}

#[test]
fn one_instance_is_filled_before_another_one_is_started() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 2, ..needs(2, SECOND) };
    assert_eq!(
        pool.handle(arrived(1, key(1), needs), now),
        [Action::Start { slot: Slot(0), key: key(1) }]
    );
    assert_eq!(pool.handle(arrived(2, key(1), needs), now), [], "the start has a place for it, too");
    let started = |slot| Event::Started { slot: Slot(slot) };
    assert_eq!(pool.handle(started(0), now), [run(0, 1, Start::Cold), run(0, 2, Start::Cold)]);
    assert_eq!(
        pool.handle(arrived(3, key(1), needs), now),
        [Action::Start { slot: Slot(1), key: key(1) }]
    );
    assert_eq!(pool.handle(started(1), now), [run(1, 3, Start::Cold)]);
    let finished = |slot| Event::Finished { slot: Slot(slot), usable: true };
    pool.handle(finished(1), now);
    pool.handle(finished(0), now);
    assert_eq!(pool.handle(arrived(4, key(1), needs), now), [run(0, 4, Start::Warm)], "the fullest");
    assert_eq!(pool.handle(arrived(5, key(1), needs), now), [run(1, 5, Start::Warm)]);
    assert_eq!(pool.handle(arrived(6, key(1), needs), now), [run(1, 6, Start::Warm)]);
    assert_eq!(pool.handle(arrived(7, key(1), needs), now), [], "all places are taken");
    assert_eq!(pool.handle(finished(1), now), [run(1, 7, Start::Warm)]);
    pool.handle(finished(1), now);
    assert_eq!(pool.idle_until(Slot(1)), None);
    pool.handle(finished(1), now + SECOND);
    assert_eq!(pool.idle_until(Slot(1)), Some(now + 2 * SECOND), "it idles from its last end on");
}

#[test]
fn an_instance_that_is_of_no_more_use_ends_what_it_runs_and_goes() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 3, ..needs(2, SECOND) };
    pool.handle(arrived(1, key(1), needs), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), needs), now);
    let finished = |usable| Event::Finished { slot: Slot(0), usable };
    assert_eq!(pool.handle(finished(false), now), []);
    assert_eq!(
        pool.handle(arrived(3, key(1), needs), now),
        [Action::Start { slot: Slot(1), key: key(1) }],
        "it is given nothing more"
    );
    assert_eq!(pool.handle(finished(true), now), [Action::Stop { slot: Slot(0) }]);
}

#[test]
fn an_instance_that_is_never_idle_makes_room_for_a_function_that_starves() {
    let (mut pool, now) = (Pool::new(Limits { max_starts: 4, memory_budget: 128 }), Instant::now());
    let needs = needs(1, 60 * SECOND);
    let several = Needs { concurrency: 2, ..needs };
    pool.handle(arrived(1, key(1), several), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(arrived(2, key(1), several), now);
    pool.handle(arrived(3, key(2), needs), now);
    let finished = Event::Finished { slot: Slot(0), usable: true };
    pool.handle(finished, now + SECOND / 2);
    assert_eq!(pool.handle(arrived(4, key(1), several), now + SECOND), [run(0, 4, Start::Warm)]);
    assert_eq!(pool.handle(finished, now + 2 * SECOND), [], "it has one left, which ends in it");
    assert_eq!(pool.handle(arrived(5, key(1), several), now + 2 * SECOND), []);
    assert_eq!(pool.handle(finished, now + 3 * SECOND), [Action::Stop { slot: Slot(0) }]);
    assert_eq!(
        pool.handle(Event::Gone { slot: Slot(0) }, now + 3 * SECOND),
        [Action::Start { slot: Slot(1), key: key(2) }]
    );
}

#[test]
fn a_start_that_fails_answers_as_many_as_it_would_have_run() {
    let (mut pool, now) = (pool(), Instant::now());
    let needs = Needs { concurrency: 2, ..needs(1, SECOND) };
    for work in 1..=3 {
        pool.handle(arrived(work, key(1), needs), now);
    }
    let failed = |work| Action::Reject { work: WorkId(work), why: Rejection::StartFailed(Slot(0)) };
    assert_eq!(
        pool.handle(Event::StartFailed { slot: Slot(0), by_host: true }, now),
        [failed(1), failed(2), Action::Start { slot: Slot(1), key: key(1) }]
    );
}

use std::time::Duration;

use super::{
    tests::{SECOND, key, needs},
    *,
};

const START: fn(u64, u32) -> Action =
    |slot, function| Action::Start { slot: Slot(slot), key: key(function) };

fn pool(memory: u64) -> Pool {
    Pool::new(Limits { max_starts: 2, memory_budget: memory * 128 })
}

fn keep(function: u32, count: u32) -> Event {
    let needs = Needs { min_instances: count, ..needs(10, SECOND) };
    Event::Keep { key: key(function), needs }
}

fn active(function: u32, revision: Option<u32>) -> Event {
    Event::Active { function: key(function).function, revision: revision.map(RevisionNumber) }
}

fn call(work: u64, function: u32) -> Event {
    let (work, key, needs) = (WorkId(work), key(function), needs(10, SECOND));
    Event::Arrived { work, key, needs, mode: Mode::Sync, deadline: None }
}

#[test]
fn kept_ones_are_started_one_at_a_time_and_outlast_their_idle_timeout() {
    let (mut pool, now) = (pool(100), Instant::now());
    assert_eq!(pool.handle(active(1, Some(1)), now), []);
    assert_eq!(pool.handle(keep(1, 2), now), [START(0, 1)]);
    assert_eq!(pool.handle(keep(1, 2), now), [], "it is known");
    assert_eq!(pool.handle(Event::Made { slot: Slot(0) }, now), [START(1, 1)]);
    assert_eq!(pool.handle(Event::Started { slot: Slot(0) }, now), []);
    assert_eq!(pool.handle(Event::Started { slot: Slot(1) }, now), []);
    for seconds in [1, 60, 200] {
        assert_eq!(pool.handle(Event::Tick, now + seconds * SECOND), []);
        assert!(pool.next_deadline() > Some(now + seconds * SECOND), "no tick is due for ever");
    }
    // One beyond them is an ordinary one.
    let later = now + 300 * SECOND;
    for work in 0..3 {
        pool.handle(call(work, 1), later);
    }
    pool.handle(Event::Started { slot: Slot(2) }, later);
    for slot in 0..3 {
        pool.handle(Event::Finished { slot: Slot(slot), usable: true }, later);
    }
    let stopped = pool.handle(Event::Tick, later + SECOND);
    assert!(matches!(stopped[..], [Action::Stop { .. }]), "{stopped:?}");
}

#[test]
fn one_that_ends_is_replaced_at_once_and_one_that_cannot_be_started_after_growing_pauses() {
    let (mut pool, mut now) = (pool(100), Instant::now());
    pool.handle(active(1, Some(1)), now);
    assert_eq!(pool.handle(keep(1, 1), now), [START(0, 1)]);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    // It was of use, and then broke.
    pool.handle(call(1, 1), now);
    let actions = pool.handle(Event::Finished { slot: Slot(0), usable: false }, now);
    assert_eq!(actions, [Action::Stop { slot: Slot(0) }, START(1, 1)]);
    for (failure, pause) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        let slot = Slot(failure as u64 + 1);
        assert_eq!(pool.handle(Event::StartFailed { slot, by_host: false }, now), []);
        assert_eq!(pool.next_deadline(), Some(now + pause * SECOND));
        assert_eq!(pool.handle(Event::Tick, now + pause * SECOND - Duration::from_millis(1)), []);
        now += pause * SECOND;
        assert_eq!(pool.handle(Event::Tick, now), [START(slot.0 + 1, 1)]);
    }
    // One that loads, and dies before it has run anything, has failed as well.
    pool.handle(Event::Started { slot: Slot(9) }, now);
    assert_eq!(pool.handle(Event::Ended { slot: Slot(9) }, now), [Action::Stop { slot: Slot(9) }]);
    assert_eq!(pool.handle(Event::Tick, now + 60 * SECOND), [START(10, 1)]);
    // One that has run something has not.
    pool.handle(Event::Started { slot: Slot(10) }, now);
    pool.handle(call(2, 1), now);
    pool.handle(Event::Finished { slot: Slot(10), usable: true }, now);
    pool.handle(Event::Ended { slot: Slot(10) }, now);
    assert_eq!(pool.handle(Event::Tick, now + SECOND), [START(11, 1)]);
}

#[test]
fn another_revision_or_none_replaces_what_was_kept() {
    let (mut pool, now) = (pool(100), Instant::now());
    pool.handle(active(1, Some(1)), now);
    pool.handle(keep(1, 1), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    let next = Key { revision: RevisionNumber(2), ..key(1) };
    assert_eq!(pool.handle(active(1, Some(2)), now), [Action::Stop { slot: Slot(0) }]);
    assert!(!pool.keeps(key(1)));
    let wanted = Needs { min_instances: 1, ..needs(10, SECOND) };
    let actions = pool.handle(Event::Keep { key: next, needs: wanted }, now);
    assert_eq!(actions, [Action::Start { slot: Slot(1), key: next }]);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    assert_eq!(pool.handle(active(1, None), now), [Action::Stop { slot: Slot(1) }]);
    for slot in [Slot(0), Slot(1)] {
        assert_eq!(pool.handle(Event::Gone { slot }, now), []);
    }
    assert!(pool.is_empty());
}

#[test]
fn callers_come_first_and_kept_ones_are_not_evicted() {
    let (mut pool, now) = (pool(2), Instant::now());
    pool.handle(active(1, Some(1)), now);
    pool.handle(call(1, 2), now);
    pool.handle(call(2, 2), now);
    assert_eq!(pool.handle(keep(1, 1), now), [], "there is no room");
    pool.handle(Event::Started { slot: Slot(0) }, now);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    let finished = pool.handle(Event::Finished { slot: Slot(0), usable: true }, now);
    assert_eq!(finished, [Action::Stop { slot: Slot(0) }], "an idle one makes room");
    assert_eq!(pool.handle(Event::Gone { slot: Slot(0) }, now), [START(2, 1)]);
    pool.handle(Event::Started { slot: Slot(2) }, now);
    assert_eq!(pool.handle(call(3, 3), now), [], "it waits, and the kept one stays");
    let finished = pool.handle(Event::Finished { slot: Slot(1), usable: true }, now);
    assert_eq!(finished, [Action::Stop { slot: Slot(1) }]);
    assert_eq!(pool.handle(Event::Gone { slot: Slot(1) }, now), [START(3, 3)]);
}

#[test]
fn a_function_that_needs_more_than_the_other_half_takes_the_place_of_kept_ones() {
    let (mut pool, now) = (pool(4), Instant::now());
    pool.handle(active(1, Some(1)), now);
    pool.handle(keep(1, 1), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    let large = Needs { memory: 4 * 128, ..needs(10, SECOND) };
    let call =
        Event::Arrived { work: WorkId(1), key: key(2), needs: large, mode: Mode::Sync, deadline: None };
    assert_eq!(pool.handle(call, now), [Action::Stop { slot: Slot(0) }]);
    assert_eq!(pool.handle(Event::Gone { slot: Slot(0) }, now), [START(1, 2)]);
    pool.handle(Event::Started { slot: Slot(1) }, now);
    pool.handle(Event::Finished { slot: Slot(1), usable: true }, now);
    pool.handle(Event::Gone { slot: Slot(1) }, now);
    assert!(pool.keeps(key(1)));
}

#[test]
fn a_start_that_is_wanted_no_more_does_not_keep_others_from_theirs() {
    let (mut pool, now) = (pool(100), Instant::now());
    pool.handle(active(1, Some(1)), now);
    assert_eq!(pool.handle(keep(1, 1), now), [START(0, 1)]);
    pool.handle(active(1, None), now);
    pool.handle(Event::Made { slot: Slot(0) }, now);
    assert_eq!(pool.handle(Event::Started { slot: Slot(0) }, now), [Action::Stop { slot: Slot(0) }]);
    pool.handle(Event::Gone { slot: Slot(0) }, now);
    pool.handle(active(2, Some(1)), now);
    assert_eq!(pool.handle(keep(2, 1), now), [START(1, 2)]);
    // The failure of an older revision's start is not the next one's.
    let next = Key { revision: RevisionNumber(2), ..key(2) };
    pool.handle(active(2, Some(2)), now);
    pool.handle(Event::Keep { key: next, needs: Needs { min_instances: 1, ..needs(10, SECOND) } }, now);
    let actions = pool.handle(Event::StartFailed { slot: Slot(1), by_host: false }, now);
    assert_eq!(actions, [Action::Start { slot: Slot(2), key: next }]);
}

#[test]
fn no_more_than_half_of_the_memory_is_kept_and_the_oldest_functions_come_first() {
    let (mut pool, now) = (pool(6), Instant::now());
    for function in [2, 1] {
        pool.handle(active(function, Some(1)), now);
        pool.handle(keep(function, 2), now);
    }
    assert_eq!((pool.kept(key(1)), pool.kept(key(2))), (2, 1));
    pool.handle(active(1, None), now);
    assert_eq!(pool.kept(key(2)), 2);
}

#[test]
fn a_kept_one_that_runs_on_and_on_makes_room_only_for_a_large_one() {
    for (memory, makes_room) in [(3 * 128, true), (2 * 128, false)] {
        let (mut pool, now) = (pool(4), Instant::now());
        pool.handle(active(1, Some(1)), now);
        pool.handle(keep(1, 2), now);
        pool.handle(Event::Made { slot: Slot(0) }, now);
        for slot in [Slot(0), Slot(1)] {
            pool.handle(Event::Started { slot }, now);
        }
        let other = |work, function, memory| {
            let (work, key, needs) = (WorkId(work), key(function), Needs { memory, ..needs(1, SECOND) });
            Event::Arrived { work, key, needs, mode: Mode::Sync, deadline: None }
        };
        // Both run, another function has what is left, a third one waits for memory, and both have more to do.
        pool.handle(other(1, 2, 2 * 128), now);
        pool.handle(Event::Started { slot: Slot(2) }, now);
        pool.handle(call(2, 1), now);
        pool.handle(call(3, 1), now);
        assert_eq!(pool.handle(other(4, 3, memory), now), []);
        assert_eq!(pool.handle(call(5, 1), now + SECOND), []);
        let actions = pool.handle(Event::Finished { slot: Slot(0), usable: true }, now + 3 * SECOND);
        let expected = match makes_room {
            true => Action::Stop { slot: Slot(0) },
            false => Action::Run { slot: Slot(0), work: WorkId(5), start: Start::Warm },
        };
        assert_eq!(actions, [expected], "{memory}");
    }
}

#[test]
fn a_drain_stops_kept_ones_too() {
    let (mut pool, now) = (pool(100), Instant::now());
    pool.handle(active(1, Some(1)), now);
    pool.handle(keep(1, 1), now);
    pool.handle(Event::Started { slot: Slot(0) }, now);
    assert_eq!(pool.handle(Event::Drain, now), [Action::Stop { slot: Slot(0) }]);
    assert_eq!(pool.handle(Event::Gone { slot: Slot(0) }, now), []);
    assert!(pool.is_empty());
}

use proptest::prelude::*;

use super::*;
use crate::{
    manager::pool::{Key, WorkId},
    model::{Mode, RevisionNumber},
};

const MINUTE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(60);

/// A function that is invoked, and the one instance that runs it at once.
struct Function {
    key: Key,
    needs: Needs,
    start: Duration,
}

impl Function {
    fn number(number: u32) -> Self {
        let function = FunctionId(uuid::Uuid::from_u128(u128::from(number)));
        let needs = Needs {
            max_instances: 10,
            min_instances: 0,
            concurrency: 1,
            idle_timeout: IDLE,
            memory: 128 << 20,
            class: None,
        };
        Self { key: Key { function, revision: RevisionNumber(1) }, needs, start: MINUTE / 60 }
    }

    /// Started anew for it and idle at once again.
    fn cold(&self, keep_alive: &mut KeepAlive, now: Instant) -> Kept {
        self.wanted(keep_alive, now);
        let slot = Slot(0);
        keep_alive.acted(&[Action::Start { slot, key: self.key }], now);
        keep_alive.observe(Event::Started { slot }, now + self.start);
        keep_alive.idles(self.key.function, &self.needs, now)
    }

    fn wanted(&self, keep_alive: &mut KeepAlive, now: Instant) {
        let (key, needs) = (self.key, self.needs);
        let arrived = Event::Arrived { work: WorkId(0), key, needs, mode: Mode::Sync, deadline: None };
        keep_alive.observe(arrived, now);
    }

    fn used(&self, keep_alive: &mut KeepAlive, now: Instant) -> Kept {
        self.wanted(keep_alive, now);
        keep_alive.idles(self.key.function, &self.needs, now)
    }
}

fn adaptive() -> (KeepAlive, Instant) {
    (KeepAlive::new(KeepAlivePolicy::Adaptive), Instant::now())
}

#[test]
fn a_periodic_function_is_kept_until_it_is_due_once_its_period_is_known() {
    let (mut keep_alive, begun) = adaptive();
    let function = Function::number(1);
    let period = 15 * MINUTE;
    for call in 0..3 {
        let kept = function.cold(&mut keep_alive, begun + call * period);
        assert_eq!(kept.time, IDLE, "after {call} spells it may be chance");
    }
    let kept = function.cold(&mut keep_alive, begun + 3 * period);
    assert!(kept.time >= period && kept.time < period.mul_f64(1.42), "{kept:?}");
}

#[test]
fn what_comes_back_too_late_is_not_waited_for() {
    let (mut keep_alive, begun) = adaptive();
    let function = Function::number(1);
    for call in 0..20 {
        let kept = function.used(&mut keep_alive, begun + call * 2 * LONGEST);
        assert_eq!(kept.time, IDLE, "at call {call}");
    }
}

#[test]
fn an_old_habit_is_forgotten() {
    let (mut keep_alive, mut now) = adaptive();
    let function = Function::number(1);
    let mut last = IDLE;
    for (period, calls) in [(40 * MINUTE, 20), (5 * MINUTE, 40)] {
        for _ in 0..calls {
            now += period;
            last = function.used(&mut keep_alive, now).time;
        }
        assert!(last >= period && last < period.mul_f64(1.42), "{last:?} for {period:?}");
    }
}

#[test]
fn a_burst_does_not_hide_the_pause_before_it() {
    let (mut keep_alive, begun) = adaptive();
    let function = Function::number(1);
    for burst in 0..5 {
        for call in 0..500 {
            let at = begun + burst * 10 * MINUTE + call * Duration::from_millis(50);
            function.used(&mut keep_alive, at);
        }
    }
    let kept = function.used(&mut keep_alive, begun + 50 * MINUTE);
    assert!(kept.time >= 9 * MINUTE, "{kept:?}");
}

#[test]
fn each_instance_has_spells_of_its_own() {
    let (mut keep_alive, begun) = adaptive();
    let function = Function::number(1);
    let mut last = None;
    // One is busy every ten seconds, a second one is wanted beside it every twenty minutes.
    for step in 0..6 * 20 * 5 {
        let now = begun + step * Duration::from_secs(10);
        let together = if step % (6 * 20) == 0 { 2 } else { 1 };
        (0..together).for_each(|_| function.wanted(&mut keep_alive, now));
        (0..together)
            .for_each(|_| last = Some(keep_alive.idles(function.key.function, &function.needs, now)));
    }
    assert!(last.unwrap().time >= 20 * MINUTE, "{last:?}");
}

#[test]
fn an_idle_timeout_of_nothing_keeps_nothing() {
    let (mut keep_alive, begun) = adaptive();
    let mut function = Function::number(1);
    function.needs.idle_timeout = Duration::ZERO;
    for call in 0..10 {
        assert_eq!(function.used(&mut keep_alive, begun + call * MINUTE).time, Duration::ZERO);
    }
}

#[test]
fn frequent_slow_and_small_ones_are_worth_more_until_others_have_gone() {
    let (mut keep_alive, now) = adaptive();
    let usual = Function::number(1).cold(&mut keep_alive, now).worth;
    let frequent = Function::number(2);
    frequent.cold(&mut keep_alive, now);
    assert!(frequent.cold(&mut keep_alive, now).worth > usual);
    let slow = Function { start: MINUTE, ..Function::number(3) };
    assert!(slow.cold(&mut keep_alive, now).worth > usual);
    let mut small = Function::number(4);
    small.needs.memory /= 2;
    assert!(small.cold(&mut keep_alive, now).worth > usual);
    let past = frequent.used(&mut keep_alive, now).worth;
    keep_alive.evicted(past);
    assert!(Function::number(5).cold(&mut keep_alive, now).worth > past, "the floor has risen");
    let later = now + 100 * USES_HALF_LIFE;
    assert!(frequent.used(&mut keep_alive, later).worth < 2.0 * past, "old uses do not count");
}

#[test]
fn an_instance_that_only_a_burst_needed_is_worth_less_than_the_one_that_is_always_used() {
    let (mut keep_alive, mut now) = adaptive();
    let function = Function::number(1);
    function.cold(&mut keep_alive, now);
    let burst = |keep_alive: &mut KeepAlive, now| {
        (0..3).for_each(|_| function.wanted(keep_alive, now));
        [(); 3].map(|()| keep_alive.idles(function.key.function, &function.needs, now).worth)
    };
    burst(&mut keep_alive, now);
    for _ in 0..5 {
        now += MINUTE;
        function.used(&mut keep_alive, now);
    }
    let [first, second, always] = burst(&mut keep_alive, now);
    assert!(always > 2.0 * first && always > 2.0 * second, "{first} {second} {always}");
}

#[test]
fn what_is_known_of_a_deleted_function_goes() {
    let (mut keep_alive, now) = adaptive();
    let function = Function::number(1);
    function.cold(&mut keep_alive, now);
    let deleted = Event::Active { function: function.key.function, revision: None };
    keep_alive.observe(deleted, now);
    assert!(keep_alive.habits.is_empty() && keep_alive.starts.is_empty());
    // Deleted while its instance starts.
    function.wanted(&mut keep_alive, now);
    let slot = Slot(0);
    keep_alive.acted(&[Action::Start { slot, key: function.key }], now);
    keep_alive.observe(deleted, now);
    keep_alive.observe(Event::Started { slot }, now);
    assert!(keep_alive.habits.is_empty() && keep_alive.starts.is_empty());
}

#[test]
fn a_start_that_takes_a_prewarmed_instance_never_makes_one_worth_less() {
    let (mut keep_alive, now) = adaptive();
    let function = Function::number(1);
    let mut taken = |took: Duration, slot| {
        function.wanted(&mut keep_alive, now);
        keep_alive.acted(&[Action::Take { slot, key: function.key }], now);
        keep_alive.observe(Event::Started { slot }, now + took);
        keep_alive.habits[&function.key.function].start_seconds
    };
    assert_eq!(taken(MINUTE, Slot(0)), 60.0, "better than nothing");
    assert_eq!(taken(MINUTE / 2, Slot(1)), 60.0);
    assert_eq!(taken(2 * MINUTE, Slot(2)), 90.0);
    function.cold(&mut keep_alive, now);
    assert_eq!(keep_alive.habits[&function.key.function].start_seconds, 45.5, "an ordinary one does");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_idle_timeout_is_the_least_and_nothing_grows_without_bound(
        calls in prop::collection::vec((0..3u32, 0..10_000_000u64, 0..4u32), 1..200),
        idle_ms in 0..10_000_000u64,
        max_instances in 1..4u32,
    ) {
        let (mut keep_alive, mut now) = adaptive();
        let (mut fixed, idle) = (KeepAlive::new(KeepAlivePolicy::Fixed), Duration::from_millis(idle_ms));
        for (number, pause_ms, evicted) in calls {
            let mut function = Function::number(number);
            function.needs = Needs { max_instances, idle_timeout: idle, ..function.needs };
            now += Duration::from_millis(pause_ms);
            let kept = function.cold(&mut keep_alive, now);
            prop_assert!(kept.time >= idle && kept.time <= idle.max(LONGEST));
            prop_assert!(kept.worth.is_finite() && kept.worth >= keep_alive.floor);
            if evicted == 0 {
                keep_alive.evicted(kept.worth);
            }
            let habits = &keep_alive.habits[&function.key.function];
            let places = habits.idle_since.len().max(habits.uses.len());
            prop_assert!(places <= max_instances as usize);
            prop_assert_eq!(function.cold(&mut fixed, now), Kept { time: idle, worth: 0.0 });
        }
        prop_assert!(fixed.habits.is_empty() && fixed.starts.is_empty() && keep_alive.starts.is_empty());
    }
}

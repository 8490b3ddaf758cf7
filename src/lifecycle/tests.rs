use proptest::prelude::*;

use super::*;
use crate::model::{FunctionError, ProblemCode, code};

const ACCEPTED: Timestamp = Timestamp::UNIX_EPOCH;

/// Returns one of the verdicts, by number.
fn verdict(number: u8) -> Verdict {
    let error = || FunctionError {
        kind: "platform".to_owned(),
        message: "no".to_owned(),
        trace: None,
        hint: None,
    };
    let reason = || "no image".to_owned();
    match number % 9 {
        0 => Verdict::Succeeded,
        1 => Verdict::Failed { error: error() },
        2 => Verdict::TimedOut { error: error() },
        3 => Verdict::Crashed { error: error() },
        4 => Verdict::Underway,
        5 => Verdict::Interrupted,
        6 => {
            Verdict::NotRun { reason: reason(), throttled: true, deleted: false, delay: Duration::ZERO }
        }
        7 => Verdict::not_run(reason(), Duration::from_secs(1)),
        _ => Verdict::Unfinished { reason: "killed".to_owned() },
    }
}

/// A row as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    facts: Facts,
    dead_letter: bool,
}

impl Row {
    fn accepted() -> Self {
        let (state, accepted_at) = (State::Queued, ACCEPTED);
        let facts = Facts { state, attempt: 0, failures: 0, losses: 0, accepted_at };
        Self { facts, dead_letter: false }
    }

    fn apply(&mut self, transition: &Transition) {
        self.facts = self.facts.after(transition);
        if let Transition::End { ending, .. } = transition {
            self.dead_letter = ending.dead_letter;
        }
    }
}

/// An event that may come at any time.
#[derive(Clone, Debug)]
enum Step {
    Claim,
    /// The outcome of the attempt this far before the one under way.
    Outcome {
        before: u32,
        verdict: Verdict,
    },
    FunctionDeleted {
        held: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<(Step, f64)>> {
    let step = prop_oneof![
        4 => Just(Step::Claim),
        6 => (prop_oneof![3 => Just(0_u32), 1 => 1_u32..3], any::<u8>())
            .prop_map(|(before, number)| Step::Outcome { before, verdict: verdict(number) }),
        1 => any::<bool>().prop_map(|held| Step::FunctionDeleted { held }),
    ];
    prop::collection::vec((step, 0.0_f64..1.0), 0..60)
}

prop_compose! {
    fn policies()(
        attempts in 1_u32..5,
        first in 0_u64..10_000,
        longest in 0_u64..1_000_000,
        max_age in prop::option::of(0_u64..10_000),
        max_losses in 1_u32..12,
    ) -> Policy {
        Policy {
            attempts,
            after_failure: Growth {
                first: Duration::from_millis(first),
                longest: Duration::from_millis(longest),
            },
            longest_not_run: Duration::from_millis(longest),
            max_age: max_age.map(Duration::from_secs),
            max_losses,
        }
    }
}

fn event<'a>(step: &'a Step, facts: &Facts) -> Event<'a> {
    match step {
        Step::Claim => Event::Claim,
        Step::Outcome { before, verdict } => {
            Event::Outcome { attempt: facts.attempt.wrapping_sub(*before), verdict }
        }
        Step::FunctionDeleted { held } => Event::FunctionDeleted { held: *held },
    }
}

proptest! {
    #[test]
    fn whatever_happens_rules_hold_and_an_end_is_reached(steps in steps(), policy in policies()) {
        let mut row = Row::accepted();
        let mut now = ACCEPTED;
        let mut claims = 0;
        for (step, chance) in &steps {
            now += jiff::SignedDuration::from_secs(1);
            let before = row;
            let event = event(step, &before.facts);
            let transition = decide(before.facts, event, &policy, now, *chance);
            row.apply(&transition);

            if before.facts.state.is_terminal() {
                prop_assert_eq!(&transition, &Transition::Stay, "an end is final");
            }
            if let Event::Outcome { attempt, .. } = event
                && (attempt != before.facts.attempt || before.facts.state != State::Running)
            {
                prop_assert_eq!(&transition, &Transition::Stay, "a stale attempt changes nothing");
            }
            prop_assert!(row.facts.attempt >= before.facts.attempt, "the fence never falls");
            prop_assert!(row.facts.failures >= before.facts.failures);
            prop_assert!(row.facts.failures <= policy.attempts.min(row.facts.attempt));
            prop_assert!(row.facts.losses >= before.facts.losses);
            prop_assert!(row.facts.losses + row.facts.failures <= row.facts.attempt);
            match &transition {
                Transition::Run { attempt, losses } => {
                    claims += 1;
                    prop_assert_eq!(*attempt, claims, "one attempt for each claim");
                    prop_assert!(*losses < policy.max_losses);
                }
                Transition::Retry { after, .. } => {
                    let longest = policy.longest_not_run.max(policy.after_failure.longest);
                    prop_assert!(*after <= longest);
                    if let Some(max_age) = policy.max_age {
                        let age = Duration::try_from(now.duration_since(ACCEPTED)).unwrap();
                        prop_assert!(age + *after <= max_age);
                    }
                }
                Transition::End { ending, .. } => prop_assert!(ending.state.is_terminal()),
                Transition::Stay => prop_assert_eq!(row, before),
            }
        }
        // In any state, repeated losses end it: with the manager, or by a kill from outside.
        for _ in 0..=policy.max_losses {
            row.apply(&decide(row.facts, Event::Claim, &policy, now, 0.5));
            if row.facts.attempt.is_multiple_of(2) {
                let killed = verdict(8);
                let outcome = Event::Outcome { attempt: row.facts.attempt, verdict: &killed };
                row.apply(&decide(row.facts, outcome, &policy, now, 0.5));
            }
        }
        prop_assert!(row.facts.state.is_terminal(), "{row:?}");
    }

    #[test]
    fn pauses_grow_within_their_bounds(policy in policies(), number in 1_u32..100, chance in 0.0_f64..1.0) {
        let Growth { first, longest } = policy.after_failure;
        let pause = |number| policy.pause_failed(number, chance);
        prop_assert!(pause(number) <= longest && pause(number) <= pause(number + 1));
        prop_assert!(pause(1) <= first);
        prop_assert_eq!(policy.pause_failed(number, 0.0), Duration::ZERO, "full jitter begins at zero");
        let not_run = |number| policy.pause_not_run(first, number);
        prop_assert!(not_run(number) <= not_run(number + 1) && not_run(number) <= policy.longest_not_run);
        prop_assert_eq!(not_run(1), first.min(policy.longest_not_run));
    }
}

#[test]
fn a_failure_of_the_function_is_final_unless_the_policy_says_otherwise() {
    let facts =
        Facts { state: State::Running, attempt: 3, failures: 0, losses: 0, accepted_at: ACCEPTED };
    let failed = verdict(1);
    let event = Event::Outcome { attempt: 3, verdict: &failed };
    let end = |failures, dead_letter| Transition::End {
        ending: Ending { dead_letter, ..Ending::in_state(State::Failed) },
        failures,
    };
    assert_eq!(decide(facts, event, &Policy::DEFAULT, ACCEPTED, 0.5), end(1, false));
    let thrice = Policy { attempts: 3, ..Policy::DEFAULT };
    let after = Duration::from_millis(500);
    let again = Transition::Retry { after, failures: 1, losses: 0 };
    assert_eq!(decide(facts, event, &thrice, ACCEPTED, 0.5), again);
    let last = Facts { failures: 2, ..facts };
    assert_eq!(decide(last, event, &thrice, ACCEPTED, 0.5), end(3, true));
}

/// Claims and ends an attempt in this way, until that is the end or it was done so many times; returns the pauses.
fn attempts_that_end(row: &mut Row, number: u8, most: usize) -> Vec<u64> {
    let mut pauses = Vec::new();
    while pauses.len() < most {
        row.apply(&decide(row.facts, Event::Claim, &Policy::DEFAULT, ACCEPTED, 0.0));
        let verdict = verdict(number);
        let event = Event::Outcome { attempt: row.facts.attempt, verdict: &verdict };
        let transition = decide(row.facts, event, &Policy::DEFAULT, ACCEPTED, 0.0);
        row.apply(&transition);
        match transition {
            Transition::Retry { after, .. } => pauses.push(after.as_secs()),
            _ => break,
        }
    }
    pauses
}

#[test]
fn what_certainly_did_not_begin_is_tried_again_with_doubled_pauses_and_without_end() {
    let mut row = Row::accepted();
    let pauses = attempts_that_end(&mut row, 7, 100);
    assert_eq!(pauses[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!((row.facts.state, row.facts.attempt), (State::Retrying, 100));
    assert_eq!((row.facts.failures, row.facts.losses), (0, 0));
}

#[test]
fn ten_attempts_that_began_and_were_lost_are_the_end() {
    let mut killed = Row::accepted();
    assert_eq!(attempts_that_end(&mut killed, 8, 100).len(), 9);
    let mut with_manager = Row::accepted();
    while !with_manager.facts.state.is_terminal() {
        let claim = decide(with_manager.facts, Event::Claim, &Policy::DEFAULT, ACCEPTED, 0.0);
        with_manager.apply(&claim);
    }
    for row in [killed, with_manager] {
        assert_eq!((row.facts.state, row.dead_letter, row.facts.attempt), (State::Failed, true, 10));
    }
    assert_eq!(Policy::DEFAULT.claims().exhausted.kind(), Kind::Exhausted);
}

#[test]
fn what_grows_too_old_is_not_tried_again() {
    let policy = Policy { attempts: 9, max_age: Some(Duration::from_secs(60)), ..Policy::DEFAULT };
    let facts =
        Facts { state: State::Running, attempt: 1, failures: 0, losses: 0, accepted_at: ACCEPTED };
    let now = ACCEPTED + jiff::SignedDuration::from_secs(60);
    let end_of = |number| {
        let verdict = verdict(number);
        let event = Event::Outcome { attempt: 1, verdict: &verdict };
        match decide(facts, event, &policy, now, 0.5) {
            Transition::End { ending, .. } => ending.kind(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end_of(7), Kind::Expired);
    assert_eq!(end_of(1), Kind::Failed, "the function did run");
}

#[test]
fn every_verdict_has_one_ending_whose_record_problem_and_exit_agree() {
    type Row = (u8, State, Option<&'static str>, Option<ProblemCode>, ExitClass);
    let expected: [Row; 8] = [
        (0, State::Succeeded, None, None, ExitClass::Success),
        (1, State::Failed, None, Some(code::FUNCTION_FAILED), ExitClass::Function),
        (2, State::TimedOut, None, Some(code::FUNCTION_TIMED_OUT), ExitClass::InvocationTimeout),
        (3, State::Crashed, None, Some(code::FUNCTION_CRASHED), ExitClass::Function),
        (5, State::Crashed, Some("interrupted"), Some(code::INTERRUPTED), ExitClass::Platform),
        (6, State::Expired, Some("throttled"), Some(code::THROTTLED), ExitClass::Throttled),
        (
            7,
            State::Expired,
            Some("start_failed: no image"),
            Some(code::START_FAILED),
            ExitClass::Platform,
        ),
        (8, State::Crashed, Some("interrupted"), Some(code::INTERRUPTED), ExitClass::Platform),
    ];
    for (number, state, reason, code, exit) in expected {
        let ending = Ending::of_verdict(&verdict(number)).unwrap();
        assert_eq!((ending.state, ending.dead_letter), (state, false));
        assert_eq!(ending.reason.as_ref().map(ToString::to_string).as_deref(), reason);
        assert_eq!((ending.kind().code(), ending.kind().exit()), (code, exit), "{ending:?}");
        assert_eq!(ending.kind().word(), code.map_or("succeeded", |code| code.code));
        // The end that is read back from its record is the same.
        let read = Ending { reason: reason.map(Reason::from), ..ending.clone() };
        assert_eq!(read.kind(), ending.kind());
    }
    assert_eq!(Ending::of_verdict(&Verdict::Underway), None);
}

#[test]
fn what_is_deleted_is_cancelled_unless_it_runs_and_a_reason_of_a_newer_version_is_no_obstacle() {
    let facts =
        Facts { state: State::Running, attempt: 1, failures: 0, losses: 0, accepted_at: ACCEPTED };
    let after = |state, held| {
        let event = Event::FunctionDeleted { held };
        decide(Facts { state, ..facts }, event, &Policy::DEFAULT, ACCEPTED, 0.0)
    };
    assert_eq!(after(State::Running, true), Transition::Stay);
    for state in [State::Queued, State::Retrying, State::Running] {
        let Transition::End { ending, .. } = after(state, false) else { panic!("{state}") };
        assert_eq!((ending.kind(), ending.kind().exit()), (Kind::Cancelled, ExitClass::Caller));
    }
    let newer = Ending { reason: Some(Reason::from("moved: away")), ..Ending::in_state(State::Failed) };
    assert_eq!(newer.kind(), Kind::Failed);
}

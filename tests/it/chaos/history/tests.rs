//! Each violation, planted and found; and that nothing is found in a run that was right.

use super::*;

const SECONDS: Leniency = Leniency(1.0);

fn id(number: u128) -> InvocationId {
    InvocationId(uuid::Uuid::from_u128(number))
}

fn called(number: u64, mode: Mode, answer: Answer) -> Call {
    Call { number, function: "work", host: 0, mode, sent: 1.0, answered: 1.5, answer }
}

fn refused(status: u16, code: &str, retry_safe: bool) -> Answer {
    Answer::Refused { status, code: code.to_owned(), retry_safe, detail: String::new() }
}

fn ran(number: u64, attempt: u32, nonce: &str) -> Run {
    let id = id(number.into());
    Run { number, id, attempt, nonce: nonce.to_owned(), begun: 1.1, ended: Some(1.2) }
}

fn attempt(number: u32, outcome: Option<State>) -> Attempt {
    Attempt { number, outcome, error: None }
}

fn told(mode: Mode, state: State, reason: Option<&str>, attempts: &[Attempt]) -> Told {
    let reason = reason.map(str::to_owned);
    Told { mode, state, finished: Some("then".to_owned()), reason, attempts: attempts.to_vec() }
}

fn fault(kind: Kind, begun: f64, healed: f64, served: f64) -> Happened {
    Happened { kind, with: None, begun, healed, restarted: healed, served: Some(served) }
}

/// An invocation that was accepted, lost with its manager, and run again; and a call.
fn right() -> History {
    let lost = Run { begun: 2.5, ended: None, ..ran(1, 1, "a") };
    let again = Run { begun: 5.0, ended: Some(5.1), ..ran(1, 2, "b") };
    let attempts = [attempt(1, None), attempt(2, Some(State::Succeeded))];
    let first = told(Mode::Async, State::Succeeded, None, &attempts);
    let call = told(Mode::Sync, State::Succeeded, None, &[attempt(1, Some(State::Succeeded))]);
    History {
        calls: vec![
            called(1, Mode::Async, Answer::Accepted(id(1))),
            called(2, Mode::Sync, Answer::Value("2".to_owned())),
        ],
        runs: vec![lost, again, ran(2, 1, "c")],
        ends_seen: vec![(id(1), first.clone())],
        records: [(id(1), first), (id(2), call)].into(),
        faults: vec![fault(Kind::KillManager, 3.0, 3.0, 4.0)],
        ..History::default()
    }
}

fn found(change: impl FnOnce(&mut History)) -> Vec<Violation> {
    let mut history = right();
    change(&mut history);
    history.check(SECONDS).into_iter().map(|(violation, _)| violation).collect()
}

#[test]
fn nothing_is_found_in_a_run_that_was_right() {
    assert_eq!(right().check(SECONDS), []);
}

#[test]
fn what_was_accepted_and_has_no_end_is_lost() {
    let forget = |history: &mut History| drop(history.records.remove(&id(1)));
    assert_eq!(found(forget), [Violation::Lost]);
    let waits = |history: &mut History| {
        history.records.get_mut(&id(1)).unwrap().state = State::Running;
        history.ends_seen.clear();
    };
    assert_eq!(found(waits), [Violation::Lost]);
}

#[test]
fn an_end_that_changes_is_a_second_one() {
    let changes = |history: &mut History| history.ends_seen[0].1.finished = Some("before".to_owned());
    assert_eq!(found(changes), [Violation::SecondEnd]);
}

#[test]
fn a_run_of_which_no_record_tells_is_doubled() {
    assert_eq!(found(|history| history.runs.push(ran(1, 2, "d"))), [Violation::Doubled]);
    assert_eq!(found(|history| history.runs.push(ran(1, 3, "d"))), [Violation::Doubled]);
    let other = |history: &mut History| history.runs.push(Run { id: id(3), ..ran(2, 1, "d") });
    assert_eq!(found(other), [Violation::Doubled]);
    let unknown = |history: &mut History| history.runs.push(Run { id: id(9), ..ran(1, 1, "d") });
    assert_eq!(found(unknown), [Violation::Doubled]);
}

#[test]
fn a_call_that_ran_was_not_safe_to_repeat() {
    let refuse = |history: &mut History| {
        history.calls[1] = Call { sent: 2.9, ..called(2, Mode::Sync, refused(429, "throttled", true)) };
        history.calls[1].answered = 3.5;
    };
    assert_eq!(found(refuse), [Violation::WrongReason]);
}

#[test]
fn a_function_that_never_fails_is_not_blamed() {
    for state in [State::Failed, State::Crashed, State::TimedOut] {
        let blame = |history: &mut History| {
            let told = history.records.get_mut(&id(2)).unwrap();
            (told.state, told.attempts[0].outcome) = (state, Some(state));
        };
        assert_eq!(found(blame), [Violation::WrongReason]);
    }
    let missing = |history: &mut History| {
        history.calls[1].answer = refused(404, "function_not_found", false);
    };
    assert_eq!(found(missing), [Violation::WrongReason]);
    for code in ["function_crashed", "internal"] {
        let blame = |history: &mut History| history.calls[1].answer = refused(502, code, false);
        assert_eq!(found(blame), [Violation::WrongReason]);
    }
    let other = |history: &mut History| history.calls[1].answer = Answer::Value("3".to_owned());
    assert_eq!(found(other), [Violation::WrongReason]);
    let gone = |history: &mut History| {
        let told = history.records.get_mut(&id(1)).unwrap();
        (told.state, told.reason) = (State::Cancelled, Some("too_old".to_owned()));
        history.ends_seen.clear();
    };
    assert_eq!(found(gone), [Violation::WrongReason]);
}

#[test]
fn whoever_has_no_answer_while_the_gateway_lives_is_unanswered() {
    for answer in [Answer::Silence, Answer::Lost, Answer::NotReachable] {
        let near = |history: &mut History| {
            history.calls[1] = called(2, Mode::Sync, answer.clone());
            history.calls[1].answered = 3.2;
        };
        assert_eq!(found(near), [Violation::Unanswered]);
        let gateway = |history: &mut History| {
            near(history);
            history.faults[0].kind = Kind::KillAll;
        };
        let expected: &[_] = if answer == Answer::Silence { &[Violation::Unanswered] } else { &[] };
        assert_eq!(found(gateway), expected);
    }
}

#[test]
fn refusals_without_a_fault_and_late_service_break_bounds() {
    let early = |history: &mut History| history.calls[1].answer = refused(502, "interrupted", false);
    assert_eq!(found(early), [Violation::BoundBroken]);
    assert_eq!(found(|history| history.faults[0].served = Some(8.1)), [Violation::BoundBroken]);
    assert_eq!(found(|history| history.faults[0].served = None), [Violation::BoundBroken]);
    assert_eq!(found(|history| history.runs[1].begun = 8.1), [Violation::BoundBroken]);
    let waits = |history: &mut History| {
        history.faults[0].begun = 30.0;
        (history.faults[0].healed, history.faults[0].served) = (30.0, Some(30.0));
        history.faults[0].restarted = 30.0;
        history.runs.remove(0);
        history.runs[0].begun = 6.6;
    };
    assert_eq!(found(waits), [Violation::BoundBroken]);
    // A backlog is worked off meanwhile.
    let behind_others = |history: &mut History| {
        waits(history);
        let told = history.records[&id(1)].clone();
        history.calls.push(called(3, Mode::Async, Answer::Accepted(id(3))));
        history.runs.push(Run { begun: 4.0, ended: Some(4.1), ..ran(3, 2, "d") });
        history.records.insert(id(3), told);
    };
    assert_eq!(found(behind_others), []);
    // What is disturbed again takes its time.
    let disturbed = |history: &mut History| {
        history.runs[1].begun = 8.1;
        history.faults.push(fault(Kind::KillBroker, 4.0, 5.0, 6.0));
    };
    assert_eq!(found(disturbed), []);
}

#[test]
fn what_is_left_or_found_by_others_is_told() {
    assert_eq!(found(|history| history.left.push("mount: x".to_owned())), [Violation::Orphan]);
    assert_eq!(found(|history| history.found.push("x".to_owned())), [Violation::Other]);
}

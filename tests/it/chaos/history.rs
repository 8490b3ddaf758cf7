//! What happened in a run, seen from outside, and the promises that it breaks. Pure: the tests of this file plant each
//! violation.

use std::collections::{BTreeMap, BTreeSet};

use cloudfunc::model::{InvocationId, Mode, Reason, Record, State};
use serde::Serialize;

use super::{clients::PASSING, plan::Kind};

#[cfg(test)]
mod tests;

/// Seconds since the beginning of the run.
pub type Moment = f64;

/// Everything that is known of a run when it has ended.
#[derive(Default, Serialize)]
pub struct History {
    pub calls: Vec<Call>,
    pub runs: Vec<Run>,
    pub records: BTreeMap<InvocationId, Told>,
    /// Ends that were read while the run was under way.
    pub ends_seen: Vec<(InvocationId, Told)>,
    pub faults: Vec<Happened>,
    /// Processes, containers, mounts, control groups, leases and the like that are there when all is stopped.
    pub left: Vec<String>,
    /// Problems that other parts of the harness noticed.
    pub found: Vec<String>,
}

/// A request of a client and its answer.
#[derive(Clone, Serialize)]
pub struct Call {
    /// Its payload's, which no other call has.
    pub number: u64,
    pub function: &'static str,
    /// The host whose gateway was asked: 0, or 1 for the second one.
    pub host: usize,
    pub mode: Mode,
    pub sent: Moment,
    pub answered: Moment,
    pub answer: Answer,
}

impl Call {
    fn accepted(&self) -> Option<InvocationId> {
        match self.answer {
            Answer::Accepted(id) => Some(id),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Serialize)]
pub enum Answer {
    Accepted(InvocationId),
    Value(String),
    /// An error of the platform or of the function, told as a problem.
    Refused {
        status: u16,
        code: String,
        retry_safe: bool,
        detail: String,
    },
    /// No connection was made.
    NotReachable,
    /// The connection broke.
    Lost,
    /// None for longer than anybody has to wait.
    Silence,
    /// Not one of the API.
    Strange(String),
}

/// One run of a function, as it told the witness itself.
#[derive(Clone, Serialize)]
pub struct Run {
    pub number: u64,
    pub id: InvocationId,
    pub attempt: u32,
    /// Identifies this run: a second run of the same attempt has a different one.
    pub nonce: String,
    pub begun: Moment,
    /// When it said that it had done its work.
    pub ended: Option<Moment>,
}

/// The parts of a record that are checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    pub mode: Mode,
    pub state: State,
    pub finished: Option<String>,
    pub reason: Option<String>,
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    pub number: u32,
    pub outcome: Option<State>,
    pub error: Option<String>,
}

impl From<&Record> for Told {
    fn from(record: &Record) -> Self {
        let attempt = |attempt: &cloudfunc::model::AttemptRecord| Attempt {
            number: attempt.number,
            outcome: attempt.outcome,
            error: attempt.error.as_ref().map(|error| error.summary()),
        };
        Self {
            mode: record.mode,
            state: record.state,
            finished: record.finished_at.map(|at| at.to_string()),
            reason: record.reason.as_ref().map(ToString::to_string),
            attempts: record.attempts.iter().map(attempt).collect(),
        }
    }
}

/// A fault that was done.
#[derive(Clone, Serialize)]
pub struct Happened {
    pub kind: Kind,
    /// The fault that overlapped it.
    pub with: Option<Kind>,
    pub begun: Moment,
    /// When its cause was gone: the process was started again, the server was back. Of two that overlap, when both were.
    pub healed: Moment,
    /// When the process that had died was started again; else the same.
    pub restarted: Moment,
    /// When a new call was answered with its value, sent after `healed`. None: not within a minute.
    pub served: Option<Moment>,
}

impl Happened {
    /// New calls are served again so long after it was healed, in seconds.
    fn bound(&self, leniency: Leniency) -> f64 {
        let kinds = std::iter::once(self.kind).chain(self.with);
        let longest = kinds.map(|kind| kind.facts().bound()).max().expect("there is one");
        longest.as_secs_f64() * leniency.0
    }

    /// Both kinds, where it is one of two.
    pub fn name(&self) -> String {
        match self.with {
            Some(with) => format!("{} with {with}", self.kind),
            None => self.kind.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Violation {
    Lost,
    Doubled,
    SecondEnd,
    WrongReason,
    Unanswered,
    Orphan,
    BoundBroken,
    Other,
}

impl Violation {
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Doubled,
        Self::SecondEnd,
        Self::WrongReason,
        Self::Unanswered,
        Self::Orphan,
        Self::BoundBroken,
        Self::Other,
    ];
}

/// In seconds: the time within which an invocation begins if nothing is disturbed, and begins again after its manager was
/// lost.
const BEGINS: f64 = 5.0;

/// A violation, and what it is about.
pub type Finding = (Violation, String);

/// How much longer than promised things may take: tests that share two processors with others know no times.
#[derive(Clone, Copy)]
pub struct Leniency(pub f64);

impl History {
    pub fn check(&self, leniency: Leniency) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.check_ends(&mut findings);
        self.check_runs(&mut findings);
        self.check_answers(leniency, &mut findings);
        self.check_bounds(leniency, &mut findings);
        findings.extend(self.left.iter().map(|what| (Violation::Orphan, what.clone())));
        findings.extend(self.found.iter().map(|what| (Violation::Other, what.clone())));
        findings
    }

    /// Checks that every accepted invocation has ended once and for the right reason.
    fn check_ends(&self, findings: &mut Vec<Finding>) {
        for call in &self.calls {
            let Answer::Accepted(id) = call.answer else { continue };
            match self.records.get(&id) {
                None => {
                    findings.push((Violation::Lost, format!("{id}, number {}: no record", call.number)))
                }
                Some(told) if !told.state.is_terminal() => {
                    findings.push((Violation::Lost, format!("{id} has not ended: {told:?}")));
                }
                Some(_) => {}
            }
        }
        for (id, seen) in &self.ends_seen {
            let now = self.records.get(id);
            if now.is_some_and(|now| (now.state, &now.finished) != (seen.state, &seen.finished)) {
                findings.push((Violation::SecondEnd, format!("{id}: first {seen:?}, then {now:?}")));
            }
        }
        for (id, told) in &self.records {
            if let Some(wrong) = wrong_reason(told) {
                findings.push((Violation::WrongReason, format!("{id}: {wrong}: {told:?}")));
            }
        }
    }

    /// Compares the runs that the witness saw with the attempts in the records.
    fn check_runs(&self, findings: &mut Vec<Finding>) {
        let sync: BTreeMap<u64, &Call> = self.sync_calls().map(|call| (call.number, call)).collect();
        // Of these a missing record is found elsewhere.
        let accepted: BTreeSet<InvocationId> = self.accepted().collect();
        let mut attempts: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for run in &self.runs {
            attempts.entry((run.id, run.attempt)).or_default().insert(&run.nonce);
            // The last records of synchronous calls may be lost.
            let is_told = accepted.contains(&run.id) || self.records.contains_key(&run.id);
            if !sync.contains_key(&run.number) && !is_told {
                let what = format!("{}: attempt {} ran, and there is no record", run.id, run.attempt);
                findings.push((Violation::Doubled, what));
            }
        }
        for ((id, attempt), runs) in &attempts {
            if runs.len() > 1 {
                let what = format!("{id}: attempt {attempt} ran {} times", runs.len());
                findings.push((Violation::Doubled, what));
            }
            let Some(told) = self.records.get(id).filter(|told| told.mode == Mode::Async) else {
                continue;
            };
            if told.attempts.iter().all(|known| known.number != *attempt) {
                let what = format!("{id}: attempt {attempt} ran and is not in {told:?}");
                findings.push((Violation::Doubled, what));
            }
        }
        let mut of_sync: BTreeMap<u64, usize> = BTreeMap::new();
        for run in &self.runs {
            let Some(call) = sync.get(&run.number) else { continue };
            *of_sync.entry(run.number).or_default() += 1;
            if let Answer::Refused { retry_safe: true, code, .. } = &call.answer {
                let what =
                    format!("call {} was told {code}, safe to repeat, and ran: {}", run.number, run.id);
                findings.push((Violation::WrongReason, what));
            }
        }
        for (number, runs) in of_sync.into_iter().filter(|(_, runs)| *runs > 1) {
            findings.push((Violation::Doubled, format!("sync call {number} ran {runs} times")));
        }
    }

    fn accepted(&self) -> impl Iterator<Item = InvocationId> {
        self.calls.iter().filter_map(Call::accepted)
    }

    fn sync_calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.mode == Mode::Sync)
    }

    /// Everybody got an answer, and nothing but a value or a 202 where nothing was disturbed.
    fn check_answers(&self, leniency: Leniency, findings: &mut Vec<Finding>) {
        for call in &self.calls {
            let what = || {
                let Call { number, function, host, mode, sent, answered, .. } = call;
                let answer = serde_json::to_string(&call.answer).unwrap();
                format!(
                    "{mode:?} call {number} of {function} to host {host}, sent at {sent:.3}, {answered:.3}: {answer}"
                )
            };
            let near = |fault: &&Happened| {
                fault.begun <= call.answered && call.sent <= fault.healed + fault.bound(leniency)
            };
            let mut near = self.faults.iter().filter(near).peekable();
            match &call.answer {
                Answer::Accepted(id) => {
                    if near.peek().is_none() && self.begins_late(*id, call.answered, leniency) {
                        findings.push((Violation::BoundBroken, format!("{}, began late", what())));
                    }
                }
                Answer::Value(value) if *value == call.number.to_string() => {}
                Answer::Value(_) | Answer::Strange(_) => findings.push((Violation::WrongReason, what())),
                Answer::Silence => findings.push((Violation::Unanswered, what())),
                Answer::NotReachable | Answer::Lost => {
                    if near.all(|fault| !fault.kind.facts().breaks_connections_of(call.host)) {
                        findings.push((Violation::Unanswered, what()));
                    }
                }
                // It is deleted again and again.
                Answer::Refused { status: 404, .. } if call.function == PASSING => {}
                Answer::Refused { status: 500.. | 429, code, .. } if !is_never_right(code) => {
                    if near.peek().is_none() {
                        findings.push((Violation::BoundBroken, what()));
                    }
                }
                Answer::Refused { .. } => findings.push((Violation::WrongReason, what())),
            }
        }
    }

    /// Returns whether what was accepted then began much later, although nothing was disturbed meanwhile. What was accepted
    /// before it is worked off first: while that keeps beginning, it is not late.
    fn begins_late(&self, id: InvocationId, accepted: Moment, leniency: Leniency) -> bool {
        let until = accepted + BEGINS * leniency.0;
        let is_disturbed = self.faults.iter().any(|fault| (accepted..until).contains(&fault.begun));
        let begun = self.runs.iter().filter(|run| run.id == id).map(|run| run.begun);
        // One that could not reach the witness is not known to have begun.
        let begun = begun.reduce(f64::min);
        let held_up = |begun| self.longest_wait(accepted, begun) > BEGINS * leniency.0;
        !is_disturbed && begun.is_some_and(|begun| begun > until && held_up(begun))
    }

    /// Returns the longest time between two moments in which nothing began that had been accepted before the first one.
    fn longest_wait(&self, from: Moment, until: Moment) -> Moment {
        let before = self.calls.iter().filter(|call| call.answered <= from);
        let before: BTreeSet<_> = before.filter_map(Call::accepted).collect();
        let runs = self.runs.iter().filter(|run| before.contains(&run.id));
        let mut moments: Vec<_> =
            runs.map(|run| run.begun).filter(|begun| (from..until).contains(begun)).collect();
        moments.extend([from, until]);
        moments.sort_unstable_by(f64::total_cmp);
        moments.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }

    fn check_bounds(&self, leniency: Leniency, findings: &mut Vec<Finding>) {
        for fault in &self.faults {
            let bound = fault.bound(leniency);
            let took = fault.served.map(|served| served - fault.healed);
            if took.is_none_or(|took| took > bound) {
                let what = format!(
                    "{} at {:.3}, healed at {:.3}: served after {took:?} s, not {bound}",
                    fault.name(),
                    fault.begun,
                    fault.healed
                );
                findings.push((Violation::BoundBroken, what));
            }
            if fault.kind.facts().loses_manager {
                self.check_taken_up_again(fault, BEGINS * leniency.0, findings);
            }
        }
    }

    /// What a manager had claimed when it was lost runs again soon, unless another fault is in the way.
    fn check_taken_up_again(&self, fault: &Happened, bound: f64, findings: &mut Vec<Finding>) {
        let until = fault.restarted + bound;
        if fault.with.is_some() {
            return;
        }
        if self.faults.iter().any(|other| fault.begun < other.begun && other.begun < until) {
            return;
        }
        for run in &self.runs {
            let was_cut = run.begun < fault.begun && run.ended.is_none();
            let again =
                self.runs.iter().filter(|next| next.id == run.id && next.attempt == run.attempt + 1);
            for next in again.filter(|_| was_cut).filter(|next| next.begun > fault.begun) {
                if next.begun > until {
                    let late = next.begun - fault.restarted;
                    let what = format!("{} ran again {late:.3} s after {} was over", run.id, fault.kind);
                    findings.push((Violation::BoundBroken, what));
                }
            }
        }
    }
}

/// The functions of the harness never fail by themselves; and the platform never fails without knowing how.
fn is_never_right(code: &str) -> bool {
    code.starts_with("function_") || code == "internal"
}

/// Why an end is not one that a function of the harness can have.
fn wrong_reason(told: &Told) -> Option<&'static str> {
    let by_function = |state| matches!(state, State::Failed | State::Crashed | State::TimedOut);
    let reason = told.reason.as_deref().map(Reason::from);
    match (told.state, told.mode, &reason) {
        (State::Queued | State::Running | State::Retrying, ..) => None,
        _ if told.attempts.iter().any(|one| one.outcome.is_some_and(by_function)) => {
            Some("an attempt is the function's fault")
        }
        (State::Succeeded, _, None) => None,
        (State::Cancelled, _, Some(Reason::FunctionDeleted)) => None,
        (State::Crashed, Mode::Sync, Some(Reason::Interrupted)) => None,
        (State::Expired, Mode::Sync, Some(Reason::Throttled | Reason::StartFailed(_))) => None,
        (State::Failed, Mode::Async, Some(Reason::Platform)) if told.attempts.len() >= 10 => None,
        _ => Some("not an end of a function that never fails"),
    }
}

//! The store's transactions. What they decide is the lifecycle's; the conditions are those of the statements in
//! `src/store`.

use cloudfunc::{
    lifecycle::{Event, Facts, Transition, decide},
    model::{FunctionError, State, message::Verdict},
};
use jiff::Timestamp;

use super::{
    Bug, Delivery,
    world::{Came, Entry, Held, Outcome, Owner, Row, Store},
};

/// No decision of this policy depends on the time or on chance.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const CHANCE: f64 = 0.5;

/// The answer to a claim.
pub enum Answer {
    Granted(Held),
    Refused,
    Moved,
    NoLease,
    /// Refused, as there is no such row.
    NoRow,
}

impl Row {
    pub fn accepted() -> Self {
        let (state, accepted_at) = (State::Queued, NOW);
        let facts = Facts { state, attempt: 0, failures: 0, losses: 0, accepted_at };
        Self { facts, kind: None, owner: None, is_due: false, is_open: false, attempts: Vec::new() }
    }

    fn apply(&mut self, transition: &Transition) {
        self.facts = self.facts.after(transition);
        self.is_due = false;
        if !matches!(transition, Transition::Stay) {
            self.owner = None;
        }
        if let Transition::End { ending, .. } = transition {
            self.kind = Some(ending.kind());
        }
    }

    fn is(&self, state: State) -> bool {
        self.facts.state == state
    }
}

impl Store {
    pub fn has_lease(&self, owner: Owner) -> bool {
        self.leases[owner.manager] == Some(owner.life)
    }

    /// A row that nobody with a lease has, and that need not wait.
    pub fn is_free(&self, row: &Row) -> bool {
        match row.facts.state {
            State::Queued => true,
            State::Retrying => row.is_due,
            State::Running => row.owner.is_none_or(|owner| !self.has_lease(owner)),
            _ => false,
        }
    }

    pub fn claim(&mut self, model: &Delivery, invocation: usize, owner: Owner, revision: u8) -> Answer {
        let has_lease = self.has_lease(owner);
        let Some(row) = &self.rows[invocation] else { return Answer::NoRow };
        let is_granted = self.is_free(row)
            && (has_lease || model.bug == Some(Bug::ClaimWithoutLeaseCheck))
            && self.active == Some(revision);
        if !is_granted {
            return match self.active {
                _ if !has_lease => Answer::NoLease,
                Some(active) if active != revision => Answer::Moved,
                _ => Answer::Refused,
            };
        }
        let row = self.rows[invocation].as_mut().expect("looked at above");
        let transition = decide(row.facts, Event::Claim, &model.policy, NOW, CHANCE);
        if row.is_open {
            row.attempts.push(Entry { number: row.facts.attempt, came: None });
        }
        row.apply(&transition);
        row.is_open = matches!(transition, Transition::Run { .. });
        if !row.is_open {
            return Answer::Refused;
        }
        row.owner = Some(owner);
        let Facts { attempt, failures, losses, .. } = row.facts;
        Answer::Granted(Held { life: owner.life, attempt, failures, losses })
    }

    /// Makes a claim due again whose owner has not heard of it.
    pub fn give_back(&mut self, invocation: usize, owner: Owner, attempt: u32) {
        let Some(row) = &mut self.rows[invocation] else { return };
        if row.is(State::Running) && row.owner == Some(owner) && row.facts.attempt == attempt {
            row.facts.state = State::Retrying;
            (row.owner, row.is_due) = (None, true);
        }
    }

    /// Applies what the scheduler decides by the outcome alone. Returns the attempt that the row was at, if it was
    /// changed.
    pub fn settle(&mut self, model: &Delivery, outcome: &Outcome) -> Option<u32> {
        let Held { attempt, failures, losses, .. } = outcome.held;
        let believed = Facts { state: State::Running, attempt, failures, losses, accepted_at: NOW };
        let verdict = outcome.came.verdict();
        let event = Event::Outcome { attempt, verdict: &verdict };
        let transition = decide(believed, event, &model.policy, NOW, CHANCE);
        let row = self.rows[outcome.invocation].as_mut()?;
        let at = row.facts.attempt;
        if !row.is(State::Running) || (at != attempt && model.bug != Some(Bug::NoFence)) {
            return None;
        }
        row.apply(&transition);
        row.attempts.push(Entry { number: attempt, came: Some(outcome.came) });
        row.is_open = false;
        Some(at)
    }

    /// Those that wait are cancelled; one that runs is left to its manager, or to the sweeper.
    pub fn delete(&mut self, model: &Delivery) {
        self.active = None;
        for row in self.rows.iter_mut().flatten() {
            if row.is(State::Queued) || row.is(State::Retrying) {
                cancel(row, model);
            }
        }
    }

    /// Returns whether a message is to be published about it.
    pub fn take_due(&mut self, model: &Delivery, invocation: usize) -> bool {
        let row = self.rows[invocation].as_mut().expect("only rows are swept");
        if self.active.is_none() {
            cancel(row, model);
        }
        self.active.is_some()
    }
}

fn cancel(row: &mut Row, model: &Delivery) {
    let event = Event::FunctionDeleted { held: false };
    row.apply(&decide(row.facts, event, &model.policy, NOW, CHANCE));
}

impl Came {
    fn verdict(self) -> Verdict {
        let text = String::new;
        match self {
            Self::Returned => Verdict::Succeeded,
            Self::Failed => Verdict::Failed { error: FunctionError::platform("raised") },
            Self::Killed => Verdict::Unfinished { reason: text() },
            Self::NotRun => Verdict::not_run(text(), std::time::Duration::from_secs(1)),
        }
    }
}

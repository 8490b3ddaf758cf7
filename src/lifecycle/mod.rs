//! The next step of an invocation: every rule about its states, attempts and ends, and nothing else.
//!
//! ```text
//!            claim                      outcome
//!  queued ───────────▶ running ───────────────────▶ succeeded | failed | timed_out | crashed
//!                       │   ▲  └─ lost, as too many were before ──▶ failed (platform, dead letter)
//!        to be tried    │   │ claim (due, or its owner has lost its lease)
//!        again          ▼   │
//!                     retrying ──▶ expired (too old)
//!  queued | retrying | running and lost ──▶ cancelled (its function was deleted)
//! ```
//!
//! A sync invocation has one attempt and no row until it has ended: of the diagram it knows
//! queued, running and the ends (`expired` when it never ran, `crashed` when it was lost).
//!
//! Everything here is pure: time and chance are arguments. [`decide`] returns a [`Transition`] from [`Facts`] that may
//! be outdated; the store applies it by compare-and-set on state and attempt, so that an outdated one changes nothing.
//! A claim is the exception: the store makes it in one statement by the bounds of [`Policy::claims`], since
//! only the store knows the row and its lease. [`decide`] says the same of a row whose owner has lost its lease.
#![warn(missing_docs)]

mod ending;
mod retry;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

pub use ending::{Ending, ExitClass, Kind};
pub use retry::{Claims, Growth, Policy};

use crate::model::{Reason, State, message::Verdict};

/// The facts about an invocation that a decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The state it is in, or is believed to be in.
    pub state: State,
    /// The number of claims: 0 before the first one. It is also the number of the attempt under way, and its fence.
    pub attempt: u32,
    /// The number of attempts that failed because the function did; at most `attempt`.
    pub failures: u32,
    /// The number of attempts that began and were lost: with their manager, or by a kill from outside.
    pub losses: u32,
    /// The time of acceptance, on the clock of the scheduler that accepted it.
    pub accepted_at: Timestamp,
}

/// Something that has happened to an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A manager has an instance for it, and the store would hand it out: it waits and is due, or it runs, and the
    /// process that has it has lost its lease. Then that attempt is lost.
    Claim,
    /// An attempt has ended.
    Outcome {
        /// The number that its claim returned.
        attempt: u32,
        /// Its outcome.
        verdict: &'a Verdict,
    },
    /// Its function was deleted.
    FunctionDeleted {
        /// A manager process that has a lease has it.
        held: bool,
    },
}

/// The change that an event calls for.
#[derive(Clone, Debug, PartialEq)]
pub enum Transition {
    /// Nothing: the event is stale, or does not change the state.
    Stay,
    /// It runs, as this attempt.
    Run {
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The number of attempts that were lost by now.
        losses: u32,
    },
    /// It is tried again.
    Retry {
        /// The pause before the next attempt, from now.
        after: Duration,
        /// The number of attempts that the function has failed by now.
        failures: u32,
        /// The number of attempts that were lost by now.
        losses: u32,
    },
    /// It has ended. Nothing changes a terminal state.
    End {
        /// The state it has ended in, and the reason.
        ending: Ending,
        /// The number of attempts that the function has failed.
        failures: u32,
    },
}

/// Decides what an event does to an invocation. `now` is on the clock of `facts.accepted_at`, as far as the hosts'
/// clocks agree; `chance` is a random number from 0 up to, but not including, 1.
pub fn decide(
    facts: Facts,
    event: Event<'_>,
    policy: &Policy,
    now: Timestamp,
    chance: f64,
) -> Transition {
    if facts.state.is_terminal() {
        return Transition::Stay;
    }
    match event {
        Event::Claim => {
            let losses = facts.losses + u32::from(facts.state == State::Running);
            match losses < policy.max_losses {
                true => Transition::Run { attempt: facts.attempt + 1, losses },
                false => exhausted(facts, policy),
            }
        }
        Event::FunctionDeleted { held: true } => Transition::Stay,
        Event::FunctionDeleted { held: false } => {
            Transition::End { ending: Ending::function_deleted(), failures: facts.failures }
        }
        Event::Outcome { attempt, .. } if facts.state != State::Running || attempt != facts.attempt => {
            Transition::Stay
        }
        Event::Outcome { verdict, .. } => after_attempt(facts, verdict, policy, now, chance),
    }
}

impl Facts {
    /// Returns the facts after a transition, as a store has them that applied it.
    #[must_use]
    pub fn after(self, transition: &Transition) -> Self {
        match *transition {
            Transition::Stay => self,
            Transition::Run { attempt, losses } => {
                Self { state: State::Running, attempt, losses, ..self }
            }
            Transition::Retry { failures, losses, .. } => {
                Self { state: State::Retrying, failures, losses, ..self }
            }
            Transition::End { ref ending, failures } => Self { state: ending.state, failures, ..self },
        }
    }
}

/// Returns the end of an invocation of which too many attempts were lost.
fn exhausted(facts: Facts, policy: &Policy) -> Transition {
    Transition::End { ending: policy.claims().exhausted, failures: facts.failures }
}

/// Decides what the outcome of the attempt under way does.
fn after_attempt(
    facts: Facts,
    verdict: &Verdict,
    policy: &Policy,
    now: Timestamp,
    chance: f64,
) -> Transition {
    let Facts { failures, losses, .. } = facts;
    let retry = |after, losses| match policy.is_too_old(facts.accepted_at, now, after) {
        true => Transition::End { ending: Ending::too_old(), failures },
        false => Transition::Retry { after, failures, losses },
    };
    match verdict {
        Verdict::NotRun { delay, .. } => {
            return retry(policy.pause_not_run(*delay, facts.attempt), losses);
        }
        Verdict::Unfinished { .. } if losses + 1 >= policy.max_losses => {
            return exhausted(facts, policy);
        }
        Verdict::Unfinished { .. } => return retry(policy.pause_lost(losses + 1), losses + 1),
        _ => {}
    }
    match verdict.state() {
        Some(State::Succeeded) => {
            Transition::End { ending: Ending::in_state(State::Succeeded), failures }
        }
        Some(state) => after_failure(state, facts, policy, now, chance),
        // These are not ends of an attempt that was claimed.
        None => Transition::Stay,
    }
}

/// Decides what a failure of the function does; `state` is the end that a last failure leads to.
fn after_failure(
    state: State,
    facts: Facts,
    policy: &Policy,
    now: Timestamp,
    chance: f64,
) -> Transition {
    let failures = facts.failures.saturating_add(1);
    if failures < policy.attempts {
        let after = policy.pause_failed(failures, chance);
        if !policy.is_too_old(facts.accepted_at, now, after) {
            return Transition::Retry { after, failures, losses: facts.losses };
        }
    }
    let ending = Ending { dead_letter: policy.attempts > 1, ..Ending::in_state(state) };
    Transition::End { ending, failures }
}

impl Ending {
    /// Returns the end of an invocation whose function was deleted while it waited.
    pub fn function_deleted() -> Self {
        Self { reason: Some(Reason::FunctionDeleted), ..Self::in_state(State::Cancelled) }
    }

    fn too_old() -> Self {
        Self { reason: Some(Reason::TooOld), ..Self::in_state(State::Expired) }
    }
}

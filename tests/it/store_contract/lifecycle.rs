//! What a store does with claims and settlements is what the lifecycle says.

use std::{sync::Arc, time::Duration};

use cloudfunc::{
    lifecycle::{Event, Facts, Growth, Policy, Transition, decide},
    model::{
        AttemptRecord, FunctionError, InvocationId, ManagerId, OwnerId, Phases, RevisionNumber, State,
        message::Verdict,
    },
    store::{Claiming, Config, Settlement, Store, Wanted},
};
use proptest::{
    prelude::*,
    test_runner::{Config as Runs, TestCaseError, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::{LONG, accept, deploy, now, open};

const ROWS: usize = 2;
const OWNERS: usize = 2;
const REVISION: RevisionNumber = RevisionNumber(1);
/// Without pauses: what is to be tried again is due at once.
const POLICY: Policy = Policy {
    attempts: 4,
    after_failure: Growth { first: Duration::ZERO, longest: Duration::ZERO },
    longest_not_run: Duration::ZERO,
    ..Policy::DEFAULT
};

#[derive(Clone, Debug)]
enum Step {
    Claim {
        row: usize,
        owner: usize,
    },
    /// The outcome of the attempt this far before the last one.
    Settle {
        row: usize,
        before: u32,
        verdict: Verdict,
        has_token: bool,
    },
    /// With a token that no claim has.
    SettleOther {
        row: usize,
    },
    EndLease {
        owner: usize,
    },
    /// The next life of a manager.
    TakeLease {
        owner: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (row, owner) = (0..ROWS, 0..OWNERS);
    let text = || "no".to_owned();
    let error = || FunctionError::platform("no");
    let verdict = prop_oneof![
        1 => Just(Verdict::Succeeded),
        2 => Just(Verdict::Failed { error: error() }),
        1 => Just(Verdict::TimedOut { error: error() }),
        1 => Just(Verdict::Underway),
        3 => Just(Verdict::Unfinished { reason: text() }),
        3 => Just(Verdict::not_run(text(), Duration::from_secs(1))),
    ];
    let settle = (row.clone(), prop_oneof![4 => Just(0_u32), 1 => 1_u32..3], verdict, any::<bool>());
    let step = prop_oneof![
        8 => (row.clone(), owner.clone()).prop_map(|(row, owner)| Step::Claim { row, owner }),
        3 => settle.prop_map(|(row, before, verdict, has_token)| {
            Step::Settle { row, before, verdict, has_token }
        }),
        1 => row.prop_map(|row| Step::SettleOther { row }),
        4 => owner.clone().prop_map(|owner| Step::EndLease { owner }),
        4 => owner.prop_map(|owner| Step::TakeLease { owner }),
    ];
    prop::collection::vec(step, 1..100)
}

/// A row as it has to be.
struct Row {
    id: InvocationId,
    facts: Facts,
    owner: Option<OwnerId>,
    /// Entries of the record about attempts that are over.
    entries: usize,
    /// Whether one is under way, or was lost and nobody knows yet.
    is_open: bool,
    dead_letter: bool,
    /// What each claim was answered.
    claims: Vec<(Facts, uuid::Uuid)>,
}

impl Row {
    fn apply(&mut self, transition: &Transition) {
        self.facts = self.facts.after(transition);
        self.owner = None;
        if let Transition::End { ending, .. } = transition {
            self.dead_letter = ending.dead_letter;
        }
    }
}

struct Run {
    store: Arc<dyn Store>,
    rows: Vec<Row>,
    owners: [OwnerId; OWNERS],
    live: Vec<OwnerId>,
}

impl Run {
    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Claim { row, owner } => self.claim(row, self.owners[owner]).await,
            Step::Settle { row, before, verdict, has_token } => {
                let attempt = self.rows[row].facts.attempt.saturating_sub(before);
                self.settle(row, attempt, &verdict, has_token.then_some(None)).await
            }
            Step::SettleOther { row } => {
                let attempt = self.rows[row].facts.attempt;
                let other = Some(Some(uuid::Uuid::nil()));
                self.settle(row, attempt, &Verdict::Succeeded, other).await
            }
            Step::EndLease { owner } => {
                let owner = self.owners[owner];
                let leases = self.store.leases().await.unwrap();
                let lease = leases.iter().find(|lease| lease.owner == owner);
                prop_assert_eq!(lease.is_some(), self.live.contains(&owner));
                if let Some(lease) = lease {
                    prop_assert!(self.store.end_lease(lease).await.unwrap());
                    prop_assert!(!self.store.renew_lease(owner, LONG).await.unwrap(), "it is told");
                    self.live.retain(|live| *live != owner);
                }
                Ok(())
            }
            Step::TakeLease { owner } => {
                let life = OwnerId::new();
                self.store.take_lease(life, ManagerId::new(), LONG).await.unwrap();
                self.owners[owner] = life;
                self.live.push(life);
                Ok(())
            }
        }
    }

    async fn claim(&mut self, number: usize, owner: OwnerId) -> Result<(), TestCaseError> {
        let row = &mut self.rows[number];
        let wanted = [Wanted { id: row.id, revision: REVISION }];
        let answer = self.store.claim(&wanted, owner).await.unwrap().remove(0);
        if !self.live.contains(&owner) {
            prop_assert_eq!(answer, Claiming::NoLease);
            return self.compare(number).await;
        }
        let is_held = row.owner.is_some_and(|owner| self.live.contains(&owner));
        if row.facts.state.is_terminal() || is_held {
            prop_assert_eq!(answer, Claiming::Refused);
            return self.compare(number).await;
        }
        let transition = decide(row.facts, Event::Claim, &POLICY, now(), 0.5);
        row.entries += usize::from(row.is_open);
        row.apply(&transition);
        row.is_open = matches!(transition, Transition::Run { .. });
        if row.is_open {
            let Claiming::Granted(claim) = answer else { panic!("{answer:?} for {transition:?}") };
            let Facts { attempt, failures, losses, .. } = row.facts;
            prop_assert_eq!((claim.attempt, claim.failures, claim.losses), (attempt, failures, losses));
            row.owner = Some(owner);
            row.claims.push((row.facts, claim.token));
        } else {
            prop_assert_eq!(answer, Claiming::Refused);
        }
        self.compare(number).await
    }

    /// `token`: none goes without, `Some(None)` is the claim's.
    async fn settle(
        &mut self,
        number: usize,
        attempt: u32,
        verdict: &Verdict,
        token: Option<Option<uuid::Uuid>>,
    ) -> Result<(), TestCaseError> {
        let row = &mut self.rows[number];
        // The scheduler knows no more than what the claim was answered.
        let claim = row.claims.iter().find(|(facts, _)| facts.attempt == attempt);
        let Some((believed, own)) = claim.copied() else { return Ok(()) };
        let transition = decide(believed, Event::Outcome { attempt, verdict }, &POLICY, now(), 0.5);
        let settlement = Settlement {
            id: row.id,
            attempt,
            token: token.map(|token| token.unwrap_or(own)),
            transition: transition.clone(),
            attempt_record: AttemptRecord {
                number: attempt,
                revision: Some(REVISION),
                instance: None,
                outcome: verdict.state(),
                error: verdict.error().cloned(),
                lines: None,
                http_status: None,
            },
            start: None,
            prewarmed: false,
            phases: Phases::new(),
            result: None,
            finished_at: now(),
        };
        let settled = self.store.settle(&[settlement]).await.unwrap();
        let is_current = row.facts.state == State::Running && row.facts.attempt == attempt;
        let is_other = token.flatten().is_some_and(|token| token != own);
        let is_settled = is_current && !is_other && transition != Transition::Stay;
        prop_assert_eq!(settled, [is_settled]);
        if is_settled {
            row.apply(&transition);
            row.entries += 1;
            row.is_open = false;
        }
        self.compare(number).await
    }

    /// Every row ends, at the latest when its attempts are lost one after the other.
    async fn lose_what_is_left(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..=POLICY.max_losses {
            self.take(Step::TakeLease { owner: 0 }).await?;
            for row in 0..ROWS {
                self.take(Step::Claim { row, owner: 0 }).await?;
            }
            for life in self.live.clone() {
                self.store.release_lease(life).await.unwrap();
            }
            self.live.clear();
        }
        prop_assert!(self.rows.iter().all(|row| row.facts.state.is_terminal()));
        Ok(())
    }

    async fn compare(&self, number: usize) -> Result<(), TestCaseError> {
        let row = &self.rows[number];
        let record = self.store.record(row.id).await.unwrap().unwrap();
        prop_assert_eq!(record.state, row.facts.state);
        prop_assert_eq!(record.dead_letter, row.dead_letter);
        prop_assert_eq!(record.attempts.len(), row.entries + usize::from(row.is_open));
        let numbers: Vec<u32> = record.attempts.iter().map(|attempt| attempt.number).collect();
        prop_assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
        Ok(())
    }
}

pub async fn claims_and_settlements_do_what_the_lifecycle_decides(config: Config) {
    let store = open(config).await;
    let function = deploy(&store, "f", "v1").await;
    let runs = Runs { cases: 24, failure_persistence: None, ..Runs::default() };
    let checking = || {
        TestRunner::new(runs).run(&steps(), |steps| {
            Handle::current().block_on(async {
                let mut rows = Vec::new();
                for _ in 0..ROWS {
                    let id = accept(&store, &function).await;
                    let accepted_at = store.record(id).await.unwrap().unwrap().accepted_at;
                    let state = State::Queued;
                    rows.push(Row {
                        id,
                        facts: Facts { state, attempt: 0, failures: 0, losses: 0, accepted_at },
                        owner: None,
                        entries: 0,
                        is_open: false,
                        dead_letter: false,
                        claims: Vec::new(),
                    });
                }
                let owners = [OwnerId::new(), OwnerId::new()];
                let mut run = Run { store: store.clone(), rows, owners, live: Vec::new() };
                for step in steps {
                    run.take(step).await?;
                }
                run.lose_what_is_left().await
            })
        })
    };
    block_in_place(checking).unwrap();
    assert!(store.totals().await.unwrap().balance());
}

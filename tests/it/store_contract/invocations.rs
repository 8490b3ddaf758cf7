use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudfunc::{
    lifecycle::{Ending, Policy, Transition},
    model::{Digest, HttpRequest, InvocationId, ManagerId, OwnerId, Reason, RevisionNumber, State},
    store::{
        Announcement, Backlog, Claiming, Config, Due, Error, NewInvocation, NewRevision,
        REPUBLISH_AFTER, Settlement, Store, StoredResult, Totals, Wanted,
    },
};
use jiff::Timestamp;

use super::{
    LONG, accept, claim, claim_for, deploy, finish, give_back, invocation, lease_of, name, open, owner,
    revision_of, state, text,
};
use crate::{store_contract::execute, support::eventually};

/// Makes all queued rows due now instead of in a second.
async fn make_due(store: &Arc<dyn Store>, ids: &[InvocationId]) {
    store.mark_published(ids).await.unwrap();
    store.forget_published().await.unwrap();
}

pub async fn a_row_of_a_gone_function_is_refused_and_the_others_go_in(config: Config) {
    let store = open(config).await;
    let (f, gone) = (deploy(&store, "f", "v1").await, deploy(&store, "gone", "v1").await);
    store.delete_function(&gone.name).await.unwrap();
    let rows = [invocation(&f), invocation(&gone), invocation(&f)];
    assert_eq!(store.accept(&rows).await.unwrap(), [true, false, true]);
    assert_eq!(store.record(rows[1].id).await.unwrap(), None);
    assert_eq!(state(&store, rows[2].id).await, State::Queued);
    let bytes = rows.iter().map(|row| row.payload.bytes.len() as u64).sum::<u64>() / 3 * 2;
    assert_eq!(store.backlog().await.unwrap(), Backlog { rows: 2, bytes });
    assert_eq!(store.totals().await.unwrap(), Totals { accepted: 2, queued: 2, ..Totals::default() });
    assert_eq!(store.accept(&[]).await.unwrap(), Vec::<bool>::new());
}

pub async fn an_id_accepted_again_counts_once(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let rows = [invocation(&f)];
    // Who was told "fate unknown" may ask again.
    for _ in 0..2 {
        assert_eq!(store.accept(&rows).await.unwrap(), [true]);
    }
    assert_eq!(store.totals().await.unwrap(), Totals { accepted: 1, queued: 1, ..Totals::default() });
}

pub async fn what_is_accepted_during_a_deletion_is_cancelled(config: Config) {
    let store = open(config).await;
    for _ in 0..5 {
        let f = Arc::new(deploy(&store, "f", "v1").await);
        let accepting: Vec<_> = (0..8)
            .map(|_| {
                let (store, f) = (Arc::clone(&store), Arc::clone(&f));
                tokio::spawn(async move {
                    let row = invocation(&f);
                    (row.id, store.accept(std::slice::from_ref(&row)).await.unwrap()[0])
                })
            })
            .collect();
        store.delete_function(&f.name).await.unwrap();
        for task in accepting {
            let (id, accepted) = task.await.unwrap();
            let record = store.record(id).await.unwrap();
            assert_eq!(record.map(|r| r.state), accepted.then_some(State::Cancelled));
        }
    }
    assert!(store.totals().await.unwrap().balance());
}

pub async fn one_of_a_hundred_claims_is_granted(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let owner = owner(&store).await;
    let claiming: Vec<_> = (0..100)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { claim(&store, id, owner).await })
        })
        .collect();
    let mut granted = Vec::new();
    for task in claiming {
        granted.extend(task.await.unwrap());
    }
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0].attempt, 1);
    assert_eq!(claim(&store, InvocationId::new(), owner).await, None, "unknown");
}

pub async fn a_claim_answers_what_was_accepted_and_the_revision_active_now(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let row = invocation(&f);
    store.accept(std::slice::from_ref(&row)).await.unwrap();
    deploy(&store, "f", "v2").await;
    let claim = claim(&store, row.id, owner(&store).await).await.unwrap();
    assert_eq!((claim.attempt, claim.revision), (1, RevisionNumber(2)));
    assert_eq!(
        (claim.payload, claim.headers, claim.accepted_at),
        (row.payload, row.headers, row.accepted_at)
    );
}

pub async fn a_request_to_a_web_server_is_claimed_and_recorded_as_it_was_accepted(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let http = HttpRequest::named(Some("PUT"), Some("/a%20b?c=%22d'")).unwrap();
    let named = NewInvocation { http: Some(http.clone()), ..invocation(&f) };
    let plain = invocation(&f);
    assert_eq!(store.accept(&[named.clone(), plain.clone()]).await.unwrap(), [true, true]);
    // A row of an earlier version has none either.
    for (row, http) in [(&named, Some(http)), (&plain, None)] {
        assert_eq!(store.record(row.id).await.unwrap().unwrap().http, http);
        let claim = claim(&store, row.id, owner(&store).await).await.unwrap();
        assert_eq!(claim.http, http);
    }
    let mut end = finish(named.id, 1, State::Succeeded);
    end.attempt_record.http_status = Some(404);
    assert_eq!(store.settle(&[end, finish(plain.id, 1, State::Succeeded)]).await.unwrap(), [true, true]);
    let status = async |row: &NewInvocation| store.record(row.id).await.unwrap().unwrap().http_status();
    assert_eq!((status(&named).await, status(&plain).await), (Some(404), None));
    let status = async |row: &NewInvocation| store.result(row.id).await.unwrap().unwrap().http_status;
    assert_eq!((status(&named).await, status(&plain).await), (Some(404), None), "with the result");
}

pub async fn a_claim_is_refused_while_its_owner_has_a_lease_and_granted_after(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let (lost, next) = (owner(&store).await, owner(&store).await);
    assert_eq!(claim(&store, id, lost).await.unwrap().attempt, 1);
    assert_eq!(claim(&store, id, next).await, None);
    let lease = lease_of(&store, lost).await;
    assert!(store.end_lease(&lease).await.unwrap());
    assert_eq!(claim(&store, id, next).await.unwrap().attempt, 2);
    let waiting = accept(&store, &f).await;
    assert_eq!(
        claim_for(&store, waiting, RevisionNumber(1), lost).await,
        Claiming::NoLease,
        "who has lost it gets nothing that would be somebody else's a moment later"
    );
    assert_eq!(claim(&store, waiting, next).await.unwrap().attempt, 1);
}

pub async fn a_claim_for_another_revision_than_the_active_one_changes_nothing(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (id, owner) = (accept(&store, &f).await, owner(&store).await);
    deploy(&store, "f", "v2").await;
    let answer = claim_for(&store, id, RevisionNumber(1), owner).await;
    assert_eq!(answer, Claiming::Moved(RevisionNumber(2)));
    assert_eq!(state(&store, id).await, State::Queued);
    let Claiming::Granted(claim) = claim_for(&store, id, RevisionNumber(2), owner).await else {
        panic!("it waits")
    };
    assert_eq!((claim.attempt, claim.revision), (1, RevisionNumber(2)));
}

pub async fn claims_made_together_are_answered_one_by_one_and_in_order(config: Config) {
    let store = open(config).await;
    let (f, g) = (deploy(&store, "f", "v1").await, deploy(&store, "g", "v1").await);
    deploy(&store, "g", "v2").await;
    let (one, other, taken) =
        (accept(&store, &f).await, accept(&store, &g).await, accept(&store, &f).await);
    let owner = owner(&store).await;
    claim(&store, taken, owner).await.unwrap();
    let wanted = [(taken, 1), (other, 1), (InvocationId::new(), 1), (one, 1), (one, 1), (other, 2)]
        .map(|(id, revision)| Wanted { id, revision: RevisionNumber(revision) });
    let answers = store.claim(&wanted, owner).await.unwrap();
    let granted: Vec<_> = answers.iter().map(|one| matches!(one, Claiming::Granted(_))).collect();
    // Of two for the same one either may have it.
    assert_eq!(granted.iter().filter(|granted| **granted).count(), 2, "{answers:?}");
    assert!(granted[5] && (granted[3] || granted[4]));
    assert_eq!(answers[0], Claiming::Refused);
    assert_eq!(answers[2], Claiming::Refused);
    assert!(matches!(answers[1], Claiming::Moved(RevisionNumber(2)) | Claiming::Refused));
    assert!(store.claim(&[], owner).await.unwrap().is_empty());
}

pub async fn a_settlement_with_the_token_of_another_claim_changes_nothing(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (id, owner) = (accept(&store, &f).await, owner(&store).await);
    let claim = claim(&store, id, owner).await.unwrap();
    let stranger = Some(uuid::Uuid::now_v7());
    let end = |token| Settlement { token, ..finish(id, 1, State::Succeeded) };
    assert_eq!(store.settle(&[end(stranger)]).await.unwrap(), [false]);
    assert_eq!(store.settle(&[end(Some(claim.token))]).await.unwrap(), [true]);
}

pub async fn a_released_lease_frees_what_it_held(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let (stopping, next) = (owner(&store).await, owner(&store).await);
    claim(&store, id, stopping).await.unwrap();
    store.release_lease(stopping).await.unwrap();
    assert_eq!(claim(&store, id, next).await.unwrap().attempt, 2);
}

pub async fn a_stale_attempt_cannot_overwrite_a_newer_one(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let (lost, next) = (owner(&store).await, owner(&store).await);
    claim(&store, id, lost).await.unwrap();
    store.release_lease(lost).await.unwrap();
    claim(&store, id, next).await.unwrap();

    assert_eq!(store.settle(&[finish(id, 1, State::Failed)]).await.unwrap(), [false]);
    assert!(!give_back(&store, id, 1, Duration::ZERO, "stale").await);
    assert_eq!(state(&store, id).await, State::Running);
    let both = [finish(id, 1, State::Failed), finish(id, 2, State::Succeeded)];
    assert_eq!(store.settle(&both).await.unwrap(), [false, true]);
    assert_eq!(store.settle(&[finish(id, 2, State::Crashed)]).await.unwrap(), [false]);
    assert_eq!(state(&store, id).await, State::Succeeded);
    let result = StoredResult { body: text("result"), http_status: None };
    assert_eq!(store.result(id).await.unwrap(), Some(result));
}

pub async fn what_came_of_a_lost_attempt_is_noted_in_the_record(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let (lost, next) = (owner(&store).await, owner(&store).await);
    claim(&store, id, lost).await.unwrap();
    store.release_lease(lost).await.unwrap();
    claim(&store, id, next).await.unwrap();
    let of_revision = |attempt, state| {
        let mut settlement = finish(id, attempt, state);
        settlement.attempt_record.revision = Some(RevisionNumber(1));
        settlement
    };
    let outcomes = async || {
        let record = store.record(id).await.unwrap().unwrap();
        record.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes().await, [None, None]);
    let late = of_revision(1, State::Succeeded);
    assert_eq!(store.settle(std::slice::from_ref(&late)).await.unwrap(), [false]);
    for _ in 0..2 {
        store.note_late(std::slice::from_ref(&late)).await.unwrap();
        assert_eq!(outcomes().await, [Some(State::Succeeded), None]);
    }
    store.note_late(&[of_revision(2, State::Failed), of_revision(1, State::Failed)]).await.unwrap();
    assert_eq!(outcomes().await, [Some(State::Succeeded), None], "one that runs is settled, not noted");
    assert_eq!(store.settle(&[finish(id, 2, State::Crashed)]).await.unwrap(), [true]);
    assert_eq!(outcomes().await, [Some(State::Succeeded), Some(State::Crashed)]);
    assert_eq!(state(&store, id).await, State::Crashed);
}

pub async fn an_invocation_has_exactly_one_terminal_state(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let owner = owner(&store).await;
    for _ in 0..5 {
        let id = accept(&store, &f).await;
        claim(&store, id, owner).await.unwrap();
        let ends = [State::Succeeded, State::Failed, State::TimedOut, State::Crashed];
        let finishing = ends.map(|end| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.settle(&[finish(id, 1, end)]).await.unwrap()[0] })
        });
        let mut winners = Vec::new();
        for (end, task) in ends.into_iter().zip(finishing) {
            if task.await.unwrap() {
                winners.push(end);
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(state(&store, id).await, winners[0]);
    }
    // Twice in one batch: the first counts.
    let id = accept(&store, &f).await;
    claim(&store, id, owner).await.unwrap();
    let twice = [finish(id, 1, State::Failed), finish(id, 1, State::Succeeded)];
    assert_eq!(store.settle(&twice).await.unwrap(), [true, false]);
    assert_eq!(state(&store, id).await, State::Failed);
}

pub async fn failures_are_counted_beside_attempts(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let owner = owner(&store).await;
    let claimed = async || claim(&store, id, owner).await.map(|claim| (claim.attempt, claim.failures));
    assert_eq!(claimed().await, Some((1, 0)));
    assert!(give_back(&store, id, 1, Duration::ZERO, "no room").await);
    assert_eq!(claimed().await, Some((2, 0)), "the function did not run");
    let mut failed = finish(id, 2, State::Failed);
    failed.result = Some(text("not an end, so not stored"));
    failed.transition = Transition::Retry { after: Duration::ZERO, failures: 1, losses: 0 };
    assert_eq!(store.settle(&[failed]).await.unwrap(), [true]);
    let record = store.record(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.finished_at, record.result), (State::Retrying, None, None));
    assert_eq!(claimed().await, Some((3, 1)));
    let mut dead = finish(id, 3, State::Failed);
    let ending = Ending { dead_letter: true, ..Ending::in_state(State::Failed) };
    dead.transition = Transition::End { ending, failures: 2 };
    assert_eq!(store.settle(&[dead]).await.unwrap(), [true]);
    let record = store.record(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.dead_letter, record.attempts.len()), (State::Failed, true, 3));
}

pub async fn a_transition_that_changes_nothing_is_not_applied(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    claim(&store, id, owner(&store).await).await.unwrap();
    let with = |transition| Settlement { transition, ..finish(id, 1, State::Succeeded) };
    let none = [with(Transition::Stay), with(Transition::Run { attempt: 2, losses: 0 })];
    assert_eq!(store.settle(&none).await.unwrap(), [false, false]);
    assert_eq!(state(&store, id).await, State::Running);
    assert!(store.settle(&[]).await.unwrap().is_empty());
}

pub async fn what_was_given_back_waits_for_its_delay(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (soon, later) = (accept(&store, &f).await, accept(&store, &f).await);
    let owner = owner(&store).await;
    for (id, delay) in [(soon, Duration::from_millis(200)), (later, LONG)] {
        claim(&store, id, owner).await.unwrap();
        assert!(give_back(&store, id, 1, delay, "no room").await);
        assert!(!give_back(&store, id, 1, delay, "no room").await);
        assert_eq!(state(&store, id).await, State::Retrying);
    }
    assert_eq!(claim(&store, later, owner).await, None, "not due yet");
    let due = eventually("it is due", || async {
        store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap().pop()
    })
    .await;
    assert_eq!((due.id, due.function, &due.name), (soon, f.id, &f.name));
    assert_eq!(due.active_revision, RevisionNumber(1));
    assert_eq!(
        store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(),
        [],
        "it has its message, and the other one time"
    );
    assert_eq!(claim(&store, soon, owner).await.unwrap().attempt, 2);
}

pub async fn a_claim_that_nobody_heard_of_does_not_stay_running(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (deaf, next) = (owner(&store).await, owner(&store).await);
    // Longer and longer, so that claims are dropped at each stage: unsent, sent, done but not heard of.
    for patience in (0..100).map(|step| Duration::from_micros(step * 50)) {
        let id = accept(&store, &f).await;
        if tokio::time::timeout(patience, claim(&store, id, deaf)).await.is_ok() {
            break;
        }
        eventually("another owner gets it", || async {
            assert!(store.renew_lease(deaf, LONG).await.unwrap());
            claim(&store, id, next).await
        })
        .await;
    }
}

pub async fn the_loss_beyond_the_last_ends_it_and_what_did_not_begin_counts_for_nothing(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let max_losses = Policy::DEFAULT.max_losses;
    let mut attempts = 0;
    for losses in 0..max_losses {
        let lost = owner(&store).await;
        let claimed = claim(&store, id, lost).await.unwrap();
        attempts += 1;
        assert_eq!((claimed.attempt, claimed.losses), (attempts, losses));
        if losses > 0 {
            store.release_lease(lost).await.unwrap();
            continue;
        }
        for _ in 0..2 * max_losses {
            assert!(give_back(&store, id, attempts, Duration::ZERO, "no engine").await);
            attempts += 1;
            assert_eq!(claim(&store, id, lost).await.unwrap().losses, losses);
        }
        store.release_lease(lost).await.unwrap();
    }
    assert_eq!(claim(&store, id, owner(&store).await).await, None);
    let record = store.record(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.dead_letter), (State::Failed, true));
    assert_eq!(record.reason, Some(Reason::Platform));
    assert_eq!(record.attempts.len(), attempts as usize);
    assert!(record.finished_at.is_some());
    assert_eq!(store.totals().await.unwrap().terminal, 1);
}

pub async fn a_loss_that_is_reported_counts(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (id, owner) = (accept(&store, &f).await, owner(&store).await);
    claim(&store, id, owner).await.unwrap();
    let killed = Settlement {
        transition: Transition::Retry { after: Duration::ZERO, failures: 0, losses: 1 },
        ..finish(id, 1, State::Failed)
    };
    assert_eq!(store.settle(&[killed]).await.unwrap(), [true]);
    let claim = claim(&store, id, owner).await.unwrap();
    assert_eq!((claim.attempt, claim.failures, claim.losses), (2, 0, 1));
}

pub async fn what_was_never_published_is_due_after_a_second(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let start = std::time::Instant::now();
    let (published, unpublished) = (accept(&store, &f).await, accept(&store, &f).await);
    store.mark_published(&[published, InvocationId::new()]).await.unwrap();
    let due = eventually("it is due", || async {
        Some(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap()).filter(|due| !due.is_empty())
    })
    .await;
    assert!(start.elapsed() >= Duration::from_secs(1), "the publisher has a second");
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [unpublished]);
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), [], "marked as published");
    // The process and its queue are gone: everything needs a message again.
    store.forget_published().await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap().len(), 2);
}

pub async fn a_row_says_from_the_beginning_who_publishes(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let [noted, in_memory, left] =
        [Announcement::ToBeNoted, Announcement::InMemory, Announcement::LeftToSweeper]
            .map(|announcement| NewInvocation { announcement, ..invocation(&f) });
    let rows = [noted.clone(), in_memory.clone(), left.clone()];
    assert_eq!(store.accept(&rows).await.unwrap(), [true; 3]);
    let ids = |due: &[Due]| due.iter().map(|due| due.id).collect::<Vec<_>>();
    let at_once = store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(ids(&at_once), [left.id]);
    let later = eventually("the one that was not noted is due", || async {
        Some(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap()).filter(|due| !due.is_empty())
    })
    .await;
    assert_eq!(ids(&later), [noted.id]);
    // Refused by the queue in memory: it goes before what waits already.
    store.untake(&at_once).await.unwrap();
    let refused = Due { id: in_memory.id, due_at: Timestamp::UNIX_EPOCH, ..later[0].clone() };
    store.untake(&[refused]).await.unwrap();
    assert_eq!(ids(&store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap()), [in_memory.id, left.id]);
    // One that has run meanwhile is left alone.
    let owner = owner(&store).await;
    assert!(claim(&store, in_memory.id, owner).await.is_some());
    let late = Due { id: in_memory.id, due_at: Timestamp::UNIX_EPOCH, ..later[0].clone() };
    store.untake(&[late]).await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
}

pub async fn what_was_taken_and_not_noted_as_published_is_due_again_soon(config: Config) {
    const SOON: Duration = Duration::from_millis(50);
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let owner = owner(&store).await;
    let rows =
        [(); 4].map(|()| NewInvocation { announcement: Announcement::LeftToSweeper, ..invocation(&f) });
    let [noted, unnoted, retrying, given_back] = [0, 1, 2, 3].map(|number: usize| rows[number].id);
    store.accept(&rows).await.unwrap();
    claim(&store, retrying, owner).await.unwrap();
    assert!(give_back(&store, retrying, 1, Duration::ZERO, "no room").await);
    assert_eq!(store.take_due(10, &[], SOON).await.unwrap().len(), 4);
    claim(&store, given_back, owner).await.unwrap();
    assert!(give_back(&store, given_back, 1, Duration::ZERO, "no room").await);
    store.mark_published(&[noted, retrying, given_back]).await.unwrap();
    let mut due = Vec::new();
    while due.len() < 2 {
        let row = eventually("what was not noted, or has begun since, is due", || async {
            store.take_due(1, &[], LONG).await.unwrap().pop()
        });
        due.push(row.await.id);
    }
    due.sort();
    let mut wanted = [unnoted, given_back];
    wanted.sort();
    assert_eq!(due, wanted);
    assert_eq!(store.take_due(10, &[], LONG).await.unwrap(), []);
}

pub async fn two_sweepers_do_not_take_the_same_row(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let rows: Vec<_> = (0..200).map(|_| invocation(&f)).collect();
    store.accept(&rows).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    make_due(&store, &ids).await;
    let sweeping: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let due = store.take_due(20, &[], REPUBLISH_AFTER).await.unwrap();
                    if due.is_empty() {
                        return taken;
                    }
                    taken.extend(due.into_iter().map(|due| due.id));
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in sweeping {
        taken.extend(task.await.unwrap());
    }
    assert_eq!(taken.len(), 200);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), ids.into_iter().collect());
}

pub async fn the_sweeper_takes_the_oldest_first(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(accept(&store, &f).await);
    }
    make_due(&store, &ids).await;
    let taken = async |limit| {
        store
            .take_due(limit, &[], REPUBLISH_AFTER)
            .await
            .unwrap()
            .into_iter()
            .map(|due| due.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(taken(2).await, ids[..2]);
    assert_eq!(taken(10).await, ids[2..]);
}

pub async fn what_could_not_be_published_is_as_due_as_before(config: Config) {
    let store = open(config).await;
    let (f, other) = (deploy(&store, "f", "v1").await, deploy(&store, "other", "v1").await);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(accept(&store, &f).await);
    }
    let others = accept(&store, &other).await;
    make_due(&store, &[&ids[..], &[others]].concat()).await;
    let oldest = store.take_due(3, &[other.id], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(oldest.iter().map(|due| due.id).collect::<Vec<_>>(), ids[..3]);
    let owner = owner(&store).await;
    claim(&store, ids[0], owner).await.unwrap();
    store.untake(&oldest).await.unwrap();

    let except_f = store.take_due(10, &[f.id], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(except_f.iter().map(|due| due.id).collect::<Vec<_>>(), [others]);
    let again = store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(again.iter().map(|due| due.id).collect::<Vec<_>>(), ids[1..], "at their old places");
    assert_eq!(again[..2], oldest[1..], "and as long due as before");
    assert_eq!(state(&store, ids[0]).await, State::Running, "it was claimed meanwhile");
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
}

pub async fn what_a_queue_has_lost_is_due_again(config: Config) {
    let store = open(config).await;
    let (f, other) = (deploy(&store, "f", "v1").await, deploy(&store, "other", "v1").await);
    assert_eq!(store.waiting_functions().await.unwrap(), []);
    let (lost, claimed) = (accept(&store, &f).await, accept(&store, &f).await);
    let others = accept(&store, &other).await;
    store.mark_published(&[lost, claimed, others]).await.unwrap();
    let mut waiting = store.waiting_functions().await.unwrap();
    waiting.sort_unstable();
    assert_eq!(waiting, [f.id, other.id]);
    let owner = owner(&store).await;
    claim(&store, claimed, owner).await.unwrap();

    let minute = Duration::from_secs(60);
    assert_eq!(store.forget_lost(&[f.id], minute).await.unwrap(), 0, "published a moment ago");
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
    assert_eq!(store.forget_lost(&[f.id], Duration::ZERO).await.unwrap(), 1);
    assert_eq!(store.forget_lost(&[f.id], Duration::ZERO).await.unwrap(), 0, "it is due already");
    let due = store.take_due(10, &[], minute).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [lost]);
    assert_eq!(store.forget_lost(&[f.id], Duration::ZERO).await.unwrap(), 0, "a sweep is publishing it");
    store.mark_published(&[lost]).await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
}

pub async fn a_clock_that_is_set_back_puts_nothing_off(config: Config) {
    let store = open(config.clone()).await;
    let f = deploy(&store, "f", "v1").await;
    let (queued, retrying, running) =
        (accept(&store, &f).await, accept(&store, &f).await, accept(&store, &f).await);
    store.mark_published(&[queued]).await.unwrap();
    let owner = owner(&store).await;
    let attempt = claim(&store, retrying, owner).await.unwrap().attempt;
    assert!(give_back(&store, retrying, attempt, Duration::from_secs(60), "later").await);
    claim(&store, running, owner).await.unwrap();
    assert_eq!(store.pull_in().await.unwrap(), 0, "all are put off as usual");
    // As if they had been written ten days later.
    execute(&config, "UPDATE invocations SET message_at = message_at + 864000000 WHERE message_at > 0");
    execute(&config, "UPDATE invocations SET due_at = due_at + 864000000");
    let lease = lease_of(&store, owner).await;
    assert!(store.end_lease(&lease).await.unwrap());
    let due = store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(
        due.iter().map(|due| due.id).collect::<Vec<_>>(),
        [running],
        "no clock holds up what ran"
    );

    assert_eq!(store.pull_in().await.unwrap(), 2);
    let mut due = store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap();
    due.sort_by_key(|due| due.id);
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [queued, retrying]);
    let owner = self::owner(&store).await;
    assert!(claim(&store, retrying, owner).await.is_some());
}

/// Writes of many callers may share a commit; of one that cannot be done only itself must be undone.
pub async fn a_write_that_fails_harms_none_beside_it(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let writing: Vec<_> = (0..60)
        .map(|n| {
            let (store, f) = (Arc::clone(&store), f.clone());
            tokio::spawn(async move {
                if n % 3 > 0 {
                    let id = accept(&store, &f).await;
                    return Some(id);
                }
                let unknown = RevisionNumber(7);
                let error = store.activate(&f.name, unknown, None).await.unwrap_err();
                assert!(matches!(error, Error::Missing(_)), "{error:?}");
                let bundle = Some(Digest::of(format!("never stored {n}").as_bytes()));
                let new = NewRevision { bundle, ..revision_of("g", "v1") };
                let error = store.add_revision(new).await.unwrap_err();
                assert!(matches!(error, Error::Missing(_)), "{error:?}");
                None
            })
        })
        .collect();
    let mut accepted = HashSet::new();
    for task in writing {
        accepted.extend(task.await.unwrap());
    }
    assert_eq!(accepted.len(), 40);
    for id in accepted {
        assert_eq!(state(&store, id).await, State::Queued);
    }
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accepted, totals.queued), (40, 40));
    assert_eq!(store.functions().await.unwrap(), [f], "nothing of what failed is there");
}

pub async fn a_lease_that_ends_makes_its_rows_due(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let owner = owner(&store).await;
    claim(&store, id, owner).await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
    store.release_lease(owner).await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap().len(), 1);
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
    assert_eq!(state(&store, id).await, State::Running, "until somebody claims it");
}

pub async fn a_lost_invocation_of_a_deleted_function_is_cancelled(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let (lost, given_back) = (accept(&store, &f).await, accept(&store, &f).await);
    let owner = owner(&store).await;
    claim(&store, lost, owner).await.unwrap();
    claim(&store, given_back, owner).await.unwrap();
    store.delete_function(&f.name).await.unwrap();
    assert!(give_back(&store, given_back, 1, Duration::ZERO, "stopping").await);
    store.release_lease(owner).await.unwrap();
    let next = super::owner(&store).await;
    for id in [lost, given_back] {
        assert_eq!(claim(&store, id, next).await, None, "there is nothing to run");
    }
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), []);
    for id in [lost, given_back] {
        let record = store.record(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.reason), (State::Cancelled, Some(Reason::FunctionDeleted)));
    }
    assert!(store.totals().await.unwrap().balance());
}

/// A linear congruential generator: the sequence is the same in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

pub async fn totals_balance_after_any_sequence(config: Config) {
    let store = open(config).await;
    let mut functions = [deploy(&store, "f0", "v1").await, deploy(&store, "f1", "v1").await];
    let owners: [OwnerId; 2] = [owner(&store).await, owner(&store).await];
    let mut dice = Dice(42);
    let (mut ids, mut accepted) = (Vec::new(), 0);
    for step in 0..300 {
        let attempt = 1 + u32::try_from(dice.throw(3)).unwrap();
        let id = if ids.is_empty() { InvocationId::new() } else { ids[dice.throw(ids.len())] };
        let who = owners[dice.throw(2)];
        match dice.throw(12) {
            0..=3 => {
                let rows: Vec<_> =
                    (0..1 + dice.throw(4)).map(|_| invocation(&functions[dice.throw(2)])).collect();
                let answers = store.accept(&rows).await.unwrap();
                accepted += answers.iter().filter(|&&yes| yes).count() as u64;
                ids.extend(rows.iter().map(|row| row.id));
            }
            4..=6 => drop(claim_for(&store, id, RevisionNumber(1), who).await),
            7 => drop(store.settle(&[finish(id, attempt, State::Succeeded)]).await.unwrap()),
            8 => drop(give_back(&store, id, attempt, Duration::ZERO, "no room").await),
            9 => drop(store.take_due(5, &[], REPUBLISH_AFTER).await.unwrap()),
            10 => drop(store.prune(Duration::ZERO, 3).await.unwrap()),
            _ if dice.throw(4) == 0 => {
                let which = dice.throw(2);
                store.delete_function(&functions[which].name).await.unwrap();
                // Sometimes the old one is used for a while.
                if dice.throw(2) == 0 {
                    functions[which] = deploy(&store, &format!("f{which}"), "v1").await;
                }
            }
            _ => {
                store.release_lease(who).await.unwrap();
                store.take_lease(who, ManagerId::new(), LONG).await.unwrap();
            }
        }
        let totals = store.totals().await.unwrap();
        assert!(totals.balance(), "step {step}: {totals:?}");
        assert_eq!(totals.accepted, accepted, "step {step}");
        assert_eq!(store.backlog().await.unwrap().rows, totals.queued + totals.retrying);
    }
    let totals = store.totals().await.unwrap();
    assert!(totals.pruned > 0 && totals.accepted > 100, "the sequence did something: {totals:?}");
    assert_eq!(store.function(&name("unknown")).await.unwrap(), None);
}

pub async fn six_mebibytes_go_in_and_come_out(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let body = cloudfunc::model::Body {
        content_type: "application/octet-stream".to_owned(),
        bytes: Bytes::from_iter((0..cloudfunc::model::message::MAX_BODY).map(|i| (i * 31 % 251) as u8)),
    };
    let mut row = invocation(&f);
    row.payload = body.clone();
    store.accept(std::slice::from_ref(&row)).await.unwrap();
    let claim = claim(&store, row.id, owner(&store).await).await.unwrap();
    assert!(claim.payload == body);
    let mut end = finish(row.id, 1, State::Succeeded);
    end.result = Some(body.clone());
    assert_eq!(store.settle(&[end]).await.unwrap(), [true]);
    assert!(store.result(row.id).await.unwrap().unwrap().body == body);
    assert_eq!(store.record(row.id).await.unwrap().unwrap().result.unwrap().size, 6 << 20);
}

//! PostgreSQL plans a statement that writes once per connection, maybe while a table is still empty.

use cloudfunc::{
    model::{AuditOutcome, Function, NewAuditEntry, TokenRole, audit::action},
    store::{AddToken, AuditFilter, REPUBLISH_AFTER, Store},
};
use jiff::SignedDuration;

use super::*;
use crate::support::postgres::{Database, psql, rows_read, wait_for_the_sessions_end};

/// Of the rows that one invocation needs.
const FEW: i64 = 2000;
const MANY: usize = 20_000;

/// What happens to an async invocation, with all that a sweep does.
async fn life(store: &Arc<dyn Store>, function: &Function, owner: OwnerId) {
    let id = accept(store, function).await;
    store.mark_published(&[id]).await.unwrap();
    assert_eq!(store.forget_lost(&[function.id], Duration::ZERO).await.unwrap(), 1);
    let due = store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [id]);
    store.untake(&due).await.unwrap();
    assert_eq!(store.take_due(10, &[], REPUBLISH_AFTER).await.unwrap(), due);
    assert!(store.waiting_functions().await.unwrap().contains(&function.id));
    assert_eq!(store.published(&[function.id]).await.unwrap()[&function.id], 1);
    let attempt = claim(store, id, owner).await.unwrap().attempt;
    assert_eq!(store.running(owner).await.unwrap().len(), 1);
    assert_eq!(store.settle(&[finish(id, attempt, State::Succeeded)]).await.unwrap(), [true]);
    store.prune(LONG, 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planned_for_an_empty_store_fits_a_full_one() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let place = Database::create(&server);
    let store = open(place.config()).await;
    let (f, other) = (deploy(&store, "f", "v1").await, deploy(&store, "other", "v1").await);
    let owner = owner(&store).await;
    // So often that each connection of the pool has planned everything.
    for _ in 0..10 {
        life(&store, &f, owner).await;
    }
    // A backlog whose messages are with the queue, and records.
    for (state, message_at) in [("queued", "now_ms() + 3600000"), ("succeeded", "NULL")] {
        psql(
            &place.url(),
            &format!(
                "INSERT INTO invocations (id, function_id, function_name, mode, state, publications, message_at,
                    accepted_at, finished_at)
                 SELECT gen_random_uuid(), '{}', 'other', 'async', '{state}', 1, {message_at}, now_ms(),
                    CASE WHEN '{state}' = 'succeeded' THEN now_ms() END
                 FROM generate_series(1, {MANY})",
                other.id
            ),
        );
    }
    let before = rows_read(&place);
    life(&store, &f, owner).await;
    store.close().await;
    wait_for_the_sessions_end(&place);
    let read = rows_read(&place) - before;
    assert!(read > 0 && read < FEW, "{read} rows");

    // Connections that plan now, when the server has not looked at the tables yet, and after it has.
    for statistics in ["", "ANALYZE"] {
        psql(&place.url(), statistics);
        let store = open(place.config()).await;
        let before = rows_read(&place);
        for _ in 0..2 {
            life(&store, &f, owner).await;
        }
        store.close().await;
        wait_for_the_sessions_end(&place);
        let read = rows_read(&place) - before;
        assert!(read > 0 && read < FEW, "{read} rows {statistics}");
    }
}

/// What happens to a token, and to the audit log.
async fn life_of_a_token(store: &Arc<dyn Store>) {
    let new = AddToken {
        name: "one".parse().unwrap(),
        digest: Digest::of(b"cf_one"),
        role: TokenRole::Invoke,
        functions: Vec::new(),
        rate_limit: None,
        created_by: "token file".to_owned(),
        expires_in: Some(LONG),
    };
    store.add_token(&new).await.unwrap().unwrap();
    store.note_uses(std::slice::from_ref(&new.name)).await.unwrap();
    store.rotate_token(&new.name, &Digest::of(b"cf_two"), LONG).await.unwrap().unwrap();
    assert!(store.token_of(&new.digest).await.unwrap().unwrap().is_old);
    assert_eq!(store.token_of(&Digest::of(b"cf_three")).await.unwrap(), None);
    assert_eq!(store.token(&new.name).await.unwrap().unwrap().name, new.name);
    assert_eq!(store.prune_tokens(10).await.unwrap(), 0);
    assert!(store.revoke_token(&new.name).await.unwrap());
    let entry = NewAuditEntry {
        caller: "token file".to_owned(),
        role: Some(TokenRole::Admin),
        from: None,
        action: action::TOKEN_REVOKE.to_owned(),
        target: Some("one".to_owned()),
        outcome: AuditOutcome::Done,
        detail: None,
        count: 1,
        age_ms: 0,
    };
    store.append_audit(&[entry]).await.unwrap();
    assert_eq!(store.prune_audit(LONG, 1_000_000, 10).await.unwrap(), 0);
    let (some, hour) = (|text: &str| Some(text.to_owned()), SignedDuration::from_hours(1));
    let filter = AuditFilter { limit: 10, ..AuditFilter::default() };
    for (filter, is_found) in [
        (filter.clone(), true),
        (AuditFilter { caller: some("token file"), ..filter.clone() }, true),
        (AuditFilter { caller: some("token nobodys"), ..filter.clone() }, false),
        (AuditFilter { target: some("one"), ..filter.clone() }, true),
        (AuditFilter { target: some("two"), caller: some("token file"), ..filter.clone() }, false),
        (AuditFilter { action: some(action::TOKEN_REVOKE), ..filter.clone() }, true),
        (AuditFilter { action: some(action::PRUNE), ..filter.clone() }, false),
        (AuditFilter { outcome: Some(AuditOutcome::Refused), ..filter.clone() }, false),
        (AuditFilter { since: Some(Timestamp::now() + hour), ..filter }, false),
    ] {
        assert_eq!(!store.audit_log(&filter).await.unwrap().is_empty(), is_found, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planned_for_no_tokens_fits_many() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let place = Database::create(&server);
    let mut store = open(place.config()).await;
    for _ in 0..10 {
        life_of_a_token(&store).await;
    }
    for statement in [
        "INSERT INTO tokens (name, digest, old_digest, old_until, role, functions, created_by, created_at, expires_at)
         SELECT 't-' || n, 'digest ' || n, 'old digest ' || n, 0, 'invoke', '[]', 'token file', now_ms(),
            now_ms() + 3600000",
        "INSERT INTO audit_log (at, caller, action, outcome, count, number)
         SELECT now_ms(), 'token file', 'deploy', 'done', 1, nextval('audit_log_done')",
    ] {
        psql(&place.url(), &format!("{statement} FROM generate_series(1, {MANY}) AS n"));
    }
    // The connections that have planned; some that plan now, before and after the server has looked at the tables.
    for statistics in [None, Some(""), Some("ANALYZE")] {
        if let Some(statistics) = statistics {
            psql(&place.url(), statistics);
            store = open(place.config()).await;
        }
        let before = rows_read(&place);
        life_of_a_token(&store).await;
        store.close().await;
        wait_for_the_sessions_end(&place);
        let read = rows_read(&place) - before;
        assert!(read > 0 && read < FEW, "{read} rows {statistics:?}");
    }
}

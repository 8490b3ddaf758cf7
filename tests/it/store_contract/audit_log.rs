use std::{sync::Arc, time::Duration};

use cloudfunc::{
    model::{
        AuditEntry, AuditOutcome, Digest, NewAuditEntry, State, TokenRole,
        audit::action::{DELETE, DEPLOY, REQUEST, SECRET_SET},
    },
    store::{AddToken, AuditFilter, Config, Retention, Store, prune_all},
};
use jiff::{SignedDuration, Timestamp};

use super::{accept, claim, deploy, execute, finish, now, open, owner};

const HOUR: Duration = Duration::from_secs(3600);
const MANY: u64 = 1_000_000;

fn all() -> AuditFilter {
    AuditFilter { limit: 1000, ..AuditFilter::default() }
}

/// Everything set that can be.
fn full() -> NewAuditEntry {
    NewAuditEntry {
        caller: "token ada".to_owned(),
        role: Some(TokenRole::Deploy),
        from: Some("2001:db8::1".parse().unwrap()),
        action: DEPLOY.to_owned(),
        target: Some("hello".to_owned()),
        outcome: AuditOutcome::Done,
        detail: Some("revision 1, \"ü\"\nand more".to_owned()),
        count: 1,
        age_ms: 0,
    }
}

/// Entries with these details.
async fn append(store: &Arc<dyn Store>, details: impl IntoIterator<Item = usize>) {
    let entry = |detail: usize| NewAuditEntry { detail: Some(detail.to_string()), ..full() };
    let entries: Vec<_> = details.into_iter().map(entry).collect();
    store.append_audit(&entries).await.unwrap();
}

async fn read(store: &Arc<dyn Store>, filter: AuditFilter) -> Vec<AuditEntry> {
    store.audit_log(&filter).await.unwrap()
}

/// The details of entries, which are numbers.
fn details(entries: &[AuditEntry]) -> Vec<usize> {
    entries.iter().map(|entry| entry.entry.detail.as_ref().unwrap().parse().unwrap()).collect()
}

async fn left(store: &Arc<dyn Store>) -> Vec<usize> {
    details(&read(store, all()).await)
}

pub async fn entries_are_read_as_they_were_added_newest_first(config: Config) {
    let store = open(config).await;
    assert_eq!(read(&store, all()).await, []);
    store.append_audit(&[]).await.unwrap();
    let before = now();
    let bare = NewAuditEntry {
        caller: "unknown".to_owned(),
        role: None,
        from: None,
        action: REQUEST.to_owned(),
        target: None,
        outcome: AuditOutcome::Refused,
        detail: None,
        count: u32::MAX,
        age_ms: 0,
    };
    let local = NewAuditEntry { from: Some("127.0.0.1".parse().unwrap()), ..full() };
    let with_nul =
        NewAuditEntry { caller: "oidc \0".to_owned(), target: Some("\0".to_owned()), ..full() };
    store.append_audit(&[full(), bare.clone()]).await.unwrap();
    store.append_audit(&[local.clone(), with_nul.clone()]).await.unwrap();
    let cleaned = NewAuditEntry {
        caller: "oidc \u{fffd}".to_owned(),
        target: Some("\u{fffd}".to_owned()),
        ..with_nul.clone()
    };
    let entries = read(&store, all()).await;
    let read_back: Vec<_> = entries.iter().map(|entry| entry.entry.clone()).collect();
    assert_eq!(read_back, [cleaned.clone(), local, bare, full()]);
    assert!(entries.is_sorted_by(|one, next| one.id > next.id), "{entries:?}");
    let since = before - SignedDuration::from_secs(1);
    assert!(entries.iter().all(|entry| entry.at >= since), "{entries:?}");
    // It is found as it was given.
    let by_caller = AuditFilter { caller: Some(with_nul.caller), ..all() };
    assert_eq!(read(&store, by_caller).await.remove(0).entry, cleaned);
}

pub async fn entries_are_chosen_by_each_condition(config: Config) {
    let store = open(config.clone()).await;
    let entry = |detail: &str| NewAuditEntry { detail: Some(detail.to_owned()), ..full() };
    let other = |text: &str| Some(text.to_owned());
    let refused = AuditOutcome::Refused;
    store
        .append_audit(&[
            entry("0"),
            NewAuditEntry { caller: "token ad".to_owned(), ..entry("1") },
            NewAuditEntry { action: DELETE.to_owned(), ..entry("2") },
            NewAuditEntry { target: other("hello_2"), ..entry("3") },
            NewAuditEntry { target: None, ..entry("4") },
            NewAuditEntry { outcome: refused, action: DELETE.to_owned(), ..entry("5") },
        ])
        .await
        .unwrap();
    let chosen = async |filter: AuditFilter| details(&read(&store, filter).await);
    assert_eq!(chosen(all()).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(chosen(AuditFilter { caller: other("token ad"), ..all() }).await, [1]);
    assert_eq!(chosen(AuditFilter { caller: other("token"), ..all() }).await, [0; 0]);
    assert_eq!(chosen(AuditFilter { action: other(DELETE), ..all() }).await, [5, 2]);
    assert_eq!(chosen(AuditFilter { action: other(SECRET_SET), ..all() }).await, [0; 0]);
    assert_eq!(chosen(AuditFilter { target: other("hello"), ..all() }).await, [5, 2, 1, 0]);
    assert_eq!(chosen(AuditFilter { target: other("hello_2"), ..all() }).await, [3]);
    assert_eq!(chosen(AuditFilter { outcome: Some(refused), ..all() }).await, [5]);
    let done = AuditFilter { outcome: Some(AuditOutcome::Done), action: other(DELETE), ..all() };
    assert_eq!(chosen(done.clone()).await, [2], "all conditions hold");

    execute(&config, "UPDATE audit_log SET at = at - 3600000 WHERE detail IN ('0', '2')");
    let entries = read(&store, all()).await;
    let (old, new) = (entries[3].at, entries[0].at);
    assert_eq!(chosen(AuditFilter { since: Some(new), ..all() }).await, [5, 4, 3, 1], "included");
    assert_eq!(chosen(AuditFilter { since: Some(old), ..all() }).await, [5, 4, 3, 2, 1, 0]);
    let later = Some(new + SignedDuration::from_millis(1));
    assert_eq!(chosen(AuditFilter { since: later, ..all() }).await, [0; 0]);
    assert_eq!(chosen(AuditFilter { since: Some(new), ..done }).await, [0; 0]);
}

pub async fn entries_are_paged_by_their_numbers(config: Config) {
    let store = open(config).await;
    append(&store, 0..10).await;
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = read(&store, AuditFilter { before, limit: 4, ..all() }).await;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        pages.push(details(&page));
        // What comes in between is on no later page.
        append(&store, [99]).await;
    }
    assert_eq!(pages, [vec![9, 8, 7, 6], vec![5, 4, 3, 2], vec![1, 0]]);
    assert_eq!(read(&store, AuditFilter { limit: 0, ..all() }).await, []);
}

pub async fn entries_added_at_once_are_all_there(config: Config) {
    let store = open(config).await;
    let appending: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { append(&store, number * 3..number * 3 + 3).await })
        })
        .collect();
    for task in appending {
        task.await.unwrap();
    }
    let entries = read(&store, all()).await;
    assert!(entries.is_sorted_by(|one, next| one.id > next.id), "{entries:?}");
    let mut details = details(&entries);
    // Those of one call keep their order.
    let of_one_call = |call: usize| details.iter().copied().filter(move |detail| detail / 3 == call);
    for call in 0..16 {
        assert!(of_one_call(call).is_sorted_by(|one, next| one > next), "{details:?}");
    }
    details.sort_unstable();
    assert_eq!(details, (0..48).collect::<Vec<_>>());
}

pub async fn old_entries_go_in_pieces(config: Config) {
    let store = open(config.clone()).await;
    append(&store, 0..6).await;
    let old = "detail IN ('0', '2', '3', '4')";
    execute(&config, &format!("UPDATE audit_log SET at = at - 3601000 WHERE {old}"));
    assert_eq!(store.prune_audit(2 * HOUR, MANY, 100).await.unwrap(), 0);
    assert_eq!(store.prune_audit(HOUR, MANY, 0).await.unwrap(), 0);
    assert_eq!(store.prune_audit(HOUR, MANY, 3).await.unwrap(), 3);
    assert_eq!(left(&store).await.len(), 3);
    assert_eq!(store.prune_audit(HOUR, MANY, 3).await.unwrap(), 1);
    assert_eq!(left(&store).await, [5, 1]);
    assert_eq!(store.prune_audit(HOUR, MANY, 3).await.unwrap(), 0);
}

pub async fn no_more_entries_are_kept_than_asked_for(config: Config) {
    let store = open(config.clone()).await;
    assert_eq!(store.prune_audit(HOUR, 0, 100).await.unwrap(), 0, "there is nothing");
    append(&store, 0..8).await;
    assert_eq!(store.prune_audit(HOUR, u64::MAX, 100).await.unwrap(), 0);
    assert_eq!(store.prune_audit(HOUR, 8, 100).await.unwrap(), 0);
    assert_eq!(store.prune_audit(HOUR, 5, 2).await.unwrap(), 2);
    assert_eq!(left(&store).await, [7, 6, 5, 4, 3, 2], "the oldest go first");
    assert_eq!(store.prune_audit(HOUR, 5, 2).await.unwrap(), 1);
    assert_eq!(store.prune_audit(HOUR, 5, 2).await.unwrap(), 0);
    // By both at once: one entry is old, and the three oldest are too many; they share one.
    execute(&config, "UPDATE audit_log SET at = at - 3601000 WHERE detail = '3'");
    assert_eq!(store.prune_audit(HOUR, 2, 2).await.unwrap(), 2);
    assert_eq!(store.prune_audit(HOUR, 2, 2).await.unwrap(), 1);
    assert_eq!(left(&store).await, [7, 6]);
    // Numbers are not given out again.
    let last = read(&store, all()).await[0].id;
    assert_eq!(store.prune_audit(HOUR, 0, 100).await.unwrap(), 2);
    append(&store, [8]).await;
    assert!(read(&store, all()).await[0].id > last);
}

pub async fn refusals_push_out_no_changes(config: Config) {
    let store = open(config).await;
    let of = |outcome, details: std::ops::Range<usize>| -> Vec<_> {
        let entry =
            |detail: usize| NewAuditEntry { outcome, detail: Some(detail.to_string()), ..full() };
        details.map(entry).collect()
    };
    store.append_audit(&of(AuditOutcome::Done, 0..2)).await.unwrap();
    store.append_audit(&of(AuditOutcome::Refused, 2..8)).await.unwrap();
    // Of each call some of both.
    let both = [of(AuditOutcome::Refused, 8..9), of(AuditOutcome::Done, 9..10)].concat();
    store.append_audit(&both).await.unwrap();
    assert_eq!(store.prune_audit(HOUR, 7, 100).await.unwrap(), 0);
    assert_eq!(store.prune_audit(HOUR, 3, 3).await.unwrap(), 3);
    assert_eq!(left(&store).await, [9, 8, 7, 6, 5, 1, 0]);
    assert_eq!(store.prune_audit(HOUR, 3, 3).await.unwrap(), 1);
    assert_eq!(left(&store).await, [9, 8, 7, 6, 1, 0]);
    // Of both at once no more than asked for, and changes do not push out refusals either.
    assert_eq!(store.prune_audit(HOUR, 1, 3).await.unwrap(), 3);
    assert_eq!(store.prune_audit(HOUR, 1, 3).await.unwrap(), 1);
    assert_eq!(left(&store).await, [9, 8]);
}

pub async fn an_entry_has_the_time_at_which_it_happened(config: Config) {
    let store = open(config).await;
    let aged = |age_ms| NewAuditEntry { age_ms, ..full() };
    let before = now();
    store.append_audit(&[aged(3_600_000), aged(0), aged(u64::MAX)]).await.unwrap();
    let entries = read(&store, all()).await;
    assert!(entries.iter().all(|entry| entry.entry == full()), "{entries:?}");
    let ago = entries.iter().map(|entry| before.duration_since(entry.at).as_secs()).collect::<Vec<_>>();
    let year = 365 * 24 * 3600;
    for (ago, expected) in ago.into_iter().zip([year, 0, 3600]) {
        assert!((expected - 60..=expected + 60).contains(&ago), "{ago} {expected}");
    }
}

pub async fn entries_from_before_a_clock_was_set_get_the_time_of_the_store(config: Config) {
    let store = open(config.clone()).await;
    append(&store, [0]).await;
    execute(&config, "UPDATE audit_log SET at = 60000");
    assert_eq!(read(&store, all()).await[0].at, Timestamp::from_second(60).unwrap());
    let before = now();
    assert_eq!(store.prune_audit(HOUR, MANY, 100).await.unwrap(), 0);
    let at = read(&store, all()).await[0].at;
    assert!(at >= before - SignedDuration::from_secs(1), "{at}");
}

pub async fn what_is_old_goes_together(config: Config) {
    let store = open(config.clone()).await;
    let (f, owner) = (deploy(&store, "f", "v1").await, owner(&store).await);
    let id = accept(&store, &f).await;
    claim(&store, id, owner).await.unwrap();
    assert_eq!(store.settle(&[finish(id, 1, State::Succeeded)]).await.unwrap(), [true]);
    execute(&config, "UPDATE invocations SET finished_at = finished_at - 7200000");
    // More than a piece.
    append(&store, 0..300).await;
    execute(&config, "UPDATE audit_log SET at = at - 7200000 WHERE detail <> '299'");
    let token = AddToken {
        name: "old".parse().unwrap(),
        digest: Digest::of(b"cf_old"),
        role: TokenRole::Invoke,
        functions: Vec::new(),
        rate_limit: None,
        created_by: "token file".to_owned(),
        expires_in: Some(HOUR),
    };
    store.add_token(&token).await.unwrap().unwrap();
    execute(&config, "UPDATE tokens SET expires_at = 0");
    let there = async || {
        let tokens = store.tokens(None, 10).await.unwrap().len();
        (store.record(id).await.unwrap().is_some(), tokens, left(&store).await.len())
    };
    let prune = async |records, audit_log, stops: bool| {
        prune_all(&*store, Retention { records, audit_log }, || stops).await.unwrap();
    };
    prune(HOUR, HOUR, true).await;
    assert_eq!(there().await, (true, 1, 300), "it was stopped");
    prune(3 * HOUR, 3 * HOUR, false).await;
    assert_eq!(there().await, (true, 0, 300));
    // Each has a retention of its own.
    prune(3 * HOUR, HOUR, false).await;
    assert_eq!((there().await, left(&store).await), ((true, 0, 1), vec![299]));
    prune(HOUR, 3 * HOUR, false).await;
    assert_eq!(there().await, (false, 0, 1));
}

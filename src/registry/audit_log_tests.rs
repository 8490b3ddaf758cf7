//! Tests of the way of entries to the store.

use std::sync::atomic::AtomicBool;

use tokio::sync::Notify;

use super::*;
use crate::{
    model::TokenRole,
    store::{Config, Store},
};

/// A store that may be away.
struct Switched {
    store: Arc<dyn Store>,
    is_away: AtomicBool,
    asked_in_vain: Notify,
}

#[async_trait]
impl AuditLog for Switched {
    async fn append_audit(&self, entries: &[NewAuditEntry]) -> Result<(), store::Error> {
        if self.is_away.load(Ordering::SeqCst) {
            self.asked_in_vain.notify_one();
            let (address, source) = ("nowhere".to_owned(), "it is away, for a test".into());
            return Err(store::Error::Unavailable { address, source });
        }
        self.store.append_audit(entries).await
    }

    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, store::Error> {
        self.store.audit_log(filter).await
    }

    async fn prune_audit(&self, age: Duration, keep: u64, limit: u32) -> Result<u64, store::Error> {
        self.store.prune_audit(age, keep, limit).await
    }
}

impl Switched {
    async fn targets(&self) -> Vec<String> {
        let filter = AuditFilter { limit: MAX_PAGE, ..AuditFilter::default() };
        let entries = self.audit_log(&filter).await.unwrap();
        entries.into_iter().rev().filter_map(|entry| entry.entry.target).collect()
    }
}

async fn switched(folder: &tempfile::TempDir, is_away: bool) -> Arc<Switched> {
    let path = folder.path().join("store.db");
    let store = store::connect(&Config::Sqlite { path }).await.unwrap();
    let is_away = AtomicBool::new(is_away);
    Arc::new(Switched { store, is_away, asked_in_vain: Notify::new() })
}

fn entry(target: &str) -> NewAuditEntry {
    NewAuditEntry {
        caller: "token ci".to_owned(),
        role: Some(TokenRole::Deploy),
        from: None,
        action: action::DEPLOY.to_owned(),
        target: Some(target.to_owned()),
        outcome: AuditOutcome::Done,
        detail: None,
        count: 1,
        age_ms: 0,
    }
}

#[tokio::test]
async fn an_entry_is_stored_before_its_change_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = switched(&folder, false).await;
    let (writer, task) = start(store.clone(), PATIENCE);
    writer.write(entry("a")).await;
    assert_eq!(store.targets().await, ["a"]);
    writer.finish(task, &CancellationToken::new()).await;
    store.store.close().await;
}

#[tokio::test]
async fn entries_wait_for_a_store_that_is_away_and_are_stored_at_the_latest_at_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let store = switched(&folder, true).await;
    let (writer, task) = start(store.clone(), PATIENCE);
    let back = async {
        store.asked_in_vain.notified().await;
        store.is_away.store(false, Ordering::SeqCst);
    };
    tokio::join!(writer.write(entry("a")), writer.write(entry("b")), back);
    writer.finish(task, &CancellationToken::new()).await;
    assert_eq!(store.targets().await, ["a", "b"]);
    assert_eq!(writer.open.load(Ordering::Acquire), 0);
    // From now on there is no room: it is said, and nobody waits.
    let begun = Instant::now();
    writer.write(entry("late")).await;
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(writer.dropped.load(Ordering::Relaxed), 1);
    store.store.close().await;
}

#[tokio::test]
async fn a_store_that_stays_away_holds_up_neither_a_change_for_long_nor_a_hard_stop() {
    let folder = tempfile::tempdir().unwrap();
    let store = switched(&folder, true).await;
    let (writer, task) = start(store.clone(), PATIENCE);
    let begun = Instant::now();
    writer.write(entry("a")).await;
    assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < 4 * PATIENCE, "{:?}", begun.elapsed());
    let hard = CancellationToken::new();
    hard.cancel();
    writer.finish(task, &hard).await;
    assert_eq!(writer.open.load(Ordering::Acquire), 1);
    store.store.close().await;
}

#[test]
fn texts_are_short_and_without_control_characters() {
    let long = plain_text("ä".repeat(MAX_TEXT + 1));
    assert_eq!(long, format!("{}…", "ä".repeat(MAX_TEXT)));
    assert_eq!(plain_text("ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT));
    let hostile = NewAuditEntry { caller: "oidc a\0\u{1b}[2J\n".to_owned(), ..entry("f") };
    assert_eq!(plain(hostile).caller, "oidc a??[2J?");
}

#[test]
fn an_unknown_action_is_refused_with_what_is_accepted() {
    assert_eq!(known_action("deploy").ok().unwrap(), "deploy");
    let Failure(problem) = known_action("deplo").unwrap_err();
    let detail = "'deplo' is not an action of the audit log; accepted are deploy, activate, delete, prune, \
                  report-warm, token-create, token-revoke, token-rotate, secret-set, secret-delete, \
                  secret-key-rotate, request";
    assert_eq!(problem.detail, detail);
    assert_eq!(problem.hint.as_deref(), Some("did you mean 'deploy'?"));
    assert_eq!(known_action("invoke").unwrap_err().0.hint, None);
    assert!(number_of_entry("7") == Ok(7) && number_of_entry("-1").is_err());
}

#[tokio::test]
async fn an_entry_that_has_waited_is_handed_on_with_its_age() {
    let at = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let waited = Unstored { entry: entry("f"), at, stored: oneshot::channel().0 };
    let age = waited.aged().age_ms;
    assert!((1000..60_000).contains(&age), "{age}");
}

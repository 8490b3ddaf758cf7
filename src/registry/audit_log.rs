//! The audit log: who changed what. An entry is written before its change is answered, unless the store takes longer than a
//! moment for it: then it waits in memory, and is written once the store answers again. Losing an entry is better than
//! refusing a change that has happened already.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Registry, audit_batches::Batches, page};
use crate::{
    http::{Answer, Failure, Query, read_body},
    model::{
        AuditEntry, AuditOutcome, Caller, NewAuditEntry, Problem, api::Page, audit::action, code, route,
    },
    store::{self, AuditFilter, AuditLog},
    suggest::suggest,
    units::show_bytes,
    write_behind::{self, Bounds, Destination, WriteBehind},
};

/// Entries in a page, unless asked for another number.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;

/// The time for which the answer to a change waits until its entry is stored.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// At a stop, for entries that are not stored yet.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// An entry beyond these is dropped and counted.
const BOUNDS: Bounds =
    Bounds { waiting: 10_000, batch: 500, batch_bytes: 1024 * 1024, delay: Duration::ZERO };
/// The size of an entry besides its texts.
const ENTRY_BYTES: usize = 256;
/// The most characters of a text in an entry.
const MAX_TEXT: usize = 1000;

/// Limit of a gateway's list of refusals, in bytes.
const MAX_REFUSALS: usize = 1024 * 1024;

/// The way of entries to the store.
pub struct Writer {
    entries: WriteBehind<Unstored>,
    /// Entries that are neither stored nor lost yet.
    open: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    patience: Duration,
}

/// An entry on its way.
struct Unstored {
    entry: NewAuditEntry,
    /// Told when it is stored; dropped when it is lost.
    stored: oneshot::Sender<()>,
}

/// Starts a writer: a change waits for its entry for `patience`. Its task ends once it is closed and everything is stored.
pub fn start(store: Arc<dyn AuditLog>, patience: Duration) -> (Writer, JoinHandle<()>) {
    let (open, dropped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
    let batches = Batches::new(store, dropped.clone());
    let (entries, task) = write_behind::start(BOUNDS, Entries { batches, open: open.clone() });
    (Writer { entries, open, dropped, patience }, task)
}

impl Writer {
    /// Entries that were lost.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns when the entry is stored or lost, or after the patience.
    async fn write(&self, entry: NewAuditEntry) {
        let entry = plain(entry);
        let Some(room) = self.entries.reserve(size(&entry)) else {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            let NewAuditEntry { caller, action, .. } = entry;
            tracing::warn!(caller, action, dropped, "an entry of the audit log is dropped");
            return;
        };
        let (stored, is_stored) = oneshot::channel();
        self.open.fetch_add(1, Ordering::AcqRel);
        room.send(Unstored { entry, stored });
        let _ = tokio::time::timeout(self.patience, is_stored).await;
    }

    /// Takes nothing more, and has `task` store what waits. A store that is away does not hold up the stop.
    pub async fn finish(&self, mut task: JoinHandle<()>, hard: &CancellationToken) {
        self.entries.close();
        let is_written = tokio::select! {
            biased;
            _ = &mut task => true,
            () = tokio::time::sleep(LAST_WRITES) => false,
            () = hard.cancelled() => false,
        };
        if is_written {
            return;
        }
        task.abort();
        let entries = self.open.load(Ordering::Acquire);
        if entries > 0 {
            tracing::warn!(entries, "the last entries of the audit log are not stored");
        }
    }
}

/// The store, as the writer's destination.
struct Entries {
    batches: Batches,
    open: Arc<AtomicUsize>,
}

#[async_trait]
impl Destination for Entries {
    type Item = Unstored;
    type Error = store::Error;

    const WHAT: &'static str = "entries of the audit log";
    /// However long the store is away: what has happened is to be found afterwards.
    const ATTEMPTS: u32 = u32::MAX;

    fn size(one: &Unstored) -> usize {
        size(&one.entry)
    }

    async fn store(&self, batch: &[Unstored]) -> Result<(), store::Error> {
        let entries: Vec<NewAuditEntry> = batch.iter().map(|one| one.entry.clone()).collect();
        self.batches.store(&entries).await
    }

    fn is_transient(error: &store::Error) -> bool {
        error.is_transient()
    }

    async fn settled(&mut self, batch: Vec<Unstored>, is_stored: bool, _is_last: bool) {
        self.open.fetch_sub(batch.len(), Ordering::AcqRel);
        for one in batch.into_iter().filter(|_| is_stored) {
            // Its change may be answered already.
            let _ = one.stored.send(());
        }
    }
}

fn size(entry: &NewAuditEntry) -> usize {
    let texts = [Some(&entry.caller), Some(&entry.action), entry.target.as_ref(), entry.detail.as_ref()];
    ENTRY_BYTES + texts.into_iter().flatten().map(String::len).sum::<usize>()
}

/// The entry with texts that every store and terminal can take: names may come from elsewhere.
fn plain(entry: NewAuditEntry) -> NewAuditEntry {
    NewAuditEntry {
        caller: plain_text(entry.caller),
        action: plain_text(entry.action),
        target: entry.target.map(plain_text),
        detail: entry.detail.map(plain_text),
        ..entry
    }
}

fn plain_text(text: String) -> String {
    if text.len() <= MAX_TEXT && !text.contains(char::is_control) {
        return text;
    }
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().take(MAX_TEXT).map(plain).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        short.push('…');
    }
    short
}

impl Registry {
    /// Enters a change that has been made: one of [`action`], the function, token or secret that it was about, and more in
    /// words, never a token or a secret.
    pub async fn audit(
        &self,
        caller: &Caller,
        action: &'static str,
        target: Option<String>,
        detail: Option<String>,
    ) {
        let entry = NewAuditEntry {
            caller: caller.name.clone(),
            role: Some(caller.role),
            from: caller.from,
            action: action.to_owned(),
            target,
            outcome: AuditOutcome::Done,
            detail,
            count: 1,
        };
        self.audit_log.write(entry).await;
    }
}

/// `GET /v1/audit-log`: a page, the newest entry first.
pub async fn list(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer<Json<Page<AuditEntry>>> {
    let query = Query::read(uri.query(), route::AUDIT_LOG.endpoint.query)?;
    let limit = query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    let filter = AuditFilter {
        since: query.since()?,
        caller: query.text("caller")?.map(str::to_owned),
        action: query.text("action")?.map(known_action).transpose()?,
        target: query.text("target")?.map(str::to_owned),
        outcome: query.one("outcome", str::parse::<AuditOutcome>)?,
        before: query.one("cursor", number_of_entry)?,
        limit: page::with_next(limit),
    };
    let entries = registry.store.audit_log(&filter).await?;
    Ok(Json(page::page(entries, limit, |entry| entry.id.to_string(), |entry| entry)))
}

fn known_action(text: &str) -> Answer<String> {
    if action::ALL.contains(&text) {
        return Ok(text.to_owned());
    }
    let detail =
        format!("'{text}' is not an action of the audit log; accepted are {}", action::ALL.join(", "));
    let problem = Problem::new(code::BAD_REQUEST, detail);
    let near = suggest(text, action::ALL.iter().copied());
    Err(Failure::from(match near.is_empty() {
        true => problem,
        false => problem.hint(format!("did you mean {}?", near.join(" or "))),
    }))
}

fn number_of_entry(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| format!("'{text}' is not a cursor: those come from an answer's `next`"))
}

/// `POST /internal/v1/refusals`: what a gateway has refused. Answered once it is stored: after any other answer the gateway
/// still has it.
pub async fn refusals(State(registry): State<Arc<Registry>>, request: Request) -> Answer<StatusCode> {
    let too_large = || {
        let limit = show_bytes(MAX_REFUSALS as u64);
        Problem::new(code::PAYLOAD_TOO_LARGE, format!("the list is larger than the limit of {limit}"))
    };
    let body = read_body(request.into_body(), MAX_REFUSALS, too_large).await?;
    let entries: Vec<NewAuditEntry> = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(code::BAD_REQUEST, format!("the body is not a list of refusals: {error}"))
    })?;
    let entries: Vec<NewAuditEntry> = entries.into_iter().map(plain).collect();
    if !entries.is_empty() {
        registry.store.append_audit(&entries).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicBool, time::Instant};

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
        assert_eq!(writer.dropped(), 1);
        store.store.close().await;
    }

    #[tokio::test]
    async fn a_store_that_stays_away_holds_up_neither_a_change_for_long_nor_a_hard_stop() {
        let folder = tempfile::tempdir().unwrap();
        let store = switched(&folder, true).await;
        let patience = Duration::from_millis(50);
        let (writer, task) = start(store.clone(), patience);
        let begun = Instant::now();
        writer.write(entry("a")).await;
        assert!(begun.elapsed() >= patience && begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
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
}

//! The audit log: who changed what. An entry is written before its change is answered, unless the store takes longer than a
//! moment for it: then it waits in memory, and is written once the store answers again. Losing an entry is better than
//! refusing a change that has happened already.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Registry, audit_batches::Batches, change::to_the_end, page};
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
    /// When it happened.
    at: Instant,
    /// Told when it is stored; dropped when it is lost.
    stored: oneshot::Sender<()>,
}

impl Unstored {
    /// The entry as it is handed on now.
    fn aged(&self) -> NewAuditEntry {
        let age_ms = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        NewAuditEntry { age_ms, ..self.entry.clone() }
    }
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
        room.send(Unstored { entry, at: Instant::now(), stored });
        let _ = tokio::time::timeout(self.patience, is_stored).await;
    }

    /// Takes nothing more, and has `task` store what waits. A store that is away does not hold up the stop.
    pub async fn finish(&self, mut task: JoinHandle<()>, hard: &CancellationToken) {
        self.entries.close();
        let is_written = tokio::select! {
            biased;
            // One that has panicked has stored nothing more.
            ended = &mut task => ended.is_ok(),
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
        let entries: Vec<NewAuditEntry> = batch.iter().map(Unstored::aged).collect();
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
            age_ms: 0,
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
        let changes = registry.changes.clone();
        to_the_end(changes, async move {
            registry.store.append_audit(&entries).await?;
            Ok(())
        })
        .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
#[path = "audit_log_tests.rs"]
mod tests;

//! Tells the registry of refused requests, for the audit log.
//!
//! Equal ones are counted together: those of the first two seconds are told soon, the others of the same minute at its end.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use tokio_util::sync::CancellationToken;

use super::row::row;
use crate::{
    http::{Peer, Refusal, SentBy},
    model::{
        AuditOutcome, NewAuditEntry, TokenRole,
        audit::action,
        route::{self, Endpoint},
    },
};

/// The name of a caller without a valid token.
const UNKNOWN: &str = "unknown";
/// The most kinds of refusals that are told apart at a time. Others are counted as one, with this detail.
const KINDS: usize = 1000;
const FURTHER: &str = "further refusals";
/// The most entries that wait for a registry that is away. The oldest go first.
const WAITING: usize = 10_000;
/// Entries per request to the registry.
const AT_ONCE: usize = 100;
/// The pause between two looks for something to tell.
const EVERY: Duration = Duration::from_secs(1);
/// The first refusals of a kind are told after this time.
const SOON: Duration = Duration::from_secs(2);
/// From the first one on, equal refusals are counted together for this time.
const TOGETHER: Duration = Duration::from_secs(60);
/// The longest time that the registry may take for them.
const ANSWER: Duration = Duration::from_secs(2);
/// The most characters of a reason.
const MAX_REASON: usize = 300;

/// Refusals are equal if all of this is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    caller: String,
    role: Option<TokenRole>,
    from: Option<IpAddr>,
    target: Option<String>,
    detail: String,
}

impl Kind {
    fn further() -> Self {
        let (caller, detail) = (UNKNOWN.to_owned(), FURTHER.to_owned());
        Self { caller, role: None, from: None, target: None, detail }
    }

    fn entry(&self, count: u32) -> NewAuditEntry {
        NewAuditEntry {
            caller: self.caller.clone(),
            role: self.role,
            from: self.from,
            action: action::REQUEST.to_owned(),
            target: self.target.clone(),
            outcome: AuditOutcome::Refused,
            detail: Some(self.detail.clone()),
            count,
        }
    }
}

/// The refusals of a kind.
struct Group {
    /// When the first one came.
    begun: Instant,
    /// The first ones were told.
    is_told: bool,
    /// The number that was not told yet.
    count: u32,
}

#[derive(Default)]
struct Collected {
    groups: HashMap<Kind, Group>,
    /// Entries for the registry, the oldest first.
    waiting: VecDeque<NewAuditEntry>,
    /// Entries that were dropped since that was logged.
    dropped: u64,
}

impl Collected {
    fn add(&mut self, kind: Kind, now: Instant) {
        let is_new = !self.groups.contains_key(&kind);
        let kind = if is_new && self.groups.len() >= KINDS { Kind::further() } else { kind };
        let new = || Group { begun: now, is_told: false, count: 0 };
        let group = self.groups.entry(kind).or_insert_with(new);
        group.count = group.count.saturating_add(1);
    }

    /// Makes entries of what is due; of everything, at a stop.
    fn collect(&mut self, now: Instant, all: bool) {
        let waiting = &mut self.waiting;
        self.groups.retain(|kind, group| {
            let age = now.duration_since(group.begun);
            let is_over = all || age >= TOGETHER;
            let is_due = is_over || (!group.is_told && age >= SOON);
            if is_due && group.count > 0 {
                waiting.push_back(kind.entry(mem::take(&mut group.count)));
                group.is_told = true;
            }
            !is_over
        });
        while self.waiting.len() > WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> Vec<NewAuditEntry> {
        let count = self.waiting.len().min(AT_ONCE);
        self.waiting.drain(..count).collect()
    }

    fn put_back(&mut self, entries: Vec<NewAuditEntry>) {
        for entry in entries.into_iter().rev() {
            self.waiting.push_front(entry);
        }
    }
}

/// The refusals of a gateway.
pub struct Refusals {
    registry: Peer,
    collected: Mutex<Collected>,
}

/// What became of entries.
enum Sent {
    Stored,
    /// The registry will take them later.
    Later,
    /// The registry does not take them, now or later.
    Never(StatusCode),
}

impl Refusals {
    /// Makes one that tells this registry.
    pub fn new(registry: Peer) -> Self {
        Self { registry, collected: Mutex::default() }
    }

    /// Adds a request that the guard does not let in. Its path is not kept: the token may stand in it.
    pub fn of_guard(&self, refusal: &Refusal<'_>) {
        let route = match row(refusal.method, refusal.path) {
            Some(row) => shown(row),
            None => "a request without a route".to_owned(),
        };
        let detail = detail(&route, Some(&refusal.problem.detail));
        let (caller, from) = (refusal.caller.unwrap_or(UNKNOWN).to_owned(), Some(refusal.from));
        self.add(Kind { caller, role: None, from, target: None, detail });
    }

    /// Adds a request of a known caller for this row, about this function, token or secret. `why`: the answer in words, where it
    /// is known.
    pub fn of_caller(
        &self,
        sent_by: &SentBy,
        endpoint: &Endpoint,
        target: Option<String>,
        why: Option<&str>,
    ) {
        let (caller, role) = (sent_by.caller.name.clone(), Some(sent_by.caller.role));
        let (from, detail) = (Some(sent_by.from), detail(&shown(endpoint), why));
        self.add(Kind { caller, role, from, target, detail });
    }

    fn add(&self, kind: Kind) {
        self.collected().add(kind, Instant::now());
    }

    /// Tells the registry again and again, and at `stop` for the last time.
    pub async fn run(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.tell(false).await;
        }
        self.tell(true).await;
    }

    /// Tells the registry of what is due, or of everything.
    async fn tell(&self, all: bool) {
        let dropped = {
            let mut collected = self.collected();
            collected.collect(Instant::now(), all);
            mem::take(&mut collected.dropped)
        };
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "the registry has been away for long: refusals are missing in the audit log"
            );
        }
        loop {
            let entries = self.collected().take();
            if entries.is_empty() {
                return;
            }
            match self.send(&entries).await {
                Sent::Stored => {}
                Sent::Later => return self.collected().put_back(entries),
                Sent::Never(status) => {
                    let (dropped, status) = (entries.len(), status.as_u16());
                    tracing::warn!(
                        dropped,
                        status,
                        "the registry does not take refusals for the audit log"
                    );
                }
            }
        }
    }

    async fn send(&self, entries: &[NewAuditEntry]) -> Sent {
        let body = serde_json::to_vec(entries).expect("entries are plain data");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = self.registry.send(Method::POST, route::REFUSALS, headers, Body::from(body));
        let Ok(Ok(answer)) = tokio::time::timeout(ANSWER, sent).await else { return Sent::Later };
        match answer.status() {
            status if status.is_success() => Sent::Stored,
            status if status.is_client_error() => Sent::Never(status),
            _ => Sent::Later,
        }
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().expect("no holder panics")
    }
}

/// A row in words: `GET /v1/functions/{function}`.
fn shown(row: &Endpoint) -> String {
    format!("{} {}", Method::from(row.method), row.path)
}

fn detail(route: &str, why: Option<&str>) -> String {
    match why {
        Some(why) => format!("{route}: {}", why.chars().take(MAX_REASON).collect::<String>()),
        None => route.to_owned(),
    }
}

#[cfg(test)]
#[path = "refusals_tests.rs"]
mod tests;

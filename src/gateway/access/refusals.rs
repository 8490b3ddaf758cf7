//! Tells the registry of refused requests, for the audit log.
//!
//! Equal ones are counted together: those of the first two seconds are told soon, the others of the same minute at its end.
//! Nothing that a sender without a valid token has chosen is told, and each sender has few entries: one that sends thousands of
//! requests hides those of nobody else.

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

use super::row::{row, shown};
use crate::{
    http::{Peer, Refusal, SentBy},
    model::{
        AuditOutcome, FunctionName, NewAuditEntry, TokenRole,
        audit::action,
        route::{self, Endpoint},
    },
};

/// The name of a caller without a valid token.
const UNKNOWN: &str = "unknown";
/// The name of callers beyond the bounds.
const OTHERS: &str = "further callers";
/// The most kinds of refusals in a minute that are told apart: of senders without a valid token together, and of each address.
const UNKNOWN_KINDS: usize = 100;
const KINDS_OF_ADDRESS: usize = 20;
/// The same of known callers together, and of each.
const KNOWN_KINDS: usize = 1000;
const KINDS_OF_CALLER: usize = 50;
const TO_FUNCTION: &str = "an HTTP request to a function";
const WITHOUT_ROUTE: &str = "a request without a route";
/// The others of a sender are counted as one, with this detail.
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
/// The longest time that the registry may take for them: longer than its store's, so that none are stored and sent once more. A
/// stop does not wait for so long.
const ANSWER: Duration = Duration::from_secs(15);
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
    fn is_of_known(&self) -> bool {
        self.role.is_some()
    }

    /// A sender without a valid token is its address.
    fn has_sender_of(&self, other: &Self) -> bool {
        self.caller == other.caller && (self.is_of_known() || self.from == other.from)
    }

    /// Further ones of the same sender.
    fn further(&self) -> Self {
        let from = self.from.filter(|_| !self.is_of_known());
        Self { from, target: None, detail: FURTHER.to_owned(), ..self.clone() }
    }

    /// Those of further senders.
    fn of_others(&self) -> Self {
        let caller = if self.is_of_known() { OTHERS } else { UNKNOWN }.to_owned();
        Self { caller, from: None, ..self.further() }
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
            age_ms: 0,
        }
    }
}

/// The refusals of a kind.
struct Group {
    /// When the first one came.
    begun: Instant,
    /// When the first one came that was not told yet.
    since: Instant,
    /// The first ones were told.
    is_told: bool,
    /// The number that was not told yet.
    count: u32,
}

/// Kinds of refusals, within bounds.
struct Groups {
    of: HashMap<Kind, Group>,
    /// The most kinds of all senders together, and of each.
    bounds: (usize, usize),
}

impl Groups {
    fn new(together: usize, of_each: usize) -> Self {
        Self { of: HashMap::new(), bounds: (together, of_each) }
    }

    fn add(&mut self, kind: Kind, now: Instant) {
        let kind = self.within_bounds(kind);
        let new = || Group { begun: now, since: now, is_told: false, count: 0 };
        let group = self.of.entry(kind).or_insert_with(new);
        if group.count == 0 {
            group.since = now;
        }
        group.count = group.count.saturating_add(1);
    }

    /// Returns the kind as which it is counted: at most twice as many as there may be, and one for all others.
    fn within_bounds(&self, kind: Kind) -> Kind {
        let (together, of_each) = self.bounds;
        if self.of.contains_key(&kind) {
            return kind;
        }
        let of_sender = self.of.keys().filter(|other| other.has_sender_of(&kind)).count();
        if self.of.len() < together && of_sender < of_each {
            return kind;
        }
        let further = kind.further();
        match self.of.len() < 2 * together || self.of.contains_key(&further) {
            true => further,
            false => kind.of_others(),
        }
    }

    /// Takes the entries that are due; all, at a stop.
    fn take_due(&mut self, now: Instant, all: bool) -> Vec<Waiting> {
        let mut due = Vec::new();
        self.of.retain(|kind, group| {
            let age = now.duration_since(group.begun);
            let is_over = all || age >= TOGETHER;
            let is_due = is_over || (!group.is_told && age >= SOON);
            if is_due && group.count > 0 {
                let entry = kind.entry(mem::take(&mut group.count));
                due.push(Waiting { at: group.since, entry });
                group.is_told = true;
            }
            !is_over
        });
        due
    }
}

/// An entry for the registry.
struct Waiting {
    /// When the first of its refusals came.
    at: Instant,
    entry: NewAuditEntry,
}

impl Waiting {
    /// Returns it with its age.
    fn entry_at(&self, now: Instant) -> NewAuditEntry {
        let age = now.saturating_duration_since(self.at).as_millis();
        NewAuditEntry { age_ms: u64::try_from(age).unwrap_or(u64::MAX), ..self.entry.clone() }
    }
}

struct Collected {
    unknown: Groups,
    known: Groups,
    /// Entries for the registry, the oldest first.
    waiting: VecDeque<Waiting>,
    /// The number of entries that are being sent.
    sending: usize,
    /// Entries that were dropped since that was logged.
    dropped: u64,
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            unknown: Groups::new(UNKNOWN_KINDS, KINDS_OF_ADDRESS),
            known: Groups::new(KNOWN_KINDS, KINDS_OF_CALLER),
            waiting: VecDeque::new(),
            sending: 0,
            dropped: 0,
        }
    }
}

impl Collected {
    fn add(&mut self, kind: Kind, now: Instant) {
        let groups = if kind.is_of_known() { &mut self.known } else { &mut self.unknown };
        groups.add(kind, now);
    }

    /// Makes entries of what is due; of everything, at a stop.
    fn collect(&mut self, now: Instant, all: bool) {
        let groups = [&mut self.unknown, &mut self.known];
        let mut due: Vec<_> = groups.into_iter().flat_map(|of| of.take_due(now, all)).collect();
        due.sort_by_key(|waiting| waiting.at);
        let ends_before = |at| self.waiting.back().is_none_or(|last| last.at <= at);
        let is_in_order = due.first().is_none_or(|first| ends_before(first.at));
        self.waiting.extend(due);
        if !is_in_order {
            self.waiting.make_contiguous().sort_by_key(|waiting| waiting.at);
        }
        while self.waiting.len() > WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> Vec<Waiting> {
        self.sending = self.waiting.len().min(AT_ONCE);
        self.waiting.drain(..self.sending).collect()
    }

    fn sent(&mut self) {
        self.sending = 0;
    }

    fn put_back(&mut self, entries: Vec<Waiting>) {
        self.sending = 0;
        for entry in entries.into_iter().rev() {
            self.waiting.push_front(entry);
        }
    }

    /// Returns the number of entries that the registry has not stored, as far as is known.
    fn left(&self) -> usize {
        let kinds = [&self.unknown, &self.known].into_iter().flat_map(|groups| groups.of.values());
        let untold = kinds.filter(|group| group.count > 0).count();
        self.waiting.len() + self.sending + untold
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
        let of_path = |path| row(refusal.method, path).map_or_else(|| WITHOUT_ROUTE.to_owned(), shown);
        let route = refusal.path.map_or_else(|| TO_FUNCTION.to_owned(), of_path);
        let detail = detail(&route, Some(refusal.reason));
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
        self.of_known(sent_by, target, detail(&shown(endpoint), why));
    }

    /// Adds a request by HTTP of a known caller to a function, with the answer in words.
    pub fn of_function(&self, sent_by: &SentBy, function: &FunctionName, why: &str) {
        self.of_known(sent_by, Some(function.to_string()), detail(TO_FUNCTION, Some(why)));
    }

    fn of_known(&self, sent_by: &SentBy, target: Option<String>, detail: String) {
        let (caller, role) = (sent_by.caller.name.clone(), Some(sent_by.caller.role));
        self.add(Kind { caller, role, from: Some(sent_by.from), target, detail });
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
                Sent::Stored => self.collected().sent(),
                Sent::Later => return self.collected().put_back(entries),
                Sent::Never(status) => {
                    self.collected().sent();
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

    /// Warns of refusals that the registry has not stored when the gateway ends.
    pub fn warn_of_lost(&self) {
        let lost = self.collected().left();
        if lost > 0 {
            tracing::warn!(
                lost,
                "the gateway ends before the registry has stored these refusals for the audit log"
            );
        }
    }

    async fn send(&self, entries: &[Waiting]) -> Sent {
        let now = Instant::now();
        let entries: Vec<NewAuditEntry> = entries.iter().map(|waiting| waiting.entry_at(now)).collect();
        let body = serde_json::to_vec(&entries).expect("entries are plain data");
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

fn detail(route: &str, why: Option<&str>) -> String {
    match why {
        Some(why) => format!("{route}: {}", why.chars().take(MAX_REASON).collect::<String>()),
        None => route.to_owned(),
    }
}

#[cfg(test)]
#[path = "refusals_tests.rs"]
mod tests;

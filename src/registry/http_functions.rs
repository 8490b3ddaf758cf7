//! The functions with addresses, which the gateway of this host follows: a generation that grows with each change of them. This
//! registry enters its own changes at once, those of other hosts when it hears of them, and reads all of them anew each minute
//! and whenever it may have missed one.
//!
//! A gateway that asks with a generation has it in use. A change is answered once the gateway of this host has asked with the
//! generation of that change, so that a client whose deploy was answered reaches the function at its new addresses.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Json, extract::State, http::Uri};
use tokio::{
    sync::{Notify, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Registry,
    token_changes::{Known, LONGEST_WAIT, known},
};
use crate::{
    backoff::Backoff,
    error_chain::chain,
    http::Answer,
    model::{
        FunctionId, Problem,
        api::{HttpFunction, HttpFunctions},
        code,
    },
    store::{self, ActiveFunction},
};

/// The longest time that a change waits for a read of its function, and then for the gateway of this host.
const PATIENCE: Duration = Duration::from_secs(1);
/// A gateway that has not asked for so long is not waited for: one that follows asks again after [`LONGEST_WAIT`].
const ASKED_LATELY: Duration = Duration::from_secs(30);
/// The number of generations for which a function that has no addresses any more is known as changed.
const REMEMBERED: u64 = 1_000;
/// Changed functions that are read one by one; of more, all functions with addresses are read together.
const MOST_DUE: usize = 100;
/// Pauses between attempts to read.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The functions with addresses, as this process knows them, and how far the gateway has followed them.
pub struct Addressed {
    process: Uuid,
    functions: watch::Sender<Functions>,
    gateway: watch::Sender<Gateway>,
    /// Held from a read of the store until it is entered: an older read does not replace a newer one.
    reading: tokio::sync::Mutex<()>,
    due: Mutex<Due>,
    is_due: Notify,
}

#[derive(Default)]
struct Functions {
    /// 0 until they are read for the first time.
    generation: u64,
    by_id: HashMap<FunctionId, HttpFunction>,
    /// The generations that changes of functions with addresses have made: the last one of each.
    changed: HashMap<FunctionId, u64>,
}

/// The questions of the gateway.
#[derive(Default)]
struct Gateway {
    /// The time of its last question.
    asked: Option<Instant>,
    /// The generation that it has asked with last; 0 where it knows none of this process.
    generation: u64,
}

/// Functions that have to be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    all: bool,
    some: HashSet<FunctionId>,
}

impl Due {
    fn add(&mut self, other: Self) {
        self.some.extend(other.some);
        self.all |= other.all || self.some.len() > MOST_DUE;
        if self.all {
            self.some.clear();
        }
    }
}

impl Default for Addressed {
    fn default() -> Self {
        Self {
            process: Uuid::now_v7(),
            functions: watch::Sender::default(),
            gateway: watch::Sender::default(),
            reading: tokio::sync::Mutex::default(),
            due: Mutex::default(),
            is_due: Notify::new(),
        }
    }
}

impl Addressed {
    /// Has this function read soon.
    pub fn may_have_changed(&self, function: FunctionId) {
        self.add_due(Due { all: false, some: [function].into() });
        self.is_due.notify_one();
    }

    /// Has all functions read soon.
    pub fn may_have_missed(&self) {
        self.add_due(Due { all: true, some: HashSet::new() });
        self.is_due.notify_one();
    }

    /// Returns all functions with addresses, in no order; none before they were read.
    pub fn known_functions(&self) -> Vec<HttpFunction> {
        self.functions.borrow().by_id.values().cloned().collect()
    }

    fn add_due(&self, due: Due) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).add(due);
    }

    fn take_due(&self) -> Due {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Enters all functions as they were read.
    fn set_all(&self, all: HashMap<FunctionId, HttpFunction>) {
        self.functions.send_if_modified(|functions| {
            let is_another = functions.generation == 0 || functions.by_id != all;
            if is_another {
                functions.generation += 1;
                let generation = functions.generation;
                let before = std::mem::replace(&mut functions.by_id, all);
                let by_id = &functions.by_id;
                let all = before.keys().chain(by_id.keys());
                let changed = all.filter(|id| before.get(*id) != by_id.get(*id));
                functions.changed.extend(changed.map(|id| (*id, generation)));
            }
            let (by_id, now) = (&functions.by_id, functions.generation);
            functions.changed.retain(|id, at| by_id.contains_key(id) || *at + REMEMBERED > now);
            is_another
        });
    }

    /// Enters a function as it was read; none where it is gone or has no addresses. Before all of them were read, that waits for
    /// them. Returns the generation that its last change has made, which an earlier read may have entered; none for one that has
    /// had no addresses.
    fn set(&self, id: FunctionId, function: Option<HttpFunction>) -> Option<u64> {
        self.functions.send_if_modified(|functions| {
            if functions.generation == 0 || functions.by_id.get(&id) == function.as_ref() {
                return false;
            }
            functions.generation += 1;
            functions.changed.insert(id, functions.generation);
            match function {
                Some(function) => functions.by_id.insert(id, function),
                None => functions.by_id.remove(&id),
            };
            true
        });
        self.functions.borrow().changed.get(&id).copied()
    }

    /// Waits until the gateway of this host uses this generation: for at most [`PATIENCE`], and not at all for one that does not
    /// follow them.
    pub async fn used_by_gateway(&self, generation: u64) {
        let mut gateway = self.gateway.subscribe();
        let asked = gateway.borrow().asked;
        if asked.is_none_or(|asked| asked.elapsed() >= ASKED_LATELY) {
            return;
        }
        let uses = async { drop(gateway.wait_for(|gateway| gateway.generation >= generation).await) };
        if tokio::time::timeout(PATIENCE, uses).await.is_err() {
            tracing::debug!(
                generation,
                "the gateway of this host does not use the changed functions yet"
            );
        }
    }

    /// Notes that the gateway uses the generation `known`, waits for another one, for at most [`LONGEST_WAIT`] and not beyond
    /// `stop`, and returns it.
    async fn after(&self, known: Option<Known>, stop: &CancellationToken) -> Answer<HttpFunctions> {
        let known = known.filter(|known| known.process == self.process);
        let known = known.map_or(0, |known| known.generation);
        self.gateway.send_modify(|gateway| {
            gateway.asked = Some(Instant::now());
            gateway.generation = known;
        });
        let mut functions = self.functions.subscribe();
        let changed = async {
            drop(functions.wait_for(|functions| functions.generation != known).await);
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(LONGEST_WAIT) => {}
            () = stop.cancelled() => {}
        }
        self.now(known).ok_or_else(|| {
            let detail = "the functions with addresses could not be read yet";
            Problem::new(code::UNAVAILABLE, detail).retry_after(1).into()
        })
    }

    /// None while the functions could not be read.
    fn now(&self, known: u64) -> Option<HttpFunctions> {
        let now = self.functions.borrow();
        let (process, generation) = (self.process, now.generation);
        let functions = (generation != known).then(|| {
            let mut functions: Vec<HttpFunction> = now.by_id.values().cloned().collect();
            functions.sort_unstable_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
            functions
        });
        (generation > 0).then_some(HttpFunctions { process, generation, functions })
    }
}

impl Registry {
    /// Reads a function that has changed, and enters it. Returns the generation that the change has made; none for one that has
    /// had no addresses, and where the store does not answer within [`PATIENCE`], so that it is read later.
    pub async fn enter_http_function(&self, function: FunctionId) -> Option<u64> {
        match tokio::time::timeout(PATIENCE, self.read_http_function(function)).await {
            Ok(Ok(generation)) => return generation,
            Ok(Err(error)) => {
                tracing::debug!(error = %chain(&error), "the addresses of a changed function are read later");
            }
            Err(_) => tracing::debug!("the addresses of a changed function are read later"),
        }
        self.addressed.may_have_changed(function);
        None
    }

    /// Reads the functions that have changed, and each minute all; does not return.
    pub async fn follow_http_functions(&self) {
        let mut looks = tokio::time::interval(self.limits.reread);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            tokio::select! {
                _ = looks.tick() => self.addressed.may_have_missed(),
                () = self.addressed.is_due.notified() => {}
            }
            while let Err(error) = self.read_due().await {
                if backoff.is_fresh() {
                    tracing::warn!(error = %chain(&error), "addresses of functions cannot be read; trying again");
                }
                backoff.pause().await;
            }
            backoff.reset();
        }
    }

    async fn read_due(&self) -> Result<(), store::Error> {
        let due = self.addressed.take_due();
        let read = self.read_these(&due).await;
        if read.is_err() {
            self.addressed.add_due(due);
        }
        read
    }

    async fn read_these(&self, due: &Due) -> Result<(), store::Error> {
        if due.all {
            let _reading = self.addressed.reading.lock().await;
            let all = self.store.http_functions().await?;
            let with_id = |active: ActiveFunction| Some((active.function.id, http_function(active)?));
            self.addressed.set_all(all.into_iter().filter_map(with_id).collect());
            return Ok(());
        }
        for function in &due.some {
            match self.read_http_function(*function).await {
                // Otherwise no other one would be read. The next reading of all leaves it out if it cannot be read.
                Err(error) if !error.is_transient() => {
                    tracing::error!(%function, error = %chain(&error), "the addresses of a changed function cannot be read");
                }
                read => {
                    read?;
                }
            }
        }
        Ok(())
    }

    async fn read_http_function(&self, function: FunctionId) -> Result<Option<u64>, store::Error> {
        let _reading = self.addressed.reading.lock().await;
        let active = self.store.active_function(function).await?;
        Ok(self.addressed.set(function, active.and_then(http_function)))
    }
}

fn http_function(ActiveFunction { function, revision }: ActiveFunction) -> Option<HttpFunction> {
    let (name, created_at) = (function.name, function.created_at);
    Some(HttpFunction { name, created_at, http: revision.spec.http? })
}

/// `GET /internal/v1/http-functions`: the functions, with `process` and `generation` as soon as they are another generation.
pub async fn list(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer<Json<HttpFunctions>> {
    let known = known(&uri)?;
    registry.addressed.after(known, &registry.stop).await.map(Json)
}

#[cfg(test)]
#[path = "http_functions_tests.rs"]
mod tests;

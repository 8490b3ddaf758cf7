//! The functions by name, as the hot path needs them: a cache that is told which function has changed, and reads
//! everything again when it may have missed something: after a (re)connect, after an event of a newer version, and
//! every minute.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Scheduler, cached_function::CachedFunction};
use crate::{
    error_chain::chain,
    http::{Failure, function_not_found},
    model::{
        Caller, Function, FunctionId, FunctionName, Problem, Revision, code,
        message::{Change, Event},
    },
    queue::Consumer,
    store::{self, Functions},
};

/// Functions read at once.
const PAGE: u32 = 500;

/// The limit of the wait of a caller of an unknown name, for its look-up and for those of others before it.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The most messages of a function that one manager is thought to have in hand. Otherwise those that a broker has lost of a
/// function with many places would be found only by a backlog of many thousands. A manager that has more may be a false
/// alarm, which costs no more than second messages, and these are refused by their claims.
const MAX_IN_HAND: u64 = 1_000;

/// All functions of the platform, by name.
pub struct FunctionCache {
    store: Arc<dyn Functions>,
    by_name: RwLock<HashMap<FunctionName, Arc<CachedFunction>>>,
    /// The number of live managers at the last count.
    managers: AtomicU32,
    /// One reading at a time: an older one that is slow must not overwrite a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl FunctionCache {
    pub fn new(store: Arc<dyn Functions>) -> Self {
        let (by_name, reading) = (RwLock::default(), tokio::sync::Mutex::default());
        Self { store, by_name, managers: AtomicU32::new(1), reading }
    }

    /// Finds it for a caller whom the problem tells of no function that its token is not for.
    pub async fn find_for(
        &self,
        name: &FunctionName,
        caller: &Caller,
    ) -> Result<Arc<CachedFunction>, Failure> {
        self.find(name).await.map_err(|problem| problem.told(caller))
    }

    /// A name that the cache does not know is looked up in the store before anybody is told that it
    /// does not exist: it may have been deployed this moment. Calls carry no caller: the gateway takes near names out of
    /// its answer.
    pub async fn find(&self, name: &FunctionName) -> Result<Arc<CachedFunction>, Failure> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        // A store that is away takes its time with each of those who ask.
        tokio::time::timeout(LOOK_UP, self.ask(name)).await.unwrap_or_else(|_| {
            let detail = "the store does not answer; whether the function exists is not known";
            Err(Problem::new(code::UNAVAILABLE, detail).retry_after(1).into())
        })
    }

    /// Finds the function of a request that was let in by an `[http]` with this number of its [rules](CachedFunction::rules); none
    /// for all other calls. A revision with another `[http]` is not given to it: the gateway has checked what that one says. One
    /// of the two hears of a change first, so the function is read anew before the request is refused.
    pub async fn find_under(
        &self,
        name: &FunctionName,
        rules: Option<u64>,
    ) -> Result<Arc<CachedFunction>, Failure> {
        let known = self.find(name).await?;
        if rules.is_none() || known.rules == rules {
            return Ok(known);
        }
        if let Ok(read) = tokio::time::timeout(LOOK_UP, self.read_for_all(&known)).await {
            read?;
        }
        let known = self.find(name).await?;
        if known.rules == rules {
            return Ok(known);
        }
        let detail = format!("the addresses of function '{name}' have just changed");
        Err(Problem::new(code::UNAVAILABLE, detail).retry_after(1).into())
    }

    /// Reads a function anew. Of those who want that at the same time, one reads for all.
    async fn read_for_all(&self, known: &CachedFunction) -> Result<(), store::Error> {
        let seen = known.readings();
        let _reading = self.reading.lock().await;
        // Otherwise another one has begun to read it since.
        if known.readings() == seen {
            known.begin_reading();
            self.read_one(known.id).await?;
        }
        Ok(())
    }

    async fn ask(&self, name: &FunctionName) -> Result<Arc<CachedFunction>, Failure> {
        let _reading = self.reading.lock().await;
        // Who was before us may have asked for the same one.
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        match self.store.function(name).await? {
            Some(function) => Ok(self.look_up(function).await?),
            None => Err(self.not_found(name).into()),
        }
    }

    fn known(&self, name: &FunctionName) -> Option<Arc<CachedFunction>> {
        self.by_name.read().expect("no holder panics").get(name).cloned()
    }

    pub fn not_found(&self, name: &FunctionName) -> Problem {
        let map = self.by_name.read().expect("no holder panics");
        function_not_found(name, map.keys().map(FunctionName::as_str))
    }

    /// Returns the number of messages for async invocations of a function that managers are given in hand: each has two
    /// consumers of as many messages as it may run, of which up to [`MAX_IN_HAND`] count. None for an unknown function.
    pub fn in_hand(&self, id: FunctionId) -> Option<u64> {
        let managers = u64::from(self.managers.load(Ordering::Relaxed).max(1));
        let known = self.by_name.read().expect("no holder panics");
        let function = known.values().find(|function| function.id == id)?;
        Some(managers * (2 * u64::from(function.places)).min(MAX_IN_HAND))
    }

    /// As many managers may be given work.
    pub fn set_managers(&self, count: u32) {
        if self.managers.swap(count, Ordering::Relaxed) == count {
            return;
        }
        for known in self.by_name.read().expect("no holder panics").values() {
            known.slots().resize(known.places, count);
        }
    }

    /// Reads everything anew, page by page.
    pub async fn refresh(&self) -> Result<(), store::Error> {
        let _reading = self.reading.lock().await;
        let mut there = HashSet::new();
        let mut after: Option<FunctionName> = None;
        loop {
            let page = self.store.active_functions(after.as_ref(), PAGE).await?;
            for active in &page {
                there.insert(active.function.id);
                self.learn(&active.revision);
            }
            if page.len() < PAGE as usize {
                break;
            }
            after = page.into_iter().next_back().map(|active| active.function.name);
        }
        self.by_name.write().expect("no holder panics").retain(|_, known| there.contains(&known.id));
        Ok(())
    }

    /// Reads what has changed, and nothing else: of secrets and tokens nothing is kept here.
    pub async fn follow(&self, change: &Change) -> Result<(), store::Error> {
        match change {
            Change::FunctionChanged { function } | Change::FunctionDeleted { function } => {
                self.refresh_one(*function).await
            }
            Change::SecretChanged { .. } | Change::TokenChanged { .. } => Ok(()),
        }
    }

    /// Reads this function anew; one that is gone is forgotten.
    pub async fn refresh_one(&self, function: FunctionId) -> Result<(), store::Error> {
        let _reading = self.reading.lock().await;
        self.read_one(function).await
    }

    /// Called with the lock on readings.
    async fn read_one(&self, function: FunctionId) -> Result<(), store::Error> {
        match self.store.active_function(function).await? {
            Some(active) => drop(self.learn(&active.revision)),
            None => {
                let mut by_name = self.by_name.write().expect("no holder panics");
                by_name.retain(|_, known| known.id != function);
            }
        }
        Ok(())
    }

    /// Looks a function up by its name.
    async fn look_up(&self, function: Function) -> Result<Arc<CachedFunction>, store::Error> {
        let revision =
            self.store.revision(function.id, function.active_revision).await?.ok_or_else(|| {
                store::Error::Missing(format!("the active revision of '{}'", function.name))
            })?;
        Ok(self.learn(&revision))
    }

    /// Keeps a function whose active revision this is.
    fn learn(&self, revision: &Revision) -> Arc<CachedFunction> {
        let mut by_name = self.by_name.write().expect("no holder panics");
        let same_function = by_name.get(&revision.name).filter(|known| known.id == revision.function);
        if let Some(known) = same_function
            && known.revision == revision.number
        {
            return known.clone();
        }
        let before = same_function.map(|known| &**known);
        let known = Arc::new(CachedFunction::of(revision, before));
        by_name.insert(revision.name.clone(), known.clone());
        // Under the lock: a count of managers that comes in between would size it for the old revision.
        known.slots().resize(known.places, self.managers.load(Ordering::Relaxed));
        known
    }
}

/// Keeps the cache true until `stop`: subscribes, reads everything, then follows the changes; when the
/// subscription ends, the same from the start.
pub async fn follow(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    const RETRY: Duration = Duration::from_secs(1);
    let following = async {
        loop {
            match scheduler.queue.subscribe().await {
                Ok(events) => {
                    if let Err(error) = refresh_on(&scheduler, events).await {
                        tracing::warn!(error = %chain(&error), "functions not read; trying again");
                    }
                }
                Err(error) => tracing::debug!(error = %chain(&error), "no events yet"),
            }
            // The broker or the store is away, or has just come back.
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

/// A change that could not be read is not forgotten: everything is read again from the start.
async fn refresh_on(scheduler: &Scheduler, mut events: Consumer) -> Result<(), store::Error> {
    let functions = &scheduler.functions;
    functions.refresh().await?;
    let every = scheduler.limits.reread;
    let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = ticks.tick() => {
                // Nothing is known to have changed: the next one will do.
                if let Err(error) = functions.refresh().await {
                    tracing::debug!(error = %chain(&error), "functions not read");
                }
                continue;
            }
        };
        let Some(event) = event else { return Ok(()) };
        let opened = event.parcel.open::<Event>();
        drop(event.ack().await);
        match opened {
            Ok((event, _)) => functions.follow(&event.change).await?,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "an event that this version cannot read");
                functions.refresh().await?;
            }
        }
    }
}

#[cfg(test)]
#[path = "function_cache_tests.rs"]
mod tests;

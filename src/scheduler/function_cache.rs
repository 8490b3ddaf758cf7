//! The functions by name, as the hot path needs them: a cache that is told about changes and reads
//! everything again when it may have missed some.

use std::{
    collections::HashMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Scheduler, sync::slots::SyncSlots};
use crate::{
    error_chain::chain,
    http::{Failure, function_not_found},
    model::{Function, FunctionId, FunctionName, Problem, RevisionNumber},
    queue::Consumer,
    store::{self, Store},
};

/// What the hot path has to know of a function.
#[derive(Debug)]
pub struct CachedFunction {
    pub id: FunctionId,
    pub name: FunctionName,
    pub revision: RevisionNumber,
    pub timeout: Duration,
    /// Limit of loading its code.
    pub load_limit: Duration,
    pub max_instances: u32,
    load: Arc<Load>,
}

/// What outlives a change of revision.
#[derive(Debug, Default)]
struct Load {
    in_flight: AtomicU32,
    declared: AtomicBool,
    slots: SyncSlots,
}

/// One sync invocation under way; counted until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Load>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CachedFunction {
    /// Counts one more; None when there are `max` already.
    pub fn enter(&self, max: u32) -> Option<InFlight> {
        let before = self.load.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = InFlight(self.load.clone());
        (before < max).then_some(entered)
    }

    /// Where it waits until the managers can take it.
    pub fn slots(&self) -> &SyncSlots {
        &self.load.slots
    }

    /// Whether the function's queues were declared by this process.
    pub fn is_declared(&self) -> bool {
        self.load.declared.load(Ordering::Relaxed)
    }

    pub fn set_declared(&self) {
        self.load.declared.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl CachedFunction {
    pub fn example() -> Arc<Self> {
        Arc::new(Self {
            id: FunctionId::new(),
            name: "example".parse().expect("a name"),
            revision: RevisionNumber(1),
            timeout: Duration::from_secs(1),
            load_limit: Duration::from_secs(1),
            max_instances: 1,
            load: Arc::default(),
        })
    }
}

pub struct FunctionCache {
    store: Arc<dyn Store>,
    by_name: RwLock<HashMap<FunctionName, Arc<CachedFunction>>>,
    /// That live, as last counted.
    managers: AtomicU32,
    /// One reading at a time: an older one that is slow must not overwrite a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl FunctionCache {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (by_name, reading) = (RwLock::default(), tokio::sync::Mutex::default());
        Self { store, by_name, managers: AtomicU32::new(1), reading }
    }

    /// A name that the cache does not know is looked up in the store before anybody is told that it
    /// does not exist: it may have been deployed this moment.
    pub async fn find(&self, name: &FunctionName) -> Result<Arc<CachedFunction>, Failure> {
        let known = self.by_name.read().expect("no holder panics").get(name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        match self.store.function(name).await? {
            Some(function) => Ok(self.learn(function).await?),
            None => Err(self.not_found(name).into()),
        }
    }

    pub fn not_found(&self, name: &FunctionName) -> Problem {
        let map = self.by_name.read().expect("no holder panics");
        function_not_found(name, map.keys().map(FunctionName::as_str))
    }

    /// As many managers may be given work.
    pub fn set_managers(&self, count: u32) {
        self.managers.store(count, Ordering::Relaxed);
        for known in self.by_name.read().expect("no holder panics").values() {
            known.slots().resize(known.max_instances, count);
        }
    }

    /// Reads everything anew.
    pub async fn refresh(&self) -> Result<(), store::Error> {
        let _reading = self.reading.lock().await;
        let functions = self.store.functions().await?;
        let names: std::collections::HashSet<&FunctionName> =
            functions.iter().map(|function| &function.name).collect();
        self.by_name.write().expect("no holder panics").retain(|name, _| names.contains(name));
        for function in functions {
            self.learn(function).await?;
        }
        Ok(())
    }

    async fn learn(&self, function: Function) -> Result<Arc<CachedFunction>, store::Error> {
        let old = self.by_name.read().expect("no holder panics").get(&function.name).cloned();
        let same_function = old.filter(|known| known.id == function.id);
        if let Some(known) = &same_function
            && known.revision == function.active_revision
        {
            return Ok(known.clone());
        }
        let revision =
            self.store.revision(function.id, function.active_revision).await?.ok_or_else(|| {
                store::Error::Missing(format!("the active revision of '{}'", function.name))
            })?;
        let known = Arc::new(CachedFunction {
            id: function.id,
            name: function.name.clone(),
            revision: revision.number,
            timeout: revision.spec.timeout,
            load_limit: revision.spec.load_limit(),
            max_instances: revision.spec.scaling.max_instances,
            load: same_function.map(|known| known.load.clone()).unwrap_or_default(),
        });
        let mut by_name = self.by_name.write().expect("no holder panics");
        by_name.insert(function.name, known.clone());
        // Under the lock: a count of managers that comes in between would size it for the old revision.
        known.slots().resize(known.max_instances, self.managers.load(Ordering::Relaxed));
        Ok(known)
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
    scheduler.functions.refresh().await?;
    while let Some(event) = events.next().await {
        drop(event.ack().await);
        scheduler.functions.refresh().await?;
    }
    Ok(())
}

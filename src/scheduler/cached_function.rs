//! A function as the hot path needs it: of its revision, and what outlives a change of that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::sync::slots::SyncSlots;
use crate::{
    model::{FunctionId, FunctionName, HttpSpec, Interface, RateLimit, Revision, RevisionNumber},
    rate_limiter::RateLimiter,
};

/// What the hot path has to know of a function.
#[derive(Debug)]
pub struct CachedFunction {
    pub id: FunctionId,
    pub name: FunctionName,
    pub revision: RevisionNumber,
    /// The interface, which decides what a payload may be.
    pub interface: Interface,
    pub timeout: Duration,
    /// Limit of loading its code.
    pub load_limit: Duration,
    /// The most sync and async invocations each at one manager at the same time.
    pub places: u32,
    /// [`HttpSpec::rules`] of its `[http]`; none where it has no addresses.
    pub rules: Option<u64>,
    /// Counts its calls; none where its manifest has no limit. It is another one only when the limit is.
    rate: Option<Arc<RateLimiter>>,
    load: Arc<Load>,
}

/// What outlives a change of revision.
#[derive(Debug, Default)]
struct Load {
    in_flight: AtomicU32,
    declared: AtomicBool,
    readings: AtomicU64,
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

/// A call comes too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    /// The limit of the function's calls.
    pub limit: RateLimit,
    /// The number of seconds after which another one may come.
    pub retry_after: u64,
}

impl CachedFunction {
    /// A function whose active revision this is; `before` is what was known of it until now.
    pub fn of(revision: &Revision, before: Option<&Self>) -> Self {
        let limit = revision.spec.rate_limit;
        let counting = before.and_then(|before| before.rate.as_ref());
        let rate = match counting.filter(|rate| Some(rate.limit()) == limit) {
            Some(rate) => Some(rate.clone()),
            None => limit.map(|limit| Arc::new(RateLimiter::new(limit))),
        };
        Self {
            id: revision.function,
            name: revision.name.clone(),
            revision: revision.number,
            interface: revision.spec.interface,
            timeout: revision.spec.timeout,
            load_limit: revision.spec.load_limit(),
            places: revision.spec.scaling.places(),
            rules: revision.spec.http.as_ref().map(HttpSpec::rules),
            rate,
            load: before.map(|before| before.load.clone()).unwrap_or_default(),
        }
    }

    /// Counts a call against the limit of its manifest.
    pub fn check_rate(&self) -> Result<(), TooFast> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.check().map_err(|retry_after| TooFast { limit: rate.limit(), retry_after })
    }

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

    /// Returns the number of readings that were begun for a request under other rules.
    pub fn readings(&self) -> u64 {
        self.load.readings.load(Ordering::Relaxed)
    }

    /// Counts one more of them.
    pub fn begin_reading(&self) {
        self.load.readings.fetch_add(1, Ordering::Relaxed);
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
        Arc::new(Self::example_of(Interface::Protocol))
    }

    pub fn example_of(interface: Interface) -> Self {
        Self {
            id: FunctionId::new(),
            name: "example".parse().expect("a name"),
            revision: RevisionNumber(1),
            interface,
            timeout: Duration::from_secs(1),
            load_limit: Duration::from_secs(1),
            places: 1,
            rules: None,
            rate: None,
            load: Arc::default(),
        }
    }
}

//! Once a second: what is due, expired or stuck is published (again), and the backlog is counted.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::publisher::{self, Announced};
use crate::{
    error_chain::chain,
    model::{FunctionId, InvocationId, Mode},
    queue::{self, Address},
    scheduler::{Scheduler, bounds::PUBLISHES},
    store::{self, Due, REPUBLISH_AFTER},
};

const EVERY: Duration = Duration::from_secs(1);
/// Rows taken at once; a full page is followed by the next one immediately.
const PAGE: u32 = 1000;
/// The time after which rows are due again that were taken and not noted as published.
const UNCONFIRMED: Duration = Duration::from_secs(60);
/// Counting what waits takes at most 1/50 of the time.
const COUNTING: u32 = 50;
/// Time for a stop.
const LAST_SWEEP: Duration = Duration::from_secs(3);

/// Sweeps until `stop`, which a sweep under way does not hold up for long: what it took and did not publish then is due
/// again later.
pub async fn run(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    let too_long = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_SWEEP).await;
    };
    tokio::select! {
        () = sweeping(&scheduler, &stop) => {}
        () = too_long => {}
    }
}

async fn sweeping(scheduler: &Scheduler, stop: &CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    let mut count_at = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match sweep(scheduler, &mut count_at).await {
            Ok(()) if failing => tracing::info!("sweeping again"),
            Err(error) if !failing => {
                tracing::warn!(error = %chain(&*error), "sweep failed; every second another one tries");
                failing = true;
                continue;
            }
            Ok(()) => {}
            Err(_) => continue,
        }
        failing = false;
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn sweep(scheduler: &Scheduler, count_at: &mut Instant) -> Result<(), Failure> {
    let now = Instant::now();
    if *count_at <= now {
        scheduler.admission.set_backlog(scheduler.store.backlog().await?);
        // A large one takes its time to count; meanwhile what is accepted is added.
        *count_at = now + now.elapsed() * COUNTING;
    }
    // Taking rows and giving them back are writes: not without somebody to publish to.
    if let Err(error) = scheduler.queue.ping().await {
        tracing::debug!(error = %chain(&error), "no sweep without a broker");
        return Ok(());
    }
    let refused = scheduler.admission.take_refused();
    if let Err(error) = untake(scheduler, &refused).await {
        scheduler.admission.put_back(refused);
        return Err(error.into());
    }
    // What is in a queue on disk is noted when it has been confirmed, so that a scheduler that ends before holds nothing up
    // for long. A queue in memory ends with it, and everything is published again.
    let is_durable = scheduler.queue.is_durable();
    let put_off = if is_durable { UNCONFIRMED } else { REPUBLISH_AFTER };
    // Functions of which as many messages wait as the queue may keep: theirs stay in the store.
    let mut full = still_full(scheduler).await?;
    loop {
        let except: Vec<FunctionId> = full.iter().copied().collect();
        let due = scheduler.store.take_due(PAGE, &except, put_off).await?;
        let is_last = due.len() < PAGE as usize;
        let mut published: Vec<InvocationId> = due.iter().map(|row| row.id).collect();
        let refused = publish(scheduler, due).await;
        let is_refused: HashSet<InvocationId> = refused.iter().map(|(row, _)| row.id).collect();
        published.retain(|id| !is_refused.contains(id));
        let mut broken = false;
        for (row, error) in &refused {
            match error {
                queue::Error::Full(_) => drop(full.insert(row.function)),
                _ => broken = true,
            }
        }
        let rows: Vec<Due> = refused.into_iter().map(|(row, _)| row).collect();
        if let Err(error) = untake(scheduler, &rows).await {
            scheduler.admission.put_back(rows);
            return Err(error.into());
        }
        if is_durable && !published.is_empty() {
            scheduler.store.mark_published(&published).await?;
        }
        if is_last || broken {
            scheduler.admission.hold(full);
            return Ok(());
        }
    }
}

/// Returns the functions that the last sweep found full and that have no room yet.
async fn still_full(scheduler: &Scheduler) -> Result<HashSet<FunctionId>, queue::Error> {
    let held = scheduler.admission.held();
    if held.is_empty() {
        return Ok(HashSet::new());
    }
    let waiting = scheduler.queue.waiting(&held).await?;
    let full = std::iter::zip(held, waiting).filter(|(_, waiting)| waiting.is_full);
    Ok(full.map(|(function, _)| function).collect())
}

/// Otherwise they would count as published, and wait for long.
async fn untake(scheduler: &Scheduler, rows: &[Due]) -> Result<(), store::Error> {
    match rows {
        [] => Ok(()),
        rows => scheduler.store.untake(rows).await,
    }
}

/// Answers what was not published, and why. Behind one that found its queue full, none of that function is
/// tried: there may be room by then, and it would overtake.
async fn publish(scheduler: &Scheduler, due: Vec<Due>) -> Vec<(Due, queue::Error)> {
    let full = Mutex::new(HashSet::new());
    let is_full = |function| full.lock().expect("no holder panics").contains(&function);
    let publishing = stream::iter(due).map(|row| async {
        if is_full(row.function) {
            let address = Address::Function(row.function, Mode::Async);
            return Some((row, queue::Error::Full(address)));
        }
        let announced = Announced {
            id: row.id,
            function: row.function,
            name: row.name.clone(),
            revision: row.active_revision,
            accepted_at_ms: row.accepted_at.as_millisecond(),
        };
        match publisher::republish(&*scheduler.queue, announced).await {
            Ok(()) => {
                tracing::debug!(invocation = %row.id, "published by the sweeper");
                None
            }
            Err(error) => {
                tracing::debug!(invocation = %row.id, error = %chain(&error), "not published");
                if matches!(error, queue::Error::Full(_)) {
                    full.lock().expect("no holder panics").insert(row.function);
                }
                Some((row, error))
            }
        }
    });
    publishing.buffered(PUBLISHES).filter_map(std::future::ready).collect().await
}

//! Once a minute: what a broker has lost is found, and published again by the sweep. It may have come back with an empty
//! disk, or somebody has purged a queue.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{error_chain::chain, scheduler::Scheduler};

const EVERY: Duration = Duration::from_secs(60);
/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The age from which a message counts as lost if its queue is empty: a manager has claimed or returned it by then.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// The number of queues that are asked for together.
const QUEUES: usize = 100;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Until `stop`.
pub async fn run(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    let mut failing = false;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match look(&scheduler).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %chain(&*error), "no look for lost messages; every second another one tries");
                }
                failing = true;
                ticks.reset_after(AGAIN);
            }
        }
    }
}

async fn look(scheduler: &Scheduler) -> Result<(), Failure> {
    match scheduler.store.pull_in().await? {
        0 => {}
        count => tracing::info!(count, "due at once: put off for longer than anything is"),
    }
    // What this process holds in memory is lost with it only.
    if !scheduler.queue.is_durable() {
        return Ok(());
    }
    for functions in scheduler.store.waiting_functions().await?.chunks(QUEUES) {
        let waiting = scheduler.queue.waiting(functions).await?;
        let with_waiting = std::iter::zip(functions, waiting);
        // A queue that is not empty says nothing. What a manager has in hand may be among these: a second message of it
        // is refused by its claim.
        let empty: Vec<_> = with_waiting
            .filter(|(_, waiting)| waiting.messages == 0)
            .map(|(function, _)| *function)
            .collect();
        if empty.is_empty() {
            continue;
        }
        match scheduler.store.forget_lost(&empty, LOST_AFTER).await? {
            0 => {}
            count => tracing::debug!(count, "published again: their queues are empty"),
        }
    }
    Ok(())
}

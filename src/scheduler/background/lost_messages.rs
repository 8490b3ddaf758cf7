//! Once a minute: what a broker has lost is found, and published again by the sweep. It may have come back with an empty
//! disk, or somebody has purged a queue.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{error_chain::chain, model::FunctionId, queue::Waiting, scheduler::Scheduler};

/// The pause after a look that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The age from which a message may count as lost: a manager has claimed or returned it by then.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// The number of queues that are asked for together.
const QUEUES: usize = 100;
/// A queue that is not empty lacks messages only where these are more than any coincidence: a false alarm publishes all of
/// a function's backlog a second time. So many times what managers should have in hand, as a function's limits may have
/// changed, or a manager may consume that counts as lost; and this part of the backlog, as counting takes its time.
const IN_HAND: u64 = 4;
const OF_BACKLOG: u64 = 8;
/// Looking takes at most 1/50 of the time.
const LOOKING: u32 = 50;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Looks until `stop`.
pub async fn run(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    let (mut short, mut failing) = (Short::default(), false);
    let mut ticks = interval(scheduler.limits.reread);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let begun = Instant::now();
        match look(&scheduler, &mut short).await {
            Ok(()) => {
                failing = false;
                ticks.reset_after(scheduler.limits.reread.max(begun.elapsed() * LOOKING));
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %chain(&*error), "no look for lost messages; every second another one tries");
                }
                failing = true;
                ticks.reset_after(AGAIN.max(begun.elapsed() * LOOKING));
            }
        }
    }
}

async fn look(scheduler: &Scheduler, short: &mut Short) -> Result<(), Failure> {
    match scheduler.store.pull_in().await? {
        0 => {}
        count => tracing::info!(count, "due at once: put off for longer than anything is"),
    }
    // What this process holds in memory is lost with it only.
    if !scheduler.queue.is_durable() {
        return Ok(());
    }
    let all = scheduler.store.waiting_functions().await?;
    short.keep(&all);
    for functions in all.chunks(QUEUES) {
        let before = scheduler.store.published(functions).await?;
        let waiting = scheduler.queue.waiting(functions).await?;
        // Rows may have begun between count and answer, or messages have been published.
        let after = scheduler.store.published(functions).await?;
        let published = |function| before.get(&function).min(after.get(&function)).copied().unwrap_or(0);
        let waiting: HashMap<FunctionId, Waiting> =
            std::iter::zip(functions.iter().copied(), waiting).collect();
        let lacks = |function: &FunctionId| {
            let (published, held) = (published(*function), waiting[function].messages);
            let in_hand = scheduler.functions.in_hand(*function);
            in_hand.is_some_and(|in_hand| lacks_some(published, held, in_hand))
        };
        // What a manager has in hand may be among the lost: a second message of it is refused by its claim.
        let (empty, others): (Vec<FunctionId>, Vec<FunctionId>) =
            functions.iter().partition(|function| waiting[function].messages == 0);
        let (lacking, full) = others.into_iter().partition(lacks);
        let lost = [empty, short.again(lacking, &full)].concat();
        if lost.is_empty() {
            continue;
        }
        match scheduler.store.forget_lost(&lost, LOST_AFTER).await? {
            0 => {}
            count => tracing::debug!(count, "published again: their queues do not have them"),
        }
    }
    Ok(())
}

/// Returns whether a queue that holds something lacks messages.
fn lacks_some(published: u64, held: u64, in_hand: u64) -> bool {
    published.saturating_sub(published / OF_BACKLOG)
        > held.saturating_add(in_hand.saturating_mul(IN_HAND))
}

/// Functions whose queues lacked messages at the last look. Once may be a coincidence of what happens meanwhile.
#[derive(Default)]
struct Short(HashSet<FunctionId>);

impl Short {
    /// Forgets those of which nothing waits any more.
    fn keep(&mut self, waiting: &[FunctionId]) {
        let waiting: HashSet<_> = waiting.iter().collect();
        self.0.retain(|function| waiting.contains(function));
    }

    /// Returns those that lack messages at two looks in a row; their counting begins anew.
    fn again(&mut self, lacking: Vec<FunctionId>, full: &[FunctionId]) -> Vec<FunctionId> {
        for function in full {
            self.0.remove(function);
        }
        lacking
            .into_iter()
            .filter(|function| !self.0.insert(*function) && self.0.remove(function))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_lacks_messages_when_it_does_at_two_looks_in_a_row() {
        let (one, other) = (FunctionId::new(), FunctionId::new());
        let mut short = Short::default();
        assert_eq!(short.again(vec![one], &[other]), []);
        assert_eq!(short.again(vec![other], &[one]), [], "not in a row");
        assert_eq!(short.again(vec![one, other], &[]), [other]);
        assert_eq!(short.again(vec![other], &[]), [], "it begins anew");
        short.keep(&[one]);
        assert_eq!(short.again(vec![one, other], &[]), [one]);
    }

    #[test]
    fn what_is_in_hand_or_on_its_way_is_not_lacking() {
        assert!(lacks_some(200, 1, 20) && lacks_some(1_000_000, 1, 20));
        assert!(!lacks_some(90, 1, 20), "managers may have them");
        assert!(!lacks_some(100_000, 90_000, 20), "it was counted while it was worked off");
        assert!(lacks_some(100_000, 80_000, 20) && !lacks_some(0, 0, 20));
    }
}

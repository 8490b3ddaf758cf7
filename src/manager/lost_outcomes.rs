//! Invocations that the store has as ours, and that we do not have: their outcomes were confirmed by the broker, and lost
//! there, with a disk or a purge. Nobody else would ever take them, as our lease is renewed.
//!
//! Such an invocation is reported as not finished, through the same queue: an outcome that is still in it comes first, and
//! then the report is stale. One that a scheduler has had in hand for all that time may come second; then it is run again.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::{
    error_chain::chain,
    model::{
        InvocationId, OwnerId, Phases,
        message::{self, Claimed, Outcome, Parcel, Verdict},
    },
    queue::{Address, Message},
    store::Running,
};

/// The number of looks in the time for which an outcome may be on its way.
const LOOKS: u32 = 20;

/// Looks for them until told to stop.
pub async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let latest = shared.limits.outcome_wait;
    let mut missed = Missed::new(latest);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(latest / LOOKS) => {}
        }
        let owner = shared.lives.now().owner;
        let running = match shared.store.running(owner).await {
            Ok(running) => running,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "running invocations not read");
                continue;
            }
        };
        let not_ours = running.into_iter().filter(|one| !shared.in_hand.contains(one.id)).collect();
        for lost in missed.look(not_ours, Instant::now()) {
            tracing::warn!(invocation = %lost.id, "its outcome was lost on its way; it is run again");
            match shared.queue.publish(&Address::Outcomes, report(lost, owner)).await {
                Ok(()) => missed.reported(lost, Instant::now()),
                Err(error) => tracing::debug!(error = %chain(&error), "not reported yet"),
            }
        }
    }
}

/// Those that were missed at every look so far, and since when.
struct Missed {
    since: HashMap<(InvocationId, u32), Instant>,
    latest: Duration,
}

impl Missed {
    fn new(latest: Duration) -> Self {
        Self { since: HashMap::new(), latest }
    }

    /// Returns those that were missed for too long.
    fn look(&mut self, missed: Vec<Running>, now: Instant) -> Vec<Running> {
        self.since.retain(|key, _| missed.iter().any(|one| (one.id, one.attempt) == *key));
        let is_late = |one: &Running| {
            let since = self.since.entry((one.id, one.attempt)).or_insert(now);
            now.saturating_duration_since(*since) >= self.latest
        };
        missed.into_iter().filter(is_late).collect()
    }

    /// The report is on its way now, and has as much time.
    fn reported(&mut self, lost: Running, now: Instant) {
        self.since.insert((lost.id, lost.attempt), now);
    }
}

fn report(lost: Running, owner: OwnerId) -> Message {
    let Running { id, function, attempt, token, revision, failures, losses, accepted_at } = lost;
    let accepted_at_ms = accepted_at.as_millisecond();
    let outcome = Outcome {
        v: message::VERSION,
        id,
        attempt,
        owner: Some(owner),
        revision,
        instance: None,
        start: None,
        prewarmed: false,
        verdict: Verdict::Unfinished { reason: "its outcome was lost on its way".to_owned() },
        content_type: None,
        http: None,
        phases: Phases::new(),
        manager_ms: 0.0,
        lines: None,
        claimed: Some(Claimed { function, accepted_at_ms, failures, losses, token }),
    };
    Message { parcel: Parcel::new(outcome, Bytes::new()), expires: None }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{FunctionId, RevisionNumber};

    const LATEST: Duration = Duration::from_secs(600);

    #[test]
    fn only_what_is_missed_at_every_look_for_ten_minutes_is_lost() {
        let one = |attempt| Running {
            id: InvocationId(uuid::Uuid::from_u128(1)),
            function: FunctionId::new(),
            attempt,
            token: None,
            revision: RevisionNumber(1),
            failures: 0,
            losses: 0,
            accepted_at: Timestamp::UNIX_EPOCH,
        };
        let (mut missed, start) = (Missed::new(LATEST), Instant::now());
        assert_eq!(missed.look(vec![one(1)], start), []);
        assert_eq!(missed.look(vec![], start + LATEST / 2), [], "it was in hand for a moment");
        assert_eq!(missed.look(vec![one(1)], start + LATEST), []);
        assert_eq!(missed.look(vec![one(2)], start + 2 * LATEST), [], "another attempt");
        let again = one(2);
        assert_eq!(missed.look(vec![again], start + 3 * LATEST), [again]);
        assert_eq!(missed.look(vec![again], start + 3 * LATEST), [again], "its report was not taken");
        missed.reported(again, start + 3 * LATEST);
        let next = start + 3 * LATEST + LATEST / LOOKS;
        assert_eq!(missed.look(vec![again], next), [], "it was reported");
    }
}

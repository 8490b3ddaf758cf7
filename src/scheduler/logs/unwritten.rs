//! What was written before somebody reads: managers store lines behind the invocations, so the reader waits
//! for those of invocations that have just ended. Their records say how many there are.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{LogFilter, Query};
use crate::{
    model::{AttemptRecord, InvocationId, Record},
    scheduler::Scheduler,
    store::{self, RecordFilter},
};

/// A reader waits at most for this long; what is not stored by then may be lost, and is reported as missing.
const AT_MOST: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Invocations that ended earlier have had their lines stored, or lost them.
const RECENT: SignedDuration = SignedDuration::from_secs(10);
/// Invocations that are looked at, the newest: of more that end at once, most lines are read all the same.
const LOOKED_AT: u32 = 100;

/// Waits for the lines of invocations that have ended before; how many are still missing.
pub async fn wait(scheduler: &Scheduler, query: &Query) -> Result<u64, store::Error> {
    let deadline = tokio::time::Instant::now() + AT_MOST;
    let mut awaited = ended(scheduler, query).await?;
    loop {
        let mut missing = 0;
        for ((id, attempt), lines) in std::mem::take(&mut awaited) {
            let filter = LogFilter {
                invocation: Some(id),
                attempt: Some(attempt),
                limit: u32::try_from(lines).unwrap_or(u32::MAX),
                ..LogFilter::all()
            };
            let stored = scheduler.store.count_logs(&filter).await?;
            if stored < lines {
                missing += lines - stored;
                awaited.insert((id, attempt), lines);
            }
        }
        if missing == 0 || tokio::time::Instant::now() >= deadline || scheduler.stop.is_cancelled() {
            return Ok(missing);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How many lines the attempts of invocations wrote that have just ended, or of one that is asked for are about to.
async fn ended(
    scheduler: &Scheduler,
    query: &Query,
) -> Result<HashMap<(InvocationId, u32), u64>, store::Error> {
    if query.cursor.is_some() || query.after.is_some() {
        // What is older than something that was read is there; who follows gets what comes.
        return Ok(HashMap::new());
    }
    // An earlier function of the same name took its lines along.
    let created = match query.functions.as_slice() {
        [one] => scheduler.store.function(one).await?.map(|function| function.created_at),
        _ => None,
    };
    let now = scheduler.clock.now();
    let mut written = HashMap::new();
    let mut note = |record: &Record| {
        let wanted = (query.functions.is_empty() || query.functions.contains(&record.function))
            && created.is_none_or(|created| record.accepted_at >= created);
        if wanted && may_come(record.finished_at, now) {
            let lines = lines_of(&record.attempts).map(|(attempt, lines)| ((record.id, attempt), lines));
            written.extend(lines);
        }
    };
    if let Some(id) = query.invocation {
        if let Some(record) = scheduler.record(id).await? {
            // One that was deleted took its lines along, too.
            let function = scheduler.store.function(&record.function).await?;
            if function.is_some_and(|function| record.accepted_at >= function.created_at) {
                note(&record);
            }
        }
        return Ok(written);
    }
    let filter = RecordFilter {
        function: match query.functions.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        state: None,
        since: None,
        // A clock of another host may be ahead.
        ended: Some((now - RECENT, now + RECENT)),
        before: None,
        limit: LOOKED_AT,
    };
    scheduler.recorder.each_recent(|record| note(&record.record));
    scheduler.store.records(&filter).await?.iter().for_each(note);
    Ok(written)
}

/// Attempts that are known to have written lines, and how many. Each is waited for by itself: how many one wrote that
/// was lost is not known, and its lines do not stand for those of the next one.
fn lines_of(attempts: &[AttemptRecord]) -> impl Iterator<Item = (u32, u64)> {
    let lines = attempts.iter().filter_map(|attempt| Some((attempt.number, attempt.lines?)));
    lines.filter(|(_, lines)| *lines > 0)
}

/// Whether lines of an invocation may still be on their way to the store. Those of one that finished earlier are there,
/// or are gone: lost, pruned, or deleted with their function.
fn may_come(finished_at: Option<Timestamp>, now: Timestamp) -> bool {
    finished_at.is_none_or(|at| at >= now - RECENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_each_attempt_are_waited_for_by_themselves() {
        let attempt = |number, lines| AttemptRecord {
            number,
            revision: None,
            instance: None,
            outcome: None,
            error: None,
            lines,
            http_status: None,
        };
        let attempts = [attempt(1, None), attempt(2, Some(0)), attempt(3, Some(2)), attempt(4, Some(1))];
        assert_eq!(lines_of(&attempts).collect::<Vec<_>>(), [(3, 2), (4, 1)], "the first one was lost");
    }

    #[test]
    fn lines_of_what_finished_long_ago_are_not_waited_for() {
        let now = Timestamp::now();
        assert!(may_come(None, now) && may_come(Some(now), now));
        assert!(may_come(Some(now + SignedDuration::from_secs(3)), now), "the clock of another host");
        assert!(!may_come(Some(now - SignedDuration::from_secs(11)), now));
    }
}

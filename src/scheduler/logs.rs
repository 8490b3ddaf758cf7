//! Log lines as NDJSON, also as they come.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::Scheduler;
use crate::{
    http::chain,
    store::{self, LogFilter, StoredLine},
};

/// How often a follower looks for new lines: managers write them in batches anyway.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// A manager stores a line after at most about so long.
const WRITTEN_BEHIND: Duration = Duration::from_millis(250);
/// A slower writer's line may appear behind a later number for about so long.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// What a request asks for, once or on and on until the scheduler stops.
pub async fn body(
    scheduler: Arc<Scheduler>,
    filter: LogFilter,
    follow: bool,
) -> Result<Body, store::Error> {
    let mut first = scheduler.store.logs(&filter).await?;
    if !follow {
        if first.is_empty() {
            // Lines are written behind: those of an invocation that has just ended are on their way.
            tokio::time::sleep(WRITTEN_BEHIND).await;
            first = scheduler.store.logs(&filter).await?;
        }
        return Ok(Body::from(ndjson(&first)));
    }
    let wanted = filter.tail.map(|tail| tail as usize);
    // At least one is read, even if none is wanted: new is what comes after it.
    let filter = LogFilter { tail: filter.tail.map(|tail| tail.max(1)), ..filter };
    if wanted == Some(0) {
        first = scheduler.store.logs(&filter).await?;
    }
    let mut follower = Follower::new(filter);
    let mut first = follower.news(first, Instant::now());
    first.truncate(wanted.unwrap_or(usize::MAX));
    let stop = scheduler.stop.clone();
    let state = (scheduler, follower, Some(ndjson(&first)));
    let lines = stream::unfold(state, |(scheduler, mut follower, first)| async move {
        if let Some(first) = first.filter(|first| !first.is_empty()) {
            return Some((Ok::<_, Infallible>(first), (scheduler, follower, None)));
        }
        loop {
            tokio::time::sleep(FOLLOW_EVERY).await;
            match scheduler.store.logs(&follower.filter).await {
                Ok(lines) => {
                    let news = follower.news(lines, Instant::now());
                    if !news.is_empty() {
                        return Some((Ok(ndjson(&news)), (scheduler, follower, None)));
                    }
                }
                Err(error) if error.is_transient() => {}
                Err(error) => {
                    tracing::error!(error = %chain(&error), "logs cannot be followed");
                    return None;
                }
            }
        }
    });
    Ok(Body::from_stream(lines.take_until(stop.cancelled_owned())))
}

fn ndjson(lines: &[StoredLine]) -> Bytes {
    let mut text = Vec::new();
    for stored in lines {
        serde_json::to_writer(&mut text, &stored.line).expect("a log line is plain data");
        text.push(b'\n');
    }
    text.into()
}

/// Remembers what was passed on for as long as something may still appear before it.
struct Follower {
    filter: LogFilter,
    passed: BTreeMap<i64, Instant>,
}

impl Follower {
    fn new(filter: LogFilter) -> Self {
        Self { filter, passed: BTreeMap::new() }
    }

    fn news(&mut self, lines: Vec<StoredLine>, now: Instant) -> Vec<StoredLine> {
        // From now on by number only.
        self.filter.tail = None;
        let news: Vec<StoredLine> =
            lines.into_iter().filter(|line| !self.passed.contains_key(&line.sequence)).collect();
        self.passed.extend(news.iter().map(|line| (line.sequence, now)));
        while let Some(first) = self.passed.first_entry() {
            if now - *first.get() < SETTLED_AFTER {
                break;
            }
            self.filter.after = Some(*first.key());
            first.remove();
        }
        if self.filter.after.is_none() {
            // Without a number to begin from, the next look must not show what came before the tail.
            self.filter.after = self.passed.keys().next().map(|first| first - 1);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, LogLine, RevisionNumber, Stream};

    fn line(sequence: i64) -> StoredLine {
        StoredLine {
            sequence,
            line: LogLine {
                ts: jiff::Timestamp::UNIX_EPOCH,
                function: "f".parse().unwrap(),
                revision: RevisionNumber(1),
                invocation_id: None,
                attempt: None,
                instance: InstanceId(uuid::Uuid::nil()),
                stream: Stream::Stdout,
                line: sequence.to_string(),
            },
        }
    }

    fn sequences(lines: &[StoredLine]) -> Vec<i64> {
        lines.iter().map(|line| line.sequence).collect()
    }

    #[test]
    fn a_late_line_is_passed_on_and_none_twice() {
        let filter = LogFilter {
            functions: Vec::new(),
            invocation: None,
            since: None,
            after: None,
            tail: Some(2),
            limit: 100,
        };
        let mut follower = Follower::new(filter);
        let start = Instant::now();
        assert_eq!(sequences(&follower.news(vec![line(7), line(9)], start)), [7, 9]);
        assert_eq!(follower.filter.after, Some(6));
        let later = vec![line(7), line(8), line(9), line(10)];
        assert_eq!(sequences(&follower.news(later, start)), [8, 10]);
        assert!(follower.news(Vec::new(), start + SETTLED_AFTER).is_empty());
        assert_eq!(follower.filter.after, Some(10), "what is settled is not read again");
    }
}

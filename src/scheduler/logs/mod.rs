//! Log lines as NDJSON: a page of the newest, a window of any length, also as they come.
//!
//! ```text
//!   older lines │ the window: the newest page, ?tail=N, ?tail=all, or what precedes ?cursor= │ new ones
//!               └─ its first line is the next cursor                                ?follow=true ─┘
//! ```
//!
//! Whatever the lines hold, what a reader costs in memory is one piece of a bounded number of bytes.

mod events;
mod follower;
mod unwritten;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use self::{
    events::{Events, Until},
    follower::Follower,
};
use super::Scheduler;
use crate::{
    model::{FunctionName, InvocationId, LineKind, LogLine, Tail, api::header as ours},
    store::{self, LogFilter, LogPage, StoredLine},
};

/// Lines of a page, unless asked for fewer or more.
pub const PAGE_LINES: u32 = 10_000;
/// Bytes of a page as JSON; of lines that do not fit, the oldest are left to the next page.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Text read at once where more than a page is streamed: as JSON it may be six times as long.
const PIECE_BYTES: u64 = 512 * 1024;
/// Older lines are counted up to this many: it takes milliseconds.
const COUNTED: u32 = 10_000;

/// Which lines are asked for.
#[derive(Debug, Default)]
pub struct Query {
    pub functions: Vec<FunctionName>,
    pub invocation: Option<InvocationId>,
    pub since: Option<jiff::Timestamp>,
    pub tail: Option<Tail>,
    /// Only lines before this number.
    pub cursor: Option<i64>,
    /// Only lines after this number, all of them.
    pub after: Option<i64>,
    /// Go on with new lines until the scheduler stops.
    pub follow: bool,
    /// Each line tells its number.
    pub sequence: bool,
    /// Lines that say when invocations began and ended are put between the others.
    pub events: bool,
}

/// The lines; headers say whether there are older ones, and whether any are missing.
pub async fn answer(scheduler: Arc<Scheduler>, query: Query) -> Result<Response, store::Error> {
    let missing = unwritten::wait(&scheduler, &query).await?;
    let store = &*scheduler.store;
    // Or all that was written before would be walked through.
    let begin = match query.since {
        Some(since) => store.logs_begin(since).await?,
        None => None,
    };
    let filter = LogFilter {
        functions: query.functions.clone(),
        invocation: query.invocation,
        attempt: None,
        since: query.since,
        after: query.after.max(begin),
        before: query.cursor,
        newest: false,
        limit: PAGE_LINES,
        bytes: PIECE_BYTES,
    };
    let end = store.log_position(&filter, 0).await?;
    let window = match (query.after, query.tail) {
        (Some(after), _) => Window { from: filter.after.unwrap_or(after), end, cut: false, page: None },
        (None, Some(Tail::All)) => Window { from: begin.unwrap_or(0), end, cut: false, page: None },
        (None, Some(Tail::Lines(lines))) => Window::of_lines(store, &filter, end, lines).await?,
        (None, None) => Window::of_page(store, &filter, end).await?,
    };
    let (follow, position) = (query.follow, end.unwrap_or(0));
    let cut = window.cut || query.after.is_some();
    let mut next = window.from + 1;
    let mut is_older = window.cut;
    let reader = || Reader {
        scheduler: scheduler.clone(),
        filter: filter.clone(),
        window: window.clone(),
        ended: !query.events,
        events: query.events.then(|| Events::new(&query, cut)),
        follower: follow.then(|| Follower::new(window.from)),
        sequence: query.sequence,
        ready: Vec::new(),
    };
    let mut lines = reader();
    // Events are lines as well. How many there are is known when all are read, which is not kept.
    if let (true, Some(Tail::Lines(most)), None) = (query.events, query.tail, query.after) {
        let excess = reader().count().await?.saturating_sub(most as usize);
        if let Some(last) = lines.pass_over(excess).await? {
            (next, is_older) = (last + 1, true);
        }
    }
    let older = match is_older {
        true => {
            let before = Some(next);
            store.count_logs(&LogFilter { before, limit: COUNTED + 1, ..filter.clone() }).await?
        }
        false => 0,
    };
    let pieces = stream::unfold(lines, |mut lines| async move {
        let piece = lines.next().await.transpose()?;
        Some((piece, lines))
    });
    let body = Body::from_stream(pieces.take_until(scheduler.stop.clone().cancelled_owned()));
    let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response();
    let mut say = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    if follow {
        say(ours::POSITION, position.to_string());
    }
    if older > 0 {
        say(ours::NEXT_CURSOR, next.to_string());
        let more = if older > COUNTED.into() { "+" } else { "" };
        say(ours::OLDER_LINES, format!("{}{more}", older.min(COUNTED.into())));
    }
    if missing > 0 {
        say(ours::MISSING_LINES, missing.to_string());
    }
    Ok(response)
}

/// What is answered of what was there when it was asked for.
#[derive(Clone)]
struct Window {
    /// The number before its first line, or of the last line that was answered.
    from: i64,
    /// The number of its last line; none when there is none.
    end: Option<i64>,
    /// Whether there may be lines before it.
    cut: bool,
    /// All of it, where it has been read already.
    page: Option<Vec<StoredLine>>,
}

impl Window {
    /// The newest lines, so many.
    async fn of_lines(
        store: &dyn store::Logs,
        filter: &LogFilter,
        end: Option<i64>,
        lines: u32,
    ) -> Result<Self, store::Error> {
        let begin = filter.after.unwrap_or(0);
        let Some(last) = end else { return Ok(Self { from: begin, end, cut: false, page: None }) };
        let first = match lines {
            0 => Some(last + 1),
            _ => store.log_position(filter, u64::from(lines) - 1).await?,
        };
        let from = first.map_or(begin, |first| first - 1);
        Ok(Self { from, end: end.filter(|_| lines > 0), cut: first.is_some(), page: None })
    }

    /// The newest lines that fit into a page.
    async fn of_page(
        store: &dyn store::Logs,
        filter: &LogFilter,
        end: Option<i64>,
    ) -> Result<Self, store::Error> {
        let newest = LogFilter { newest: true, bytes: PAGE_BYTES as u64, ..filter.clone() };
        let LogPage { mut lines, more } = store.logs(&newest).await?;
        let mut bytes = 0;
        let fits = |line: &&StoredLine| {
            let first = bytes == 0;
            bytes += ndjson(std::slice::from_ref(*line), false).len();
            first || bytes <= PAGE_BYTES
        };
        let left_out = lines.len() - lines.iter().rev().take_while(fits).count();
        lines.drain(..left_out);
        let from = lines.first().map_or(filter.after.unwrap_or(0), |first| first.sequence - 1);
        // A line may have come since `end` was looked up.
        let end = lines.last().map(|last| last.sequence).or(end);
        Ok(Self { from, end, cut: more || left_out > 0, page: Some(lines) })
    }
}

/// Reads the window piece by piece, and then what is new.
struct Reader {
    scheduler: Arc<Scheduler>,
    filter: LogFilter,
    window: Window,
    /// Whether all events of the window were told.
    ended: bool,
    events: Option<Events>,
    follower: Option<Follower>,
    sequence: bool,
    /// Read, and not answered yet.
    ready: Vec<StoredLine>,
}

impl Reader {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, store::Error> {
        let mut lines = std::mem::take(&mut self.ready);
        while lines.is_empty() {
            let piece = match (self.of_window().await?, &mut self.follower) {
                (Some(piece), _) => piece,
                (None, Some(follower)) => {
                    (follower.next(&*self.scheduler.store, &self.filter).await?, Until::Stored)
                }
                (None, None) => return Ok(None),
            };
            lines = self.with_events(piece).await?;
        }
        Ok(Some(ndjson(&lines, self.sequence)))
    }

    async fn with_events(
        &mut self,
        (lines, until): (Vec<StoredLine>, Until),
    ) -> Result<Vec<StoredLine>, store::Error> {
        match &mut self.events {
            Some(events) => events.between(&self.scheduler, lines, until).await,
            None => Ok(lines),
        }
    }

    /// Lines of the window with their events.
    async fn count(mut self) -> Result<usize, store::Error> {
        let mut count = 0;
        while let Some(piece) = self.of_window().await? {
            count += self.with_events(piece).await?.len();
        }
        Ok(count)
    }

    /// Leaves out the next lines of the window, events among them. Answers the number of the last line of the
    /// store that was left out, if one was.
    async fn pass_over(&mut self, mut excess: usize) -> Result<Option<i64>, store::Error> {
        let mut last = None;
        while excess > 0
            && let Some(piece) = self.of_window().await?
        {
            self.ready = self.with_events(piece).await?;
            let passed: Vec<StoredLine> = self.ready.drain(..excess.min(self.ready.len())).collect();
            excess -= passed.len();
            let stored = passed.iter().rev().find(|stored| !is_event(&stored.line));
            last = stored.map(|stored| stored.sequence).or(last);
        }
        Ok(last)
    }

    /// The next lines of the window, maybe none, and up to when their events are told.
    async fn of_window(&mut self) -> Result<Option<(Vec<StoredLine>, Until)>, store::Error> {
        let at_end = if self.follower.is_some() { Until::Stored } else { Until::Now };
        if let Some(page) = self.window.page.take() {
            self.passed(&page);
            self.window.from = self.window.end.unwrap_or(self.window.from);
            self.ended = true;
            return Ok(Some((page, at_end)));
        }
        if let Some(end) = self.window.end.filter(|end| self.window.from < *end) {
            let before = self.filter.before.unwrap_or(i64::MAX).min(end + 1);
            let filter =
                LogFilter { after: Some(self.window.from), before: Some(before), ..self.filter.clone() };
            let lines = self.scheduler.store.logs(&filter).await?.lines;
            // Nothing: it was deleted meanwhile.
            self.window.from = lines.last().map_or(end, |line| line.sequence);
            self.passed(&lines);
            self.ended |= self.window.from >= end;
            return Ok(Some((lines, if self.window.from < end { Until::LastLine } else { at_end })));
        }
        if !self.ended {
            self.ended = true;
            return Ok(Some((Vec::new(), at_end)));
        }
        Ok(None)
    }

    fn passed(&mut self, lines: &[StoredLine]) {
        if let Some(follower) = &mut self.follower {
            let numbers: Vec<i64> = lines.iter().map(|line| line.sequence).collect();
            follower.passed(&numbers, std::time::Instant::now());
        }
    }
}

/// Whether it is made of a record, and not stored.
fn is_event(line: &LogLine) -> bool {
    matches!(line.kind, Some(LineKind::Start | LineKind::End))
}

fn ndjson(lines: &[StoredLine], sequence: bool) -> Bytes {
    let mut text = Vec::new();
    for stored in lines {
        // Those that are made of records have no place of their own.
        if sequence && !is_event(&stored.line) {
            let line = LogLine { sequence: Some(stored.sequence), ..stored.line.clone() };
            serde_json::to_writer(&mut text, &line).expect("a log line is plain data");
        } else {
            serde_json::to_writer(&mut text, &stored.line).expect("a log line is plain data");
        }
        text.push(b'\n');
    }
    text.into()
}

/// How often a follower looks for new lines: managers write them in batches anyway.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

//! Log lines that were not stored: counted, and told of by a line of their own once the store is there again.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;

use crate::{
    model::{FunctionName, InstanceId, InvocationId, LineKind, LogLine, RevisionNumber, Stream},
    store::Logs,
};

/// Functions, invocations and instances that lost lines and are not told of yet; of more, lines are only counted.
const MAX_SOURCES: usize = 4_096;

#[derive(Default)]
pub(super) struct LostLines {
    /// Since the process began.
    count: AtomicU64,
    lost: Mutex<HashMap<Source, Lost>>,
}

/// The owner of lost lines.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Source {
    function: FunctionName,
    revision: RevisionNumber,
    invocation: Option<InvocationId>,
    attempt: Option<u32>,
    instance: InstanceId,
}

impl Source {
    fn of(line: &LogLine) -> Self {
        Self {
            function: line.function.clone(),
            revision: line.revision,
            invocation: line.invocation_id,
            attempt: line.attempt,
            instance: line.instance,
        }
    }
}

/// Lines of one source that were not stored, and are not told of yet.
struct Lost {
    since: Timestamp,
    lines: u64,
}

impl LostLines {
    /// Lines that were not stored, since the process began.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts lines that will not be stored, so that a line of the log tells of it.
    pub fn lose(&self, line: &LogLine, lines: u64) {
        self.count.fetch_add(lines, Ordering::Relaxed);
        let source = Source::of(line);
        let mut lost = self.lost.lock().expect("no holder panics");
        if lost.len() < MAX_SOURCES || lost.contains_key(&source) {
            lost.entry(source).or_insert(Lost { since: line.ts, lines: 0 }).lines += lines;
        }
    }

    fn take_lost(&self) -> HashMap<Source, Lost> {
        std::mem::take(&mut *self.lost.lock().expect("no holder panics"))
    }

    /// Stores a line for each source that lost some; they are kept for the next time when that fails.
    pub async fn tell(&self, store: &dyn Logs) {
        let lost = self.take_lost();
        let lines: Vec<LogLine> = lost.iter().map(|(source, lost)| lost.line(source)).collect();
        if !lines.is_empty() && store.append_logs(&lines).await.is_err() {
            self.keep_lost(lost);
        }
    }

    /// Adds to what was lost meanwhile; the bound stays.
    fn keep_lost(&self, kept: HashMap<Source, Lost>) {
        let mut lost = self.lost.lock().expect("no holder panics");
        for (source, kept) in kept {
            if let Some(lost) = lost.get_mut(&source) {
                lost.since = lost.since.min(kept.since);
                lost.lines += kept.lines;
            } else if lost.len() < MAX_SOURCES {
                lost.insert(source, kept);
            }
        }
    }
}

impl Lost {
    fn line(&self, source: &Source) -> LogLine {
        let lines =
            if self.lines == 1 { "1 line was".to_owned() } else { format!("{} lines were", self.lines) };
        LogLine {
            ts: self.since,
            function: source.function.clone(),
            revision: source.revision,
            invocation_id: source.invocation,
            attempt: source.attempt,
            instance: source.instance,
            stream: Stream::Platform,
            line: format!("lost: {lines} not stored: the store was too slow or away"),
            kind: Some(LineKind::Lost),
            sequence: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_told_is_added_to_what_was_lost_meanwhile() {
        let lines = LostLines::default();
        let line = |second| LogLine {
            ts: Timestamp::from_second(second).unwrap(),
            function: "f".parse().unwrap(),
            revision: RevisionNumber(1),
            invocation_id: None,
            attempt: None,
            instance: InstanceId(uuid::Uuid::nil()),
            stream: Stream::Stdout,
            line: String::new(),
            kind: None,
            sequence: None,
        };
        lines.lose(&line(1), 2);
        let untold = lines.take_lost();
        lines.lose(&line(2), 3);
        for _ in 1..MAX_SOURCES {
            lines.lose(&LogLine { instance: InstanceId::new(), ..line(2) }, 1);
        }
        lines.keep_lost(untold);
        lines.keep_lost(
            [(
                Source::of(&LogLine { instance: InstanceId::new(), ..line(2) }),
                Lost { since: line(2).ts, lines: 1 },
            )]
            .into(),
        );
        let lost = lines.take_lost();
        let merged = &lost[&Source::of(&line(1))];
        assert_eq!((merged.lines, merged.since, lost.len()), (5, line(1).ts, MAX_SOURCES));
    }
}

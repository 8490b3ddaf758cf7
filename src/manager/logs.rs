//! What functions write: turned into log lines, collected, and stored in batches behind the
//! invocations, so that none waits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{Shared, consumers::Gone};
use crate::{
    budget::{Budget, WRITTEN_BEHIND},
    model::{
        FunctionError, FunctionName, InstanceId, InvocationId, LineKind, LogLine, Revision,
        RevisionNumber, Stream,
    },
    runtime::Line,
    store::Logs,
};

/// Lines waiting for the store. Beyond it, or beyond [`WRITTEN_BEHIND`] bytes, new lines are dropped and
/// counted, and the manager says so.
const MAX_WAITING: usize = 65_536;
/// Stored together; of the longest lines (1 MiB of logs an invocation) fewer.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Size of a line besides its text.
const LINE_BYTES: usize = 200;
/// Functions, invocations and instances that lost lines and are not told of yet; of more, lines are only counted.
const MAX_SOURCES: usize = 4_096;
/// Limits of an error's trace in a function's log; the last bytes and lines are kept.
const MAX_TRACE: usize = 64 * 1024;
const MAX_TRACE_LINES: usize = 1_000;
/// A line is on its way to the store after at most so long.
const DELAY: Duration = Duration::from_millis(40);

/// The way in. Cheap to clone; never waits.
#[derive(Clone)]
pub struct LogWriter {
    lines: mpsc::Sender<LogLine>,
    closed: CancellationToken,
    /// Somebody in this process reads along. Unbounded, as a guest's output is bounded.
    watcher: Option<mpsc::UnboundedSender<LogLine>>,
    bounds: Arc<Bounds>,
}

struct Bounds {
    budget: Budget,
    /// Since the process began.
    dropped: AtomicU64,
    lost: Mutex<HashMap<Source, Lost>>,
}

/// Whose lines they are.
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

impl Bounds {
    /// Counts a line that will not be stored, so that a line of the log tells of it.
    fn lose(&self, line: &LogLine, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
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
    async fn tell_lost(&self, store: &dyn Logs) {
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

impl LogWriter {
    pub fn write(&self, line: LogLine) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(line.clone());
        }
        let bytes = size(&line);
        if !self.bounds.budget.take(bytes) {
            return self.bounds.lose(&line, 1);
        }
        if let Err(TrySendError::Full(line) | TrySendError::Closed(line)) = self.lines.try_send(line) {
            self.bounds.budget.give_back(bytes);
            self.bounds.lose(&line, 1);
        }
    }

    /// Lines that were not stored, since the process began.
    pub fn dropped(&self) -> u64 {
        self.bounds.dropped.load(Ordering::Relaxed)
    }

    /// Lets the writer end once it has stored what is there; what comes from now on is dropped.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Lines that are not stored yet, but for those being stored.
    pub fn waiting(&self) -> usize {
        self.lines.max_capacity() - self.lines.capacity()
    }
}

/// Turns output into log lines of an invocation, or of the instance when there is none.
pub struct Sink<'a> {
    shared: &'a Shared,
    revision: &'a Revision,
    instance: InstanceId,
    invocation: Option<(InvocationId, u32)>,
    gone: Gone,
    /// How many there were.
    pub lines: u64,
}

impl<'a> Sink<'a> {
    pub fn new(
        shared: &'a Shared,
        revision: &'a Revision,
        instance: InstanceId,
        invocation: Option<(InvocationId, u32)>,
    ) -> Self {
        Self { shared, revision, instance, invocation, gone: Gone::default(), lines: 0 }
    }

    /// Writes what ended an attempt, line by line.
    pub fn write_error(&mut self, error: &FunctionError) {
        let (cut, lines) = error_lines(error);
        if cut > 0 {
            let text = format!("truncated: {cut} lines of the error are not shown");
            self.store(Timestamp::now(), Stream::Platform, text, Some(LineKind::Truncated));
        }
        for text in lines {
            self.store(Timestamp::now(), Stream::Platform, text, Some(LineKind::Error));
        }
    }

    /// Writes a line of the function's output.
    pub fn write(&mut self, line: Line) {
        self.write_at(Timestamp::now(), line);
    }

    /// A line that was written at another time than now.
    pub fn write_at(&mut self, ts: Timestamp, line: Line) {
        let function = self.revision.name.as_str();
        let stream = line.stream.as_str();
        if line.stream == Stream::Platform {
            tracing::warn!(function, line = line.text, "function output cut");
        } else {
            tracing::info!(function, stream, line = line.text, "function wrote");
        }
        self.store(ts, line.stream, line.text, line.kind);
    }

    fn store(&mut self, ts: Timestamp, stream: Stream, line: String, kind: Option<LineKind>) {
        // Its log went with it, and the next function of its name has another.
        if self.gone.is_gone(&self.shared.revisions, self.revision.function) {
            return;
        }
        self.lines += 1;
        self.shared.logs.write(LogLine {
            ts,
            function: self.revision.name.clone(),
            revision: self.revision.number,
            invocation_id: self.invocation.map(|(id, _)| id),
            attempt: self.invocation.map(|(_, attempt)| attempt),
            instance: self.instance,
            stream,
            line,
            kind,
            sequence: None,
        });
    }
}

/// The lines of an error: its trace, and its type and message where the trace does not end with them. The
/// last ones tell most; how many before them are left out is the first answer.
fn error_lines(error: &FunctionError) -> (usize, Vec<String>) {
    let mut text = error.trace.clone().unwrap_or_default();
    if !ends_with_it(&text, error) {
        // What it wrote last stands above as lines of its own.
        let message = match error.trace {
            None if OF_A_CRASH.contains(&&*error.kind) => error.message.split(LAST_OUTPUT).next(),
            _ => None,
        };
        let message = message.unwrap_or(&error.message);
        let error = FunctionError { message: message.to_owned(), ..error.clone() };
        text = format!("{text}\n{}", error.summary());
    }
    // The first line may be indented.
    let all: Vec<&str> = text.trim_end().lines().skip_while(|line| line.trim().is_empty()).collect();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for line in all.iter().rev().take(MAX_TRACE_LINES) {
        bytes += line.len() + 1;
        if bytes > MAX_TRACE && !lines.is_empty() {
            break;
        }
        let end = line.floor_char_boundary(MAX_TRACE);
        lines.push(if end < line.len() { format!("{}…", &line[..end]) } else { (*line).to_owned() });
    }
    lines.reverse();
    (all.len() - lines.len(), lines)
}

/// Whether a trace has the error's message. That of a SyntaxError goes on with the place, which the trace has above.
fn ends_with_it(trace: &str, error: &FunctionError) -> bool {
    let last = trace.trim_end().lines().last().unwrap_or_default();
    let said = last.strip_prefix(&*error.kind).and_then(|rest| rest.strip_prefix(": "));
    let goes_on = said.is_some_and(|said| {
        error
            .message
            .strip_prefix(said)
            .is_some_and(|rest| rest.starts_with(" (") && rest.ends_with(')'))
    });
    !trace.trim().is_empty() && (goes_on || trace.contains(&error.message))
}

/// In a crash's message while the code is loaded, before what [`LoadOutput::tail`] answers.
pub const LAST_OUTPUT: &str = "; its last output: ";
/// The kinds of such errors.
const OF_A_CRASH: [&str; 3] = ["exit", "out_of_memory", "protocol"];

/// Output of an instance while its code was loaded, with the times: it belongs to the invocation that waited
/// for that, which is known afterwards. No more than one exchange's bound.
#[derive(Default)]
pub struct LoadOutput(Vec<(Timestamp, Line)>);

/// Limit of the last output in an error's message.
const TAIL_LINES: usize = 5;
const TAIL_CHARACTERS: usize = 500;

impl LoadOutput {
    pub fn push(&mut self, line: Line) {
        self.0.push((Timestamp::now(), line));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers how many lines there were.
    pub fn write(self, mut sink: Sink<'_>) -> u64 {
        for (ts, line) in self.0 {
            sink.write_at(ts, line);
        }
        sink.lines
    }

    /// All of it, a line each.
    pub fn text(&self) -> String {
        self.0.iter().map(|(_, line)| format!("{}\n", line.text)).collect()
    }

    /// The last lines in one, for an error's message.
    pub fn tail(&self) -> Option<String> {
        let texts = self.0.iter().map(|(_, line)| line.text.trim()).filter(|text| !text.is_empty());
        let last: Vec<&str> = texts.rev().take(TAIL_LINES).collect();
        let tail = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        let excess = tail.chars().count().saturating_sub(TAIL_CHARACTERS);
        match excess {
            0 => Some(tail).filter(|tail| !tail.is_empty()),
            _ => Some(tail.chars().skip(excess).fold("…".to_owned(), |mut cut, next| {
                cut.push(next);
                cut
            })),
        }
    }
}

pub fn start(
    store: Arc<dyn Logs>,
    watcher: Option<mpsc::UnboundedSender<LogLine>>,
) -> (LogWriter, JoinHandle<()>) {
    let (lines, waiting) = mpsc::channel(MAX_WAITING);
    let bounds = Bounds {
        budget: Budget::new(WRITTEN_BEHIND),
        dropped: AtomicU64::new(0),
        lost: Mutex::default(),
    };
    let bounds = Arc::new(bounds);
    let closed = CancellationToken::new();
    let task = tokio::spawn(run(store, waiting, closed.clone(), bounds.clone()));
    (LogWriter { lines, closed, watcher, bounds }, task)
}

fn size(line: &LogLine) -> usize {
    LINE_BYTES + line.line.len()
}

async fn run(
    store: Arc<dyn Logs>,
    mut waiting: mpsc::Receiver<LogLine>,
    closed: CancellationToken,
    bounds: Arc<Bounds>,
) {
    let mut told = 0;
    loop {
        let first = tokio::select! {
            biased;
            first = waiting.recv() => first,
            // What is in the channel is still read, and then it is at its end.
            () = closed.cancelled(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
        };
        let Some(first) = first else { return bounds.tell_lost(&*store).await };
        let mut bytes = size(&first);
        let mut batch = vec![first];
        let deadline = tokio::time::Instant::now() + DELAY;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(line)) => {
                    bytes += size(&line);
                    batch.push(line);
                }
                Ok(None) | Err(_) => break,
            }
        }
        if !store_batch(&*store, &batch).await {
            batch.iter().for_each(|line| bounds.lose(line, 1));
        }
        bounds.budget.give_back(bytes);
        // Behind what had been waiting when lines were lost.
        if waiting.is_empty() {
            bounds.tell_lost(&*store).await;
        }
        let dropped = bounds.dropped.load(Ordering::Relaxed);
        if dropped > told {
            tracing::warn!(lines = dropped - told, "log lines dropped: the store is too slow or away");
            told = dropped;
        }
    }
}

/// Tries for as long as a short outage may take; false when the batch is lost then.
async fn store_batch(store: &dyn Logs, batch: &[LogLine]) -> bool {
    let mut pause = Duration::from_millis(100);
    loop {
        match store.append_logs(batch).await {
            Ok(()) => return true,
            Err(error) if error.is_transient() && pause < Duration::from_secs(8) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                let error = crate::error_chain::chain(&error);
                tracing::warn!(lines = batch.len(), %error, "log lines not stored");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RevisionNumber;

    #[test]
    fn the_tail_of_a_load_is_its_last_lines_within_a_bound() {
        let mut output = LoadOutput::default();
        assert_eq!(output.tail(), None);
        for text in ["1", "2", "", "3", "4", "5", "6 "] {
            output.push(Line { stream: Stream::Stderr, text: text.to_owned(), kind: None });
        }
        assert_eq!(output.tail().unwrap(), "2 / 3 / 4 / 5 / 6");
        output.push(Line { stream: Stream::Stderr, text: "x".repeat(10_000), kind: None });
        let tail = output.tail().unwrap();
        assert_eq!((tail.chars().count(), tail.starts_with("…x")), (TAIL_CHARACTERS + 1, true));
    }

    fn printed(text: String) -> LogLine {
        LogLine {
            ts: Timestamp::now(),
            function: "f".parse().unwrap(),
            revision: RevisionNumber(1),
            invocation_id: None,
            attempt: None,
            instance: InstanceId::new(),
            stream: Stream::Stdout,
            line: text,
            kind: None,
            sequence: None,
        }
    }

    /// The test's one thread lets the writer run only when it waits: until then nothing is stored.
    #[tokio::test]
    async fn lines_beyond_the_bound_are_dropped_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = crate::store::connect(&crate::store::Config::Sqlite { path }).await.unwrap();
        let (writer, task) = start(store.clone(), None);
        let line = printed("x".repeat(6 * 1024 * 1024));
        let kept = WRITTEN_BEHIND / size(&line);
        for _ in 0..kept + 3 {
            writer.write(line.clone());
        }
        assert_eq!(writer.dropped(), 3);
        writer.close();
        task.await.unwrap();
        assert_eq!(writer.dropped(), 3, "the others are stored");
        let lost = crate::store::LogFilter {
            functions: Vec::new(),
            invocation: None,
            since: None,
            after: None,
            before: None,
            newest: true,
            limit: 1,
            bytes: 0,
        };
        let page = store.logs(&lost).await.unwrap();
        let last = &page.lines[0].line;
        assert_eq!(last.line, "lost: 3 lines were not stored: the store was too slow or away");
        assert_eq!((last.stream, last.kind), (Stream::Platform, Some(LineKind::Lost)));
        assert_eq!(writer.waiting(), 0);
        store.close().await;
    }

    #[test]
    fn what_could_not_be_told_is_added_to_what_was_lost_meanwhile() {
        let bounds = Bounds {
            budget: Budget::new(WRITTEN_BEHIND),
            dropped: AtomicU64::new(0),
            lost: Mutex::default(),
        };
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
        bounds.lose(&line(1), 2);
        let untold = bounds.take_lost();
        bounds.lose(&line(2), 3);
        for _ in 1..MAX_SOURCES {
            bounds.lose(&LogLine { instance: InstanceId::new(), ..line(2) }, 1);
        }
        bounds.keep_lost(untold);
        bounds.keep_lost(
            [(
                Source::of(&LogLine { instance: InstanceId::new(), ..line(2) }),
                Lost { since: line(2).ts, lines: 1 },
            )]
            .into(),
        );
        let lost = bounds.take_lost();
        let merged = &lost[&Source::of(&line(1))];
        assert_eq!((merged.lines, merged.since, lost.len()), (5, line(1).ts, MAX_SOURCES));
    }

    /// Somebody still holds the way in, as the manager does to its end.
    #[tokio::test]
    async fn a_writer_whose_line_is_full_ends_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = crate::store::connect(&crate::store::Config::Sqlite { path }).await.unwrap();
        let (writer, task) = start(store.clone(), None);
        let line = printed("x".to_owned());
        for _ in 0..MAX_WAITING + 1 {
            writer.write(line.clone());
        }
        assert_eq!((writer.waiting(), writer.dropped()), (MAX_WAITING, 1));
        writer.close();
        task.await.unwrap();
        assert_eq!((writer.waiting(), writer.dropped()), (0, 1), "the others are stored");
        store.close().await;
    }

    fn error(message: &str, trace: Option<String>) -> FunctionError {
        FunctionError { kind: "ValueError".to_owned(), message: message.to_owned(), trace, hint: None }
    }

    #[test]
    fn an_error_is_its_trace_or_its_message() {
        let trace = "Traceback (most recent call last):\n  File \"f.py\"\nValueError: no\n";
        let expected = ["Traceback (most recent call last):", "  File \"f.py\"", "ValueError: no"];
        assert_eq!(
            error_lines(&error("no", Some(trace.to_owned()))),
            (0, expected.map(str::to_owned).to_vec())
        );
        assert_eq!(error_lines(&error("a\nb", None)).1, ["ValueError: a", "b"]);
        assert_eq!(error_lines(&error("no", Some("at f:1".to_owned()))).1, ["at f:1", "ValueError: no"]);
        assert_eq!(error_lines(&error("", None)).1, ["ValueError"]);
        let syntax = |message: &str, trace: &str| FunctionError {
            kind: "SyntaxError".to_owned(),
            ..error(message, Some(trace.to_owned()))
        };
        let trace = "  File \"function.py\", line 1\n    def h(\nSyntaxError: expected ':'\n";
        assert_eq!(
            error_lines(&syntax("expected ':' (function.py, line 1)", trace)).1,
            ["  File \"function.py\", line 1", "    def h(", "SyntaxError: expected ':'"]
        );
        let exit =
            FunctionError { kind: "exit".to_owned(), ..error("it ended; its last output: bye", None) };
        assert_eq!(error_lines(&exit).1, ["exit: it ended"]);
    }

    #[test]
    fn of_a_long_error_the_end_is_kept() {
        let (cut, lines) = error_lines(&error("0", Some("x\n".repeat(5_000) + "0")));
        assert_eq!((cut, lines.len(), lines.last().unwrap().as_str()), (4_001, MAX_TRACE_LINES, "0"));
        let (cut, lines) = error_lines(&error(&"é".repeat(70_000), None));
        assert!(cut == 0 && lines.len() == 1 && lines[0].len() <= MAX_TRACE + 3);
        assert!(lines[0].ends_with("é…"));
    }
}

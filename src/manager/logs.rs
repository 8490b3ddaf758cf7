//! What functions write: turned into log lines, collected, and stored in batches behind the
//! invocations, so that none waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinHandle};

use super::Shared;
use crate::{
    budget::{Budget, WRITTEN_BEHIND},
    model::{InstanceId, InvocationId, LogLine, Revision, Stream},
    runtime::Line,
    store::Store,
};

/// Lines waiting for the store. Beyond it, or beyond [`WRITTEN_BEHIND`] bytes, new lines are dropped and
/// counted, and the manager says so.
const MAX_WAITING: usize = 65_536;
/// Stored together; of the longest lines (1 MiB of logs an invocation) fewer.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Of a line besides its text.
const LINE_BYTES: usize = 200;
/// A line is on its way to the store after at most so long.
const DELAY: Duration = Duration::from_millis(40);

/// The way in. Cheap to clone; never waits.
#[derive(Clone)]
pub struct LogWriter {
    lines: mpsc::Sender<Option<LogLine>>,
    /// Somebody in this process reads along. Unbounded, as a guest's output is bounded.
    watcher: Option<mpsc::UnboundedSender<LogLine>>,
    bounds: Arc<Bounds>,
}

struct Bounds {
    budget: Budget,
    /// Since the process began.
    dropped: AtomicU64,
}

impl LogWriter {
    pub fn write(&self, line: LogLine) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(line.clone());
        }
        let bytes = size(&line);
        if !self.bounds.budget.take(bytes) {
            self.bounds.dropped.fetch_add(1, Ordering::Relaxed);
        } else if self.lines.try_send(Some(line)).is_err() {
            self.bounds.budget.give_back(bytes);
            self.bounds.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were not stored, since the process began.
    pub fn dropped(&self) -> u64 {
        self.bounds.dropped.load(Ordering::Relaxed)
    }

    /// Lets the writer end once it has stored what is there.
    pub fn close(&self) {
        // A full channel is being read; the task that reads it also ends when all writers are gone.
        let _ = self.lines.try_send(None);
    }
}

/// Turns output into log lines of an invocation, or of the instance when there is none.
pub struct Sink<'a> {
    shared: &'a Shared,
    revision: &'a Revision,
    instance: InstanceId,
    invocation: Option<(InvocationId, u32)>,
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
        Self { shared, revision, instance, invocation, lines: 0 }
    }

    pub fn write(&mut self, line: Line) {
        let function = self.revision.name.as_str();
        let stream = line.stream.as_str();
        self.lines += 1;
        if line.stream == Stream::Platform {
            tracing::warn!(function, line = line.text, "function output cut");
        } else {
            tracing::info!(function, stream, line = line.text, "function wrote");
        }
        self.shared.logs.write(LogLine {
            ts: Timestamp::now(),
            function: self.revision.name.clone(),
            revision: self.revision.number,
            invocation_id: self.invocation.map(|(id, _)| id),
            attempt: self.invocation.map(|(_, attempt)| attempt),
            instance: self.instance,
            stream: line.stream,
            line: line.text,
        });
    }
}

pub fn start(
    store: Arc<dyn Store>,
    watcher: Option<mpsc::UnboundedSender<LogLine>>,
) -> (LogWriter, JoinHandle<()>) {
    let (lines, waiting) = mpsc::channel(MAX_WAITING);
    let bounds = Bounds { budget: Budget::new(WRITTEN_BEHIND), dropped: AtomicU64::new(0) };
    let bounds = Arc::new(bounds);
    let task = tokio::spawn(run(store, waiting, bounds.clone()));
    (LogWriter { lines, watcher, bounds }, task)
}

fn size(line: &LogLine) -> usize {
    LINE_BYTES + line.line.len()
}

async fn run(store: Arc<dyn Store>, mut waiting: mpsc::Receiver<Option<LogLine>>, bounds: Arc<Bounds>) {
    let (mut open, mut told) = (true, 0);
    while open {
        let Some(Some(first)) = waiting.recv().await else { return };
        let mut bytes = size(&first);
        let mut batch = vec![first];
        let deadline = tokio::time::Instant::now() + DELAY;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(Some(line))) => {
                    bytes += size(&line);
                    batch.push(line);
                }
                Ok(Some(None) | None) => {
                    open = false;
                    break;
                }
                Err(_) => break,
            }
        }
        if !store_batch(&*store, &batch).await {
            bounds.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        bounds.budget.give_back(bytes);
        let dropped = bounds.dropped.load(Ordering::Relaxed);
        if dropped > told {
            tracing::warn!(lines = dropped - told, "log lines dropped: the store is too slow or away");
            told = dropped;
        }
    }
}

/// Tries for as long as a short outage may take; false when the batch is lost then.
async fn store_batch(store: &dyn Store, batch: &[LogLine]) -> bool {
    let mut pause = Duration::from_millis(100);
    loop {
        match store.append_logs(batch).await {
            Ok(()) => return true,
            Err(error) if error.is_transient() && pause < Duration::from_secs(8) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                let error = crate::http::chain(&error);
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

    /// The test's one thread lets the writer run only when it waits: until then nothing is stored.
    #[tokio::test]
    async fn lines_beyond_the_bound_are_dropped_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = crate::store::connect(&crate::store::Config::Sqlite { path }).await.unwrap();
        let (writer, task) = start(store.clone(), None);
        let line = LogLine {
            ts: Timestamp::now(),
            function: "f".parse().unwrap(),
            revision: RevisionNumber(1),
            invocation_id: None,
            attempt: None,
            instance: InstanceId::new(),
            stream: Stream::Stdout,
            line: "x".repeat(6 * 1024 * 1024),
        };
        let kept = WRITTEN_BEHIND / size(&line);
        for _ in 0..kept + 3 {
            writer.write(line.clone());
        }
        assert_eq!(writer.dropped(), 3);
        writer.close();
        task.await.unwrap();
        assert_eq!(writer.dropped(), 3, "the others are stored");
        store.close().await;
    }
}

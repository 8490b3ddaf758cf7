//! Log lines, stored in batches behind the invocations, so that none waits.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::mpsc::UnboundedSender, task::JoinHandle};

use super::lost::LostLines;
use crate::{
    model::LogLine,
    store::{self, Logs},
    write_behind::{self, Bounds, Destination, WriteBehind},
};

/// Beyond these bounds new lines are dropped and counted, and the manager says so. Of the longest lines (1 MiB of
/// logs an invocation) fewer than `batch` are stored together.
const BOUNDS: Bounds = Bounds {
    waiting: 65_536,
    batch: 2_000,
    batch_bytes: 8 * 1024 * 1024,
    delay: Duration::from_millis(40),
};
/// Size of a line besides its text.
const LINE_BYTES: usize = 200;

/// The way in. Cheap to clone; never waits.
#[derive(Clone)]
pub struct LogWriter {
    lines: WriteBehind<LogLine>,
    /// Somebody in this process reads along. Unbounded, as a guest's output is bounded.
    watcher: Option<UnboundedSender<LogLine>>,
    lost: Arc<LostLines>,
}

impl LogWriter {
    /// Writes a line behind, or drops and counts it.
    pub fn write(&self, line: LogLine) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(line.clone());
        }
        match self.lines.reserve(Lines::size(&line)) {
            Some(room) => room.send(line),
            None => self.lost.lose(&line, 1),
        }
    }

    /// Lines that were not stored, since the process began.
    pub fn dropped(&self) -> u64 {
        self.lost.count()
    }

    /// Lets the writer end once it has stored what is there; what comes from now on is dropped.
    pub fn close(&self) {
        self.lines.close();
    }

    /// Lines that are not stored yet, apart from those being stored.
    pub fn waiting(&self) -> usize {
        self.lines.waiting()
    }
}

/// Starts the writer; its task ends after [`LogWriter::close`]. `watcher` gets each line at once.
pub fn start(
    store: Arc<dyn Logs>,
    watcher: Option<UnboundedSender<LogLine>>,
) -> (LogWriter, JoinHandle<()>) {
    let lost = Arc::new(LostLines::default());
    let (lines, task) = write_behind::start(BOUNDS, Lines { store, lost: lost.clone(), told: 0 });
    (LogWriter { lines, watcher, lost }, task)
}

struct Lines {
    store: Arc<dyn Logs>,
    lost: Arc<LostLines>,
    /// How many of the lost ones the platform's log speaks of.
    told: u64,
}

#[async_trait]
impl Destination for Lines {
    type Item = LogLine;
    type Error = store::Error;

    const WHAT: &'static str = "log lines";

    fn size(line: &LogLine) -> usize {
        LINE_BYTES + line.line.len()
    }

    async fn store(&self, batch: &[LogLine]) -> Result<(), store::Error> {
        self.store.append_logs(batch).await
    }

    fn is_transient(error: &store::Error) -> bool {
        error.is_transient()
    }

    async fn settled(&mut self, batch: Vec<LogLine>, is_stored: bool, is_last: bool) {
        if !is_stored {
            batch.iter().for_each(|line| self.lost.lose(line, 1));
        }
        // Behind what had been waiting when lines were lost.
        if is_last {
            self.lost.tell(&*self.store).await;
        }
        let dropped = self.lost.count();
        if dropped > self.told {
            let lines = dropped - self.told;
            tracing::warn!(lines, "log lines dropped: the store is too slow or away");
            self.told = dropped;
        }
    }

    async fn ended(&mut self) {
        self.lost.tell(&*self.store).await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        budget::WRITTEN_BEHIND,
        model::{InstanceId, LineKind, RevisionNumber, Stream},
    };

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
        let kept = WRITTEN_BEHIND / Lines::size(&line);
        for _ in 0..kept + 3 {
            writer.write(line.clone());
        }
        assert_eq!(writer.dropped(), 3);
        writer.close();
        task.await.unwrap();
        assert_eq!(writer.dropped(), 3, "the others are stored");
        let newest = store::LogFilter { newest: true, limit: 1, ..store::LogFilter::all() };
        let page = store.logs(&newest).await.unwrap();
        let last = &page.lines[0].line;
        assert_eq!(last.line, "lost: 3 lines were not stored: the store was too slow or away");
        assert_eq!((last.stream, last.kind), (Stream::Platform, Some(LineKind::Lost)));
        assert_eq!(writer.waiting(), 0);
        store.close().await;
    }

    /// Somebody still holds the way in, as the manager does to its end.
    #[tokio::test]
    async fn a_writer_whose_line_is_full_ends_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = crate::store::connect(&crate::store::Config::Sqlite { path }).await.unwrap();
        let (writer, task) = start(store.clone(), None);
        let line = printed("x".to_owned());
        for _ in 0..BOUNDS.waiting + 1 {
            writer.write(line.clone());
        }
        assert_eq!((writer.waiting(), writer.dropped()), (BOUNDS.waiting, 1));
        writer.close();
        task.await.unwrap();
        assert_eq!((writer.waiting(), writer.dropped()), (0, 1), "the others are stored");
        store.close().await;
    }
}

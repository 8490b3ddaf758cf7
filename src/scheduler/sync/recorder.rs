//! Records of sync invocations, written behind: readable here at once, stored in bounded batches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::{
    model::{HttpRequest, IdPart, InvocationId, api::Dropped},
    scheduler::shards::Shards,
    store::{self, History, SyncRecord},
    write_behind::{self, Bounds, Destination, WriteBehind},
};

/// Beyond these bounds a record is dropped and counted (`/healthz` and `doctor` say so): an answer never waits for
/// its record. Before a record its result's bytes are dropped.
const BOUNDS: Bounds = Bounds {
    waiting: 20_000,
    batch: 500,
    batch_bytes: 16 * 1024 * 1024,
    delay: Duration::from_millis(100),
};
/// Size of a record besides its result and the traces of its errors.
const RECORD_BYTES: usize = 1024;

pub struct Recorder {
    recent: Arc<Shards<Arc<SyncRecord>>>,
    records: WriteBehind<Arc<SyncRecord>>,
    dropped: Arc<DroppedCounts>,
}

/// Counts since the process began.
#[derive(Default)]
struct DroppedCounts {
    results: AtomicU64,
    records: AtomicU64,
}

impl DroppedCounts {
    fn now(&self) -> Dropped {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (results, records) = (count(&self.results), count(&self.records));
        Dropped { results, records, ..Dropped::default() }
    }
}

impl Recorder {
    /// Writes a record behind, or drops and counts it; before that it drops the result's bytes alone.
    pub fn write(&self, mut record: SyncRecord) {
        let dropped = &self.dropped;
        let mut room = self.records.reserve(size(&record));
        let mut result = None;
        if room.is_none() {
            result = record.result.take();
            room = self.records.reserve(size(&record));
        }
        let Some(room) = room else {
            dropped.records.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if result.is_some() {
            dropped.results.fetch_add(1, Ordering::Relaxed);
        }
        let record = Arc::new(record);
        // First: the writer may be done with it in the next moment.
        self.recent.insert(record.record.id, record.clone());
        room.send(record);
    }

    /// What was not stored, since the process began.
    pub fn dropped(&self) -> Dropped {
        self.dropped.now()
    }

    /// Tells how much is left, without keeping the writer from its end.
    pub fn closing(&self) -> Closing {
        Closing(self.recent.clone())
    }

    /// One that is not stored yet.
    pub fn recent(&self, id: InvocationId) -> Option<Arc<SyncRecord>> {
        self.recent.with(id, |record| record.clone())
    }

    /// All that are not stored yet.
    pub fn each_recent(&self, mut visit: impl FnMut(&SyncRecord)) {
        self.recent.for_each(|_, record| visit(record));
    }

    /// Those among them whose id has that part.
    pub fn find(&self, part: &IdPart) -> Vec<InvocationId> {
        self.recent.ids(part)
    }
}

pub struct Closing(Arc<Shards<Arc<SyncRecord>>>);

impl Closing {
    /// Records that are not stored yet.
    pub fn waiting(&self) -> usize {
        let mut count = 0;
        self.0.for_each(|_, _| count += 1);
        count
    }
}

fn size(record: &SyncRecord) -> usize {
    let errors = record.record.attempts.iter().filter_map(|attempt| attempt.error.as_ref());
    let errors = errors.map(|error| error.message.len() + error.trace.as_ref().map_or(0, String::len));
    let http = record.record.http.as_ref().map_or(0, HttpRequest::size);
    RECORD_BYTES
        + http
        + errors.sum::<usize>()
        + record.result.as_ref().map_or(0, |body| body.bytes.len())
}

/// The task ends when the recorder is dropped and everything is stored.
pub fn start(store: Arc<dyn History>) -> (Recorder, JoinHandle<()>) {
    let (recent, dropped) = (Arc::new(Shards::default()), Arc::new(DroppedCounts::default()));
    let destination =
        Records { store, recent: recent.clone(), dropped: dropped.clone(), told: Dropped::default() };
    let (records, task) = write_behind::start(BOUNDS, destination);
    (Recorder { recent, records, dropped }, task)
}

struct Records {
    store: Arc<dyn History>,
    recent: Arc<Shards<Arc<SyncRecord>>>,
    dropped: Arc<DroppedCounts>,
    /// What the platform's log speaks of.
    told: Dropped,
}

#[async_trait]
impl Destination for Records {
    type Item = Arc<SyncRecord>;
    type Error = store::Error;

    const WHAT: &'static str = "records";

    fn size(record: &Arc<SyncRecord>) -> usize {
        size(record)
    }

    async fn store(&self, batch: &[Arc<SyncRecord>]) -> Result<(), store::Error> {
        self.store.write_sync(batch).await
    }

    fn is_transient(error: &store::Error) -> bool {
        error.is_transient()
    }

    async fn settled(&mut self, batch: Vec<Arc<SyncRecord>>, is_stored: bool, _: bool) {
        if !is_stored {
            self.dropped.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        for record in batch {
            self.recent.remove(record.record.id);
        }
        let now = self.dropped.now();
        if now != self.told {
            let (results, records) = (now.results - self.told.results, now.records - self.told.records);
            tracing::warn!(results, records, "dropped: the store is too slow or away");
            self.told = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::budget::WRITTEN_BEHIND;
    use crate::model::{Body, FunctionId, Mode, Phases, Record, State};

    fn record(bytes: usize) -> SyncRecord {
        let result = Body { content_type: "text/plain".to_owned(), bytes: vec![0; bytes].into() };
        let now = Timestamp::now();
        SyncRecord {
            function: FunctionId::new(),
            record: Record {
                id: InvocationId::new(),
                function: "f".parse().unwrap(),
                mode: Mode::Sync,
                state: State::Succeeded,
                dead_letter: false,
                start: None,
                prewarmed: false,
                accepted_at: now,
                finished_at: Some(now),
                duration_ms: None,
                attempts: Vec::new(),
                phases: Phases::new(),
                result: None,
                parent: None,
                reason: None,
                http: None,
            },
            result: Some(result),
        }
    }

    /// The test's one thread lets the writer run only when it waits: until then nothing is stored.
    #[tokio::test]
    async fn results_are_dropped_before_records_and_both_at_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = crate::store::connect(&crate::store::Config::Sqlite { path }).await.unwrap();
        let (recorder, task) = start(store.clone());
        let large = 6 * 1024 * 1024;
        let kept = (WRITTEN_BEHIND - RECORD_BYTES) / (large + RECORD_BYTES);
        let mut ids = Vec::new();
        for _ in 0..BOUNDS.waiting + 5 {
            let record = record(if ids.len() < 50 { large } else { 0 });
            ids.push(record.record.id);
            recorder.write(record);
        }
        let has_result = |id: &&InvocationId| recorder.recent(**id).unwrap().result.is_some();
        assert_eq!(ids[..50].iter().filter(has_result).count(), kept, "of 6 MiB in 64 MiB");
        let Dropped { results, records: dropped, .. } = recorder.dropped();
        assert_eq!(results, 50 - kept as u64);
        let waiting = ids.iter().filter(|id| recorder.recent(**id).is_some()).count();
        assert_eq!(waiting as u64 + dropped, ids.len() as u64);
        assert!(dropped >= 5, "{dropped}");
        drop(recorder);
        task.await.unwrap();
        assert!(store.record(ids[49]).await.unwrap().is_some(), "without its result");
        assert!(store.result(ids[0]).await.unwrap().is_some());
        assert!(store.result(ids[49]).await.unwrap().is_none());
        store.close().await;
    }
}

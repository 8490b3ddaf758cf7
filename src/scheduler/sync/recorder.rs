//! Records of sync invocations, written behind: readable here at once, stored in bounded batches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    budget::{Budget, WRITTEN_BEHIND},
    error_chain::chain,
    model::{IdPart, InvocationId, api::Dropped},
    scheduler::shards::Shards,
    store::{History, SyncRecord},
};

/// Records waiting for the store. Beyond it, or beyond [`WRITTEN_BEHIND`] bytes, a record is dropped and
/// counted (`/healthz` and `doctor` say so): an answer never waits for its record. Before a record its result's bytes are dropped.
const MAX_WAITING: usize = 20_000;
const BATCH: usize = 500;
/// In one batch, in bytes (one record more may go over it).
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Size of a record besides its result and the traces of its errors.
const RECORD_BYTES: usize = 1024;
/// A record is on its way to the store after at most so long.
const DELAY: Duration = Duration::from_millis(50);

pub struct Recorder {
    recent: Arc<Shards<Arc<SyncRecord>>>,
    records: mpsc::Sender<Arc<SyncRecord>>,
    bounds: Arc<Bounds>,
}

/// The counts are since the process began.
struct Bounds {
    budget: Budget,
    dropped_results: AtomicU64,
    dropped_records: AtomicU64,
}

impl Recorder {
    pub fn write(&self, mut record: SyncRecord) {
        let bounds = &self.bounds;
        let mut bytes = size(&record);
        let mut result = None;
        if !bounds.budget.take(bytes) {
            result = record.result.take();
            bytes = size(&record);
            if !bounds.budget.take(bytes) {
                bounds.dropped_records.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let record = Arc::new(record);
        let id = record.record.id;
        self.recent.insert(id, record.clone());
        if self.records.try_send(record).is_err() {
            self.recent.remove(id);
            bounds.budget.give_back(bytes);
            bounds.dropped_records.fetch_add(1, Ordering::Relaxed);
        } else if result.is_some() {
            bounds.dropped_results.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was not stored, since the process began.
    pub fn dropped(&self) -> Dropped {
        self.bounds.dropped()
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
    RECORD_BYTES + errors.sum::<usize>() + record.result.as_ref().map_or(0, |body| body.bytes.len())
}

/// The task ends when the recorder is dropped and everything is stored.
pub fn start(store: Arc<dyn History>) -> (Recorder, JoinHandle<()>) {
    let recent = Arc::new(Shards::default());
    let (records, waiting) = mpsc::channel(MAX_WAITING);
    let bounds = Arc::new(Bounds {
        budget: Budget::new(WRITTEN_BEHIND),
        dropped_results: AtomicU64::new(0),
        dropped_records: AtomicU64::new(0),
    });
    let task = tokio::spawn(run(store, waiting, recent.clone(), bounds.clone()));
    (Recorder { recent, records, bounds }, task)
}

async fn run(
    store: Arc<dyn History>,
    mut waiting: mpsc::Receiver<Arc<SyncRecord>>,
    recent: Arc<Shards<Arc<SyncRecord>>>,
    bounds: Arc<Bounds>,
) {
    let mut told = Dropped::default();
    while let Some(first) = waiting.recv().await {
        let mut bytes = size(&first);
        let mut batch = vec![first];
        let deadline = tokio::time::Instant::now() + DELAY;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(record)) => {
                    bytes += size(&record);
                    batch.push(record);
                }
                Ok(None) | Err(_) => break,
            }
        }
        if !write(&*store, &batch).await {
            bounds.dropped_records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        for record in batch {
            recent.remove(record.record.id);
        }
        bounds.budget.give_back(bytes);
        bounds.tell(&mut told);
    }
}

impl Bounds {
    fn dropped(&self) -> Dropped {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (results, records) = (count(&self.dropped_results), count(&self.dropped_records));
        Dropped { results, records, ..Dropped::default() }
    }

    /// Logs what has come since.
    fn tell(&self, told: &mut Dropped) {
        let now = self.dropped();
        if now != *told {
            let (results, records) = (now.results - told.results, now.records - told.records);
            tracing::warn!(results, records, "dropped: the store is too slow or away");
            *told = now;
        }
    }
}

/// Tries for as long as a short outage may take; false when the batch is lost then.
async fn write(store: &dyn History, records: &[Arc<SyncRecord>]) -> bool {
    let mut pause = Duration::from_millis(100);
    loop {
        match store.write_sync(records).await {
            Ok(()) => return true,
            Err(error) if error.is_transient() && pause < Duration::from_secs(8) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                tracing::warn!(records = records.len(), error = %chain(&error), "records not stored");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Body, FunctionId, Mode, Record, State};

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
                phases: Vec::new(),
                result: None,
                parent: None,
                reason: None,
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
        for _ in 0..MAX_WAITING + 5 {
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

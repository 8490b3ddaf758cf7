//! Records of sync invocations, written behind: readable here at once, stored in bounded batches.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};

use super::shards::Shards;
use crate::{
    http::chain,
    model::InvocationId,
    store::{Store, SyncRecord},
};

/// Records waiting for the store. Beyond it a record is dropped and counted: an answer never waits
/// for its record.
const MAX_WAITING: usize = 20_000;
const BATCH: usize = 500;
/// Results in one batch, in bytes (one more may go over it).
const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// A record is on its way to the store after at most so long.
const DELAY: Duration = Duration::from_millis(50);

pub struct Recorder {
    recent: Arc<Shards<Arc<SyncRecord>>>,
    records: mpsc::Sender<Arc<SyncRecord>>,
}

impl Recorder {
    pub fn write(&self, record: SyncRecord) {
        let record = Arc::new(record);
        let id = record.record.id;
        self.recent.insert(id, record.clone());
        if self.records.try_send(record).is_err() {
            self.recent.remove(id);
            tracing::warn!(invocation = %id, "record dropped: the store is too slow or away");
        }
    }

    /// One that is not stored yet.
    pub fn recent(&self, id: InvocationId) -> Option<Arc<SyncRecord>> {
        self.recent.with(id, |record| record.clone())
    }
}

/// The task ends when the recorder is dropped and everything is stored.
pub fn start(store: Arc<dyn Store>) -> (Recorder, JoinHandle<()>) {
    let recent = Arc::new(Shards::default());
    let (records, waiting) = mpsc::channel(MAX_WAITING);
    let task = tokio::spawn(run(store, waiting, recent.clone()));
    (Recorder { recent, records }, task)
}

async fn run(
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<Arc<SyncRecord>>,
    recent: Arc<Shards<Arc<SyncRecord>>>,
) {
    while let Some(first) = waiting.recv().await {
        let size = |record: &SyncRecord| record.result.as_ref().map_or(0, |body| body.bytes.len());
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
        let records: Vec<SyncRecord> = batch.iter().map(|record| (**record).clone()).collect();
        write(&*store, &records).await;
        for record in batch {
            recent.remove(record.record.id);
        }
    }
}

/// Tries for as long as a short outage may take; then the batch is lost and said so.
async fn write(store: &dyn Store, records: &[SyncRecord]) {
    let mut pause = Duration::from_millis(100);
    loop {
        match store.write_sync(records).await {
            Ok(()) => return,
            Err(error) if error.is_transient() && pause < Duration::from_secs(8) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                return tracing::warn!(records = records.len(), error = %chain(&error), "records lost");
            }
        }
    }
}

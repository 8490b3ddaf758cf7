//! Writes on their way to the one connection that writes: they queue here, and are run in groups (`groups.rs`).
//!
//! Invariants: a write is answered only after the commit that holds its statements and, unless it may be lost, after a
//! sync that began after that; a write that fails leaves nothing behind and does not harm others of its group.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::{SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    BUSY,
    groups::{GROUP, Task},
    jobs::{Answered, Statements, Waiting, Write},
    log::{Log, Promises},
};
use crate::{panicked::Panicked, store::failure::Failure};

pub struct Writer {
    waiting: mpsc::Sender<Waiting>,
    answered: Answered,
}

/// The task that runs what the writers send it.
pub struct Writing {
    waiting: mpsc::Sender<Waiting>,
    promises: Arc<Promises>,
    stop: CancellationToken,
    panicked: Panicked,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writing {
    /// Starts the task, with a connection to the database at `path` that [`super::connection::connect_when_free`] has made;
    /// `options` are for the one that replaces it.
    pub fn start(
        options: SqliteConnectOptions,
        path: &Path,
        connection: SqliteConnection,
    ) -> std::io::Result<Self> {
        let log = Log::open(path)?;
        let (waiting, receiver) = mpsc::channel(GROUP);
        let (stop, promises) = (CancellationToken::new(), Arc::new(Promises::default()));
        let task = Task::new(
            options,
            path.to_owned(),
            (connection, log),
            receiver,
            promises.clone(),
            stop.clone(),
        );
        let panicked = Panicked::default();
        let task = Mutex::new(Some(tokio::spawn(panicked.watch(task.run()))));
        Ok(Self { waiting, promises, stop, panicked, task })
    }

    pub fn writer(&self, answered: Answered) -> Writer {
        Writer { waiting: self.waiting.clone(), answered }
    }

    pub fn promises(&self) -> &Promises {
        &self.promises
    }

    /// Returns once the task has panicked: no write is done any more.
    pub async fn broken(&self) {
        self.panicked.seen().await;
    }

    /// Closes the connection once all waiting writes are done.
    pub async fn close(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

impl Writer {
    /// Runs statements in a transaction, and returns once that is committed, or on disk. Writes run in the order of the
    /// calls.
    pub async fn write<A, T>(&self, arguments: A, run: Statements<A, T>) -> Result<T, Failure>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_bytes(0, arguments, run).await
    }

    /// Does the same for a write whose size, in bytes, counts.
    pub async fn write_bytes<A, T>(
        &self,
        bytes: usize,
        arguments: A,
        run: Statements<A, T>,
    ) -> Result<T, Failure>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (tell, mut told) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let arguments = Some(arguments);
        let write = Write { arguments, run, output: None, taken: taken.clone(), tell };
        let answered = async {
            // An error is reported by the channel that went with the write.
            let waiting = Waiting { bytes, answered: self.answered, job: Box::new(write) };
            let _ = self.waiting.send(waiting).await;
            (&mut told).await
        };
        let answer = match timeout(BUSY, answered).await {
            Ok(answer) => answer,
            Err(_) if !taken.swap(true, Ordering::AcqRel) => {
                return Err(sqlx::Error::PoolTimedOut.into());
            }
            // It is being written: only the disk knows how long that takes.
            Err(_) => told.await,
        };
        answer.unwrap_or_else(|_| match taken.load(Ordering::Acquire) {
            true => Err(Failure::committing(sqlx::Error::WorkerCrashed)),
            false => Err(sqlx::Error::PoolClosed.into()),
        })
    }
}

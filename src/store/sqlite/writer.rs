//! The one connection that writes, and the task that owns it: group commit.
//!
//! ```text
//! write ─▶ waiting ─▶ a group: BEGIN, the statements of each, COMMIT ─▶ each is answered
//!                       └─ one fails: ROLLBACK, and each gets a transaction of its own
//! ```
//!
//! All writes that wait when the task looks go into one transaction, and so into one sync of the disk; the task never
//! waits for more. So a lone write costs the same as without groups, and under load each sync serves the writes that
//! came during the one before.
//!
//! Invariants: a write is answered only after the commit that holds its statements; a write that fails leaves nothing
//! behind and does not harm others of its group; a connection in doubt is never used again.

use std::{
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::BUSY;
use crate::{batch::fitting, store::failure::Failure};

/// The most writes in one commit, and the most that wait for the next; further ones wait to be taken in. The first of a
/// group is answered after the last one's statements, some 20 µs each.
const GROUP: usize = 256;
/// The most bytes in one commit (one write may exceed it); the next group takes the rest. SQLite keeps data that is not
/// committed in memory and in the log.
const GROUP_BYTES: usize = 64 * 1024 * 1024;

/// The statements of one write. They may be run again after a rollback.
pub type Statements<A, T> = for<'c> fn(&'c mut SqliteConnection, &'c A) -> Answer<'c, T>;
pub type Answer<'c, T> = BoxFuture<'c, Result<T, Failure>>;

pub struct Writer {
    waiting: mpsc::Sender<Waiting>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task, with a connection made by [`connect_when_free`]; `options` are for the one that replaces it.
    pub fn start(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        let connection = Some(connection);
        let (waiting, receiver) = mpsc::channel(GROUP);
        let stop = CancellationToken::new();
        let task = Task { options, connection };
        let task = Mutex::new(Some(tokio::spawn(task.run(receiver, stop.clone()))));
        Self { waiting, stop, task }
    }

    /// Runs statements in a transaction, and returns once that is on disk. Writes run in the order of the calls.
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
        let write = Write { arguments, run, output: None, taken: taken.clone(), tell };
        let answered = async {
            // An error is reported by the channel that went with the write.
            let _ = self.waiting.send(Waiting { bytes, job: Box::new(write) }).await;
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

    /// Closes the connection once all waiting writes are done.
    pub async fn close(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

struct Waiting {
    bytes: usize,
    job: Box<dyn Job>,
}

/// A write, whatever its type.
#[async_trait]
trait Job: Send {
    /// Returns false when its caller no longer waits for it: then nothing of it may happen.
    fn take(&self) -> bool;
    async fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure>;
    fn answer(self: Box<Self>, committed: Result<(), Failure>);
}

struct Write<A, T> {
    arguments: A,
    run: Statements<A, T>,
    /// The output of the last run.
    output: Option<T>,
    /// Set by the task, or back by a caller that waited too long: the one that sets it first decides.
    taken: Arc<AtomicBool>,
    tell: oneshot::Sender<Result<T, Failure>>,
}

#[async_trait]
impl<A: Send + Sync, T: Send> Job for Write<A, T> {
    fn take(&self) -> bool {
        !self.tell.is_closed() && !self.taken.swap(true, Ordering::AcqRel)
    }

    async fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        self.output = Some((self.run)(connection, &self.arguments).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Failure>) {
        let Self { output, tell, .. } = *self;
        let answer = committed.map(|()| output.expect("it ran before it was committed"));
        // A caller that dropped the future does not need the answer.
        let _ = tell.send(answer);
    }
}

struct Task {
    options: SqliteConnectOptions,
    /// The connection; none after a failure that leaves it in doubt: the next transaction makes another.
    connection: Option<SqliteConnection>,
}

impl Task {
    async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>, stop: CancellationToken) {
        let mut next = Vec::with_capacity(GROUP);
        loop {
            if next.is_empty() {
                tokio::select! {
                    biased;
                    taken = waiting.recv_many(&mut next, GROUP) => if taken == 0 { break },
                    () = stop.cancelled(), if !waiting.is_closed() => waiting.close(),
                }
            }
            let group = fitting(next.iter().map(|one| one.bytes), GROUP, GROUP_BYTES);
            let group = next.drain(..group).map(|one| one.job);
            let group: Vec<_> = group.filter(|job| job.take()).collect();
            if !group.is_empty() {
                self.commit(group).await;
            }
        }
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the store's file was not closed well");
        }
    }

    async fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        match self.transaction(&mut group).await {
            Err(undone) if undone.by_one && group.len() > 1 => {
                for mut job in group {
                    let alone = self.transaction(std::slice::from_mut(&mut job)).await;
                    job.answer(alone.map_err(|undone| undone.failure));
                }
            }
            committed => {
                let committed = committed.map_err(|undone| undone.failure);
                group.into_iter().for_each(|job| job.answer(committed.clone()));
            }
        }
    }

    /// Begins a transaction with the write lock: one that begins as a reader cannot wait to become a writer.
    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Undone> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect_when_free(&self.options).await.map_err(Undone::by_all)?,
        };
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Undone::by_all)?;
        for job in jobs {
            if let Err(failure) = job.run(&mut tx).await {
                // After some errors, such as a full disk, SQLite has rolled back by itself.
                if tx.rollback().await.is_ok() {
                    self.connection = Some(connection);
                }
                return Err(Undone { failure, by_one: true });
            }
        }
        if let Err(error) = tx.commit().await {
            let failure = Failure::committing(error);
            // A full disk may have room for one.
            return Err(Undone { by_one: !failure.leaves_open(), failure });
        }
        self.connection = Some(connection);
        Ok(())
    }
}

/// The reason why a transaction was not committed.
struct Undone {
    failure: Failure,
    /// Nothing has happened, and the others may well succeed without the one that failed.
    by_one: bool,
}

impl Undone {
    fn by_all(error: sqlx::Error) -> Self {
        Self { failure: error.into(), by_one: false }
    }
}

/// Opens a connection. Switching a new file to the write-ahead log needs the file alone and does not wait for that,
/// whatever the busy timeout is.
pub async fn connect_when_free(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let deadline = Instant::now() + BUSY;
    loop {
        match SqliteConnection::connect_with(options).await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| i32::from_str(&code).is_ok_and(|code| code & 0xff == 5))
}

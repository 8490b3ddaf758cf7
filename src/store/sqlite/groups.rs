//! Group commit: the task that owns the writing connection.
//!
//! ```text
//! waiting ─▶ a group: BEGIN, the statements of each ─▶ COMMIT ─▶ sync of the log ─▶ each is answered
//!    ▲         │ while the sync of the group before goes on, who comes joins
//!    └─────────┘ one fails: ROLLBACK, and each gets a transaction of its own
//! ```
//!
//! All writes that wait when the task looks go into one transaction, and so into one sync of the disk; the task never
//! waits for more, but for the sync before. So a lone write costs the same as without groups; under load the disk and the
//! statements work at the same time, and each sync serves the writes that came during the one before.
//!
//! A group in which nobody waits for the disk has no sync: the next one takes it along, after [`UNSYNCED`] at the latest.
//!
//! Invariants: one sync at a time, and only writes that were committed before it began are answered by it; a connection
//! in doubt is never used again; after a sync has failed, nothing is synced or written any more.

use std::{io, iter, path::PathBuf, sync::Arc, time::Duration};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{connect_when_free, is_failed_sync},
    jobs::{Answered, Job, Waiting},
    log::{Log, Promises},
};
use crate::{batch::fitting, store::failure::Failure};

/// The most writes in one commit, and the most that wait for the next; further ones wait to be taken in. The first of a
/// group is answered after the last one's statements, some 20 µs each.
pub const GROUP: usize = 256;
/// The most bytes in one commit (one write may exceed it); the next group takes the rest. SQLite keeps data that is not
/// committed in memory and in the log.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// The time after which a commit that nobody waits for is synced.
const UNSYNCED: Duration = Duration::from_secs(1);

pub struct Task {
    options: SqliteConnectOptions,
    path: PathBuf,
    /// The connection; none after a failure that leaves it in doubt: the next transaction makes another.
    connection: Option<SqliteConnection>,
    /// The log of that connection, or of the last one.
    log: Arc<Log>,
    /// The sync that goes on; it answers its group itself.
    syncing: Option<JoinHandle<io::Result<()>>>,
    /// The last promise that no sync has begun for.
    promised: Option<u64>,
    /// The time of the first commit that no sync has begun for.
    unsynced: Option<Instant>,
    /// Set by a sync that failed. What the kernel could not write may be missing in the middle of the log, so that later
    /// commits are lost behind it: there may be none. A start finds out what is whole.
    broken: bool,
    waiting: mpsc::Receiver<Waiting>,
    /// Taken from there, and in no group yet.
    next: Vec<Waiting>,
    promises: Arc<Promises>,
    stop: CancellationToken,
}

/// Writes that share a transaction.
#[derive(Default)]
struct Group {
    writes: Vec<(Answered, Box<dyn Job>)>,
    bytes: usize,
}

impl Group {
    fn needs_sync(&self) -> bool {
        self.writes.iter().any(|(answered, _)| *answered == Answered::Synced)
    }

    fn fail(self, failure: &Failure) {
        self.writes.into_iter().for_each(|(_, job)| job.answer(Err(failure.clone())));
    }
}

impl Task {
    pub fn new(
        options: SqliteConnectOptions,
        path: PathBuf,
        (connection, log): (SqliteConnection, Log),
        waiting: mpsc::Receiver<Waiting>,
        promises: Arc<Promises>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            options,
            path,
            connection: Some(connection),
            log: Arc::new(log),
            syncing: None,
            promised: None,
            unsynced: None,
            broken: false,
            waiting,
            next: Vec::with_capacity(GROUP),
            promises,
            stop,
        }
    }

    pub async fn run(mut self) {
        while !self.next.is_empty() || self.wait().await {
            let mut group = Group::default();
            self.take(&mut group);
            if !group.writes.is_empty() {
                self.write(group).await;
            }
        }
        self.close().await;
    }

    /// Waits for writes. Returns false when there will be no more.
    async fn wait(&mut self) -> bool {
        loop {
            let due = self.unsynced.map(|since| since + UNSYNCED);
            tokio::select! {
                biased;
                taken = self.waiting.recv_many(&mut self.next, GROUP) => return taken > 0,
                () = self.stop.cancelled(), if !self.waiting.is_closed() => self.waiting.close(),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.end_sync().await;
                    self.begin_sync(Vec::new());
                }
            }
        }
    }

    /// Takes what waits into a group, as far as it has room. Returns whether something was taken.
    fn take(&mut self, group: &mut Group) -> bool {
        let before = group.writes.len();
        let sizes = self.next.iter().map(|one| one.bytes);
        let count = match before {
            0 => fitting(sizes, GROUP, GROUP_BYTES),
            // What is there already stands for one.
            _ => fitting(iter::once(group.bytes).chain(sizes), 1 + GROUP - before, GROUP_BYTES) - 1,
        };
        for Waiting { bytes, answered, job } in self.next.drain(..count) {
            if job.take() {
                group.bytes += bytes;
                group.writes.push((answered, job));
            }
        }
        group.writes.len() > before
    }

    async fn write(&mut self, mut group: Group) {
        match self.transaction(&mut group, true).await {
            Ok(()) => self.committed(group).await,
            Err(undone) if undone.by_one && group.writes.len() > 1 => {
                let mut done = Group::default();
                for write in group.writes {
                    let mut alone = Group { writes: vec![write], bytes: 0 };
                    match self.transaction(&mut alone, false).await {
                        Ok(()) => done.writes.append(&mut alone.writes),
                        Err(undone) => alone.fail(&undone.failure),
                    }
                }
                self.committed(done).await;
            }
            Err(undone) => {
                group.fail(&undone.failure);
                // A commit that failed may have happened, and readers wait for it.
                self.committed(Group::default()).await;
            }
        }
    }

    /// Begins a transaction with the write lock (one that begins as a reader cannot wait to become a writer), runs a
    /// group and those who join it, and commits.
    async fn transaction(&mut self, group: &mut Group, others_join: bool) -> Result<(), Undone> {
        if self.broken {
            return Err(Undone::by_a_broken_log());
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await.map_err(Undone::by_all)?,
        };
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Undone::by_all)?;
        let mut ran = 0;
        loop {
            for (_, job) in &mut group.writes[ran..] {
                if let Err(failure) = job.run(&mut tx).await {
                    // After some errors, such as a full disk, SQLite has rolled back by itself.
                    if tx.rollback().await.is_ok() {
                        self.connection = Some(connection);
                    }
                    return Err(Undone { failure, by_one: true });
                }
            }
            ran = group.writes.len();
            if !others_join || !self.join(group).await {
                break;
            }
        }
        if self.broken {
            let _ = tx.rollback().await;
            self.connection = Some(connection);
            return Err(Undone::by_a_broken_log());
        }
        if group.needs_sync() {
            // Before readers can see it.
            self.promised = Some(self.promises.give());
        }
        if let Err(error) = tx.commit().await {
            if is_failed_sync(&error) {
                self.broken = true;
                self.connection = Some(connection);
            }
            let failure = Failure::committing(error);
            // A full disk may have room for one.
            return Err(Undone { by_one: !failure.leaves_open() && !self.broken, failure });
        }
        self.connection = Some(connection);
        group.writes.iter_mut().for_each(|(_, job)| job.committed());
        Ok(())
    }

    /// Has others join a group while the sync before it goes on. Returns false when that has ended, or none of the group
    /// waits for a sync.
    async fn join(&mut self, group: &mut Group) -> bool {
        while group.needs_sync()
            && let Some(syncing) = &mut self.syncing
        {
            let has_room = self.next.is_empty() && group.writes.len() < GROUP;
            tokio::select! {
                biased;
                ended = syncing => self.sync_ended(ended),
                taken = self.waiting.recv_many(&mut self.next, GROUP), if has_room => {
                    if taken == 0 {
                        self.end_sync().await;
                    } else if self.take(group) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Answers those who need no sync, and has the others answered by the next one, with which the promise is kept.
    async fn committed(&mut self, group: Group) {
        if !group.writes.is_empty() {
            self.unsynced.get_or_insert_with(Instant::now);
        }
        let (synced, committed): (Vec<_>, Vec<_>) =
            group.writes.into_iter().partition(|(answered, _)| *answered == Answered::Synced);
        committed.into_iter().for_each(|(_, job)| job.answer(Ok(())));
        let is_late = self.unsynced.is_some_and(|since| since.elapsed() >= UNSYNCED);
        if self.promised.is_some() || is_late {
            self.end_sync().await;
            self.begin_sync(synced.into_iter().map(|(_, job)| job).collect());
        }
    }

    /// Begins a sync for all commits until now, which answers these writes. None may be going on.
    fn begin_sync(&mut self, writes: Vec<Box<dyn Job>>) {
        self.unsynced = None;
        let promise = self.promised.take();
        let (log, promises, is_broken) = (self.log.clone(), self.promises.clone(), self.broken);
        self.syncing = Some(spawn_blocking(move || {
            let synced = match is_broken {
                true => Err(io::Error::other("an earlier sync has failed")),
                false => log.sync(),
            };
            match (&synced, promise) {
                (Ok(()), Some(promise)) => promises.keep(promise),
                (Ok(()), None) => {}
                (Err(_), _) => promises.fail(),
            }
            let failure = synced.as_ref().err().map(|error| {
                let error = io::Error::new(error.kind(), error.to_string());
                Failure::committing(sqlx::Error::Io(error))
            });
            for write in writes {
                write.answer(failure.clone().map_or(Ok(()), Err));
            }
            synced
        }));
    }

    /// Waits for the sync that goes on.
    async fn end_sync(&mut self) {
        if let Some(syncing) = &mut self.syncing {
            let ended = syncing.await;
            self.sync_ended(ended);
        }
    }

    fn sync_ended(&mut self, ended: Result<io::Result<()>, JoinError>) {
        self.syncing = None;
        let ended = ended.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = ended
            && !self.broken
        {
            self.broken = true;
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "the store's log could not be synced: nothing is written any more; check the disk, then restart the \
                 platform"
            );
        }
    }

    async fn connect(&mut self) -> sqlx::Result<SqliteConnection> {
        let connection = connect_when_free(&self.options).await?;
        // A sync that goes on has a hold of the log before.
        self.log = Arc::new(Log::open(&self.path)?);
        Ok(connection)
    }

    async fn close(mut self) {
        self.end_sync().await;
        if self.unsynced.is_some() {
            self.begin_sync(Vec::new());
            self.end_sync().await;
        }
        let Some(connection) = self.connection else { return };
        if self.broken {
            // The last connection moves the log into the database when it is closed, and would not notice that a part
            // of the log is not what was written. The next start does.
            std::mem::forget(connection);
        } else if let Err(error) = connection.close().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the store's file was not closed well");
        }
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

    fn by_a_broken_log() -> Self {
        Self { failure: Failure::Broken, by_one: false }
    }
}

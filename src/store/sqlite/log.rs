//! The file of the write-ahead log, and which of the commits in it are on disk.
//!
//! A commit only appends to the log (`synchronous = NORMAL`); it is on disk after a sync of the log that began after it
//! (`groups.rs`). Why that is enough, by SQLite's source (`walFrames`, `walCheckpoint`):
//!
//! - Recovery takes the commits of the log up to the first frame that is not whole. A sync writes all frames before it
//!   and the log's header, so that nothing in front of a synced commit is missing.
//! - A checkpoint may move commits into the database at any time, and the log then starts anew. It syncs the log before
//!   it copies, and the database before the log may start anew (whose new header is synced, too): a commit that has left
//!   the log is on disk.
//! - While a connection is open, its lock on the database keeps others from deleting the log. So the file that is opened
//!   here after a connection is the one that the connection writes. Its name is synced here once: SQLite does that only
//!   where the same connection has created the file.
//! - Closing any descriptor of the *database* would drop all locks that this process has on it (POSIX). Nobody locks the
//!   log, so it may be opened and closed.
//!
//! The log is one sequence. What reads a commit that is not on disk yet, and writes, is on disk only after it. What only
//! reads waits for it ([`Promises::kept`]), as nobody may be told what a power cut could undo. That holds within one
//! process: a role in another one may read a commit whose sync goes on.

use std::{
    fs::File,
    io,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{disk::sync_names, store::failure::Failure};

pub struct Log(File);

impl Log {
    /// Opens the log of a database that a connection of this process has open.
    pub fn open(database: &Path) -> io::Result<Self> {
        // SQLite names the log after the file that a link leads to.
        let mut path = database.canonicalize()?.into_os_string();
        path.push("-wal");
        let log = File::open(&path)?;
        sync_names(Path::new(&path).parent().unwrap_or(Path::new("/")))?;
        Ok(Self(log))
    }

    /// Puts all commits on disk that are in the log by now. After an error the kernel may count what it could not write
    /// as written: another sync would tell nothing.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The commits that may not be lost, by number: those that readers may see, and those that are on disk.
#[derive(Default)]
pub struct Promises {
    given: AtomicU64,
    kept: watch::Sender<u64>,
    /// A sync has failed: no further commit gets on disk.
    is_broken: AtomicBool,
}

impl Promises {
    /// Counts a commit that is about to happen.
    pub fn give(&self) -> u64 {
        self.given.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// It and those before are on disk, or did not happen.
    pub fn keep(&self, number: u64) {
        self.kept.send_if_modified(|kept| {
            let is_newer = *kept < number;
            *kept = number.max(*kept);
            is_newer
        });
    }

    /// A sync has failed. What was given and not kept may be on disk or not.
    pub fn fail(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
        self.kept.send_modify(|_| {});
    }

    /// Waits until what a reader can have seen by now is on disk. Fails where that will not come, or takes too long.
    pub async fn kept(&self, within: Duration) -> Result<(), Failure> {
        let given = self.given.load(Ordering::SeqCst);
        if *self.kept.borrow() >= given {
            return Ok(());
        }
        let mut kept = self.kept.subscribe();
        let is_known = |kept: &u64| *kept >= given || self.is_broken.load(Ordering::SeqCst);
        match timeout(within, kept.wait_for(is_known)).await {
            Ok(Ok(kept)) if *kept >= given => Ok(()),
            Ok(_) => Err(Failure::Broken),
            Err(_) => {
                let slow = format!("the disk has not confirmed the last commits for {within:?}");
                Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, slow)).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_reader_waits_for_the_commits_that_it_may_have_seen_and_for_no_later_one() {
        let promises = Arc::new(Promises::default());
        promises.kept(LONG).await.unwrap();
        let first = promises.give();
        let reader = tokio::spawn({
            let promises = promises.clone();
            async move { promises.kept(LONG).await }
        });
        tokio::task::yield_now().await;
        assert!(!reader.is_finished());
        let second = promises.give();
        promises.keep(first);
        reader.await.unwrap().unwrap();
        promises.keep(second);
        // One that is late takes nothing back.
        promises.keep(first);
        promises.kept(LONG).await.unwrap();
    }

    #[tokio::test]
    async fn what_will_not_be_on_disk_is_not_shown() {
        let promises = Promises::default();
        let first = promises.give();
        let error = promises.kept(Duration::ZERO).await.unwrap_err();
        let error = error.into_error("store.db");
        assert!(error.is_transient(), "{error:?}");
        assert!(format!("{error:?}").contains("the disk has not confirmed the last commits for 0ns"));
        let (waiting, ()) = tokio::join!(promises.kept(LONG), async { promises.fail() });
        assert!(matches!(waiting, Err(Failure::Broken)), "{waiting:?}");
        assert!(matches!(promises.kept(LONG).await, Err(Failure::Broken)));
        // What was on disk before still is.
        promises.keep(first);
        promises.kept(LONG).await.unwrap();
    }

    #[test]
    fn the_log_is_that_of_the_file_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("store.db"), "").unwrap();
        std::os::unix::fs::symlink(real.join("store.db"), folder.path().join("link.db")).unwrap();
        assert!(Log::open(&folder.path().join("link.db")).is_err(), "no connection has made it yet");
        std::fs::write(real.join("store.db-wal"), "").unwrap();
        Log::open(&folder.path().join("link.db")).unwrap().sync().unwrap();
    }
}

//! What only a store in a file has to show: what is on the disk, and a disk that is full.

use std::{path::Path, process::Command, sync::Arc};

use bytes::Bytes;
use cloudfunc::{
    model::{Body, State},
    store::{Config, Error},
};

use super::{SqliteFile, accept, claim, deploy, finish, invocation, open, owner, state};

/// The commits in a write-ahead log: frames that name the size of the database after them. Those with another salt than
/// the log's are left over from before it began anew. See "WAL File Format" in SQLite's manual.
fn commits(database: &Path) -> usize {
    let log = std::fs::read(database.with_extension("db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap()) as usize;
    let (header, frame) = (32, 24 + number(8));
    let is_new = |at: &usize| log[16..24] == log[at + 8..at + 16];
    (header..log.len()).step_by(frame).filter(|at| is_new(at) && number(at + 4) > 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_share_a_commit() {
    let place = SqliteFile::create();
    let Config::Sqlite { path } = place.config() else { unreachable!() };
    let store = open(place.config()).await;
    let f = deploy(&store, "f", "v1").await;
    let before = commits(&path);
    for _ in 0..3 {
        accept(&store, &f).await;
    }
    assert_eq!(commits(&path) - before, 3, "nobody waits for company");

    let before = commits(&path);
    let accepting: Vec<_> = (0..64)
        .map(|_| {
            let (store, f) = (Arc::clone(&store), f.clone());
            tokio::spawn(async move { accept(&store, &f).await })
        })
        .collect();
    for task in accepting {
        let id = task.await.unwrap();
        assert_eq!(state(&store, id).await, State::Queued);
    }
    let shared = commits(&path) - before;
    assert!((1..=32).contains(&shared), "64 writes in {shared} commits");
    store.close().await;
}

/// A file system of its own, with room for so much.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None, with a note, for who may not mount.
    fn mount(size: &str, test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED {test}: needs root, to mount a small file system");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", &format!("size={size}"), "cloudfunc-test"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).status().unwrap();
        assert!(mounted.success());
        Some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_accepts_nothing_loses_nothing_and_works_again() {
    let Some(disk) = SmallDisk::mount("12m", "a_full_disk") else { return };
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let store = open(Config::Sqlite { path: disk.0.path().join("store.db") }).await;
    let f = deploy(&store, "f", "v1").await;
    let owner = owner(&store).await;
    let large = Body { content_type: "text/plain".to_owned(), bytes: vec![b'x'; 300_000].into() };
    let mut accepted = Vec::new();
    let error = loop {
        let row = cloudfunc::store::NewInvocation { payload: large.clone(), ..invocation(&f) };
        match store.accept(std::slice::from_ref(&row)).await {
            Ok(there) => {
                assert_eq!(there, [true]);
                accepted.push(row.id);
            }
            Err(error) => break error,
        }
        assert!(accepted.len() < 40, "8 MiB hold no 12 MB");
    };
    let Error::Unwritable { reason, .. } = error else { panic!("{error:?}") };
    assert_eq!(reason.to_string(), "the disk of the data folder is full");
    assert!(store.refused() >= 1);
    // Many at once, of which some may find room.
    let many: Vec<_> = (0..16)
        .map(|_| {
            let (store, row) = (Arc::clone(&store), invocation(&f));
            tokio::spawn(async move { (row.id, store.accept(&[row]).await) })
        })
        .collect();
    for task in many {
        match task.await.unwrap() {
            (id, Ok(_)) => accepted.push(id),
            (_, Err(error)) => assert!(matches!(error, Error::Unwritable { .. }), "{error:?}"),
        }
    }
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accepted, totals.queued), (accepted.len() as u64, accepted.len() as u64));

    std::fs::remove_file(&ballast).unwrap();
    accepted.push(accept(&store, &f).await);
    for id in &accepted {
        let claim = claim(&store, *id, owner).await.expect("it was accepted");
        let payload = claim.payload.bytes;
        assert!(payload == large.bytes || payload == Bytes::from_static(b"payload"));
        assert_eq!(store.settle(&[finish(*id, 1, State::Succeeded)]).await.unwrap(), [true]);
    }
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.terminal, totals.balance()), (accepted.len() as u64, true));
    store.close().await;
}

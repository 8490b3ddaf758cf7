//! The data folder of a running platform: if it is deleted or replaced, everything written to it is lost, and
//! without this check nothing would report that.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{settings::Platform, store};

/// The interval of checks.
const EVERY: Duration = Duration::from_secs(1);

/// The path that was deleted or replaced.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} {} was deleted or replaced while the platform ran; what is written now would be lost", path.display())]
pub struct Gone {
    what: &'static str,
    path: PathBuf,
}

/// Files and folders that must not be replaced. Cheap to check.
#[derive(Debug, Default)]
pub struct Watched(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    what: &'static str,
    path: PathBuf,
    /// The device and the inode.
    identity: (u64, u64),
}

impl Watched {
    /// Watches the data folder of this platform, and its store if that is a file. An entry that does not exist
    /// yet is not watched.
    pub fn of(platform: &Platform) -> Self {
        let mut entries = vec![("the data folder", platform.data_dir.clone())];
        entries.push(("the file", platform.data_dir.join("manager-id")));
        if let store::Config::Sqlite { path } = &platform.store {
            entries.push(("the store", path.clone()));
        }
        let there = |(what, path): (&'static str, PathBuf)| {
            let identity = identity(&path).ok()?;
            Some(Entry { what, path, identity })
        };
        Self(entries.into_iter().filter_map(there).collect())
    }

    pub fn look(&self) -> Result<(), Gone> {
        let lost = self.0.iter().find(|entry| match identity(&entry.path) {
            Ok(found) => found != entry.identity,
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::StaleNetworkFileHandle
            ),
        });
        match lost {
            Some(entry) => Err(Gone { what: entry.what, path: entry.path.clone() }),
            None => Ok(()),
        }
    }

    /// Returns when one of them is gone.
    pub async fn gone(&self) -> Gone {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(gone) = self.look() {
                return gone;
            }
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

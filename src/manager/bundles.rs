//! Unpacked bundles by digest: a cache that can be deleted at any time and is filled from the store.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tokio::sync::OnceCell;

use crate::{
    bundle,
    model::Digest,
    store::{self, Store},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("bundle {0} is not in the store")]
    Missing(Digest),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("bundle {digest} cannot be unpacked")]
    Unpack {
        digest: Digest,
        #[source]
        source: bundle::Error,
    },
    #[error("cannot use {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

pub struct Bundles {
    folder: PathBuf,
    store: Arc<dyn Store>,
    /// Single flight: whoever comes first fetches, the others wait for it.
    known: Mutex<HashMap<Digest, Arc<OnceCell<PathBuf>>>>,
}

impl Bundles {
    pub fn new(folder: PathBuf, store: Arc<dyn Store>) -> Self {
        Self { folder, store, known: Mutex::new(HashMap::new()) }
    }

    /// The folder of an unpacked bundle; read-only for everybody.
    pub async fn get(&self, digest: &Digest) -> Result<PathBuf, Error> {
        let cell = {
            let mut known = self.known.lock().expect("no holder panics");
            known.entry(digest.clone()).or_default().clone()
        };
        let path = cell.get_or_try_init(|| self.fetch(digest)).await?;
        if path.exists() {
            return Ok(path.clone());
        }
        // Somebody has cleared the cache.
        self.known.lock().expect("no holder panics").remove(digest);
        self.fetch(digest).await
    }

    async fn fetch(&self, digest: &Digest) -> Result<PathBuf, Error> {
        let path = self.folder.join(digest.as_str());
        if path.exists() {
            return Ok(path);
        }
        let bytes = self.store.blob(digest).await?.ok_or_else(|| Error::Missing(digest.clone()))?;
        let (folder, target, digest) = (self.folder.clone(), path.clone(), digest.clone());
        tokio::task::spawn_blocking(move || {
            let io = |path: &Path| {
                let path = path.to_owned();
                move |source| Error::Io { path, source }
            };
            fs::create_dir_all(&folder).map_err(io(&folder))?;
            // Unpacked beside its place and then renamed: a bundle is there whole or not at all.
            let beside =
                tempfile::Builder::new().prefix(".unpack-").tempdir_in(&folder).map_err(io(&folder))?;
            let tree = beside.path().join("tree");
            bundle::unpack(&bytes, &tree).map_err(|source| Error::Unpack { digest, source })?;
            match fs::rename(&tree, &target) {
                Err(_) if target.exists() => Ok(()),
                other => other.map_err(io(&target)),
            }
        })
        .await
        .expect("unpacking does not panic")?;
        Ok(path)
    }
}

/// Fills an instance's own folder: directories are made, files are hard links into the cache (the
/// sandbox mounts the folder read-only, so that nothing can be changed through them).
pub fn link_tree(from: &Path, to: &Path) -> Result<(), Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    for entry in fs::read_dir(from).map_err(io(from))? {
        let entry = entry.map_err(io(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(io(&source))?.is_dir() {
            fs::create_dir(&target).map_err(io(&target))?;
            link_tree(&source, &target)?;
        } else {
            fs::hard_link(&source, &target).map_err(io(&target))?;
        }
    }
    Ok(())
}

//! Unpacked bundles by digest: a cache that can be deleted at any time and is filled from the store. Its files are not
//! synced, which first calls would have to wait for; instead, what is there from before this boot is not trusted.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::{OnceCell, RwLock};

use super::{
    boots::{distrust_earlier_boots, entries},
    bytecode::{cache::BytecodeCache, links},
};
use crate::{
    bundle, manifest,
    model::Digest,
    store::{self, Functions},
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

/// A bundle of more files is read anew for each instance instead of being remembered.
const REMEMBERED_FILES: usize = 500;
/// Linking takes some 10 µs a file: this many are sooner linked than handed to another thread.
const FEW_FILES: usize = 50;

/// Bundles that are remembered, those used last; another one is read anew, from its folder.
const REMEMBERED_BUNDLES: usize = 64;

/// An unpacked bundle; read-only for everybody.
#[derive(Debug)]
pub struct Unpacked {
    folder: PathBuf,
    /// Files and folders in it, in the order in which it can be made anew; none of a large one.
    entries: Option<Vec<Entry>>,
    /// The size of its source files that can be compiled, in bytes.
    compilable: u64,
}

#[derive(Debug)]
struct Entry {
    /// Below the bundle's folder.
    path: PathBuf,
    is_folder: bool,
}

impl Unpacked {
    fn read(folder: PathBuf) -> Result<Self, Error> {
        let mut entries = Vec::new();
        list(&folder, Path::new(""), &mut entries)?;
        let files = entries.iter().filter(|entry| !entry.is_folder).map(|entry| &*entry.path);
        let compilable = links::compilable(&folder, files);
        let entries = (entries.len() <= REMEMBERED_FILES).then_some(entries);
        Ok(Self { folder, entries, compilable })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn compilable(&self) -> u64 {
        self.compilable
    }

    /// Fills an instance's own folder: directories are made, files are hard links into the cache (the
    /// sandbox mounts the folder read-only, so that nothing can be changed through them). `bytecode`: a folder with more
    /// files, for folders that the bundle has.
    pub async fn fill(self: &Arc<Self>, task: &Path, bytecode: Option<PathBuf>) -> Result<(), Error> {
        match &self.entries {
            Some(entries) if entries.len() <= FEW_FILES && bytecode.is_none() => {
                self.link(entries, task)
            }
            _ => {
                let (this, task) = (self.clone(), task.to_owned());
                let filling = tokio::task::spawn_blocking(move || {
                    this.fill_blocking(&task)?;
                    if let Some(bytecode) = bytecode
                        && let Err(error) = links::add(&bytecode, &task)
                    {
                        tracing::warn!(%error, "an instance starts without bytecode");
                    }
                    Ok(())
                });
                filling.await.expect("linking does not panic")
            }
        }
    }

    /// The same without bytecode, for a thread that may wait.
    pub fn fill_blocking(&self, task: &Path) -> Result<(), Error> {
        if let Some(entries) = &self.entries {
            return self.link(entries, task);
        }
        let mut entries = Vec::new();
        list(&self.folder, Path::new(""), &mut entries)?;
        self.link(&entries, task)
    }

    fn link(&self, entries: &[Entry], task: &Path) -> Result<(), Error> {
        for entry in entries {
            let target = task.join(&entry.path);
            match entry.is_folder {
                true => fs::create_dir(&target),
                false => fs::hard_link(self.folder.join(&entry.path), &target),
            }
            .map_err(io_error(&target))?;
        }
        Ok(())
    }
}

/// Lists what is in `folder`, itself at `path` of the bundle: each folder before what is in it.
fn list(folder: &Path, path: &Path, entries: &mut Vec<Entry>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let entry = entry.map_err(io_error(folder))?;
        let (source, path) = (entry.path(), path.join(entry.file_name()));
        let is_folder = entry.file_type().map_err(io_error(&source))?.is_dir();
        entries.push(Entry { path: path.clone(), is_folder });
        if is_folder {
            list(&source, &path, entries)?;
        }
    }
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// Single flight: the first one fetches, the others wait for it.
type Cell = Arc<OnceCell<Arc<Unpacked>>>;

/// The one used last is the last one; at most [`REMEMBERED_BUNDLES`].
#[derive(Default)]
struct Recent(VecDeque<(Digest, Cell)>);

impl Recent {
    fn cell(&mut self, digest: &Digest) -> Cell {
        let known = self.0.iter().position(|(of, _)| of == digest);
        let (digest, cell) = known
            .and_then(|place| self.0.remove(place))
            .unwrap_or_else(|| (digest.clone(), Cell::default()));
        if self.0.len() == REMEMBERED_BUNDLES {
            self.0.pop_front();
        }
        self.0.push_back((digest, cell.clone()));
        cell
    }

    fn forget(&mut self, digest: &Digest) {
        self.0.retain(|(of, _)| of != digest);
    }
}

pub struct BundleCache {
    folder: PathBuf,
    bytecode: BytecodeCache,
    store: Arc<dyn Functions>,
    recent: Mutex<Recent>,
    /// Those that somebody may be linking from, beside those that are only remembered.
    in_use: Mutex<HashMap<Digest, Weak<Unpacked>>>,
    /// Held for reading while one is fetched: until it is in `in_use` it must not be removed.
    fetching: RwLock<()>,
}

impl BundleCache {
    pub fn new(folder: PathBuf, store: Arc<dyn Functions>) -> Self {
        if let Err(error) = distrust_earlier_boots(&folder, &folder.with_file_name("boot")) {
            tracing::warn!(
                folder = %folder.display(),
                %error,
                "the bundle cache could not be checked after a reboot; if a function's code is damaged, delete this \
                 folder"
            );
        }
        remove_manifests(&folder);
        Self {
            bytecode: BytecodeCache::new(folder.with_file_name("bytecode")),
            folder,
            store,
            recent: Mutex::default(),
            in_use: Mutex::default(),
            fetching: RwLock::default(),
        }
    }

    /// The bytecode of these bundles, which goes with them.
    pub fn bytecode(&self) -> &BytecodeCache {
        &self.bytecode
    }

    /// From the cache, or from the store.
    pub async fn get(&self, digest: &Digest) -> Result<Arc<Unpacked>, Error> {
        let cell = self.recent.lock().expect("no holder panics").cell(digest);
        let unpacked = cell.get_or_try_init(|| self.fetch(digest)).await?;
        if unpacked.folder.exists() {
            return Ok(unpacked.clone());
        }
        // Somebody has cleared the cache.
        self.recent.lock().expect("no holder panics").forget(digest);
        self.fetch(digest).await
    }

    async fn fetch(&self, digest: &Digest) -> Result<Arc<Unpacked>, Error> {
        let _fetching = self.fetching.read().await;
        let path = self.folder.join(digest.as_str());
        if !path.exists() {
            let bytes = self.store.blob(digest).await?.ok_or_else(|| Error::Missing(digest.clone()))?;
            let (folder, target, digest) = (self.folder.clone(), path.clone(), digest.clone());
            tokio::task::spawn_blocking(move || unpack(&folder, &target, digest, &bytes))
                .await
                .expect("unpacking does not panic")?;
        }
        let read = tokio::task::spawn_blocking(move || Unpacked::read(path));
        let unpacked = Arc::new(read.await.expect("reading a folder does not panic")?);
        let mut in_use = self.in_use.lock().expect("no holder panics");
        in_use.insert(digest.clone(), Arc::downgrade(&unpacked));
        Ok(unpacked)
    }

    /// Removes what a process that was killed had begun. Only before anything is fetched.
    pub async fn remove_leftovers(&self) {
        let _alone = self.fetching.write().await;
        let names = self.entries().await.into_iter().filter(|name| name.starts_with('.')).collect();
        self.remove(names).await;
        let (bundles, bytecode) = (self.unpacked().await, self.bytecode.clone());
        tokio::task::spawn_blocking(move || bytecode.remove_leftovers(&bundles))
            .await
            .expect("removing does not panic");
    }

    async fn entries(&self) -> Vec<String> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || entries(&folder))
            .await
            .expect("reading a folder does not panic")
    }

    /// Returns the digests of the bundles that are unpacked.
    pub async fn unpacked(&self) -> HashSet<Digest> {
        self.entries().await.into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Removes those of these bundles that are there and that nobody uses. Returns how many went, and those that are in
    /// use. One that is wanted again is unpacked anew.
    pub async fn remove_unnamed(&self, unnamed: &HashSet<Digest>) -> (usize, Vec<Digest>) {
        if unnamed.is_empty() {
            return (0, Vec::new());
        }
        let alone = self.fetching.write().await;
        self.recent.lock().expect("no holder panics").0.retain(|(digest, _)| !unnamed.contains(digest));
        let (used, unused): (Vec<Digest>, Vec<Digest>) = {
            let mut in_use = self.in_use.lock().expect("no holder panics");
            in_use.retain(|_, unpacked| unpacked.strong_count() > 0);
            unnamed.iter().cloned().partition(|digest| in_use.contains_key(digest))
        };
        let set_aside = self.set_aside(unused).await;
        // Instances start while these are removed.
        drop(alone);
        let count = set_aside.len();
        self.remove(set_aside).await;
        (count, used)
    }

    /// Renames them, as half of a bundle must not be taken for one, and removes their bytecode; answers the new names.
    async fn set_aside(&self, bundles: Vec<Digest>) -> Vec<String> {
        let (folder, bytecode) = (self.folder.clone(), self.bytecode.clone());
        let renaming = tokio::task::spawn_blocking(move || {
            let rename = |bundle: Digest| {
                bytecode.remove_of(&bundle);
                let (name, aside) = (bundle.as_str(), format!(".removed-{bundle}"));
                fs::rename(folder.join(name), folder.join(&aside)).is_ok().then_some(aside)
            };
            bundles.into_iter().filter_map(rename).collect()
        });
        renaming.await.expect("renaming does not panic")
    }

    async fn remove(&self, names: Vec<String>) {
        let folder = self.folder.clone();
        let removing = tokio::task::spawn_blocking(move || {
            for name in names {
                let path = folder.join(name);
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(path = %path.display(), %error, "unpacked code that no revision names is not removed, and takes room");
                }
            }
        });
        removing.await.expect("removing does not panic");
    }
}

/// Removes the manifests that earlier versions have unpacked with the bundles: the values of `[env]` are in them.
fn remove_manifests(folder: &Path) {
    for name in entries(folder) {
        let path = folder.join(name).join(manifest::FILE);
        match fs::remove_file(&path) {
            Ok(()) => {}
            // As with each bundle of this version, and with files beside them.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => tracing::warn!(
                path = %path.display(),
                %error,
                "the manifest that an earlier version unpacked is not removed: the function finds it beside its code, with the \
                 values of [env]"
            ),
        }
    }
}

/// Beside its place, and then renamed: a bundle is there whole or not at all.
fn unpack(folder: &Path, target: &Path, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(io_error(folder))?;
    let beside =
        tempfile::Builder::new().prefix(".unpack-").tempdir_in(folder).map_err(io_error(folder))?;
    let tree = beside.path().join("tree");
    bundle::unpack(bytes, &tree).map_err(|source| Error::Unpack { digest, source })?;
    match fs::rename(&tree, target) {
        Err(_) if target.exists() => Ok(()),
        other => other.map_err(io_error(target)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_bundles_that_were_used_last_are_remembered() {
        let mut recent = Recent::default();
        let digest = |number: usize| Digest::of(&number.to_be_bytes());
        let first = recent.cell(&digest(0));
        for number in 1..2 * REMEMBERED_BUNDLES {
            recent.cell(&digest(number));
            assert!(Arc::ptr_eq(&first, &recent.cell(&digest(0))), "it was used before each");
        }
        assert_eq!(recent.0.len(), REMEMBERED_BUNDLES);
        assert!(recent.0.iter().all(|(of, _)| *of != digest(1)));
        recent.forget(&digest(0));
        assert!(!Arc::ptr_eq(&first, &recent.cell(&digest(0))));
    }

    #[test]
    fn what_an_earlier_version_has_unpacked_loses_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let bundles = folder.path().join("bundles");
        let (with, without) = (Digest::of(b"with"), Digest::of(b"without"));
        for digest in [&with, &without] {
            fs::create_dir_all(bundles.join(digest.as_str())).unwrap();
            fs::write(bundles.join(digest.as_str()).join("function.py"), "").unwrap();
        }
        fs::write(bundles.join(with.as_str()).join("cloudfunc.toml"), "[env]\nKEY = 'x'\n").unwrap();
        fs::write(bundles.join("notes"), "").unwrap();
        remove_manifests(&bundles);
        for digest in [&with, &without] {
            assert_eq!(entries(&bundles.join(digest.as_str())), ["function.py"]);
        }
        assert!(bundles.join("notes").exists());
        remove_manifests(&folder.path().join("nowhere"));
    }

    /// Also of a bundle that is too large to be remembered.
    #[tokio::test]
    async fn an_instances_folder_has_all_that_the_bundle_has() {
        for files in [1, FEW_FILES + 1, REMEMBERED_FILES + 1] {
            let folder = tempfile::tempdir().unwrap();
            let (tree, task) = (folder.path().join("tree"), folder.path().join("task"));
            fs::create_dir_all(tree.join("a/b")).unwrap();
            fs::create_dir(&task).unwrap();
            for number in 0..files {
                fs::write(tree.join(format!("a/b/{number}")), format!("{number}")).unwrap();
            }
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(tree.join("a/b/0"), executable.clone()).unwrap();
            let unpacked = Arc::new(Unpacked::read(tree.clone()).unwrap());
            let bytecode = folder.path().join("bytecode");
            fs::create_dir_all(bytecode.join("a/__pycache__")).unwrap();
            fs::write(bytecode.join("a/__pycache__/x.pyc"), "x").unwrap();
            // What the bundle has itself is not replaced.
            fs::write(bytecode.join("a/b"), "").unwrap();
            unpacked.fill(&task, Some(bytecode)).await.unwrap();
            assert_eq!(fs::read(task.join("a/__pycache__/x.pyc")).unwrap(), b"x");
            assert_eq!(fs::read_dir(task.join("a/b")).unwrap().count(), files);
            assert_eq!(fs::read(task.join("a/b/0")).unwrap(), b"0");
            let mode = fs::metadata(task.join("a/b/0")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, executable.mode());
        }
    }
}

//! Installed packages that outlive the platform that installed them: `cloudfunc run` has a platform of its own each time,
//! and packages take longer to install than everything else that it does.
//!
//! ```text
//! run-1/keys/<key>.json       the packages of that key; locked by each process that uses their tree, and with another
//!                             name where others have replaced them meanwhile
//! run-1/trees/<tree>/         the tree, which sandboxes see
//! run-1/targets/<image>.json  the interpreter and machine of an image
//! run-1/lock                  held by the process that removes what has not been used for long
//! ```
//! Several processes use it at once, and other versions of this program with the same number in `run-1`; one that keeps
//! anything in another form takes another number. A key is named last, when its tree is on disk, so that a tree with a
//! key is whole. Only the kernel's locks count: they go with their process.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use rustix::fs::syncfs;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::cache::make;
use crate::{
    disk::remove_tree,
    model::{Dependencies, Digest, Target},
};

/// The folder of this form, in the user's caches.
const FOLDER: &str = "run-1";
/// The most that all trees together take, in bytes; those that were not used for longest are removed.
const MOST: u64 = 2 << 30;
/// The most images whose interpreter and machine are remembered.
const MOST_TARGETS: usize = 100;
/// A tree without a key that is older was left by a process that was killed.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The packages that are kept for the next platform. Without a usable folder, nothing is kept.
#[derive(Debug)]
pub struct KeptPackages {
    /// The folder, or the reason why it cannot be used.
    folder: Result<PathBuf, String>,
    /// Packages are installed again, although they are there.
    refresh: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The locked files of keys whose trees are in use.
    used: Vec<File>,
    /// The trees that were installed, and have no key yet.
    installed: Vec<Dependencies>,
}

/// The size of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSize {
    pub trees: usize,
    pub bytes: u64,
    /// The limit of these bytes.
    pub most: u64,
}

/// The file of an image.
#[derive(Serialize, Deserialize)]
struct Described {
    image: String,
    target: Target,
}

impl KeptPackages {
    /// Opens the cache in this folder of the user's caches; it is made where it is missing. `refresh`: nothing that is
    /// there is used, and what is installed takes its place.
    pub fn open(caches: Option<&Path>, refresh: bool) -> Self {
        let folder = match caches {
            None => Err("none of XDG_CACHE_HOME, CACHE_DIRECTORY and HOME names a folder".to_owned()),
            Some(caches) => {
                prepare(caches).map_err(|error| format!("{} cannot be used: {error}", caches.display()))
            }
        };
        Self { folder, refresh, state: Mutex::default() }
    }

    /// Looks at what is kept in this folder of the user's caches, and changes nothing; none where nothing is kept.
    pub fn look(caches: &Path) -> Option<KeptSize> {
        let keys = newest_first(&caches.join(FOLDER).join("keys")).ok()?;
        let known = keys.iter().filter_map(|path| read::<Dependencies>(path));
        let (trees, bytes) = known
            .fold((0, 0_u64), |(trees, bytes), known| (trees + 1, bytes.saturating_add(known.bytes)));
        (trees > 0).then_some(KeptSize { trees, bytes, most: MOST })
    }

    /// Returns the folder of the trees; none where nothing can be kept.
    pub fn trees(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join("trees"))
    }

    fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().ok()
    }

    /// Returns the packages of a key, whose tree stays from now on until [`Self::close`]; none if they have to be
    /// installed.
    pub fn find(&self, key: &Digest) -> Option<Dependencies> {
        let folder = self.folder().filter(|_| !self.refresh)?;
        let path = file_of(folder, key);
        let file = File::open(&path).ok()?;
        // Removing is a matter of a moment, and whoever does it has this file alone.
        file.lock_shared().ok()?;
        if !is_still(&file, &path) {
            return None;
        }
        let found: Option<Dependencies> = read(&path);
        let found = found.filter(|found| {
            found.key == *key && folder.join("trees").join(found.tree.as_str()).is_dir()
        });
        match found {
            Some(found) => {
                // The time of its last use. Where it cannot be set, it is removed sooner than it could be.
                let _ = file.set_modified(SystemTime::now());
                self.state.lock().expect("no holder panics").used.push(file);
                Some(found)
            }
            // Somebody has removed the tree, or has cut the file.
            None => {
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Notes packages whose tree has been installed and unpacked.
    pub fn add(&self, new: &Dependencies) {
        let mut state = self.state.lock().expect("no holder panics");
        if !state.installed.iter().any(|other| other.tree == new.tree) {
            state.installed.push(new.clone());
        }
    }

    /// Returns the interpreter and machine of an image that has this id.
    pub fn target(&self, image: &str) -> Option<Target> {
        let path = target_file(self.folder()?, image);
        let found: Described = read(&path)?;
        touch(&path);
        (found.image == image).then_some(found.target)
    }

    pub fn keep_target(&self, image: &str, target: &Target) {
        let Some(folder) = self.folder() else { return };
        let described = Described { image: image.to_owned(), target: target.clone() };
        let written = written(folder, &described)
            .and_then(|file| Ok(file.persist(target_file(folder, image)).map(drop)?));
        if let Err(error) = written {
            tracing::warn!(%error, "what is known of an image is not kept");
        }
    }

    /// Gives what was installed its key, and removes what has not been used for longest. Called when nothing uses a tree
    /// any more. Returns the reason why packages that were installed are not kept.
    pub fn close(&self) -> Option<String> {
        let State { used, installed } =
            std::mem::take(&mut *self.state.lock().expect("no holder panics"));
        drop(used);
        let folder = match &self.folder {
            Ok(folder) => folder,
            Err(_) if installed.is_empty() => return None,
            Err(why) => return Some(why.clone()),
        };
        let named = name(folder, &installed, self.refresh);
        if let Err(error) = tidy(folder, MOST) {
            tracing::warn!(folder = %folder.display(), %error, "kept packages not tidied");
        }
        named.err().map(|error| format!("{} cannot be used: {error}", folder.display()))
    }
}

/// Makes the folders, and sees whether they can be written to.
fn prepare(caches: &Path) -> io::Result<PathBuf> {
    // As the XDG specification has it.
    DirBuilder::new().recursive(true).mode(0o700).create(caches)?;
    if fs::metadata(caches)?.uid() != rustix::process::geteuid().as_raw() {
        // With `sudo`, what is made there could not be removed by its owner.
        return Err(io::Error::other("it belongs to another user"));
    }
    let folder = caches.join(FOLDER);
    for name in ["keys", "targets"] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
    }
    make(&folder.join("trees"))?;
    tempfile::tempfile_in(folder.join("keys"))?;
    Ok(folder)
}

fn file_of(folder: &Path, key: &Digest) -> PathBuf {
    folder.join(format!("keys/{key}.json"))
}

fn target_file(folder: &Path, image: &str) -> PathBuf {
    folder.join(format!("targets/{}.json", Digest::of(image.as_bytes())))
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn touch(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Writes a file that has no name yet.
fn written(folder: &Path, value: &impl Serialize) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    Ok(file)
}

/// Returns whether this file still has this name.
fn is_still(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(path)) => identity(file) == identity(path),
        _ => false,
    }
}

/// Gives trees their keys. A tree whose key another process has given to its own meanwhile is removed.
fn name(folder: &Path, installed: &[Dependencies], refresh: bool) -> io::Result<()> {
    if installed.is_empty() {
        return Ok(());
    }
    // A power cut must not leave a key with an empty tree.
    syncfs(File::open(folder.join("trees"))?)?;
    for new in installed {
        if !folder.join("trees").join(new.tree.as_str()).is_dir() {
            // Somebody has cleared the cache.
            continue;
        }
        let path = file_of(folder, &new.key);
        let file = written(folder, new)?;
        file.as_file().sync_all()?;
        if refresh && let Some(tree) = forget(&path) {
            discard(folder, &tree);
        }
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists && !refresh => {
                discard(folder, &new.tree);
            }
            // It is in use: its tree stays until it is not.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                put_aside(&path)?;
                error.file.persist(&path)?;
            }
            Err(error) => return Err(error.error),
        }
    }
    Ok(())
}

/// Gives the file of a key another name, under which nobody finds it any more. The locks of those who use its tree stay.
fn put_aside(path: &Path) -> io::Result<()> {
    let aside = path.with_extension(format!("{}.json", Uuid::now_v7().simple()));
    match fs::rename(path, aside) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Removes a key that nobody uses; returns its tree, which is to be discarded.
fn forget(path: &Path) -> Option<Digest> {
    let file = File::open(path).ok()?;
    file.try_lock().ok()?;
    if !is_still(&file, path) {
        return None;
    }
    let known: Option<Dependencies> = read(path);
    fs::remove_file(path).ok()?;
    Some(known?.tree)
}

/// Removes a tree, under another name, as half of one must not be taken for it.
fn discard(folder: &Path, tree: &Digest) {
    let trees = folder.join("trees");
    let aside = trees.join(format!(".removed-{}", Uuid::now_v7().simple()));
    let removed = fs::rename(trees.join(tree.as_str()), &aside).and_then(|()| remove_tree(&aside));
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%tree, %error, "kept packages not removed");
    }
}

/// Removes what is too much, and what killed processes have left. One process does it at a time.
fn tidy(folder: &Path, most: u64) -> io::Result<()> {
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    let (mut size, mut named) = (0_u64, HashSet::new());
    for path in newest_first(&folder.join("keys"))? {
        let Some(Dependencies { key, tree, bytes, .. }) = read(&path) else { continue };
        size = size.saturating_add(bytes);
        let (is_too_much, is_aside) = (size > most, path != file_of(folder, &key));
        if (is_too_much || is_aside)
            && let Some(tree) = forget(&path)
        {
            size -= bytes;
            discard(folder, &tree);
        } else {
            named.insert(tree.to_string());
        }
    }
    for path in newest_first(&folder.join("targets"))?.into_iter().skip(MOST_TARGETS) {
        fs::remove_file(path)?;
    }
    let begun = fs::read_dir(folder)?.chain(fs::read_dir(folder.join("trees"))?);
    for entry in begun {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_begun = name.starts_with('.') || name.parse::<Digest>().is_ok();
        let is_old = age(&entry.path()).is_some_and(|age| age > LEFT_OVER);
        if is_begun && is_old && !named.contains(&name) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Returns the files in a folder, those first that were changed last.
fn newest_first(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // Another process may have removed it.
        files.extend(fs::metadata(&path).and_then(|file| file.modified()).ok().map(|at| (at, path)));
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn age(path: &Path) -> Option<Duration> {
    fs::symlink_metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;

//! Unpacked trees of installed packages: a folder that every sandbox sees as a whole, so that an instance gets its tree
//! without a copy, a link or a mount of its own, also one that was started before its function was known. The folder can
//! be searched and not listed, and trees have random names: code that does not know a name does not find the tree.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tokio::sync::{OnceCell, RwLock};
use uuid::Uuid;

use super::{
    super::boots::distrust_earlier_boots,
    transfer::{self, fetch, finished},
};
use crate::{bundle::TreeError, disk::remove_tree, model::Digest, store};

/// Entered by name, and read by the platform alone.
const MODE: u32 = 0o711;

/// A tree that is unpacked; it stays for as long as somebody has this.
#[derive(Debug)]
pub struct Tree {
    name: Digest,
}

impl Tree {
    /// Returns its name in the folder.
    pub fn name(&self) -> &Digest {
        &self.name
    }
}

/// Single flight: the first one fetches, the others wait for it.
type Cell = Arc<OnceCell<Arc<Tree>>>;

/// All trees that are unpacked on this host.
pub struct DependencyCache {
    folder: PathBuf,
    store: Arc<dyn store::ManagerStore>,
    trees: Mutex<HashMap<Digest, Cell>>,
    /// Leftovers of a process that was killed.
    leftovers: Mutex<Vec<PathBuf>>,
    /// Held for reading while a tree is fetched or handed out: until somebody has it, it must not be removed.
    fetching: RwLock<()>,
    /// Other processes use the folder, too: its content is not decided here.
    is_shared: bool,
}

impl DependencyCache {
    /// Uses a folder of trees that other processes use, too; those that are there are found by their names.
    pub fn shared(folder: PathBuf, store: Arc<dyn store::ManagerStore>) -> Self {
        let (trees, fetching) = (Mutex::default(), RwLock::default());
        Self { folder, store, trees, leftovers: Mutex::default(), fetching, is_shared: true }
    }

    /// Opens the folder, before any sandbox sees it.
    pub fn open(folder: PathBuf, store: Arc<dyn store::ManagerStore>) -> io::Result<Self> {
        make(&folder)?;
        if let Err(error) = distrust_earlier_boots(&folder, &folder.with_extension("boot")) {
            tracing::warn!(
                folder = %folder.display(),
                %error,
                "installed packages could not be checked after a reboot; if they are damaged, delete this folder"
            );
        }
        let (mut trees, mut leftovers) = (HashMap::new(), Vec::new());
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            match name.parse::<Digest>() {
                Ok(name) => {
                    let cell = OnceCell::new_with(Some(Arc::new(Tree { name: name.clone() })));
                    trees.insert(name, Arc::new(cell));
                }
                Err(_) if name.starts_with('.') => leftovers.push(folder.join(name)),
                Err(_) => {}
            }
        }
        let (trees, leftovers) = (Mutex::new(trees), Mutex::new(leftovers));
        let fetching = RwLock::default();
        Ok(Self { folder, store, trees, leftovers, fetching, is_shared: false })
    }

    /// Removes what was left when it was opened, which may be tens of thousands of files.
    pub async fn remove_leftovers(&self) {
        let leftovers = std::mem::take(&mut *self.leftovers.lock().expect("no holder panics"));
        let removing = move || leftovers.iter().for_each(|path| remove(path));
        // What is left when the manager stops is removed by the next start.
        let _ = finished(tokio::task::spawn_blocking(removing)).await;
    }

    /// Returns the folder for a sandbox to see, made again where somebody has cleared the cache.
    pub fn shown(&self) -> PathBuf {
        if !self.folder.exists()
            && let Err(error) = make(&self.folder)
        {
            tracing::warn!(folder = %self.folder.display(), %error, "the folder of installed packages cannot be made");
        }
        self.folder.clone()
    }

    /// Returns a tree, from the cache or from the store.
    pub async fn get(&self, name: &Digest) -> Result<Arc<Tree>, transfer::Error> {
        let _fetching = self.fetching.read().await;
        for _ in 0..2 {
            let cell =
                self.trees.lock().expect("no holder panics").entry(name.clone()).or_default().clone();
            let tree = cell.get_or_try_init(|| self.fetch(name)).await?;
            if self.folder.join(tree.name().as_str()).exists() {
                return Ok(tree.clone());
            }
            // Somebody has cleared the cache.
            self.trees.lock().expect("no holder panics").remove(name);
        }
        Err(transfer::Error::Missing(name.clone()))
    }

    async fn fetch(&self, name: &Digest) -> Result<Arc<Tree>, transfer::Error> {
        if self.is_shared && self.folder.join(name.as_str()).is_dir() {
            return Ok(Arc::new(Tree { name: name.clone() }));
        }
        let of = self.store.dependencies(name).await?;
        let of = of.ok_or_else(|| transfer::Error::Missing(name.clone()))?;
        // Beside its place, and then renamed: a tree is there whole or not at all. A fetch that nobody waits for any more may
        // still be at work when the next one begins.
        let beside = self.unique("fetch", name);
        let fetched = fetch(self.store.as_ref(), &of, beside.clone()).await;
        let placed = fetched.and_then(|()| {
            let place = self.folder.join(name.as_str());
            match fs::rename(&beside, &place) {
                // One that was fetched before, and is as good.
                Err(_) if place.is_dir() => Ok(()),
                placed => placed.map_err(|source| TreeError::Io { path: place, source }.into()),
            }
        });
        // Nothing is there but after a failure, or where another tree is in the place.
        let removing = tokio::task::spawn_blocking(move || remove(&beside));
        finished(removing).await?;
        placed.map(|()| Arc::new(Tree { name: name.clone() }))
    }

    /// Returns a place in the folder that nobody else uses, and that is emptied by the next start.
    fn unique(&self, what: &str, name: &Digest) -> PathBuf {
        self.folder.join(format!(".{what}-{name}-{}", Uuid::now_v7().simple()))
    }

    /// Returns the names of the trees that are unpacked.
    pub fn unpacked(&self) -> HashSet<Digest> {
        self.trees.lock().expect("no holder panics").keys().cloned().collect()
    }

    /// Removes those of these trees that are there and that nobody has. Returns how many went, and those that are in use, or
    /// that cannot be told from these while a tree is being fetched: nobody waits for that here, as every start would wait
    /// behind.
    pub async fn remove_unnamed(&self, unnamed: &HashSet<Digest>) -> (usize, Vec<Digest>) {
        let there: Vec<Digest> = {
            let trees = self.trees.lock().expect("no holder panics");
            unnamed.iter().filter(|name| trees.contains_key(*name)).cloned().collect()
        };
        if there.is_empty() || self.is_shared {
            return (0, Vec::new());
        }
        let Ok(alone) = self.fetching.try_write() else { return (0, there) };
        let (mut set_aside, mut used) = (Vec::new(), Vec::new());
        {
            let mut trees = self.trees.lock().expect("no holder panics");
            for name in there {
                let Some(cell) = trees.get(&name) else { continue };
                if cell.get().is_some_and(|tree| Arc::strong_count(tree) > 1) {
                    used.push(name);
                    continue;
                }
                // Half of a tree must not be taken for one.
                let aside = self.unique("removed", &name);
                match fs::rename(self.folder.join(name.as_str()), &aside) {
                    Ok(()) => set_aside.push(aside),
                    // One that was not fetched, or that somebody has removed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        tracing::warn!(tree = %name, %error, "installed packages not removed");
                        continue;
                    }
                }
                trees.remove(&name);
            }
        }
        drop(alone);
        let count = set_aside.len();
        let removing =
            tokio::task::spawn_blocking(move || set_aside.iter().for_each(|path| remove(path)));
        // What is left when the manager stops is removed by the next start.
        let _ = finished(removing).await;
        (count, used)
    }
}

pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(folder)?;
    // Whatever the umask is.
    fs::set_permissions(folder, Permissions::from_mode(MODE))
}

fn remove(path: &Path) {
    if let Err(error) = remove_tree(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "not removed");
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        manager::dependencies::transfer::put,
        model::{Dependencies, Language, Target},
        store::{Config, Store, connect},
    };

    /// Stores a tree with one file.
    async fn stored(store: &dyn Store, folder: &Path, name: &str) -> Digest {
        let (from, tree) = (folder.join(name), Digest::of(name.as_bytes()));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("module.py"), name).unwrap();
        let (size, pieces) = put(store, from, &tree, &CancellationToken::new()).await.unwrap();
        let none = String::new;
        let target =
            Target { interpreter: none(), abi: none(), architecture: none(), c_library: none() };
        let new = Dependencies {
            key: Digest::of(format!("key of {name}").as_bytes()),
            tree: tree.clone(),
            language: Language::Python,
            target,
            packages: Vec::new(),
            files: size.files,
            bytes: size.bytes,
            pieces,
        };
        store.add_dependencies(&new).await.unwrap();
        tree
    }

    #[tokio::test]
    async fn a_tree_is_unpacked_once_and_stays_while_somebody_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::Sqlite { path: dir.path().join("store.db") };
        let store = connect(&config).await.unwrap();
        let folder = dir.path().join("cache/dependencies");
        let open = || DependencyCache::open(folder.clone(), store.clone()).unwrap();
        let cache = open();
        let [a, b] = [stored(&*store, dir.path(), "a").await, stored(&*store, dir.path(), "b").await];
        let module = |tree: &Digest| fs::read_to_string(folder.join(tree.as_str()).join("module.py"));
        let (had, same) = tokio::join!(cache.get(&a), cache.get(&a));
        let had = had.unwrap();
        assert!(Arc::ptr_eq(&had, &same.unwrap()));
        assert_eq!(module(&a).unwrap(), "a");
        drop(cache.get(&b).await.unwrap());
        let both = HashSet::from([a.clone(), b.clone()]);
        assert_eq!(cache.unpacked(), both);
        // While something is fetched, it is not waited for.
        let fetching = cache.fetching.read().await;
        let (gone, mut left) = cache.remove_unnamed(&both).await;
        left.sort();
        let mut all = vec![a.clone(), b.clone()];
        all.sort();
        assert_eq!((gone, left), (0, all));
        let others = HashSet::from([Digest::of(b"c")]);
        assert_eq!(cache.remove_unnamed(&others).await, (0, vec![]));
        drop(fetching);
        assert_eq!(cache.remove_unnamed(&both).await, (1, vec![a.clone()]));
        assert!(module(&b).is_err());
        drop(had);
        assert_eq!(cache.remove_unnamed(&both).await, (1, vec![]));
        // One that is wanted again is unpacked anew, also when somebody has cleared the cache.
        cache.get(&a).await.unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(cache.shown(), folder);
        cache.get(&a).await.unwrap();
        assert_eq!(module(&a).unwrap(), "a");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, MODE);
        // A tree that a fetch nobody waited for has put in its place is taken.
        cache.trees.lock().unwrap().clear();
        let again = cache.get(&a).await.unwrap();
        assert_eq!(module(again.name()).unwrap(), "a");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        // A next life knows what is there, and what was begun is gone.
        fs::create_dir(folder.join(".fetch-x")).unwrap();
        let next = open();
        assert_eq!(next.unpacked(), HashSet::from([a]));
        next.remove_leftovers().await;
        assert!(!folder.join(".fetch-x").exists());
        let missing = next.get(&Digest::of(b"c")).await.unwrap_err();
        assert!(matches!(missing, transfer::Error::Missing(_)), "{missing}");
        store.close().await;
    }
}

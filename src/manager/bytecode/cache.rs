//! The bytecode on this host, by bundle and interpreter: a cache that can be deleted at any time, and goes with the unpacked
//! bundles.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{
    boots::{distrust_earlier_boots, entries},
    workshop::files::make_folder,
};
use crate::model::Digest;

/// The bundle and the interpreter that some bytecode is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BytecodeKey {
    pub bundle: Digest,
    /// Language and version.
    pub interpreter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Making,
    GivenUp,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct BytecodeCache {
    folder: PathBuf,
    /// The bytecode that is being made now, and that which the background has given up.
    states: Arc<Mutex<HashMap<BytecodeKey, State>>>,
}

impl BytecodeCache {
    pub fn new(folder: PathBuf) -> Self {
        if let Err(error) = distrust_earlier_boots(&folder, &folder.with_extension("boot")) {
            tracing::warn!(
                folder = %folder.display(),
                %error,
                "the cache of bytecode could not be checked after a reboot; if functions fail to load, delete this folder"
            );
        }
        Self { folder, states: Arc::default() }
    }

    /// Returns the folder with the bytecode for a key, if it is there.
    pub fn find(&self, key: &BytecodeKey) -> Option<PathBuf> {
        Some(self.path(key)).filter(|path| path.is_dir())
    }

    /// Returns whether nobody makes it, and nobody has given up.
    pub fn may_be_made(&self, key: &BytecodeKey) -> bool {
        !self.states.lock().expect("no holder panics").contains_key(key)
    }

    /// Counts it as being made until the answer is dropped; none while another one makes it.
    pub fn begin(&self, key: &BytecodeKey) -> Option<impl Drop + use<>> {
        let mut states = self.states.lock().expect("no holder panics");
        let is_being_made = states.insert(key.clone(), State::Making) == Some(State::Making);
        (!is_being_made).then(|| BeingMade { cache: self.clone(), key: key.clone() })
    }

    /// Keeps the background from making it.
    pub fn give_up(&self, key: &BytecodeKey) {
        self.states.lock().expect("no holder panics").insert(key.clone(), State::GivenUp);
    }

    /// Has a new folder filled and puts it into its place, if it has not been given up by then: the filling may have found
    /// half of what there was. Nothing is left of what fails. The bundle has to be in use.
    pub fn fill(
        &self,
        key: &BytecodeKey,
        given_up: &CancellationToken,
        fill: impl FnOnce(&Path) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let made = self.make_beside()?;
        let placed = fill(&made).and_then(|files| match given_up.is_cancelled() {
            true => Err(io::Error::other("nobody waits for it any more")),
            false => self.put(key, &made).map(|()| files),
        });
        if placed.is_err() {
            remove(&made);
        }
        placed
    }

    /// Makes a new folder on the same disk. Somebody may have cleared the cache.
    fn make_beside(&self) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let path = self.beside();
        make_folder(&path)?;
        Ok(path)
    }

    fn beside(&self) -> PathBuf {
        self.folder.join(format!(".making-{}", Uuid::now_v7().simple()))
    }

    /// Puts what was made in a folder of [`Self::make_beside`] into its place.
    fn put(&self, key: &BytecodeKey, made: &Path) -> io::Result<()> {
        let path = self.path(key);
        fs::create_dir_all(path.parent().expect("it is in the folder of its bundle"))?;
        match fs::rename(made, &path) {
            Err(_) if path.is_dir() => fs::remove_dir_all(made),
            placed => placed,
        }
    }

    /// Removes what killed processes have left, and what belongs to none of these bundles.
    pub fn remove_leftovers(&self, bundles: &HashSet<Digest>) {
        let is_of_a_bundle =
            |name: &String| name.parse::<Digest>().is_ok_and(|digest| bundles.contains(&digest));
        for name in entries(&self.folder).into_iter().filter(|name| !is_of_a_bundle(name)) {
            remove(&self.folder.join(name));
        }
    }

    /// Removes the bytecode of a bundle that nobody uses.
    pub fn remove_of(&self, bundle: &Digest) {
        let (path, aside) = (self.folder.join(bundle.as_str()), self.beside());
        // Half of it must not be taken for all there is.
        if fs::rename(path, &aside).is_ok() {
            remove(&aside);
        }
        self.states.lock().expect("no holder panics").retain(|key, _| key.bundle != *bundle);
    }

    fn path(&self, key: &BytecodeKey) -> PathBuf {
        self.folder.join(key.bundle.as_str()).join(&key.interpreter)
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "not removed");
    }
}

struct BeingMade {
    cache: BytecodeCache,
    key: BytecodeKey,
}

impl Drop for BeingMade {
    fn drop(&mut self) {
        let mut states = self.cache.states.lock().expect("no holder panics");
        if states.get(&self.key) == Some(&State::Making) {
            states.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_is_there_whole_and_goes_with_its_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BytecodeCache::new(dir.path().join("bytecode"));
        let key = |bundle: &[u8], interpreter: &str| BytecodeKey {
            bundle: Digest::of(bundle),
            interpreter: interpreter.to_owned(),
        };
        let (a, other, b) =
            (key(b"a", "python-3.11"), key(b"a", "python-3.12"), key(b"b", "python-3.11"));
        for key in [&a, &b] {
            let made = cache.make_beside().unwrap();
            fs::write(made.join("x"), "").unwrap();
            assert_eq!(cache.find(key), None);
            cache.put(key, &made).unwrap();
            assert!(cache.find(key).unwrap().join("x").is_file());
        }
        assert_eq!(cache.find(&other), None, "another interpreter");
        let again = cache.make_beside().unwrap();
        cache.put(&a, &again).unwrap();
        assert!(cache.find(&a).unwrap().join("x").is_file());
        cache.remove_of(&a.bundle);
        assert_eq!((cache.find(&a), cache.find(&b).is_some()), (None, true));
        // A process that was killed, and a bundle that went without its bytecode.
        cache.make_beside().unwrap();
        cache.remove_leftovers(&HashSet::from([b.bundle.clone()]));
        assert_eq!(entries(&cache.folder), [b.bundle.to_string()]);
        cache.remove_leftovers(&HashSet::new());
        assert_eq!(entries(&cache.folder), [""; 0]);
    }

    #[test]
    fn nothing_is_kept_of_bytecode_that_is_given_up_or_fails_halfway() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BytecodeCache::new(dir.path().join("bytecode"));
        let place = BytecodeKey { bundle: Digest::of(b"a"), interpreter: "python-3.11".to_owned() };
        let given_up = CancellationToken::new();
        let half = |made: &Path| fs::write(made.join("x"), "").map(|()| 1);
        let failed = cache.fill(&place, &given_up, |made| {
            half(made)?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
        assert_eq!(entries(&cache.folder), [""; 0]);
        cache
            .fill(&place, &given_up, |made| {
                given_up.cancel();
                half(made)
            })
            .unwrap_err();
        assert_eq!((cache.find(&place), entries(&cache.folder)), (None, Vec::new()));
        assert_eq!(cache.fill(&place, &CancellationToken::new(), half).unwrap(), 1);
        assert!(cache.find(&place).unwrap().join("x").is_file());
    }

    #[test]
    fn it_is_made_once_at_a_time_and_not_again_once_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let cache = BytecodeCache::new(dir.path().join("bytecode"));
        let key = BytecodeKey { bundle: Digest::of(b"a"), interpreter: "python-3.11".to_owned() };
        assert!(cache.may_be_made(&key));
        let making = cache.begin(&key).unwrap();
        assert!(!cache.may_be_made(&key) && cache.begin(&key).is_none());
        drop(making);
        assert!(cache.may_be_made(&key));
        let making = cache.begin(&key).unwrap();
        cache.give_up(&key);
        drop(making);
        assert!(!cache.may_be_made(&key));
        // A deploy tries it all the same.
        assert!(cache.begin(&key).is_some());
    }
}

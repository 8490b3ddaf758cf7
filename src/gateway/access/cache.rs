//! A bounded map of what is known of tokens, by the SHA-256 of their texts. The least recently used go.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{Arc, RwLock},
};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::entry::{Entry, Moment};
use crate::model::Digest;

/// The SHA-256 of a text. It is compared in constant time.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl Key {
    /// Computes the key of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Returns it as the registry is told of it.
    pub fn digest(&self) -> Digest {
        hex::encode(self.0).parse().expect("64 hexadecimal digits")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Its bytes are spread evenly already: some of them are enough.
        let some = self.0.first_chunk::<8>().expect("it has more");
        state.write_u64(u64::from_le_bytes(*some));
    }
}

/// The number of locks: enough that calls of different tokens rarely meet at one. Calls of one token share it.
const SHARDS: usize = 64;

type Shard = HashMap<Key, Arc<Entry>>;

/// The map, behind several locks.
pub struct Cache {
    shards: Vec<RwLock<Shard>>,
    /// The most entries of a shard.
    most: usize,
}

impl Cache {
    /// Makes an empty map for about `most` entries.
    pub fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, most: most.div_ceil(SHARDS) }
    }

    /// Returns an entry; none where there is none.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.shard(key).read().expect("no holder panics").get(key).cloned()
    }

    /// Puts an entry in, in place of the one that was there, if `may` says so. Nothing is marked between that and its being
    /// there.
    pub fn put_if(&self, key: Key, entry: Arc<Entry>, may: impl FnOnce() -> bool) -> bool {
        let mut shard = self.shard(&key).write().expect("no holder panics");
        if !may() {
            return false;
        }
        if shard.len() >= self.most && !shard.contains_key(&key) {
            make_room(&mut shard);
        }
        shard.insert(key, entry);
        true
    }

    /// Takes an entry out. Returns whether there was one.
    pub fn remove(&self, key: &Key) -> bool {
        self.shard(key).write().expect("no holder panics").remove(key).is_some()
    }

    /// Has `mark` look at every entry, also at those that are put in meanwhile.
    pub fn mark(&self, mark: impl Fn(&Entry)) {
        for shard in &self.shards {
            shard.read().expect("no holder panics").values().for_each(|entry| mark(entry));
        }
    }

    /// Takes out what was not used since then.
    pub fn forget_unused(&self, since: Moment) {
        for shard in &self.shards {
            let mut shard = shard.write().expect("no holder panics");
            shard.retain(|_, entry| entry.used_at() >= since);
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        &self.shards[usize::from(key.0[31]) % SHARDS]
    }
}

/// Takes out the eighth that was not used for the longest time: one by one, each would be looked for among all.
fn make_room(shard: &mut Shard) {
    let mut used: Vec<Moment> = shard.values().map(|entry| entry.used_at()).collect();
    let eighth = used.len() / 8;
    let (_, oldest, _) = used.select_nth_unstable(eighth);
    let oldest = *oldest;
    shard.retain(|_, entry| entry.used_at() > oldest);
}

#[cfg(test)]
mod tests {
    use super::{
        super::{entry::Ages, memory::MOST_KNOWN},
        *,
    };

    fn entry(used_at: Moment) -> Arc<Entry> {
        Arc::new(Entry::new(1, used_at, Ages { recheck: 30_000, kept: 60_000 }, None))
    }

    fn put(cache: &Cache, key: Key, entry: Arc<Entry>) {
        assert!(cache.put_if(key, entry, || true));
    }

    fn count(cache: &Cache) -> usize {
        cache.shards.iter().map(|shard| shard.read().unwrap().len()).sum()
    }

    #[test]
    fn a_key_is_the_digest_of_the_text() {
        let key = Key::of("abc");
        assert_eq!(key.digest(), Digest::of(b"abc"));
        assert!(key == Key::of("abc") && key != Key::of("abd"));
    }

    #[test]
    fn the_least_recently_used_make_room_and_never_more_than_its_bound_are_kept() {
        let cache = Cache::new(SHARDS * 16);
        let often = Key::of("often");
        put(&cache, often, entry(0));
        for number in 1..20_000 {
            // A use counts to about a second.
            let now = number * 1000;
            put(&cache, Key::of(&number.to_string()), entry(now));
            let used = cache.get(&often);
            used.unwrap_or_else(|| panic!("{number}")).freshness(now);
        }
        assert!(count(&cache) <= SHARDS * 16, "{}", count(&cache));
        assert!(count(&cache) > SHARDS * 8, "{}", count(&cache));
        assert!(cache.get(&Key::of("19999")).is_some());
        assert!(cache.get(&Key::of("1")).is_none());
    }

    #[test]
    fn what_was_not_used_for_long_is_forgotten() {
        let cache = Cache::new(1000);
        for number in 0..100 {
            put(&cache, Key::of(&number.to_string()), entry(number));
        }
        cache.forget_unused(90);
        assert_eq!(count(&cache), 10);
        assert!(cache.remove(&Key::of("95")) && !cache.remove(&Key::of("95")));
        assert_eq!(count(&cache), 9);
        assert!(!cache.put_if(Key::of("95"), entry(95), || false));
        assert_eq!(count(&cache), 9);
    }

    #[test]
    fn a_hundred_thousand_tokens_have_room_at_once() {
        let cache = Cache::new(MOST_KNOWN);
        for number in 0..100_000 {
            put(&cache, Key::of(&number.to_string()), entry(number));
        }
        assert_eq!(count(&cache), 100_000);
    }
}

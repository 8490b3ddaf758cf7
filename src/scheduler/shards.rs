//! A map by invocation id behind several locks, so that invocations of different functions rarely
//! meet at one.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use crate::model::{IdPart, InvocationId};

const COUNT: usize = 16;

pub struct Shards<V>([Mutex<HashMap<InvocationId, V>>; COUNT]);

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(HashMap::new())))
    }
}

impl<V> Shards<V> {
    pub fn insert(&self, id: InvocationId, value: V) {
        self.shard(id).insert(id, value);
    }

    pub fn remove(&self, id: InvocationId) -> Option<V> {
        self.shard(id).remove(&id)
    }

    /// Applies `read` to the value under the lock; None when there is none.
    pub fn with<T>(&self, id: InvocationId, read: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.shard(id).get_mut(&id).map(read)
    }

    pub fn for_each(&self, mut visit: impl FnMut(InvocationId, &V)) {
        for shard in &self.0 {
            let map = shard.lock().expect("no holder panics");
            map.iter().for_each(|(id, value)| visit(*id, value));
        }
    }

    /// The ids that have this part.
    pub fn ids(&self, part: &IdPart) -> Vec<InvocationId> {
        let mut found = Vec::new();
        for shard in &self.0 {
            let map = shard.lock().expect("no holder panics");
            found.extend(map.keys().filter(|id| part.is_part_of(**id)));
        }
        found
    }

    /// Takes out everything that `wanted` picks.
    pub fn take_if(&self, mut wanted: impl FnMut(&V) -> bool) -> Vec<(InvocationId, V)> {
        let mut taken = Vec::new();
        for shard in &self.0 {
            let mut map = shard.lock().expect("no holder panics");
            taken.extend(map.extract_if(|_, value| wanted(value)));
        }
        taken
    }

    fn shard(&self, id: InvocationId) -> MutexGuard<'_, HashMap<InvocationId, V>> {
        // The last byte of a UUID version 7 is random.
        let shard = usize::from(id.0.as_bytes()[15]) % COUNT;
        self.0[shard].lock().expect("no holder panics")
    }
}

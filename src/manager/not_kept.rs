//! Instances that `min_instances` asks for and that cannot be started here: nobody waits for one, so that nobody would
//! hear of it but the reader of this manager's log.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use jiff::Timestamp;

use crate::model::{FunctionId, Revision, api};

/// The functions whose last start has failed, and that have instances to be kept.
#[derive(Debug, Default)]
pub struct NotKept(Mutex<HashMap<FunctionId, api::NotKept>>);

impl NotKept {
    /// Notes a failed start. The time of the first one in a row stays.
    pub fn failed(&self, revision: &Revision, reason: String, now: Timestamp) {
        if revision.spec.scaling.min_instances == 0 {
            return;
        }
        let (number, name) = (revision.number, revision.name.clone());
        let mut all = self.lock();
        let known = all.get(&revision.function).filter(|known| known.revision == number);
        let since = known.map_or(now, |known| known.since);
        let new = api::NotKept { function: name, revision: number, since, reason };
        all.insert(revision.function, new);
    }

    /// Notes that an instance was started, or that none is to be kept any more.
    pub fn forget(&self, function: FunctionId) {
        self.lock().remove(&function);
    }

    /// Returns all of them by name.
    pub fn all(&self) -> Vec<api::NotKept> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| a.function.as_str().cmp(b.function.as_str()));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FunctionId, api::NotKept>> {
        self.0.lock().expect("no holder panics")
    }
}

//! Revisions that were read from the store, and which functions were deleted meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    model::{Digest, FunctionId, Revision, RevisionNumber},
    store,
};

/// Revisions never change, so that what was read once is kept while its function exists, up to [`KEPT`] of each.
#[derive(Default)]
pub struct RevisionCache {
    known: Mutex<HashMap<FunctionId, Vec<Arc<Revision>>>>,
    /// The active one of each function, as this manager was told last.
    active: Mutex<HashMap<FunctionId, RevisionNumber>>,
    /// Functions that were deleted while this manager knew them, newest last; at most [`REMEMBERED_GONE`].
    gone: Mutex<VecDeque<FunctionId>>,
    /// How many were deleted. Looked at for every line that a function writes.
    deletions: AtomicU64,
}

/// Revisions of a function; one that was read before them is read again when it is wanted.
const KEPT: usize = 16;
/// Bound of the list: of older ones no instance is left.
const REMEMBERED_GONE: usize = 1024;

impl RevisionCache {
    /// None when the function or revision is gone.
    pub async fn get(
        &self,
        store: &dyn store::Functions,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Revision>>, store::Error> {
        if let Some(of_function) = self.known.lock().expect("no holder panics").get(&function)
            && let Some(known) = of_function.iter().find(|known| known.number == number)
        {
            return Ok(Some(known.clone()));
        }
        Ok(store.revision(function, number).await?.map(|read| self.keep(read)))
    }

    /// Notes which one is active.
    pub fn set_active(&self, function: FunctionId, active: RevisionNumber) {
        self.active.lock().expect("no holder panics").insert(function, active);
    }

    /// Returns the active one, as this manager was told last.
    pub fn active(&self, function: FunctionId) -> Option<RevisionNumber> {
        self.active.lock().expect("no holder panics").get(&function).copied()
    }

    /// Keeps a revision that was read, unless it is known.
    pub fn keep(&self, read: Revision) -> Arc<Revision> {
        let mut known = self.known.lock().expect("no holder panics");
        let of_function = known.entry(read.function).or_default();
        if let Some(known) = of_function.iter().find(|known| known.number == read.number) {
            return known.clone();
        }
        let read = Arc::new(read);
        if of_function.len() == KEPT {
            of_function.remove(0);
        }
        of_function.push(read.clone());
        read
    }

    /// The code of the revisions of this function that are known: as it was uploaded, and as it was built,
    /// with their installed packages.
    pub fn digests(&self, function: FunctionId) -> Vec<Digest> {
        let known = self.known.lock().expect("no holder panics");
        let of_function = known.get(&function).into_iter().flatten();
        let of = |known: &Arc<Revision>| {
            [Some(&known.source), known.bundle.as_ref(), known.dependencies.as_ref()]
                .map(Option::<&Digest>::cloned)
        };
        of_function.flat_map(of).flatten().collect()
    }

    /// The function was deleted.
    pub fn forget(&self, function: FunctionId) {
        self.active.lock().expect("no holder panics").remove(&function);
        self.known.lock().expect("no holder panics").remove(&function);
        let mut gone = self.gone.lock().expect("no holder panics");
        gone.push_back(function);
        if gone.len() > REMEMBERED_GONE {
            gone.pop_front();
        }
        self.deletions.fetch_add(1, Ordering::Release);
    }
}

/// Tells whether a function was deleted: what still runs of it belongs to no function of its name. Looks only when
/// there was another deletion since it last did.
#[derive(Default)]
pub struct DeletionWatch {
    looked: u64,
    is_deleted: bool,
}

impl DeletionWatch {
    pub fn is_deleted(&mut self, revisions: &RevisionCache, function: FunctionId) -> bool {
        let deletions = revisions.deletions.load(Ordering::Acquire);
        if deletions != self.looked {
            self.looked = deletions;
            self.is_deleted |= revisions.gone.lock().expect("no holder panics").contains(&function);
        }
        self.is_deleted
    }
}

//! The versions of secrets: those that are stored, as this manager has read them last, and those that its instances have. An
//! instance is outdated when it has a value that is not the stored one, whatever revision it is of, and whatever this manager
//! knew when it read the value.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::pool::Slot;
use crate::model::{FunctionId, FunctionName, KeyId, SecretName, SecretPlace, SecretVersion};

/// A stored secret, apart from its value.
pub type StoredVersion = (SecretVersion, KeyId);

/// The versions of all secrets, stored and held.
#[derive(Default)]
pub struct SecretVersions {
    state: Mutex<State>,
    doubts: Notify,
}

#[derive(Default)]
struct State {
    /// None until they were read.
    stored: Option<HashMap<SecretPlace, StoredVersion>>,
    held: BTreeMap<Slot, Held>,
    /// Functions that have to be read again, too.
    doubtful: BTreeSet<FunctionId>,
}

/// The values that an instance has.
struct Held {
    function: FunctionName,
    versions: Vec<(SecretName, SecretVersion)>,
    /// Somebody was told that it is outdated, which it stays.
    is_told: bool,
}

impl Held {
    fn is_outdated(&self, stored: &HashMap<SecretPlace, StoredVersion>) -> bool {
        let is_stored = |(name, version): &(SecretName, SecretVersion)| {
            stored_for(stored, &self.function, name).is_some_and(|(stored, _)| stored == version)
        };
        !self.versions.iter().all(is_stored)
    }
}

/// The note of the values that an instance has; dropped with the instance.
pub struct HeldSecrets {
    versions: Arc<SecretVersions>,
    slot: Slot,
}

impl Drop for HeldSecrets {
    fn drop(&mut self) {
        self.versions.lock().held.remove(&self.slot);
    }
}

impl SecretVersions {
    /// Notes which secrets are stored now. Returns the instances that have become outdated, each with its function; each is
    /// returned once.
    pub fn are_stored(
        &self,
        stored: impl IntoIterator<Item = (SecretPlace, SecretVersion, KeyId)>,
    ) -> Vec<(Slot, FunctionName)> {
        let stored = stored.into_iter().map(|(place, version, key)| (place, (version, key)));
        let mut state = self.lock();
        let State { stored: known, held, doubtful: _ } = &mut *state;
        let stored = known.insert(stored.collect());
        let outdated = held.iter_mut().filter(|(_, held)| !held.is_told && held.is_outdated(stored));
        let told = outdated.map(|(slot, held)| {
            held.is_told = true;
            (*slot, held.function.clone())
        });
        told.collect()
    }

    /// Returns the secrets that a function gets for these names, as they were read last; none for one that is not set.
    pub fn of(&self, function: &FunctionName, names: &[SecretName]) -> Vec<Option<StoredVersion>> {
        let state = self.lock();
        let stored = state.stored.as_ref();
        names.iter().map(|name| stored_for(stored?, function, name).cloned()).collect()
    }

    /// Notes what an instance has, which it was read for. What was stored may have changed between the reading and this.
    pub fn hold(
        self: &Arc<Self>,
        slot: Slot,
        function: &FunctionName,
        versions: Vec<(SecretName, SecretVersion)>,
    ) -> HeldSecrets {
        let held = Held { function: function.clone(), versions, is_told: false };
        let mut state = self.lock();
        if state.stored.as_ref().is_some_and(|stored| held.is_outdated(stored)) {
            self.doubt();
        }
        state.held.insert(slot, held);
        HeldSecrets { versions: self.clone(), slot }
    }

    /// Has the stored ones read again, at once.
    pub fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Has the stored ones and this function read again, at once.
    pub fn doubt_with(&self, function: FunctionId) {
        self.lock().doubtful.insert(function);
        self.doubt();
    }

    /// Returns the functions that have to be read again, each once.
    pub fn doubtful(&self) -> BTreeSet<FunctionId> {
        std::mem::take(&mut self.lock().doubtful)
    }

    /// Returns when they have to be read again. Cancel safe.
    pub async fn doubted(&self) {
        self.doubts.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

/// Returns the function's own secret of that name, or else the platform's.
fn stored_for<'a>(
    stored: &'a HashMap<SecretPlace, StoredVersion>,
    function: &FunctionName,
    name: &SecretName,
) -> Option<&'a StoredVersion> {
    let of = |function: Option<&FunctionName>| {
        stored.get(&SecretPlace { function: function.cloned(), name: name.clone() })
    };
    of(Some(function)).or_else(|| of(None))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    type Stored = (SecretPlace, SecretVersion, KeyId);

    fn function() -> FunctionName {
        "f".parse().unwrap()
    }

    fn name(name: &str) -> SecretName {
        name.parse().unwrap()
    }

    fn stored(function: Option<FunctionName>, secret: &str) -> Stored {
        let place = SecretPlace { function, name: name(secret) };
        (place, SecretVersion::new(), KeyId("key".to_owned()))
    }

    /// What an instance has read that got these.
    fn read(stored: &[Stored]) -> Vec<(SecretName, SecretVersion)> {
        stored.iter().map(|(place, version, _)| (place.name.clone(), *version)).collect()
    }

    fn outdated(slot: u64) -> Vec<(Slot, FunctionName)> {
        vec![(Slot(slot), function())]
    }

    fn is_doubted(versions: &SecretVersions) -> bool {
        versions.doubted().now_or_never().is_some()
    }

    #[test]
    fn an_instance_of_an_earlier_revision_is_outdated_by_a_secret_that_only_that_one_has() {
        let versions = Arc::<SecretVersions>::default();
        let (a, b) = (stored(None, "A"), stored(None, "B"));
        versions.are_stored([a.clone(), b.clone()]);
        let _earlier = versions.hold(Slot(1), &function(), read(&[a.clone(), b]));
        let _active = versions.hold(Slot(2), &function(), read(std::slice::from_ref(&a)));
        let now = [a, stored(None, "B")];
        assert_eq!(versions.are_stored(now.clone()), outdated(1));
        assert_eq!(versions.are_stored(now), [], "it was said once");
    }

    #[test]
    fn an_instance_of_a_revision_that_is_not_known_yet_is_outdated_as_any_other() {
        let versions = Arc::<SecretVersions>::default();
        let b = stored(None, "B");
        versions.are_stored([b.clone()]);
        // Nobody has told of the revision: a call has named it.
        let _held = versions.hold(Slot(1), &function(), read(&[b]));
        assert_eq!(versions.are_stored([stored(None, "B")]), outdated(1));
    }

    #[test]
    fn one_that_was_read_between_two_equal_readings_is_found_out() {
        let versions = Arc::<SecretVersions>::default();
        let (all, own) = (stored(None, "A"), stored(Some(function()), "A"));
        versions.are_stored([all.clone()]);
        // Its own secret was set, and is deleted again before anybody else reads.
        let _held = versions.hold(Slot(1), &function(), read(&[own]));
        assert!(is_doubted(&versions), "they are read again");
        assert_eq!(versions.are_stored([all]), outdated(1));
    }

    #[test]
    fn one_that_has_read_before_a_change_and_says_so_after_it_is_found_out() {
        let versions = Arc::<SecretVersions>::default();
        let (old, new) = (stored(None, "A"), stored(None, "A"));
        assert_eq!(versions.are_stored([new.clone()]), []);
        let _old = versions.hold(Slot(1), &function(), read(&[old]));
        assert!(is_doubted(&versions) && !is_doubted(&versions), "once");
        let _new = versions.hold(Slot(2), &function(), read(std::slice::from_ref(&new)));
        assert!(!is_doubted(&versions), "it has what is stored");
        assert_eq!(versions.are_stored([new]), outdated(1));
    }

    #[test]
    fn a_change_elsewhere_and_an_instance_that_is_gone_are_nobodys_business() {
        let versions = Arc::<SecretVersions>::default();
        let own = stored(Some(function()), "A");
        let held = versions.hold(Slot(1), &function(), read(std::slice::from_ref(&own)));
        let other = stored(Some("g".parse().unwrap()), "A");
        assert_eq!(versions.are_stored([own.clone(), stored(None, "A"), other]), []);
        let (_, version, key) = own;
        assert_eq!(versions.of(&function(), &[name("A"), name("B")]), [Some((version, key)), None]);
        drop(held);
        assert_eq!(versions.are_stored([]), []);
    }

    #[test]
    fn one_whose_secret_was_deleted_is_outdated() {
        let versions = Arc::<SecretVersions>::default();
        let _held = versions.hold(Slot(1), &function(), read(&[stored(None, "A")]));
        assert_eq!(versions.are_stored([]), outdated(1));
    }
}

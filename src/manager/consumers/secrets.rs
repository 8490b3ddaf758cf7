//! The secrets that functions get, as this manager follows them. When one has changed, what kept instances from starting may be
//! gone; and while one is encrypted with a key that this host does not have, nothing is taken from the function's queues.
//! Which instances have old values is found out apart from this (`held_secrets.rs`).

use std::{collections::HashMap, sync::Arc};

use super::super::{held_secrets::StoredVersion, pool::Slot, secrets::lacks_key, shared::Shared};
use crate::{
    model::{FunctionId, FunctionName, Revision, SecretName, SecretVersion},
    store,
};

/// A function that gets secrets, as it was when it was last looked at.
struct LookedAt {
    name: FunctionName,
    secrets: Vec<SecretName>,
    /// Each of them; none for one that is not set.
    stored: Vec<Option<StoredVersion>>,
}

/// The state of the secrets of a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SecretState {
    /// They are others than when the function was last looked at.
    pub have_changed: bool,
    /// The reason why this host cannot read them.
    pub unreadable: Option<String>,
}

/// The functions that get secrets.
pub(super) struct FollowedSecrets {
    shared: Arc<Shared>,
    functions: HashMap<FunctionId, LookedAt>,
}

impl FollowedSecrets {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, functions: HashMap::new() }
    }

    /// Reads which secrets there are. Returns the instances that have become outdated, each with its function.
    pub async fn read(&self) -> Result<Vec<(Slot, FunctionName)>, store::Error> {
        let stored = self.shared.store.secret_versions().await?;
        Ok(self.shared.secrets.versions.are_stored(stored))
    }

    /// Returns the functions whose secrets are others, or have another key, than when they were last looked at.
    pub fn changed(&self) -> Vec<FunctionId> {
        let versions = &self.shared.secrets.versions;
        let is_changed = |at: &LookedAt| versions.of(&at.name, &at.secrets) != at.stored;
        let changed = self.functions.iter().filter(|(_, looked_at)| is_changed(looked_at));
        changed.map(|(function, _)| *function).collect()
    }

    /// Looks at the secrets of a function's active revision, as they were last read. The first look has nothing to compare
    /// with, nor has that at another list of them.
    pub fn look_at(&mut self, revision: &Revision) -> SecretState {
        let (id, name, secrets) = (revision.function, &revision.name, &revision.spec.secrets);
        let before = self.functions.remove(&id);
        self.shared.secrets.keep(id, secrets);
        if secrets.is_empty() {
            return SecretState::default();
        }
        let stored = self.shared.secrets.versions.of(name, secrets);
        let have_changed = before.is_some_and(|before| {
            before.secrets == *secrets && !versions(&before.stored).eq(versions(&stored))
        });
        let unreadable = secrets.iter().zip(&stored).find_map(|(secret, stored)| {
            let (_, key) = stored.as_ref()?;
            (!self.shared.keyring.has(key)).then(|| lacks_key(secret, key))
        });
        let looked_at = LookedAt { name: name.clone(), secrets: secrets.clone(), stored };
        self.functions.insert(id, looked_at);
        SecretState { have_changed, unreadable }
    }

    /// The function was deleted.
    pub fn forget(&mut self, function: FunctionId) {
        self.functions.remove(&function);
        self.shared.secrets.forget(function);
    }
}

/// Versions without their keys: another key is no other value.
fn versions(stored: &[Option<StoredVersion>]) -> impl Iterator<Item = Option<SecretVersion>> {
    stored.iter().map(|stored| stored.as_ref().map(|(version, _)| *version))
}

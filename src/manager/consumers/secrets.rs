//! The versions of the secrets that functions get. When one has changed, the function's instances are replaced; and while one
//! is encrypted with a key that this host does not have, nothing is taken from the function's queues.

use std::{collections::HashMap, sync::Arc};

use super::super::{secrets::lacks_key, shared::Shared};
use crate::{
    model::{FunctionId, FunctionName, KeyId, Revision, SecretName, SecretPlace, SecretVersion},
    store,
};

/// A secret as a function gets it; none for one that is not set.
type Got = Option<(SecretVersion, KeyId)>;

/// A function that gets secrets, as it was when it was last looked at.
struct Seen {
    name: FunctionName,
    secrets: Vec<SecretName>,
    got: Vec<Got>,
}

/// The state of the secrets of a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SecretState {
    /// Instances may have other values than the present ones.
    pub have_changed: bool,
    /// The reason why this host cannot read them.
    pub unreadable: Option<String>,
}

/// All stored secrets, and the functions that get any.
pub(super) struct FollowedSecrets {
    shared: Arc<Shared>,
    stored: HashMap<SecretPlace, (SecretVersion, KeyId)>,
    functions: HashMap<FunctionId, Seen>,
}

impl FollowedSecrets {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, stored: HashMap::new(), functions: HashMap::new() }
    }

    /// Reads which secrets there are.
    pub async fn read(&mut self) -> Result<(), store::Error> {
        let stored = self.shared.store.secret_versions().await?;
        self.stored = stored.into_iter().map(|(place, version, key)| (place, (version, key))).collect();
        Ok(())
    }

    /// Returns the functions whose secrets are others, or have another key, than when they were last looked at.
    pub fn changed(&self) -> Vec<FunctionId> {
        let changed =
            self.functions.iter().filter(|(_, seen)| self.got(&seen.name, &seen.secrets) != seen.got);
        changed.map(|(function, _)| *function).collect()
    }

    /// Looks at the secrets of a function's active revision, as they were last read. The first look has nothing to compare
    /// with, nor has that at another list of them: such a revision has instances of its own.
    pub fn look_at(&mut self, revision: &Revision) -> SecretState {
        let (id, name, secrets) = (revision.function, &revision.name, &revision.spec.secrets);
        if secrets.is_empty() {
            self.functions.remove(&id);
            return SecretState::default();
        }
        let got = self.got(name, secrets);
        let lacking = secrets.iter().zip(&got).find_map(|(secret, got)| {
            let (_, key) = got.as_ref()?;
            (!self.shared.keyring.has(key)).then(|| lacks_key(secret, key))
        });
        let seen = Seen { name: name.clone(), secrets: secrets.clone(), got };
        let (before, now) = (self.functions.remove(&id), versions(&seen.got));
        let is_other =
            before.is_some_and(|before| before.secrets == seen.secrets && versions(&before.got).ne(now));
        self.functions.insert(id, seen);
        let present = |secret: &SecretName| self.stored_for(name, secret).map(|(version, _)| *version);
        let were_outdated = self.shared.secrets.were_outdated(id, present);
        SecretState { have_changed: is_other || were_outdated, unreadable: lacking }
    }

    /// The function was deleted.
    pub fn forget(&mut self, function: FunctionId) {
        self.functions.remove(&function);
        self.shared.secrets.forget(function);
    }

    fn got(&self, function: &FunctionName, secrets: &[SecretName]) -> Vec<Got> {
        secrets.iter().map(|secret| self.stored_for(function, secret).cloned()).collect()
    }

    /// Returns the function's own secret of that name, or else the platform's.
    fn stored_for(
        &self,
        function: &FunctionName,
        secret: &SecretName,
    ) -> Option<&(SecretVersion, KeyId)> {
        let of = |function: Option<&FunctionName>| {
            let place = SecretPlace { function: function.cloned(), name: secret.clone() };
            self.stored.get(&place)
        };
        of(Some(function)).or_else(|| of(None))
    }
}

fn versions(got: &[Got]) -> impl Iterator<Item = Option<SecretVersion>> {
    got.iter().map(|got| got.as_ref().map(|(version, _)| *version))
}

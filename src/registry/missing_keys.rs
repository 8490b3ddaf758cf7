//! Secrets that this host cannot read, since it does not have their keys: said once, when the registry starts.

use std::{collections::BTreeMap, time::Duration};

use super::Registry;
use crate::{error_chain::chain, keyring::Keyring, model::KeyId};

/// The pause before the store is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

impl Registry {
    /// Warns in the log of secrets whose keys are not here, as after the file of the keys was lost and made anew. Returns when
    /// the store has answered.
    pub(super) async fn warn_of_missing_keys(&self) {
        let stored = loop {
            match self.store.secret_versions().await {
                Ok(stored) => break stored,
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "keys of secrets are not checked yet")
                }
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        if let Some(what) = missing(&self.keyring, stored.into_iter().map(|(_, _, key)| key)) {
            tracing::warn!(
                "{what}: functions that get them are not started; restore the file of the keys, or set the secrets again"
            );
        }
    }
}

/// Says how many secrets are encrypted with keys that are not in the keyring, and which these are.
fn missing(keyring: &Keyring, used: impl Iterator<Item = KeyId>) -> Option<String> {
    let mut missing = BTreeMap::<KeyId, usize>::new();
    for key in used.filter(|key| !keyring.has(key)) {
        *missing.entry(key).or_default() += 1;
    }
    if missing.is_empty() {
        return None;
    }
    let count: usize = missing.values().sum();
    let (secrets, keys) = (if count == 1 { "secret is" } else { "secrets are" }, missing.len());
    let keys = if keys == 1 { "a key" } else { "keys" };
    let ids: Vec<String> = missing.keys().map(KeyId::to_string).collect();
    Some(format!(
        "{count} {secrets} encrypted with {keys} that this host does not have ({})",
        ids.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_without_their_key_are_counted_and_the_keys_named() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::read_or_make(&folder.path().join("secret-key")).unwrap();
        let here = keyring.newest().clone();
        let away = |id: &str| KeyId(id.to_owned());
        let said = |keys: &[&KeyId]| missing(&keyring, keys.iter().map(|key| (*key).clone()));
        assert_eq!(said(&[&here, &here]), None);
        assert_eq!(
            said(&[&here, &away("aa")]).as_deref(),
            Some("1 secret is encrypted with a key that this host does not have (aa)")
        );
        assert_eq!(
            said(&[&away("bb"), &away("aa"), &away("bb")]).as_deref(),
            Some("3 secrets are encrypted with keys that this host does not have (aa, bb)")
        );
    }
}

//! The secrets of functions: read when an instance loads its code, decrypted with this host's keys, and handed to its guest,
//! to nobody else. Nothing here logs a value, and no error has one.
//!
//! While the store does not answer, an instance gets what was read for its function last, which is kept as the store had it:
//! encrypted. Somebody may have changed that meanwhile, so it is looked at again once the store answers.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    revisions::RevisionCache,
    start_failure::{StartFailure, function_error},
};
use crate::{
    error_chain::chain,
    keyring::{Keyring, OpenError},
    model::{FunctionError, FunctionId, Revision, SealedSecret, SecretName, SecretVersion},
    store,
};

pub use crate::model::secret::lacks_key;

/// Reads secrets for instances.
pub struct SecretReader {
    store: Arc<dyn store::Secrets>,
    keyring: Arc<Keyring>,
    remembered: Mutex<HashMap<FunctionId, Remembered>>,
}

/// The memory of a function's secrets, of all its revisions.
#[derive(Default)]
struct Remembered {
    /// Those that were read last, encrypted.
    last: HashMap<SecretName, SealedSecret>,
    /// The ones that instances were given out of `last`, while nobody could say whether they were the present ones.
    unconfirmed: HashSet<(SecretName, SecretVersion)>,
}

impl SecretReader {
    pub fn new(store: Arc<dyn store::Secrets>, keyring: Arc<Keyring>) -> Self {
        Self { store, keyring, remembered: Mutex::default() }
    }

    /// Returns the values of a revision's secrets by their names, for an instance that is about to load its code. One that is
    /// not set is the function's failure; whatever else keeps them from being read is the platform's.
    pub async fn values(
        &self,
        revisions: &RevisionCache,
        revision: &Revision,
    ) -> Result<BTreeMap<String, String>, StartFailure> {
        let names = &revision.spec.secrets;
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let secrets = match self.store.secrets_of(&revision.name, names).await {
            Ok(found) => {
                let found: Vec<SealedSecret> = found.into_iter().map(|found| found.secret).collect();
                self.remember(revisions, revision, &found);
                found
            }
            Err(error) => {
                let last = if error.is_transient() { self.last(revision) } else { None };
                last.ok_or_else(|| {
                    StartFailure::Platform(format!(
                        "the function's secrets cannot be read: {}",
                        chain(&error)
                    ))
                })?
            }
        };
        opened(&self.keyring, names, &secrets)
    }

    /// Keeps what was read of a function that is followed: a build that is checked has none yet, and one that was deleted
    /// meanwhile is forgotten already.
    fn remember(&self, revisions: &RevisionCache, revision: &Revision, found: &[SealedSecret]) {
        let mut remembered = self.lock();
        if revisions.active(revision.function).is_none() {
            return;
        }
        let last = &mut remembered.entry(revision.function).or_default().last;
        for name in &revision.spec.secrets {
            match found.iter().find(|secret| secret.place.name == *name) {
                Some(secret) => drop(last.insert(name.clone(), secret.clone())),
                None => drop(last.remove(name)),
            }
        }
    }

    /// Returns what was read last, if that is all that the revision gets.
    fn last(&self, revision: &Revision) -> Option<Vec<SealedSecret>> {
        let mut remembered = self.lock();
        let Remembered { last, unconfirmed } = remembered.get_mut(&revision.function)?;
        let secrets: Option<Vec<SealedSecret>> =
            revision.spec.secrets.iter().map(|name| last.get(name).cloned()).collect();
        let secrets = secrets?;
        unconfirmed.extend(secrets.iter().map(|secret| (secret.place.name.clone(), secret.version)));
        let function = revision.name.as_str();
        tracing::warn!(
            function,
            "the store does not answer: an instance gets the secrets that were read last"
        );
        Some(secrets)
    }

    /// Returns whether instances of a function have values that are not the present ones, as they were given what was read
    /// earlier; `present` says which version a name has. They count as replaced then.
    pub fn were_outdated(
        &self,
        function: FunctionId,
        present: impl Fn(&SecretName) -> Option<SecretVersion>,
    ) -> bool {
        let mut remembered = self.lock();
        let Some(of_function) = remembered.get_mut(&function) else { return false };
        let unconfirmed = std::mem::take(&mut of_function.unconfirmed);
        unconfirmed.into_iter().any(|(name, version)| present(&name) != Some(version))
    }

    /// The function was deleted.
    pub fn forget(&self, function: FunctionId) {
        self.lock().remove(&function);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FunctionId, Remembered>> {
        self.remembered.lock().expect("no holder panics")
    }
}

/// Decrypts them; all of these names have to be there.
fn opened(
    keyring: &Keyring,
    names: &[SecretName],
    secrets: &[SealedSecret],
) -> Result<BTreeMap<String, String>, StartFailure> {
    let mut values = BTreeMap::new();
    for name in names {
        let Some(secret) = secrets.iter().find(|secret| secret.place.name == *name) else {
            return Err(StartFailure::Load(not_set(name)));
        };
        let value = open(keyring, secret).map_err(StartFailure::Platform)?;
        values.insert(name.to_string(), value);
    }
    Ok(values)
}

fn not_set(name: &SecretName) -> FunctionError {
    let message = format!("the secret '{name}' is not set; set it with `cloudfunc secret set {name}`");
    function_error("load", message)
}

fn open(keyring: &Keyring, secret: &SealedSecret) -> Result<String, String> {
    let name = &secret.place.name;
    let value = keyring.open(secret).map_err(|error| match error {
        OpenError::NoKey(key) => lacks_key(name, &key),
        OpenError::Damaged => format!("the secret '{name}' cannot be decrypted: {error}"),
    })?;
    // The error of the conversion has nothing of the value.
    let text = std::str::from_utf8(&value).map_err(|_| format!("the secret '{name}' is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        manifest::{self, Defaults},
        model::{
            Digest, FunctionName, KeyId, RevisionNumber, SecretPlace, StoredSecret, StoredSecretInfo,
        },
    };

    /// A store that has these secrets, or does not answer.
    #[derive(Default)]
    struct Stored {
        secrets: Mutex<Vec<SealedSecret>>,
        is_away: AtomicBool,
    }

    impl Stored {
        fn set(&self, secret: SealedSecret) {
            let mut secrets = self.secrets.lock().unwrap();
            secrets.retain(|other| other.place != secret.place);
            secrets.push(secret);
        }

        fn answer<T>(&self, answer: T) -> Result<T, store::Error> {
            match self.is_away.load(Ordering::SeqCst) {
                false => Ok(answer),
                true => Err(store::Error::Unavailable {
                    address: "nowhere".to_owned(),
                    source: "it is away, for a test".into(),
                }),
            }
        }
    }

    #[async_trait]
    impl store::Secrets for Stored {
        async fn put_secret(
            &self,
            secret: &SealedSecret,
            _: bool,
        ) -> Result<Option<bool>, store::Error> {
            self.set(secret.clone());
            self.answer(Some(true))
        }

        async fn reseal_secret(&self, _: &SealedSecret) -> Result<bool, store::Error> {
            self.answer(false)
        }

        async fn delete_secret(&self, place: &SecretPlace) -> Result<bool, store::Error> {
            self.secrets.lock().unwrap().retain(|secret| secret.place != *place);
            self.answer(true)
        }

        async fn secret(&self, _: &SecretPlace) -> Result<Option<StoredSecret>, store::Error> {
            self.answer(None)
        }

        async fn secret_infos(
            &self,
            _: Option<&FunctionName>,
        ) -> Result<Vec<StoredSecretInfo>, store::Error> {
            self.answer(Vec::new())
        }

        async fn secrets_of(
            &self,
            _: &FunctionName,
            names: &[SecretName],
        ) -> Result<Vec<StoredSecret>, store::Error> {
            let now = Timestamp::UNIX_EPOCH;
            let secrets = self.secrets.lock().unwrap().clone();
            let found = secrets.into_iter().filter(|secret| names.contains(&secret.place.name));
            self.answer(
                found.map(|secret| StoredSecret { secret, created_at: now, set_at: now }).collect(),
            )
        }

        async fn secret_versions(
            &self,
        ) -> Result<Vec<(SecretPlace, SecretVersion, KeyId)>, store::Error> {
            self.answer(Vec::new())
        }
    }

    /// A key of its own; the folder may go then.
    fn keyring() -> Arc<Keyring> {
        let folder = tempfile::tempdir().unwrap();
        Arc::new(Keyring::read_or_make(&folder.path().join("secret-key")).unwrap())
    }

    fn name() -> SecretName {
        "API_KEY".parse().unwrap()
    }

    fn sealed(keyring: &Keyring, value: &[u8]) -> SealedSecret {
        let place = SecretPlace { function: None, name: name() };
        let version = SecretVersion::new();
        let (key, sealed) = keyring.seal(&place, version, value);
        SealedSecret { place, version, key, sealed, set_by: "test".to_owned() }
    }

    fn revision(names: &[SecretName]) -> Revision {
        let mut spec = manifest::parse("", manifest::FILE, &Defaults::default()).unwrap().spec;
        spec.secrets = names.to_vec();
        Revision {
            function: FunctionId::new(),
            name: "f".parse().unwrap(),
            number: RevisionNumber(1),
            spec,
            source: Digest::of(b"source"),
            bundle: None,
            dependencies: None,
            image: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn reason(failure: StartFailure) -> String {
        match failure {
            StartFailure::Platform(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_value_is_decrypted_and_one_that_is_not_set_is_the_functions_failure() {
        let (store, keyring) = (Arc::new(Stored::default()), keyring());
        let reader = SecretReader::new(store.clone(), keyring.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        match reader.values(&revisions, &revision).await.unwrap_err() {
            StartFailure::Load(error) => assert_eq!(
                (error.kind.as_str(), error.message.as_str()),
                ("load", "the secret 'API_KEY' is not set; set it with `cloudfunc secret set API_KEY`")
            ),
            other => panic!("{other:?}"),
        }
        store.set(sealed(&keyring, b"hunter2"));
        let values = reader.values(&revisions, &revision).await.unwrap();
        assert_eq!(values, BTreeMap::from([("API_KEY".to_owned(), "hunter2".to_owned())]));
        assert!(reader.lock().is_empty(), "no function of this id is followed");
    }

    #[tokio::test]
    async fn one_that_cannot_be_decrypted_is_the_platforms_failure_which_says_why() {
        let (store, own, other) = (Arc::new(Stored::default()), keyring(), keyring());
        let reader = SecretReader::new(store.clone(), own.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        let told = async || reason(reader.values(&revisions, &revision).await.unwrap_err());
        store.set(sealed(&other, b"hunter2"));
        assert_eq!(
            told().await,
            format!(
                "the secret 'API_KEY' is encrypted with the key {}, which this host does not have; give this host the file \
                 of --secret-key-file that has it",
                other.newest()
            )
        );
        let mut damaged = sealed(&own, b"hunter2");
        damaged.sealed[14] ^= 1;
        store.set(damaged);
        assert_eq!(
            told().await,
            "the secret 'API_KEY' cannot be decrypted: it was damaged, or is not the one that was set here; \
             set it again"
        );
        store.set(sealed(&own, b"\xffhunter2"));
        assert_eq!(told().await, "the secret 'API_KEY' is not UTF-8");
    }

    #[tokio::test]
    async fn without_the_store_an_instance_gets_what_was_read_last_which_is_looked_at_again() {
        let (store, keyring) = (Arc::new(Stored::default()), keyring());
        let reader = SecretReader::new(store.clone(), keyring.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        let function = revision.function;
        revisions.set_active(function, revision.number);
        store.is_away.store(true, Ordering::SeqCst);
        assert_eq!(
            reason(reader.values(&revisions, &revision).await.unwrap_err()),
            "the function's secrets cannot be read: the store at nowhere does not answer: it is away, for a test"
        );
        store.is_away.store(false, Ordering::SeqCst);
        let first = sealed(&keyring, b"first");
        let version = first.version;
        store.set(first);
        reader.values(&revisions, &revision).await.unwrap();
        assert!(!reader.were_outdated(function, |_| None), "it came from the store");
        store.is_away.store(true, Ordering::SeqCst);
        let values = reader.values(&revisions, &revision).await.unwrap();
        assert_eq!(values["API_KEY"], "first");
        assert!(!reader.were_outdated(function, |_| Some(version)), "it is the present one");
        reader.values(&revisions, &revision).await.unwrap();
        assert!(reader.were_outdated(function, |_| Some(SecretVersion::new())));
        assert!(!reader.were_outdated(function, |_| Some(SecretVersion::new())), "it was said once");
        reader.forget(function);
        assert!(
            reader.values(&revisions, &revision).await.is_err(),
            "it is forgotten with its function"
        );
    }

    #[tokio::test]
    async fn what_was_deleted_is_not_remembered() {
        let (store, keyring) = (Arc::new(Stored::default()), keyring());
        let reader = SecretReader::new(store.clone(), keyring.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        revisions.set_active(revision.function, revision.number);
        let secret = sealed(&keyring, b"hunter2");
        let place = secret.place.clone();
        store.set(secret);
        reader.values(&revisions, &revision).await.unwrap();
        store::Secrets::delete_secret(&*store, &place).await.unwrap();
        reader.values(&revisions, &revision).await.unwrap_err();
        store.is_away.store(true, Ordering::SeqCst);
        let reason = reason(reader.values(&revisions, &revision).await.unwrap_err());
        assert!(reason.starts_with("the function's secrets cannot be read: "), "{reason}");
    }
}

//! The secrets of functions: read when an instance loads its code, decrypted with this host's keys, and handed to its guest,
//! to nobody else. Nothing here logs a value, and no error has one.
//!
//! While the store does not answer, an instance gets what was read for its function last (`last_secrets.rs`). What each
//! instance has is noted, and compared with what is stored (`held_secrets.rs`).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    held_secrets::{HeldSecrets, SecretVersions},
    last_secrets::LastSecrets,
    pool::Slot,
    revisions::RevisionCache,
    start_failure::{StartFailure, function_error},
};
use crate::{
    error_chain::chain,
    keyring::{Keyring, OpenError},
    model::{FunctionError, FunctionId, Revision, SealedSecret, SecretName},
    store,
};

pub use crate::model::secret::lacks_key;

/// Reads secrets for instances.
pub struct SecretReader {
    store: Arc<dyn store::Secrets>,
    keyring: Arc<Keyring>,
    last: Mutex<LastSecrets>,
    /// What is stored, and what instances have.
    pub versions: Arc<SecretVersions>,
}

impl SecretReader {
    pub fn new(store: Arc<dyn store::Secrets>, keyring: Arc<Keyring>) -> Self {
        Self { store, keyring, last: Mutex::default(), versions: Arc::default() }
    }

    /// Returns the values of a revision's secrets by their names, for an instance that is about to load its code, and a note of
    /// them if it has a slot and there are any. A secret that is not set is the function's failure, one without its key this
    /// host's; whatever else keeps them from being read is the platform's.
    pub async fn values(
        &self,
        revisions: &RevisionCache,
        revision: &Revision,
        slot: Option<Slot>,
    ) -> Result<(BTreeMap<String, String>, Option<HeldSecrets>), StartFailure> {
        let names = &revision.spec.secrets;
        if names.is_empty() {
            return Ok((BTreeMap::new(), None));
        }
        let (secrets, is_confirmed) = match self.store.secrets_of(&revision.name, names).await {
            Ok(found) => {
                let found: Vec<SealedSecret> = found.into_iter().map(|found| found.secret).collect();
                self.remember(revisions, revision, &found);
                (found, true)
            }
            Err(error) => {
                let last = if error.is_transient() { self.last(revision) } else { None };
                (last.ok_or_else(|| unread(&error))?, false)
            }
        };
        let opened = opened(&self.keyring, names, &secrets);
        let held = slot.filter(|_| opened.is_ok()).map(|slot| {
            let versions = secrets.iter().map(|secret| (secret.place.name.clone(), secret.version));
            self.versions.hold(slot, &revision.name, versions.collect())
        });
        // Whoever follows them and the function reads both at once: there may be others, or this host may be no use for them.
        if !is_confirmed || matches!(opened, Err(StartFailure::NoKey(_))) {
            self.versions.doubt_with(revision.function);
        }
        Ok((opened?, held))
    }

    /// Keeps what was read of a function that is followed: a build that is checked has none yet, and one that was deleted
    /// meanwhile is forgotten already.
    fn remember(&self, revisions: &RevisionCache, revision: &Revision, found: &[SealedSecret]) {
        let mut last = self.lock();
        if revisions.active(revision.function).is_some() {
            last.were_read(revision.function, &revision.spec.secrets, found);
        }
    }

    /// Returns what was read last, if that is all that the revision gets.
    fn last(&self, revision: &Revision) -> Option<Vec<SealedSecret>> {
        let secrets = self.lock().get(revision.function, &revision.spec.secrets)?;
        tracing::warn!(function = %revision.name, "no answer of the store: the secrets read last have to do");
        Some(secrets)
    }

    /// The active revision of a function asks for these names: others are not remembered any more.
    pub fn keep(&self, function: FunctionId, names: &[SecretName]) {
        self.lock().keep(function, names);
    }

    /// The function was deleted.
    pub fn forget(&self, function: FunctionId) {
        self.keep(function, &[]);
    }

    fn lock(&self) -> MutexGuard<'_, LastSecrets> {
        self.last.lock().expect("no holder panics")
    }
}

fn unread(error: &store::Error) -> StartFailure {
    StartFailure::Platform(format!("the function's secrets cannot be read: {}", chain(error)))
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
        let value = open(keyring, secret)?;
        values.insert(name.to_string(), value);
    }
    Ok(values)
}

fn not_set(name: &SecretName) -> FunctionError {
    let message = format!("the secret '{name}' is not set; set it with `cloudfunc secret set {name}`");
    function_error("load", message)
}

fn open(keyring: &Keyring, secret: &SealedSecret) -> Result<String, StartFailure> {
    let name = &secret.place.name;
    let value = keyring.open(secret).map_err(|error| match error {
        OpenError::NoKey(key) => StartFailure::NoKey(lacks_key(name, &key)),
        OpenError::Damaged => {
            StartFailure::Platform(format!("the secret '{name}' cannot be decrypted: {error}"))
        }
    })?;
    // The error of the conversion has nothing of the value.
    std::str::from_utf8(&value)
        .map(str::to_owned)
        .map_err(|_| StartFailure::Platform(format!("the secret '{name}' is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        manifest::{self, Defaults},
        model::{
            Digest, FunctionName, KeyId, RevisionNumber, SecretPlace, SecretVersion, StoredSecret,
            StoredSecretInfo,
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

    type Read = (BTreeMap<String, String>, Option<HeldSecrets>);

    fn failure(read: Result<Read, StartFailure>) -> StartFailure {
        read.err().expect("it cannot be read")
    }

    fn is_doubted(reader: &SecretReader) -> bool {
        reader.versions.doubted().now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_value_is_decrypted_and_one_that_is_not_set_is_the_functions_failure() {
        let (store, keyring) = (Arc::new(Stored::default()), keyring());
        let reader = SecretReader::new(store.clone(), keyring.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        match failure(reader.values(&revisions, &revision, None).await) {
            StartFailure::Load(error) => assert_eq!(
                (error.kind.as_str(), error.message.as_str()),
                ("load", "the secret 'API_KEY' is not set; set it with `cloudfunc secret set API_KEY`")
            ),
            other => panic!("{other:?}"),
        }
        store.set(sealed(&keyring, b"hunter2"));
        let (values, held) = reader.values(&revisions, &revision, None).await.unwrap();
        assert_eq!(values, BTreeMap::from([("API_KEY".to_owned(), "hunter2".to_owned())]));
        assert!(held.is_none(), "it does not serve");
        let last = reader.lock().get(revision.function, &[name()]);
        assert_eq!(last, None, "no function of this id is followed");
    }

    #[tokio::test]
    async fn one_without_its_key_is_this_hosts_failure_which_says_why_and_has_all_read_again() {
        let (store, own, other) = (Arc::new(Stored::default()), keyring(), keyring());
        let reader = SecretReader::new(store.clone(), own);
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        store.set(sealed(&other, b"hunter2"));
        match failure(reader.values(&revisions, &revision, Some(Slot(1))).await) {
            StartFailure::NoKey(reason) => assert_eq!(
                reason,
                format!(
                    "the secret 'API_KEY' is encrypted with the key {}, which this host does not have; add that key to this \
                     host's key file and restart the platform",
                    other.newest()
                )
            ),
            other => panic!("{other:?}"),
        }
        assert!(is_doubted(&reader));
    }

    #[tokio::test]
    async fn one_that_cannot_be_decrypted_is_the_platforms_failure_which_says_why() {
        let (store, own) = (Arc::new(Stored::default()), keyring());
        let reader = SecretReader::new(store.clone(), own.clone());
        let (revisions, revision) = (RevisionCache::default(), revision(&[name()]));
        let told = async || reason(failure(reader.values(&revisions, &revision, None).await));
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
        let read = async || reader.values(&revisions, &revision, Some(Slot(1))).await;
        assert_eq!(
            reason(failure(read().await)),
            "the function's secrets cannot be read: the store at nowhere does not answer: it is away, for a test"
        );
        store.is_away.store(false, Ordering::SeqCst);
        let first = sealed(&keyring, b"first");
        let stored = (first.place.clone(), first.version, first.key.clone());
        store.set(first);
        let from_store = read().await.unwrap();
        assert!(!is_doubted(&reader), "it came from the store");
        drop(from_store);
        store.is_away.store(true, Ordering::SeqCst);
        let (values, _held) = read().await.unwrap();
        assert_eq!(values["API_KEY"], "first");
        assert!(is_doubted(&reader), "it is looked at as soon as the store answers");
        assert_eq!(reader.versions.are_stored([stored.clone()]), [], "it is the present one");
        let newer = (stored.0, SecretVersion::new(), stored.2);
        let outdated = reader.versions.are_stored([newer]);
        assert_eq!(outdated, [(Slot(1), revision.name.clone())]);
        reader.forget(function);
        assert!(read().await.is_err(), "it is forgotten with its function");
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
        let read = async || reader.values(&revisions, &revision, None).await;
        assert!(read().await.is_ok());
        store::Secrets::delete_secret(&*store, &place).await.unwrap();
        failure(read().await);
        store.is_away.store(true, Ordering::SeqCst);
        let reason = reason(failure(read().await));
        assert!(reason.starts_with("the function's secrets cannot be read: "), "{reason}");
    }
}

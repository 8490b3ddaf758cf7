//! The keys that secrets are encrypted with: a file with one key a line, the newest first. New values are encrypted with the
//! first one; with the others only what was encrypted before them is read.
//!
//! A sealed value is AES-256-GCM, in the order in which it is stored:
//!
//! ```text
//! version (1 byte: 1) | nonce (12 random bytes) | ciphertext | tag (16 bytes)
//! ```
//!
//! The secret's place and version are authenticated with it: a value cannot be opened at another place, nor as another version
//! of its secret. A row of the store that is put back whole, with its version, is the secret as it was then.
//! Random nonces are good for 2^32 values of one key, more than anybody sets.

mod file;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use self::file::KeyringError;
use crate::{
    model::{KeyId, SealedSecret, SecretPlace, SecretVersion},
    private_file::Rule,
};

/// The version of sealed values: their first byte.
const VERSION: u8 = 1;
/// What stands before the ciphertext, in bytes.
const HEAD: usize = 1 + NONCE_LEN;
/// The length of a key, in bytes.
const KEY_LENGTH: usize = 32;
/// What the id of a key is made of, with the key.
const ID_OF: &[u8] = b"cloudfunc secret key";

/// The number of bytes that a sealed value has more than the value itself.
pub const OVERHEAD: usize = HEAD + MAX_TAG_LEN;

/// The bytes of a key, overwritten when they are dropped.
type KeyBytes = Zeroizing<[u8; KEY_LENGTH]>;

/// The keys of this host. `Debug` shows their ids only.
#[derive(Clone)]
pub struct Keyring {
    /// The newest first; at least one.
    keys: Arc<[Key]>,
    /// The file that they were read from.
    path: PathBuf,
    rule: Rule,
}

struct Key {
    id: KeyId,
    cipher: LessSafeKey,
}

/// An error: a sealed value cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// This host does not have the key.
    #[error("it is encrypted with the key {0}, which this host does not have")]
    NoKey(KeyId),
    /// It was damaged, or belongs to another place or version.
    #[error("it was damaged, or is not the one that was set here; set it again")]
    Damaged,
}

impl Keyring {
    /// Reads the keys of a file, which may be a link to one. Refuses one that belongs to another user, that others can read,
    /// that is not a file, or that holds anything but keys. A file of root may be readable by a group, as mounted secrets are.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        Self::from_file(path, Rule::Given)
    }

    /// Reads the keys of the file, and makes one with a new key (mode 0600) where there is none; of several processes that
    /// start at once, the first one does. A file that is there is never replaced. A link is refused, and so is what
    /// [`Self::read`] refuses.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyringError> {
        if let Some(keyring) = Self::look(path)? {
            return Ok(keyring);
        }
        file::make(path)?;
        Self::from_file(path, Rule::OursWithoutLink)
    }

    /// Reads the keys of the file as [`Self::read_or_make`] does, without creating it; none if it does not exist.
    pub fn look(path: &Path) -> Result<Option<Self>, KeyringError> {
        match Self::from_file(path, Rule::OursWithoutLink) {
            Ok(keyring) => Ok(Some(keyring)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn from_file(path: &Path, rule: Rule) -> Result<Self, KeyringError> {
        let keys = file::read(path, rule)?;
        assert!(!keys.is_empty(), "a file without a key is refused");
        Ok(Self { keys: keys.iter().map(Key::new).collect(), path: path.to_owned(), rule })
    }

    /// Reads the file again, and returns the id of its first key: another one than [`Self::newest`] once it has been changed.
    pub fn first_in_file(&self) -> Result<KeyId, KeyringError> {
        Self::from_file(&self.path, self.rule).map(|now| now.newest().clone())
    }

    /// Returns the id of the newest key.
    pub fn newest(&self) -> &KeyId {
        &self.keys[0].id
    }

    /// Returns whether this host has that key.
    pub fn has(&self, key: &KeyId) -> bool {
        self.key(key).is_some()
    }

    /// Returns the ids of all keys, the newest first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys.iter().map(|key| key.id.clone()).collect()
    }

    /// Encrypts a value with the newest key, as this version of the secret at this place only. Returns the id of the key and the
    /// sealed value.
    pub fn seal(&self, place: &SecretPlace, version: SecretVersion, value: &[u8]) -> (KeyId, Vec<u8>) {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the system has randomness");
        let key = &self.keys[0];
        (key.id.clone(), key.seal(nonce, associated(place, version), value))
    }

    /// Decrypts the value of a secret. It is overwritten when it is dropped.
    pub fn open(&self, secret: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let SealedSecret { place, version, key, sealed, set_by: _ } = secret;
        let key = self.key(key).ok_or_else(|| OpenError::NoKey(key.clone()))?;
        key.open(associated(place, *version), sealed).ok_or(OpenError::Damaged)
    }

    fn key(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.ids()).finish()
    }
}

impl Key {
    fn new(bytes: &KeyBytes) -> Self {
        let digest = Sha256::new().chain_update(ID_OF).chain_update(&bytes[..]).finalize();
        let cipher = UnboundKey::new(&AES_256_GCM, &bytes[..]).expect("a key has 32 bytes");
        Self { id: KeyId(hex::encode(&digest[..8])), cipher: LessSafeKey::new(cipher) }
    }

    /// A nonce must not be used twice.
    fn seal(&self, nonce: [u8; NONCE_LEN], associated: Aad<Vec<u8>>, value: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(value.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.seal_in_place_separate_tag(nonce, associated, &mut sealed[HEAD..]);
        sealed.extend_from_slice(tag.expect("a value is shorter than 64 GiB").as_ref());
        sealed
    }

    /// None where it was not sealed by this key with this beside it.
    fn open(&self, associated: Aad<Vec<u8>>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, encrypted) = rest.split_at_checked(NONCE_LEN)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut value = Zeroizing::new(encrypted.to_vec());
        let length = self.cipher.open_in_place(nonce, associated, &mut value[..]).ok()?.len();
        value.truncate(length);
        Some(value)
    }
}

/// Returns what is authenticated with a value: the version of sealed values, the 16 bytes of the secret's version, the length of
/// the function's name, that name, which is empty for a secret of the platform, and the secret's name.
fn associated(place: &SecretPlace, version: SecretVersion) -> Aad<Vec<u8>> {
    let function = place.function.as_ref().map_or("", |function| function.as_str());
    let length = u8::try_from(function.len()).expect("a function's name has at most 63 bytes");
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(version.0.as_bytes());
    bytes.push(length);
    bytes.extend_from_slice(function.as_bytes());
    bytes.extend_from_slice(place.name.as_str().as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> KeyBytes {
        Zeroizing::new([byte; KEY_LENGTH])
    }

    fn of(keys: &[KeyBytes]) -> Keyring {
        Keyring {
            keys: keys.iter().map(Key::new).collect(),
            path: PathBuf::new(),
            rule: Rule::OursWithoutLink,
        }
    }

    fn keyring(keys: &[u8]) -> Keyring {
        of(&keys.iter().map(|byte| key(*byte)).collect::<Vec<_>>())
    }

    fn place(function: Option<&str>, name: &str) -> SecretPlace {
        SecretPlace { function: function.map(|name| name.parse().unwrap()), name: name.parse().unwrap() }
    }

    /// A value that is sealed for this place.
    fn sealed(keys: &Keyring, place: SecretPlace, value: &[u8]) -> SealedSecret {
        let version = SecretVersion::new();
        let (key, sealed) = keys.seal(&place, version, value);
        SealedSecret { place, version, key, sealed, set_by: "token ada".to_owned() }
    }

    fn opened(keys: &Keyring, secret: &SealedSecret) -> Result<Vec<u8>, OpenError> {
        keys.open(secret).map(|value| value.to_vec())
    }

    #[test]
    fn a_sealed_value_is_opened_at_its_place_and_as_its_version_only() {
        let keys = keyring(&[1]);
        let own = place(Some("hello"), "API_KEY");
        for value in [&b""[..], b"a value", &[0; 64 * 1024]] {
            let secret = sealed(&keys, own.clone(), value);
            assert_eq!((&secret.key, secret.sealed.len()), (keys.newest(), value.len() + OVERHEAD));
            assert_eq!(opened(&keys, &secret).as_deref(), Ok(value));
        }
        let secret = sealed(&keys, own.clone(), b"a value");
        assert!(!secret.sealed.windows(7).any(|part| part == b"a value"));
        for other in [
            place(None, "API_KEY"),
            place(Some("hello2"), "API_KEY"),
            place(Some("hello"), "API_KEY2"),
            place(Some("hell"), "oAPI_KEY"),
            place(None, "helloAPI_KEY"),
        ] {
            let moved = SealedSecret { place: other, ..secret.clone() };
            assert_eq!(opened(&keys, &moved), Err(OpenError::Damaged), "{moved:?}");
        }
        let later = SealedSecret { version: SecretVersion::new(), ..secret.clone() };
        assert_eq!(opened(&keys, &later), Err(OpenError::Damaged), "an older value put back");
        let again = keys.seal(&own, secret.version, b"a value").1;
        assert_ne!(again, secret.sealed, "each time with another nonce");
    }

    #[test]
    fn a_value_that_was_damaged_is_not_opened() {
        let keys = keyring(&[1]);
        let secret = sealed(&keys, place(None, "API_KEY"), b"a value");
        let with = |sealed: Vec<u8>| opened(&keys, &SealedSecret { sealed, ..secret.clone() });
        for index in 0..secret.sealed.len() {
            let mut damaged = secret.sealed.clone();
            damaged[index] ^= 1;
            assert_eq!(with(damaged), Err(OpenError::Damaged), "byte {index}");
            assert_eq!(with(secret.sealed[..index].to_vec()), Err(OpenError::Damaged), "{index} bytes");
        }
        assert_eq!(with([&secret.sealed[..], &[0]].concat()), Err(OpenError::Damaged));
        assert_eq!(
            OpenError::Damaged.to_string(),
            "it was damaged, or is not the one that was set here; set it again"
        );
    }

    #[test]
    fn the_newest_key_seals_and_older_ones_still_open() {
        let old = keyring(&[1]);
        let secret = sealed(&old, place(None, "API_KEY"), b"a value");
        let both = keyring(&[2, 1]);
        assert_eq!(both.ids(), [both.newest().clone(), secret.key.clone()]);
        assert!(both.has(&secret.key));
        assert_eq!(opened(&both, &secret).as_deref(), Ok(&b"a value"[..]));
        let (key, sealed) = both.seal(&secret.place, secret.version, b"a value");
        assert_eq!(key, *keyring(&[2]).newest());
        let mislabelled = SealedSecret { sealed: sealed.clone(), ..secret.clone() };
        assert_eq!(opened(&both, &mislabelled), Err(OpenError::Damaged));
        let resealed = SealedSecret { key, sealed, ..secret };
        let refused = opened(&old, &resealed).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("it is encrypted with the key {}, which this host does not have", resealed.key)
        );
    }

    /// Made by another implementation, Python's `cryptography`: what is stored stays readable.
    #[test]
    fn values_that_were_stored_before_are_opened() {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        (0_u8..).zip(bytes.iter_mut()).for_each(|(number, byte)| *byte = number);
        let keys = of(&[bytes]);
        assert_eq!(keys.newest().0, "99fba3193038f9d8");
        let nonce = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let version = SecretVersion("0193a1b2-c3d4-7e5f-8a6b-7c8d9eafb0c1".parse().unwrap());
        for (place, stored) in [
            (
                place(Some("hello"), "API_KEY"),
                "01000102030405060708090a0b2622a07aa990a7f13a473eb23f08041f87ba7f48cae40c",
            ),
            (
                place(None, "API_KEY"),
                "01000102030405060708090a0b2622a07aa990a764ff1f69a8b3664b6bd1e0f93f5663ce",
            ),
        ] {
            let sealed = keys.keys[0].seal(nonce, associated(&place, version), b"a value");
            assert_eq!(hex::encode(&sealed), stored);
            let sealed = hex::decode(stored).unwrap();
            let (key, set_by) = (keys.newest().clone(), "token ada".to_owned());
            let secret = SealedSecret { place, version, key, sealed, set_by };
            assert_eq!(opened(&keys, &secret).as_deref(), Ok(&b"a value"[..]));
        }
    }

    #[test]
    fn a_file_with_another_first_key_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-key");
        let keys = Keyring::read_or_make(&path).unwrap();
        assert_eq!(keys.first_in_file().unwrap(), *keys.newest());
        let both = format!("{}\n{}", "ab".repeat(KEY_LENGTH), std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, both).unwrap();
        assert_eq!(keys.first_in_file().unwrap(), *keyring(&[0xab]).newest());
        std::fs::remove_file(&path).unwrap();
        assert!(keys.first_in_file().is_err());
    }

    #[test]
    fn a_key_is_never_shown() {
        let keys = keyring(&[0xab]);
        assert_eq!(format!("{keys:?}"), format!("Keyring([KeyId(\"{}\")])", keys.newest()));
        assert!(!format!("{keys:?}").contains("abab"));
    }
}

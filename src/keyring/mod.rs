//! The keys that secrets are encrypted with: a file with one key a line, the newest first. New values are encrypted with the
//! first one; with the others only what was encrypted before them is read.
//!
//! A sealed value is AES-256-GCM, in the order in which it is stored:
//!
//! ```text
//! version (1 byte: 1) | nonce (12 random bytes) | ciphertext | tag (16 bytes)
//! ```
//!
//! Version, function and name are authenticated with it: a value that was copied to another place cannot be opened there.
//! Random nonces are good for 2^32 values of one key, more than anybody sets.

mod file;

use std::{fmt, path::Path, sync::Arc};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use self::file::KeyringError;
use crate::{
    model::{KeyId, SecretPlace},
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
    /// It was damaged, or belongs to another place.
    #[error("it cannot be decrypted: it was damaged, or belongs to another place")]
    Damaged,
}

impl Keyring {
    /// Reads the keys of a file, which may be a link to one. Refuses one that belongs to another user, that others can read,
    /// that is not a file, or that holds anything but keys. A file of root may be readable by a group, as mounted secrets are.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        file::read(path, Rule::Given).map(|keys| Self::of(&keys))
    }

    /// Reads the keys of the file, and makes one with a new key (mode 0600) where there is none; of several processes that
    /// start at once, the first one does. A file that is there is never replaced. A link is refused, and so is what
    /// [`Self::read`] refuses.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyringError> {
        if let Some(keyring) = Self::look(path)? {
            return Ok(keyring);
        }
        file::make(path)?;
        file::read(path, Rule::OursWithoutLink).map(|keys| Self::of(&keys))
    }

    /// Reads the keys of the file as [`Self::read_or_make`] does, without creating it; none if it does not exist.
    pub fn look(path: &Path) -> Result<Option<Self>, KeyringError> {
        match file::read(path, Rule::OursWithoutLink) {
            Ok(keys) => Ok(Some(Self::of(&keys))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(keys: &[KeyBytes]) -> Self {
        assert!(!keys.is_empty(), "a file without a key is refused");
        Self { keys: keys.iter().map(Key::new).collect() }
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

    /// Encrypts a value with the newest key, for this place only. Returns the id of the key and the sealed value.
    pub fn seal(&self, place: &SecretPlace, value: &[u8]) -> (KeyId, Vec<u8>) {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the system has randomness");
        let key = &self.keys[0];
        (key.id.clone(), key.seal(nonce, place, value))
    }

    /// Decrypts a value that was sealed for this place with the key of this id.
    pub fn open(&self, place: &SecretPlace, key: &KeyId, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let key = self.key(key).ok_or_else(|| OpenError::NoKey(key.clone()))?;
        key.open(place, sealed).ok_or(OpenError::Damaged)
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
    fn seal(&self, nonce: [u8; NONCE_LEN], place: &SecretPlace, value: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(value.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.seal_in_place_separate_tag(nonce, associated(place), &mut sealed[HEAD..]);
        sealed.extend_from_slice(tag.expect("a value is shorter than 64 GiB").as_ref());
        sealed
    }

    /// None where it was not sealed by this key for this place.
    fn open(&self, place: &SecretPlace, sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, encrypted) = rest.split_at_checked(NONCE_LEN)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut value = encrypted.to_vec();
        let length = self.cipher.open_in_place(nonce, associated(place), &mut value).ok()?.len();
        value.truncate(length);
        Some(value)
    }
}

/// Returns what is authenticated with a value: the version, the length of the function's name, that name, which is empty for a
/// secret of the platform, and the secret's name.
fn associated(place: &SecretPlace) -> Aad<Vec<u8>> {
    let function = place.function.as_ref().map_or("", |function| function.as_str());
    let length = u8::try_from(function.len()).expect("a function's name has at most 63 bytes");
    let mut bytes = vec![VERSION, length];
    bytes.extend_from_slice(function.as_bytes());
    bytes.extend_from_slice(place.name.as_str().as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(keys: &[u8]) -> Keyring {
        let keys: Vec<_> = keys.iter().map(|byte| Zeroizing::new([*byte; KEY_LENGTH])).collect();
        Keyring::of(&keys)
    }

    fn place(function: Option<&str>, name: &str) -> SecretPlace {
        SecretPlace { function: function.map(|name| name.parse().unwrap()), name: name.parse().unwrap() }
    }

    #[test]
    fn a_sealed_value_is_opened_at_its_place_only() {
        let keys = keyring(&[1]);
        let own = place(Some("hello"), "API_KEY");
        for value in [&b""[..], b"a value", &[0; 64 * 1024]] {
            let (key, sealed) = keys.seal(&own, value);
            assert_eq!((&key, sealed.len()), (keys.newest(), value.len() + OVERHEAD));
            assert_eq!(keys.open(&own, &key, &sealed).as_deref(), Ok(value));
        }
        let (key, sealed) = keys.seal(&own, b"a value");
        assert!(!sealed.windows(7).any(|part| part == b"a value"));
        for other in [
            place(None, "API_KEY"),
            place(Some("hello2"), "API_KEY"),
            place(Some("hello"), "API_KEY2"),
            place(Some("hell"), "oAPI_KEY"),
            place(None, "helloAPI_KEY"),
        ] {
            assert_eq!(keys.open(&other, &key, &sealed), Err(OpenError::Damaged), "{other:?}");
        }
        assert_ne!(keys.seal(&own, b"a value").1, sealed, "each time with another nonce");
    }

    #[test]
    fn a_value_that_was_damaged_is_not_opened() {
        let keys = keyring(&[1]);
        let place = place(None, "API_KEY");
        let (key, sealed) = keys.seal(&place, b"a value");
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert_eq!(keys.open(&place, &key, &damaged), Err(OpenError::Damaged), "byte {index}");
            assert_eq!(
                keys.open(&place, &key, &sealed[..index]),
                Err(OpenError::Damaged),
                "{index} bytes"
            );
        }
        let longer = [&sealed[..], &[0]].concat();
        assert_eq!(keys.open(&place, &key, &longer), Err(OpenError::Damaged));
    }

    #[test]
    fn the_newest_key_seals_and_older_ones_still_open() {
        let place = place(None, "API_KEY");
        let old = keyring(&[1]);
        let (old_key, sealed) = old.seal(&place, b"a value");
        let both = keyring(&[2, 1]);
        assert_eq!(both.ids(), [both.newest().clone(), old_key.clone()]);
        assert!(both.has(&old_key));
        assert_eq!(both.open(&place, &old_key, &sealed).as_deref(), Ok(&b"a value"[..]));
        let (new_key, resealed) = both.seal(&place, b"a value");
        assert_eq!(new_key, *keyring(&[2]).newest());
        assert_eq!(both.open(&place, &old_key, &resealed), Err(OpenError::Damaged));
        let refused = old.open(&place, &new_key, &resealed).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("it is encrypted with the key {new_key}, which this host does not have")
        );
    }

    /// Made by another implementation, Python's `cryptography`: what is stored stays readable.
    #[test]
    fn values_that_were_stored_before_are_opened() {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        (0_u8..).zip(bytes.iter_mut()).for_each(|(number, byte)| *byte = number);
        let keys = Keyring::of(&[bytes]);
        assert_eq!(keys.newest().0, "99fba3193038f9d8");
        let nonce = std::array::from_fn(|index| u8::try_from(index).unwrap());
        for (place, sealed) in [
            (
                place(Some("hello"), "API_KEY"),
                "01000102030405060708090a0b2622a07aa990a7773cb88cd3c81a3b6c144cb9acfa6f00",
            ),
            (
                place(None, "API_KEY"),
                "01000102030405060708090a0b2622a07aa990a7e2f9e0dbc94474741842163fdb66e8c2",
            ),
        ] {
            let stored = hex::decode(sealed).unwrap();
            assert_eq!(keys.open(&place, keys.newest(), &stored).as_deref(), Ok(&b"a value"[..]));
            assert_eq!(hex::encode(keys.keys[0].seal(nonce, &place, b"a value")), sealed);
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let keys = keyring(&[0xab]);
        assert_eq!(format!("{keys:?}"), format!("Keyring([KeyId(\"{}\")])", keys.newest()));
        assert!(!format!("{keys:?}").contains("abab"));
    }
}

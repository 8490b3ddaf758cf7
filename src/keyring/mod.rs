//! The keys that secrets are encrypted with: a file with one key a line, the newest first. New values are encrypted with the
//! first one; with the others only what was encrypted before them is read.

use std::path::Path;

use crate::model::{KeyId, SecretPlace};

/// The keys of this host. `Debug` shows their ids only.
#[derive(Clone)]
pub struct Keyring {
    // newest first, at least one
}

#[derive(Debug, thiserror::Error)]
pub enum KeyringError {}

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
    /// Reads the keys of a file. Refuses one that belongs to another user, that others can read, that is a link or not a
    /// file, or that holds anything but keys.
    pub fn read(_path: &Path) -> Result<Self, KeyringError> { todo!() }
    /// Reads the keys of the file, and makes one with a new key (mode 0600) where there is none.
    pub fn read_or_make(_path: &Path) -> Result<Self, KeyringError> { todo!() }
    /// Returns the id of the newest key.
    pub fn newest(&self) -> &KeyId { todo!() }
    /// Returns whether this host has that key.
    pub fn has(&self, _key: &KeyId) -> bool { todo!() }
    /// Returns the ids of all keys, the newest first.
    pub fn ids(&self) -> Vec<KeyId> { todo!() }
    /// Encrypts a value with the newest key, for this place only.
    pub fn seal(&self, _place: &SecretPlace, _value: &[u8]) -> (KeyId, Vec<u8>) { todo!() }
    /// Decrypts a value that was sealed for this place.
    pub fn open(&self, _place: &SecretPlace, _key: &KeyId, _sealed: &[u8]) -> Result<Vec<u8>, OpenError> { todo!() }
}

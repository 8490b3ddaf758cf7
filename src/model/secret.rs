//! Secrets: their names, and their values as they are stored.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FunctionName;

/// The most bytes of a secret's value.
pub const MAX_SECRET: usize = 64 * 1024;

/// A secret's name, which is that of the environment variable in which a function finds it: `[A-Za-z_][A-Za-z0-9_]*`, at
/// most 128 bytes, and none of the platform's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

impl SecretName {
    /// The most bytes of a name.
    pub const MAX_LENGTH: usize = 128;

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = InvalidSecretName;
    fn from_str(text: &str) -> Result<Self, InvalidSecretName> {
        let problem = match text.as_bytes() {
            [] => "it is empty",
            bytes if bytes.len() > Self::MAX_LENGTH => "it is longer than 128 characters",
            [first, ..] if first.is_ascii_digit() => "it starts with a digit",
            bytes if !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') => {
                "it has a character that is not allowed"
            }
            _ if text.starts_with("CLOUDFUNC_") => "names that start with CLOUDFUNC_ are reserved",
            _ => return Ok(Self(text.to_owned())),
        };
        Err(InvalidSecretName { name: text.to_owned(), problem })
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An error: the text is not a secret's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid secret name '{name}': {problem}; a name is that of an environment variable: letters, digits and '_', not starting with a digit"
)]
pub struct InvalidSecretName {
    name: String,
    problem: &'static str,
}

/// The id of the key that a secret is encrypted with: 16 lower-case hexadecimal digits, made of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret's place: a name, of one function or of the platform. A function's own comes before the platform's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretPlace {
    /// The function that it is for; none for all of them. It need not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// The name.
    pub name: SecretName,
}

/// The version of a secret: another one with each value, and never the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretVersion(pub Uuid);

impl SecretVersion {
    /// Makes a new one.
    #[allow(clippy::new_without_default)] // each one is another
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A secret as it is stored: encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its place.
    pub place: SecretPlace,
    /// Its version.
    pub version: SecretVersion,
    /// The id of the key.
    pub key: KeyId,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
    /// The name of the caller that set it.
    pub set_by: String,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret({:?} {:?} {})", self.place, self.version, self.key)
    }
}

/// A stored secret with its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The secret.
    pub secret: SealedSecret,
    /// The time when its name was first set.
    pub created_at: Timestamp,
    /// The time when its value was set.
    pub set_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_name_of_a_variable() {
        for name in ["API_KEY", "a", "_x9", &"x".repeat(128)] {
            assert!(name.parse::<SecretName>().is_ok(), "{name}");
        }
        for (name, problem) in [
            ("", "it is empty"),
            ("9a", "it starts with a digit"),
            ("a-b", "not allowed"),
            ("ä", "not allowed"),
            ("a b", "not allowed"),
            ("CLOUDFUNC_TOKEN", "reserved"),
            (&"x".repeat(129), "longer than 128"),
        ] {
            let error = name.parse::<SecretName>().unwrap_err().to_string();
            assert!(error.contains(problem), "{name}: {error}");
        }
    }
}

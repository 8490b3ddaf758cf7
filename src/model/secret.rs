//! Secrets: their names, and their values as they are stored.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FunctionName;

/// The most bytes of a secret's value.
pub const MAX_SECRET: usize = 64 * 1024;

/// Refuses a value that cannot be a secret's: it has to be text that an environment variable can hold.
pub fn check_value(value: &[u8]) -> Result<(), InvalidValue> {
    if value.is_empty() {
        Err(InvalidValue::Empty)
    } else if value.len() > MAX_SECRET {
        Err(InvalidValue::TooLarge)
    } else if value.contains(&0) {
        Err(InvalidValue::HasNul)
    } else if std::str::from_utf8(value).is_err() {
        Err(InvalidValue::NotText)
    } else {
        Ok(())
    }
}

/// An error: the value cannot be a secret's. Its text, which has nothing of the value, goes on after "the value".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// It has more than [`MAX_SECRET`] bytes.
    #[error("has more than 64 KiB, the most of a secret")]
    TooLarge,
    /// It has a NUL byte.
    #[error("has a NUL byte, which an environment variable cannot hold")]
    HasNul,
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
}

impl InvalidValue {
    /// Returns advice about the next step.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Empty => {
                "`cloudfunc secret set` reads the value from stdin; `cloudfunc secret delete` deletes a secret"
            }
            Self::TooLarge => {
                "encrypt larger data, deploy it with the function, and keep its key as the secret"
            }
            Self::HasNul | Self::NotText => {
                "encode it, as base64 for example, and decode it in the function"
            }
        }
    }
}

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

/// Returns why a host cannot use a secret that is encrypted with a key that it does not have.
pub fn lacks_key(name: &SecretName, key: &KeyId) -> String {
    format!(
        "the secret '{name}'{OF_KEY}{key}, which this host does not have; add that key to this host's key file and restart \
         the platform"
    )
}

/// Returns whether the reason why a host cannot run a function is one of [`lacks_key`].
pub fn is_lack_of_key(reason: &str) -> bool {
    reason.starts_with("the secret '") && reason.contains(OF_KEY)
}

const OF_KEY: &str = " is encrypted with the key ";

/// A secret's place: a name, of one function or of the platform. A function's own comes before the platform's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What is known of a stored secret besides its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecretInfo {
    /// Its place.
    pub place: SecretPlace,
    /// The id of the key that it is encrypted with.
    pub key: KeyId,
    /// The name of the caller that set it.
    pub set_by: String,
    /// The time when its name was first set.
    pub created_at: Timestamp,
    /// The time when its value was set.
    pub set_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_of_a_bounded_length() {
        assert_eq!(check_value(b"x\n"), Ok(()));
        assert_eq!(check_value(&vec![b'x'; MAX_SECRET]), Ok(()));
        for (value, problem) in [
            (vec![], "is empty"),
            (vec![b'x'; MAX_SECRET + 1], "has more than 64 KiB, the most of a secret"),
            (b"a\0b".to_vec(), "has a NUL byte, which an environment variable cannot hold"),
            (vec![0xff], "is not UTF-8 text"),
        ] {
            assert_eq!(check_value(&value).unwrap_err().to_string(), problem);
        }
    }

    #[test]
    fn the_lack_of_a_key_is_told_from_other_reasons() {
        let reason = lacks_key(&"API_KEY".parse().unwrap(), &KeyId("0123456789abcdef".to_owned()));
        assert_eq!(
            reason,
            "the secret 'API_KEY' is encrypted with the key 0123456789abcdef, which this host does not have; add that key \
             to this host's key file and restart the platform"
        );
        assert!(is_lack_of_key(&reason));
        assert!(!is_lack_of_key("its packages are for Python 3.12, and this host has Python 3.13"));
    }

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

//! Identifiers. Each is its own type, so that one cannot be passed for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by the time of its making (UUID version 7).
            #[expect(clippy::new_without_default, reason = "an id is never a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId(text.to_owned()))
            }
        }
    };
}

/// The text was no id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no id; an id looks like 01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f")]
pub struct InvalidId(pub String);

uuid_id!(
    /// One invocation: it survives retries and is unique across platforms.
    InvocationId
);
uuid_id!(
    /// One function for as long as it exists: a function deleted and deployed again has another.
    FunctionId
);
uuid_id!(
    /// One instance, also the name of its folder and part of its sandbox's name.
    InstanceId
);
uuid_id!(
    /// One manager, stable across its restarts (kept in its data folder): the label of its sandboxes.
    ManagerId
);
uuid_id!(
    /// One life of a manager process: the owner of claims and leases. A restarted manager is a new owner.
    OwnerId
);

/// Numbers the revisions of one function from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionNumber(pub u32);

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 in lower-case hexadecimal: the name of a blob by its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(hex::encode(sha2::Sha256::digest(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits: enough to tell images apart in a tag.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let valid = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidDigest(text.to_owned())) }
    }
}

// A digest becomes a file name, so that a hostile one must not get past deserialisation.
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The text was no SHA-256 in lower-case hexadecimal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no SHA-256 digest (64 lower-case hexadecimal digits)")]
pub struct InvalidDigest(pub String);

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
            /// Returns a new id; ids sort by the time at which they were made (UUID version 7).
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

/// An error: the text is not an id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an invocation id; give the whole id, or at least {MIN_PART} digits of its start or end"
)]
pub struct InvalidId(pub String);

/// The least number of digits in a part of an id: with fewer, too many ids would match.
pub const MIN_PART: usize = 4;

/// A user's way to name an invocation: its id, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationRef {
    /// The whole id.
    Id(InvocationId),
    /// The start or the end of the id.
    Part(IdPart),
}

/// The beginning or the end of an id, as hexadecimal digits in lower case without hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPart(String);

impl IdPart {
    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first and the last id that begin with this part.
    pub fn range(&self) -> (InvocationId, InvocationId) {
        let end = |fill: &str| {
            let digits = format!("{}{}", self.0, fill.repeat(32 - self.0.len()));
            InvocationId(Uuid::try_parse(&digits).expect("32 hexadecimal digits"))
        };
        (end("0"), end("f"))
    }

    /// Returns whether the id begins or ends with this part.
    pub fn is_part_of(&self, id: InvocationId) -> bool {
        let mut digits = [0; uuid::fmt::Simple::LENGTH];
        let digits = id.0.simple().encode_lower(&mut digits);
        digits.starts_with(&self.0) || digits.ends_with(&self.0)
    }
}

impl From<InvocationId> for InvocationRef {
    fn from(id: InvocationId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for InvocationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Part(part) => f.write_str(&part.0),
        }
    }
}

impl FromStr for InvocationRef {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let hexadecimal = |b: u8| b.is_ascii_hexdigit() || b == b'-';
        if text.len() > 36 || !text.bytes().all(hexadecimal) {
            return Err(InvalidId(text.to_owned()));
        }
        let digits = text.replace('-', "").to_ascii_lowercase();
        match digits.len() {
            MIN_PART..32 => Ok(Self::Part(IdPart(digits))),
            _ => Err(InvalidId(text.to_owned())),
        }
    }
}

uuid_id!(
    /// An invocation: the id stays the same over retries and is unique across platforms.
    InvocationId
);
uuid_id!(
    /// A function for as long as it exists: one that was deleted and deployed again has another id.
    FunctionId
);
uuid_id!(
    /// An instance; also the name of its folder and a part of its sandbox's name.
    InstanceId
);
uuid_id!(
    /// A manager. It stays the same over restarts (kept in its data folder), and labels the manager's sandboxes.
    ManagerId
);
uuid_id!(
    /// One life of a manager process: the owner of claims and leases. A restarted manager is a new owner.
    OwnerId
);

/// The number of a revision; those of one function count from 1.
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
    /// Computes the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(hex::encode(sha2::Sha256::digest(bytes)))
    }

    /// Returns the 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first 12 digits: enough to tell images apart in a tag.
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

// Checked here too: a digest becomes a file name, so a hostile one must not get past deserialisation.
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An error: the text is not a SHA-256 in lower-case hexadecimal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SHA-256 digest (64 lower-case hexadecimal digits)")]
pub struct InvalidDigest(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_named_by_its_id_or_a_part_of_it() {
        let id: InvocationId = "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f".parse().unwrap();
        assert_eq!(id.to_string().parse(), Ok(InvocationRef::Id(id)));
        for text in ["5a1c2e4f", "5A1C2E4F", "2e4f", "01931f5e-7c1a", "01931f5e7", "0d3f5a1c2e4f"] {
            let Ok(InvocationRef::Part(part)) = text.parse() else { panic!("{text}") };
            assert!(part.is_part_of(id), "{text}");
            assert!(!part.is_part_of(InvocationId(Uuid::nil())), "{text}");
        }
        let Ok(InvocationRef::Part(part)) = "01931f5e-7".parse() else { panic!() };
        let (first, last) = part.range();
        assert!(first < id && id < last);
        assert_eq!(last.to_string(), "01931f5e-7fff-ffff-ffff-ffffffffffff");
        for text in ["", "5a1", "----", "5a1c2e4g", "@last", "../../etc", &"f".repeat(33), "é1c2e4f"] {
            assert_eq!(text.parse::<InvocationRef>(), Err(InvalidId(text.to_owned())));
        }
    }
}

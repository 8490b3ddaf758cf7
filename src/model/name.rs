//! Names that become parts of queue names, image tags, paths and URLs: parsed once, safe afterwards.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The greatest length of a name, in bytes: a name fits a DNS label.
pub const MAX_NAME_LENGTH: usize = 63;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Returns the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                match check(text) {
                    None => Ok(Self(text.to_owned())),
                    Some(problem) => Err(InvalidName { what: $what, name: text.to_owned(), problem }),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A function's name: `[a-z0-9]+([_-][a-z0-9]+)*`, at most 63 bytes.
    FunctionName,
    "function name"
);
name!(
    /// The name of a platform (all roles that share a store and a queue); the same rule.
    PlatformName,
    "platform name"
);
name!(
    /// A token's name, by which it is listed and revoked; the same rule.
    TokenName,
    "token name"
);

/// An error: a name breaks the rule. It says how, and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid {what} '{name}': {problem}; a name is lower-case letters and digits, joined by single '_' or '-', at most 63 characters"
)]
pub struct InvalidName {
    what: &'static str,
    name: String,
    problem: &'static str,
}

fn check(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let separator = |b: u8| b == b'_' || b == b'-';
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if bytes.is_empty() {
        return Some("it is empty");
    }
    if bytes.len() > MAX_NAME_LENGTH {
        return Some("it is too long");
    }
    if bytes.iter().any(|&b| b.is_ascii_uppercase()) {
        return Some("it has an upper-case letter");
    }
    if !bytes.iter().all(|&b| plain(b) || separator(b)) {
        return Some("it has a character that is not allowed");
    }
    if separator(bytes[0]) || separator(bytes[bytes.len() - 1]) {
        return Some("it starts or ends with '_' or '-'");
    }
    if bytes.windows(2).any(|pair| separator(pair[0]) && separator(pair[1])) {
        return Some("it has two separators in a row");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_of_the_rule() {
        for name in ["a", "hello_fn", "a-b-c", "0", &"x".repeat(63)] {
            assert!(name.parse::<FunctionName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_everything_else_with_its_reason() {
        for (name, reason) in [
            ("", "it is empty"),
            ("../etc", "not allowed"),
            ("Hello", "upper-case"),
            ("_a", "starts or ends"),
            ("a-", "starts or ends"),
            ("a__b", "two separators"),
            ("a b", "not allowed"),
            ("ä", "not allowed"),
            (&"x".repeat(64), "too long"),
        ] {
            let error = name.parse::<FunctionName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }
}

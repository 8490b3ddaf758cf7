//! The reasons of an end: a code for each, and a cause in words where there is one.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The reason of a terminal state that no attempt explains.
///
/// Its text, in the JSON of records and elsewhere, is the code, followed by `: ` and the cause where there is one;
/// those texts are frozen. Text of a newer version is kept as it is ([`Reason::Other`]), never refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `function_deleted`: its function was deleted before it ran.
    FunctionDeleted,
    /// `platform`: the platform could not run it in any of its tries.
    Platform,
    /// `throttled`: no instance became free in time.
    Throttled,
    /// `interrupted`: a part of the platform was lost while it had the invocation; it may have run.
    Interrupted,
    /// `start_failed: cause`: no instance could be started; the cause is in words, for users.
    StartFailed(String),
    /// `too_old`: its function's policy does not allow more time.
    TooOld,
    /// A reason that a newer version wrote: its whole text.
    Other(String),
}

const START_FAILED: &str = "start_failed";
/// Between a code and its cause.
const SEPARATOR: &str = ": ";

impl Reason {
    /// Returns the reason of a code and its cause, as [`Reason::parts`] made them.
    pub fn from_parts(code: &str, cause: Option<&str>) -> Self {
        match (code, cause) {
            ("function_deleted", None) => Self::FunctionDeleted,
            ("platform", None) => Self::Platform,
            ("throttled", None) => Self::Throttled,
            ("interrupted", None) => Self::Interrupted,
            ("too_old", None) => Self::TooOld,
            (START_FAILED, cause) => Self::StartFailed(cause.unwrap_or_default().to_owned()),
            (code, None) => Self::Other(code.to_owned()),
            (code, Some(cause)) => Self::Other(format!("{code}{SEPARATOR}{cause}")),
        }
    }

    /// Returns the code, which programs compare, and the cause, which users read.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Self::FunctionDeleted => ("function_deleted", None),
            Self::Platform => ("platform", None),
            Self::Throttled => ("throttled", None),
            Self::Interrupted => ("interrupted", None),
            Self::TooOld => ("too_old", None),
            Self::StartFailed(cause) => (START_FAILED, Some(cause)),
            Self::Other(text) => split(text),
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(SEPARATOR).map_or((text, None), |(code, cause)| (code, Some(cause)))
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        let (code, cause) = split(text);
        Self::from_parts(code, cause)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (code, None) => f.write_str(code),
            (code, Some(cause)) => write!(f, "{code}{SEPARATOR}{cause}"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|text| Self::from(&*text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_frozen_and_those_of_a_newer_version_are_kept() {
        for (text, reason) in [
            ("function_deleted", Reason::FunctionDeleted),
            ("platform", Reason::Platform),
            ("throttled", Reason::Throttled),
            ("interrupted", Reason::Interrupted),
            ("too_old", Reason::TooOld),
            ("start_failed: no image: x", Reason::StartFailed("no image: x".to_owned())),
            ("moved", Reason::Other("moved".to_owned())),
            ("moved: to: there", Reason::Other("moved: to: there".to_owned())),
            ("platform: on fire", Reason::Other("platform: on fire".to_owned())),
        ] {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
            let (code, cause) = reason.parts();
            assert_eq!(Reason::from_parts(code, cause), reason, "{text}");
        }
    }
}

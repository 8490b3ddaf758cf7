//! The log of a build.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FunctionName, RevisionNumber};

/// The log of a build, as in the answer to `GET …/{name}/build-log`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildLog {
    /// The function.
    pub function: FunctionName,
    /// The revision that came of it; none where the build failed.
    pub revision: Option<RevisionNumber>,
    /// The time when it ended.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub ended_at: Timestamp,
    /// Everything that the deploy was told, in order; of more than 1 MiB the beginning.
    pub lines: Vec<BuildLine>,
}

/// A line of the log of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildLine {
    /// The time, on the clock of the registry.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub ts: Timestamp,
    /// The text.
    pub line: String,
}

/// A choice of one build of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhichBuild {
    /// The newest one, whether it failed or not.
    #[default]
    Newest,
    /// The last one that failed.
    Failed,
    /// The one that a revision came of.
    Of(RevisionNumber),
}

impl std::str::FromStr for WhichBuild {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::Newest),
            "failed" => Ok(Self::Failed),
            number => match number.parse() {
                Ok(number) if number > 0 => Ok(Self::Of(RevisionNumber(number))),
                _ => Err(format!(
                    "'{text}' is not a build; accepted are the number of a revision, failed and newest"
                )),
            },
        }
    }
}

impl fmt::Display for WhichBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("newest"),
            Self::Failed => f.write_str("failed"),
            Self::Of(revision) => revision.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_named_by_its_revision_or_by_what_came_of_it() {
        for text in ["newest", "failed", "7"] {
            assert_eq!(text.parse::<WhichBuild>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "", "last"] {
            let wrong = format!(
                "'{text}' is not a build; accepted are the number of a revision, failed and newest"
            );
            assert_eq!(text.parse::<WhichBuild>().unwrap_err(), wrong);
        }
    }
}

//! The lines that functions write.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FunctionName, InstanceId, InvocationId, RevisionNumber};

/// The source of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The function's standard output.
    Stdout,
    /// The function's standard error.
    Stderr,
    /// The platform itself, which put the line into the function's log (`truncated`, for one).
    Platform,
}

impl Stream {
    /// Returns its word in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Platform => "platform",
        }
    }
}

/// The kind of a line that the platform wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// A line of the error that ended an attempt: its trace, or why the code could not be loaded.
    Error,
    /// The line above was too long, and is shown in pieces.
    Cut,
    /// Output over the invocation's limit was dropped.
    Truncated,
    /// Lines could not be stored.
    Lost,
    /// An invocation began; made from its record when logs are read, never stored.
    Start,
    /// An invocation ended; made likewise.
    End,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

impl LineKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Error, Self::Cut, Self::Truncated, Self::Lost, Self::Start, Self::End, Self::Other];

    /// Returns its word in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Cut => "cut",
            Self::Truncated => "truncated",
            Self::Lost => "lost",
            Self::Start => "start",
            Self::End => "end",
            Self::Other => "other",
        }
    }
}

/// A line of a function's log; its JSON is one line of `GET …/logs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogLine {
    /// The time when the manager read the line.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub ts: Timestamp,
    /// The function that wrote it.
    pub function: FunctionName,
    /// The revision that wrote it.
    pub revision: RevisionNumber,
    /// The invocation that wrote it; none for what an instance wrote outside any invocation.
    pub invocation_id: Option<InvocationId>,
    /// The number of the attempt, from 1; none outside any invocation.
    pub attempt: Option<u32>,
    /// The instance that wrote it.
    pub instance: InstanceId,
    /// Where it comes from.
    pub stream: Stream,
    /// The text without its line ending; bytes that are not UTF-8 are replaced.
    pub line: String,
    /// The kind of a line of the platform; none on other lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LineKind>,
    /// Its number in the store; only in answers to `?sequence=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
}

/// A limit to the newest lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// At most this number of lines.
    Lines(u32),
    /// All lines.
    All,
}

impl FromStr for Tail {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text
                .parse()
                .map(Self::Lines)
                .map_err(|_| format!("'{text}' is not a number of lines; write one, or 'all'")),
        }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(lines) => lines.fmt(f),
            Self::All => f.write_str("all"),
        }
    }
}

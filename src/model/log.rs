//! One line that a function wrote.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FunctionName, InstanceId, InvocationId, RevisionNumber};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
    /// A line that the platform itself put into the function's log (`truncated`, for one).
    Platform,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Platform => "platform",
        }
    }
}

/// The kind of a line of the platform's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// A line of the error that ended an attempt: its trace, or why the code could not be loaded.
    Error,
    /// The line above was too long, and is shown in pieces.
    Cut,
    /// Output over the invocation's limit was dropped.
    Truncated,
    /// Lines that could not be stored.
    Lost,
    /// An invocation began; made of its record when logs are read, never stored.
    Start,
    /// An invocation ended; likewise.
    End,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl LineKind {
    pub const ALL: [Self; 7] =
        [Self::Error, Self::Cut, Self::Truncated, Self::Lost, Self::Start, Self::End, Self::Other];

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
pub struct LogLine {
    #[serde(with = "super::time::moment")]
    pub ts: Timestamp,
    pub function: FunctionName,
    pub revision: RevisionNumber,
    /// None for what an instance wrote outside any invocation.
    pub invocation_id: Option<InvocationId>,
    pub attempt: Option<u32>,
    pub instance: InstanceId,
    pub stream: Stream,
    /// Without its line ending; bytes that are not UTF-8 are replaced.
    pub line: String,
    /// Set on lines of the platform only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LineKind>,
    /// Its place in the store, for who asked for it (`?sequence=true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
}

/// How many of the newest lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    Lines(u32),
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

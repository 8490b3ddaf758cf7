//! One line that a function wrote.

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

/// A line of a function's log; its JSON is one line of `GET …/logs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
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
}

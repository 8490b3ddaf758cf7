//! Log lines.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{FunctionName, InvocationId, LogLine};

/// Lines of functions and of the platform, in the order of their sequence numbers.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Appends lines, in order.
    async fn append_logs(&self, lines: &[LogLine]) -> Result<(), Error>;
    /// Returns lines, oldest first, see [`LogFilter`].
    async fn logs(&self, filter: &LogFilter) -> Result<LogPage, Error>;
    /// Returns the number of lines that match; none are counted beyond the filter's limit. Its other bounds do not
    /// matter.
    async fn count_logs(&self, filter: &LogFilter) -> Result<u64, Error>;
    /// Returns a number that all lines written at or after this time come after, those that are still to be stored
    /// included; none where there are so many of them that it does not help to know.
    async fn logs_begin(&self, since: Timestamp) -> Result<Option<i64>, Error>;
    /// Returns the number of the line of that rank among those that match, the newest being 0; none when there are
    /// fewer.
    async fn log_position(&self, filter: &LogFilter, rank: u64) -> Result<Option<i64>, Error>;
}

/// A choice of log lines; all conditions hold at once.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Only lines of these functions; empty: of all.
    pub functions: Vec<FunctionName>,
    /// Only lines of this invocation.
    pub invocation: Option<InvocationId>,
    /// Only lines of this attempt of the invocation; it has no effect without `invocation`.
    pub attempt: Option<u32>,
    /// Only lines written at or after this time.
    pub since: Option<Timestamp>,
    /// Only lines stored after this sequence number.
    pub after: Option<i64>,
    /// Only lines stored before this sequence number.
    pub before: Option<i64>,
    /// Whether to take the newest lines that match, not the oldest; in either case they are returned oldest first.
    pub newest: bool,
    /// At most this number of lines.
    pub limit: u32,
    /// At most this number of bytes of text; the first line is returned whatever its length.
    pub bytes: u64,
}

impl LogFilter {
    /// All lines, in one page.
    pub fn all() -> Self {
        Self {
            functions: Vec::new(),
            invocation: None,
            attempt: None,
            since: None,
            after: None,
            before: None,
            newest: false,
            limit: u32::MAX,
            bytes: u64::MAX,
        }
    }
}

/// A page of lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<StoredLine>,
    /// Whether a bound of the filter left lines out.
    pub more: bool,
}

/// A line with its place in the store. Numbers grow, but a line of a slower writer may appear after one with a higher
/// number: a reader that follows the log reads the last second's numbers again.
#[derive(Clone, Debug)]
pub struct StoredLine {
    /// Its number, unique in the store.
    pub sequence: i64,
    /// The line.
    pub line: LogLine,
}

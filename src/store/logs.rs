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
    /// Oldest first, see [`LogFilter`].
    async fn logs(&self, filter: &LogFilter) -> Result<LogPage, Error>;
    /// How many lines match; none are counted beyond the filter's limit. Its other bounds do not matter.
    async fn count_logs(&self, filter: &LogFilter) -> Result<u64, Error>;
    /// The number of the line of that rank among those that match, the newest being 0; none when there
    /// are fewer.
    async fn log_position(&self, filter: &LogFilter, rank: u64) -> Result<Option<i64>, Error>;
}

/// Which log lines; all conditions hold at once.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Of any of these functions; empty: of all.
    pub functions: Vec<FunctionName>,
    pub invocation: Option<InvocationId>,
    pub since: Option<Timestamp>,
    /// Only lines stored after this sequence number.
    pub after: Option<i64>,
    /// Only lines stored before this sequence number.
    pub before: Option<i64>,
    /// The newest of what matches, not the oldest; in either case they are answered oldest first.
    pub newest: bool,
    /// At most this many lines.
    pub limit: u32,
    /// At most this many bytes of text; one line is answered however long it is.
    pub bytes: u64,
}

/// Lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    pub lines: Vec<StoredLine>,
    /// Whether a bound of the filter left some out.
    pub more: bool,
}

/// A line with its place in the store. Numbers grow, but a line of a slower writer may appear after
/// one with a higher number: who follows reads the last second's numbers again.
#[derive(Clone, Debug)]
pub struct StoredLine {
    pub sequence: i64,
    pub line: LogLine,
}

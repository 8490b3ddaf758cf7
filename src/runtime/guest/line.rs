//! One line of a guest's output, on its way to the log.

use crate::model::{LineKind, Stream};

/// The limit of one invocation's output, in bytes (1 MiB), in addition to the limit of lines that `lines.rs` sets;
/// beyond it one `truncated` line stands for the rest.
pub const MAX_LOG_BYTES: usize = 1024 * 1024;

/// A line of output, without its line ending. Bytes that are not UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The stream that it was written to; [`Stream::Platform`] for a line of the platform's own.
    pub stream: Stream,
    /// The text, at most 64 KiB: a longer line comes in pieces.
    pub text: String,
    /// The kind of a line of the platform; none for the function's own.
    pub kind: Option<LineKind>,
}

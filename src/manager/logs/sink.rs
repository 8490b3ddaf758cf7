//! The way from a function's output and errors to its log.

use jiff::Timestamp;

use super::{
    super::{revisions::DeletionWatch, shared::Shared},
    error_lines::error_lines,
};
use crate::{
    model::{FunctionError, InstanceId, InvocationId, LineKind, LogLine, Revision, Stream},
    runtime::Line,
};

/// Turns output into log lines of an invocation, or of the instance when there is none.
pub struct Sink<'a> {
    shared: &'a Shared,
    revision: &'a Revision,
    instance: InstanceId,
    invocation: Option<(InvocationId, u32)>,
    deletions: DeletionWatch,
    /// How many there were.
    pub lines: u64,
}

impl<'a> Sink<'a> {
    pub fn new(
        shared: &'a Shared,
        revision: &'a Revision,
        instance: InstanceId,
        invocation: Option<(InvocationId, u32)>,
    ) -> Self {
        Self { shared, revision, instance, invocation, deletions: DeletionWatch::default(), lines: 0 }
    }

    /// Writes what ended an attempt, line by line.
    pub fn write_error(&mut self, error: &FunctionError) {
        let (cut, lines) = error_lines(error);
        if cut > 0 {
            let text = format!("truncated: {cut} lines of the error are not shown");
            self.store(self.shared.clock.now(), Stream::Platform, text, Some(LineKind::Truncated));
        }
        for text in lines {
            self.store(self.shared.clock.now(), Stream::Platform, text, Some(LineKind::Error));
        }
    }

    /// Writes a line of the function's output.
    pub fn write(&mut self, line: Line) {
        self.write_at(self.shared.clock.now(), line);
    }

    /// A line that was written at another time than now.
    pub fn write_at(&mut self, ts: Timestamp, line: Line) {
        let function = self.revision.name.as_str();
        let stream = line.stream.as_str();
        if line.stream == Stream::Platform {
            tracing::warn!(function, line = line.text, "function output cut");
        } else {
            tracing::info!(function, stream, line = line.text, "function wrote");
        }
        self.store(ts, line.stream, line.text, line.kind);
    }

    fn store(&mut self, ts: Timestamp, stream: Stream, line: String, kind: Option<LineKind>) {
        // Its log went with it, and the next function of its name has another.
        if self.deletions.is_deleted(&self.shared.revisions, self.revision.function) {
            return;
        }
        self.lines += 1;
        self.shared.logs.write(LogLine {
            ts,
            function: self.revision.name.clone(),
            revision: self.revision.number,
            invocation_id: self.invocation.map(|(id, _)| id),
            attempt: self.invocation.map(|(_, attempt)| attempt),
            instance: self.instance,
            stream,
            line,
            kind,
            sequence: None,
        });
    }
}

//! Rows of log lines.

use super::{Id, number, parse, revision, time, word};
use crate::{
    model::{InstanceId, InvocationId, LineKind, LogLine, Stream},
    store::{StoredLine, row::row},
};

row! {
    pub(in crate::store) struct LineRow {
        sequence: i64,
        ts: i64,
        function_name: String,
        revision: i64,
        invocation_id: Option<Id>,
        attempt: Option<i64>,
        instance: Id,
        stream: String,
        line: String,
        kind: Option<String>,
    }
}

impl LineRow {
    pub fn into_model(self) -> sqlx::Result<StoredLine> {
        const STREAMS: [Stream; 3] = [Stream::Stdout, Stream::Stderr, Stream::Platform];
        Ok(StoredLine {
            sequence: self.sequence,
            line: LogLine {
                ts: time(self.ts)?,
                function: parse(&self.function_name)?,
                revision: revision(self.revision)?,
                invocation_id: self.invocation_id.map(|id| InvocationId(id.0)),
                attempt: self.attempt.map(number).transpose()?,
                instance: InstanceId(self.instance.0),
                stream: word(&STREAMS, |stream| stream.as_str(), &self.stream)?,
                line: self.line,
                // A newer program may have written a kind that is not known here.
                kind: self.kind.map(|kind| {
                    word(&LineKind::ALL, |kind| kind.as_str(), &kind).unwrap_or(LineKind::Other)
                }),
                sequence: None,
            },
        })
    }
}

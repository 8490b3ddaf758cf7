//! The messages of runtime protocol 1, from the guest's side. `src/runtime/guest/protocol.rs` of the main crate defines them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    call::{Call, FunctionError, Load, RequestHead, ResponseHead},
    frames::{MAX_HEADER, PREFIX},
};

/// The protocol's version.
pub const VERSION: u32 = 1;

/// The abilities of this guest beyond the rest of the protocol.
pub const FEATURES: &[&str] = &["concurrent", "log", "interface", "http"];

/// The limits of an error's type, message and trace, in bytes; those of the shims.
const MAX_TYPE: usize = 256;
const MAX_MESSAGE: usize = 4 * 1024;
const MAX_TRACE: usize = 24 * 1024;

/// A time that is longer than any invocation.
const LONGEST_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// A message from the host.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostMessage {
    /// The function, sent once.
    Load(Box<Load>),
    /// An invocation; the payload is the frame's body.
    Invoke(Box<Invoke>),
}

/// The message `invoke`.
#[derive(Deserialize)]
pub struct Invoke {
    id: String,
    attempt: u32,
    remaining_ms: u64,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    content_type: String,
    #[serde(default)]
    http: Option<RequestHead>,
}

impl Invoke {
    /// Makes it a call; its time begins now.
    pub fn into_call(self, body: Bytes) -> Call {
        let remaining = Duration::from_millis(self.remaining_ms.min(LONGEST_MS));
        Call {
            id: self.id,
            attempt: self.attempt,
            deadline: Instant::now() + remaining,
            remaining,
            headers: self.headers,
            content_type: self.content_type,
            http: self.http,
            body,
        }
    }
}

/// A message from this guest.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestMessage<'a> {
    /// The first one.
    Hello {
        /// The version of the protocol.
        protocol: u32,
        /// A word for readers of a recorded connection.
        language: &'static str,
        /// The number of this process, likewise.
        pid: u32,
        /// `fifo` for a guest that writes to the named pipes.
        #[serde(skip_serializing_if = "Option::is_none")]
        outputs: Option<&'static str>,
        /// The other abilities of this guest.
        features: &'static [&'static str],
    },
    /// The function is loaded.
    Ready {
        /// True where it looks at the headers of an invocation.
        context: bool,
    },
    /// The function cannot be loaded.
    LoadError(&'a FunctionError),
    /// Output of an invocation that runs at the same time as others; the bytes are the body.
    Log {
        /// The invocation.
        id: &'a str,
        /// `stdout` or `stderr`.
        stream: &'static str,
    },
    /// A result, which is the body.
    Result {
        /// The invocation.
        id: &'a str,
        /// The media type.
        content_type: &'a str,
        /// The response to an HTTP request.
        #[serde(skip_serializing_if = "Option::is_none")]
        http: Option<&'a ResponseHead>,
    },
    /// The invocation has failed.
    Error {
        /// The invocation.
        id: &'a str,
        /// The error's type.
        #[serde(rename = "type")]
        kind: &'a str,
        /// The text.
        message: &'a str,
        /// The trace.
        #[serde(skip_serializing_if = "Option::is_none")]
        trace: Option<&'a str>,
    },
}

impl GuestMessage<'_> {
    /// Returns lengths and header of its frame, and whether the header is within its limit.
    pub fn head(&self, body: usize) -> (Vec<u8>, bool) {
        let mut head = Vec::with_capacity(512);
        head.resize(PREFIX, 0);
        serde_json::to_writer(&mut head, self).expect("messages are plain data");
        let length = head.len() - PREFIX;
        let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        head[..4].copy_from_slice(&word(length));
        head[4..PREFIX].copy_from_slice(&word(body));
        (head, length <= MAX_HEADER)
    }
}

/// Cuts an error until it fits into a header, escapes included.
pub fn fitted(mut error: FunctionError) -> FunctionError {
    cut(&mut error.kind, MAX_TYPE);
    cut(&mut error.message, MAX_MESSAGE);
    if let Some(trace) = &mut error.trace {
        cut(trace, MAX_TRACE);
    }
    while serde_json::to_vec(&error).is_ok_and(|text| text.len() > MAX_HEADER - 1024) {
        match &mut error.trace {
            Some(trace) if trace.len() > 1024 => cut(trace, trace.len() / 2),
            _ => {
                let half = error.message.len() / 2;
                cut(&mut error.message, half);
            }
        }
    }
    error
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whatever_else_is_said_of_it() {
        let text = r#"{"invoke":{"id":"i1","attempt":1,"remaining_ms":1,"headers":{},"content_type":"","later":1,"http":{
            "method":"GET","path":"/a","arrival":{"by":"address","protocol":"HTTP/2","from":"::1","at_ms":1},
            "headers":[["x-a","1"]]}}}"#;
        let HostMessage::Invoke(invoke) = serde_json::from_str::<HostMessage>(text).unwrap() else {
            panic!("{text}")
        };
        let http = invoke.into_call(Bytes::new()).http.unwrap();
        assert_eq!((http.method.as_str(), http.path.as_str(), http.query), ("GET", "/a", None));
        assert_eq!(http.headers, [("x-a".to_owned(), "1".to_owned())]);
    }
}

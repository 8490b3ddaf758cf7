//! Calls and answers of an interface: the messages of the runtime protocol without their wire form.
//!
//! Each interface is a type of its own. It is made from [`Load`], and says which program's end is the instance's, where there
//! is one; its `call` makes an [`Answer`] of a [`Call`], or none where the host has given up waiting. Calls run at the same
//! time, each in a task of its own, as many as [`Load::concurrency`].

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use crate::limits::MAX_BODY;

/// The message `load`.
#[derive(Deserialize)]
pub struct Load {
    /// The number of the revision.
    pub revision: u32,
    /// The function's name.
    pub function: String,
    /// The handler that a runtime of AWS Lambda is told; may be empty.
    pub handler: String,
    /// The name of its tree of installed packages, where it has one.
    #[serde(default)]
    pub packages: Option<String>,
    /// The most invocations at a time.
    #[serde(default = "one")]
    pub concurrency: u32,
    /// The way to speak to the program.
    #[serde(default)]
    pub interface: Interface,
    /// The program and its arguments; empty for the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables of the program.
    pub env: BTreeMap<String, String>,
    /// Secrets, which are variables of the program, too.
    pub secrets: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// The way to speak to the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Interface {
    /// The runtime protocol itself: such a guest does without this helper.
    #[default]
    Protocol,
    /// A process for each invocation.
    Command,
    /// AWS Lambda's Runtime API.
    Lambda,
    /// A web server.
    Http {
        /// The port that it listens on.
        port: u16,
    },
}

/// One invocation.
pub struct Call {
    /// The id of the invocation.
    pub id: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time at which the host gives up.
    pub deadline: Instant,
    /// The time from the invocation's arrival here until then.
    pub remaining: Duration,
    /// The caller's headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The payload's media type.
    pub content_type: String,
    /// The HTTP request that it is, if it is one.
    pub http: Option<RequestHead>,
    /// The payload.
    pub body: Bytes,
}

/// An HTTP request without its body. What else the host says of it is for handlers.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestHead {
    /// The method.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The text after the first `?`.
    #[serde(default)]
    pub query: Option<String>,
    /// The headers in their order; a value's characters are the bytes of it.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// An HTTP response without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResponseHead {
    /// The status: 200 to 599.
    pub status: u16,
    /// The end-to-end headers; a value's characters are the bytes of it. `content-length` is one only in an answer to HEAD.
    pub headers: Vec<(String, String)>,
}

/// The answer to an invocation.
#[derive(Debug)]
pub enum Answer {
    /// A result.
    Result {
        /// The media type.
        content_type: String,
        /// The bytes, at most [`MAX_BODY`].
        body: Bytes,
        /// The response to an HTTP request.
        http: Option<ResponseHead>,
    },
    /// The invocation has failed.
    Error(FunctionError),
}

/// An error that a caller is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionError {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    pub message: String,
    /// The function's own trace, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl FunctionError {
    /// Makes an error without a trace.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), trace: None }
    }
}

/// The reason why the function cannot be loaded.
#[derive(Debug)]
pub struct LoadError(pub FunctionError);

impl From<FunctionError> for LoadError {
    fn from(error: FunctionError) -> Self {
        Self(error)
    }
}

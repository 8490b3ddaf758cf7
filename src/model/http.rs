//! HTTP requests to functions that are web servers, and their responses.

use serde::{Deserialize, Serialize};

/// A request without its body. Its end-to-end headers are those of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method, in capitals as a rule: a token of HTTP.
    pub method: String,
    /// The path as it was sent, percent-encoded, with its leading `/`.
    pub path: String,
    /// What follows the first `?`, as it was sent; none without a `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl HttpRequest {
    /// The longest path with its query, in bytes: it travels in a header of a request and of a frame.
    pub const MAX_TARGET: usize = 8 * 1024;

    /// Returns path and query as a request line has them.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// A response without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// The status: 200 to 599.
    pub status: u16,
    /// The end-to-end headers, in the order in which the server sent them, names in lower case. `content-length` is not one
    /// of them: the body says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

impl HttpResponse {
    /// Returns whether the invocation has failed: the server says that the error is its own.
    pub fn is_failure(&self) -> bool {
        self.status >= 500
    }
}

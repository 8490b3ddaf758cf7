//! HTTP requests to functions, and their responses.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

/// A request without its body. Its end-to-end headers are those of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HttpRequest {
    /// The method, in capitals as a rule: a token of HTTP.
    pub method: String,
    /// The path as it was sent, percent-encoded, with its leading `/`.
    pub path: String,
    /// The text after the first `?`, as it was sent; none without a `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Where it has come from; none in what earlier versions sent or stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Box<Arrival>>,
}

/// The facts of a request that the gateway knows, for the event of a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Arrival {
    /// The way that it has come.
    pub by: ArrivedBy,
    /// Its protocol: `HTTP/1.1` or `HTTP/2`.
    pub protocol: String,
    /// The address of its client; behind trusted proxies, of theirs.
    pub from: IpAddr,
    /// The time of its arrival in milliseconds since the Unix epoch, on the gateway's clock.
    pub at_ms: i64,
    /// Method and pattern of the address that it matched, as they are in the manifest, such as `POST /users/{id}` or
    /// `ANY /users/{id}`; none for a request to no pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The parameters of the pattern, percent-decoded, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// [`HttpSpec::rules`](super::HttpSpec::rules) of the `[http]` that has let it in at an address. From the gateway to the
    /// scheduler only, which takes it out: neither a function nor a record has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(skip))]
    pub rules: Option<u64>,
}

/// The way by which a request has come to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ArrivedBy {
    /// A call that named method and path in its headers.
    Call,
    /// `/f/NAME/…`.
    Name,
    /// An address of `[http]`.
    Address,
}

impl Default for HttpRequest {
    /// Makes the request of a call that names none: `POST /`.
    fn default() -> Self {
        Self { method: "POST".to_owned(), path: "/".to_owned(), query: None, arrival: None }
    }
}

impl HttpRequest {
    /// The longest path with its query, in bytes: it travels in a header of a request and of a frame.
    pub const MAX_TARGET: usize = 8 * 1024;
    /// The longest method, in bytes.
    pub const MAX_METHOD: usize = 32;

    /// Makes a request of a method, and of a path with its query; what is not named is that of the default.
    pub fn named(method: Option<&str>, target: Option<&str>) -> Result<Self, UnfitRequest> {
        let mut request = Self::default();
        if let Some(method) = method {
            check_method(method)?;
            method.clone_into(&mut request.method);
        }
        if let Some(target) = target {
            check_target(target)?;
            let (path, query) = match target.split_once('?') {
                Some((path, query)) => (path, Some(query.to_owned())),
                None => (target, None),
            };
            path.clone_into(&mut request.path);
            request.query = query;
        }
        Ok(request)
    }

    /// Returns path and query as a request line has them.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Returns the number of bytes of method, path and query together.
    pub fn size(&self) -> usize {
        let query = self.query.as_ref().map_or(0, |query| query.len() + 1);
        self.method.len() + self.path.len() + query
    }

    /// Returns whether requests of this method have no body as a rule.
    pub fn only_reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// The reason why a function cannot be sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitRequest {
    /// The method is not a token, or is too long.
    #[error("a method has 1 to 32 letters, digits and signs such as `-`")]
    Method,
    /// The method is not about a resource of a server.
    #[error(
        "CONNECT and TRACE are for what is between a client and a server, and do not reach a function"
    )]
    MethodOfConnection,
    /// The path and its query have characters that a request line does not take.
    #[error(
        "a path has only visible ASCII characters, and no `\"`, `#`, `<`, `>` and `` ` ``; percent-encode all others"
    )]
    Characters,
    /// The path does not begin with `/`.
    #[error("a path begins with `/`")]
    NoSlash,
    /// Path and query are too long.
    #[error("path and query have {0} bytes, over the limit of 8 KiB")]
    Length(usize),
}

impl UnfitRequest {
    /// Returns whether the method is at fault; otherwise path and query are.
    pub fn is_of_method(self) -> bool {
        matches!(self, Self::Method | Self::MethodOfConnection)
    }
}

/// Checks that a method can be sent to a function.
pub fn check_method(text: &str) -> Result<(), UnfitRequest> {
    if text.len() > HttpRequest::MAX_METHOD || !is_token(text) {
        return Err(UnfitRequest::Method);
    }
    match ["CONNECT", "TRACE"].iter().any(|method| text.eq_ignore_ascii_case(method)) {
        true => Err(UnfitRequest::MethodOfConnection),
        false => Ok(()),
    }
}

/// Checks that a path with its query can be sent to a function. One that begins with `//` can: it is a path, too.
pub fn check_target(text: &str) -> Result<(), UnfitRequest> {
    if text.len() > HttpRequest::MAX_TARGET {
        return Err(UnfitRequest::Length(text.len()));
    }
    // The library that writes the request takes all others, in a path as in a query.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"#<>`".contains(&byte)) {
        return Err(UnfitRequest::Characters);
    }
    match text.starts_with('/') {
        true => Ok(()),
        false => Err(UnfitRequest::NoSlash),
    }
}

/// Returns whether a text is a token of HTTP, as methods and the names of headers are.
pub fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// A response without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// The status: 200 to 599.
    pub status: u16,
    /// The end-to-end headers, in the order in which the server sent them, names in lower case. `content-length` is one of
    /// them only in an answer to HEAD: otherwise the body says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

impl HttpResponse {
    /// Returns whether the invocation has failed: the server says that the error is its own.
    pub fn is_failure(&self) -> bool {
        self.status >= 500
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_its_first_question_mark_and_comes_together_again() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a%20b", "/a%20b", None),
            ("/a?", "/a", Some("")),
            ("/a?b=1?c", "/a", Some("b=1?c")),
            ("//host/a", "//host/a", None),
            ("/a|b^c", "/a|b^c", None),
            ("/a?b={c}", "/a", Some("b={c}")),
        ] {
            let request = HttpRequest::named(Some("GET"), Some(target)).unwrap();
            assert_eq!((request.path.as_str(), request.query.as_deref()), (path, query));
            assert_eq!((request.target().as_str(), request.size()), (target, 3 + target.len()));
        }
    }

    #[test]
    fn what_is_not_named_is_post_and_the_root() {
        let named = |method, target| {
            let request = HttpRequest::named(method, target).unwrap();
            format!("{} {}", request.method, request.target())
        };
        assert_eq!(named(None, None), "POST /");
        assert_eq!(named(Some("DELETE"), None), "DELETE /");
        assert_eq!(named(None, Some("/a")), "POST /a");
    }

    #[test]
    fn what_no_server_can_be_sent_is_refused_by_its_reason() {
        let refused = |method, target| HttpRequest::named(method, target).unwrap_err().to_string();
        let method = "a method has 1 to 32 letters, digits and signs such as `-`";
        let long = "M".repeat(33);
        for text in ["", "GE T", "GET/", "GÉT", &long] {
            assert_eq!(refused(Some(text), None), method, "{text}");
        }
        for text in ["CONNECT", "trace"] {
            let expected = "CONNECT and TRACE are for what is between a client and a server, and do not reach a function";
            assert_eq!(refused(Some(text), None), expected);
        }
        let characters = "a path has only visible ASCII characters, and no `\"`, `#`, `<`, `>` and `` ` ``; \
                          percent-encode all others";
        for text in ["/a b", "/a#b", "/ä", "/a\t", "/a<b", "/a>b", "/a`b", "/a\"b", "/a?b=<", "/a?b=\""]
        {
            assert_eq!(refused(None, Some(text)), characters, "{text}");
        }
        for text in ["", "a", "?a=1", "http://host/a"] {
            assert_eq!(refused(None, Some(text)), "a path begins with `/`", "{text}");
        }
        let limit = HttpRequest::MAX_TARGET;
        assert!(HttpRequest::named(None, Some(&format!("/{}", "a".repeat(limit - 1)))).is_ok());
        let long = format!("/{}", "a".repeat(limit));
        assert_eq!(
            refused(None, Some(&long)),
            "path and query have 8193 bytes, over the limit of 8 KiB"
        );
    }
}

//! Bounds that the platform and its helper share: `src/helper/main.rs` includes this file.

/// The limit of a payload or a result, in bytes. A frame of the runtime protocol has no larger body.
pub const MAX_BODY: usize = 6 * 1024 * 1024;

/// The limit of the runtime protocol's message `load`, in bytes of its JSON: the function's variables and secrets are in it.
pub const MAX_LOAD: usize = 1024 * 1024;

/// The limit of a response's headers, names and values together, in bytes: a value's characters are its bytes.
pub const MAX_HEADERS: usize = 48 * 1024;

/// The most headers of a response.
pub const MAX_HEADER_LINES: usize = 100;

/// The headers of one connection; `content-length` follows from the body, and `100-continue` is not waited for.
pub const OF_A_CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

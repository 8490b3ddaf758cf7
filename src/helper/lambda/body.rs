//! Bodies of requests, and their bounds.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap,
    body::{Body as _, Incoming},
};

/// The most that is read of a body that is too large, in bytes, so that its client can read why; then it is hung up on.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

/// The result of reading a body.
pub(super) enum Read {
    /// The whole body.
    Whole { bytes: Bytes, trailers: HeaderMap },
    /// The body is longer than the limit.
    TooLarge,
    /// The client has hung up, or does not speak HTTP.
    BrokenOff,
}

/// Reads a body of at most `limit` bytes. What is longer is read and dropped.
pub(super) async fn read(mut body: Incoming, limit: usize) -> Read {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut bytes = Vec::with_capacity(expected.min(limit));
    let mut trailers = HeaderMap::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Read::BrokenOff };
        match frame.into_data() {
            Ok(data) => {
                length += data.len();
                if length > MAX_DRAINED {
                    return Read::TooLarge;
                }
                if length > limit {
                    bytes = Vec::new();
                } else {
                    bytes.extend_from_slice(&data);
                }
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    match length > limit {
        true => Read::TooLarge,
        false => Read::Whole { bytes: bytes.into(), trailers },
    }
}

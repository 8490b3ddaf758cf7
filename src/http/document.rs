//! JSON documents that a route takes: of another shape, they are refused with the shape.

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Answer, Failure, read_decoded};
use crate::{
    model::{Problem, code},
    payload::json,
    units::show_bytes,
};

/// Levels of a document of ours around a payload: it is one of its fields.
const AROUND: usize = 1;

/// Reads a document of at most `limit` bytes; `shape` is what it looks like.
pub async fn read_document<T: DeserializeOwned>(
    headers: &mut HeaderMap,
    body: Body,
    limit: usize,
    shape: &str,
) -> Answer<T> {
    let too_large = || {
        let limit = show_bytes(limit as u64);
        Problem::new(code::PAYLOAD_TOO_LARGE, format!("the request is larger than the limit of {limit}"))
    };
    let bytes = read_decoded(headers, body, limit, too_large).await?;
    headers.remove(header::CONTENT_TYPE);
    document(&bytes, shape)
}

/// A type whose fields are all known (`deny_unknown_fields`), from an object.
pub fn document<T: DeserializeOwned>(bytes: &Bytes, shape: &str) -> Answer<T> {
    let hint = format!("send {shape}");
    if let Err(fault) = json::check_within(bytes, json::MAX_DEPTH + AROUND) {
        let detail = fault.to_string().replacen("the payload", "the body", 1);
        return Err(Problem::new(code::INVALID_JSON, detail).hint(hint).into());
    }
    let bad = |what: String| {
        Failure::from(
            Problem::new(code::BAD_REQUEST, format!("the body is not as this route takes it: {what}"))
                .hint(hint.clone()),
        )
    };
    // A list of the fields' values would be read, too.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad("it is not an object".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Order {
        name: String,
        payload: Option<Box<RawValue>>,
    }

    fn refused(text: &str) -> String {
        let error =
            document::<Order>(&Bytes::copy_from_slice(text.as_bytes()), "{\"name\":…}").unwrap_err();
        assert_eq!(error.0.hint.as_deref(), Some("send {\"name\":…}"));
        format!("{} {}", error.0.code, error.0.detail)
    }

    #[test]
    fn a_document_of_another_shape_is_refused_with_a_sentence() {
        let order: Order = document(&Bytes::from_static(b" {\"name\":\"a\"}"), "").unwrap();
        assert_eq!((order.name.as_str(), order.payload.is_none()), ("a", true));
        let shape = "bad_request the body is not as this route takes it: ";
        for (text, what) in [
            ("[\"a\",1]", "it is not an object"),
            ("\"a\"", "it is not an object"),
            (
                "{\"name\":\"a\",\"x\":1}",
                "unknown field `x`, expected `name` or `payload` at line 1 column 15",
            ),
            ("{\"name\":7}", "invalid type: integer `7`, expected a string at line 1 column 9"),
            ("{}", "missing field `name` at line 1 column 2"),
            ("{\"name\":\"a\",\"name\":\"b\"}", "duplicate field `name` at line 1 column 18"),
        ] {
            assert_eq!(refused(text), format!("{shape}{what}"));
        }
        let nested = |levels: usize| {
            format!("{{\"name\":\"a\",\"payload\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
        };
        assert!(document::<Order>(&Bytes::from(nested(json::MAX_DEPTH)), "").is_ok());
        let deep = "invalid_json the body is JSON that not every function can read: it is nested deeper than 501 \
                    levels at line 1 column 523 (byte 522)";
        assert_eq!(refused(&nested(json::MAX_DEPTH + 1)), deep);
        let syntax = "invalid_json the body is not valid JSON: it ends in the middle of a value at line 1 column 1 (byte 0)";
        assert_eq!(refused(""), syntax);
    }
}

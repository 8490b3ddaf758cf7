//! The HTTP response that a function's answer to an event stands for, as in AWS's payload format 2.0: pure. The shims do the
//! same with what their handlers return; `tests/payload_2_0.json` has examples for all of them.
//!
//! JSON with a `statusCode` says status, headers, cookies and body. A program that streams its answer says them, but for the
//! body, in JSON before eight zero bytes, after which the body comes. Any other answer is a body of its own type with status 200.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    answer_fields::{Cookies, Fields, Headers, scalar},
    event::{essence, is_json},
    header::{is_number, is_of_a_name, is_of_a_value},
    protocol::MAX_HEADER,
};
use crate::model::{
    FunctionError, HttpResponse,
    limits::{MAX_HEADER_LINES, OF_A_CONNECTION},
};

/// The type of the errors about answers that cannot be understood.
const KIND: &str = "ResponseInvalid";

/// The media type of a body whose answer names none.
const JSON: &str = "application/json";

/// The media type of a streamed answer, the bytes between its JSON and its body, and the type of a body that names none.
const STREAMED: &str = "application/vnd.awslambda.http-integration-response";
const SEPARATOR: [u8; 8] = [0; 8];
const BYTES: &str = "application/octet-stream";

/// The limit of an error's message, in characters; the shims keep to it, too.
const MAX_MESSAGE: usize = 4 * 1024;

/// Returns the response that an answer of this type stands for. `is_head` says that it is to a request of HEAD, whose
/// `content-length` is the function's own.
pub(super) fn response_of(
    content_type: String,
    bytes: Bytes,
    is_head: bool,
) -> Result<(HttpResponse, Bytes), FunctionError> {
    if essence(&content_type) == STREAMED {
        return streamed(&bytes, is_head);
    }
    if let Some(fields) = Fields::of(&content_type, &bytes) {
        let response = fields.head(fields.status()?, JSON, is_head)?;
        return Ok(without_needless_body(response, fields.body()?));
    }
    let named = (!content_type.is_empty()).then(|| ("content-type".to_owned(), content_type));
    Ok((HttpResponse { status: 200, headers: named.into_iter().collect() }, bytes))
}

/// Returns the response of a streamed answer, whose whole is here. Its JSON may be as long as the header of a frame, in which
/// other guests send the same.
fn streamed(bytes: &Bytes, is_head: bool) -> Result<(HttpResponse, Bytes), FunctionError> {
    let start = &bytes[..bytes.len().min(MAX_HEADER + SEPARATOR.len())];
    let at = start.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let parts = at.and_then(|at| {
        let fields: Fields<'_> = serde_json::from_slice(&bytes[..at]).ok()?;
        Some((fields, bytes.slice(at + SEPARATOR.len()..)))
    });
    let (fields, body) = parts.ok_or_else(|| {
        invalid(format!(
            "the answer of the type {STREAMED} does not begin with an object of JSON of at most {MAX_HEADER} bytes and eight \
             zero bytes"
        ))
    })?;
    let status = if fields.status.is_some() { fields.status()? } else { 200 };
    Ok(without_needless_body(fields.head(status, BYTES, is_head)?, body))
}

/// Takes the body from a response of a status that has none in HTTP.
fn without_needless_body(response: HttpResponse, body: Bytes) -> (HttpResponse, Bytes) {
    let body = if has_body(response.status) { body } else { Bytes::new() };
    (response, body)
}

fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

impl<'a> Fields<'a> {
    /// Reads the fields of an answer that has a `statusCode`; none of any other answer.
    fn of(content_type: &str, bytes: &'a [u8]) -> Option<Self> {
        if !is_json(content_type) {
            return None;
        }
        let fields: Self = serde_json::from_slice(bytes).ok()?;
        fields.status.is_some().then_some(fields)
    }

    /// Returns the response without its body; `default` is the type of a body for which the answer names none.
    fn head(&self, status: u16, default: &str, is_head: bool) -> Result<HttpResponse, FunctionError> {
        let mut headers = self.headers(is_head)?;
        if has_body(status) && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), default.to_owned()));
        }
        headers.extend(self.cookies()?);
        Ok(HttpResponse { status, headers })
    }

    fn status(&self) -> Result<u16, FunctionError> {
        let status = self.status.and_then(status_of);
        status.ok_or_else(|| {
            invalid("`statusCode` of the answer is not an integer from 200 to 599".to_owned())
        })
    }

    fn headers(&self, is_head: bool) -> Result<Vec<(String, String)>, FunctionError> {
        let given: Option<Headers<'_>> = read(self.headers, "headers", "is not an object")?;
        let Some(given) = given else { return Ok(Vec::new()) };
        if given.count > MAX_HEADER_LINES {
            return Err(too_many(given.count, "headers"));
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in given.first {
            let name = name.to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(is_of_a_name) {
                let message = format!(
                    "the answer has a header named '{name}', which is not a name that HTTP allows"
                );
                return Err(invalid(message));
            }
            let value = text_of(value).ok_or_else(|| {
                invalid(format!(
                    "the header '{name}' of the answer is not a text, a number or a boolean"
                ))
            })?;
            let value = wire(&value).ok_or_else(|| {
                invalid(format!(
                    "the header '{name}' of the answer has a character that HTTP does not allow"
                ))
            })?;
            if headers.insert(name.clone(), value).is_some() {
                let message =
                    format!("the header '{name}' is in the answer twice, in different letters");
                return Err(invalid(message));
            }
        }
        headers.retain(|name, value| {
            let is_length = name == "content-length" && is_head && is_number(value);
            is_length || !OF_A_CONNECTION.contains(&name.as_str())
        });
        Ok(headers.into_iter().collect())
    }

    fn cookies(&self) -> Result<Vec<(String, String)>, FunctionError> {
        let given: Option<Cookies> = read(self.cookies, "cookies", "is not a list of texts")?;
        let Some(given) = given else { return Ok(Vec::new()) };
        if given.count > MAX_HEADER_LINES {
            return Err(too_many(given.count, "cookies"));
        }
        let header = |cookie: String| {
            wire(&cookie).map(|value| ("set-cookie".to_owned(), value)).ok_or_else(|| {
                invalid("a cookie of the answer has a character that HTTP does not allow".to_owned())
            })
        };
        given.first.into_iter().map(header).collect()
    }

    /// Returns the bytes of the body. One that is no text is written as JSON, as the function has written it.
    fn body(&self) -> Result<Bytes, FunctionError> {
        let is_base64: Option<bool> =
            read(self.is_base64, "isBase64Encoded", "is neither true nor false")?;
        let is_base64 = is_base64.unwrap_or_default();
        let Some(raw) = self.body.filter(|raw| raw.get() != "null") else {
            return Ok(Bytes::new());
        };
        let text: Option<String> = serde_json::from_str(raw.get()).ok();
        match text {
            Some(text) if !is_base64 => Ok(text.into()),
            None if !is_base64 => Ok(Bytes::copy_from_slice(raw.get().as_bytes())),
            text => text.and_then(|text| STANDARD.decode(text).ok()).map(Bytes::from).ok_or_else(|| {
                let fault = "`body` of the answer is not base64, although `isBase64Encoded` is true";
                invalid(fault.to_owned())
            }),
        }
    }
}

/// Reads a field; none where it is absent or null, and an error where it is of another type.
fn read<'a, T: Deserialize<'a>>(
    field: Option<&'a RawValue>,
    name: &str,
    fault: &str,
) -> Result<Option<T>, FunctionError> {
    let Some(raw) = field else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|_| invalid(format!("`{name}` of the answer {fault}")))
}

/// Returns a status, which may be a text of three digits.
fn status_of(raw: &RawValue) -> Option<u16> {
    let wanted = match scalar(raw)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()?
        }
        _ => return None,
    };
    (200..=599).find(|status| f64::from(*status) == wanted)
}

/// Returns the text of a header's value; none of one that is no text, number or boolean. A whole number is written without a
/// fraction, as JavaScript cannot tell 5.0 from 5.
fn text_of(raw: &RawValue) -> Option<String> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match scalar(raw)? {
        Value::String(text) => Some(text),
        Value::Bool(word) => Some(word.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= LARGEST => {
                // The sum has no sign where it is zero.
                format!("{:.0}", float + 0.0)
            }
            _ => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a header's value in the form that it has in a response, where each character is a byte of its UTF-8; none of one
/// that HTTP does not allow.
fn wire(value: &str) -> Option<String> {
    let bytes: String = value.bytes().map(char::from).collect();
    bytes.chars().all(is_of_a_value).then_some(bytes)
}

/// Makes the error of more lines than a response may have, as of guests that answer with one.
fn too_many(count: usize, what: &str) -> FunctionError {
    let message = format!("the response has {count} {what}, over the limit of {MAX_HEADER_LINES}");
    FunctionError { kind: "too_large".to_owned(), message, trace: None, hint: None }
}

/// Makes an error of a message, in which a name of the answer may be of any length.
fn invalid(message: String) -> FunctionError {
    let message = message.chars().take(MAX_MESSAGE).collect();
    FunctionError { kind: KIND.to_owned(), message, trace: None, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        answers: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        only: Option<String>,
        method: Option<String>,
        value: Option<Box<RawValue>>,
        status: Option<u16>,
        headers: Option<Vec<(String, String)>>,
        body_base64: Option<String>,
        error: Option<String>,
    }

    /// Sorts headers by their names; the order of those of one name stays.
    fn sorted(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        headers
    }

    #[test]
    fn an_answer_is_the_response_that_its_example_has() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../../tests/payload_2_0.json")).unwrap();
        assert!(vectors.answers.len() > 40);
        for vector in vectors.answers {
            let name = vector.name;
            if vector.only.as_deref() == Some("shims") {
                continue;
            }
            let value = vector.value.map_or("null".to_owned(), |value| value.get().to_owned());
            let is_head = vector.method.as_deref() == Some("HEAD");
            match response_of(JSON.to_owned(), value.into(), is_head) {
                Ok((response, body)) => {
                    assert_eq!(Some(response.status), vector.status, "{name}");
                    let expected = vector.headers.map(sorted);
                    assert_eq!(Some(sorted(response.headers)), expected, "{name}");
                    assert_eq!(Some(STANDARD.encode(body)), vector.body_base64, "{name}");
                }
                Err(error) => {
                    assert_eq!(error.kind, "ResponseInvalid", "{name}");
                    assert_eq!(Some(error.message), vector.error, "{name}");
                }
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_json_is_the_body() {
        for (content_type, text) in [
            ("text/plain; charset=utf-8", "{\"statusCode\":404}"),
            ("application/octet-stream", ""),
            ("application/json", "{\"statusCode\":404"),
            ("application/json", ""),
        ] {
            let (response, body) =
                response_of(content_type.to_owned(), Bytes::from_static(text.as_bytes()), false)
                    .unwrap();
            assert_eq!((response.status, &body[..]), (200, text.as_bytes()));
            assert_eq!(response.headers, [("content-type".to_owned(), content_type.to_owned())]);
        }
    }

    fn refused(text: String) -> (String, String) {
        let error = response_of(JSON.to_owned(), text.into(), false).unwrap_err();
        (error.kind, error.message)
    }

    #[test]
    fn an_answer_of_too_many_headers_or_cookies_is_refused_by_their_number() {
        let too_large = |message: &str| ("too_large".to_owned(), message.to_owned());
        let names: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":1")).collect();
        assert_eq!(
            refused(format!("{{\"statusCode\":200,\"headers\":{{{}}}}}", names.join(","))),
            too_large("the response has 100000 headers, over the limit of 100")
        );
        let cookies = vec!["\"\""; 100_000].join(",");
        assert_eq!(
            refused(format!("{{\"cookies\":[{cookies}],\"statusCode\":200}}")),
            too_large("the response has 100000 cookies, over the limit of 100")
        );
    }

    #[test]
    fn a_long_name_is_cut_in_the_error_about_it() {
        let name = "ä".repeat(1_000_000);
        let (kind, message) = refused(format!("{{\"statusCode\":200,\"headers\":{{\"{name}\":1}}}}"));
        assert_eq!((kind.as_str(), message.chars().count()), (KIND, MAX_MESSAGE));
        assert!(message.starts_with("the answer has a header named 'ää"), "{message}");
    }

    #[test]
    fn a_streamed_answer_has_its_status_and_headers_before_its_body() {
        let answered = |bytes: &'static [u8]| {
            let streamed = response_of(STREAMED.to_owned(), Bytes::from_static(bytes), false);
            streamed.map_err(|error| error.message)
        };
        let (response, body) = answered(
            b"{\"statusCode\":404,\"headers\":{\"Content-Type\":\"text/x\"},\"cookies\":[\"a=1\"]}\0\0\0\0\0\0\0\0no\0",
        )
        .unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!((response.status, &body[..]), (404, &b"no\0"[..]));
        assert_eq!(response.headers, [pair("content-type", "text/x"), pair("set-cookie", "a=1")]);
        let (response, body) = answered(b"{}\0\0\0\0\0\0\0\0").unwrap();
        assert_eq!((response.status, body.len()), (200, 0));
        assert_eq!(response.headers, [pair("content-type", BYTES)]);
        let expected = "the answer of the type application/vnd.awslambda.http-integration-response does not begin with an \
                        object of JSON of at most 65536 bytes and eight zero bytes";
        for bytes in [&b"{}"[..], b"text\0\0\0\0\0\0\0\0", b"[200]\0\0\0\0\0\0\0\0", b""] {
            assert_eq!(answered(bytes), Err(expected.to_owned()));
        }
        for (length, is_read) in [(MAX_HEADER, true), (MAX_HEADER + 1, false)] {
            let text = format!("{{}}{}\0\0\0\0\0\0\0\0", " ".repeat(length - 2));
            let streamed = response_of(STREAMED.to_owned(), text.into(), false);
            assert_eq!(
                streamed.map_err(|error| error.message).err(),
                (!is_read).then(|| expected.to_owned())
            );
        }
    }
}

//! The HTTP response that a function's answer to an event stands for, as in AWS's payload format 2.0: pure. The shims do the
//! same with what their handlers return; `tests/payload_2_0.json` has examples for all of them.
//!
//! JSON with a `statusCode` says status, headers, cookies and body. A program that streams its answer says them, but for the
//! body, in JSON before eight zero bytes, after which the body comes. Any other answer is a body of its own type with status 200.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, value::RawValue};

use super::{
    event::{essence, is_json},
    header::{is_number, is_of_a_name, is_of_a_value},
};
use crate::model::{FunctionError, HttpResponse, limits::OF_A_CONNECTION};

/// The type of the errors about answers that cannot be understood.
const KIND: &str = "ResponseInvalid";

/// The media type of a body whose answer names none.
const JSON: &str = "application/json";

/// The media type of a streamed answer, the bytes between its JSON and its body, and the type of a body that names none.
const STREAMED: &str = "application/vnd.awslambda.http-integration-response";
const SEPARATOR: [u8; 8] = [0; 8];
const BYTES: &str = "application/octet-stream";

/// The fields of an answer that is an object. What is null in it counts as absent, but for `statusCode`.
struct Fields<'a>(HashMap<String, &'a RawValue>);

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

/// Returns the response of a streamed answer, whose whole is here.
fn streamed(bytes: &Bytes, is_head: bool) -> Result<(HttpResponse, Bytes), FunctionError> {
    let parts = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR).and_then(|at| {
        let fields = serde_json::from_slice(&bytes[..at]).ok()?;
        Some((Fields(fields), bytes.slice(at + SEPARATOR.len()..)))
    });
    let (fields, body) = parts.ok_or_else(|| {
        invalid(format!(
            "the answer of the type {STREAMED} does not begin with an object of JSON and eight zero bytes"
        ))
    })?;
    let status = if fields.0.contains_key("statusCode") { fields.status()? } else { 200 };
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
        let fields: HashMap<String, &'a RawValue> = serde_json::from_slice(bytes).ok()?;
        fields.contains_key("statusCode").then_some(Self(fields))
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

    /// Returns a field; none where it is absent or null, and an error where it is of another type.
    fn get<T: DeserializeOwned>(&self, name: &str, fault: &str) -> Result<Option<T>, FunctionError> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|_| invalid(format!("`{name}` of the answer {fault}")))
    }

    fn status(&self) -> Result<u16, FunctionError> {
        let status = self.0.get("statusCode").and_then(|raw| status_of(raw));
        status.ok_or_else(|| {
            invalid("`statusCode` of the answer is not an integer from 200 to 599".to_owned())
        })
    }

    fn headers(&self, is_head: bool) -> Result<Vec<(String, String)>, FunctionError> {
        let given: Option<Map<String, Value>> = self.get("headers", "is not an object")?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in given.into_iter().flatten() {
            let name = name.to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(is_of_a_name) {
                let message = format!(
                    "the answer has a header named '{name}', which is not a name that HTTP allows"
                );
                return Err(invalid(message));
            }
            let value = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(word) => word.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    let message = format!(
                        "the header '{name}' of the answer is not a text, a number or a boolean"
                    );
                    return Err(invalid(message));
                }
            };
            let value = wire(&value).ok_or_else(|| {
                invalid(format!(
                    "the header '{name}' of the answer has a character that HTTP does not allow"
                ))
            })?;
            if headers.iter().any(|(other, _)| *other == name) {
                let message =
                    format!("the header '{name}' is in the answer twice, in different letters");
                return Err(invalid(message));
            }
            headers.push((name, value));
        }
        headers.retain(|(name, value)| {
            let is_length = name == "content-length" && is_head && is_number(value);
            is_length || !OF_A_CONNECTION.contains(&name.as_str())
        });
        Ok(headers)
    }

    fn cookies(&self) -> Result<Vec<(String, String)>, FunctionError> {
        let cookies: Option<Vec<String>> = self.get("cookies", "is not a list of texts")?;
        let header = |cookie: String| {
            wire(&cookie).map(|value| ("set-cookie".to_owned(), value)).ok_or_else(|| {
                invalid("a cookie of the answer has a character that HTTP does not allow".to_owned())
            })
        };
        cookies.into_iter().flatten().map(header).collect()
    }

    /// Returns the bytes of the body. One that is no text is written as JSON, as the function has written it.
    fn body(&self) -> Result<Bytes, FunctionError> {
        let is_base64: Option<bool> = self.get("isBase64Encoded", "is neither true nor false")?;
        let is_base64 = is_base64.unwrap_or_default();
        let Some(raw) = self.0.get("body").filter(|raw| raw.get() != "null") else {
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

/// Returns a status, which may be a text of three digits.
fn status_of(raw: &RawValue) -> Option<u16> {
    let wanted = match serde_json::from_str::<Value>(raw.get()).ok()? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()?
        }
        _ => return None,
    };
    (200..=599).find(|status| f64::from(*status) == wanted)
}

/// Returns a header's value in the form that it has in a response, where each character is a byte of its UTF-8; none of one
/// that HTTP does not allow.
fn wire(value: &str) -> Option<String> {
    let bytes: String = value.bytes().map(char::from).collect();
    bytes.chars().all(is_of_a_value).then_some(bytes)
}

fn invalid(message: String) -> FunctionError {
    FunctionError { kind: KIND.to_owned(), message, trace: None, hint: None }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

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
                        object of JSON and eight zero bytes";
        for bytes in [&b"{}"[..], b"text\0\0\0\0\0\0\0\0", b""] {
            assert_eq!(answered(bytes), Err(expected.to_owned()));
        }
    }
}

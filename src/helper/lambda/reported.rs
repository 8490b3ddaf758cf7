//! The reports of a program, as the platform passes them on: errors in AWS Lambda's form, and the media types of results.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::call::FunctionError;

/// The limit of an error's trace, in bytes. Type and message are cut where they are sent.
const MAX_TRACE: usize = 24 * 1024;
/// The text in place of a long trace's middle.
const CUT: &str = "\n…\n";
/// The longest media type that is passed on.
const MAX_MEDIA_TYPE: usize = 256;

/// The type of an error that says none.
const UNKNOWN: &str = "Runtime.Unknown";

/// Reads an error. `kind` is the type in the header, which counts where the body has none.
pub(super) fn error(kind: Option<&str>, body: &[u8]) -> FunctionError {
    let document = serde_json::from_slice(body).unwrap_or(Value::Null);
    let known = document.as_object().filter(|object| {
        ["errorType", "errorMessage", "stackTrace", "trace"].iter().any(|key| object.contains_key(*key))
    });
    let (own_kind, message, trace) = match (known, &document) {
        (Some(object), _) => (words(object, "errorType"), words(object, "errorMessage"), trace(object)),
        (None, Value::String(text)) => (None, Some(text.clone()), None),
        (None, _) => (None, Some(String::from_utf8_lossy(body).trim().to_owned()), None),
    };
    let not_empty = |text: &String| !text.is_empty();
    let kind = own_kind.filter(not_empty).or_else(|| kind.map(str::to_owned).filter(not_empty));
    let kind = kind.unwrap_or_else(|| UNKNOWN.to_owned());
    let mut message = message.unwrap_or_default();
    if message.is_empty() && trace.is_none() {
        "the program has reported an error without saying which".clone_into(&mut message);
    }
    FunctionError { kind, message, trace: trace.map(without_middle) }
}

/// Reads the body of an error in a trailer: base64 of what it would be elsewhere.
pub(super) fn trailing_error(kind: Option<&str>, body: Option<&[u8]>) -> FunctionError {
    let body = body.unwrap_or_default();
    error(kind, decode_base64(body).as_deref().unwrap_or(body))
}

/// Returns the media type of a result. Few clients name one: their results are what they look like.
pub(super) fn media_type(named: Option<&str>, body: &[u8]) -> String {
    const UNSAID: [&str; 2] = ["application/x-www-form-urlencoded", "application/octet-stream"];
    if let Some(named) =
        named.map(str::trim).filter(|named| !named.is_empty() && named.len() <= MAX_MEDIA_TYPE)
    {
        let essence = named.split(';').next().unwrap_or(named).trim();
        if !UNSAID.iter().any(|unsaid| essence.eq_ignore_ascii_case(unsaid)) {
            return named.to_owned();
        }
    }
    let guessed = match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    guessed.to_owned()
}

/// Returns a member as text, whatever it is.
fn words(object: &Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Returns the trace in the form in which a terminal shows it.
fn trace(object: &Map<String, Value>) -> Option<String> {
    let text = match object.get("stackTrace").or_else(|| object.get("trace"))? {
        Value::String(text) => text.clone(),
        Value::Array(frames) => frames.iter().map(frame).collect::<Vec<_>>().join("\n"),
        _ => return None,
    };
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A line of a trace, or an object, as Go's library writes them.
fn frame(frame: &Value) -> String {
    match frame {
        Value::String(line) => line.trim_end().to_owned(),
        Value::Object(object) => {
            let part = |key| words(object, key).unwrap_or_default();
            match (part("label"), part("path"), part("line")) {
                (label, path, _) if path.is_empty() => label,
                (label, path, line) => format!("{label} ({path}:{line})"),
            }
        }
        other => other.to_string(),
    }
}

/// Cuts the middle out of a long trace: some languages name the place of the error first, others last.
fn without_middle(trace: String) -> String {
    if trace.len() <= MAX_TRACE {
        return trace;
    }
    let half = (MAX_TRACE - CUT.len()) / 2;
    let start = &trace[..trace.floor_char_boundary(half)];
    let end = &trace[trace.ceil_char_boundary(trace.len() - half)..];
    format!("{start}{CUT}{end}")
}

/// Decodes base64, with or without its padding.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for &digit in group {
            bits = (bits << 6) | u32::from(base64_digit(digit)?);
        }
        // Two digits are a byte, three are two bytes.
        let count = group.len().checked_sub(1).filter(|&count| count > 0)?;
        let aligned = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(&aligned.to_be_bytes()[1..=count]);
    }
    Some(bytes)
}

fn base64_digit(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(kind: Option<&str>, body: &str) -> (String, String, Option<String>) {
        let error = error(kind, body.as_bytes());
        (error.kind, error.message, error.trace)
    }

    fn known(kind: &str, message: &str, trace: Option<&str>) -> (String, String, Option<String>) {
        (kind.to_owned(), message.to_owned(), trace.map(str::to_owned))
    }

    #[test]
    fn errors_come_in_every_form_of_awss_clients() {
        for (kind, body, expected) in [
            // Python
            (
                None,
                concat!(
                    r#"{"errorMessage":"no","errorType":"ValueError","requestId":"1","#,
                    r#""stackTrace":["  File \"a.py\", line 1\n    x\n"]}"#
                ),
                known("ValueError", "no", Some("  File \"a.py\", line 1\n    x")),
            ),
            // Node
            (
                Some("TypeError"),
                r#"{"errorType":"TypeError","errorMessage":"no","trace":["TypeError: no","    at f (a.js:1)"]}"#,
                known("TypeError", "no", Some("TypeError: no\n    at f (a.js:1)")),
            ),
            // Go
            (
                None,
                concat!(
                    r#"{"errorMessage":"no","errorType":"errorString","#,
                    r#""stackTrace":[{"path":"main.go","line":7,"label":"main"}]}"#
                ),
                known("errorString", "no", Some("main (main.go:7)")),
            ),
            // Rust
            (
                Some("unhandled"),
                r#"{"errorType":"demo::Error","errorMessage":"no"}"#,
                known("demo::Error", "no", None),
            ),
            (
                None,
                r#"{"errorMessage":"no","stackTrace":"one\ntwo\n"}"#,
                known("Runtime.Unknown", "no", Some("one\ntwo")),
            ),
            (
                Some("Mine"),
                r#"{"errorType":"","errorMessage":{"code":7}}"#,
                known("Mine", r#"{"code":7}"#, None),
            ),
        ] {
            assert_eq!(parts(kind, body), expected, "{body}");
        }
    }

    #[test]
    fn a_body_in_no_known_form_is_still_an_error() {
        let unsaid = "the program has reported an error without saying which";
        for (kind, body, expected) in [
            (Some("unhandled"), "", known("unhandled", unsaid, None)),
            (None, "", known("Runtime.Unknown", unsaid, None)),
            (
                None,
                "{\"errorMessage\": \"cut of",
                known("Runtime.Unknown", "{\"errorMessage\": \"cut of", None),
            ),
            (None, "\"boom\"", known("Runtime.Unknown", "boom", None)),
            (None, r#"{"error":"boom"}"#, known("Runtime.Unknown", r#"{"error":"boom"}"#, None)),
            (Some("T"), "null", known("T", "null", None)),
        ] {
            assert_eq!(parts(kind, body), expected, "{body}");
        }
    }

    #[test]
    fn a_long_trace_keeps_its_beginning_and_its_end() {
        let lines: Vec<String> = (0..300).map(|number| format!("{number} {}", "ä".repeat(99))).collect();
        let body = serde_json::json!({ "errorMessage": "no", "stackTrace": lines });
        let trace = parts(None, &body.to_string()).2.unwrap();
        assert!(trace.len() <= MAX_TRACE && trace.len() > MAX_TRACE - 8, "{}", trace.len());
        let (start, end) = trace.split_once(CUT).unwrap();
        assert!(start.starts_with("0 ä") && end.contains("\n299 ä"), "{trace}");
    }

    #[test]
    fn an_error_in_trailers_is_base64_of_json_or_text() {
        let error = trailing_error(Some("Runtime.StreamError"), Some(b"eyJlcnJvck1lc3NhZ2UiOiJubyJ9"));
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("Runtime.StreamError", "no"));
        for (encoded, message) in
            [("Ym9vbQ==", "boom"), ("Ym9v", "boo"), ("Ym8=", "bo"), ("!!", "!!"), ("Y", "Y")]
        {
            assert_eq!(trailing_error(None, Some(encoded.as_bytes())).message, message, "{encoded}");
        }
        assert_eq!(trailing_error(Some("T"), None).kind, "T");
    }

    #[test]
    fn a_result_without_a_media_type_of_its_own_is_what_it_looks_like() {
        let form = Some("application/x-www-form-urlencoded");
        for (named, body, expected) in [
            (Some("application/json"), "no json", "application/json"),
            (Some("text/html; charset=utf-8"), "{}", "text/html; charset=utf-8"),
            (form, r#"{"a": 1}"#, "application/json"),
            (form, "Hello", "text/plain; charset=utf-8"),
            (None, "null", "application/json"),
            (None, "", "text/plain; charset=utf-8"),
            (Some("Application/Octet-Stream"), "7", "application/json"),
        ] {
            assert_eq!(media_type(named, body.as_bytes()), expected, "{named:?} {body}");
        }
        assert_eq!(media_type(None, b"\xff\x00"), "application/octet-stream");
        assert_eq!(media_type(Some(&"x".repeat(257)), b"{}"), "application/json");
    }
}

//! A guest's result, checked: that it has an HTTP response exactly where a request was sent, and that the response can be
//! passed on as it is.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Finished, GuestError, Invoke, check_content_type, protocol::Features};
use crate::model::{Body, HttpResponse};

/// The limit of all header names and values of a response, in bytes: those of a frame have 64 KiB, escaped as JSON.
const MAX_HEADERS: usize = 48 * 1024;

/// The media type of a body whose own cannot be passed on.
const UNKNOWN: &str = "application/octet-stream";

/// Headers of one connection, and the length, which the body says.
const OF_A_CONNECTION: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Returns an invocation as a guest with these features may be sent it.
pub(super) fn for_guest(invoke: &Invoke, features: Features) -> Cow<'_, Invoke> {
    match invoke.http.is_some() && !features.http {
        true => Cow::Owned(Invoke { http: None, ..invoke.clone() }),
        false => Cow::Borrowed(invoke),
    }
}

/// Returns what a result means; `is_request` says that it is the answer to an HTTP request.
pub(super) fn finished(
    is_request: bool,
    content_type: String,
    http: Option<HttpResponse>,
    bytes: Bytes,
) -> Result<Finished, GuestError> {
    match (is_request, http) {
        (false, None) => {
            check_content_type(&content_type)?;
            Ok(Finished::Result(Body { content_type, bytes }))
        }
        (true, Some(response)) => {
            check(&response).map_err(GuestError::Violation)?;
            let content_type = media_type(&response, content_type);
            Ok(Finished::Response(response, Body { content_type, bytes }))
        }
        (false, Some(_)) => {
            Err(GuestError::Violation("an HTTP response that no request asked for".to_owned()))
        }
        (true, None) => {
            Err(GuestError::Violation("a result without the HTTP response to its request".to_owned()))
        }
    }
}

/// Returns the media type that the server has named; it is its own text, and an odd one is not the guest's fault.
fn media_type(response: &HttpResponse, guests: String) -> String {
    let named = response.headers.iter().find(|(name, _)| name == "content-type");
    let media_type = named.map_or(guests, |(_, value)| value.clone());
    match check_content_type(&media_type) {
        Ok(()) => media_type,
        Err(_) => UNKNOWN.to_owned(),
    }
}

fn check(response: &HttpResponse) -> Result<(), String> {
    if !(200..=599).contains(&response.status) {
        return Err(format!("an HTTP response with the status {}", response.status));
    }
    for (name, value) in &response.headers {
        if OF_A_CONNECTION.contains(&name.as_str()) {
            return Err(format!(
                "an HTTP response with the header '{name}', which is of one connection"
            ));
        }
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return Err(format!("an HTTP response with a header named {name:?}"));
        }
        if !value.chars().all(is_of_a_value) {
            return Err(format!("an HTTP response whose header '{name}' has a control character"));
        }
    }
    let size: usize = response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_HEADERS {
        return Err(format!("{size} bytes of HTTP headers are over the limit of {MAX_HEADERS}"));
    }
    Ok(())
}

/// Returns whether a token of HTTP in lower case may have this byte.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether a header's value may have this character, which stands for one byte.
fn is_of_a_value(c: char) -> bool {
    c == '\t' || matches!(c, ' '..='~' | '\u{80}'..='\u{ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse { status, headers: headers.iter().map(owned).collect() }
    }

    fn seen(response: HttpResponse) -> Result<Finished, GuestError> {
        finished(true, "text/plain".to_owned(), Some(response), Bytes::from_static(b"x"))
    }

    #[test]
    fn a_response_is_passed_on_as_it_is() {
        for status in [200, 204, 304, 404, 503, 599] {
            let given =
                response(status, &[("set-cookie", "a"), ("x-a", "gr\u{fc}n\t"), ("set-cookie", "b")]);
            let Finished::Response(response, body) = seen(given.clone()).unwrap() else { panic!() };
            assert_eq!(
                (response, body.content_type.as_str(), &body.bytes[..]),
                (given, "text/plain", &b"x"[..])
            );
        }
    }

    #[test]
    fn its_media_type_is_the_servers_if_it_can_be_one() {
        let long = "x".repeat(300);
        for (named, expected) in [
            ("text/html", "text/html"),
            ("text/\u{fc}", UNKNOWN),
            ("a\tb", UNKNOWN),
            (long.as_str(), UNKNOWN),
        ] {
            let Finished::Response(response, body) =
                seen(response(200, &[("content-type", named)])).unwrap()
            else {
                panic!()
            };
            assert_eq!((body.content_type.as_str(), response.headers[0].1.as_str()), (expected, named));
        }
    }

    #[test]
    fn what_no_server_may_answer_is_the_guests_fault() {
        let large = "x".repeat(25_000);
        for (status, headers, reason) in [
            (199, &[][..], "the status 199"),
            (600, &[], "the status 600"),
            (200, &[("Content-Type", "a")], "a header named \"Content-Type\""),
            (200, &[("", "a")], "a header named \"\""),
            (200, &[("a b", "a")], "a header named \"a b\""),
            (200, &[("a", "b\r\nc: d")], "'a' has a control character"),
            (200, &[("a", "\u{7f}")], "'a' has a control character"),
            (200, &[("a", "\u{20ac}")], "'a' has a control character"),
            (200, &[("content-length", "3")], "'content-length', which is of one connection"),
            (200, &[("transfer-encoding", "chunked")], "'transfer-encoding', which is"),
            (
                200,
                &[("a", large.as_str()), ("b", large.as_str())],
                "50002 bytes of HTTP headers are over the limit of 49152",
            ),
        ] {
            let error = seen(response(status, headers)).unwrap_err();
            assert!(matches!(error, GuestError::Violation(_)), "{error:?}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_request_has_a_response_and_nothing_else_has_one() {
        let plain = |is_request, http| {
            finished(is_request, "text/plain".to_owned(), http, Bytes::new())
                .map_err(|error| error.to_string())
        };
        assert!(matches!(plain(false, None), Ok(Finished::Result(_))));
        let violation = |reason: &str| Err(format!("the guest broke the runtime protocol: {reason}"));
        assert_eq!(
            plain(false, Some(response(200, &[]))),
            violation("an HTTP response that no request asked for")
        );
        assert_eq!(plain(true, None), violation("a result without the HTTP response to its request"));
    }
}

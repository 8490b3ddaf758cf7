//! A guest's result, checked: that it has an HTTP response exactly where a request was sent, and that the response can be
//! passed on as it is.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Finished, GuestError, Invoke, check_content_type, protocol::Features};
use crate::model::{
    Body, FunctionError, HttpResponse,
    limits::{MAX_HEADER_LINES, MAX_HEADERS, OF_A_CONNECTION},
};

/// The media type of a body whose own cannot be passed on.
const UNKNOWN: &str = "application/octet-stream";

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
            if let Err(error) = check(&response) {
                return Ok(Finished::Error(error));
            }
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

/// Checks what a server has answered: it is its own text, as an error would be, and ends no more than its invocation.
fn check(response: &HttpResponse) -> Result<(), FunctionError> {
    let error = |kind: &str, message: String| {
        Err(FunctionError { kind: kind.to_owned(), message, trace: None, hint: None })
    };
    if !(200..=599).contains(&response.status) {
        let message = format!(
            "the response has the status {}, and only 200 to 599 can be passed on",
            response.status
        );
        return error("http", message);
    }
    if response.headers.len() > MAX_HEADER_LINES {
        let count = response.headers.len();
        let message = format!("the response has {count} headers, over the limit of {MAX_HEADER_LINES}");
        return error("too_large", message);
    }
    for (name, value) in &response.headers {
        if OF_A_CONNECTION.contains(&name.as_str()) {
            return error(
                "http",
                format!("the response has the header '{name}', which is of one connection"),
            );
        }
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return error(
                "http",
                format!("the response has a header named {name:?}, which is no name in HTTP"),
            );
        }
        if !value.chars().all(is_of_a_value) {
            let message =
                format!("the response's header '{name}' has a character that HTTP does not allow");
            return error("http", message);
        }
    }
    let sizes = response.headers.iter().map(|(name, value)| name.len() + value.chars().count());
    let size: usize = sizes.sum();
    if size > MAX_HEADERS {
        let message =
            format!("the response's headers have {size} bytes, over the limit of {MAX_HEADERS}");
        return error("too_large", message);
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
    fn what_no_server_may_answer_ends_its_invocation_and_not_the_guest() {
        let large = "x".repeat(25_000);
        let many = [("a", "b"); MAX_HEADER_LINES + 1];
        for (status, headers, kind, reason) in [
            (199, &[][..], "http", "the status 199"),
            (600, &[], "http", "the status 600"),
            (200, &[("Content-Type", "a")], "http", "a header named \"Content-Type\""),
            (200, &[("", "a")], "http", "a header named \"\""),
            (200, &[("a b", "a")], "http", "a header named \"a b\""),
            (200, &[("a", "b\r\nc: d")], "http", "'a' has a character that"),
            (200, &[("a", "\u{7f}")], "http", "'a' has a character that"),
            (200, &[("a", "\u{20ac}")], "http", "'a' has a character that"),
            (200, &[("content-length", "3")], "http", "'content-length', which is of one connection"),
            (200, &[("transfer-encoding", "chunked")], "http", "'transfer-encoding', which is"),
            (200, &many[..], "too_large", "the response has 101 headers, over the limit of 100"),
            (
                200,
                &[("a", large.as_str()), ("b", large.as_str())],
                "too_large",
                "the response's headers have 50002 bytes, over the limit of 49152",
            ),
        ] {
            let Finished::Error(error) = seen(response(status, headers)).unwrap() else {
                panic!("{reason}")
            };
            assert_eq!(error.kind, kind, "{error:?}");
            assert!(error.message.contains(reason), "{error:?}");
        }
    }

    #[test]
    fn a_byte_of_a_header_counts_once_whatever_it_is() {
        for letter in ["x", "\u{e9}"] {
            let value = letter.repeat(MAX_HEADERS - 1);
            let finished = seen(response(200, &[("a", value.as_str())])).unwrap();
            assert!(matches!(finished, Finished::Response(..)), "{letter}");
            let finished = seen(response(200, &[("ab", value.as_str())])).unwrap();
            assert!(matches!(finished, Finished::Error(_)), "{letter}");
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

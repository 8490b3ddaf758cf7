//! A guest's result, checked: that it has an HTTP response exactly where a request was sent, and that the response can be
//! passed on as it is.

use bytes::Bytes;

use super::{
    Finished, GuestError, check_content_type,
    event_answer::response_of,
    header::{is_number, is_of_a_name, is_of_a_value},
    work::beside,
};
use crate::model::{
    Body, FunctionError, HttpResponse,
    limits::{MAX_HEADER_LINES, MAX_HEADERS, OF_A_CONNECTION},
};

/// The media type of a body whose own cannot be passed on.
const UNKNOWN: &str = "application/octet-stream";

/// The result that answers an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A value.
    Value,
    /// The response to an HTTP request; `is_head` says that its method is HEAD.
    Response { is_head: bool },
    /// A value that stands for such a response.
    EventAnswer { is_head: bool },
}

/// A result that the protocol allows.
pub(super) enum Checked {
    /// What it means.
    Finished(Finished),
    /// A value that stands for the response to a request, and is not read yet.
    EventAnswer { content_type: String, bytes: Bytes, is_head: bool },
}

impl Checked {
    /// Returns what a result means.
    pub(super) async fn finished(self) -> Finished {
        match self {
            Self::Finished(finished) => finished,
            Self::EventAnswer { content_type, bytes, is_head } => {
                let length = bytes.len();
                let read = move || answered(content_type, bytes, is_head);
                beside(length, read).await.unwrap_or_else(Finished::Error)
            }
        }
    }
}

/// Checks that a result is one that answers what was sent.
pub(super) fn checked(
    expected: Expected,
    content_type: String,
    http: Option<HttpResponse>,
    bytes: Bytes,
) -> Result<Checked, GuestError> {
    match (expected, http) {
        (Expected::Value, None) => {
            check_content_type(&content_type)?;
            Ok(Checked::Finished(Finished::Result(Body { content_type, bytes })))
        }
        (Expected::Response { is_head }, Some(response)) => {
            Ok(Checked::Finished(passed_on(response, content_type, bytes, is_head)))
        }
        (Expected::EventAnswer { is_head }, None) => {
            check_content_type(&content_type)?;
            Ok(Checked::EventAnswer { content_type, bytes, is_head })
        }
        (Expected::Value | Expected::EventAnswer { .. }, Some(_)) => {
            Err(GuestError::Violation("an HTTP response that no request asked for".to_owned()))
        }
        (Expected::Response { .. }, None) => {
            Err(GuestError::Violation("a result without the HTTP response to its request".to_owned()))
        }
    }
}

/// Returns what an answer to an event means.
fn answered(content_type: String, bytes: Bytes, is_head: bool) -> Finished {
    match response_of(content_type.clone(), bytes, is_head) {
        Ok((response, bytes)) => passed_on(response, content_type, bytes, is_head),
        Err(error) => Finished::Error(error),
    }
}

/// Returns a response that can be passed on, or the error of one that cannot.
fn passed_on(mut response: HttpResponse, guests: String, mut bytes: Bytes, is_head: bool) -> Finished {
    if is_head {
        bytes = without_body(&mut response, &bytes);
    }
    if let Err(error) = check(&response, is_head) {
        return Finished::Error(error);
    }
    let content_type = media_type(&response, guests);
    Finished::Response(response, Body { content_type, bytes })
}

/// Takes the body from an answer to HEAD, whose length the caller is told.
fn without_body(response: &mut HttpResponse, bytes: &Bytes) -> Bytes {
    let says_length = response.headers.iter().any(|(name, _)| name == "content-length");
    if !bytes.is_empty() && !says_length {
        response.headers.push(("content-length".to_owned(), bytes.len().to_string()));
    }
    Bytes::new()
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
fn check(response: &HttpResponse, is_head: bool) -> Result<(), FunctionError> {
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
    let mut has_length = false;
    for (name, value) in &response.headers {
        let is_length = is_head && name == "content-length";
        if is_length && (has_length || !is_number(value)) {
            let message = "the response to HEAD has a 'content-length' that is there twice, or is no number of bytes";
            return error("http", message.to_owned());
        }
        has_length |= is_length;
        if !is_length && OF_A_CONNECTION.contains(&name.as_str()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse { status, headers: headers.iter().map(owned).collect() }
    }

    fn finished(
        expected: Expected,
        content_type: String,
        http: Option<HttpResponse>,
        bytes: Bytes,
    ) -> Result<Finished, GuestError> {
        Ok(match checked(expected, content_type, http, bytes)? {
            Checked::Finished(finished) => finished,
            Checked::EventAnswer { content_type, bytes, is_head } => {
                answered(content_type, bytes, is_head)
            }
        })
    }

    const GET: Expected = Expected::Response { is_head: false };
    const HEAD: Expected = Expected::Response { is_head: true };

    fn seen(response: HttpResponse) -> Result<Finished, GuestError> {
        finished(GET, "text/plain".to_owned(), Some(response), Bytes::from_static(b"x"))
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
        let plain = |expected, http| {
            finished(expected, "text/plain".to_owned(), http, Bytes::new())
                .map_err(|error| error.to_string())
        };
        assert!(matches!(plain(Expected::Value, None), Ok(Finished::Result(_))));
        let violation = |reason: &str| Err(format!("the guest broke the runtime protocol: {reason}"));
        for expected in [Expected::Value, Expected::EventAnswer { is_head: false }] {
            assert_eq!(
                plain(expected, Some(response(200, &[]))),
                violation("an HTTP response that no request asked for")
            );
        }
        assert_eq!(plain(GET, None), violation("a result without the HTTP response to its request"));
    }

    #[test]
    fn an_answer_to_head_says_the_length_and_has_no_body() {
        let answered = |headers: &[(&str, &str)], body: &'static [u8]| {
            let response = Some(response(200, headers));
            let finished =
                finished(HEAD, "text/plain".to_owned(), response, Bytes::from_static(body)).unwrap();
            match finished {
                Finished::Response(response, body) => Ok((response.headers, body.bytes.len())),
                Finished::Error(error) => Err(error.message),
                Finished::Result(body) => panic!("{body:?}"),
            }
        };
        let length = |text: &str| vec![("content-length".to_owned(), text.to_owned())];
        assert_eq!(answered(&[("content-length", "70000")], b""), Ok((length("70000"), 0)));
        assert_eq!(answered(&[("content-length", "7")], b"abc"), Ok((length("7"), 0)));
        assert_eq!(answered(&[], b"abc"), Ok((length("3"), 0)));
        assert_eq!(answered(&[], b""), Ok((Vec::new(), 0)));
        let largest = "18446744073709551615";
        assert_eq!(answered(&[("content-length", largest)], b""), Ok((length(largest), 0)));
        let expected =
            "the response to HEAD has a 'content-length' that is there twice, or is no number of bytes";
        let long = "0".repeat(40_000);
        for wrong in ["many", "", "-1", "+1", "18446744073709551616", long.as_str()] {
            assert_eq!(answered(&[("content-length", wrong)], b""), Err(expected.to_owned()));
        }
        let twice = [("content-length", "1"), ("content-length", "1")];
        assert_eq!(answered(&twice, b""), Err(expected.to_owned()));
    }

    #[test]
    fn an_answer_to_an_event_is_a_response_and_a_wrong_one_ends_its_invocation_only() {
        let expected = Expected::EventAnswer { is_head: false };
        let answered = |text: &'static str| {
            let json = "application/json".to_owned();
            finished(expected, json, None, Bytes::from_static(text.as_bytes())).unwrap()
        };
        let given =
            answered("{\"statusCode\":404,\"headers\":{\"Content-Type\":\"text/x\"},\"body\":\"no\"}");
        let Finished::Response(given, body) = given else { panic!("{given:?}") };
        assert_eq!(given, response(404, &[("content-type", "text/x")]));
        assert_eq!((body.content_type.as_str(), &body.bytes[..]), ("text/x", &b"no"[..]));
        let Finished::Error(error) = answered("{\"statusCode\":true}") else { panic!() };
        assert_eq!(error.kind, "ResponseInvalid");
        let wrong = "a\nb".to_owned();
        assert!(finished(expected, wrong, None, Bytes::new()).is_err(), "of the protocol itself");
    }
}

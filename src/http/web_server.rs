//! Calls of functions that are web servers: the request that a caller names in headers of the call, and the response on
//! its way out. Between processes both are written as they are for callers.

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use bytes::Bytes;

use super::{Answer, Failure};
use crate::model::{HttpRequest, HttpResponse, Problem, api::header as ours, code};

const METHOD: HeaderName = HeaderName::from_static(ours::HTTP_METHOD);
const PATH: HeaderName = HeaderName::from_static(ours::HTTP_PATH);
const OUTCOME: HeaderName = HeaderName::from_static(ours::OUTCOME);

/// The names as the documents have them.
const METHOD_SHOWN: &str = "Cloudfunc-Http-Method";
const PATH_SHOWN: &str = "Cloudfunc-Http-Path";

/// The sentence that says how a call names its request, as its own method and address belong to the platform.
pub(super) const HOW_TO_NAME: &str = "a web server's method, path and query are named by the headers Cloudfunc-Http-Method and Cloudfunc-Http-Path";

/// Says how a request to a web server is named: what was refused may have been meant for one.
pub fn with_how_to_name(refused: Failure) -> Failure {
    refused.0.hint(HOW_TO_NAME).into()
}

/// Returns the request that a call's headers name; none where they name neither method nor path.
pub fn named_request(headers: &HeaderMap) -> Answer<Option<HttpRequest>> {
    let (method, path) = (one(headers, &METHOD, METHOD_SHOWN)?, one(headers, &PATH, PATH_SHOWN)?);
    if method.is_none() && path.is_none() {
        return Ok(None);
    }
    let named = HttpRequest::named(method, path).map_err(|unfit| {
        let name = if unfit.is_of_method() { METHOD_SHOWN } else { PATH_SHOWN };
        bad_request(format!("the header {name} cannot be used: {unfit}"))
    });
    named.map(Some)
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName, shown: &str) -> Answer<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let several =
            Problem::new(code::BAD_REQUEST, format!("the request has several {shown} headers"));
        return Err(several.hint("send one").into());
    }
    // A value that is not ASCII is refused for its characters.
    Ok(Some(value.to_str().unwrap_or("\u{fffd}")))
}

fn bad_request(detail: String) -> Failure {
    Problem::new(code::BAD_REQUEST, detail).into()
}

/// Writes what [`named_request`] reads.
pub(super) fn name_request(request: &HttpRequest, headers: &mut HeaderMap) {
    for (name, text) in [(METHOD, request.method.clone()), (PATH, request.target())] {
        // It was read from a header, or checked as if it had been.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
}

/// Writes a response: status, end-to-end headers and body as the server sent them, and whether it is a failure.
pub(super) fn respond(response: &HttpResponse, body: Bytes) -> Response {
    let status = StatusCode::from_u16(response.status).ok().filter(|status| !status.is_informational());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let has_body =
        !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut answer = Response::new(HttpBody::from(if has_body { body } else { Bytes::new() }));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in &response.headers {
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name.as_str()), bytes_of(value))
            && ours::is_of_server(name.as_str())
        {
            headers.append(name, value);
        }
    }
    let outcome = if response.is_failure() { "failed" } else { "succeeded" };
    headers.insert(OUTCOME, HeaderValue::from_static(outcome));
    answer
}

/// Reads what [`respond`] wrote; none for an answer of the platform itself.
pub(super) fn responded(status: StatusCode, headers: &HeaderMap) -> Option<HttpResponse> {
    headers.get(OUTCOME)?;
    let of_server = headers.iter().filter(|(name, _)| ours::is_of_server(name.as_str()));
    let headers = of_server.map(|(name, value)| (name.as_str().to_owned(), text_of(value))).collect();
    Some(HttpResponse { status: status.as_u16(), headers })
}

/// Returns the bytes of Latin-1 text; of text with other characters, its UTF-8.
fn bytes_of(text: &str) -> Option<HeaderValue> {
    let latin: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    HeaderValue::from_bytes(latin.as_deref().unwrap_or(text.as_bytes())).ok()
}

/// Returns a value as Latin-1 text, in which every byte is a character.
fn text_of(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// Returns whether an answer is a server's response, which says itself how it is encoded and what it varies with.
pub fn is_of_web_server(answer: &Response) -> bool {
    answer.headers().contains_key(OUTCOME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name.parse::<HeaderName>().unwrap(), bytes_of(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_request_is_named_by_two_headers_of_which_either_is_enough() {
        assert_eq!(named_request(&headers(&[("accept", "*/*")])).unwrap(), None);
        for (list, expected) in [
            (&[(ours::HTTP_METHOD, "GET")][..], "GET /"),
            (&[(ours::HTTP_PATH, "/a?b=1")], "POST /a?b=1"),
            (&[(ours::HTTP_PATH, "//a"), (ours::HTTP_METHOD, "PATCH")], "PATCH //a"),
        ] {
            let request = named_request(&headers(list)).unwrap().unwrap();
            assert_eq!(format!("{} {}", request.method, request.target()), expected);
            let mut written = HeaderMap::new();
            name_request(&request, &mut written);
            assert_eq!(named_request(&written).unwrap(), Some(request), "between processes");
        }
    }

    #[test]
    fn what_cannot_be_a_request_is_refused_by_its_header() {
        for (list, detail) in [
            (
                &[(ours::HTTP_METHOD, "TRACE")][..],
                "the header Cloudfunc-Http-Method cannot be used: CONNECT and TRACE are for what is between a client and a \
                 server, and do not reach a function",
            ),
            (
                &[(ours::HTTP_PATH, "items")],
                "the header Cloudfunc-Http-Path cannot be used: a path begins with `/`",
            ),
            (
                &[(ours::HTTP_PATH, "/caf\u{e9}")],
                "the header Cloudfunc-Http-Path cannot be used: a path has only visible ASCII characters, and no \
                 `\"`, `#`, `<`, `>` and `` ` ``; percent-encode all others",
            ),
            (
                &[(ours::HTTP_PATH, "/a"), (ours::HTTP_PATH, "/b")],
                "the request has several Cloudfunc-Http-Path headers",
            ),
        ] {
            let Failure(problem) = named_request(&headers(list)).unwrap_err();
            assert_eq!((problem.status, problem.detail.as_str()), (400, detail));
        }
    }

    #[test]
    fn every_path_that_is_taken_can_be_written_into_a_request() {
        use axum::http::uri::PathAndQuery;
        let signs: Vec<char> = (0..=u8::MAX).map(char::from).collect();
        let mut taken = 0;
        for text in signs.iter().flat_map(|sign| [format!("/a{sign}b"), format!("/a?b={sign}")]) {
            if HttpRequest::named(None, Some(&text)).is_ok() {
                let written = PathAndQuery::try_from(text.as_str()).unwrap();
                assert_eq!(written.as_str(), text);
                taken += 1;
            }
        }
        assert_eq!(taken, 2 * (94 - 5), "all that is visible but for five signs");
    }

    fn response(status: u16, list: &[(&str, &str)]) -> HttpResponse {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse { status, headers: list.iter().map(pair).collect() }
    }

    #[test]
    fn a_response_keeps_its_headers_but_for_those_of_a_connection_and_the_platforms() {
        let sent = response(
            404,
            &[
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("x-latin", "caf\u{e9}"),
                ("connection", "close"),
                ("transfer-encoding", "chunked"),
                ("content-length", "99"),
                ("cloudfunc-instance", "forged"),
                ("server-timing", "forged"),
                ("not a name", "x"),
            ],
        );
        let answer = respond(&sent, Bytes::from_static(b"none"));
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["cloudfunc-outcome"], "succeeded");
        assert_eq!(answer.headers()["x-latin"].as_bytes(), b"caf\xe9");
        let kept = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-latin", "caf\u{e9}")];
        assert_eq!(responded(answer.status(), answer.headers()), Some(response(404, &kept)));
        assert_eq!(responded(StatusCode::OK, &headers(&kept)), None, "without the word for its outcome");
    }

    #[tokio::test]
    async fn a_response_that_has_no_body_is_sent_none_and_a_status_of_a_connection_is_none() {
        let length = async |status| {
            let answer = respond(&response(status, &[]), Bytes::from_static(b"body"));
            let status = answer.status().as_u16();
            (status, axum::body::to_bytes(answer.into_body(), 100).await.unwrap().len())
        };
        for status in [204, 205, 304] {
            assert_eq!(length(status).await, (status, 0));
        }
        assert_eq!((length(200).await, length(503).await), ((200, 4), (503, 4)));
        assert_eq!((length(101).await, length(1).await), ((502, 4), (502, 4)));
    }
}

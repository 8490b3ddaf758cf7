//! Calls of functions that are web servers: the request that a caller names in headers of the call, and the response on
//! its way out. Between processes both are written as they are for callers.

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;

use super::{Answer, Failure};
use crate::model::{Arrival, HttpRequest, HttpResponse, Problem, api::header as ours, code};

const METHOD: HeaderName = HeaderName::from_static(ours::HTTP_METHOD);
const PATH: HeaderName = HeaderName::from_static(ours::HTTP_PATH);
const OUTCOME: HeaderName = HeaderName::from_static(ours::OUTCOME);
const ARRIVAL: HeaderName = HeaderName::from_static(ours::HTTP_ARRIVAL);

/// Headers of a function that the answers between processes have themselves, and their names there. `content-length` is that
/// of an answer to HEAD.
const RENAMED: [(&str, &str); 2] = [
    ("content-length", "cloudfunc-function-content-length"),
    ("server-timing", "cloudfunc-function-server-timing"),
];

/// The names as the documents have them.
const METHOD_SHOWN: &str = "Cloudfunc-Http-Method";
const PATH_SHOWN: &str = "Cloudfunc-Http-Path";

/// The sentence that says how a call names its request, as its own method and address belong to the platform.
pub(super) const HOW_TO_NAME: &str = "the method and path of an HTTP request to a function are named by the headers Cloudfunc-Http-Method and Cloudfunc-Http-Path";

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

/// Returns where a request has come from, as the gateway tells it; none from a gateway of an earlier version.
pub(super) fn arrival(headers: &HeaderMap) -> Answer<Option<Box<Arrival>>> {
    let Some(value) = headers.get(ARRIVAL) else { return Ok(None) };
    serde_json::from_slice(value.as_bytes()).map(Some).map_err(|error| {
        tracing::error!(%error, "a request says where it has come from in a way that cannot be read");
        bad_request(format!("the header {ARRIVAL} is not one that a gateway of this version writes"))
    })
}

/// Returns an arrival as [`arrival`] reads it.
fn arrival_header(arrival: &Arrival) -> HeaderValue {
    let text = serde_json::to_string(arrival).expect("an arrival is plain data");
    // The one control character that JSON takes as it is, and a header does not.
    let text = if text.contains('\x7f') { text.replace('\x7f', "\\u007f") } else { text };
    HeaderValue::from_bytes(text.as_bytes()).expect("JSON is a header's value")
}

/// Writes what [`named_request`] and [`arrival`] read.
pub(super) fn name_request(request: &HttpRequest, headers: &mut HeaderMap) {
    if let Some(arrival) = &request.arrival {
        headers.insert(ARRIVAL, arrival_header(arrival));
    }
    for (name, text) in [(METHOD, request.method.clone()), (PATH, request.target())] {
        // It was read from a header, or checked as if it had been.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
}

/// Writes a response: status, end-to-end headers and body as the server sent them, and whether it is a failure.
pub(super) fn respond(response: &HttpResponse, body: Bytes) -> Response {
    let mut answer = with_body(response.status, body);
    let headers = answer.headers_mut();
    for (name, value) in &response.headers {
        let renamed = RENAMED.iter().find(|(of_function, _)| of_function == name);
        let is_of_server = ours::is_of_server(name.as_str());
        if let Some((_, here)) = renamed {
            append(headers, here, value);
        } else if is_of_server {
            append(headers, name, value);
        }
    }
    let outcome = if response.is_failure() { "failed" } else { "succeeded" };
    headers.insert(OUTCOME, HeaderValue::from_static(outcome));
    answer
}

/// Reads what [`respond`] wrote; none for an answer of the platform itself.
pub(super) fn responded(status: StatusCode, headers: &HeaderMap) -> Option<HttpResponse> {
    headers.get(OUTCOME)?;
    let of_server = headers.iter().filter_map(|(name, value)| {
        let renamed = RENAMED.iter().find(|(_, here)| *here == name.as_str());
        let name = match renamed {
            Some((of_function, _)) => *of_function,
            None => Some(name.as_str()).filter(|name| ours::is_of_server(name))?,
        };
        Some((name.to_owned(), text_of(value)))
    });
    Some(HttpResponse { status: status.as_u16(), headers: of_server.collect() })
}

/// Makes the response to a request by HTTP, with nothing in it but what its function has sent. HEAD has the length that the
/// function says, or that of the body that it sends all the same.
pub fn as_sent(response: &HttpResponse, body: Bytes, is_head: bool) -> Response {
    let length = (is_head && !body.is_empty()).then_some(body.len());
    let mut answer = with_body(response.status, if is_head { Bytes::new() } else { body });
    let status = answer.status();
    let headers = answer.headers_mut();
    for (name, value) in &response.headers {
        let is_length_of_head =
            is_head && name == "content-length" && status != StatusCode::NOT_MODIFIED;
        if is_length_of_head || name == "server-timing" || ours::is_of_server(name.as_str()) {
            append(headers, name, value);
        }
    }
    if let Some(length) = length
        && !headers.contains_key(header::CONTENT_LENGTH)
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    answer
}

/// Makes a response without headers; a status that is of a connection becomes 502, and one that has no body gets none.
fn with_body(status: u16, body: Bytes) -> Response {
    let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let has_body =
        !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut answer = Response::new(HttpBody::from(if has_body { body } else { Bytes::new() }));
    *answer.status_mut() = status;
    answer
}

/// Adds a header, unless its name or its value cannot be sent.
fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Some(value)) = (HeaderName::try_from(name), bytes_of(value)) {
        headers.append(name, value);
    }
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
    use crate::model::ArrivedBy;

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
                ("server-timing", "own"),
                ("not a name", "x"),
            ],
        );
        let answer = respond(&sent, Bytes::from_static(b"none"));
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["cloudfunc-outcome"], "succeeded");
        assert_eq!(answer.headers()["x-latin"].as_bytes(), b"caf\xe9");
        assert_eq!(
            (answer.headers().get("content-length"), answer.headers().get("server-timing")),
            (None, None)
        );
        let kept = [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-latin", "caf\u{e9}"),
            ("content-length", "99"),
            ("server-timing", "own"),
        ];
        assert_eq!(responded(answer.status(), answer.headers()), Some(response(404, &kept)));
        assert_eq!(responded(StatusCode::OK, &headers(&kept)), None, "without the word for its outcome");
    }

    #[tokio::test]
    async fn a_response_by_http_has_what_its_function_has_sent_and_head_its_length() {
        let sent = [
            ("server-timing", "own"),
            ("cloudfunc-start", "forged"),
            ("content-length", "99"),
            ("etag", "1"),
        ];
        let as_sent = async |status, list: &[(&str, &str)], body: &'static [u8], is_head| {
            let answer = as_sent(&response(status, list), Bytes::from_static(body), is_head);
            let headers = answer.headers().iter();
            let headers: Vec<_> =
                headers.map(|(name, value)| format!("{name}: {}", text_of(value))).collect();
            (headers.join(", "), axum::body::to_bytes(answer.into_body(), 100).await.unwrap().len())
        };
        let own = |text: &str, length| (text.to_owned(), length);
        assert_eq!(as_sent(200, &sent, b"body", false).await, own("server-timing: own, etag: 1", 4));
        let with_length = "server-timing: own, content-length: 99, etag: 1";
        assert_eq!(as_sent(200, &sent, b"", true).await, own(with_length, 0));
        assert_eq!(as_sent(200, &[], b"body", true).await, own("content-length: 4", 0));
        assert_eq!(as_sent(200, &[], b"", true).await, own("", 0));
        assert_eq!(as_sent(304, &sent, b"", true).await, own("server-timing: own, etag: 1", 0));
    }

    #[test]
    fn an_arrival_passes_between_processes_whatever_a_path_has_in_it() {
        let parameters = [("id".to_owned(), "\u{7f}\0\"é\n".to_owned())].into();
        let arrival = Arrival {
            by: ArrivedBy::Address,
            protocol: "HTTP/2".to_owned(),
            from: "2001:db8::1".parse().unwrap(),
            at_ms: 1,
            route: Some("ANY /users/{id}".to_owned()),
            parameters,
            rules: Some(u64::MAX),
        };
        let request = HttpRequest { arrival: Some(Box::new(arrival)), ..HttpRequest::default() };
        let mut written = HeaderMap::new();
        name_request(&request, &mut written);
        assert_eq!(super::arrival(&written).unwrap(), request.arrival);
        assert_eq!(super::arrival(&HeaderMap::new()).unwrap(), None);
        let Failure(problem) = super::arrival(&headers(&[(ours::HTTP_ARRIVAL, "{}")])).unwrap_err();
        let detail =
            "the header cloudfunc-http-arrival is not one that a gateway of this version writes";
        assert_eq!((problem.status, problem.detail.as_str()), (400, detail));
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

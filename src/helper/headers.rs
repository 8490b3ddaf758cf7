//! Requests and headers, from the form of the runtime protocol to that of HTTP and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
    http::uri::PathAndQuery,
};

use crate::{
    call::{Call, RequestHead},
    limits::OF_A_CONNECTION,
};

/// Makes the request of an invocation; an error is for the caller.
pub fn request(call: &Call, port: u16) -> Result<Request<Full<Bytes>>, String> {
    let other;
    let head = match &call.http {
        Some(head) => head,
        None => {
            let headers = call.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
            let headers = headers.collect();
            other =
                RequestHead { method: "POST".to_owned(), path: "/".to_owned(), query: None, headers };
            &other
        }
    };
    let method = match Method::from_bytes(head.method.as_bytes()) {
        Ok(method) if method != Method::CONNECT => method,
        _ => {
            return Err(format!("a request of the method '{}' cannot be sent to a server", head.method));
        }
    };
    let target = match &head.query {
        Some(query) => format!("{}?{query}", head.path),
        None => head.path.clone(),
    };
    let target = PathAndQuery::try_from(target)
        .map_err(|error| format!("the path '{}' cannot be sent to a server: {error}", head.path))?;
    let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    let headers = request.headers_mut();
    set_headers(headers, &head.headers)?;
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&format!("localhost:{port}")).expect("plain ASCII");
        headers.insert(HOST, host);
    }
    let is_typed = call.content_type.is_empty() || headers.contains_key(CONTENT_TYPE);
    if !call.body.is_empty()
        && !is_typed
        && let Ok(value) = HeaderValue::from_bytes(&bytes_of(&call.content_type))
    {
        headers.insert(CONTENT_TYPE, value);
    }
    if has_body || !call.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(call.body.len()));
    }
    Ok(request)
}

fn set_headers(headers: &mut HeaderMap, list: &[(String, String)]) -> Result<(), String> {
    let own = list.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let named = named(own.map(|(_, value)| value.as_str()));
    for (name, value) in list {
        let refused = |error: &dyn std::fmt::Display| {
            format!("the header '{name}' cannot be sent to a server: {error}")
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused(&error))?;
        if !is_of_a_connection(key.as_str(), &named) {
            let value = HeaderValue::from_bytes(&bytes_of(value)).map_err(|error| refused(&error))?;
            headers.append(key, value);
        }
    }
    Ok(())
}

/// Returns the headers of a response that are not about the connection; of an answer to HEAD also its length, which is that
/// of the answer to GET.
pub fn of_response(headers: &HeaderMap, is_head: bool) -> Vec<(String, String)> {
    let mut kept = end_to_end(headers);
    if is_head
        && let Some(length) = headers.get(CONTENT_LENGTH).map(|value| text_of(value.as_bytes()))
        && !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
    {
        kept.push((CONTENT_LENGTH.as_str().to_owned(), length));
    }
    kept
}

/// Returns the headers of a request as those of any call: by name, as text, with the values of a repeated one joined, and the
/// length of the body always among them.
pub fn joined(list: &[(String, String)], length: usize) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in list {
        let value = String::from_utf8(bytes_of(value)).unwrap_or_else(|_| value.clone());
        match joined.get_mut(name) {
            Some(all) => {
                all.push_str(if name == "cookie" { "; " } else { ", " });
                all.push_str(&value);
            }
            None => {
                joined.insert(name.clone(), value);
            }
        }
    }
    joined.insert(CONTENT_LENGTH.as_str().to_owned(), length.to_string());
    joined
}

/// Returns the headers that are not about the connection.
fn end_to_end(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = headers.get_all(CONNECTION).iter().map(|value| text_of(value.as_bytes()));
    let own: Vec<String> = own.collect();
    let named = named(own.iter().map(String::as_str));
    let kept = headers.iter().filter(|(name, _)| !is_of_a_connection(name.as_str(), &named));
    kept.map(|(name, value)| (name.as_str().to_owned(), text_of(value.as_bytes()))).collect()
}

/// Returns the names in values of `connection`.
fn named<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn is_of_a_connection(name: &str, named: &[String]) -> bool {
    OF_A_CONNECTION.contains(&name) || named.iter().any(|other| other == name)
}

/// Returns bytes as a text of as many characters.
pub fn text_of(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Returns the bytes of such a text; of another one those of UTF-8.
fn bytes_of(text: &str) -> Vec<u8> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.unwrap_or_else(|_| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_joined_and_its_bytes_are_text_again() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let list = [
            pair("x-a", "1"),
            pair("cookie", "a=1"),
            pair("x-a", "2"),
            pair("cookie", "b=2"),
            pair("x-utf8", "Zo\u{c3}\u{ab}"),
            pair("x-latin", "Zo\u{eb}"),
        ];
        let expected = [
            pair("content-length", "0"),
            pair("cookie", "a=1; b=2"),
            pair("x-a", "1, 2"),
            pair("x-latin", "Zo\u{eb}"),
            pair("x-utf8", "Zo\u{eb}"),
        ];
        assert_eq!(joined(&list, 0).into_iter().collect::<Vec<_>>(), expected);
        let sent = [pair("content-length", "7")];
        assert_eq!(joined(&sent, 7).into_iter().collect::<Vec<_>>(), sent, "once");
    }
}

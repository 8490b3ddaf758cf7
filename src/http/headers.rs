//! Request headers on their way to a handler: all but those of one connection, credentials for the
//! platform, and the platform's own.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Answer;
use crate::{
    model::{CallHeaders, Problem, api::header::CALLER, code},
    units::show_bytes,
};

/// Names and values of a call, in bytes. With every character escaped they still fit the header of a
/// frame to the guest (64 KiB) beside its other fields.
const MAX_BYTES: usize = 24 * 1024;
/// Values of a call. A server here reads 100 headers, of which the roles need some among themselves.
const MAX_COUNT: usize = 90;

/// The `Host` that the caller named, between gateway and scheduler.
const HOST_OF_CALLER: HeaderName = HeaderName::from_static("cloudfunc-host");
/// The `Authorization` of a caller that is the function's to read, between gateway and scheduler.
const AUTHORIZATION_OF_CALLER: HeaderName = HeaderName::from_static("cloudfunc-authorization");
/// The prefix of headers that are the platform's own, and no handler sees it.
const OWN: &str = "cloudfunc-";
/// The headers that the gateway adds to a request by HTTP: `X-Forwarded-For`, `-Host`, `-Port`, `-Prefix` and `-Proto`.
const ADDED: usize = 5;

/// What the roles read, whatever a connection says of it: it describes the payload or the call.
const KEPT: [&str; 4] = ["content-encoding", "content-type", "host", "prefer"];

/// Whether a header is of one connection, or meant for the gateway.
fn stays_here(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "authorization"
            | "connection"
            | "expect"
            | "http2-settings"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.as_str().starts_with("proxy-")
}

fn is_own(name: &str) -> bool {
    begins_with(name, OWN)
}

/// Compares the beginning of a header's name with one in lower case. `_` counts as `-`: programs behind WSGI and CGI cannot tell
/// the two apart.
pub(super) fn begins_with(name: &str, beginning: &str) -> bool {
    let is_same = |(byte, expected): (u8, u8)| byte == expected || (byte == b'_' && expected == b'-');
    name.len() >= beginning.len() && name.bytes().zip(beginning.bytes()).all(is_same)
}

/// Takes out of a request to the gateway what another role does not get of it: what is of one connection or meant for the gateway,
/// and headers of the platform that a client has made up. The caller, which the gateway itself writes, stays in any case.
pub fn take_out_of_connection(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let goes = |name: &&HeaderName| {
        let is_out = stays_here(name) || is_own(name.as_str()) || named.contains(name);
        is_out && name.as_str() != CALLER
    };
    let gone: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// The headers of a call that the gateway passes on; in its order, where a name has several values.
pub fn end_to_end(mut headers: HeaderMap) -> Answer<HeaderMap> {
    check_count(headers.len(), MAX_COUNT)?;
    let named = named_by_connection(&headers);
    let goes = |name: &HeaderName| stays_here(name) || is_own(name.as_str()) || named.contains(name);
    // To take some out is cheaper, but changes the order, which counts where a name has several values.
    if headers.keys_len() == headers.len() {
        let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
        for name in gone {
            headers.remove(name);
        }
        if let Some(host) = headers.remove(header::HOST) {
            headers.insert(HOST_OF_CALLER, host);
        }
        return Ok(headers);
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut name = None;
    for (next, value) in headers {
        // None: another value of the same name.
        name = next.or(name);
        let Some(name) = &name else { continue };
        if *name == header::HOST {
            kept.insert(HOST_OF_CALLER, value);
        } else if !goes(name) {
            kept.append(name, value);
        }
    }
    Ok(kept)
}

/// Returns the same, with the `Authorization` of a request whose token is not the platform's business.
pub fn end_to_end_with_authorization(headers: HeaderMap) -> Answer<HeaderMap> {
    let sent: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    let mut kept = end_to_end(headers)?;
    for value in sent {
        kept.append(AUTHORIZATION_OF_CALLER, value);
    }
    Ok(kept)
}

/// Refuses several types of one body.
pub fn one_type(headers: &HeaderMap) -> Answer<()> {
    if headers.get_all(header::CONTENT_TYPE).iter().nth(1).is_some() {
        let several = Problem::new(code::BAD_REQUEST, "the request has several Content-Type headers");
        return Err(several.hint("send one").into());
    }
    Ok(())
}

/// Refuses a request by HTTP that has more headers than another role reads beside those that the gateway adds.
pub fn check_count_by_http(headers: &HeaderMap) -> Answer<()> {
    check_count(headers.len(), MAX_COUNT - ADDED)
}

fn check_count(count: usize, limit: usize) -> Answer<()> {
    match count > limit {
        true => Err(too_large(format!("the request has {count} headers, over the limit of {limit}"))),
        false => Ok(()),
    }
}

/// Returns the bytes of the names and values that a handler sees of a call's headers.
pub(super) fn seen_bytes(headers: &HeaderMap) -> usize {
    shown(headers).map(|(name, value)| name.len() + value.len()).sum()
}

/// Headers that the caller's connection wants removed, and may.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let others = names
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"));
    let named = others.filter_map(|name| name.parse().ok());
    named.filter(|name: &HeaderName| !KEPT.contains(&name.as_str())).collect()
}

/// The headers that a handler sees of a call whose payload has `length` bytes; `beside` bytes of the same frame's header
/// are taken by what else the call's headers say.
pub fn handler_headers(headers: &HeaderMap, length: usize, beside: usize) -> Answer<CallHeaders> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    let (mut bytes, mut repeated, mut last) = (beside, false, None);
    for (name, value) in shown(headers) {
        bytes += name.len() + value.len();
        if last == Some(name) {
            repeated = true;
            let all = joined.entry(name.to_owned()).or_default();
            all.push_str(if name == "cookie" { "; " } else { ", " });
            all.push_str(&text(value));
        } else {
            joined.insert(name.to_owned(), text(value));
        }
        last = Some(name);
    }
    check_room(bytes)?;
    let list =
        repeated.then(|| shown(headers).map(|(name, value)| (name.to_owned(), text(value))).collect());
    joined.insert("content-length".to_owned(), length.to_string());
    Ok(CallHeaders { joined, list })
}

/// Refuses names and values of a call, and what is beside them, that a frame to the guest has no room for.
pub fn check_room(bytes: usize) -> Answer<()> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let limit = show_bytes(MAX_BYTES as u64);
    Err(too_large(format!("the request's headers have {bytes} bytes, over the limit of {limit}")))
}

/// By their names in lower case; values of one name are next to each other.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = (&str, &HeaderValue)> {
    headers.iter().filter_map(|(name, value)| match name.as_str() {
        // Written anew: what was sent may have been decoded.
        "content-length" => None,
        _ if *name == HOST_OF_CALLER => Some(("host", value)),
        _ if *name == AUTHORIZATION_OF_CALLER => Some(("authorization", value)),
        "host" => None,
        text if stays_here(name) || is_own(text) => None,
        text => Some((text, value)),
    })
}

/// UTF-8 where it is valid, else Latin-1, in which every byte is a character.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn too_large(detail: String) -> super::Failure {
    Problem::new(code::HEADERS_TOO_LARGE, detail).hint("send what is large as the payload").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::OF_A_CONNECTION;

    fn headers(list: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn seen(list: &[(&str, &[u8])]) -> CallHeaders {
        handler_headers(&end_to_end(headers(list)).unwrap(), 7, 0).unwrap()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_end_to_end_headers_reach_the_handler() {
        let seen = seen(&[
            ("host", b"faas.example:8000"),
            ("authorization", b"Bearer secret"),
            ("proxy-authorization", b"Basic secret"),
            ("connection", b"keep-alive, X-Hop"),
            ("x-hop", b"1"),
            ("keep-alive", b"timeout=5"),
            ("te", b"trailers"),
            ("cloudfunc-host", b"forged"),
            ("cloudfunc-invocation-id", b"forged"),
            ("cloudfunc_invocation_id", b"forged"),
            ("content-length", b"9999"),
            ("accept", b"text/html"),
            ("x-name", "Renée".as_bytes()),
            ("x-latin", b"Ren\xe9e"),
        ]);
        let expected = [
            ("accept", "text/html"),
            ("content-length", "7"),
            ("host", "faas.example:8000"),
            ("x-latin", "Renée"),
            ("x-name", "Renée"),
        ];
        assert_eq!(seen.joined.into_iter().collect::<Vec<_>>(), pairs(&expected));
        assert_eq!(seen.list, None, "nothing is lost in the map");
    }

    #[test]
    fn authorization_reaches_a_handler_only_where_it_is_its_own_to_read() {
        let sent = [
            ("authorization", &b"Basic YTpi"[..]),
            ("cloudfunc-authorization", b"forged"),
            ("connection", b"authorization"),
        ];
        assert_eq!(seen(&sent).joined.get("authorization"), None);
        let kept = end_to_end_with_authorization(headers(&sent)).unwrap();
        let seen = handler_headers(&kept, 0, 0).unwrap();
        assert_eq!(seen.joined.get("authorization").map(String::as_str), Some("Basic YTpi"));
    }

    #[test]
    fn another_role_gets_nothing_of_a_connection_and_no_header_that_a_client_has_made_up() {
        let mut headers = headers(&[
            ("authorization", b"Bearer secret"),
            ("proxy-authorization", b"Basic secret"),
            ("connection", b"X-Hop, content-type, cloudfunc-caller"),
            ("x-hop", b"1"),
            ("keep-alive", b"timeout=5"),
            ("trailer", b"x-checksum"),
            ("cloudfunc-caller", b"{}"),
            ("cloudfunc-host", b"forged"),
            ("cloudfunc_caller", b"forged"),
            ("content-type", b"text/plain"),
        ]);
        take_out_of_connection(&mut headers);
        let mut kept: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["cloudfunc-caller", "content-type"]);
    }

    #[test]
    fn a_request_by_http_leaves_room_for_the_headers_that_the_gateway_adds() {
        let many = |count| check_count_by_http(&headers(&vec![("x-many", &b"1"[..]); count]));
        assert!(many(85).is_ok());
        let refused = many(86).unwrap_err().0;
        assert_eq!(refused.detail, "the request has 86 headers, over the limit of 85");
        assert_eq!(
            (refused.status, refused.hint.as_deref()),
            (431, Some("send what is large as the payload"))
        );
    }

    #[test]
    fn what_the_helper_takes_for_a_connections_own_stays_here() {
        for name in OF_A_CONNECTION {
            let name = HeaderName::from_static(name);
            // The length is written anew for the handler.
            assert!(stays_here(&name) || name == header::CONTENT_LENGTH, "{name}");
        }
    }

    #[test]
    fn a_connection_does_not_take_away_what_describes_the_call() {
        let kept = end_to_end(headers(&[
            ("connection", b"Content-Type, prefer, Host, x-hop"),
            ("host", b"localhost"),
            ("content-type", b"text/plain"),
            ("prefer", b"respond-async"),
            ("x-hop", b"1"),
        ]));
        let kept = kept.unwrap();
        assert_eq!((kept["content-type"].as_bytes(), kept.len()), (&b"text/plain"[..], 3), "{kept:?}");
    }

    #[test]
    fn repeated_headers_are_joined_and_kept_apart_in_the_list() {
        let seen =
            seen(&[("x-tag", b"a"), ("cookie", b"one=1"), ("x-tag", b"b, c"), ("cookie", b"two=2")]);
        let expected = [("content-length", "7"), ("cookie", "one=1; two=2"), ("x-tag", "a, b, c")];
        assert_eq!(seen.joined.into_iter().collect::<Vec<_>>(), pairs(&expected));
        let list = [("x-tag", "a"), ("x-tag", "b, c"), ("cookie", "one=1"), ("cookie", "two=2")];
        assert_eq!(seen.list, Some(pairs(&list)));
    }

    #[test]
    fn headers_that_a_frame_has_no_room_for_are_refused() {
        let value = "\"".repeat(MAX_BYTES - "x-large".len());
        assert!(handler_headers(&headers(&[("x-large", value.as_bytes())]), 0, 0).is_ok());
        assert!(handler_headers(&headers(&[("x-large", value.as_bytes())]), 0, 1).is_err());
        let more = format!("{value}\"");
        let refused = handler_headers(&headers(&[("x-large", more.as_bytes())]), 0, 0).unwrap_err().0;
        assert_eq!(refused.detail, "the request's headers have 24577 bytes, over the limit of 24 KiB");
        assert_eq!((refused.status, refused.retry_safe), (431, false));
        let many: Vec<(&str, &[u8])> = vec![("x-many", b"1"); 91];
        let refused = end_to_end(headers(&many)).unwrap_err().0;
        assert_eq!(refused.detail, "the request has 91 headers, over the limit of 90");
    }
}

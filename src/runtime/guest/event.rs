//! An HTTP request as the JSON event of AWS's payload format 2.0, for guests that do not take requests themselves: pure.
//! The shims make the same event of the same request. `tests/payload_2_0.json` has examples for all of them, and says where
//! and why the event differs from AWS's.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Serialize;
use url::form_urlencoded;

use super::protocol::RequestHead;
use crate::model::{InvocationId, message::MAX_BODY};

/// The account of every request: there are none.
const ANONYMOUS: &str = "anonymous";

/// The name of a route that is no pattern, and of the only stage.
const DEFAULT: &str = "$default";

/// The protocol of a request that does not say its own.
const HTTP_1: &str = "HTTP/1.1";

/// The media types of text beside `text/…`, `…+json` and `…+xml`.
const TEXTS: [&str; 4] = [
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<&'a BTreeMap<String, String>>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'a str,
    /// Always null: it is about certificates of clients.
    authentication: Option<()>,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: InvocationId,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: IpAddr,
    user_agent: &'a str,
}

/// JSON of at most [`MAX_BODY`] bytes.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BODY {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the event of a request as JSON: of the invocation with this id, of the function with this name. None of one that
/// has more than [`MAX_BODY`] bytes.
pub(super) fn event(
    id: InvocationId,
    function: &str,
    head: &RequestHead,
    body: &[u8],
) -> Option<Vec<u8>> {
    let request = &head.request;
    let arrival = request.arrival.as_deref();
    let route = arrival.and_then(|arrival| arrival.route.as_deref()).unwrap_or(DEFAULT);
    let query = request.query.as_deref().unwrap_or_default();
    let headers = joined(&head.headers);
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let (body, is_base64_encoded) = text_or_base64(first(&head.headers, "content-type"), body);
    let domain_name = without_port(header("host"));
    let at_ms = arrival.map_or_else(|| made_at_ms(id), |arrival| arrival.at_ms);
    let event = Event {
        version: "2.0",
        route_key: route,
        raw_path: &request.path,
        raw_query_string: query,
        cookies: cookies(&head.headers),
        query_string_parameters: parameters(query),
        path_parameters: arrival
            .map(|arrival| &arrival.parameters)
            .filter(|parameters| !parameters.is_empty()),
        request_context: Context {
            account_id: ANONYMOUS,
            api_id: function,
            authentication: None,
            domain_name,
            domain_prefix: domain_name.split('.').next().unwrap_or_default(),
            http: Http {
                method: &request.method,
                path: &request.path,
                protocol: arrival.map_or(HTTP_1, |arrival| arrival.protocol.as_str()),
                source_ip: arrival.map_or(Ipv4Addr::UNSPECIFIED.into(), |arrival| arrival.from),
                user_agent: header("user-agent"),
            },
            request_id: id,
            route_key: route,
            stage: DEFAULT,
            time: shown(at_ms),
            time_epoch: at_ms,
        },
        headers: headers.clone(),
        body,
        is_base64_encoded,
    };
    let mut json = Bounded(Vec::with_capacity(1024 + event.body.as_ref().map_or(0, |body| body.len())));
    // Texts and numbers are JSON: only the room can be too small.
    serde_json::to_writer(&mut json, &event).ok()?;
    Some(json.0)
}

/// Returns the headers but for cookies, by their names in lower case; the values of one name are joined by a comma.
fn joined(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("cookie")) {
        add(&mut joined, name.to_ascii_lowercase(), &text_of(value));
    }
    joined
}

/// Returns the headers as the handler's context has them, of a request with a body of this length: a repeated one is joined by
/// ", ", and cookies by "; ". The length is always among them, as in other calls.
pub(super) fn for_context(headers: &[(String, String)], length: usize) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let (name, value) = (name.to_ascii_lowercase(), text_of(value));
        let separator = if name == "cookie" { "; " } else { ", " };
        match joined.get_mut(&name) {
            Some(all) => {
                all.push_str(separator);
                all.push_str(&value);
            }
            None => {
                joined.insert(name, value.into_owned());
            }
        }
    }
    joined.insert("content-length".to_owned(), length.to_string());
    joined
}

/// Returns the cookies of all headers, each as `name=value`.
fn cookies(headers: &[(String, String)]) -> Vec<String> {
    let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut cookies = Vec::new();
    for (_, value) in values {
        let text = text_of(value);
        let each = text
            .split(';')
            .map(|cookie| cookie.trim_matches([' ', '\t']))
            .filter(|cookie| !cookie.is_empty());
        cookies.extend(each.map(str::to_owned));
    }
    cookies
}

/// Returns the pairs of a query, decoded; the values of one name are joined by a comma.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        add(&mut parameters, name.into_owned(), &value);
    }
    parameters
}

/// Adds a value, after a comma where the name has one already.
fn add(values: &mut BTreeMap<String, String>, name: String, value: &str) {
    match values.get_mut(&name) {
        Some(all) => {
            all.push(',');
            all.push_str(value);
        }
        None => {
            values.insert(name, value.to_owned());
        }
    }
}

fn first<'h>(headers: &'h [(String, String)], wanted: &str) -> &'h str {
    let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map_or("", |(_, value)| value)
}

/// Returns a body as text where its type and its bytes allow that, else in base64, and whether it is that; none of an empty
/// one.
fn text_or_base64<'b>(content_type: &str, body: &'b [u8]) -> (Option<Cow<'b, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(content_type) => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let essence = essence(content_type);
    let suffix = essence.ends_with("+json") || essence.ends_with("+xml");
    suffix || essence.starts_with("text/") || TEXTS.contains(&essence.as_str())
}

/// Returns whether a type is JSON's.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || essence.ends_with("+json")
}

/// Returns a media type without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the text of a value whose characters are its bytes: that of UTF-8, or of Latin-1 where it is not UTF-8.
fn text_of(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return Cow::Borrowed(value);
    }
    let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
    match bytes.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(value),
    }
}

/// Returns a host without its port: what is before the first colon, or an address of IPv6 in its brackets.
fn without_port(host: &str) -> &str {
    let end = match host.starts_with('[') {
        true => host.find(']').map(|at| at + 1),
        false => host.find(':'),
    };
    &host[..end.unwrap_or(host.len())]
}

/// Returns the time at which an id was made, in milliseconds since the Unix epoch: its first 48 bits.
fn made_at_ms(id: InvocationId) -> i64 {
    i64::try_from(id.0.as_u128() >> 80).unwrap_or_default()
}

/// Returns a time as the logs of web servers have it: `12/Mar/2020:19:03:58 +0000`.
fn shown(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        function: String,
        requests: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        http: RequestHead,
        id: InvocationId,
        body_base64: String,
        event: Value,
    }

    #[test]
    fn a_request_becomes_the_event_that_its_example_has() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../../tests/payload_2_0.json")).unwrap();
        assert!(vectors.requests.len() > 25);
        for Vector { name, http, id, body_base64, event: expected } in vectors.requests {
            let body = STANDARD.decode(body_base64).unwrap();
            let event = event(id, &vectors.function, &http, &body).unwrap();
            let seen: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn a_context_has_the_headers_as_it_has_those_of_any_call() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            pair("X-A", "1"),
            pair("cookie", "a=1"),
            pair("x-a", "2"),
            pair("cookie", "b=2"),
            pair("x-name", "Zo\u{c3}\u{ab}"),
        ];
        let expected = json!({
            "content-length": "0", "cookie": "a=1; b=2", "x-a": "1, 2", "x-name": "Zo\u{eb}"
        });
        assert_eq!(json!(for_context(&headers, 0)), expected);
        let sent = [pair("content-length", "7")];
        assert_eq!(json!(for_context(&sent, 7)), json!({ "content-length": "7" }), "once");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_panic() {
        assert_eq!(shown(i64::MAX), "01/Jan/1970:00:00:00 +0000");
    }
}

//! The input that a function gets from a call: a payload that its handler can read, or, for a web server and of a call that
//! is an HTTP request, the request and the raw body.

use bytes::Bytes;

use super::cached_function::CachedFunction;
use crate::{
    http::{Failure, check_room},
    model::{
        Body, Call, CallHeaders, FunctionName, HttpRequest, Interface, Problem, code,
        message::MAX_EVENT_BODY,
    },
    payload,
};

/// Payloads up to this size are checked where they are, in a fraction of a millisecond; larger ones on a thread of their
/// own, so that no other call waits for it.
const CHECKED_INLINE: usize = 256 * 1024;

/// A call as its function gets it.
pub struct Input {
    pub payload: Body,
    pub headers: CallHeaders,
    /// The request that the function gets; for a web server also when the caller has named none.
    pub http: Option<HttpRequest>,
}

impl Input {
    /// Checks a call, and fills in what it leaves out.
    pub async fn of(function: &CachedFunction, call: Call) -> Result<Self, Failure> {
        let Call { payload, content_type, headers, http, .. } = call;
        let http = match function.interface {
            Interface::Http { .. } => Some(http.unwrap_or_default()),
            Interface::Protocol | Interface::Command | Interface::Lambda => http,
        };
        match http {
            Some(_) if function.interface == Interface::Lambda && payload.len() > MAX_EVENT_BODY => {
                Err(too_large(&function.name, payload.len()))
            }
            Some(http) => raw(payload, content_type, headers, http),
            None => checked(payload, content_type, headers).await,
        }
    }
}

/// Makes the input of an HTTP request, whatever the type says of its body; no type stays none.
fn raw(
    bytes: Bytes,
    content_type: Option<String>,
    mut headers: CallHeaders,
    http: HttpRequest,
) -> Result<Input, Failure> {
    let content_type = content_type.unwrap_or_default();
    payload::check_length(&content_type).map_err(|refused| refused.problem())?;
    headers.joined.values_mut().for_each(as_bytes);
    headers.list.iter_mut().flatten().for_each(|(_, value)| as_bytes(value));
    check_room(http.size() + size(&headers))?;
    Ok(Input { payload: Body { content_type, bytes }, headers, http: Some(http) })
}

/// Makes a payload that its function can read, without rebuilding it; an empty one of JSON, also without a type, is
/// the empty event.
async fn checked(
    bytes: Bytes,
    content_type: Option<String>,
    mut headers: CallHeaders,
) -> Result<Input, Failure> {
    let content_type = content_type.unwrap_or_else(|| {
        add(&mut headers, "content-type", payload::DEFAULT_TYPE);
        payload::DEFAULT_TYPE.to_owned()
    });
    check(&content_type, &bytes).await?;
    if !bytes.is_empty() || !payload::is_json(&content_type) {
        return Ok(Input { payload: Body { content_type, bytes }, headers, http: None });
    }
    let bytes = Bytes::from_static(b"{}");
    headers.joined.insert("content-length".to_owned(), bytes.len().to_string());
    Ok(Input { payload: Body { content_type, bytes }, headers, http: None })
}

async fn check(content_type: &str, bytes: &Bytes) -> Result<(), Failure> {
    let checked = if bytes.len() <= CHECKED_INLINE {
        payload::check(content_type, bytes)
    } else {
        let (content_type, bytes) = (content_type.to_owned(), bytes.clone());
        let work = tokio::task::spawn_blocking(move || payload::check(&content_type, &bytes));
        work.await.map_err(|_| Problem::new(code::INTERNAL, "checking the payload failed"))?
    };
    checked.map_err(|refused| refused.problem().into())
}

/// Returns the bytes of names and values that a request has, each of which is a character by now.
fn size(headers: &CallHeaders) -> usize {
    let bytes = |(name, value): (&String, &String)| name.len() + value.chars().count();
    match &headers.list {
        Some(list) => list.iter().map(|(name, value)| bytes((name, value))).sum(),
        None => {
            let sent = headers.joined.iter().filter(|(name, _)| *name != "content-length");
            sent.map(bytes).sum()
        }
    }
}

/// Makes text into the form that its bytes have in a request on its way to a guest: each is a character. An event has the text
/// again.
fn as_bytes(text: &mut String) {
    if !text.is_ascii() {
        *text = text.bytes().map(char::from).collect();
    }
}

fn add(headers: &mut CallHeaders, name: &str, value: &str) {
    headers.joined.insert(name.to_owned(), value.to_owned());
    if let Some(list) = &mut headers.list {
        list.push((name.to_owned(), value.to_owned()));
    }
}

/// A program for AWS Lambda gets a request as an event, which has to fit into a payload.
fn too_large(function: &FunctionName, length: usize) -> Failure {
    let detail = format!(
        "the body has {length} bytes, over the limit of 4.5 MiB for function '{function}': a program with `interface = \
         \"lambda\"` gets the request as an event, in which base64 makes a body a third longer"
    );
    let hint = "send a reference to the data instead of the data itself";
    Problem::new(code::PAYLOAD_TOO_LARGE, detail).hint(hint).into()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::{
        http::CallRequest,
        model::{Arrival, ArrivedBy, InvocationId, Mode},
    };

    fn call(content_type: Option<&str>, payload: &'static [u8], http: Option<HttpRequest>) -> Call {
        let mut headers = CallHeaders::default();
        headers.joined.insert("content-length".to_owned(), payload.len().to_string());
        Call {
            id: InvocationId::new(),
            function: "example".parse().unwrap(),
            payload: Bytes::from_static(payload),
            content_type: content_type.map(str::to_owned),
            headers,
            http,
            mode: Mode::Sync,
        }
    }

    async fn given(interface: Interface, call: Call) -> Result<(String, Bytes, Vec<String>), String> {
        let input = Input::of(&CachedFunction::example_of(interface), call).await;
        let input = input.map_err(|Failure(problem)| problem.detail)?;
        let headers = input.headers.joined.iter().map(|(name, value)| format!("{name}: {value}"));
        Ok((input.payload.content_type, input.payload.bytes, headers.collect()))
    }

    #[tokio::test]
    async fn a_handler_gets_json_that_it_can_read_and_the_empty_event_for_nothing() {
        let json = "application/json".to_owned();
        let headers =
            ["content-length: 2", "content-type: application/json"].map(str::to_owned).to_vec();
        let empty = (json.clone(), Bytes::from_static(b"{}"), headers);
        assert_eq!(given(Interface::Protocol, call(None, b"", None)).await, Ok(empty));
        let refused = given(Interface::Protocol, call(None, b"{", None)).await.unwrap_err();
        assert!(refused.starts_with("the payload is not valid JSON"), "{refused}");
        let text = given(Interface::Command, call(Some("text/plain"), b"", None)).await.unwrap();
        assert_eq!((text.0.as_str(), &text.1[..]), ("text/plain", &b""[..]));
    }

    #[tokio::test]
    async fn a_web_server_gets_what_was_sent_and_no_more() {
        let server = Interface::Http { port: 8080 };
        let length = |length: usize| vec![format!("content-length: {length}")];
        let bare = (String::new(), Bytes::new(), length(0));
        assert_eq!(given(server, call(None, b"", None)).await, Ok(bare));
        let broken = ("application/json".to_owned(), Bytes::from_static(b"{"), length(1));
        assert_eq!(given(server, call(Some("application/json"), b"{", None)).await, Ok(broken));
        let long = "a".repeat(1025);
        let refused = given(server, call(Some(&long), b"", None)).await.unwrap_err();
        assert_eq!(refused, "the Content-Type has 1025 bytes, over the limit of 1024");
        let function = CachedFunction::example_of(server);
        let input = Input::of(&function, call(None, b"", None)).await.unwrap();
        assert_eq!(input.http, Some(HttpRequest::default()), "POST / where none is named");
        let mut named = call(None, b"", None);
        let pair = |value: &str| ("x-name".to_owned(), value.to_owned());
        named.headers.joined.extend([pair("Zo\u{eb}")]);
        named.headers.list = Some(vec![pair("Zo\u{eb}")]);
        let headers = Input::of(&function, named).await.unwrap().headers;
        assert_eq!(headers.joined["x-name"], "Zo\u{c3}\u{ab}", "each byte is a character");
        assert_eq!(headers.list, Some(vec![pair("Zo\u{c3}\u{ab}")]));
    }

    #[tokio::test]
    async fn a_request_to_any_function_is_not_looked_into() {
        for interface in [Interface::Protocol, Interface::Command, Interface::Lambda] {
            let named = || Some(HttpRequest { method: "PUT".to_owned(), ..HttpRequest::default() });
            let bare = (String::new(), Bytes::new(), vec!["content-length: 0".to_owned()]);
            assert_eq!(given(interface, call(None, b"", named())).await, Ok(bare));
            let broken = call(Some("application/json"), b"{", named());
            let input = Input::of(&CachedFunction::example_of(interface), broken).await.unwrap();
            assert_eq!((&input.payload.bytes[..], input.http), (&b"{"[..], named()));
        }
    }

    #[tokio::test]
    async fn a_body_that_fits_no_event_is_refused_where_the_function_gets_events() {
        let with = |length: usize| Call {
            payload: vec![b'x'; length].into(),
            ..call(None, b"", Some(HttpRequest::default()))
        };
        let of = async |interface, length| {
            let input = Input::of(&CachedFunction::example_of(interface), with(length)).await;
            input.map(|input| input.payload.bytes.len()).map_err(|Failure(problem)| problem)
        };
        assert_eq!(of(Interface::Lambda, MAX_EVENT_BODY).await, Ok(4_718_592));
        let problem = of(Interface::Lambda, MAX_EVENT_BODY + 1).await.unwrap_err();
        let detail = "the body has 4718593 bytes, over the limit of 4.5 MiB for function 'example': a program with `interface = \
                      \"lambda\"` gets the request as an event, in which base64 makes a body a third longer";
        assert_eq!((problem.status, problem.detail.as_str()), (413, detail));
        assert_eq!(of(Interface::Protocol, MAX_EVENT_BODY + 1).await, Ok(4_718_593));
    }

    #[tokio::test]
    async fn headers_of_which_a_web_server_would_get_more_bytes_than_fit_a_frame_are_refused() {
        let server = Interface::Http { port: 8080 };
        // As a header of Latin-1 is read: each byte is a character, and two bytes of UTF-8.
        let with = |letters: usize, list: bool| {
            let mut call = call(None, b"", None);
            let pair = ("x".to_owned(), "\u{e9}".repeat(letters));
            call.headers.joined.extend([pair.clone()]);
            call.headers.list = list.then(|| vec![pair]);
            call
        };
        for list in [false, true] {
            assert!(given(server, with(12_000, list)).await.is_ok());
            let refused = Input::of(&CachedFunction::example_of(server), with(22_000, list)).await;
            let Err(Failure(problem)) = refused else { panic!("not refused") };
            let detail = "the request's headers have 44006 bytes, over the limit of 24 KiB";
            assert_eq!((problem.status, problem.detail.as_str()), (431, detail));
            assert!(given(Interface::Protocol, with(22_000, list)).await.is_ok(), "as they are");
        }
    }

    /// Returns the length of a request in JSON, with one header of this many bytes among others; none if it is refused.
    async fn in_json(target: &str, byte: u8, bytes: usize) -> Option<usize> {
        let mut headers = HeaderMap::new();
        for number in 0..89 {
            let name = HeaderName::try_from(format!("h{number:02}")).unwrap();
            headers.insert(name, HeaderValue::from_static(""));
        }
        headers.insert("x", HeaderValue::from_bytes(&vec![byte; bytes]).unwrap());
        let arrival = Arrival {
            by: ArrivedBy::Address,
            protocol: "HTTP/1.1".to_owned(),
            from: "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap(),
            at_ms: 1_700_000_000_000,
            route: Some("R".repeat(545)),
            parameters: [("p".to_owned(), "\u{1}".repeat(target.matches("%01").count()))].into(),
            rules: None,
        };
        let named = HttpRequest::named(None, Some(target)).unwrap();
        let call = CallRequest {
            id: InvocationId::new(),
            function: "example".parse().unwrap(),
            headers,
            payload: Bytes::new(),
            http: Some(HttpRequest { arrival: Some(Box::new(arrival)), ..named }),
        };
        let call = call.typed().ok()?;
        let server = CachedFunction::example_of(Interface::Http { port: 8080 });
        let input = Input::of(&server, call).await.ok()?;
        let pairs: Vec<_> = input.headers.joined.into_iter().collect();
        Some(serde_json::to_vec(&(input.http, pairs)).unwrap().len())
    }

    #[tokio::test]
    async fn the_largest_request_fits_a_frame_however_its_json_is_escaped() {
        // The header of a frame, without what else is in it: ids, and the type of the body, each of whose characters is escaped.
        const ROOM: usize = 64 * 1024 - 1024 - 2 * 1024;
        let escaped = format!("/{}", "%01".repeat(2730));
        for target in ["/", &escaped] {
            for byte in [b'"', b'\\', b'a', 0xe9] {
                let (mut fits, mut refused) = (0, 64 * 1024);
                while refused - fits > 1 {
                    let middle = usize::midpoint(fits, refused);
                    match in_json(target, byte, middle).await {
                        Some(length) => {
                            assert!(length <= ROOM, "{length} bytes of JSON for {middle} of {byte}");
                            fits = middle;
                        }
                        None => refused = middle,
                    }
                }
                assert!(fits > 4096, "{fits}");
            }
        }
    }

    #[tokio::test]
    async fn a_large_payload_is_checked_as_a_small_one_is() {
        for length in [CHECKED_INLINE, CHECKED_INLINE + 1, 2 * CHECKED_INLINE] {
            let text = format!("\"{}\"", "a".repeat(length - 2));
            let of = |text: String| Call { payload: text.into(), ..call(None, b"", None) };
            let (_, bytes, _) = given(Interface::Protocol, of(text.clone())).await.unwrap();
            assert_eq!(bytes, text);
            let refused = given(Interface::Protocol, of(text.replace('"', "{"))).await.unwrap_err();
            assert!(refused.starts_with("the payload is not valid JSON"), "{refused}");
        }
    }
}

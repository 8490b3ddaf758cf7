//! HTTP requests to handlers: the events that they become, and the responses that the answers become.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use cloudfunc::{
    model::{Body, HttpRequest, HttpResponse},
    runtime::RequestHead,
};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::*;

/// The examples of `tests/payload_2_0.json`, which says more about them.
#[derive(Deserialize)]
struct Vectors {
    function: String,
    requests: Vec<RequestVector>,
    answers: Vec<AnswerVector>,
}

#[derive(Deserialize)]
struct RequestVector {
    name: String,
    http: RequestHead,
    id: InvocationId,
    body_base64: String,
    event: Value,
}

#[derive(Deserialize)]
struct AnswerVector {
    name: String,
    only: Option<String>,
    method: Option<String>,
    /// As it is written, since the order of an object's fields counts; none for null.
    value: Option<Box<RawValue>>,
    status: Option<u16>,
    headers: Option<Headers>,
    body_base64: Option<String>,
    error: Option<String>,
}

type Headers = Vec<(String, String)>;

fn vectors() -> Vectors {
    let vectors: Vectors = serde_json::from_str(include_str!("../../payload_2_0.json")).unwrap();
    assert!(vectors.requests.len() > 20 && vectors.answers.len() > 40);
    vectors
}

/// Returns their events, except for the paths below `/contract/`.
const HANDLERS: [&str; 2] = [
    r#"
import json
def answer(event, context):
    path = event["rawPath"] if "rawPath" in event else ""
    if path == "/contract/value": return json.loads(event["body"])
    if path == "/contract/text": return "grün"
    if path == "/contract/bytes": return b"\xff\x00"
    if path == "/contract/nothing": return None
    if path == "/contract/raised": raise ValueError("no")
    if path == "/contract/context":
        return [context.headers, context.content_type, list(context.body), context.invocation_id == event["requestContext"]["requestId"]]
    if path == "/contract/bytes-as-body": return {"statusCode": 201, "body": b"\xff\x00"}
    if path == "/contract/not-json": return {"statusCode": 200, "body": {1}}
    if path == "/contract/too-large": return {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 1)}
    if path == "/contract/headers-too-large": return {"statusCode": 200, "headers": {"x-a": "é" * 40000}}
    if path == "/contract/not-a-number": return {"statusCode": 200, "headers": {"x-a": float("nan")}}
    if path == "/contract/infinite": return {"statusCode": 200, "headers": {"x-a": float("-inf")}}
    if path == "/contract/no-status": return {"statusCode": None}
    if path == "/contract/name-of-bytes": return {"statusCode": 200, "headers": {b"x-a": "1"}}
    return event
"#,
    r#"
function answer(event, context) {
  switch (event.rawPath) {
    case '/contract/value': return JSON.parse(event.body);
    case '/contract/text': return 'grün';
    case '/contract/bytes': return Buffer.from([255, 0]);
    case '/contract/nothing': return undefined;
    case '/contract/raised': throw new RangeError('no');
    case '/contract/context':
      return [context.headers, context.contentType, [...context.body], context.invocationId === event.requestContext.requestId];
    case '/contract/bytes-as-body': return { statusCode: 201, body: Buffer.from([255, 0]) };
    case '/contract/not-json': return { statusCode: 200, body: { a: 1n } };
    case '/contract/too-large': return { statusCode: 200, body: 'x'.repeat(6 * 1024 * 1024 + 1) };
    case '/contract/headers-too-large': return { statusCode: 200, headers: { 'x-a': 'é'.repeat(40000) } };
    case '/contract/not-a-number': return { statusCode: 200, headers: { 'x-a': NaN } };
    case '/contract/infinite': return { statusCode: 200, headers: { 'x-a': -Infinity } };
    case '/contract/no-status': return { statusCode: undefined };
  }
  return event;
}
"#,
];

/// An instance of the vectors' function that takes up to this many requests at a time.
async fn shop(fixture: &Fixture, language: Language, concurrency: u32) -> Instance {
    let [python, node] = HANDLERS;
    // With more than one, Python wants an `async def`.
    let kind = if concurrency == 1 { "" } else { "async " };
    let spec = match language {
        Language::Python => {
            let handler = "def handler(event, context):\n    return answer(event, context)\n";
            fixture.spec(&format!("{python}{kind}{handler}"))
        }
        Language::Node => {
            let handler = "function handler(event, context) { return answer(event, context); }\n";
            node_spec(fixture, &[("function.mjs", &format!("{node}export {kind}{handler}"))])
        }
        Language::Native => unreachable!("it has no shim"),
    };
    let mut instance = fixture.start_spec(&spec).await;
    let load = Load {
        revision: RevisionNumber(7),
        function: vectors().function,
        handler: "function.handler".to_owned(),
        packages: None,
        concurrency,
        interface: Interface::Protocol,
        command: Vec::new(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    let loaded = instance.guest.load(&load, LIMIT, &mut |_| {}).await;
    loaded.unwrap_or_else(|failure| panic!("{language}: {failure:?}"));
    instance
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> RequestHead {
    let (method, path) = (method.to_owned(), path.to_owned());
    let request = HttpRequest { method, path, query: None, arrival: None };
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    RequestHead { request, headers }
}

fn invocation(id: InvocationId, http: RequestHead) -> Invoke {
    let named = http.headers.iter().find(|(name, _)| name == "content-type");
    Invoke {
        id,
        attempt: 1,
        remaining_ms: 30_000,
        headers: BTreeMap::new(),
        content_type: named.map_or_else(String::new, |(_, value)| value.clone()),
        http: Some(http),
    }
}

impl Instance {
    async fn ask(&mut self, id: InvocationId, http: RequestHead, body: Vec<u8>) -> Finished {
        let invoke = invocation(id, http);
        self.guest.invoke(&invoke, &Bytes::from(body), LIMIT, &mut |_| {}).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> Finished {
        self.ask(InvocationId::new(), head("GET", path, &[]), Vec::new()).await
    }
}

#[track_caller]
fn response(finished: Finished) -> (HttpResponse, Body) {
    match finished {
        Finished::Response(response, body) => (response, body),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failure(finished: Finished) -> (String, String) {
    match finished {
        Finished::Error(error) => (error.kind, error.message),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn json_of(finished: Finished) -> Value {
    let (head, body) = response(finished);
    assert_eq!((head.status, head.headers), (200, typed_as("application/json")));
    serde_json::from_slice(&body.bytes).unwrap()
}

fn typed_as(media_type: &str) -> Headers {
    vec![("content-type".to_owned(), media_type.to_owned())]
}

/// Sorts headers by their names; the order of those of one name stays.
fn sorted(mut headers: Headers) -> Headers {
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}

pub async fn requests_and_answers_of_handlers_are_as_in_their_examples_in_every_language(
    fixture: &Fixture,
) {
    for language in with_shims() {
        let mut instance = shop(fixture, *language, 1).await;
        for RequestVector { name, http, id, body_base64, event } in vectors().requests {
            let body = BASE64_STANDARD.decode(body_base64).unwrap();
            let seen = json_of(instance.ask(id, http, body).await);
            assert_eq!(seen, event, "{language}: {name}");
        }
        let answers = vectors().answers.into_iter();
        for answer in answers.filter(|answer| answer.only.as_deref() != Some("json")) {
            answer.check(*language, &mut instance).await;
        }
        instance.sandbox.remove().await;
    }
}

impl AnswerVector {
    /// Lets a handler answer the value.
    async fn check(self, language: Language, instance: &mut Instance) {
        let method = self.method.as_deref().unwrap_or("GET");
        let http = head(method, "/contract/value", &[("content-type", "application/json")]);
        let value = self.value.as_deref().map_or("null", RawValue::get);
        let seen = instance.ask(InvocationId::new(), http, value.into()).await;
        let name = format!("{language}: {}", self.name);
        if let Some(message) = self.error {
            let Finished::Error(error) = seen else { panic!("{name}: {seen:?}") };
            assert_eq!((error.kind.as_str(), error.message), ("ResponseInvalid", message), "{name}");
            return;
        }
        let Finished::Response(response, body) = seen else { panic!("{name}: {seen:?}") };
        assert_eq!(Some(response.status), self.status, "{name}");
        assert_eq!(Some(sorted(response.headers)), self.headers.map(sorted), "{name}");
        assert_eq!(Some(BASE64_STANDARD.encode(body.bytes)), self.body_base64, "{name}");
    }
}

pub async fn a_request_is_answered_typed_and_failed_as_any_invocation_is_in_every_language(
    fixture: &Fixture,
) {
    for language in with_shims() {
        let mut instance = shop(fixture, *language, 1).await;
        answers_without_a_status_code(*language, &mut instance).await;
        context_of_a_request(*language, &mut instance).await;
        failures_of_requests(*language, &mut instance).await;
        // An invocation that is not a request has no response, whatever it returns.
        assert_eq!(instance.result(r#"{"statusCode":404}"#).await, r#"{"statusCode":404}"#);
        instance.sandbox.remove().await;
    }
}

async fn answers_without_a_status_code(language: Language, instance: &mut Instance) {
    for (path, media_type, expected) in [
        ("/contract/text", "text/plain; charset=utf-8", "grün".as_bytes()),
        ("/contract/bytes", "application/octet-stream", b"\xff\0"),
        ("/contract/nothing", "application/json", b"null"),
    ] {
        let (head, body) = response(instance.get(path).await);
        assert_eq!((head.status, head.headers), (200, typed_as(media_type)), "{language}: {path}");
        let seen = (body.content_type.as_str(), &body.bytes[..]);
        assert_eq!(seen, (media_type, expected), "{language}: {path}");
    }
    let (head, body) = response(instance.get("/contract/bytes-as-body").await);
    assert_eq!((head.status, &body.bytes[..]), (201, &b"\xff\0"[..]), "{language}: as they are");
}

/// A context says the length of the body also where the request does not.
async fn context_of_a_request(language: Language, instance: &mut Instance) {
    let seen = json_of(instance.get("/contract/context").await);
    assert_eq!(seen, json!([{ "content-length": "0" }, "", [], true]), "{language}");
    let headers = [
        ("x-a", "1"),
        ("content-type", "image/png"),
        ("x-a", "Zo\u{c3}\u{ab}"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let http = head("POST", "/contract/context", &headers);
    let seen = json_of(instance.ask(InvocationId::new(), http, vec![0, 255]).await);
    let headers = json!({
        "x-a": "1, Zoë", "content-type": "image/png", "cookie": "a=1; b=2", "content-length": "2"
    });
    assert_eq!(seen, json!([headers, "image/png", [0, 255], true]), "{language}");
}

/// The instance answers all of them.
async fn failures_of_requests(language: Language, instance: &mut Instance) {
    let is_python = language == Language::Python;
    let raised = if is_python { "ValueError" } else { "RangeError" };
    let not_json = if is_python {
        "the handler returned a dict that is not JSON: Object of type set is not JSON serializable"
    } else {
        "the handler returned a bigint at .body.a that is not JSON: make it a string or a number"
    };
    let too_large = "the result has 6291457 bytes, over the limit of 6291456 (6 MiB)";
    // 80,000 bytes of UTF-8, each of which is two in a frame, and what is around them.
    let headers = "the headers of the answer have 160073 bytes as JSON, over the limit of 64512";
    let not_a_value = "the header 'x-a' of the answer is not a text, a number or a boolean";
    for (path, kind, message) in [
        ("/contract/raised", raised, "no"),
        ("/contract/not-json", "ResultNotSerializable", not_json),
        ("/contract/too-large", "ResultTooLarge", too_large),
        ("/contract/headers-too-large", "ResponseInvalid", headers),
        ("/contract/not-a-number", "ResponseInvalid", not_a_value),
        ("/contract/infinite", "ResponseInvalid", not_a_value),
    ] {
        let seen = failure(instance.get(path).await);
        assert_eq!(seen, (kind.to_owned(), message.to_owned()), "{language}: {path}");
    }
    if !is_python {
        // As in JSON, what is undefined is not there.
        assert_eq!(json_of(instance.get("/contract/no-status").await), json!({}), "{language}");
        return;
    }
    for (path, message) in [
        ("/contract/no-status", "`statusCode` of the answer is not an integer from 200 to 599"),
        (
            "/contract/name-of-bytes",
            "a name in `headers` of the answer is not a text but of the type bytes",
        ),
    ] {
        let seen = failure(instance.get(path).await);
        assert_eq!(seen, ("ResponseInvalid".to_owned(), message.to_owned()), "{path}");
    }
}

pub async fn requests_beside_each_other_have_their_own_events_and_responses_in_every_language(
    fixture: &Fixture,
) {
    for language in with_shims() {
        let mut instance = shop(fixture, *language, 4).await;
        let (calls, mut several) = instance.guest.several();
        let calls = &calls;
        let all = join_all((0..4).map(async |of| {
            for n in 0..50 {
                let own = format!("{of}-{n}");
                let path = if n % 5 == 4 { "/contract/raised".to_owned() } else { format!("/{own}") };
                let invoke = invocation(InvocationId::new(), head("POST", &path, &[("x-own", &own)]));
                let body = Bytes::from(own.clone());
                let seen = calls.invoke(&invoke, &body, LIMIT, &mut |_| {}).await.unwrap();
                if n % 5 == 4 {
                    assert_eq!(failure(seen).1, "no", "{language}");
                    continue;
                }
                let event = json_of(seen);
                let told = [&event["rawPath"], &event["headers"]["x-own"], &event["body"]];
                let expected = [path, own.clone(), BASE64_STANDARD.encode(&own)];
                assert_eq!(told.map(|field| field.as_str().unwrap()), expected, "{language}");
                // One that is not a request, among them.
                let plain = Invoke {
                    content_type: "application/json".to_owned(),
                    http: None,
                    ..invocation(InvocationId::new(), head("POST", "/", &[]))
                };
                let body = Bytes::from(format!("[\"{own}\"]"));
                let seen = calls.invoke(&plain, &body, LIMIT, &mut |_| {}).await.unwrap();
                assert_eq!(typed(seen), ("application/json".to_owned(), body), "{language}");
            }
        }));
        let mut output = |_: Line| {};
        tokio::select! {
            _ = all => {}
            lost = several.run(&mut output) => panic!("{language}: {lost:?}"),
        }
        instance.sandbox.remove().await;
    }
}

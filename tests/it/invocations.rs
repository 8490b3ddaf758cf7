//! Invocations end to end over HTTP, each property on both stacks.

use std::{collections::HashMap, sync::Arc};

use cloudfunc::{
    client::{LogQuery, Outcome},
    model::{InvocationId, LogLine, Start, State},
};
use serde_json::{Value, json};

use crate::{on_stack, support::platform::TestPlatform};

const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";

on_stack! {
    all:
    the_first_is_cold_and_the_others_are_warm_on_the_same_instance
    an_async_one_ends_succeeded_with_its_result
    a_handler_sees_its_context
    two_functions_interleaved_keep_their_results_and_log_lines_apart
}

async fn the_first_is_cold_and_the_others_are_warm_on_the_same_instance(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let mut instances = Vec::new();
    for (payload, expected, start) in [
        (r#"{"name":"Alice"}"#, "Hello Alice!", Start::Cold),
        ("{}", "Hello World!", Start::Warm),
        (r#"{"name":"Bob"}"#, "Hello Bob!", Start::Warm),
        (r#"{"name":"Charlie"}"#, "Hello Charlie!", Start::Warm),
        (r#"{"name":"Diana"}"#, "Hello Diana!", Start::Warm),
    ] {
        let answer = platform.invoke("hello_fn", payload).await;
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(&body.bytes[..], expected.as_bytes());
        assert_eq!(body.content_type, "text/plain; charset=utf-8");
        assert_eq!(answer.start, Some(start), "{payload}");
        instances.push(answer.instance.unwrap());
    }
    assert!(instances.iter().all(|instance| *instance == instances[0]), "{instances:?}");
}

async fn an_async_one_ends_succeeded_with_its_result(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let record = platform.run_async("hello_fn", r#"{"name":"Alice"}"#).await;
    assert_eq!(record.state, State::Succeeded, "{record:?}");
    assert_eq!(record.attempts.len(), 1);
    let result = platform.client.result(record.id).await.unwrap();
    assert_eq!(&result.bytes[..], b"Hello Alice!");
}

/// Prints the token itself and lets a child process print it, before it answers with it.
const ECHO: &str = r#"
import subprocess

def handler(event):
    token = event["token"]
    print("handler", token)
    subprocess.run(["/bin/sh", "-c", 'echo "child $0"', token], check=True)
    return {"function": "NAME", "token": token}
"#;

const CALLS: usize = 200;
const AT_ONCE: usize = 8;

async fn two_functions_interleaved_keep_their_results_and_log_lines_apart(platform: &TestPlatform) {
    for name in ["left", "right"] {
        let manifest = "[scaling]\nmax_instances = 3\n";
        let code = ECHO.replace("NAME", name);
        platform.deploy(name, &[("function.py", &code), ("cloudfunc.toml", manifest)]).await;
    }
    let (left, right) = tokio::join!(call_often(platform, "left"), call_often(platform, "right"));
    for (name, tokens) in [("left", left), ("right", right)] {
        let expected = 2 * tokens.len();
        let lines = crate::support::eventually("all lines are stored", || async {
            let lines = log_lines(platform, name).await;
            (lines.len() >= expected).then_some(lines)
        })
        .await;
        let mut by_invocation: HashMap<InvocationId, Vec<String>> = HashMap::new();
        for line in lines {
            let id = line.invocation_id.unwrap_or_else(|| panic!("of no invocation: {line:?}"));
            assert_eq!(line.function.as_str(), name);
            by_invocation.entry(id).or_default().push(line.line);
        }
        assert_eq!(by_invocation.len(), CALLS);
        for (id, token) in tokens {
            let printed = by_invocation.remove(&id).expect("every invocation has lines");
            assert_eq!(printed, [format!("handler {token}"), format!("child {token}")], "{name} {id}");
        }
    }
}

/// Every call's id with its token, after checking that the answer is the call's own.
async fn call_often(platform: &TestPlatform, name: &str) -> Vec<(InvocationId, String)> {
    let slots = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let calls = (0..CALLS).map(|call| {
        let slots = slots.clone();
        async move {
            let _slot = slots.acquire().await.unwrap();
            let token = format!("{name}-{call}");
            let answer = platform.invoke(name, &json!({ "token": token }).to_string()).await;
            let Outcome::Value(body) = &answer.outcome else { panic!("{answer:?}") };
            let value: Value = serde_json::from_slice(&body.bytes).unwrap();
            assert_eq!(value, json!({ "function": name, "token": token }));
            (answer.id, token)
        }
    });
    futures_util::future::join_all(calls).await
}

async fn log_lines(platform: &TestPlatform, name: &str) -> Vec<LogLine> {
    let query = LogQuery { functions: vec![name.parse().unwrap()], ..LogQuery::default() };
    let mut lines = platform.client.logs(&query).await.unwrap();
    let mut all = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        all.push(line);
    }
    all
}

const CONTEXT: &str = r#"
def handler(event, context):
    return {
        "event": event if not isinstance(event, bytes) else list(event),
        "kind": type(event).__name__,
        "body": list(context.body),
        "content_type": context.content_type,
        "headers": {name: value for name, value in context.headers.items() if name.startswith("x-")},
        "secrets": [name for name in context.headers if name in ("authorization", "proxy-authorization")],
        "function": context.function,
        "revision": context.revision,
        "attempt": context.attempt,
        "invocation_id": context.invocation_id,
        "remaining": 19000 < context.remaining_ms() <= 20000,
    }
"#;

async fn a_handler_sees_its_context(platform: &TestPlatform) {
    let files = [("function.py", CONTEXT), ("cloudfunc.toml", "timeout = \"20s\"\n")];
    platform.deploy("seer", &files).await;
    for (content_type, body, kind, event) in [
        ("application/json", &br#"{"a": 1.50}"#[..], "dict", json!({ "a": 1.5 })),
        ("application/vnd.x+json; charset=utf-8", b"[1]", "list", json!([1])),
        ("text/plain; charset=utf-8", "gr\u{fc}n".as_bytes(), "str", json!("gr\u{fc}n")),
        ("application/octet-stream", b"\xff\x00", "bytes", json!([255, 0])),
    ] {
        let request = platform.post("/v1/functions/seer/invoke").header("content-type", content_type);
        let request = request.header("x-trace", "7").header("cookie", "c=1").body(body.to_vec());
        let response = request.send().await.unwrap();
        let id = response.headers()["cloudfunc-invocation-id"].to_str().unwrap().to_owned();
        let value: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let expected = json!({
            "event": event, "kind": kind, "body": body, "content_type": content_type,
            "headers": { "x-trace": "7" }, "secrets": [], "function": "seer", "revision": 1,
            "attempt": 1, "invocation_id": id, "remaining": true,
        });
        assert_eq!(value, expected);
    }
}

//! Invocation records, results, logs, and what becomes of them as functions change.

use std::time::Duration;

use cloudfunc::{
    app::Role,
    client::LogQuery,
    model::{InvocationId, PhaseName, State, api::DeployLine, code},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, document, function, json as body, problem},
    },
};

const HELLO: &str = "def handler(event):\n    print('greeting')\n    return 'Hello!'\n";
const SLOW: &str =
    "import time\n\ndef handler(event):\n    print('begun')\n    time.sleep(event)\n    return 'done'\n";

on_stack! {
    all:
    a_record_has_the_frozen_shape
    phases_fill_the_duration
    a_result_can_be_had_once_there_is_one
    records_are_listed_newest_first_by_filter_and_page
    log_lines_are_followed_as_they_come
    deleting_a_function_cancels_what_waits
    a_deploy_is_told_line_by_line_and_repeated_is_unchanged
    a_roll_back_needs_the_revision_it_was_meant_for
}

async fn a_record_has_the_frozen_shape(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let phase = |name: &str| json!({ "name": name, "start_ms": "<ms>", "duration_ms": "<ms>" });
    let record = |mode: &str, start: &str, phases: Vec<Value>| {
        json!({
            "id": "<id>", "function": "hello_fn", "mode": mode, "state": "succeeded",
            "dead_letter": false, "start": start, "prewarmed": false, "accepted_at": "<moment>",
            "finished_at": "<moment>", "duration_ms": "<ms>",
            "attempts": [{
                "number": 1, "revision": 1, "instance": "<id>", "outcome": "succeeded", "error": null,
                "lines": 1,
            }],
            "phases": phases,
            "result": { "content_type": "text/plain; charset=utf-8", "size": 6 },
            "parent": null,
        })
    };
    let answer = platform.invoke("hello_fn", "{}").await;
    let path = format!("/v1/invocations/{}", answer.id);
    let phases = ["admit", "queue", "start", "load", "run"].map(phase).to_vec();
    let expected = (200, record("sync", "cold", phases));
    // Readable at once, and the same when it comes from the store.
    assert_eq!(document(platform.get(&path)).await, expected);
    eventually("it is stored", || async {
        let page = platform.client.records(&Default::default()).await.unwrap();
        (page.items.len() == 1).then_some(())
    })
    .await;
    assert_eq!(document(platform.get(&path)).await, expected);

    let request = platform.post("/v1/functions/hello_fn/invoke").header("prefer", "respond-async");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["preference-applied"], "respond-async");
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    let id = response.headers()["cloudfunc-invocation-id"].to_str().unwrap().to_owned();
    let accepted: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(accepted, json!({ "id": id, "state": "queued" }));
    let expected = (200, record("async", "warm", ["queue", "run"].map(phase).to_vec()));
    assert_eq!(document(platform.get(&format!("{path}?wait=30s"))).await, expected);
}

async fn phases_fill_the_duration(platform: &TestPlatform) {
    platform.deploy("slow", &[("function.py", SLOW)]).await;
    for _ in 0..2 {
        let answer = platform.invoke("slow", "0.05").await;
        let record = platform.client.record(answer.id, None).await.unwrap();
        let (total, sum) = (record.duration_ms.unwrap(), answer.duration_ms().unwrap());
        let stored: f64 = record.phases.iter().map(|phase| phase.duration_ms).sum();
        // The answer rounds each to a microsecond.
        assert!((sum - stored).abs() < 0.1, "{sum} in the answer, {stored} in {record:?}");
        // Nothing is left out between them, apart from moments that a loaded machine makes longer.
        assert!(stored <= total + 1.0 && stored >= total * 0.8, "{stored} of {total}: {record:?}");
        let run = record.phases.last().unwrap();
        assert!(run.name == PhaseName::Run && run.duration_ms >= 50.0, "{record:?}");
        let mut end = 0.0;
        for phase in &record.phases {
            assert!(phase.start_ms >= end - 0.01, "phases overlap: {record:?}");
            end = phase.start_ms + phase.duration_ms;
        }
    }
}

async fn accept(platform: &TestPlatform, name: &str, payload: &str) -> InvocationId {
    platform.client.invoke_async(&function(name), body(payload)).await.unwrap().id
}

/// Waits until an async invocation is in this state.
async fn until(platform: &TestPlatform, id: InvocationId, state: State) {
    eventually(&format!("{id} is {state}"), || async {
        let record = platform.client.record(id, None).await.unwrap();
        assert!(record.state == state || !record.state.is_terminal(), "{record:?}");
        (record.state == state).then_some(())
    })
    .await;
}

async fn a_result_can_be_had_once_there_is_one(platform: &TestPlatform) {
    platform.deploy("slow", &[("function.py", SLOW)]).await;
    let id = accept(platform, "slow", "2").await;
    until(platform, id, State::Running).await;
    let path = format!("/v1/invocations/{id}/result");
    let detail = format!("invocation {id} is running");
    let more = json!({ "invocation_id": "<id>", "retry_after": 1 });
    assert_eq!(document(platform.get(&path)).await, problem(code::NOT_FINISHED, &detail, more));
    let record = platform.client.record(id, Some(Duration::from_millis(1))).await.unwrap();
    assert_eq!(record.state, State::Running, "a wait that is over answers with what there is");
    let record = platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(record.state, State::Succeeded);
    assert_eq!(&platform.client.result(id).await.unwrap().bytes[..], b"done");
}

async fn records_are_listed_newest_first_by_filter_and_page(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    platform.deploy("raiser", &[("function.py", "def handler(event):\n    raise ValueError\n")]).await;
    let mut good = Vec::new();
    for _ in 0..3 {
        good.push(platform.run_async("hello_fn", "{}").await);
        platform.run_async("raiser", "{}").await;
    }
    good.reverse();
    let list = async |query: &str| {
        let response = platform.get(&format!("/v1/invocations?{query}")).send().await.unwrap();
        let page: cloudfunc::model::api::Page<cloudfunc::model::Record> =
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        (page.items, page.next)
    };
    assert_eq!(list("function=hello_fn").await.0, good);
    assert_eq!(list("state=succeeded").await.0, good);
    assert_eq!(list("state=failed").await.0.len(), 3);
    assert_eq!(list("function=hello_fn&state=failed").await, (Vec::new(), None));
    assert_eq!(list(&format!("function=hello_fn&since={}", good[1].accepted_at)).await.0, good[..2]);

    let (first, next) = list("function=hello_fn&limit=2").await;
    assert_eq!(first, good[..2]);
    let (rest, next) = list(&format!("function=hello_fn&limit=2&cursor={}", next.unwrap())).await;
    assert_eq!((rest.as_slice(), next), (&good[2..], None));

    let detail = "unknown state 'done'; one of queued, running, retrying, succeeded, failed, timed_out, crashed, cancelled, expired";
    let refused = document(platform.get("/v1/invocations?state=done")).await;
    assert_eq!(refused, problem(code::BAD_REQUEST, detail, json!({})));
}

async fn log_lines_are_followed_as_they_come(platform: &TestPlatform) {
    platform.deploy("slow", &[("function.py", SLOW)]).await;
    let name = function("slow");
    let query = LogQuery { functions: vec![name.clone()], follow: true, ..LogQuery::default() };
    let mut lines = platform.client.logs(&query).await.unwrap();
    // The second line comes while the first invocation is long over and the second still runs.
    for payload in ["0", "2"] {
        let id = accept(platform, "slow", payload).await;
        let next = tokio::time::timeout(Duration::from_secs(30), lines.next()).await.unwrap();
        let line = next.unwrap().unwrap();
        assert_eq!((line.line.as_str(), line.invocation_id), ("begun", Some(id)));
        let shown = serde_json::to_value(&line).unwrap();
        let keys: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected =
            ["ts", "function", "revision", "invocation_id", "attempt", "instance", "stream", "line"];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
        until(platform, id, State::Succeeded).await;
        let only = LogQuery {
            functions: vec![name.clone()],
            invocation: Some(id.into()),
            ..LogQuery::default()
        };
        let mut own = platform.client.logs(&only).await.unwrap();
        assert_eq!(own.next().await.unwrap().unwrap(), line);
        assert_eq!(own.next().await.unwrap(), None);
    }
}

async fn deleting_a_function_cancels_what_waits(platform: &TestPlatform) {
    let one = ("cloudfunc.toml", "[scaling]\nmax_instances = 1\n");
    platform.deploy("slow", &[("function.py", SLOW), one]).await;
    let running = accept(platform, "slow", "2").await;
    until(platform, running, State::Running).await;
    let waiting = [accept(platform, "slow", "0").await, accept(platform, "slow", "0").await];
    platform.client.delete(&function("slow")).await.unwrap();
    let hint = "'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one";
    let gone = problem(code::FUNCTION_NOT_FOUND, "there is no function 'slow'", json!({ "hint": hint }));
    for preference in ["respond-async", "wait=5"] {
        let request = platform.post("/v1/functions/slow/invoke").header("prefer", preference);
        assert_eq!(document(request.body("0")).await, gone, "{preference}");
    }
    assert_eq!(document(platform.get("/v1/functions/slow")).await, gone);
    assert_eq!(
        document(platform.request(Role::Gateway, Method::DELETE, "/v1/functions/slow")).await,
        gone
    );
    for id in waiting {
        let record = platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap();
        assert_eq!(record.state, State::Cancelled, "{record:?}");
        assert_eq!(record.reason, Some(cloudfunc::model::Reason::FunctionDeleted));
    }
    let record = platform.client.record(running, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(record.state, State::Succeeded, "what runs is finished: {record:?}");
    // The name is free again, with revisions of its own.
    let again = platform.deploy("slow", &[("function.py", HELLO)]).await;
    assert_eq!(again.revision.0, 1);
    assert_eq!(platform.value("slow", "{}").await, "Hello!");
}

fn packed(code: &str) -> bytes::Bytes {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("function.py"), code).unwrap();
    cloudfunc::bundle::pack(folder.path()).unwrap().bytes
}

async fn a_deploy_is_told_line_by_line_and_repeated_is_unchanged(platform: &TestPlatform) {
    let upload = || platform.post("/v1/functions/f/revisions").body(packed(HELLO));
    let response = upload().header("accept", "application/x-ndjson").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    let mut lines: Vec<DeployLine> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Some(DeployLine::Done(deployed)) = lines.pop() else { panic!("{text}") };
    assert_eq!((deployed.revision.0, deployed.unchanged), (1, false));
    let said: Vec<String> = lines
        .into_iter()
        .map(|line| match line {
            DeployLine::Progress { message } => message,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        said.starts_with(&["storing the source".to_owned(), "unpacking the source".to_owned()]),
        "{said:?}"
    );

    let again = json!({ "name": "f", "revision": 1, "unchanged": true, "image": deployed.image });
    assert_eq!(document(upload()).await, (200, again));
    let ran = platform.client.deploy(&function("f"), packed(HELLO), |_| {}).await.unwrap();
    assert!(ran.unchanged);
    let changed = platform.post("/v1/functions/f/revisions").body(packed("handler = str\n"));
    let changed = changed.send().await.unwrap();
    assert_eq!(changed.status(), 201);
    assert_eq!(changed.headers()["location"], "/v1/functions/f");
}

async fn a_roll_back_needs_the_revision_it_was_meant_for(platform: &TestPlatform) {
    for number in ["1", "2"] {
        let code = format!("def handler(event):\n    return {number}\n");
        platform.deploy("f", &[("function.py", &code)]).await;
        assert_eq!(platform.value("f", "{}").await, number);
    }
    let activate = |revision: u32, believed: &str| {
        let path = "/v1/functions/f/active-revision";
        platform
            .request(Role::Gateway, Method::PUT, path)
            .header("if-match", believed.to_owned())
            .header("content-type", "application/json")
            .body(json!({ "revision": revision }).to_string())
    };
    let detail = "revision 2 of 'f' is active, not 1";
    assert_eq!(document(activate(1, "\"1\"")).await, problem(code::CONFLICT, detail, json!({})));
    assert_eq!(platform.value("f", "{}").await, "2");
    let (status, info) = document(activate(1, "\"2\"")).await;
    assert_eq!((status, &info["active_revision"]), (200, &json!(1)));
    assert_eq!(platform.value("f", "{}").await, "1");
    let (status, answer) = document(activate(9, "\"1\"")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("revision_not_found")), "{answer}");
}

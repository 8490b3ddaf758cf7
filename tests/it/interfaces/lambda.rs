//! `interface = "lambda"`: programs that ask AWS Lambda's runtime API for invocations.

use cloudfunc::model::{Start, State, code};
use serde_json::{Value, json};

use super::{call, deploy, header, packed, refused, request};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, function},
    },
};

on_stack! {
    light:
    a_program_asks_for_invocations_and_answers_them
    an_error_is_told_with_its_type_and_trace
    a_request_is_an_event_and_its_answer_the_response
    a_program_that_cannot_begin_is_refused
    answers_that_belong_to_no_invocation_are_refused_and_the_rest_goes_on
    a_program_that_does_not_answer_is_ended_at_its_timeout
    the_environment_is_that_of_a_runtime
}

on_stack! {
    @ sqlite_embedded_oci:
    a_program_asks_for_invocations_and_answers_them
    an_error_is_told_with_its_type_and_trace
    a_request_is_an_event_and_its_answer_the_response
    a_program_that_cannot_begin_is_refused
    answers_that_belong_to_no_invocation_are_refused_and_the_rest_goes_on
    a_program_that_does_not_answer_is_ended_at_its_timeout
    the_environment_is_that_of_a_runtime
}

on_stack! {
    real:
    a_program_asks_for_invocations_and_answers_them
    an_error_is_told_with_its_type_and_trace
    a_program_that_cannot_begin_is_refused
    answers_that_belong_to_no_invocation_are_refused_and_the_rest_goes_on
}

/// A runtime in one file. An event says what becomes of its invocation.
pub const RUNTIME: &str = r#"#!/usr/bin/env python3
import json, os, time
from http.client import HTTPConnection

api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def ask(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer, answer.read()

def post(path, value, headers={}):
    return ask("POST", path, json.dumps(value), headers)[0].status

if os.environ.get("FAILS"):
    error = {"errorType": "Setup.NoLicence", "errorMessage": "no licence", "stackTrace": ["at the start"]}
    post("init/error", error, {"Lambda-Runtime-Function-Error-Type": "Setup.NoLicence"})
    os._exit(1)

while True:
    invocation, body = ask("GET", "invocation/next")
    id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(body)
    do = event.get("do") if isinstance(event, dict) else None
    answer = f"invocation/{id}/response"
    print("got", event, flush=True)
    if do == "raise":
        error = {"errorType": "NoSuchLuck", "errorMessage": "no such luck", "stackTrace": ["in here", "in there"]}
        post(f"invocation/{id}/error", error, {"Lambda-Runtime-Function-Error-Type": "NoSuchLuck"})
    elif do == "silent":
        time.sleep(600)
    elif isinstance(event, dict) and event.get("rawPath") == "/tea":
        post(answer, {"statusCode": 418, "headers": {"X-Pot": "short"}, "cookies": ["a=1", "b=2"], "body": event.get("body")})
    elif do == "twice":
        post(answer, {"statuses": "first"})
        print("second answer:", post(answer, {"statuses": "second"}), flush=True)
    elif do == "stray":
        stray = post("invocation/00000000-0000-0000-0000-000000000000/response", {})
        post(answer, {"status": stray})
    elif do == "look":
        names = ("_HANDLER", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
                 "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE", "GREETING")
        headers = {name.lower(): value for name, value in invocation.headers.items() if name.startswith("Lambda-Runtime")}
        headers["left"] = int(headers["lambda-runtime-deadline-ms"]) - time.time() * 1000
        post(answer, {"environment": {name: os.environ.get(name) for name in names}, "headers": headers})
    else:
        post(answer, {"echo": event, "process": os.getpid()})
"#;

fn manifest(more: &str) -> String {
    format!("language = \"python\"\ninterface = \"lambda\"\n{more}")
}

async fn deploy_runtime(platform: &TestPlatform, more: &str) {
    let manifest = manifest(more);
    deploy(platform, "f", &[("bootstrap", RUNTIME), ("cloudfunc.toml", &manifest)]).await;
}

async fn value(platform: &TestPlatform, event: Value) -> Value {
    serde_json::from_str(&platform.value("f", &event.to_string()).await).unwrap()
}

async fn a_program_asks_for_invocations_and_answers_them(platform: &TestPlatform) {
    deploy_runtime(platform, "").await;
    let first = value(platform, json!({ "n": 1 })).await;
    assert_eq!(first["echo"], json!({ "n": 1 }));
    let again = platform.invoke("f", "[\"a\", null]").await;
    assert_eq!(again.start, Some(Start::Warm));
    let third = value(platform, json!("ö")).await;
    assert_eq!((&third["echo"], &third["process"]), (&json!("ö"), &first["process"]));
    // JSON stays JSON, with its media type.
    let answer =
        request(platform, "f", "{}").header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let id = again.id.to_string();
    eventually("its line is in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "f", "--invocation", &id]).await;
        log.contains("got ['a', None]").then_some(())
    })
    .await;
    let record = platform.run_async("f", "{\"n\":2}").await;
    assert_eq!(record.state, State::Succeeded, "{record:?}");
}

async fn an_error_is_told_with_its_type_and_trace(platform: &TestPlatform) {
    deploy_runtime(platform, "").await;
    let problem = platform.problem("f", "{\"do\":\"raise\"}").await;
    assert_eq!(problem.code, code::FUNCTION_FAILED.code, "{problem:?}");
    assert_eq!(problem.detail, "function 'f' failed: NoSuchLuck: no such luck");
    assert_eq!(problem.error_type.as_deref(), Some("NoSuchLuck"));
    assert_eq!(problem.trace.as_deref(), Some("in here\nin there"));
    // The program goes on.
    assert_eq!(platform.invoke("f", "{}").await.start, Some(Start::Warm));
}

async fn a_request_is_an_event_and_its_answer_the_response(platform: &TestPlatform) {
    deploy_runtime(platform, "").await;
    let tea = || call(platform, "f", "BREW", "/tea").header("content-type", "text/plain");
    let answer = tea().body("gr\u{fc}n").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "x-pot")), (418, Some("short")));
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    assert_eq!(answer.text().await.unwrap(), "gr\u{fc}n");
    // Without a status the whole answer is the body.
    let answer = call(platform, "f", "GET", "/any").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (200, Some("application/json"))
    );
    let seen: Value = answer.json().await.unwrap();
    let context = &seen["echo"]["requestContext"];
    assert_eq!((&context["apiId"], &context["http"]["path"]), (&json!("f"), &json!("/any")), "{seen}");
    let answer = tea().body(vec![b'x'; 4_718_593]).send().await.unwrap();
    assert_eq!(answer.status(), 413);
}

async fn a_program_that_cannot_begin_is_refused(platform: &TestPlatform) {
    let manifest = manifest("[env]\nFAILS = \"1\"\n");
    let files = [("bootstrap", RUNTIME), ("cloudfunc.toml", manifest.as_str())];
    let problem = refused(platform, &files).await;
    assert_eq!((problem.status, problem.code.as_str()), (422, code::BUILD_FAILED.code), "{problem:?}");
    assert_eq!(problem.detail, "the program of 'f' cannot be run: Setup.NoLicence: no licence");
    assert_eq!(problem.trace.as_deref(), Some("at the start"));
    platform.client.deploy_unchecked(&function("f"), packed(&files), |_| {}).await.unwrap();
    let problem = platform.problem("f", "{}").await;
    assert!(problem.detail.ends_with("Setup.NoLicence: no licence"), "{problem:?}");
}

async fn answers_that_belong_to_no_invocation_are_refused_and_the_rest_goes_on(platform: &TestPlatform) {
    deploy_runtime(platform, "").await;
    assert_eq!(value(platform, json!({ "do": "stray" })).await, json!({ "status": 400 }));
    assert_eq!(value(platform, json!({ "do": "twice" })).await, json!({ "statuses": "first" }));
    assert_eq!(value(platform, json!(1)).await["echo"], 1);
    eventually("the second answer was refused", || async {
        let (_, log, _) = platform.cli(&["logs", "f"]).await;
        log.contains("second answer: 400").then_some(())
    })
    .await;
}

async fn a_program_that_does_not_answer_is_ended_at_its_timeout(platform: &TestPlatform) {
    deploy_runtime(platform, "timeout = \"2s\"\n").await;
    let first = value(platform, json!(1)).await;
    let problem = platform.problem("f", "{\"do\":\"silent\"}").await;
    assert_eq!(problem.code, code::FUNCTION_TIMED_OUT.code, "{problem:?}");
    let next = platform.invoke("f", "1").await;
    assert_eq!(next.start, Some(Start::Cold), "after {first}");
}

async fn the_environment_is_that_of_a_runtime(platform: &TestPlatform) {
    deploy_runtime(
        platform,
        "handler = \"app.handler\"\ntimeout = \"30s\"\n[env]\nGREETING = \"Hello\"\n",
    )
    .await;
    let seen = value(platform, json!({ "do": "look" })).await;
    let environment = &seen["environment"];
    for (name, expected) in [
        ("_HANDLER", "app.handler"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("GREETING", "Hello"),
    ] {
        assert_eq!(environment[name], expected, "{name}: {seen}");
    }
    if platform.stack.has_containers() {
        assert_eq!(environment["LAMBDA_TASK_ROOT"], "/var/task");
    }
    let left = seen["headers"]["left"].as_f64().unwrap();
    assert!((1_000.0..=31_000.0).contains(&left), "{seen}");
    let arn = seen["headers"]["lambda-runtime-invoked-function-arn"].as_str().unwrap();
    assert!(arn.ends_with(":f"), "{seen}");
}

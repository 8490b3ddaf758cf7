//! Query strings, and the documents of the classic routes.

use cloudfunc::{
    app::Role,
    model::{Problem, code},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::ECHO;
use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

on_stack! {
    light:
    a_parameter_without_a_meaning_is_refused_with_what_is_accepted
    since_is_a_duration_or_a_moment
    a_filter_may_name_a_function_that_was_deleted_but_none_that_never_was
    a_document_of_another_shape_is_refused_with_the_shape
}

async fn refused(platform: &TestPlatform, method: Method, path: &str) -> String {
    let (status, answer) = document(platform.request(Role::Gateway, method, path).body("{}")).await;
    let answer: Problem = serde_json::from_value(answer).unwrap();
    assert_eq!((answer.fault, answer.retry_safe), (cloudfunc::model::Fault::Caller, false), "{path}");
    format!("{status} {}", answer.detail)
}

async fn a_parameter_without_a_meaning_is_refused_with_what_is_accepted(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let list = "accepted parameters: function, state, since, cursor, limit";
    let number = "must be a whole number from 1 to 1000";
    let id = "give the whole id, or at least 4 digits of its start or end";
    for (path, expected) in [
        ("/v1/invocations?limits=1", format!("unknown parameter 'limits'; {list}")),
        ("/v1/invocations?limit=0", format!("limit=0: {number}")),
        ("/v1/invocations?limit=1001", format!("limit=1001: {number}")),
        ("/v1/invocations?limit=-5", format!("limit=-5: {number}")),
        ("/v1/invocations?limit=ten", format!("limit=ten: {number}")),
        ("/v1/invocations?limit=", format!("limit=: {number}")),
        ("/v1/invocations?limit=1&limit=2", "the parameter 'limit' is given more than once".to_owned()),
        (
            "/v1/invocations?state=done",
            "unknown state 'done'; one of queued, running, retrying, succeeded, failed, timed_out, crashed, cancelled, expired".to_owned(),
        ),
        ("/v1/invocations?cursor=x", format!("'x' is not an invocation id; {id}")),
        (
            "/v1/invocations?since=yesterday",
            "since=yesterday: write how long ago, for example 10m, or a moment, for example 2026-01-31T12:00:00Z".to_owned(),
        ),
        ("/v1/functions?limits=1", "unknown parameter 'limits'; accepted parameters: cursor, limit".to_owned()),
        ("/v1/functions?limit=0", format!("limit=0: {number}")),
        ("/v1/functions/echo?x", "unknown parameter 'x'; this route takes none".to_owned()),
        ("/v1/functions/echo/instances?x=1", "unknown parameter 'x'; this route takes none".to_owned()),
        ("/v1/functions/echo/revisions?limit=0", "unknown parameter 'limit'; this route takes none".to_owned()),
        ("/v1/logs?follow=maybe", "follow=maybe: must be true or false".to_owned()),
    ] {
        assert_eq!(refused(platform, Method::GET, path).await, format!("400 {expected}"), "{path}");
    }
    for (method, path) in [
        (Method::POST, "/v1/functions/echo/invoke?async=true"),
        (Method::POST, "/invoke/echo?wait=1"),
        (Method::POST, "/deploy?force=1"),
        (Method::DELETE, "/v1/functions/echo?force=1"),
    ] {
        let answer = refused(platform, method, path).await;
        assert!(answer.ends_with("; this route takes none"), "{path}: {answer}");
    }
    let schedule = platform.request(Role::Scheduler, Method::POST, "/schedule?x").body("{}");
    let (status, answer) = document(schedule).await;
    assert_eq!(
        (status, &answer["detail"]),
        (400, &json!("unknown parameter 'x'; this route takes none"))
    );
    let unknown =
        document(platform.get("/v1/invocations/01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f/result?x=1"));
    assert_eq!(unknown.await.0, 400);
    assert_eq!(platform.value("echo", "1").await, "1", "nothing was deleted");
}

async fn since_is_a_duration_or_a_moment(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    platform.run_async("echo", "1").await;
    let listed = async |query: &str| {
        let (_, page) = document(platform.get(&format!("/v1/invocations?{query}"))).await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(listed("since=24h").await, 1);
    assert_eq!(listed("since=2026-01-31T12:00:00Z&state=succeeded&function=echo&limit=1000").await, 1);
    assert_eq!(listed("since=0s").await, 0);
    let logs = platform.get("/v1/functions/echo/logs?since=90m").send().await.unwrap();
    assert_eq!(logs.status(), 200);
}

async fn a_filter_may_name_a_function_that_was_deleted_but_none_that_never_was(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    platform.deploy("quiet", &[("function.py", ECHO)]).await;
    platform.run_async("echo", "1").await;
    platform.client.delete(&"echo".parse().unwrap()).await.unwrap();
    let list = |name: &str| document(platform.get(&format!("/v1/invocations?function={name}")));
    let (status, page) = list("echo").await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 1));
    assert_eq!(list("quiet").await, (200, json!({ "items": [], "next": null })));
    let hint = json!({ "hint": "did you mean 'quiet'?" });
    let detail = "there is no function 'quite'";
    assert_eq!(list("quite").await, problem(code::FUNCTION_NOT_FOUND, detail, hint));
    assert_eq!(list("..%2Fx").await.0, 400);
}

async fn a_document_of_another_shape_is_refused_with_the_shape(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let shape = |role: Role, path: &str| match (role, path) {
        (Role::Gateway, "/invoke/echo") => r#"send {"payload": …}, where the payload is any JSON"#,
        (Role::Scheduler, _) => r#"send {"function": "…", "payload": …}, where the payload is any JSON"#,
        (_, "/functions/echo/warm") => r#"send {"is_warm": true} or {"is_warm": false}"#,
        (_, "/v1/functions/echo/active-revision") => {
            r#"send {"revision": 3}, with the number of a revision"#
        }
        _ => r#"send {"name": "…", "image": "…"}, with "runtime" if you like"#,
    };
    let (post, patch, put) = (Method::POST, Method::PATCH, Method::PUT);
    let invoke = (Role::Gateway, &post, "/invoke/echo");
    let deploy = (Role::Gateway, &post, "/deploy");
    let register = (Role::Registry, &post, "/functions");
    let warm = (Role::Registry, &patch, "/functions/echo/warm");
    let schedule = (Role::Scheduler, &post, "/schedule");
    let activate = (Role::Gateway, &put, "/v1/functions/echo/active-revision");
    for ((role, method, path), body, what) in [
        (invoke, r#"{"name":"Alice"}"#, "unknown field `name`, expected `payload` at line 1 column 7"),
        (invoke, r#"[{"name":"Alice"}]"#, "it is not an object"),
        (invoke, "\"payload\"", "it is not an object"),
        (invoke, r#"{"payload":1,"payload":2}"#, "duplicate field `payload` at line 1 column 22"),
        (deploy, r#"{"name":"mine"}"#, "missing field `image` at line 1 column 15"),
        (deploy, r#"["mine","mine:1"]"#, "it is not an object"),
        (
            deploy,
            r#"{"name":1,"image":"x"}"#,
            "invalid type: integer `1`, expected a string at line 1 column 9",
        ),
        (
            register,
            r#"{"name":"a","image":"x","tag":"y"}"#,
            "unknown field `tag`, expected one of `name`, `image`, `runtime` at line 1 column 29",
        ),
        (
            warm,
            r#"{"is_warm":"yes"}"#,
            "invalid type: string \"yes\", expected a boolean at line 1 column 16",
        ),
        (warm, "{}", "missing field `is_warm` at line 1 column 2"),
        (
            schedule,
            r#"{"function":"echo","data":{}}"#,
            "unknown field `data`, expected `function` or `payload` at line 1 column 25",
        ),
        (
            activate,
            r#"{"revision":"1"}"#,
            "invalid type: string \"1\", expected u32 at line 1 column 15",
        ),
        (
            activate,
            r#"{"revision":1,"force":true}"#,
            "unknown field `force`, expected `revision` at line 1 column 21",
        ),
    ] {
        let answer = document(platform.request(role, method.clone(), path).body(body)).await;
        let detail = format!("the body is not as this route takes it: {what}");
        let hint = json!({ "hint": shape(role, path) });
        assert_eq!(answer, problem(code::BAD_REQUEST, &detail, hint), "{path} {body}");
    }
    // What a function could not read is refused here as well: nothing is accepted and fails later.
    let nested = |depth: usize| format!("{{\"payload\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let (status, answer) = document(platform.post("/invoke/echo").body(nested(600))).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_json")));
    let latin: Vec<u8> = [&b"{\"function\":\"echo\",\"payload\":\""[..], b"\xe9\"}"].concat();
    let request = platform.request(Role::Scheduler, Method::POST, "/schedule").body(latin);
    assert_eq!(document(request).await.1["code"], "invalid_json");
    let none = document(platform.get("/v1/invocations")).await;
    assert_eq!(none, (200, json!({ "items": [], "next": null })));
    let accepted: (u16, Value) = document(platform.post("/invoke/echo").body(nested(499))).await;
    assert_eq!(accepted.0, 202);
}

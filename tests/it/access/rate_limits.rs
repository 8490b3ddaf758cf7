//! `rate_limit` of a function: what is too much is refused before anything of it is kept.

use std::ops::RangeInclusive;

use cloudfunc::{
    app::Role,
    client::{Outcome, RecordFilter},
    model::{State, code},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::platform::{TestPlatform, document, function, problem},
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const HINT: &str =
    "wait for as long as Retry-After says, or raise `rate_limit` in the function's manifest";

on_stack! {
    light:
    calls_above_the_limit_are_refused_by_whichever_way_they_come
    async_calls_count_and_nothing_is_kept_of_one_that_is_refused
    a_deploy_goes_on_counting_unless_it_changes_the_limit
    a_call_that_is_not_a_valid_one_counts_as_well
    the_commands_say_what_a_program_is_told
}

mod servers {
    use super::*;

    on_stack! {
        real:
        async_calls_count_and_nothing_is_kept_of_one_that_is_refused
    }
}

/// Deploys it with this limit; another text makes another revision.
async fn deploy(platform: &TestPlatform, text: &str, limit: Option<&str>) {
    let code = format!("{HELLO}# {text}\n");
    let manifest = limit.map(|limit| format!("rate_limit = \"{limit}\"\n")).unwrap_or_default();
    let files = [("function.py", &*code), ("cloudfunc.toml", &*manifest)];
    platform.deploy("hello", &files).await;
}

fn call(platform: &TestPlatform) -> RequestBuilder {
    platform.post("/v1/functions/hello/invoke").header("content-type", "application/json").body("{}")
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// The whole answer, and that it says how long to wait in the header, too.
async fn expect_refused(request: RequestBuilder, calls: &str, seconds: RangeInclusive<u64>) {
    let detail = format!("the function 'hello' has had more than its {calls}");
    let again = request.try_clone().unwrap().send().await.unwrap();
    let header: u64 = again.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds.contains(&header), "{header}");
    assert!(!again.headers().contains_key("cloudfunc-invocation-id"), "{again:?}");
    let (status, mut told) = document(request).await;
    let wait = told.as_object_mut().unwrap().remove("retry_after").unwrap();
    assert!(seconds.contains(&wait.as_u64().unwrap()), "{wait}");
    assert_eq!((status, told), problem(code::RATE_LIMITED, &detail, json!({ "hint": HINT })));
}

/// The number of invocations of which there is a record.
async fn records(platform: &TestPlatform) -> usize {
    let filter = RecordFilter { function: Some(function("hello")), ..RecordFilter::default() };
    platform.client.records(&filter).await.unwrap().items.len()
}

async fn calls_above_the_limit_are_refused_by_whichever_way_they_come(platform: &TestPlatform) {
    deploy(platform, "", Some("3/h")).await;
    for _ in 0..3 {
        assert_eq!(platform.value("hello", "{}").await, "hello");
    }
    // A third of an hour each, from the first call on.
    let wait = 1000..=1200;
    expect_refused(call(platform), "3 calls an hour", wait.clone()).await;
    let background = call(platform).header("prefer", "respond-async");
    expect_refused(background, "3 calls an hour", wait.clone()).await;
    let classic = platform.post("/invoke/hello").body(r#"{"payload": {}}"#);
    expect_refused(classic, "3 calls an hour", wait.clone()).await;
    let schedule = json!({ "function": "hello", "payload": {} }).to_string();
    let schedule = platform.request(Role::Scheduler, Method::POST, "/schedule").body(schedule);
    expect_refused(schedule, "3 calls an hour", wait).await;
    assert_eq!(records(platform).await, 3);
    // Others have limits of their own, or none.
    platform.deploy("other", &[("function.py", HELLO)]).await;
    assert_eq!(platform.value("other", "{}").await, "hello");
}

async fn async_calls_count_and_nothing_is_kept_of_one_that_is_refused(platform: &TestPlatform) {
    deploy(platform, "", Some("2/h")).await;
    for _ in 0..2 {
        assert_eq!(platform.run_async("hello", "{}").await.state, State::Succeeded);
    }
    let store = platform.store().await;
    let before = store.totals().await.unwrap();
    let background = call(platform).header("prefer", "respond-async");
    expect_refused(background, "2 calls an hour", 1500..=1800).await;
    expect_refused(call(platform), "2 calls an hour", 1500..=1800).await;
    assert_eq!(store.totals().await.unwrap(), before);
    assert_eq!(records(platform).await, 2);
    store.close().await;
}

async fn a_deploy_goes_on_counting_unless_it_changes_the_limit(platform: &TestPlatform) {
    deploy(platform, "one", Some("2/h")).await;
    assert_eq!([status(call(platform)).await, status(call(platform)).await], [200, 200]);
    assert_eq!(status(call(platform)).await, 429);
    deploy(platform, "two", Some("2/h")).await;
    assert_eq!(status(call(platform)).await, 429, "another revision with the same limit");
    deploy(platform, "two", Some("1/h")).await;
    assert_eq!([status(call(platform)).await, status(call(platform)).await], [200, 429]);
    expect_refused(call(platform), "1 call an hour", 3000..=3600).await;
    deploy(platform, "two", None).await;
    for _ in 0..5 {
        assert_eq!(status(call(platform)).await, 200);
    }
    // Deleted, its count is gone.
    deploy(platform, "two", Some("1/h")).await;
    assert_eq!([status(call(platform)).await, status(call(platform)).await], [200, 429]);
    platform.client.delete(&function("hello")).await.unwrap();
    deploy(platform, "two", Some("1/h")).await;
    assert_eq!(status(call(platform)).await, 200);
}

async fn a_call_that_is_not_a_valid_one_counts_as_well(platform: &TestPlatform) {
    deploy(platform, "", Some("2/h")).await;
    let wrong = || call(platform).body("{");
    assert_eq!([status(wrong()).await, status(wrong()).await, status(wrong()).await], [400, 400, 429]);
    assert_eq!(status(call(platform)).await, 429);
}

async fn the_commands_say_what_a_program_is_told(platform: &TestPlatform) {
    deploy(platform, "", Some("1/h")).await;
    let (code, stdout, _) = platform.cli(&["show", "hello"]).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("\nrate limit    1/h on each host\n"), "{stdout}");
    let answer = platform.invoke("hello", "{}").await;
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    let (code, stdout, stderr) = platform.cli(&["invoke", "hello", "--json"]).await;
    assert_eq!((code, stdout.as_str()), (5, ""), "{stderr}");
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(
        (&error["code"], &error["detail"], &error["retry_safe"]),
        (
            &json!("rate_limited"),
            &json!("the function 'hello' has had more than its 1 call an hour"),
            &json!(true)
        )
    );
    let seconds = error["retry_after"].as_u64().unwrap();
    assert!((1..=3600).contains(&seconds), "{stderr}");
    let hint = format!("try again in {seconds} s, or raise `rate_limit` in the function's manifest");
    assert_eq!(error["hint"], hint);
}

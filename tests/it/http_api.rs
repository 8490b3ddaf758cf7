//! The front door: who is let in, what is answered to strangers, and what happens when there is too
//! much to do.

use std::time::Duration;

use cloudfunc::{
    app::Role,
    client::Outcome,
    model::{Problem, code},
    settings::Platform,
};
use reqwest::Method;
use serde_json::json;

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, function, json as body, problem},
    },
};

const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";
const UNKNOWN_HINT: &str =
    "it may have been revoked or mistyped; an admin makes another one with 'cloudfunc token create'";
const HOST_HINT: &str =
    "call it by its IP address or localhost, or name the host in CLOUDFUNC_GATEWAY_HOSTS";
const ORIGIN_HINT: &str = "web pages reach functions at the addresses of [http] in their manifests; a server of yours can send this request, without the header Origin";
const SLOW: &str = "import time\n\ndef handler(event):\n    print('begun', event)\n    time.sleep(event)\n    return 'done'\n";

on_stack! {
    light:
    nobody_gets_in_without_a_token_by_a_foreign_name_or_from_a_page
    what_is_not_there_is_said_so
}

async fn nobody_gets_in_without_a_token_by_a_foreign_name_or_from_a_page(platform: &TestPlatform) {
    let http = cloudfunc::http::client().unwrap();
    let hint = |hint: &str| json!({ "hint": hint });
    for role in Role::ALL {
        let url = format!("http://{}/v1/functions", platform.address(role));
        let none = problem(code::UNAUTHORIZED, "the request carries no bearer token", hint(TOKEN_HINT));
        assert_eq!(document(http.get(&url)).await, none, "{role}");
        let (wrong, next) = match role {
            Role::Gateway => ("the request's bearer token is not one of this platform's", UNKNOWN_HINT),
            _ => ("the request's bearer token is not this platform's", TOKEN_HINT),
        };
        let wrong = problem(code::UNAUTHORIZED, wrong, hint(next));
        assert_eq!(document(http.get(&url).bearer_auth("guess")).await, wrong, "{role}");
        if role != Role::Gateway {
            // The public token opens no internal door.
            let public = std::fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
            assert_eq!(document(http.get(&url).bearer_auth(public.trim())).await, wrong, "{role}");
        }
        let foreign =
            platform.request(role, Method::GET, "/v1/functions").header("host", "evil.example");
        let detail = "the Host 'evil.example' is not a name of this server";
        assert_eq!(document(foreign).await, problem(code::FORBIDDEN, detail, hint(HOST_HINT)), "{role}");
        let page = platform.request(role, Method::GET, "/v1/functions");
        let page = document(page.header("origin", "http://localhost:8000")).await;
        let detail = "requests from web pages are not allowed";
        assert_eq!(page, problem(code::FORBIDDEN, detail, hint(ORIGIN_HINT)), "{role}");
    }
}

async fn what_is_not_there_is_said_so(platform: &TestPlatform) {
    let nowhere = document(platform.get("/v2/functions")).await;
    assert_eq!(nowhere, problem(code::ROUTE_NOT_FOUND, "there is no route /v2/functions", json!({})));
    let how = "the method and path of an HTTP request to a function are named by the headers Cloudfunc-Http-Method and Cloudfunc-Http-Path";
    let how = json!({ "hint": how });
    for (method, path, more) in [
        (Method::GET, "/v1/functions/f/invoke", &how),
        (Method::PUT, "/v1/functions/f", &json!({})),
        (Method::POST, "/v1/invocations", &json!({})),
    ] {
        let detail = format!("{path} does not take {method}");
        let answer = document(platform.request(Role::Gateway, method, path)).await;
        assert_eq!(answer, problem(code::METHOD_NOT_ALLOWED, &detail, more.clone()));
    }
    let detail = "unknown parameter 'page'; this route takes none";
    let asked = document(platform.post("/v1/functions/f/invoke?page=2")).await;
    assert_eq!(asked, problem(code::BAD_REQUEST, detail, how));
    let id = "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f";
    let hint = "'cloudfunc invocation list' shows the newest; records are deleted after some days";
    let (status, answer) = document(platform.get(&format!("/v1/invocations/{id}"))).await;
    let detail = format!("there is no invocation {id}");
    let expected = problem(code::INVOCATION_NOT_FOUND, &detail, json!({ "hint": hint }));
    assert_eq!((status, answer), expected);
}

/// A platform of its own whose settings are changed first.
async fn changed(test: &str, stack: Stack, change: impl FnOnce(&mut Platform)) -> Option<TestPlatform> {
    TestPlatform::start_with(stack, &format!("http_api::{test}"), change).await
}

#[tokio::test]
async fn a_gateway_may_be_called_by_the_names_of_its_settings() {
    let change = |platform: &mut Platform| platform.gateway_hosts = vec!["faas.example".to_owned()];
    let test = "a_gateway_may_be_called_by_the_names_of_its_settings";
    let Some(platform) = changed(test, Stack::LIGHT, change).await else { return };
    let called = |role, name| platform.request(role, Method::GET, "/v1/functions").header("host", name);
    let empty = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(called(Role::Gateway, "faas.example:8000")).await, empty);
    assert_eq!(document(called(Role::Gateway, "evil.example")).await.0, 403);
    assert_eq!(document(called(Role::Registry, "faas.example")).await.0, 403);
    platform.stop().await;
}

#[tokio::test]
async fn a_gateway_whose_registry_is_away_is_not_ready_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let test = "http_api::a_gateway_whose_registry_is_away_is_not_ready_and_says_so";
    let (mut platform, _) =
        crate::support::platform::settings(Stack::LIGHT, folder.path(), test).unwrap();
    // Ports that nobody listens on: taken and given back.
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    (platform.addresses.registry, platform.addresses.scheduler) = (free(), free());
    let host = cloudfunc::app::Host::bind(&[Role::Gateway], &platform).await.unwrap();
    let gateway = host.platform().addresses.gateway;
    let shutdown = cloudfunc::shutdown::Shutdown::default();
    let running = tokio::spawn(host.run(shutdown.clone()));
    let http = cloudfunc::http::client().unwrap();
    let response = http.get(format!("http://{gateway}/readyz")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let health: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let expected = json!({
        "platform": platform.name, "role": "gateway", "version": env!("CARGO_PKG_VERSION"), "ready": false,
        "waiting_for": "the registry: it does not answer", "backends": [],
    });
    assert_eq!(health, expected);
    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
}

/// With a function that has one slot, warm.
async fn with_one_slot(
    test: &str,
    stack: Stack,
    change: impl FnOnce(&mut Platform),
) -> Option<TestPlatform> {
    let platform = changed(test, stack, change).await?;
    let one = ("cloudfunc.toml", "[scaling]\nmax_instances = 1\n");
    platform.deploy("slow", &[("function.py", SLOW), one]).await;
    // Async, since a cold start may take longer than a sync call waits here.
    platform.run_async("slow", "0").await;
    Some(platform)
}

fn expect_throttled(problem: Problem, detail: &str) {
    // One that was turned away at the door has no record, and so no id.
    let expected = Problem { invocation_id: problem.invocation_id, ..Problem::new(code::THROTTLED, detail) }
        .retry_after(1)
        .hint(
            "try again later, raise [scaling] max_instances (or concurrency, if the function mostly waits), or invoke it \
             asynchronously; 'cloudfunc status' shows whether a manager is running",
        );
    assert_eq!(problem, expected);
}

async fn queue_wait_passes(test: &str, stack: Stack) {
    let change = |platform: &mut Platform| platform.limits.queue_wait = Duration::from_millis(500);
    let Some(platform) = with_one_slot(test, stack, change).await else { return };
    let slot = platform.invoke("slow", "4");
    let refused = async {
        running(&platform, "4").await;
        let response = platform.post("/v1/functions/slow/invoke").body("0").send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.status(), 429);
        let problem = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let problem: Problem = problem;
        assert!(problem.invocation_id.is_some());
        expect_throttled(problem, "no instance of 'slow' became free within 500 ms");
    };
    let (slot, ()) = tokio::join!(slot, refused);
    assert!(matches!(slot.outcome, Outcome::Value(_)), "{slot:?}");
    platform.stop().await;
}

#[tokio::test]
async fn a_call_that_waits_too_long_for_a_slot_is_throttled_light() {
    queue_wait_passes("a_call_that_waits_too_long_for_a_slot_is_throttled_light", Stack::LIGHT).await;
}

#[tokio::test]
async fn a_call_that_waits_too_long_for_a_slot_is_throttled_real() {
    queue_wait_passes("a_call_that_waits_too_long_for_a_slot_is_throttled_real", Stack::REAL).await;
}

#[tokio::test]
async fn more_waiting_calls_than_the_limit_are_throttled_at_once() {
    let test = "more_waiting_calls_than_the_limit_are_throttled_at_once";
    let change = |platform: &mut Platform| platform.limits.max_waiting = 2;
    let Some(platform) = with_one_slot(test, Stack::LIGHT, change).await else { return };
    // One runs and two wait; the fourth is one too many.
    let name = function("slow");
    let calls = (0..4).map(|_| platform.client.invoke(&name, body("1")));
    let answers = futures_util::future::join_all(calls).await;
    let (done, mut refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (3, 1));
    let Some(Err(cloudfunc::client::Error::Problem(problem))) = refused.pop() else {
        panic!("no problem");
    };
    expect_throttled(*problem, "2 invocations of 'slow' are waiting already");
    platform.stop().await;
}

#[tokio::test]
async fn a_call_that_is_turned_away_costs_no_look_at_its_payload() {
    let test = "a_call_that_is_turned_away_costs_no_look_at_its_payload";
    let change = |platform: &mut Platform| platform.limits.max_waiting = 0;
    let Some(platform) = with_one_slot(test, Stack::LIGHT, change).await else { return };
    let refused = async {
        running(&platform, "2").await;
        let name = function("slow");
        let refused = platform.client.invoke(&name, body("{")).await;
        let Err(cloudfunc::client::Error::Problem(problem)) = refused else { panic!("{refused:?}") };
        expect_throttled(*problem, "0 invocations of 'slow' are waiting already");
    };
    let (slot, ()) = tokio::join!(platform.invoke("slow", "2"), refused);
    assert!(matches!(slot.outcome, Outcome::Value(_)), "{slot:?}");
    platform.stop().await;
}

#[tokio::test]
async fn a_backlog_is_bounded_in_invocations_and_in_bytes() {
    let test = "a_backlog_is_bounded_in_invocations_and_in_bytes";
    let change = |platform: &mut Platform| platform.limits.max_backlog_size = 12;
    let Some(mut platform) = with_one_slot(test, Stack::LIGHT, change).await else { return };
    let name = function("slow");
    let refused = async |platform: &TestPlatform, payload: &str, told: &str| {
        let refused = platform.client.invoke_async(&name, body(payload)).await;
        let Err(cloudfunc::client::Error::Problem(problem)) = refused else { panic!("{refused:?}") };
        assert_eq!((&*problem.code, problem.status), (code::OVERLOADED.code, 503));
        assert_eq!((&*problem.detail, problem.retry_after), (told, Some(5)));
    };
    let told = "the payloads of async invocations that are waiting already take up the limit of 12 B";
    refused(&platform, "0.00000000001", told).await;
    platform.client.invoke_async(&name, body("0")).await.unwrap();
    platform.platform.limits.max_backlog = 0;
    platform.restart().await;
    refused(&platform, "0", "0 async invocations are waiting already").await;
    refused(&platform, "{", "0 async invocations are waiting already").await;
    assert_eq!(platform.store().await.totals().await.unwrap().accepted, 2);
    platform.stop().await;
}

/// Waits until the call with this payload has begun to run.
async fn running(platform: &TestPlatform, payload: &str) {
    let line = format!("\"line\":\"begun {payload}\"");
    eventually("a call is running", || async {
        let logs = platform.get("/v1/functions/slow/logs").send().await.unwrap();
        logs.text().await.unwrap().contains(&line).then_some(())
    })
    .await;
}

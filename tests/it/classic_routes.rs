//! The classic routes (`/deploy`, `/invoke`, `/functions`, `/schedule`), with the exact JSON that they answer.

use cloudfunc::{app::Role, model::code};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, document, function, problem},
    },
};

const HELLO: &str = include_str!("../../functions/hello_fn/function.py");

on_stack! {
    all:
    an_invocation_is_accepted_at_once_and_done_later
    the_registry_shows_a_function_and_whether_it_is_warm
}

mod containers {
    use super::*;

    on_stack! {
        real:
        an_image_is_registered_under_a_name_and_invoked
    }
}

async fn ask(
    platform: &TestPlatform,
    role: Role,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    document(platform.request(role, method, path).body(body.to_string())).await
}

async fn value_of(platform: &TestPlatform, id: &str) -> String {
    eventually("the invocation is done", || async {
        let response = platform.get(&format!("/v1/invocations/{id}/result")).send().await.unwrap();
        (response.status() == 200).then_some(response)
    })
    .await
    .text()
    .await
    .unwrap()
}

/// The same with the id, which `document` would hide.
async fn accepted(platform: &TestPlatform, role: Role, path: &str, body: Value) -> (Value, String) {
    let response = platform.request(role, Method::POST, path).body(body.to_string()).send().await;
    let response = response.unwrap();
    assert_eq!(response.status(), 202);
    let mut value: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let id = value.as_object_mut().unwrap().remove("id").unwrap();
    (value, id.as_str().unwrap().to_owned())
}

async fn an_invocation_is_accepted_at_once_and_done_later(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let alice = json!({ "payload": { "name": "Alice" } });
    let (answer, id) = accepted(platform, Role::Gateway, "/invoke/hello_fn", alice).await;
    assert_eq!(answer, json!({ "message": "Function hello_fn invoked", "function": "hello_fn" }));
    assert_eq!(value_of(platform, &id).await, "Hello Alice!");

    let (_, id) = accepted(platform, Role::Gateway, "/invoke/hello_fn", json!({})).await;
    assert_eq!(value_of(platform, &id).await, "Hello World!");
    let invalid = document(platform.post("/invoke/hello_fn").body("{\"payload\": nope}")).await;
    let detail = "the body is not valid JSON: expected a value, found 'n' at line 1 column 13 (byte 12)";
    let hint = json!({ "hint": r#"send {"payload": …}, where the payload is any JSON"# });
    assert_eq!(invalid, problem(code::INVALID_JSON, detail, hint));

    eventually("the instance is known", || async {
        (!platform.sandboxes("hello_fn").await.is_empty()).then_some(())
    })
    .await;
    let bob = json!({ "function": "hello_fn", "payload": { "name": "Bob" } });
    let (answer, id) = accepted(platform, Role::Scheduler, "/schedule", bob).await;
    let expected =
        json!({ "message": "Function hello_fn scheduled", "function": "hello_fn", "warm": true });
    assert_eq!(answer, expected);
    assert_eq!(value_of(platform, &id).await, "Hello Bob!");
    let stranger = json!({ "function": "stranger" });
    assert_eq!(ask(platform, Role::Scheduler, Method::POST, "/schedule", stranger).await.0, 404);

    let health = document(platform.get("/health")).await;
    assert_eq!(health, (200, json!({ "status": "healthy" })));
}

async fn the_registry_shows_a_function_and_whether_it_is_warm(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let image = platform.client.function(&function("hello_fn")).await.unwrap().image;
    let show = || ask(platform, Role::Registry, Method::GET, "/functions/hello_fn", json!({}));
    let shown = |warm: bool| {
        (200, json!({ "name": "hello_fn", "image": image, "runtime": "python", "is_warm": warm }))
    };
    assert_eq!(show().await, shown(false));
    for warm in [true, false] {
        let body = json!({ "is_warm": warm });
        let path = "/functions/hello_fn/warm";
        let answer = ask(platform, Role::Registry, Method::PATCH, path, body).await;
        assert_eq!(answer, (200, json!({ "message": "Function hello_fn updated", "is_warm": warm })));
        assert_eq!(show().await, shown(warm));
    }
    assert_eq!(platform.value("hello_fn", "{}").await, "Hello World!");
    eventually("a live instance makes it warm", || async {
        (show().await == shown(true)).then_some(())
    })
    .await;
    let path = "/functions/stranger/warm";
    let answer = ask(platform, Role::Registry, Method::PATCH, path, json!({ "is_warm": true })).await;
    assert_eq!(answer.0, 404);
}

async fn an_image_is_registered_under_a_name_and_invoked(platform: &TestPlatform) {
    let manifest = ("cloudfunc.toml", "package = \"image\"\n");
    let built = platform.deploy("built", &[("function.py", HELLO), manifest]).await;
    assert!(built.image.starts_with("cloudfunc/built:"), "{}", built.image);
    assert_eq!(platform.value("built", r#"{"name":"Eve"}"#).await, "Hello Eve!");

    for (role, path, name) in
        [(Role::Gateway, "/deploy", "greeter"), (Role::Registry, "/functions", "greeter_too")]
    {
        let body = json!({ "name": name, "image": built.image, "runtime": "python" });
        let answer = ask(platform, role, Method::POST, path, body).await;
        let message = format!("Function {name} deployed");
        assert_eq!(answer, (201, json!({ "message": message, "name": name, "revision": 1 })));
        assert_eq!(platform.value(name, r#"{"name":"Eve"}"#).await, "Hello Eve!");
    }
    let missing = json!({ "name": "absent", "image": "cloudfunc/absent:0", "runtime": "python" });
    let (status, answer) = ask(platform, Role::Gateway, Method::POST, "/deploy", missing).await;
    assert_eq!((status, &answer["code"]), (422, &json!("build_failed")), "{answer}");
}

//! Tokens for some functions: what their holders see of invocations and logs, by the gateway and by the scheduler itself.

use std::time::Duration;

use cloudfunc::{
    app::Role,
    client::Outcome,
    http::caller_header,
    model::{Caller, InvocationId, TokenRole, api::header, code},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, document, function, json as payload, problem},
    },
};

const HELLO: &str = "def handler(event):\n    print('a line')\n    return 'hello'\n";

on_stack! {
    light:
    lists_and_logs_need_one_of_its_functions
    an_invocation_of_another_function_is_as_if_it_did_not_exist
    one_that_is_under_way_is_not_told_of_either
    a_part_of_an_id_finds_only_those_of_its_functions
    a_part_of_many_ids_of_others_finds_its_own
}

/// A way to ask as the holder of a token for the functions `mine_*`.
enum Way {
    /// By the gateway, with the token.
    Gateway(String),
    /// The scheduler itself, with the header that the gateway sends.
    Scheduler,
}

impl Way {
    async fn both(platform: &TestPlatform) -> [Self; 2] {
        let new = json!({ "name": "ci", "role": "deploy", "functions": ["mine_*"] });
        let made = platform.post("/v1/tokens").json(&new).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        [Self::Gateway(made["token"].as_str().unwrap().to_owned()), Self::Scheduler]
    }

    fn get(&self, platform: &TestPlatform, path: &str) -> RequestBuilder {
        match self {
            Self::Gateway(token) => {
                let url = format!("http://{}{path}", platform.address(Role::Gateway));
                cloudfunc::http::client().unwrap().get(url).bearer_auth(token)
            }
            Self::Scheduler => {
                let caller = Caller {
                    name: "token ci".to_owned(),
                    role: TokenRole::Deploy,
                    functions: vec!["mine_*".parse().unwrap()],
                    from: None,
                };
                let request = platform.request(Role::Scheduler, Method::GET, path);
                request.header(header::CALLER, caller_header(&caller))
            }
        }
    }

    async fn status(&self, platform: &TestPlatform, path: &str) -> u16 {
        self.get(platform, path).send().await.unwrap().status().as_u16()
    }
}

/// `mine_a` and `other`, each invoked once: the ids.
async fn with_two_functions(platform: &TestPlatform) -> (InvocationId, InvocationId) {
    for name in ["mine_a", "other"] {
        platform.deploy(name, &[("function.py", HELLO)]).await;
    }
    (invoked(platform, "mine_a").await, invoked(platform, "other").await)
}

/// Once its record is in the store.
async fn invoked(platform: &TestPlatform, name: &str) -> InvocationId {
    let answer = platform.invoke(name, "{}").await;
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    let store = platform.store().await;
    eventually("its record is stored", || async { store.record(answer.id).await.unwrap() }).await;
    store.close().await;
    answer.id
}

/// Status and text of an answer.
async fn text(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn lists_and_logs_need_one_of_its_functions(platform: &TestPlatform) {
    let (mine, _) = with_two_functions(platform).await;
    let all = problem(
        code::FORBIDDEN,
        "the token 'ci' is for the functions mine_*, and this request is about all functions",
        json!({ "hint": "name one that it is for, with ?function=" }),
    );
    let not_for = |name: &str| {
        let detail = format!("the token 'ci' is for the functions mine_*, and not for '{name}'");
        let hint = format!(
            "an admin makes a token for it with 'cloudfunc token create NAME --role deploy --function {name}'"
        );
        problem(code::FORBIDDEN, &detail, json!({ "hint": hint }))
    };
    for way in Way::both(platform).await {
        let ask = async |path: &str| document(way.get(platform, path)).await;
        for path in ["/v1/invocations", "/v1/invocations?state=succeeded", "/v1/logs"] {
            assert_eq!(ask(path).await, all, "{path}");
        }
        for path in ["/v1/invocations?function=other", "/v1/logs?function=other"] {
            assert_eq!(ask(path).await, not_for("other"), "{path}");
        }
        // Whether it exists is not told.
        assert_eq!(ask("/v1/invocations?function=nowhere").await, not_for("nowhere"));
        let both = "function=mine_a&function=other";
        assert_eq!(ask(&format!("/v1/logs?{both}")).await, not_for("other"));
        let path = "/v1/functions/mine_a/logs?function=other";
        assert_eq!(ask(path).await, not_for("other"));
        assert_eq!(way.status(platform, "/v1/functions/other/logs").await, 403);

        let (status, page) = text(way.get(platform, "/v1/invocations?function=mine_a")).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 1), "{page}");
        assert_eq!(page["items"][0]["id"], mine.to_string());
        for path in ["/v1/logs?function=mine_a", "/v1/functions/mine_a/logs"] {
            let lines = eventually("its line is stored", || async {
                let (status, lines) = text(way.get(platform, path)).await;
                assert_eq!(status, 200, "{path}: {lines}");
                (!lines.is_empty()).then_some(lines)
            })
            .await;
            let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
            assert_eq!(line["function"], "mine_a", "{path}");
            assert!(!lines.contains("\"other\""), "{path}: {lines}");
        }
    }
}

async fn an_invocation_of_another_function_is_as_if_it_did_not_exist(platform: &TestPlatform) {
    let (mine, other) = with_two_functions(platform).await;
    let unknown = InvocationId::new();
    for way in Way::both(platform).await {
        for (before, after) in [
            ("/v1/invocations/", ""),
            ("/v1/invocations/", "?wait=30s"),
            ("/v1/invocations/", "/result"),
            ("/v1/logs?function=mine_a&invocation=", ""),
            ("/v1/functions/mine_a/logs?invocation=", ""),
        ] {
            // In the same words, whichever invocation it is about.
            let answer = async |id: &str| {
                let (status, told) = text(way.get(platform, &format!("{before}{id}{after}"))).await;
                (status, told.replace(id, "<it>"))
            };
            let told = answer(&other.to_string()).await;
            assert_eq!(told, answer(&unknown.to_string()).await, "{before}…{after}");
            assert_eq!(told.0, 404, "{told:?}");
            assert!(told.1.contains("there is no invocation <it>"), "{told:?}");
            assert_eq!(answer(&mine.to_string()).await.0, 200, "{before}…{after}");
            // The ends of ids.
            let end = |id: InvocationId| id.0.simple().to_string()[20..].to_owned();
            let told = answer(&end(other)).await;
            assert_eq!(told, answer(&end(unknown)).await, "{before}…{after}");
            assert_eq!(told.0, 404, "{told:?}");
            assert_eq!(answer(&end(mine)).await.0, 200, "{before}…{after}");
        }
        // A cursor is a place in a list, and tells nothing of what is there.
        let list = format!("/v1/invocations?function=mine_a&cursor={other}");
        let (status, page) = document(way.get(platform, &list)).await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 1), "{page}");
    }
    // The file's token sees both.
    for id in [mine, other] {
        let path = format!("/v1/invocations/{id}");
        assert_eq!(platform.get(&path).send().await.unwrap().status(), 200);
    }
}

async fn one_that_is_under_way_is_not_told_of_either(platform: &TestPlatform) {
    let code = "import time\n\ndef handler(event):\n    time.sleep(event)\n";
    platform.deploy("other", &[("function.py", code)]).await;
    platform.deploy("mine_a", &[("function.py", HELLO)]).await;
    let ways = Way::both(platform).await;
    let slow = async { platform.invoke("other", "3").await };
    let look = async {
        let id = eventually("it is under way", || async {
            let page = platform.client.records(&Default::default()).await.unwrap();
            page.items.first().map(|record| record.id)
        })
        .await;
        for way in &ways {
            let path = format!("/v1/invocations/{id}");
            assert_eq!(way.status(platform, &path).await, 404);
            assert_eq!(way.status(platform, &format!("{path}/result")).await, 404);
        }
        // It is told of to those who may know.
        let record = platform.client.record(id, Some(Duration::ZERO)).await.unwrap();
        assert!(!record.state.is_terminal(), "{record:?}");
        id
    };
    let (answer, id) = tokio::join!(slow, look);
    assert_eq!(answer.id, id);
}

/// The digits that both ids begin with.
fn common(one: InvocationId, other: InvocationId) -> String {
    let (one, other) = (one.0.simple().to_string(), other.0.simple().to_string());
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
}

async fn a_part_of_an_id_finds_only_those_of_its_functions(platform: &TestPlatform) {
    let (mine, other) = with_two_functions(platform).await;
    let part = common(mine, other);
    let path = format!("/v1/invocations/{part}");
    let (status, told) = text(platform.get(&path)).await;
    assert!(status == 400 && told.contains(&other.to_string()), "{status} {told}");
    let ways = Way::both(platform).await;
    for way in &ways {
        let (status, told) = text(way.get(platform, &path)).await;
        let record: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((status, &record["id"]), (200, &json!(mine)), "{told}");
    }
    // With two of its own, it is told of these and of no others.
    let second = invoked(platform, "mine_a").await;
    // Both begin `mine`: the lesser one is the shorter one.
    let part = common(mine, second).min(part);
    for way in &ways {
        let (status, told) = text(way.get(platform, &format!("/v1/invocations/{part}"))).await;
        assert_eq!(status, 400, "{told}");
        let expected = format!("'{part}' is part of the ids of several invocations: {second}, {mine}");
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["detail"], expected);
    }
}

async fn a_part_of_many_ids_of_others_finds_its_own(platform: &TestPlatform) {
    let (mine, other) = with_two_functions(platform).await;
    let name = function("other");
    let calls = (0..99).map(|_| platform.client.invoke_async(&name, payload("{}")));
    for accepted in futures_util::future::join_all(calls).await {
        accepted.unwrap();
    }
    let part = common(mine, other)[..5].to_owned();
    for way in Way::both(platform).await {
        let (status, told) = text(way.get(platform, &format!("/v1/invocations/{part}"))).await;
        let record: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((status, &record["id"]), (200, &json!(mine)), "{told}");
    }
    // All end before the platform does.
    eventually("all have ended", || async {
        let store = platform.store().await;
        let totals = store.totals().await.unwrap();
        store.close().await;
        (totals.accepted == totals.terminal).then_some(())
    })
    .await;
}

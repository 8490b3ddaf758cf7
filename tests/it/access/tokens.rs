//! Tokens by HTTP: from their making to their end, and what is said of wrong requests.

use std::time::Duration;

use cloudfunc::{
    app::Role,
    model::{Digest, TokenName, code},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{REVOKED_WITHIN, is_refused_within, make, revoke, rotate, status, text};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, problem, redact},
    },
};

on_stack! {
    light:
    a_token_is_made_used_rotated_and_revoked
    tokens_are_listed_page_by_page
    wrong_requests_about_tokens_are_told_what_is_accepted
    what_the_gateway_asks_the_registry_is_not_passed_on
    the_registry_tells_the_gateway_what_a_digest_stands_for
}

async fn tokens(platform: &TestPlatform) -> Vec<Value> {
    let (status, page) = document(platform.get("/v1/tokens")).await;
    assert_eq!((status, &page["next"]), (200, &Value::Null));
    page["items"].as_array().unwrap().clone()
}

async fn a_token_is_made_used_rotated_and_revoked(platform: &TestPlatform) {
    let gateway = platform.address(Role::Gateway);
    let new = json!({
        "name": "ci", "role": "deploy", "functions": ["team_*"], "rate_limit": "100/s", "expires_in_s": 3600,
    });
    let answer = platform.post("/v1/tokens").json(&new).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut made: Value = answer.json().await.unwrap();
    let first = text(made.clone());
    assert!(first.starts_with("cf_") && first.len() == 46, "{first}");
    made.as_object_mut().unwrap().remove("token");
    redact("", &mut made);
    let created_by = made["created_by"].as_str().unwrap().to_owned();
    assert!(created_by.starts_with("token file"), "{created_by}");
    let expected = json!({
        "name": "ci", "role": "deploy", "functions": ["team_*"], "rate_limit": "100/s",
        "created_by": created_by, "created_at": "<moment>", "expires_at": "<moment>", "expired": false,
        "last_used_at": null,
    });
    assert_eq!(made, expected);
    assert_eq!(tokens(platform).await, [expected], "and no list shows its text");

    assert_eq!(status(gateway, &first).await, 200);
    eventually("its use is noted", || async {
        let listed = tokens(platform).await;
        (listed[0]["last_used_at"] == "<moment>").then_some(())
    })
    .await;
    let second = rotate(platform, "ci", None).await;
    assert_ne!(first, second);
    assert_eq!(status(gateway, &second).await, 200);
    is_refused_within(REVOKED_WITHIN, gateway, &first).await;
    assert_eq!(tokens(platform).await[0]["role"], "deploy", "its rights are the same");

    revoke(platform, "ci").await;
    is_refused_within(REVOKED_WITHIN, gateway, &second).await;
    assert_eq!(tokens(platform).await, Vec::<Value>::new());
    // The name is free again, for a token that is another one.
    let third = make(platform, json!({ "name": "ci", "role": "invoke" })).await;
    assert_eq!(status(gateway, &third).await, 200);
    assert_eq!(status(gateway, &second).await, 401);
}

async fn tokens_are_listed_page_by_page(platform: &TestPlatform) {
    for name in ["e", "a", "d", "b", "c"] {
        make(platform, json!({ "name": name, "role": "invoke" })).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|token| token["name"].as_str().unwrap().to_owned()).collect()
    };
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = document(platform.get(&format!("/v1/tokens?limit=2{cursor}"))).await;
        pages.push(names(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: [&[&str]; 3] = [&["a", "b"], &["c", "d"], &["e"]];
    assert_eq!(pages, expected);
    let (_, all) = document(platform.get("/v1/tokens")).await;
    assert_eq!(names(&all), ["a", "b", "c", "d", "e"]);
}

const SHAPE: &str = r#"send {"name": "ci", "role": "deploy"}, with "functions": ["team_*"], "expires_in_s": 3600 and "rate_limit": "100/s" if you like"#;

async fn wrong_requests_about_tokens_are_told_what_is_accepted(platform: &TestPlatform) {
    make(platform, json!({ "name": "deployer", "role": "deploy" })).await;
    let post = async |body: Value| document(platform.post("/v1/tokens").json(&body)).await;
    let bad = |detail: &str, hint: &str| problem(code::BAD_REQUEST, detail, json!({ "hint": hint }));
    let taken = "'cloudfunc token rotate deployer' gives it a new value; 'cloudfunc token revoke deployer' makes room for a \
                 new one";
    assert_eq!(
        post(json!({ "name": "deployer", "role": "admin" })).await,
        problem(code::CONFLICT, "there is a token 'deployer' already", json!({ "hint": taken }))
    );
    let admin = "leave out the functions, or make it a deploy or an invoke token";
    assert_eq!(
        post(json!({ "name": "x", "role": "admin", "functions": ["f"] })).await,
        bad("an admin token is for all functions", admin)
    );
    for seconds in [0, 315_360_001] {
        let detail = format!("expires_in_s is {seconds}; accepted are 1 to 315360000, ten years");
        let answer = post(json!({ "name": "x", "role": "invoke", "expires_in_s": seconds })).await;
        assert_eq!(answer, bad(&detail, "leave it out for a token that does not expire"));
    }
    let many = vec!["f"; 65];
    let detail = "the token is for 65 patterns of functions; at most 64 are accepted";
    let answer = post(json!({ "name": "x", "role": "invoke", "functions": many })).await;
    assert_eq!(answer, problem(code::BAD_REQUEST, detail, json!({})));
    for (body, what) in [
        (r#"{"name":"X","role":"invoke"}"#, "invalid token name 'X': it has an upper-case letter; "),
        (
            r#"{"name":"x","role":"boss"}"#,
            "unknown variant `boss`, expected one of `invoke`, `deploy`, `admin`",
        ),
        (r#"{"name":"x","role":"invoke","functions":["A"]}"#, "'A' is not a pattern for functions; "),
        (r#"{"name":"x","role":"invoke","rate_limit":"9"}"#, "'9' is not a rate; "),
        (
            r#"{"name":"x","role":"invoke","expires_in_s":-1}"#,
            "invalid value: integer `-1`, expected u64",
        ),
        (r#"{"name":"x","role":"invoke","functon":[]}"#, "unknown field `functon`"),
    ] {
        let (status, answer) = document(platform.post("/v1/tokens").body(body)).await;
        assert_eq!((status, answer["hint"].as_str()), (400, Some(SHAPE)));
        let expected = format!("the body is not as this route takes it: {what}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.starts_with(&expected), "{detail}");
    }

    let near = json!({ "hint": "did you mean 'deployer'?" });
    let not_found = problem(code::TOKEN_NOT_FOUND, "there is no token 'deployr'", near);
    let request = |method, path| platform.request(Role::Gateway, method, path);
    assert_eq!(document(request(Method::DELETE, "/v1/tokens/deployr")).await, not_found);
    assert_eq!(document(platform.post("/v1/tokens/deployr/rotate")).await, not_found);
    let hint =
        "'cloudfunc token list' shows the tokens; that of a host's file 'token' is not one of them";
    let file = problem(code::TOKEN_NOT_FOUND, "there is no token 'file'", json!({ "hint": hint }));
    assert_eq!(document(request(Method::DELETE, "/v1/tokens/file")).await, file);
    let detail = "invalid token name 'A': it has an upper-case letter; a name is lower-case letters and digits, joined by \
                  single '_' or '-', at most 63 characters";
    let invalid = problem(code::INVALID_NAME, detail, json!({}));
    assert_eq!(document(request(Method::DELETE, "/v1/tokens/A")).await, invalid);
    let long = platform.post("/v1/tokens/deployer/rotate").json(&json!({ "keep_old_s": 604_801 }));
    let detail = "keep_old_s is 604801; accepted are 0 to 604800, a week";
    assert_eq!(document(long).await, problem(code::BAD_REQUEST, detail, json!({})));
    assert_eq!(tokens(platform).await.len(), 1, "nothing of all this has made or changed one");
}

async fn what_the_gateway_asks_the_registry_is_not_passed_on(platform: &TestPlatform) {
    for (method, path) in [
        (Method::POST, "/internal/v1/known-token"),
        (Method::GET, "/internal/v1/token-changes"),
        (Method::GET, "/internal/v1/http-functions"),
        (Method::POST, "/internal/v1/refusals"),
    ] {
        let answer = document(platform.request(Role::Gateway, method.clone(), path).body("[]")).await;
        let none = problem(code::ROUTE_NOT_FOUND, &format!("there is no route {path}"), json!({}));
        assert_eq!(answer, none);
        // A name that leads out of its route is refused before anything is passed on.
        let around = format!("/v1/tokens/..%2F..{}", path.replace('/', "%2F"));
        let refused = document(platform.request(Role::Gateway, Method::DELETE, &around)).await;
        assert_eq!((refused.0, &refused.1["code"]), (400, &json!("invalid_name")));
    }
}

async fn the_registry_tells_the_gateway_what_a_digest_stands_for(platform: &TestPlatform) {
    let text =
        make(platform, json!({ "name": "ci", "role": "invoke", "functions": ["a", "b_*"] })).await;
    let ask = |body: String| {
        platform.request(Role::Registry, Method::POST, "/internal/v1/known-token").body(body)
    };
    let digest = |text: &str| format!("\"{}\"", Digest::of(text.as_bytes()));
    let known = json!({
        "name": "ci", "role": "invoke", "functions": ["a", "b_*"], "rate_limit": null, "left_ms": null,
        "is_old": false, "expires_at": null,
    });
    assert_eq!(document(ask(digest(&text))).await, (200, known));
    let unknown = problem(code::TOKEN_NOT_FOUND, "no token has this digest", json!({}));
    assert_eq!(document(ask(digest("cf_"))).await, unknown);
    let detail = "the body is not the digest of a token";
    assert_eq!(document(ask(text.clone())).await, problem(code::BAD_REQUEST, detail, json!({})));

    let new = rotate(platform, "ci", Some(json!({ "keep_old_s": 600 }))).await;
    let (_, old) = document(ask(digest(&text))).await;
    assert_eq!((&old["is_old"], &old["expires_at"]), (&json!(true), &json!("<moment>")));
    let left = old["left_ms"].as_u64().unwrap();
    assert!(left <= 600_000 && left > 500_000, "{left}");
    assert_eq!(document(ask(digest(&new))).await.1["is_old"], false);

    // A change ends the wait of who follows them.
    let changes = || platform.request(Role::Registry, Method::GET, "/internal/v1/token-changes");
    let now: Value = changes().send().await.unwrap().json().await.unwrap();
    let known = [
        ("process", now["process"].as_str().unwrap().to_owned()),
        ("generation", now["generation"].to_string()),
    ];
    let waiting = tokio::spawn(changes().query(&known).timeout(Duration::from_secs(15)).send());
    revoke(platform, "ci").await;
    let then: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(then["process"], now["process"]);
    assert!(then["generation"].as_u64() > now["generation"].as_u64(), "{then} after {now}");
}

/// The event of a change may be lost: here nobody sends one.
#[tokio::test]
async fn a_token_whose_end_was_not_announced_is_refused_at_the_next_look() {
    let test = "access::tokens::a_token_whose_end_was_not_announced_is_refused_at_the_next_look";
    let started = TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.limits.token_recheck = Duration::from_millis(500);
        platform.limits.token_age = Duration::from_secs(1);
    });
    let Some(platform) = started.await else { return };
    let gateway = platform.address(Role::Gateway);
    let token = make(&platform, json!({ "name": "ci", "role": "invoke" })).await;
    assert_eq!(status(gateway, &token).await, 200);
    let store = platform.store().await;
    assert!(store.revoke_token(&"ci".parse::<TokenName>().unwrap()).await.unwrap());
    // The looks themselves are its uses: without any, the first one after its age is refused.
    is_refused_within(Duration::from_secs(5), gateway, &token).await;
    store.close().await;
    platform.stop().await;
}

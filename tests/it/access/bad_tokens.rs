//! Tokens that are not accepted, and what is said of each.

use std::time::Duration;

use cloudfunc::{
    app::{Host, Role},
    model::{Digest, ProblemCode, TokenRole, code, time},
    shutdown::Shutdown,
    store::AddToken,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::stored::{Stored, text, token_name};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, problem, settings},
    },
};

const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";
const UNKNOWN: &str = "the request's bearer token is not one of this platform's";
const UNKNOWN_HINT: &str =
    "it may have been revoked or mistyped; an admin makes another one with 'cloudfunc token create'";
const LIMIT_HINT: &str = "wait for as long as Retry-After says, or ask an admin for a token with a higher limit: 'cloudfunc token create --rate-limit'";
const CREATE_HINT: &str = "an admin makes another one with 'cloudfunc token create'";
const STATUS_HINT: &str = "'cloudfunc status' shows which roles are running";

on_stack! {
    light:
    a_token_that_is_not_accepted_is_told_why
    a_token_in_an_address_and_a_second_one_are_refused
    what_a_token_may_not_do_is_told_with_what_it_is_for
    requests_that_come_too_fast_are_told_when_to_come_again
    a_token_ends_at_its_time_while_it_is_used
    nobody_else_names_the_caller
    refusals_are_in_the_audit_log_without_tokens
}

fn list(stored: &Stored<'_>) -> RequestBuilder {
    stored.request(Method::GET, "/v1/functions")
}

fn refused(code: ProblemCode, detail: &str, hint: &str) -> (u16, Value) {
    problem(code, detail, json!({ "hint": hint }))
}

async fn a_token_that_is_not_accepted_is_told_why(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let none = refused(code::UNAUTHORIZED, "the request carries no bearer token", TOKEN_HINT);
    assert_eq!(document(list(&stored)).await, none);
    for header in ["Bearer", "Token x", ""] {
        let request = list(&stored).header("authorization", header);
        assert_eq!(document(request).await, none, "{header}");
    }
    let basic = "the request's Authorization is Basic, a user and a password, and no bearer token";
    let request = list(&stored).header("authorization", "Basic YTpi");
    assert_eq!(document(request).await, refused(code::UNAUTHORIZED, basic, TOKEN_HINT));
    let hint = "send a token of the platform's own: an admin makes one with 'cloudfunc token create'; docs/oidc.md says how JWTs are accepted";
    let jwt = refused(code::UNAUTHORIZED, "this platform accepts no JWTs", hint);
    assert_eq!(document(list(&stored).bearer_auth("a.b.c")).await, jwt);
    let unknown = refused(code::UNAUTHORIZED, UNKNOWN, UNKNOWN_HINT);
    let revoked = stored.add_revoked("revoked", TokenRole::Admin, &[]).await;
    let long = format!("cf_{}", "x".repeat(10_000));
    let (never, upper) = (text("never made"), revoked.to_uppercase());
    for token in ["guess", never.as_str(), revoked.as_str(), upper.as_str(), long.as_str(), "cf_"] {
        assert_eq!(document(list(&stored).bearer_auth(token)).await, unknown, "{token}");
    }
    let answer = list(&stored).bearer_auth("guess").send().await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let large =
        stored.request(Method::POST, "/v1/tokens").bearer_auth("guess").body(vec![0; 20_000_000]);
    assert_eq!(document(large).await, unknown, "also while it is still sending");

    let expired = stored.add_expired("expired", TokenRole::Admin, &[]).await;
    let ended = async |text: &str| {
        let found = stored.store.token_of(&Digest::of(text.as_bytes())).await.unwrap().unwrap();
        time::text(found.expires_at.unwrap())
    };
    let detail = format!("the token 'expired' expired at {}", ended(&expired).await);
    let told = document(list(&stored).bearer_auth(&expired)).await;
    assert_eq!(told, refused(code::UNAUTHORIZED, &detail, CREATE_HINT));

    let old = stored.add("rotated", TokenRole::Admin, &[]).await;
    let (name, new) = (token_name("rotated"), text("rotated once"));
    let rotated = stored.store.rotate_token(&name, &Digest::of(new.as_bytes()), Duration::ZERO).await;
    assert!(rotated.unwrap().is_some());
    let until = ended(&old).await;
    let detail = format!("this is the previous value of token 'rotated'; it was accepted until {until}");
    let hint = "send the value that 'cloudfunc token rotate' has printed; if that has expired, too, an admin makes another token with 'cloudfunc token create'";
    let told = document(list(&stored).bearer_auth(&old)).await;
    assert_eq!(told, refused(code::UNAUTHORIZED, &detail, hint));
    assert_eq!(document(list(&stored).bearer_auth(&new)).await.0, 200);
    stored.close().await;
}

async fn a_token_in_an_address_and_a_second_one_are_refused(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let token = stored.add("ci", TokenRole::Admin, &[]).await;
    let hint = "revoke that token, and send another one in the header 'Authorization: Bearer <token>'";
    for (query, name) in [
        (format!("token={token}"), "token"),
        (format!("limit=1&ACCESS_TOKEN={token}"), "access_token"),
        (format!("Api_Key={token}"), "api_key"),
        ("key".to_owned(), "key"),
    ] {
        let detail = format!("the address has a token in it ('{name}='), and addresses end up in logs");
        let expected = refused(code::BAD_REQUEST, &detail, hint);
        let request = || stored.request(Method::GET, &format!("/v1/functions?{query}"));
        assert_eq!(document(request()).await, expected, "{query}");
        assert_eq!(document(request().bearer_auth(&token)).await, expected, "{query}");
    }
    let twice = list(&stored).bearer_auth(&token).bearer_auth(&token);
    let detail = "the request has several Authorization headers";
    assert_eq!(document(twice).await, refused(code::BAD_REQUEST, detail, "send one"));
    let both = list(&stored).bearer_auth(&token).header("authorization", "Basic YTpi");
    assert_eq!(document(both).await, refused(code::BAD_REQUEST, detail, "send one"));
    stored.close().await;
}

async fn what_a_token_may_not_do_is_told_with_what_it_is_for(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let token = stored.add("ci", TokenRole::Invoke, &["team_*", "job"]).await;
    let request = |method: Method, path: &str| stored.request(method, path).bearer_auth(&token);
    let hint = "an admin makes a token for it with 'cloudfunc token create NAME --role deploy'";
    let detail = "the token 'ci' has the role invoke, and this needs deploy";
    let expected = refused(code::FORBIDDEN, detail, hint);
    assert_eq!(document(request(Method::DELETE, "/v1/functions/team_a")).await, expected);
    let upload = request(Method::POST, "/v1/functions/team_a/revisions").body(vec![0; 20_000_000]);
    assert_eq!(document(upload).await, expected, "also while it is still sending");

    let hint = "an admin makes a token for it with 'cloudfunc token create NAME --role invoke --function hello'";
    let detail = "the token 'ci' is for the functions team_*, job, and not for 'hello'";
    let expected = refused(code::FORBIDDEN, detail, hint);
    for (method, path) in [
        (Method::POST, "/v1/functions/hello/invoke"),
        (Method::POST, "/v1/functions/%68ello/invoke"),
        (Method::POST, "/invoke/hello"),
        (Method::GET, "/v1/functions/hello"),
    ] {
        assert_eq!(document(request(method, path).body("{}")).await, expected, "{path}");
    }
    let large = request(Method::POST, "/v1/functions/hello/invoke").body(vec![b' '; 20_000_000]);
    assert_eq!(document(large).await, expected, "also while it is still sending");
    assert_eq!(document(request(Method::POST, "/v1/functions/job/invoke").body("{}")).await.0, 404);

    let deploys = stored.add("deployer", TokenRole::Deploy, &["team_*"]).await;
    let classic = |name: &str| {
        let body = json!({ "name": name, "image": "" });
        stored.request(Method::POST, "/deploy").bearer_auth(&deploys).json(&body)
    };
    let hint = "an admin makes a token for it with 'cloudfunc token create NAME --role deploy --function hello'";
    let detail = "the token 'deployer' is for the functions team_*, and not for 'hello'";
    assert_eq!(document(classic("hello")).await, refused(code::FORBIDDEN, detail, hint));
    stored.close().await;
}

async fn requests_that_come_too_fast_are_told_when_to_come_again(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let limit = |new: &mut AddToken| new.rate_limit = Some("3/h".parse().unwrap());
    let token = stored.add_with("ci", TokenRole::Invoke, &[], limit).await;
    // All requests count, also those that are refused for another reason.
    assert_eq!(document(list(&stored).bearer_auth(&token)).await.0, 200);
    let prune = stored.request(Method::POST, "/v1/prune").bearer_auth(&token);
    assert_eq!(document(prune).await.0, 403);
    assert_eq!(document(list(&stored).bearer_auth(&token)).await.0, 200);
    let answer = list(&stored).bearer_auth(&token).send().await.unwrap();
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1100..=1200).contains(&wait), "{wait}");
    let (status, mut told) = document(list(&stored).bearer_auth(&token)).await;
    assert!(told.as_object_mut().unwrap().remove("retry_after").is_some());
    let detail = "the token 'ci' has sent more than its 3 requests an hour";
    assert_eq!((status, told), problem(code::RATE_LIMITED, detail, json!({ "hint": LIMIT_HINT })));
    let large = stored.request(Method::POST, "/v1/tokens").bearer_auth(&token).body(vec![0; 20_000_000]);
    assert_eq!(document(large).await.0, 429, "also while it is still sending");
    let other = stored.add("other", TokenRole::Invoke, &[]).await;
    assert_eq!(document(list(&stored).bearer_auth(&other)).await.0, 200);
    stored.close().await;
}

async fn a_token_ends_at_its_time_while_it_is_used(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let soon = |new: &mut AddToken| new.expires_in = Some(Duration::from_secs(2));
    let token = stored.add_with("short", TokenRole::Invoke, &[], soon).await;
    assert_eq!(document(list(&stored).bearer_auth(&token)).await.0, 200);
    let (status, told) = eventually("the token is over", || async {
        let answer = document(list(&stored).bearer_auth(&token)).await;
        (answer.0 != 200).then_some(answer)
    })
    .await;
    let detail = told["detail"].as_str().unwrap();
    assert!(status == 401 && detail.starts_with("the token 'short' expired at 2"), "{told}");
    stored.close().await;
}

async fn nobody_else_names_the_caller(platform: &TestPlatform) {
    let code = "def handler(event, context):\n    return sorted(context.headers)\n";
    platform.deploy("team_a", &[("function.py", code)]).await;
    let stored = Stored::open(platform).await;
    let token = stored.add("ci", TokenRole::Invoke, &["team_*"]).await;
    let forged = r#"{"name":"internal","role":"admin"}"#;
    let request = |method: Method, path: &str| {
        stored.request(method, path).bearer_auth(&token).header("cloudfunc-caller", forged)
    };
    let all = document(request(Method::GET, "/v1/invocations")).await;
    assert_eq!((all.0, &all.1["code"]), (403, &json!("forbidden")));
    let audit = document(request(Method::GET, "/v1/audit-log")).await;
    assert_eq!((audit.0, &audit.1["code"]), (403, &json!("forbidden")));
    let call = request(Method::POST, "/v1/functions/team_a/invoke").body("{}");
    let (status, seen) = document(call).await;
    let names: Vec<&str> = seen.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(status, 200);
    assert!(
        !names.iter().any(|name| name.starts_with("cloudfunc-") || *name == "authorization"),
        "{names:?}"
    );
    stored.close().await;
}

async fn refusals_are_in_the_audit_log_without_tokens(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let token = stored.add("ci", TokenRole::Invoke, &["team_*"]).await;
    for _ in 0..3 {
        let invoke = stored.request(Method::POST, "/v1/functions/hello/invoke").bearer_auth(&token);
        assert_eq!(document(invoke.body("{}")).await.0, 403);
        assert_eq!(document(list(&stored).bearer_auth(text("never made"))).await.0, 401);
    }
    let secret = format!("/v1/functions/{}", text("in a path"));
    assert_eq!(document(stored.request(Method::GET, &secret)).await.0, 401);
    // The role that answers refuses these.
    for _ in 0..2 {
        let path = "/v1/invocations?function=hello";
        assert_eq!(document(stored.request(Method::GET, path).bearer_auth(&token)).await.0, 403);
    }
    let entries = eventually("the refusals are in the audit log", || async {
        let (status, page) = document(platform.get("/v1/audit-log?outcome=refused")).await;
        assert_eq!(status, 200, "{page}");
        let count = |entry: &Value| entry["count"].as_u64().unwrap();
        let items = page["items"].as_array().unwrap().clone();
        (items.iter().map(count).sum::<u64>() == 9).then_some(items)
    })
    .await;
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains("cf_"), "{text}");
    let listed = entries
        .iter()
        .find(|entry| entry["detail"].as_str().unwrap().starts_with("GET /v1/invocations: "));
    let listed = listed.unwrap_or_else(|| panic!("with its reason: {entries:?}"));
    assert_eq!((&listed["caller"], &listed["target"]), (&json!("token ci"), &json!("hello")));
    let ci = entries
        .iter()
        .find(|entry| entry["detail"].as_str().unwrap().starts_with("POST /v1/functions/"));
    let ci = ci.unwrap_or_else(|| panic!("{entries:?}"));
    assert_eq!(
        (&ci["role"], &ci["target"], &ci["action"]),
        (&json!("invoke"), &json!("hello"), &json!("request"))
    );
    assert_eq!(ci["from"], "127.0.0.1");
    let detail = "POST /v1/functions/{function}/invoke: the token 'ci' is for the functions team_*, and not for 'hello'";
    assert_eq!(ci["detail"], detail);
    let details: Vec<&str> = entries.iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    // Nothing of it is the sender's.
    let unknown = "GET /v1/functions: no valid token";
    assert!(details.contains(&unknown), "{details:?}");
    let none = "GET /v1/functions/{function}: no token";
    assert!(details.contains(&none), "{details:?}");
    stored.close().await;
}

#[tokio::test]
async fn without_the_registry_the_files_token_works_and_others_are_asked_to_come_again() {
    let test = "access::bad_tokens::without_the_registry_the_files_token_works_and_others_are_asked_to_come_again";
    let folder = tempfile::tempdir().unwrap();
    let (mut platform, _) = settings(Stack::LIGHT, folder.path(), test).unwrap();
    // Ports that nobody listens on: taken and given back.
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    (platform.addresses.registry, platform.addresses.scheduler) = (free(), free());
    let host = Host::bind(&[Role::Gateway], &platform).await.unwrap();
    let gateway = host.platform().addresses.gateway;
    let shutdown = Shutdown::default();
    let running = tokio::spawn(host.run(shutdown.clone()));
    let http = cloudfunc::http::client().unwrap();
    let request = |token: &str| http.get(format!("http://{gateway}/v1/functions")).bearer_auth(token);
    let more = json!({ "hint": STATUS_HINT, "retry_after": 1 });
    let detail = "the registry, which knows whose the request's token is, does not answer";
    let expected = problem(code::UNAVAILABLE, detail, more.clone());
    assert_eq!(document(request(&text("ci"))).await, expected);
    let answer = request(&text("ci")).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    // A text that is not one of a token is not asked about.
    assert_eq!(document(request("guess")).await.0, 401);
    let file = std::fs::read_to_string(platform.data_dir.join("token")).unwrap();
    let passed = problem(code::UNAVAILABLE, "the registry does not answer", more);
    assert_eq!(document(request(file.trim())).await, passed, "its request was passed on");
    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
}

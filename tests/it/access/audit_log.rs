//! The audit log: every change leaves an entry, and what is asked of the log is answered.

use cloudfunc::{
    app::Role,
    model::{
        audit::action,
        code,
        route::{self, AnsweredBy, Endpoint},
    },
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{make, rotate, with_token};
use crate::{
    on_stack,
    support::platform::{TestPlatform, document, packed, problem},
};

on_stack! {
    light:
    every_change_leaves_an_entry
    what_changes_nothing_leaves_no_entry
    an_entry_says_who_did_what_to_what_from_where
    entries_are_found_by_what_they_say_and_page_by_page
    refusals_of_a_gateway_are_entries
    wrong_questions_are_told_what_is_accepted
}

const CODE: (&str, &str) = ("function.py", "def handler(event):\n    return 1\n");
const OTHER_CODE: (&str, &str) = ("function.py", "def handler(event):\n    return 2\n");

/// The entries that match, newest first.
async fn entries(platform: &TestPlatform, query: &str) -> Vec<Value> {
    let (status, page) = document(platform.get(&format!("/v1/audit-log?limit=1000{query}"))).await;
    assert_eq!((status, &page["next"]), (200, &Value::Null), "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn newest(platform: &TestPlatform) -> i64 {
    entries(platform, "").await.first().map_or(0, |entry| entry["id"].as_i64().unwrap())
}

/// Makes ready what a route of the registry needs for a change. Returns the request, and the action and target of its entry.
async fn change(
    platform: &TestPlatform,
    of: &Endpoint,
) -> (RequestBuilder, &'static str, Option<&'static str>) {
    let post = |path: &str| platform.post(path);
    let request = |method, path: &str| platform.request(Role::Gateway, method, path);
    match (of.method, of.path) {
        (route::Method::Delete, "/v1/functions/{function}") => {
            platform.deploy("deleted", &[CODE]).await;
            (request(Method::DELETE, "/v1/functions/deleted"), action::DELETE, Some("deleted"))
        }
        (route::Method::Post, "/v1/functions/{function}/revisions") => {
            let upload = post("/v1/functions/deployed/revisions").body(packed(&[CODE]));
            (upload, action::DEPLOY, Some("deployed"))
        }
        (route::Method::Put, "/v1/functions/{function}/active-revision") => {
            platform.deploy("rolled_back", &[CODE]).await;
            platform.deploy("rolled_back", &[OTHER_CODE]).await;
            let back = request(Method::PUT, "/v1/functions/rolled_back/active-revision");
            (back.json(&json!({ "revision": 1 })), action::ACTIVATE, Some("rolled_back"))
        }
        (route::Method::Post, "/v1/prune") => (post("/v1/prune"), action::PRUNE, None),
        (route::Method::Post, "/v1/tokens") => {
            let new = json!({ "name": "made", "role": "invoke" });
            (post("/v1/tokens").json(&new), action::TOKEN_CREATE, Some("made"))
        }
        (route::Method::Delete, "/v1/tokens/{token}") => {
            make(platform, json!({ "name": "revoked", "role": "invoke" })).await;
            (request(Method::DELETE, "/v1/tokens/revoked"), action::TOKEN_REVOKE, Some("revoked"))
        }
        (route::Method::Post, "/v1/tokens/{token}/rotate") => {
            make(platform, json!({ "name": "rotated", "role": "invoke" })).await;
            (post("/v1/tokens/rotated/rotate"), action::TOKEN_ROTATE, Some("rotated"))
        }
        (route::Method::Put, "/v1/secrets/{secret}") => {
            (request(Method::PUT, "/v1/secrets/SET").body("value"), action::SECRET_SET, Some("SET"))
        }
        (route::Method::Delete, "/v1/secrets/{secret}") => {
            let set = request(Method::PUT, "/v1/secrets/DELETED").body("value").send().await.unwrap();
            assert!(set.status().is_success(), "{set:?}");
            (request(Method::DELETE, "/v1/secrets/DELETED"), action::SECRET_DELETE, Some("DELETED"))
        }
        (route::Method::Post, "/v1/secret-key/rotate") => {
            (post("/v1/secret-key/rotate"), action::SECRET_KEY_ROTATE, None)
        }
        _ => panic!("{of:?} is new: say here how it makes a change, and which entry that leaves"),
    }
}

async fn every_change_leaves_an_entry(platform: &TestPlatform) {
    let changing = route::ALL
        .iter()
        .filter(|endpoint| endpoint.by == AnsweredBy::Registry && endpoint.method != route::Method::Get);
    for endpoint in changing {
        let (request, action, target) = change(platform, endpoint).await;
        let before = newest(platform).await;
        let answer = request.send().await.unwrap();
        let (is_done, text) = (answer.status().is_success(), answer.text().await.unwrap());
        assert!(is_done, "{endpoint:?}: {text}");
        // It is there when the change is answered.
        let new: Vec<Value> = entries(platform, "&outcome=done")
            .await
            .into_iter()
            .filter(|entry| entry["id"].as_i64().unwrap() > before)
            .collect();
        let [entry] = &new[..] else { panic!("{endpoint:?} has left {new:?}") };
        assert_eq!((&entry["action"], &entry["outcome"]), (&json!(action), &json!("done")));
        assert_eq!(entry["target"].as_str(), target, "{endpoint:?}");
    }
    // A classic route, which is no row of the table.
    let warm = platform.request(Role::Registry, Method::PATCH, "/functions/deployed/warm");
    assert_eq!(document(warm.body("{\"is_warm\": true}")).await.0, 200);
    let entry = entries(platform, "").await.remove(0);
    assert_eq!((&entry["action"], &entry["target"]), (&json!("report-warm"), &json!("deployed")));
    assert_eq!((&entry["caller"], &entry["detail"]), (&json!("internal"), &json!("is_warm: true")));
}

async fn what_changes_nothing_leaves_no_entry(platform: &TestPlatform) {
    platform.deploy("f", &[CODE]).await;
    let before = newest(platform).await;
    assert!(platform.deploy("f", &[CODE]).await.unchanged);
    let failed = [("function.py", "def handler(:\n")];
    assert!(platform.try_deploy("f", &failed).await.is_err());
    for (method, path, status) in [
        (Method::POST, "/v1/prune?dry_run=true", 200),
        (Method::GET, "/v1/functions/f", 200),
        (Method::GET, "/v1/tokens", 200),
        (Method::DELETE, "/v1/functions/other", 404),
        (Method::DELETE, "/v1/tokens/other", 404),
        (Method::POST, "/v1/tokens/other/rotate", 404),
    ] {
        let answer = platform.request(Role::Gateway, method, path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    assert_eq!(platform.value("f", "{}").await, "1");
    assert_eq!(newest(platform).await, before);
}

async fn an_entry_says_who_did_what_to_what_from_where(platform: &TestPlatform) {
    let gateway = platform.address(Role::Gateway);
    let new = json!({ "name": "ci", "role": "deploy", "functions": ["f*"], "rate_limit": "100/s" });
    let token = make(platform, new).await;
    let upload =
        with_token(gateway, &token, Method::POST, "/v1/functions/f/revisions").body(packed(&[CODE]));
    assert_eq!(upload.send().await.unwrap().status(), 201);
    rotate(platform, "ci", Some(json!({ "keep_old_s": 60 }))).await;
    let mut all = entries(platform, "").await;
    for entry in &mut all {
        assert!(entry["id"].take().is_i64());
    }
    let [rotated, deployed, made] = &all[..] else { panic!("{all:?}") };
    let expected = json!({
        "id": null, "at": deployed["at"], "caller": "token ci", "role": "deploy", "from": "127.0.0.1",
        "action": "deploy", "target": "f", "outcome": "done", "detail": "revision 1", "count": 1,
    });
    assert_eq!(*deployed, expected);
    let at = deployed["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.len() == "2026-01-31T12:00:00.000Z".len(), "{at}");
    assert_eq!(made["detail"], "role deploy for f*, 100/s");
    assert_eq!(rotated["detail"], "the old value is accepted for 1m, too");
    for by_file in [made, rotated] {
        assert!(by_file["caller"].as_str().unwrap().starts_with("token file"), "{by_file}");
        assert_eq!((&by_file["role"], &by_file["target"]), (&json!("admin"), &json!("ci")));
    }
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains(token.strip_prefix("cf_").unwrap()), "no token is in it");
}

async fn entries_are_found_by_what_they_say_and_page_by_page(platform: &TestPlatform) {
    for name in ["a", "b", "c"] {
        make(platform, json!({ "name": name, "role": "invoke" })).await;
    }
    rotate(platform, "b", None).await;
    let targets = |entries: &[Value]| -> Vec<String> {
        entries.iter().map(|entry| entry["target"].as_str().unwrap().to_owned()).collect()
    };
    let all = entries(platform, "").await;
    assert_eq!(targets(&all), ["b", "c", "b", "a"], "the newest first");
    let caller = all[0]["caller"].as_str().unwrap().replace(' ', "%20");
    let moment = all[0]["at"].as_str().unwrap();
    for (query, expected) in [
        ("&action=token-create".to_owned(), vec!["c", "b", "a"]),
        ("&action=token-rotate&target=b".to_owned(), vec!["b"]),
        ("&target=b".to_owned(), vec!["b", "b"]),
        ("&outcome=refused".to_owned(), vec![]),
        (format!("&caller={caller}&since=1h"), vec!["b", "c", "b", "a"]),
        ("&caller=token%20c".to_owned(), vec![]),
        ("&since=2100-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(targets(&entries(platform, &query).await), expected, "{query}");
    }
    let since = entries(platform, &format!("&since={moment}")).await;
    assert_eq!(targets(&since)[0], "b", "an entry of this very moment counts");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = document(platform.get(&format!("/v1/audit-log?limit=3{cursor}"))).await;
        seen.push(targets(page["items"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: [&[&str]; 2] = [&["b", "c", "b"], &["a"]];
    assert_eq!(seen, expected);
}

async fn refusals_of_a_gateway_are_entries(platform: &TestPlatform) {
    let tell = |list: Value| {
        platform.request(Role::Registry, Method::POST, "/internal/v1/refusals").json(&list)
    };
    let refusal = json!({
        "caller": "unknown", "from": "192.0.2.7", "action": "request", "outcome": "refused",
        "detail": "GET /v1/functions\u{1b}[2J", "count": 7,
    });
    assert_eq!(tell(json!([refusal])).send().await.unwrap().status(), 204);
    assert_eq!(tell(json!([])).send().await.unwrap().status(), 204);
    let mut found = entries(platform, "&outcome=refused&action=request").await;
    let entry = found.remove(0);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((&entry["caller"], &entry["count"]), (&json!("unknown"), &json!(7)));
    assert_eq!((&entry["from"], entry.get("role")), (&json!("192.0.2.7"), None));
    assert_eq!(entry["detail"], "GET /v1/functions?[2J", "nothing in it moves a terminal's cursor");
    let (status, wrong) = document(tell(json!({}))).await;
    assert_eq!((status, &wrong["code"]), (400, &json!("bad_request")));
    let detail = wrong["detail"].as_str().unwrap();
    assert!(detail.starts_with("the body is not a list of refusals: invalid type: map, "), "{detail}");
}

async fn wrong_questions_are_told_what_is_accepted(platform: &TestPlatform) {
    let ask = async |query: &str| document(platform.get(&format!("/v1/audit-log?{query}"))).await;
    let bad = |detail: &str, more: Value| problem(code::BAD_REQUEST, detail, more);
    let detail = "'deploi' is not an action of the audit log; accepted are deploy, activate, delete, prune, report-warm, \
                  token-create, token-revoke, token-rotate, secret-set, secret-delete, secret-key-rotate, request";
    assert_eq!(ask("action=deploi").await, bad(detail, json!({ "hint": "did you mean 'deploy'?" })));
    for (query, detail) in [
        ("outcome=failed", "'failed' is not an outcome; accepted are done and refused"),
        ("limit=1001", "limit=1001: must be a whole number from 1 to 1000"),
        ("cursor=x", "'x' is not a cursor: those come from an answer's `next`"),
        ("caller=a&caller=b", "the parameter 'caller' is given more than once"),
        (
            "since=yesterday",
            "since=yesterday: write how long ago, for example 10m, or a moment, for example 2026-01-31T12:00:00Z",
        ),
    ] {
        assert_eq!(ask(query).await, bad(detail, json!({})), "{query}");
    }
}

//! Route × role × token: written out here, and measured at a platform.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use cloudfunc::model::{
    TokenRole::{self, Admin, Deploy, Invoke},
    route,
};
use reqwest::Method;

use self::About::{Document, Nothing, Place, Query};
use super::stored::Stored;
use crate::{on_stack, support::platform::TestPlatform};

/// Where a request names the function that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Nowhere: a token for some functions may use the route, and sees what it reaches.
    Nothing,
    /// In its path.
    Place,
    /// In `?function=`.
    Query,
    /// In its body.
    Document,
}

/// Each route, the least role that may use it, and where its function is named.
const TABLE: [(&str, TokenRole, About); 28] = [
    ("GET /v1/functions", Invoke, Nothing),
    ("GET /v1/functions/{function}", Invoke, Place),
    ("DELETE /v1/functions/{function}", Deploy, Place),
    ("GET /v1/functions/{function}/revisions", Deploy, Place),
    ("POST /v1/functions/{function}/revisions", Deploy, Place),
    ("GET /v1/functions/{function}/build-log", Deploy, Place),
    ("GET /v1/functions/{function}/instances", Deploy, Place),
    ("PUT /v1/functions/{function}/active-revision", Deploy, Place),
    ("POST /v1/prune", Admin, Nothing),
    ("POST /v1/functions/{function}/invoke", Invoke, Place),
    ("GET /v1/functions/{function}/logs", Deploy, Place),
    ("GET /v1/logs", Deploy, Query),
    ("GET /v1/invocations", Invoke, Query),
    ("GET /v1/invocations/{invocation}", Invoke, Nothing),
    ("GET /v1/invocations/{invocation}/result", Invoke, Nothing),
    ("GET /v1/tokens", Admin, Nothing),
    ("POST /v1/tokens", Admin, Nothing),
    ("GET /v1/tokens/{token}", Admin, Nothing),
    ("DELETE /v1/tokens/{token}", Admin, Nothing),
    ("POST /v1/tokens/{token}/rotate", Admin, Nothing),
    ("GET /v1/secrets", Deploy, Query),
    ("PUT /v1/secrets/{secret}", Deploy, Query),
    ("DELETE /v1/secrets/{secret}", Deploy, Query),
    ("POST /v1/secret-key/rotate", Admin, Nothing),
    ("GET /v1/audit-log", Admin, Nothing),
    ("POST /deploy", Deploy, Document),
    ("POST /invoke/{function}", Invoke, Place),
    ("GET /v1/nowhere", Invoke, Nothing),
];

/// The functions that the limited tokens are for, one of them, and another one. None exists: who may ask is told so.
const PATTERN: &str = "team_*";
const OURS: &str = "team_a";
const OTHER: &str = "hello";

/// The state of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Stored,
    Expired,
    Revoked,
}

/// A request of one kind of caller.
struct Case {
    role: TokenRole,
    is_limited: bool,
    state: State,
    function: &'static str,
}

/// Every role and state, for all functions, and for some with one of these and with another one. An admin token is for all.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for role in TokenRole::ALL {
        for state in [State::Stored, State::Expired, State::Revoked] {
            cases.push(Case { role, is_limited: false, state, function: OTHER });
            if role != Admin {
                for function in [OURS, OTHER] {
                    cases.push(Case { role, is_limited: true, state, function });
                }
            }
        }
    }
    cases
}

/// What the table says about a request: the refusal, or none.
fn expected(least: TokenRole, about: About, case: &Case) -> Option<u16> {
    if case.state != State::Stored {
        return Some(401);
    }
    let is_other = case.is_limited && about != Nothing && case.function == OTHER;
    (case.role < least || is_other).then_some(403)
}

/// A request for a route, about this function. What it asks for is not there, or not said in full: nothing is changed.
fn request(
    stored: &Stored<'_>,
    route: &str,
    about: About,
    function: &str,
    token: Option<&str>,
) -> reqwest::RequestBuilder {
    let (method, path) = route.split_once(' ').unwrap();
    let mut path = path
        .replace("{function}", function)
        .replace("{invocation}", "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f")
        .replace("{token}", "nobody")
        .replace("{secret}", "NOT_THERE");
    if about == Query {
        path.push_str(&format!("?function={function}"));
    }
    if path == "/v1/prune" {
        path.push_str("?dry_run=true");
    }
    if method == "PUT" && about == Query {
        path.push_str("&existing=true");
    }
    let mut request = stored.request(method.parse::<Method>().unwrap(), &path);
    if about == Document {
        // Without an image.
        request = request.json(&serde_json::json!({ "name": function }));
    }
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

on_stack! {
    light:
    every_route_is_open_to_the_callers_of_the_table_and_to_nobody_else
}

async fn every_route_is_open_to_the_callers_of_the_table_and_to_nobody_else(platform: &TestPlatform) {
    let stored = Stored::open(platform).await;
    let mut tokens = BTreeMap::new();
    for Case { role, is_limited, state, .. } in cases() {
        let key = (role, is_limited, state);
        if tokens.contains_key(&key) {
            continue;
        }
        let name = format!("{role}-{is_limited}-{state:?}").to_lowercase();
        let functions: &[&str] = if is_limited { &[PATTERN] } else { &[] };
        let text = match state {
            State::Stored => stored.add(&name, role, functions).await,
            State::Expired => stored.add_expired(&name, role, functions).await,
            State::Revoked => stored.add_revoked(&name, role, functions).await,
        };
        tokens.insert(key, text);
    }
    let (mut wrong, mut shown) = (Vec::new(), String::new());
    for (route, least, about) in TABLE {
        let none = status(request(&stored, route, about, OURS, None)).await;
        if none != 401 {
            wrong.push(format!("{route} without a token: {none}"));
        }
        let mut may = BTreeMap::<_, Vec<String>>::new();
        for case in cases() {
            let token = &tokens[&(case.role, case.is_limited, case.state)];
            let told = status(request(&stored, route, about, case.function, Some(token))).await;
            let refusal = Some(told).filter(|told| matches!(told, 401 | 403));
            let Case { role, is_limited, state, function } = case;
            if refusal != expected(least, about, &case) {
                wrong.push(format!("{route} {role} limited: {is_limited} {state:?} {function}: {told}"));
            }
            if refusal.is_none() {
                let with = match (is_limited, function) {
                    (false, _) => "all",
                    (true, OURS) => "its functions",
                    (true, _) => "others",
                };
                may.entry(role).or_default().push(with.to_owned());
            }
        }
        let may: Vec<String> =
            may.into_iter().map(|(role, with)| format!("{role} ({})", with.join(", "))).collect();
        writeln!(shown, "{route:50} {}", may.join(" | ")).unwrap();
    }
    println!("{shown}");
    assert!(wrong.is_empty(), "not as in the table:\n{}", wrong.join("\n"));
    // The file's token is one of an admin; unknown routes are for all.
    for (route, _, about) in TABLE {
        let (method, path) = route.split_once(' ').unwrap();
        if method == "GET" && about == Nothing && !path.contains('{') {
            let expected = if path == "/v1/nowhere" { 404 } else { 200 };
            assert_eq!(status(platform.get(path)).await, expected, "{path}");
        }
    }
    stored.close().await;
}

#[test]
fn the_table_has_every_route_of_the_code_with_its_role() {
    let written: BTreeMap<String, String> = TABLE
        .iter()
        .filter(|(route, ..)| *route != "GET /v1/nowhere")
        .map(|(route, role, _)| ((*route).to_owned(), role.to_string()))
        .collect();
    let coded: BTreeMap<String, String> = route::ALL
        .iter()
        .map(|route| {
            let method = format!("{:?}", route.method).to_uppercase();
            (format!("{method} {}", route.path), route.needs.to_string())
        })
        .collect();
    for (route, role) in &coded {
        println!("{route:50} {role}");
    }
    assert_eq!(written, coded);
    for (route, _, about) in TABLE {
        assert_eq!(about == Place, route.contains("{function}"), "{route}");
    }
}

/// What makes a route of a router, outside of tests.
const MAKERS: [&str; 7] =
    [".route(", ".answers(", ".merge(", ".nest(", ".route_service(", ".fallback(", ".nest_service("];

#[test]
fn the_gateway_makes_its_routes_of_the_table_and_of_nothing_else() {
    let mut places = Vec::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway"), &mut places);
    places.sort();
    // The table, `/openapi.json`, the classic `/health`, and `/healthz` and `/readyz`: all that answers without a token.
    let route = "router.rs .route(";
    assert_eq!(places, ["router.rs .merge(", route, route, route]);
}

fn look(folder: &Path, places: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            look(&path, places);
        } else if !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for maker in MAKERS {
                places.extend(code.matches(maker).map(|_| format!("{name} {maker}")));
            }
        }
    }
}

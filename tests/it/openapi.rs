//! The OpenAPI document: whom it tells of which functions, and that the platform answers as it says.

use std::{process::Stdio, time::Duration};

use cloudfunc::app::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    need, on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
    },
};

on_stack! {
    light:
    addresses_are_told_to_those_whose_token_reaches_their_functions
}

const CODE: &str = "def handler(event):\n    return {'got': event}\n";

async fn deploy(platform: &TestPlatform, name: &str, manifest: &str) {
    platform.deploy(name, &[("function.py", CODE), ("cloudfunc.toml", manifest)]).await;
}

async fn document(platform: &TestPlatform, token: Option<&str>) -> Value {
    let url = format!("http://{}/openapi.json", platform.address(Role::Gateway));
    let request = cloudfunc::http::client().unwrap().get(url);
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    answer.json().await.unwrap()
}

/// The functions whose addresses a document lists.
fn functions(document: &Value) -> Vec<&str> {
    let listed = document["x-addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    listed.iter().map(|address| address["function"].as_str().unwrap()).collect()
}

async fn addresses_are_told_to_those_whose_token_reaches_their_functions(platform: &TestPlatform) {
    deploy(platform, "shop", "[http]\npath = \"/shop/{item}\"\nmethods = [\"GET\"]\nauth = \"none\"\n")
        .await;
    deploy(platform, "ledger", "[http]\npath = \"/ledger/{rest+}\"\n").await;
    deploy(platform, "plain", "").await;
    let admin = std::fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
    let all = eventually("both functions are listed", || async {
        let document = document(platform, Some(admin.trim())).await;
        (functions(&document).len() == 2).then_some(document)
    })
    .await;
    assert_eq!(all["openapi"], "3.1.0");
    assert_eq!(all["paths"]["/shop/{item}"]["get"]["x-function"], "shop");
    assert_eq!(all["paths"]["/ledger/{rest}"]["post"]["security"], json!([{ "bearer": ["invoke"] }]));

    let new = json!({ "name": "few", "role": "invoke", "functions": ["sh*"] });
    let made: Value = platform.post("/v1/tokens").json(&new).send().await.unwrap().json().await.unwrap();
    let few = document(platform, made["token"].as_str()).await;
    assert_eq!(functions(&few), ["shop"]);
    assert!(!few.to_string().contains("ledger"), "the names of others are not its to know");

    let none = document(platform, None).await;
    assert_eq!(functions(&none), Vec::<&str>::new());
    assert_eq!(none["paths"]["/shop/{item}"], Value::Null);
    assert_eq!(none["paths"]["/v1/functions"], all["paths"]["/v1/functions"]);

    let url = |role| format!("http://{}/openapi.json", platform.address(role));
    let http = cloudfunc::http::client().unwrap();
    let wrong = http.get(url(Role::Gateway)).bearer_auth("guess").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let internal = http.get(url(Role::Registry)).send().await.unwrap();
    assert_eq!(internal.status(), 401);
    let queried = platform.request(Role::Gateway, Method::GET, "/openapi.json?format=yaml").send().await;
    assert_eq!(queried.unwrap().status(), 400);
}

/// A setting of `tests/openapi/run`.
fn setting(name: &str, usual: &str) -> String {
    std::env::var(format!("CLOUDFUNC_OPENAPI_{name}")).unwrap_or_else(|_| usual.to_owned())
}

/// By an independent program, which makes the requests of the document. `tests/openapi/run` sends more of them.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_document_allows() {
    let packages = need!("CLOUDFUNC_TEST_SCHEMATHESIS");
    let platform = TestPlatform::start(Stack::LIGHT, "openapi").await.expect("it needs no server");
    deploy(&platform, "hello", "[http]\npath = [\"/hello\", \"/hello/{name}\"]\n").await;
    let (cases, seed) = (setting("CASES", "500"), setting("SEED", "1"));
    // Two a second are sent on the busiest machine.
    let within = Duration::from_secs(60 + cases.parse::<u64>().unwrap() / 2);
    let mut check = tokio::process::Command::new("python3");
    check
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/check.py"))
        .arg(format!("http://{}", platform.address(Role::Gateway)))
        .arg(platform.platform.data_dir.join("token"))
        .args([&cases, &seed])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(within, check.output()).await.expect("it ends in time").unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    println!("{out}");
    platform.stop().await;
}

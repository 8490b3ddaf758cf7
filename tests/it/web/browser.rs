//! Pages in a real browser: Chromium without a window.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    thread,
    time::Duration,
};

use tokio::process::Command;

use super::{public, start};
use crate::support::platform::{Stack, TestPlatform};

/// A page that sends a request to the address in its query, and writes down what came of it.
const PAGE: &str = r#"<!doctype html><pre id="out">waiting</pre><script>
const query = new URLSearchParams(location.search);
const send = async () => {
  const answer = await fetch(query.get("to"), {
    method: "PUT",
    credentials: "include",
    headers: { "content-type": "application/json", "x-mine": "1" },
    body: JSON.stringify({ name: "Zo\u00eb" }),
  });
  return `${answer.status} ${answer.headers.get("x-answer")} ${await answer.text()}`;
};
send().catch((error) => `refused: ${error.name}`).then((text) => {
  document.getElementById("out").textContent = text;
});
</script>"#;

const ITEMS: &str = r#"
import json

def handler(event):
    item = json.loads(event["body"])
    kept = {"id": event["pathParameters"]["id"], "name": item["name"], "mine": event["headers"]["x-mine"]}
    return {"statusCode": 201, "headers": {"X-Answer": "kept"}, "body": json.dumps(kept, ensure_ascii=False)}
"#;

/// Answers every request with the page; lives until the process ends.
fn serve_page() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let length = PAGE.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(PAGE.as_bytes()));
        }
    });
    address
}

/// Returns what a page has written into its element `out` once its requests have ended.
async fn written(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let program = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
    let program =
        program.into_iter().find(|path| Path::new(path).exists()).expect("tests/run installs it");
    let mut browser = Command::new(program);
    browser
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
        .arg("--virtual-time-budget=20000")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(60), browser.output());
    let output = output.await.expect("the browser ends").unwrap();
    let (dom, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let out = dom.split_once("<pre id=\"out\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    out.unwrap_or_else(|| panic!("no page: {dom}{said}")).0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_reaches_a_function_that_names_it_and_no_other_page_does() {
    let test = "browser::a_page_of_another_origin";
    let Some(platform) = start(Stack::LIGHT, test, |_| {}).await else { return };
    let (named, other) = (serve_page(), serve_page());
    let manifest = format!(
        "[http]\npath = \"/items/{{id}}\"\nmethods = [\"PUT\"]\nauth = \"none\"\ncors = [\"http://{named}\"]\n"
    );
    platform.deploy("items", &[("function.py", ITEMS), ("cloudfunc.toml", &manifest)]).await;
    let to = public(&platform, "/items/7");
    let kept = "201 kept {\"id\": \"7\", \"name\": \"Zo\u{eb}\", \"mine\": \"1\"}";
    assert_eq!(written(&format!("http://{named}/?to={to}")).await, kept);
    assert_eq!(written(&format!("http://{other}/?to={to}")).await, "refused: TypeError");
    platform.stop().await;
}

/// A page that is a function's own answer.
fn page_function() -> String {
    let page = serde_json::to_string(PAGE).unwrap();
    format!(
        "PAGE = {page}\n\ndef handler(event):\n    if event['requestContext']['http']['method'] == 'PUT':\n        \
         return {{'statusCode': 200, 'headers': {{'x-answer': 'own'}}, 'body': 'sent'}}\n    \
         return {{'statusCode': 200, 'headers': {{'content-type': 'text/html; charset=utf-8'}}, 'body': PAGE}}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_function_is_of_its_own_origin_on_the_public_port_and_of_none_on_the_managements() {
    let test = "browser::a_page_of_a_function";
    let Some(platform) = start(Stack::LIGHT, test, |_| {}).await else { return };
    let manifest = "[http]\npath = \"/page\"\nauth = \"none\"\n";
    platform.deploy("page", &[("function.py", &page_function()), ("cloudfunc.toml", manifest)]).await;
    let page = public(&platform, "/page");
    assert_eq!(written(&format!("{page}?to={page}")).await, "200 own sent");
    let page = management(&platform, "/page");
    assert_eq!(written(&format!("{page}?to={page}")).await, "refused: TypeError");
    platform.stop().await;
}

fn management(platform: &TestPlatform, path: &str) -> String {
    format!("http://{}{path}", platform.platform.addresses.gateway)
}

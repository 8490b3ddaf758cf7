//! Functions that are web servers, from the caller's side: what they are sent, and what of their answers comes back.

use std::time::Duration;

use cloudfunc::{
    app::{Host, Role},
    model::{ArrivedBy, HttpRequest, InvocationId, Record, State, code},
    shutdown::Shutdown,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

on_stack! {
    light:
    status_headers_and_body_come_back_as_the_server_sent_them
    a_status_of_500_and_above_is_a_failure_whose_body_is_passed_on
    a_body_is_sent_as_it_is_and_no_type_stays_none
    a_request_that_cannot_be_sent_is_refused_by_its_reason
    an_async_request_has_its_status_in_the_record
    a_response_passes_between_processes_as_it_came
    the_command_line_prints_the_body_and_says_the_status
    the_command_line_helps_with_what_a_server_or_the_platform_does_not_take
    every_function_sees_the_headers_of_the_command_line
}

/// Answers with the status that the path names, and with what it was sent.
const SERVER: &str = r#"import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        status = int(path[1:]) if path[1:].isdigit() else 200
        seen = [self.command, self.path, str(self.headers.get("content-type")), body.decode()]
        text = " ".join(seen).encode() + (b"x" * 100_000 if path == "/large" else b"")
        has_body = status not in (204, 304)
        self.send_response_only(status)
        self.send_header("content-type", "text/plain")
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("x-latin", "caf\xe9")
        self.send_header("cloudfunc-instance", "forged")
        if has_body:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_HEAD = do_PURGE = answer

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Server).serve_forever()
"#;
const PLAIN: &str = "def handler(event, context):\n    return context.headers\n";

/// Deploys the server as `web`; without a sandbox its port is one of this machine.
async fn deploy(platform: &TestPlatform) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let manifest = format!(
        "interface = \"http\"\nport = {port}\ncommand = [\"python3\", \"server.py\"]\n[scaling]\nmax_instances = 1\n"
    );
    platform.deploy_unchecked("web", &[("server.py", SERVER), ("cloudfunc.toml", &manifest)]).await;
}

fn named(request: RequestBuilder, method: &str, path: &str) -> RequestBuilder {
    request.header("Cloudfunc-Http-Method", method).header("Cloudfunc-Http-Path", path)
}

async fn call(platform: &TestPlatform, method: &str, path: &str) -> Response {
    named(platform.post("/v1/functions/web/invoke"), method, path).send().await.unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status, outcome and body.
async fn told(response: Response) -> (u16, String, String) {
    let (status, outcome) =
        (response.status().as_u16(), header(&response, "cloudfunc-outcome").to_owned());
    (status, outcome, response.text().await.unwrap())
}

async fn record_of(platform: &TestPlatform, response: &Response) -> Record {
    let id: InvocationId = header(response, "cloudfunc-invocation-id").parse().unwrap();
    platform.client.record(id, None).await.unwrap()
}

/// The request of a record, and where it has come from.
fn request_of(record: &Record) -> String {
    let request = record.http.as_ref().unwrap();
    let arrival = request.arrival.as_ref().unwrap();
    let (protocol, from) = (&arrival.protocol, arrival.from);
    assert_eq!(arrival.by, ArrivedBy::Call);
    format!("{} {} by call over {protocol} from {from}", request.method, request.target())
}

fn owned(status: u16, outcome: &str, body: &str) -> (u16, String, String) {
    (status, outcome.to_owned(), body.to_owned())
}

async fn status_headers_and_body_come_back_as_the_server_sent_them(platform: &TestPlatform) {
    deploy(platform).await;
    let answer = call(platform, "GET", "/items?q=a%20b&q=c").await;
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.headers()["x-latin"].as_bytes(), b"caf\xe9");
    assert_eq!(
        (header(&answer, "content-type"), header(&answer, "cloudfunc-start")),
        ("text/plain", "cold")
    );
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_ne!(header(&answer, "cloudfunc-instance"), "forged");
    assert!(header(&answer, "server-timing").contains("run;dur="));
    let record = record_of(platform, &answer).await;
    assert_eq!(request_of(&record), "GET /items?q=a%20b&q=c by call over HTTP/1.1 from 127.0.0.1");
    assert_eq!((record.state, record.http_status()), (State::Succeeded, Some(200)));
    assert_eq!(told(answer).await, owned(200, "succeeded", "GET /items?q=a%20b&q=c None "));

    for (status, body) in
        [(404, "GET /404 None "), (302, "GET /302 None "), (204, ""), (205, ""), (304, "")]
    {
        let answer = call(platform, "GET", &format!("/{status}")).await;
        assert_eq!(told(answer).await, owned(status, "succeeded", body));
    }
    assert_eq!(told(call(platform, "HEAD", "/").await).await, owned(200, "succeeded", ""));
    assert_eq!(
        told(call(platform, "PURGE", "/a//b").await).await,
        owned(200, "succeeded", "PURGE /a//b None ")
    );

    let large = named(platform.post("/v1/functions/web/invoke"), "GET", "/large");
    let large = large.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!((header(&large, "content-encoding"), header(&large, "vary")), ("", ""), "as it was sent");
    assert!(large.bytes().await.unwrap().len() > 100_000);
}

async fn a_status_of_500_and_above_is_a_failure_whose_body_is_passed_on(platform: &TestPlatform) {
    deploy(platform).await;
    for status in [500, 503, 599] {
        let answer = call(platform, "GET", &format!("/{status}")).await;
        let record = record_of(platform, &answer).await;
        assert_eq!((record.state, record.http_status()), (State::Failed, Some(status)));
        let error = record.attempts[0].error.as_ref().unwrap();
        assert_eq!(error.kind, format!("http_{status}"));
        assert_eq!(record.result, None, "of a failure none is kept");
        assert_eq!(told(answer).await, owned(status, "failed", &format!("GET /{status} None ")));
    }
}

async fn a_body_is_sent_as_it_is_and_no_type_stays_none(platform: &TestPlatform) {
    deploy(platform).await;
    let post = || platform.post("/v1/functions/web/invoke");
    let sent = async |request: RequestBuilder| told(request.send().await.unwrap()).await;
    assert_eq!(sent(post().body("{")).await, owned(200, "succeeded", "POST / None {"));
    assert_eq!(sent(post()).await, owned(200, "succeeded", "POST / None "));
    let broken = post().header("content-type", "application/json").body("{");
    assert_eq!(sent(broken).await, owned(200, "succeeded", "POST / application/json {"));
    let put = post().header("Cloudfunc-Http-Method", "PUT").header("content-type", "a/b").body("x");
    assert_eq!(sent(put).await, owned(200, "succeeded", "PUT / a/b x"));
    let path = post().header("Cloudfunc-Http-Path", "/only?a").body("x");
    assert_eq!(sent(path).await, owned(200, "succeeded", "POST /only?a None x"));
}

async fn a_request_that_cannot_be_sent_is_refused_by_its_reason(platform: &TestPlatform) {
    deploy(platform).await;
    let post = |name: &str| platform.post(&format!("/v1/functions/{name}/invoke"));
    let refused = |detail: &str, more: Value| problem(code::BAD_REQUEST, detail, more);
    for (name, value, reason) in [
        ("Cloudfunc-Http-Method", "GE T", "a method has 1 to 32 letters, digits and signs such as `-`"),
        (
            "Cloudfunc-Http-Method",
            "CONNECT",
            "CONNECT and TRACE are for what is between a client and a server, and do not reach a function",
        ),
        ("Cloudfunc-Http-Path", "items", "a path begins with `/`"),
        (
            "Cloudfunc-Http-Path",
            "/a<b",
            "a path has only visible ASCII characters, and no `\"`, `#`, `<`, `>` and `` ` ``; percent-encode all others",
        ),
    ] {
        let detail = format!("the header {name} cannot be used: {reason}");
        let answer = document(post("web").header(name, value)).await;
        assert_eq!(answer, refused(&detail, json!({})));
    }
    let long = format!("/{}", "a".repeat(HttpRequest::MAX_TARGET));
    let detail = "the header Cloudfunc-Http-Path cannot be used: path and query have 8193 bytes, over the limit of 8 KiB";
    assert_eq!(
        document(post("web").header("Cloudfunc-Http-Path", &long)).await,
        refused(detail, json!({}))
    );
    let twice = post("web").header("Cloudfunc-Http-Path", "/a").header("Cloudfunc-Http-Path", "/b");
    let detail = "the request has several Cloudfunc-Http-Path headers";
    assert_eq!(document(twice).await, refused(detail, json!({ "hint": "send one" })));

    // Method and path share the room of the headers.
    let path = format!("/{}", "a".repeat(8000));
    let crowded = named(post("web"), "GET", &path).header("x-large", "a".repeat(17_000));
    assert_eq!(document(crowded).await.1["code"], "headers_too_large");
    let nothing = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(platform.get("/v1/invocations")).await, nothing);
}

async fn accepted(request: RequestBuilder) -> InvocationId {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    answer["id"].as_str().unwrap().parse().unwrap()
}

async fn ended(platform: &TestPlatform, id: InvocationId) -> Record {
    platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap()
}

async fn an_async_request_has_its_status_in_the_record(platform: &TestPlatform) {
    deploy(platform).await;
    let post = || platform.post("/v1/functions/web/invoke").header("prefer", "respond-async");
    let id = accepted(named(post(), "GET", "/404?a=1")).await;
    let record = ended(platform, id).await;
    assert_eq!((record.state, record.http_status()), (State::Succeeded, Some(404)));
    assert_eq!(request_of(&record), "GET /404?a=1 by call over HTTP/1.1 from 127.0.0.1");
    let result = platform.get(&format!("/v1/invocations/{id}/result")).send().await.unwrap();
    assert_eq!((result.status().as_u16(), header(&result, "cloudfunc-http-status")), (200, "404"));
    assert_eq!((header(&result, "content-type"), header(&result, "set-cookie")), ("text/plain", ""));
    assert_eq!(result.text().await.unwrap(), "GET /404?a=1 None ");

    let id = accepted(post().body("{")).await;
    let record = ended(platform, id).await;
    assert_eq!((record.state, record.http), (State::Succeeded, Some(HttpRequest::default())));
    let result = platform.client.result(id).await.unwrap();
    assert_eq!(result.bytes, "POST / None {");

    let id = accepted(named(post(), "GET", "/503")).await;
    let record = ended(platform, id).await;
    assert_eq!((record.state, record.http_status()), (State::Failed, Some(503)));
    let result = document(platform.get(&format!("/v1/invocations/{id}/result"))).await;
    assert_eq!((result.0, &result.1["error_type"]), (500, &json!("http_503")));

    // The classic routes send JSON, to the path that is named.
    let classic = platform.post("/invoke/web").header("Cloudfunc-Http-Path", "/classic");
    let id = accepted(classic.body(r#"{"payload":{"a":1}}"#)).await;
    ended(platform, id).await;
    let result = platform.client.result(id).await.unwrap();
    assert_eq!(result.bytes, r#"POST /classic application/json {"a":1}"#);
}

/// A gateway whose scheduler is behind a port, as in `cloudfunc up`.
async fn a_response_passes_between_processes_as_it_came(platform: &TestPlatform) {
    deploy(platform).await;
    let mut settings = platform.platform.clone();
    settings.addresses.gateway = "127.0.0.1:0".parse().unwrap();
    let host = Host::bind(&[Role::Gateway], &settings).await.unwrap();
    let url = format!("http://{}/v1/functions/web/invoke", host.platform().addresses.gateway);
    let shutdown = Shutdown::default();
    let running = tokio::spawn(host.run(shutdown.clone()));
    let token = std::fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
    let http = cloudfunc::http::client().unwrap();
    let call = async |method: &str, path: &str| {
        let post = http.post(&url).bearer_auth(token.trim());
        named(post, method, path).send().await.unwrap()
    };
    let answer = call("PUT", "/items?q=1").await;
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.headers()["x-latin"].as_bytes(), b"caf\xe9");
    assert_ne!(header(&answer, "cloudfunc-instance"), "forged");
    assert_eq!(header(&answer, "cloudfunc-start"), "cold");
    assert_eq!(told(answer).await, owned(200, "succeeded", "PUT /items?q=1 None "));
    for (status, outcome, body) in [
        (202, "succeeded", "GET /202 None "),
        (204, "succeeded", ""),
        (302, "succeeded", "GET /302 None "),
        (304, "succeeded", ""),
        (404, "succeeded", "GET /404 None "),
        (503, "failed", "GET /503 None "),
    ] {
        assert_eq!(told(call("GET", &format!("/{status}")).await).await, owned(status, outcome, body));
    }
    let refused = call("TRACE", "/").await;
    assert_eq!(told(refused).await.1, "", "an answer of the platform's");
    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
}

async fn the_command_line_prints_the_body_and_says_the_status(platform: &TestPlatform) {
    deploy(platform).await;
    platform.deploy("plain", &[("function.py", PLAIN)]).await;
    let invoke = async |arguments: &[&str]| {
        platform.cli(&[&["invoke", "web", "--method", "GET"][..], arguments].concat()).await
    };
    let (exit, stdout, stderr) = invoke(&["--path", "/items?q=1"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "GET /items?q=1 None "), "{stderr}");
    assert!(stderr.starts_with("cold start · "), "{stderr}");
    let (exit, stdout, _) = platform.cli(&["invocation", "show", "@last"]).await;
    let shows = |line: &str| assert!(stdout.contains(&format!("\n{line}\n")), "{line}:\n{stdout}");
    assert_eq!(exit, 0);
    shows("request   GET /items?q=1");
    shows("response  HTTP 200");

    let (exit, stdout, stderr) = invoke(&["--path", "/404"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "GET /404 None "), "{stderr}");
    assert!(stderr.starts_with("HTTP 404\nwarm start · "), "{stderr}");

    let (exit, stdout, stderr) = invoke(&["--path", "/503"]).await;
    assert_eq!((exit, stdout.as_str()), (1, "GET /503 None "), "{stderr}");
    assert!(stderr.starts_with("HTTP 503\nfailed · warm start · "), "{stderr}");
    let error = "\nerror: function 'web' failed: http_503: the function answered 503\n";
    assert!(stderr.ends_with(error), "{stderr}");

    let (_, _, stderr) = invoke(&["--verbose"]).await;
    assert!(stderr.contains("\nHTTP 200\n"), "{stderr}");
    assert!(stderr.contains("\nset-cookie: a=1\nset-cookie: b=2\n"), "{stderr}");

    let (exit, stdout, _) = invoke(&["--path", "/404", "--json"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &document["http"]["status"]), (0, &json!(404)));
    assert_eq!(
        (&document["result"], &document["state"]),
        (&json!("GET /404 None "), &json!("succeeded"))
    );
    let headers = document["http"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-latin", "caf\u{e9}"])), "{document}");
    assert!(!stdout.contains("cloudfunc-"), "{stdout}");

    // A body of a type that is named is not looked into; without one it is JSON.
    let (exit, stdout, _) = platform
        .cli(&["invoke", "web", "--path", "/a", "--data", "a=1", "--content-type", "text/x"])
        .await;
    assert_eq!((exit, stdout.as_str()), (0, "POST /a text/x a=1"));
    let (exit, stdout, _) = platform.cli(&["invoke", "web"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "POST / application/json {}"));

    let (exit, stdout, _) = platform.cli(&["invoke", "web", "--path", "/404", "--async"]).await;
    assert_eq!((exit, stdout.trim().len()), (0, 36));
    let (exit, stdout, stderr) = platform.cli(&["invocation", "wait", "@last"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "POST /404 None "));
    assert!(stderr.starts_with("HTTP 404\n"), "{stderr}");

    let bench = ["bench", "web", "--method", "get", "--path", "/404", "-n", "3"];
    let (exit, stdout, stderr) = platform.cli(&bench).await;
    assert_eq!(exit, 0, "{stdout}{stderr}");
    assert!(stdout.contains("\nof which 3 had HTTP 404\n"), "{stdout}");
    let (_, stdout, _) = platform.cli(&[&bench[..], &["--json"]].concat()).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["http_errors"], json!([{ "status": 404, "count": 3 }]));

    let (exit, _, stderr) = platform.cli(&["invoke", "web", "--path", "items"]).await;
    let expected = "error: invalid value 'items' for '--path <PATH>': a path begins with `/`\n";
    assert!(exit == 2 && stderr.starts_with(expected), "{stderr}");
    let (exit, stdout, stderr) = platform.cli(&["invoke", "plain", "--method", "GET"]).await;
    assert!(exit == 0 && stdout.starts_with('{'), "a handler takes a request, too: {stdout}{stderr}");
}

async fn the_command_line_helps_with_what_a_server_or_the_platform_does_not_take(
    platform: &TestPlatform,
) {
    deploy(platform).await;
    let invoke =
        async |arguments: &[&str]| platform.cli(&[&["invoke", "web"][..], arguments].concat()).await;
    let hint =
        |path: &str| format!("hint: it was sent POST {path}; --method and --path say otherwise\n");
    let (exit, stdout, stderr) = invoke(&["--path", "/405"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "POST /405 None "), "{stderr}");
    assert!(stderr.starts_with("HTTP 405\n") && stderr.ends_with(&hint("/405")), "{stderr}");
    let (exit, _, stderr) = invoke(&["--path", "/501"]).await;
    assert!(exit == 1 && stderr.ends_with(&hint("/501")), "{stderr}");
    let (_, stdout, stderr) = invoke(&["--path", "/405", "--method", "put"]).await;
    assert_eq!(stdout, "PUT /405 None ", "in capitals");
    assert!(!stderr.contains("hint:"), "{stderr}");

    for arguments in [&["--path", "/x", "--data", "y"][..], &["--data", "y"], &[]] {
        let (exit, _, stderr) = invoke(&[arguments, &["--content-type", "a\nb"]].concat()).await;
        let expected = "error: the type of the payload has a control character\n\
                        hint: name one type, for example --content-type application/json\n";
        assert_eq!((exit, stderr.as_str()), (2, expected));
    }
    let (exit, _, stderr) = invoke(&["--path", "/a<b"]).await;
    let expected =
        "error: invalid value '/a<b' for '--path <PATH>': a path has only visible ASCII characters";
    assert!(exit == 2 && stderr.starts_with(expected), "{stderr}");
    let (exit, _, stderr) = invoke(&["--header", "Accept-Encoding: gzip"]).await;
    assert!(exit == 2 && stderr.contains("--method or --path"), "{stderr}");
    let (exit, stdout, _) = invoke(&["--method", "GET", "--header", "Accept-Encoding: gzip"]).await;
    assert_eq!((exit, stdout.as_str()), (0, "GET / None "));

    // As Latin-1 is read, and sent on in UTF-8.
    let latin = reqwest::header::HeaderValue::from_bytes(&[0xe9; 22_000]).unwrap();
    let answer = document(platform.post("/v1/functions/web/invoke").header("x-name", latin)).await;
    assert_eq!((answer.0, &answer.1["code"]), (431, &json!("headers_too_large")));
}

async fn every_function_sees_the_headers_of_the_command_line(platform: &TestPlatform) {
    platform.deploy("plain", &[("function.py", PLAIN)]).await;
    let headers = ["--header", "X-Name: Zoë", "--header", "x-tag: 1", "--header", "x-tag: 2"];
    let (exit, stdout, stderr) = platform.cli(&[&["invoke", "plain"][..], &headers[..]].concat()).await;
    assert_eq!(exit, 0, "{stderr}");
    let seen: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&seen["x-name"], &seen["x-tag"]), (&json!("Zoë"), &json!("1, 2")));
    let (exit, _, stderr) = platform.cli(&["invoke", "plain", "--header", "Host: other"]).await;
    let expected = "error: invalid value 'Host: other' for '--header <NAME: VALUE>': 'host' cannot be given: it names the \
                    platform\n";
    assert!(exit == 2 && stderr.starts_with(expected), "{stderr}");
}

//! Functions over plain HTTP, at their addresses and by their names, on both ports of a gateway.

mod behind;
mod pages;
mod raw;
mod senders;

use std::net::SocketAddr;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    interfaces::free_port,
    support::platform::{Stack, TestPlatform},
};

/// Answers with what it was sent; a path says what else it does.
const SERVER: &str = r#"import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        last = self.path.partition("?")[0].rpartition("/")[2]
        if last == "exit":
            os._exit(3)
        seen = {"method": self.command, "path": self.path, "body": body.decode("latin-1"),
                "headers": [[name.lower(), value] for name, value in self.headers.items()]}
        if last == "page":
            return self.send(200, [("content-type", "text/html")], b"<p>page</p>")
        if last == "moved":
            return self.send(302, [("location", "/elsewhere"), ("set-cookie", "a=1"), ("set-cookie", "b=2")], b"")
        if last == "file":
            return self.file(b"0123456789")
        if last == "broken":
            return self.send(500, [("content-type", "text/plain")], b"the function's own words")
        headers = [("content-type", "application/json"), ("server-timing", "own;dur=1"), ("x-own", "1"),
                   ("access-control-allow-origin", "https://own.example"), ("cloudfunc-start", "forged")]
        self.send(200, headers, json.dumps(seen).encode())

    def file(self, content):
        tag = ("etag", '"one"')
        if self.headers.get("if-none-match") == '"one"':
            self.send_response(304)
            self.send_header(*tag)
            return self.end_headers()
        asked = self.headers.get("range")
        if asked == "bytes=2-4":
            return self.send(206, [tag, ("content-range", "bytes 2-4/10")], content[2:5])
        if asked:
            return self.send(416, [("content-range", "bytes */10")], b"")
        self.send(200, [tag, ("accept-ranges", "bytes")], content)

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Server).serve_forever()
"#;

/// A platform whose gateway has a public port, too.
async fn start(test: &str, trusted_proxies: &str) -> Option<TestPlatform> {
    let proxies = trusted_proxies.parse().unwrap();
    TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.addresses.public = Some("127.0.0.1:0".parse().unwrap());
        platform.trusted_proxies = proxies;
    })
    .await
}

/// Deploys the server with these lines of `[http]`; without a sandbox its port is one of this machine.
async fn deploy(platform: &TestPlatform, name: &str, http: &str) {
    let port = free_port();
    let manifest = format!(
        "interface = \"http\"\nport = {port}\ncommand = [\"python3\", \"server.py\"]\n[scaling]\nmax_instances = 1\n{http}"
    );
    platform.deploy_unchecked(name, &[("server.py", SERVER), ("cloudfunc.toml", &manifest)]).await;
}

/// One that everybody may call, also from pages of one other origin.
async fn deploy_site(platform: &TestPlatform) {
    let http = "[http]\npath = [\"/site\", \"/site/{rest+}\"]\nauth = \"none\"\ncors = [\"https://app.example\"]\n\
                max_body = \"1KiB\"\n";
    deploy(platform, "site", http).await;
}

fn public(platform: &TestPlatform) -> SocketAddr {
    platform.platform.addresses.public.expect("a public port")
}

/// A request without a token.
fn bare(address: SocketAddr, method: Method, path: &str) -> RequestBuilder {
    cloudfunc::http::client().unwrap().request(method, format!("http://{address}{path}"))
}

fn get(address: SocketAddr, path: &str) -> RequestBuilder {
    bare(address, Method::GET, path)
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status and a header.
async fn status_and(request: RequestBuilder, name: &str) -> (u16, String) {
    let response = sent(request).await;
    (response.status().as_u16(), header(&response, name).to_owned())
}

async fn json_of(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The values of a header that the function saw.
fn seen<'v>(seen: &'v Value, header: &str) -> Vec<&'v str> {
    let pairs = seen["headers"].as_array().unwrap().iter();
    pairs.filter(|pair| pair[0] == header).map(|pair| pair[1].as_str().unwrap()).collect()
}

/// Method and path that the function saw.
fn request_line(seen: &Value) -> String {
    format!("{} {}", seen["method"].as_str().unwrap(), seen["path"].as_str().unwrap())
}

/// The problem of a refused request: status, code, detail and hint.
async fn refusal(request: RequestBuilder) -> (u64, Value) {
    let response = sent(request).await;
    let status = u64::from(response.status().as_u16());
    let problem: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let of = |name: &str| problem.get(name).cloned().unwrap_or(Value::Null);
    (status, json!([of("code"), of("detail"), of("hint")]))
}

#[tokio::test]
async fn a_function_answers_at_its_addresses_as_it_would_by_itself() {
    let Some(platform) =
        start("http_addresses::a_function_answers_at_its_addresses_as_it_would_by_itself", "").await
    else {
        return;
    };
    deploy_site(&platform).await;
    for address in [public(&platform), platform.platform.addresses.gateway] {
        let answer = sent(get(address, "/site/a%20b/?q=1&q=2&token=own").header("cookie", "c=1")).await;
        let own: Vec<_> =
            answer.headers().keys().filter(|name| name.as_str().starts_with("cloudfunc-")).collect();
        assert_eq!(own, ["cloudfunc-invocation-id"]);
        assert_eq!((header(&answer, "server-timing"), header(&answer, "x-own")), ("own;dur=1", "1"));
        let request = json_of(answer).await;
        assert_eq!(request_line(&request), "GET /site/a%20b/?q=1&q=2&token=own");
        assert_eq!(seen(&request, "cookie"), ["c=1"]);
        assert_eq!(seen(&request, "host"), [address.to_string()]);

        let head = sent(bare(address, Method::HEAD, "/site/file")).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10"));
        let moved = sent(get(address, "/site/moved")).await;
        assert_eq!((moved.status().as_u16(), header(&moved, "location")), (302, "/elsewhere"));
        assert_eq!(moved.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        let file =
            |name: &'static str, value: &'static str| get(address, "/site/file").header(name, value);
        assert_eq!(
            status_and(file("if-none-match", "\"one\""), "etag").await,
            (304, "\"one\"".to_owned())
        );
        let range = sent(file("range", "bytes=2-4")).await;
        assert_eq!((range.status().as_u16(), header(&range, "content-range")), (206, "bytes 2-4/10"));
        assert_eq!(range.text().await.unwrap(), "234");
        let range = status_and(file("range", "bytes=20-"), "content-range").await;
        assert_eq!(range, (416, "bytes */10".to_owned()));
        let options = json_of(sent(bare(address, Method::OPTIONS, "/site")).await).await;
        assert_eq!(request_line(&options), "OPTIONS /site", "all methods are the function's");

        let body = |bytes: usize| bare(address, Method::POST, "/site").body("x".repeat(bytes));
        assert_eq!(json_of(sent(body(1024)).await).await["body"].as_str().unwrap().len(), 1024);
        let expected = json!([
            "payload_too_large",
            "the body is larger than the limit of 1 KiB",
            "send less, or raise `max_body` of [http] in the function's cloudfunc.toml"
        ]);
        assert_eq!(refusal(body(1025)).await, (413, expected));
        let asynchronous = bare(address, Method::POST, "/site").header("prefer", "respond-async");
        assert_eq!(seen(&json_of(sent(asynchronous).await).await, "prefer"), ["respond-async"]);
    }
    platform.stop().await;
}

#[tokio::test]
async fn a_public_port_knows_addresses_alone_and_both_ports_keep_failures_to_themselves() {
    let Some(platform) = start(
        "http_addresses::a_public_port_knows_addresses_alone_and_both_ports_keep_failures_to_themselves",
        "",
    )
    .await
    else {
        return;
    };
    deploy_site(&platform).await;
    let (public, own) = (public(&platform), platform.platform.addresses.gateway);
    let token = platform.get("/").build().unwrap().headers()["authorization"].clone();
    let nothing = json!(["route_not_found", "there is nothing at this address", null]);
    for path in [
        "/",
        "/other",
        "/v1/functions",
        "/v1/functions/site/invoke",
        "/healthz",
        "/f/site/",
        "/openapi.json",
    ] {
        assert_eq!(refusal(get(public, path)).await, (404, nothing.clone()), "{path}");
        let with_token = get(public, path).header("authorization", token.clone());
        assert_eq!(refusal(with_token).await, (404, nothing.clone()), "{path}");
    }
    assert_eq!(refusal(get(own, "/other")).await.0, 401, "as ever");
    let dots = json!([
        "bad_request",
        "the path has a segment `.` or `..`",
        "send a path without empty segments, and without `.` and `..`"
    ]);
    assert_eq!(refusal(get(public, "/site/%2e%2e%2fx/..%2f")).await.0, 200, "no segment is one");
    let path = raw::answer(public, "GET /site/%2e%2e/x HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(path.starts_with("HTTP/1.1 400 ") && path.contains(dots[1].as_str().unwrap()), "{path}");
    for address in [public, own] {
        let failed = refusal(get(address, "/site/exit")).await;
        assert_eq!(failed, (502, json!(["function_crashed", "the function crashed", null])));
        let broken = sent(get(address, "/site/broken")).await;
        assert_eq!(broken.status(), 500);
        assert_eq!(broken.text().await.unwrap(), "the function's own words");
    }
    platform.stop().await;
}

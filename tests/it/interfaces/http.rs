//! `interface = "http"`: a web server of the author's, without a network.

use std::collections::BTreeSet;

use cloudfunc::model::{State, code};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{call, deploy, free_port, header, packed, record_of, request};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, function},
    },
};

on_stack! {
    light:
    a_server_without_a_sandbox_gets_the_port_of_its_manifest
}

on_stack! {
    @ sqlite_embedded_oci:
    a_server_gets_the_request_as_it_was_sent
    a_server_whose_worker_takes_too_much_memory_has_crashed_and_goes_on
    what_a_server_answers_is_passed_on_as_it_is
    from_500_on_an_invocation_has_failed
    a_server_in_node_runs_too
    requests_share_an_instance_up_to_its_concurrency
    one_that_overruns_its_time_is_answered_and_its_instance_ends
    a_server_that_ends_in_a_request_has_crashed
    a_background_invocation_is_a_post_to_the_root
    the_command_line_says_method_path_and_headers
    a_handler_gets_the_request_as_an_event
}

on_stack! {
    real:
    a_server_gets_the_request_as_it_was_sent
    a_server_whose_worker_takes_too_much_memory_has_crashed_and_goes_on
    what_a_server_answers_is_passed_on_as_it_is
    from_500_on_an_invocation_has_failed
    requests_share_an_instance_up_to_its_concurrency
    one_that_overruns_its_time_is_answered_and_its_instance_ends
    a_server_that_ends_in_a_request_has_crashed
    a_background_invocation_is_a_post_to_the_root
}

/// A server that needs no packages. A path says what it does; others are answered with what was asked.
pub const SERVER: &str = r#"
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

process = os.urandom(8).hex()
there, changed = 0, threading.Condition()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path, _, query = self.path.partition("?")
        print("asked for", path)
        wanted = {name: values[-1] for name, values in parse_qs(query).items()}
        if path == "/status":
            return self.send(int(wanted["code"]), [("content-type", "text/plain")], wanted["code"].encode())
        if path == "/headers":
            headers = [("X-Answer", "gr\u00fc\u00dfe".encode().decode("latin-1")), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
                       ("Content-Type", "image/x-nothing"), ("Connection", "x-hop"), ("X-Hop", "1"), ("Location", "/there")]
            return self.send(302, headers, b"\xff\0" + body)
        if path == "/empty":
            self.send_response(204)
            return self.end_headers()
        if path == "/chunks":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in (b"one ", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            return self.wfile.write(b"0\r\n\r\n")
        if path == "/close":
            self.close_connection = True
            self.send_response(200)
            self.send_header("connection", "close")
            self.end_headers()
            return self.wfile.write(b"until the end")
        if path == "/meet":
            self.meet(int(wanted["wanted"]))
            return self.send(200, [], process.encode())
        if path == "/sleep":
            time.sleep(float(wanted["seconds"]))
        if path == "/exit":
            os._exit(int(wanted["code"]))
        seen = {"method": self.command, "path": self.path, "port": os.environ.get("PORT"), "process": process,
                "headers": [[name.lower(), value] for name, value in self.headers.items()], "body": body.decode("latin-1")}
        self.send(200, [("content-type", "application/json")], json.dumps(seen).encode())

    def meet(self, wanted):
        global there
        with changed:
            there += 1
            changed.notify_all()
            changed.wait_for(lambda: there >= wanted)

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

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

class Server(ThreadingHTTPServer):
    request_queue_size = 64

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

const MANIFEST: &str = "interface = \"http\"\ncommand = [\"python3\", \"server.py\"]\n";

pub async fn deploy_server(platform: &TestPlatform, more: &str) {
    let manifest = format!("{MANIFEST}{more}");
    deploy(platform, "server", &[("server.py", SERVER), ("cloudfunc.toml", &manifest)]).await;
}

fn value<'v>(seen: &'v Value, header: &str) -> Vec<&'v str> {
    let pairs = seen["headers"].as_array().unwrap().iter();
    pairs.filter(|pair| pair[0] == header).map(|pair| pair[1].as_str().unwrap()).collect()
}

async fn a_server_without_a_sandbox_gets_the_port_of_its_manifest(platform: &TestPlatform) {
    let port = free_port();
    let manifest = format!("{MANIFEST}port = {port}\n[scaling]\nmax_instances = 1\n");
    // Not loaded before, as two of them cannot have the same port here.
    let files = packed(&[("server.py", SERVER), ("cloudfunc.toml", &manifest)]);
    platform.client.deploy_unchecked(&function("server"), files, |_| {}).await.unwrap();
    let seen: Value = request(platform, "server", "x").send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["body"]),
        (&json!("POST"), &json!("/"), &json!("x"))
    );
    assert_eq!(seen["port"], port.to_string());
    let answer = call(platform, "server", "GET", "/status?code=404").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
        (404, Some("succeeded"))
    );
}

async fn a_server_gets_the_request_as_it_was_sent(platform: &TestPlatform) {
    deploy_server(platform, "port = 3000\n").await;
    let send = request(platform, "server", "{\"a\": 1 }").header("content-type", "application/json");
    let send =
        send.header("x-twice", "1").header("x-twice", "2").header("cloudfunc-http-method", "PATCH");
    let seen: Value = send
        .header("cloudfunc-http-path", "/a%20b//c?x=1&x=2&y=%2F?")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((&seen["method"], &seen["port"]), (&json!("PATCH"), &json!("3000")));
    assert_eq!(
        (&seen["path"], &seen["body"]),
        (&json!("/a%20b//c?x=1&x=2&y=%2F?"), &json!("{\"a\": 1 }"))
    );
    assert_eq!(value(&seen, "x-twice"), ["1", "2"], "{seen}");
    assert_eq!(value(&seen, "content-type"), ["application/json"], "{seen}");
    assert_eq!(value(&seen, "content-length"), ["9"], "{seen}");
    assert_eq!(value(&seen, "host").len(), 1, "{seen}");
    // The platform's own headers and its token are none of the server's.
    assert_eq!(value(&seen, "authorization"), [""; 0], "{seen}");
    let names = seen["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("cloudfunc-http-")).count(), 0, "{seen}");
    let seen: Value = call(platform, "server", "GET", "/").send().await.unwrap().json().await.unwrap();
    assert_eq!((&seen["method"], &seen["body"]), (&json!("GET"), &json!("")));
    // Though it does not flush it.
    eventually("what it prints is in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "server"]).await;
        log.contains("asked for /a%20b//c").then_some(())
    })
    .await;
}

async fn what_a_server_answers_is_passed_on_as_it_is(platform: &TestPlatform) {
    deploy_server(platform, "").await;
    let send = request(platform, "server", "sent").header("cloudfunc-http-path", "/headers");
    let answer = send.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
        (302, Some("succeeded"))
    );
    assert_eq!(answer.headers()["x-answer"].as_bytes(), "grüße".as_bytes());
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(
        (header(&answer, "content-type"), header(&answer, "location")),
        (Some("image/x-nothing"), Some("/there"))
    );
    assert_eq!(header(&answer, "x-hop"), None, "it is for the helper's connection only");
    assert_eq!(record_of(platform, &answer).await.attempts[0].http_status, Some(302));
    assert_eq!(answer.bytes().await.unwrap(), &b"\xff\0sent"[..]);
    let answer = call(platform, "server", "DELETE", "/empty").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.bytes().await.unwrap(), "");
    for (path, text) in [("/chunks", "one two"), ("/close", "until the end")] {
        let answer = call(platform, "server", "GET", path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (200, text),
            "{path}"
        );
    }
    // An answer to HEAD has no body, whatever its headers say.
    let answer = call(platform, "server", "HEAD", "/status?code=200").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, ""));
}

async fn from_500_on_an_invocation_has_failed(platform: &TestPlatform) {
    deploy_server(platform, "").await;
    for (status, outcome, state) in [
        (200, "succeeded", State::Succeeded),
        (404, "succeeded", State::Succeeded),
        (499, "succeeded", State::Succeeded),
        (500, "failed", State::Failed),
        (503, "failed", State::Failed),
    ] {
        let answer =
            call(platform, "server", "GET", &format!("/status?code={status}")).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
            (status, Some(outcome))
        );
        let record = record_of(platform, &answer).await;
        assert_eq!((record.state, record.attempts[0].http_status), (state, Some(status)), "{record:?}");
        assert_eq!(answer.text().await.unwrap(), status.to_string());
        if state == State::Failed {
            let error = record.attempts[0].error.as_ref().unwrap();
            let expected = (format!("http_{status}"), format!("the server answered {status}"));
            assert_eq!((error.kind.clone(), error.message.clone()), expected);
        }
    }
    // The platform's own answers have no outcome of a server.
    let answer = call(platform, "nothing", "GET", "/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-outcome")), (404, None));
}

async fn a_server_in_node_runs_too(platform: &TestPlatform) {
    let code = "require('http').createServer((request, response) => {\n  response.setHeader('x-path', request.url);\n  \
                request.pipe(response);\n}).listen(process.env.PORT, '127.0.0.1');\n";
    let manifest = "language = \"node\"\ninterface = \"http\"\ncommand = [\"node\", \"server.cjs\"]\n";
    deploy(platform, "server", &[("server.cjs", code), ("cloudfunc.toml", manifest)]).await;
    let send = request(platform, "server", "sent").header("cloudfunc-http-path", "/here");
    let answer = send.send().await.unwrap();
    assert_eq!(header(&answer, "x-path"), Some("/here"));
    assert_eq!(answer.text().await.unwrap(), "sent");
}

async fn requests_share_an_instance_up_to_its_concurrency(platform: &TestPlatform) {
    deploy_server(platform, "[scaling]\nconcurrency = 16\nmax_instances = 1\n").await;
    let calls = (0..16).map(async |_| {
        let answer = call(platform, "server", "GET", "/meet?wanted=16").send().await.unwrap();
        answer.text().await.unwrap()
    });
    let processes: BTreeSet<String> = join_all(calls).await.into_iter().collect();
    assert_eq!(processes.len(), 1);
}

async fn one_that_overruns_its_time_is_answered_and_its_instance_ends(platform: &TestPlatform) {
    deploy_server(platform, "timeout = \"3s\"\n[scaling]\nconcurrency = 4\nmax_instances = 2\n").await;
    let first: Value = call(platform, "server", "GET", "/").send().await.unwrap().json().await.unwrap();
    let late = async {
        let answer = call(platform, "server", "GET", "/sleep?seconds=60").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-outcome")), (504, None));
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code::FUNCTION_TIMED_OUT.code, "{problem}");
    };
    let in_time = async {
        let answer = call(platform, "server", "GET", "/sleep?seconds=1").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    tokio::join!(late, in_time);
    let next: Value = call(platform, "server", "GET", "/").send().await.unwrap().json().await.unwrap();
    assert_ne!(first["process"], next["process"]);
}

async fn a_server_that_ends_in_a_request_has_crashed(platform: &TestPlatform) {
    deploy_server(platform, "").await;
    let answer = call(platform, "server", "GET", "/exit?code=3").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-outcome")), (502, None));
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], code::FUNCTION_CRASHED.code, "{problem}");
    let end = "the function's process exited with code 3";
    assert!(problem["detail"].as_str().unwrap().ends_with(end), "{problem}");
    let answer = call(platform, "server", "GET", "/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-start")), (200, Some("cold")));
}

/// A server with a process for each connection.
const FORKS: &str = r#"
import os, socket

server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    child = os.fork()
    if child:
        connection.close()
        os.waitpid(child, 0)
        continue
    if b"/eat" in connection.recv(65536):
        eaten = bytearray(200 << 20)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere")
    os._exit(0)
"#;

async fn a_server_whose_worker_takes_too_much_memory_has_crashed_and_goes_on(platform: &TestPlatform) {
    let manifest = format!("{MANIFEST}memory = \"64MiB\"\n");
    deploy(platform, "server", &[("server.py", FORKS), ("cloudfunc.toml", &manifest)]).await;
    for _ in 0..2 {
        let answer = call(platform, "server", "GET", "/eat").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-outcome")), (502, None));
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code::FUNCTION_CRASHED.code, "{problem}");
        let told = "function 'server' crashed: the function used more than its memory limit of 64 MiB";
        assert_eq!(problem["detail"], told, "{problem}");
    }
    let answer = call(platform, "server", "GET", "/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-start")), (200, Some("warm")));
    assert_eq!(answer.text().await.unwrap(), "here");
}

async fn a_background_invocation_is_a_post_to_the_root(platform: &TestPlatform) {
    deploy_server(platform, "").await;
    let record = platform.run_async("server", "{\"a\":1}").await;
    let attempt = &record.attempts[0];
    assert_eq!((record.state, attempt.http_status), (State::Succeeded, Some(200)), "{record:?}");
    let result = platform.get(&format!("/v1/invocations/{}/result", record.id)).send().await.unwrap();
    let seen: Value = result.json().await.unwrap();
    assert_eq!((&seen["method"], &seen["path"]), (&json!("POST"), &json!("/")));
    assert_eq!(seen["body"], "{\"a\":1}");
}

async fn the_command_line_says_method_path_and_headers(platform: &TestPlatform) {
    deploy_server(platform, "").await;
    let invoke = ["invoke", "server", "--method", "PUT", "--path", "/x?y=1", "--header", "X-A: b"];
    let (code, out, stderr) = platform.cli(&[&invoke[..], &["--data", "{}"]].concat()).await;
    assert_eq!(code, 0, "{stderr}");
    let seen: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&seen["method"], &seen["path"]), (&json!("PUT"), &json!("/x?y=1")));
    assert_eq!(value(&seen, "x-a"), ["b"]);
    for (path, expected) in [("/status?code=404", 0), ("/status?code=503", 1)] {
        let (code, out, stderr) =
            platform.cli(&["invoke", "server", "--method", "GET", "--path", path]).await;
        let status = &path[path.len() - 3..];
        assert_eq!((code, out.trim_end()), (expected, status), "{stderr}");
        assert!(stderr.contains(status), "{stderr}");
    }
}

async fn a_handler_gets_the_request_as_an_event(platform: &TestPlatform) {
    let handler = "def handler(event):\n    return {\"statusCode\": int(event[\"rawPath\"][1:]), \"body\": event}\n";
    platform.deploy("plain", &[("function.py", handler)]).await;
    let answer = call(platform, "plain", "PUT", "/404?a=1&a=2").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
        (404, Some("succeeded"))
    );
    let event: Value = answer.json().await.unwrap();
    assert_eq!((&event["version"], &event["rawPath"]), (&json!("2.0"), &json!("/404")), "{event}");
    assert_eq!(event["queryStringParameters"], json!({ "a": "1,2" }));
    assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    let answer = call(platform, "plain", "GET", "/503").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-outcome")), (503, Some("failed")));
    let record = record_of(platform, &answer).await;
    let attempt = &record.attempts[0];
    assert_eq!((record.state, attempt.http_status), (State::Failed, Some(503)), "{record:?}");
    let error = attempt.error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("http_503", "the function answered 503"));
    let answer = call(platform, "plain", "GET", "/99").send().await.unwrap();
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((status.as_u16(), &problem["error_type"]), (500, &json!("ResponseInvalid")), "{problem}");
}

/// Stops with a server that ignores SIGTERM; that nothing is left of it is seen by the stop itself.
#[tokio::test]
async fn a_server_that_ignores_signals_does_not_keep_a_platform_from_stopping() {
    let test = "interfaces::http::a_server_that_ignores_signals_does_not_keep_a_platform_from_stopping";
    for stack in ["sqlite_embedded_oci", "postgres_rabbitmq_docker"] {
        let Some(platform) = TestPlatform::start(Stack::named(stack), test).await else { continue };
        let script = "#!/bin/sh\ntrap '' TERM INT HUP\npython3 server.py\nexec sleep 300\n";
        let manifest = "interface = \"http\"\ncommand = [\"./start.sh\"]\n";
        let files = [("start.sh", script), ("server.py", SERVER), ("cloudfunc.toml", manifest)];
        deploy(&platform, "server", &files).await;
        assert_eq!(call(&platform, "server", "GET", "/").send().await.unwrap().status(), 200);
        let begun = std::time::Instant::now();
        platform.stop().await;
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{stack}: {:?}", begun.elapsed());
    }
}

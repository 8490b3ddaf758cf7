//! Programs that do not do what their interface says: each is told in words, and nothing else is lost.

use cloudfunc::model::{Problem, code};
use serde_json::Value;

use super::{call, deploy, refused, request};
use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    light:
    a_program_that_is_not_there_is_told_at_the_deploy
    a_program_that_cannot_be_run_is_told_at_the_deploy
    a_program_that_ends_at_once_is_told_at_the_deploy
}

on_stack! {
    @ sqlite_embedded_oci:
    a_program_that_is_not_there_is_told_at_the_deploy
    a_program_that_cannot_be_run_is_told_at_the_deploy
    a_program_that_ends_at_once_is_told_at_the_deploy
    a_port_that_nobody_opens_is_told_at_the_deploy
    an_answer_that_is_none_fails_its_request_only
    a_runtime_that_asks_again_without_an_answer_has_failed
}

on_stack! {
    real:
    a_program_that_is_not_there_is_told_at_the_deploy
    a_program_that_cannot_be_run_is_told_at_the_deploy
    a_program_that_ends_at_once_is_told_at_the_deploy
    a_port_that_nobody_opens_is_told_at_the_deploy
    an_answer_that_is_none_fails_its_request_only
}

/// The beginning of what is told of the program of `f`.
const NOT_LOADED: &str = "the program of 'f' cannot be run: ";

async fn told(platform: &TestPlatform, files: &[(&str, &str)]) -> String {
    let problem: Problem = refused(platform, files).await;
    assert_eq!((problem.status, problem.code.as_str()), (422, code::BUILD_FAILED.code), "{problem:?}");
    let told = problem.detail.strip_prefix(NOT_LOADED).unwrap_or_else(|| panic!("{problem:?}"));
    told.to_owned()
}

async fn a_program_that_is_not_there_is_told_at_the_deploy(platform: &TestPlatform) {
    for interface in ["command", "http", "lambda"] {
        let manifest = format!(
            "language = \"native\"\ninterface = \"{interface}\"\ncommand = [\"no-such-program\"]\n"
        );
        let told = told(platform, &[("cloudfunc.toml", &manifest), ("data", "")]).await;
        let expected = "the program \"no-such-program\" is not found: it is neither in ";
        assert!(told.contains(expected) && told.contains("nor on the PATH"), "{told}");
    }
    // A path is looked at before anything is built.
    let manifest = "language = \"native\"\ncommand = [\"./bin/nothing\"]\n";
    let problem = refused(platform, &[("cloudfunc.toml", manifest), ("data", "")]).await;
    assert_eq!(problem.detail, "no bin/nothing in the folder: `command` runs it");
}

async fn a_program_that_cannot_be_run_is_told_at_the_deploy(platform: &TestPlatform) {
    let manifest = "language = \"native\"\n";
    // Only what begins as a script is made executable here.
    let problem =
        refused(platform, &[("cloudfunc.toml", manifest), ("bootstrap", "echo hello\n")]).await;
    assert_eq!(problem.detail, "bootstrap is not executable; run `chmod +x bootstrap`");
    let script = "#!/no/such/shell\necho hello\n";
    let told = told(platform, &[("cloudfunc.toml", manifest), ("bootstrap", script)]).await;
    let expected =
        "the program \"bootstrap\" begins with #!/no/such/shell, and there is no /no/such/shell here";
    assert!(told.contains(expected), "{told}");
}

async fn a_program_that_ends_at_once_is_told_at_the_deploy(platform: &TestPlatform) {
    for (interface, before) in
        [("http", "before it listened on port 8080"), ("lambda", "before it asked for an invocation")]
    {
        let program = "language = \"native\"\ncommand = [\"./run.sh\"]\n";
        let manifest = format!("{program}interface = \"{interface}\"\n");
        let script = "#!/bin/sh\necho 'no licence' >&2\nexit 7\n";
        let problem = refused(platform, &[("cloudfunc.toml", &manifest), ("run.sh", script)]).await;
        let told = format!("ended with code 7 {before}");
        assert!(problem.detail.contains(&told), "{problem:?}");
        assert_eq!(problem.output.as_deref(), Some("no licence\n"), "{problem:?}");
    }
}

async fn a_port_that_nobody_opens_is_told_at_the_deploy(platform: &TestPlatform) {
    let command = "[\"python3\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"9090\"]";
    let manifest = format!("interface = \"http\"\ncommand = {command}\nload_timeout = \"8s\"\n");
    let problem = refused(platform, &[("cloudfunc.toml", &manifest), ("data", "")]).await;
    let end = "nothing listens on port 8080 within its load_timeout of 8 s";
    assert!(problem.detail.contains(end), "{problem:?}");
    let told = "cloudfunc: for 5 s nothing has listened on port 8080 of 127.0.0.1, which the variable PORT names; the program \
                listens on 127.0.0.1:9090: let it listen on 127.0.0.1:8080, or name its own port as `port` in cloudfunc.toml\n";
    assert!(problem.output.as_deref().unwrap_or_default().contains(told), "{problem:?}");
}

/// A server that answers by the path, as no server should.
const ODD: &str = r#"
import os, socket, threading
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
ANSWERS = {
    b"/noise": b"good day\r\n\r\n",
    b"/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all",
    b"/large-header": b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
    b"/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"/bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"/hangs-up": b"",
    b"/endless": None,
    b"/good": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
}
def serve(connection):
    with connection:
        asked = connection.recv(65536)
        answer = ANSWERS[asked.split(b" ")[1]] if asked else b""
        if answer is None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                while True:
                    connection.sendall(b"x" * 65536)
            except OSError:
                return
        connection.sendall(answer)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
"#;

async fn an_answer_that_is_none_fails_its_request_only(platform: &TestPlatform) {
    let manifest = "interface = \"http\"\ncommand = [\"python3\", \"server.py\"]\n";
    deploy(platform, "f", &[("server.py", ODD), ("cloudfunc.toml", manifest)]).await;
    for (path, expected) in [
        ("/noise", "http: the server on port 8080 sent something that is not HTTP: "),
        ("/cut", "http: the server on port 8080 broke off its answer after 7 bytes of the body"),
        (
            "/large-header",
            "too_large: the response's headers have 100022 bytes, over the limit of 48 KiB",
        ),
        ("/two-lengths", "http: the server on port 8080 sent something that is not HTTP: "),
        ("/bad-chunk", "http: the server on port 8080 broke off its answer after 0 bytes of the body: "),
        ("/hangs-up", "http: the server on port 8080 closed the connection before it had answered"),
        (
            "/endless",
            "too_large: the response's body has more than 6291456 bytes (6 MiB), the limit of a result",
        ),
    ] {
        let answer = call(platform, "f", "GET", path).send().await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code::FUNCTION_FAILED.code, "{path}: {problem}");
        let expected = format!("function 'f' failed: {expected}");
        assert!(problem["detail"].as_str().unwrap().starts_with(&expected), "{path}: {problem}");
        let answer = call(platform, "f", "GET", "/good").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "good", "after {path}");
    }
    // A request that cannot be one is the caller's mistake.
    for (header, sent) in [
        ("cloudfunc-http-method", "G E T"),
        ("cloudfunc-http-path", "no-slash"),
        ("cloudfunc-http-path", "/a b"),
    ] {
        let answer = request(platform, "f", "").header(header, sent).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{header}: {sent}");
    }
    let long = format!("/{}", "x".repeat(9000));
    let answer = call(platform, "f", "GET", &long).send().await.unwrap();
    assert!([400, 414, 431].contains(&answer.status().as_u16()), "{}", answer.status());
}

/// A runtime that forgets to answer the first invocation.
const FORGETS: &str = r#"#!/usr/bin/env python3
import os
from http.client import HTTPConnection
api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    api.getresponse().read()
"#;

async fn a_runtime_that_asks_again_without_an_answer_has_failed(platform: &TestPlatform) {
    let manifest = "language = \"python\"\ninterface = \"lambda\"\ntimeout = \"5s\"\n";
    deploy(platform, "f", &[("bootstrap", FORGETS), ("cloudfunc.toml", manifest)]).await;
    let problem = platform.problem("f", "{}").await;
    assert_eq!(problem.code, code::FUNCTION_FAILED.code, "{problem:?}");
    assert!(problem.detail.starts_with("function 'f' failed: Runtime.NoResponse: "), "{problem:?}");
}

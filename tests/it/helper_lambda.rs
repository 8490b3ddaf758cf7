//! `interface = "lambda"`: the helper serves AWS Lambda's Runtime API to programs that keep to it, and to those that do not.
//! The programs are written in Python, which is on every machine that runs these tests.

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    model::{
        Body, FunctionError, InstanceId, Interface, InvocationId, Language, ManagerId, Network,
        RevisionNumber, message::MAX_BODY,
    },
    runtime::{
        BaseImages, Config, Entry, Finished, Guest, GuestError, Image, Invoke, Kind, Line, Load,
        LoadFailure, Owner, Runtime, Sandbox, Spec, connect, place_helper,
    },
};

use crate::support::eventually;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// What the programs begin with: one connection, and a function for requests.
const CLIENT: &str = r#"#!/usr/bin/env python3
import json, os, socket, sys, threading
from http.client import HTTPConnection

ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"]
ROOT = "/2018-06-01/runtime/"
api = HTTPConnection(ADDRESS)

def ask(method, path, body=None, headers={}, api=api):
    api.request(method, ROOT + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.read(), answer.headers

def next_one(api=api):
    status, payload, headers = ask("GET", "invocation/next", api=api)
    assert status == 200, (status, payload)
    return headers["Lambda-Runtime-Aws-Request-Id"], payload, headers

def answer(id, body, headers={}, api=api):
    return ask("POST", f"invocation/{id}/response", body, headers, api)[0]

def wait_for_the_end():
    with socket.create_connection(ADDRESS.split(":")) as connection:
        connection.recv(1)
"#;

/// A program behind the helper, in the runtime without isolation.
struct Program {
    guest: Guest,
    sandbox: Arc<dyn Sandbox>,
    lines: Vec<Line>,
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Program {
    /// Starts the helper; `bootstrap` is put into the function's folder.
    async fn start(bootstrap: &str) -> Self {
        // A short one: a socket's path has at most 107 bytes where there is no mount.
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let manager = ManagerId::new();
        let owner = Owner { platform: format!("l{}", manager.0.simple()).parse().unwrap(), manager };
        let images = BaseImages(BTreeMap::new());
        let helper = place_helper(&folder.path().join("helper"));
        let program = cloudfunc::runtime::THIS_PROGRAM.into();
        let config =
            Config::new(Kind::Process, owner.clone(), images, folder.path().join("runtime"), program);
        let runtime = connect(&config.with_helper(helper)).unwrap();
        let started = runtime.start(&spec(folder.path(), bootstrap)).await;
        let started = started.unwrap_or_else(|error| panic!("{error:?}"));
        let (guest, sandbox) = (started.guest, started.sandbox);
        Self { guest, sandbox, lines: Vec::new(), runtime, owner, folder }
    }

    /// Started and loaded; the code follows [`CLIENT`].
    async fn ready(code: &str) -> Self {
        let mut program = Self::start(&format!("{CLIENT}{code}")).await;
        program.load().await.unwrap_or_else(|failure| panic!("{failure:?}"));
        program
    }

    async fn load(&mut self) -> Result<(), LoadFailure> {
        let load = Load {
            revision: RevisionNumber(7),
            function: "greeter".to_owned(),
            handler: "app.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Lambda,
            command: vec!["bootstrap".to_owned()],
            env: BTreeMap::from([
                ("GREETING".to_owned(), "Hello".to_owned()),
                ("AWS_REGION".to_owned(), "eu-central-1".to_owned()),
            ]),
            secrets: BTreeMap::new(),
        };
        let lines = &mut self.lines;
        self.guest.load(&load, LIMIT, &mut |line| lines.push(line)).await
    }

    /// Returns the error of a load that fails.
    async fn load_error(&mut self) -> FunctionError {
        match self.load().await {
            Err(LoadFailure::Function(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    async fn invoke_within(
        &mut self,
        limit: Duration,
        content_type: &str,
        payload: &Bytes,
    ) -> Result<Finished, GuestError> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 30_000,
            headers: BTreeMap::from([("x-amzn-trace-id".to_owned(), "Root=1-5bef4de7".to_owned())]),
            content_type: content_type.to_owned(),
            http: None,
        };
        self.lines.clear();
        let lines = &mut self.lines;
        self.guest.invoke(&invoke, payload, limit, &mut |line| lines.push(line)).await
    }

    async fn invoke(&mut self, payload: &str) -> Finished {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        self.invoke_within(LIMIT, "application/json", &payload).await.unwrap()
    }

    async fn result(&mut self, payload: &str) -> String {
        String::from_utf8(body(self.invoke(payload).await).bytes.to_vec()).unwrap()
    }

    async fn error(&mut self, payload: &str) -> FunctionError {
        match self.invoke(payload).await {
            Finished::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Removes the sandbox, and waits until no process of it is left.
    async fn end(self) {
        let Self { guest, sandbox, runtime, owner, folder, lines: _ } = self;
        drop(guest);
        sandbox.remove().await;
        assert_eq!(runtime.remove_all(&owner).await.unwrap(), Vec::<String>::new());
        let name = folder.path().to_str().unwrap();
        eventually("the program has ended", async || processes(name).is_empty().then_some(())).await;
    }
}

fn spec(folder: &Path, bootstrap: &str) -> Spec {
    let instance = InstanceId::new();
    let folder = folder.join(instance.to_string());
    fs::create_dir_all(folder.join("task")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let program = folder.join("task/bootstrap");
    fs::write(&program, bootstrap).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Spec {
        instance,
        function: "greeter".to_owned(),
        image: Image::Language { language: Language::Native, version: "12".to_owned() },
        entry: Entry::Helper,
        folder,
        memory_bytes: 128 << 20,
        cpus: 1.0,
        network: Network::None,
        env: BTreeMap::new(),
        packages: None,
        build: None,
    }
}

/// Processes that know this folder.
fn processes(folder: &str) -> Vec<String> {
    let is_ours = |text: Vec<u8>| text.windows(folder.len()).any(|part| part == folder.as_bytes());
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| fs::read(entry.path().join("environ")).is_ok_and(is_ours))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn body(finished: Finished) -> Body {
    match finished {
        Finished::Result(body) => body,
        other => panic!("{other:?}"),
    }
}

fn error(kind: &str, message: &str, trace: Option<&str>) -> FunctionError {
    FunctionError {
        kind: kind.to_owned(),
        message: message.to_owned(),
        trace: trace.map(str::to_owned),
        hint: None,
    }
}

#[tokio::test]
async fn the_program_of_the_documents_answers() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lambda.md")).unwrap();
    let block = page.split("```text\n").find(|block| block.starts_with("#!/usr/bin/env python3\n"));
    let bootstrap = block.unwrap().split("```").next().unwrap();
    let mut program = Program::start(bootstrap).await;
    program.load().await.unwrap();
    for name in ["Ada", "Alice"] {
        let answer = body(program.invoke(&format!("{{\"name\":\"{name}\"}}")).await);
        assert_eq!(answer.content_type, "application/json");
        assert_eq!(answer.bytes, format!("{{\"greeting\": \"Hello {name}!\"}}"));
    }
    program.end().await;
}

#[tokio::test]
async fn a_program_has_the_headers_and_variables_of_the_documents() {
    let code = r#"
while True:
    id, payload, headers = next_one()
    print(f"invocation {id}", flush=True)
    headers = {name: value for name, value in headers.items() if name not in ("Date", "Content-Length")}
    names = ("_HANDLER", "TZ", "GREETING", "LAMBDA_TASK_ROOT")
    found = {name: os.environ[name] for name in os.environ if name in names or name.startswith("AWS_")}
    answer(id, json.dumps([headers, found, os.getcwd()]))
"#;
    let mut program = Program::ready(code).await;
    let mut found: serde_json::Value = serde_json::from_str(&program.result("{}").await).unwrap();
    // Without a sandbox it has those of this process, too.
    let own = |name: &String| name.starts_with("AWS_") && std::env::var_os(name).is_some();
    found[1].as_object_mut().unwrap().retain(|name, _| !own(name));
    let id = found[0]["Lambda-Runtime-Aws-Request-Id"].as_str().unwrap();
    assert_eq!(program.lines.len(), 1);
    assert_eq!(program.lines[0].text, format!("invocation {id}"));
    let deadline: u128 = found[0]["Lambda-Runtime-Deadline-Ms"].as_str().unwrap().parse().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert!((now..=now + 30_000).contains(&deadline), "{deadline} is not within 30 s of {now}");
    let task = found[2].as_str().unwrap();
    let (address, stream) =
        (&found[1]["AWS_LAMBDA_RUNTIME_API"], found[1]["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap());
    assert!(address.as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(stream.starts_with("[7]") && stream.len() == 35, "{stream}");
    let expected = serde_json::json!([
        {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": id,
            "Lambda-Runtime-Deadline-Ms": deadline.to_string(),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000000:function:greeter",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7"
        },
        {
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_LAMBDA_FUNCTION_NAME": "greeter",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/greeter",
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_REGION": "eu-central-1",
            "GREETING": "Hello",
            "LAMBDA_TASK_ROOT": task,
            "TZ": found[1]["TZ"],
            "_HANDLER": "app.handler"
        },
        task
    ]);
    assert_eq!(found, expected);
    program.end().await;
}

#[tokio::test]
async fn an_answer_counts_once_and_for_its_own_invocation() {
    let code = r#"
seen = []
while True:
    id, payload, _ = next_one()
    if payload == b'"seen"':
        answer(id, json.dumps(seen))
        continue
    other = "00000000-0000-7000-8000-000000000000"
    for target, text in ((other, '"other"'), (id, '"first"'), (id, '"second"')):
        status, said, _ = ask("POST", f"invocation/{target}/response", text)
        seen.append([status, json.loads(said)])
    status, said, _ = ask("POST", f"invocation/{id}/error", "{}")
    seen.append([status, json.loads(said)])
"#;
    let mut program = Program::ready(code).await;
    assert_eq!(program.result("{}").await, "\"first\"");
    let seen: serde_json::Value = serde_json::from_str(&program.result("\"seen\"").await).unwrap();
    let refused = serde_json::json!([400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]);
    let taken = serde_json::json!([202, {"status": "OK"}]);
    assert_eq!(seen, serde_json::json!([refused, taken, refused, refused]));
    program.end().await;
}

#[tokio::test]
async fn a_program_that_never_answers_times_out_alone() {
    let mut program = Program::ready("next_one()\nwait_for_the_end()\n").await;
    let limit = Duration::from_millis(300);
    let outcome = program.invoke_within(limit, "application/json", &Bytes::from_static(b"{}")).await;
    assert!(matches!(outcome, Err(GuestError::TimedOut(after)) if after == limit), "{outcome:?}");
    program.end().await;
}

#[tokio::test]
async fn a_program_that_asks_again_without_an_answer_has_failed_that_invocation() {
    let code = r#"
late = None
while True:
    id, payload, _ = next_one()
    if payload == b'"skip"':
        late = id
        continue
    status = answer(late, '"late"')
    answer(id, json.dumps(status))
"#;
    let mut program = Program::ready(code).await;
    let message = "the program asked for the next invocation before it had answered this one";
    assert_eq!(program.error("\"skip\"").await, error("Runtime.NoResponse", message, None));
    assert_eq!(program.result("{}").await, "400");
    program.end().await;
}

#[tokio::test]
async fn of_two_clients_one_gets_an_invocation_and_the_other_waits() {
    let code = r#"
def serve(name):
    api = HTTPConnection(ADDRESS)
    while True:
        id, payload, _ = next_one(api)
        answer(id, json.dumps([name, json.loads(payload)]), api=api)

threading.Thread(target=serve, args=("one",)).start()
serve("two")
"#;
    let mut program = Program::ready(code).await;
    for number in 0..20 {
        let result = program.result(&number.to_string()).await;
        assert!(
            [format!("[\"one\", {number}]"), format!("[\"two\", {number}]")].contains(&result),
            "{result}"
        );
    }
    program.end().await;
}

#[tokio::test]
async fn an_initialisation_that_fails_is_told_in_the_programs_words() {
    let code = r#"
failure = {"errorType": "ImportError", "errorMessage": "no module named 'app'", "stackTrace": ["  File \"a.py\"\n"]}
status, said, _ = ask("POST", "init/error", json.dumps(failure))
assert (status, said) == (202, b'{"status":"OK"}')
sys.exit(1)
"#;
    let mut program = Program::start(&format!("{CLIENT}{code}")).await;
    let expected = error("ImportError", "no module named 'app'", Some("  File \"a.py\""));
    assert_eq!(program.load_error().await, expected);
    program.end().await;
}

#[tokio::test]
async fn a_program_that_does_not_ask_says_why() {
    let asks = "it asked for an invocation; with interface = \"lambda\" it has to call \
                http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next in a loop";
    let killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n";
    for (code, end) in [
        ("import sys\nsys.exit(3)\n", "ended with code 3"),
        ("", "ended with code 0"),
        (killed, "was killed by signal 9 (SIGKILL)"),
    ] {
        let mut program = Program::start(&format!("#!/usr/bin/env python3\n{code}")).await;
        let message = format!("the program \"bootstrap\" {end} before {asks}");
        assert_eq!(program.load_error().await, error("exit", &message, None));
        program.end().await;
    }
}

#[tokio::test]
async fn an_error_has_its_type_message_and_trace_and_the_instance_lives_on() {
    let code = r#"
while True:
    id, payload, _ = next_one()
    body, headers = json.loads(payload)
    ask("POST", f"invocation/{id}/error", body, headers)
"#;
    let mut program = Program::ready(code).await;
    let document = serde_json::json!({
        "errorType": "ValueError",
        "errorMessage": "no",
        "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError\n"]
    });
    let trace = "  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError";
    for (body, headers, expected) in [
        (document.to_string(), serde_json::json!({}), error("ValueError", "no", Some(trace))),
        (
            "{\"errorMessage\": ".to_owned(),
            serde_json::json!({"Lambda-Runtime-Function-Error-Type": "Function.Broken"}),
            error("Function.Broken", "{\"errorMessage\":", None),
        ),
        (
            String::new(),
            serde_json::json!({}),
            error("Runtime.Unknown", "the program has reported an error without saying which", None),
        ),
    ] {
        let payload = serde_json::json!([body, headers]).to_string();
        assert_eq!(program.error(&payload).await, expected);
    }
    program.end().await;
}

#[tokio::test]
async fn payloads_and_results_are_bytes_up_to_6_mib() {
    let code = r#"
while True:
    id, payload, headers = next_one()
    if payload == b"more":
        answer(id, b"x" * (6 * 1024 * 1024 + 1))
    else:
        answer(id, payload, {"Content-Type": headers["Content-Type"]})
"#;
    let mut program = Program::ready(code).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(MAX_BODY).collect();
    let payload = Bytes::from(bytes);
    let answer = program.invoke_within(LIMIT, "image/x-mine", &payload).await.unwrap();
    let answer = body(answer);
    assert_eq!(answer.content_type, "image/x-mine");
    assert!(answer.bytes == payload, "{} bytes of {}", answer.bytes.len(), payload.len());
    let message = "the response has more than 6291456 bytes (6 MiB), the most that a result may have";
    assert_eq!(program.error("more").await, error("Function.ResponseSizeTooLarge", message, None));
    let text = "text/plain; charset=utf-8";
    for (payload, content_type) in
        [(&b"\xff\x00"[..], "application/octet-stream"), (&b"plain"[..], text), (&b""[..], text)]
    {
        let payload = Bytes::from_static(payload);
        let answer = program.invoke_within(LIMIT, "application/octet-stream", &payload).await.unwrap();
        let answer = body(answer);
        assert_eq!((answer.content_type.as_str(), answer.bytes), (content_type, payload));
    }
    program.end().await;
}

#[tokio::test]
async fn a_streamed_response_is_collected_and_its_trailers_fail_it() {
    let code = r#"
def stream(id, end):
    host, port = ADDRESS.split(":")
    with socket.create_connection((host, port)) as connection:
        connection.sendall((
            f"POST {ROOT}invocation/{id}/response HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n"
            "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        ).encode())
        for chunk in (b'{"statusCode":200}', b"\0" * 8, b"Hello"):
            connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        if end is not None:
            connection.sendall(f"0\r\n{end}\r\n".encode())
            assert connection.recv(64).startswith(b"HTTP/1.1 202 "), "refused"

while True:
    id, payload, _ = next_one()
    stream(id, json.loads(payload))
"#;
    let mut program = Program::ready(code).await;
    let answer = body(program.invoke("\"\"").await);
    assert_eq!(answer.content_type, "application/vnd.awslambda.http-integration-response");
    assert_eq!(answer.bytes, &b"{\"statusCode\":200}\0\0\0\0\0\0\0\0Hello"[..]);
    // {"errorMessage":"no"}
    let trailers = "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\
                    Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJubyJ9\r\n";
    let payload = serde_json::json!(trailers).to_string();
    assert_eq!(program.error(&payload).await, error("Runtime.StreamError", "no", None));
    let message = "the program's connection to the Runtime API ended before the whole response had come";
    assert_eq!(program.error("null").await, error("Runtime.TruncatedResponse", message, None));
    assert!(body(program.invoke("\"\"").await).bytes.ends_with(b"Hello"));
    program.end().await;
}

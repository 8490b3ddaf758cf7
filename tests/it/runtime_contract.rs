//! What every runtime promises, asked of every backend.
//!
//! A property is one function that takes a [`Fixture`]; the macro at the end makes a test of it per
//! backend. Each test is an owner of its own and ends by asserting that nothing of it is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    model::{
        FunctionError, InstanceId, InvocationId, Language, ManagerId, Network, RevisionNumber, Stream,
    },
    runtime::{
        Config, Error, Exit, Finished, Guest, GuestError, Image, Invoke, Kind, Line, Load, LoadFailure,
        Owner, Runtime, Sandbox, Spec, connect,
    },
};

use crate::{need, support::eventually};

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

const MIB: u64 = 1024 * 1024;

/// One backend with an owner and a folder of its own.
struct Fixture {
    kind: Kind,
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(kind: Kind) -> Self {
        // A short one: a socket's path has at most 107 bytes where there is no mount.
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let owner = owner();
        Self { kind, runtime: connect(&config(kind, &owner)).unwrap(), owner, folder }
    }

    fn config(&self) -> Config {
        config(self.kind, &self.owner)
    }

    /// A spec with the code in place.
    fn spec(&self, code: &str) -> Spec {
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        fs::create_dir_all(folder.join("task")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join("task/function.py"), code).unwrap();
        Spec {
            instance,
            function: "contract".to_owned(),
            image: Image::Language { language: Language::Python, version: "3.11".to_owned() },
            folder,
            memory_bytes: 128 * MIB,
            cpus: 1.0,
            network: Network::None,
        }
    }

    async fn start(&self, code: &str) -> Instance {
        self.start_spec(&self.spec(code)).await
    }

    async fn start_spec(&self, spec: &Spec) -> Instance {
        let started = self.runtime.start(spec).await.unwrap_or_else(|error| panic!("{error:?}"));
        Instance { sandbox: started.sandbox, guest: started.guest, lines: Vec::new() }
    }

    /// Started and loaded.
    async fn ready(&self, code: &str) -> Instance {
        let mut instance = self.start(code).await;
        instance.load().await.unwrap_or_else(|failure| panic!("{failure:?}"));
        instance
    }

    /// An image whose program prints a line with `uid=` and ends.
    fn no_guest(&self) -> String {
        if self.kind == Kind::Process {
            return "/usr/bin/id".to_owned();
        }
        let context = self.folder.path().join("context");
        fs::create_dir_all(&context).unwrap();
        let base = self.config().python_image;
        fs::write(context.join("Dockerfile"), format!("FROM {base}\nCMD [\"id\"]\n")).unwrap();
        let tag = "cloudfunc-test/no-guest";
        docker(&["build", "-q", "-t", tag, context.to_str().unwrap()]);
        tag.to_owned()
    }

    /// What is there of this owner, asked of the system itself.
    fn sandboxes(&self) -> Vec<String> {
        if self.kind == Kind::Docker {
            let label = format!("label=cloudfunc.manager={}", self.owner.manager);
            return docker(&["ps", "-aq", "--filter", &label]).lines().map(str::to_owned).collect();
        }
        let folder = self.folder.path().to_str().unwrap().as_bytes();
        let ours = |environment: Vec<u8>| environment.windows(folder.len()).any(|part| part == folder);
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| fs::read(entry.path().join("environ")).is_ok_and(ours))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    async fn eventually_nothing(&self) {
        eventually("no sandbox is left", async || self.sandboxes().is_empty().then_some(())).await;
    }

    async fn nothing_is_left(&self) {
        assert_eq!(self.runtime.remove_all(&self.owner).await.unwrap(), Vec::<String>::new());
    }
}

impl Drop for Fixture {
    /// A test that failed must not leave its containers to the others.
    fn drop(&mut self) {
        if std::thread::panicking() && self.kind == Kind::Docker {
            for id in self.sandboxes() {
                docker(&["rm", "-f", &id]);
            }
        }
    }
}

fn owner() -> Owner {
    Owner { platform: "contract".parse().unwrap(), manager: ManagerId::new() }
}

fn config(kind: Kind, owner: &Owner) -> Config {
    let python_image =
        std::env::var("CLOUDFUNC_PYTHON_IMAGE").unwrap_or("python:{version}-slim".to_owned());
    Config { kind, python_image, owner: owner.clone() }
}

/// A sandbox, its guest, and what it wrote since it was last asked.
struct Instance {
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    lines: Vec<Line>,
}

impl Instance {
    async fn load(&mut self) -> Result<(), LoadFailure> {
        let load = Load {
            revision: RevisionNumber(7),
            function: "contract".to_owned(),
            handler: "function.handler".to_owned(),
            env: BTreeMap::from([("GREETING".to_owned(), "Hello".to_owned())]),
            secrets: BTreeMap::from([("API_KEY".to_owned(), "hunter2".to_owned())]),
        };
        let lines = &mut self.lines;
        self.guest.load(&load, LIMIT, &mut |line| lines.push(line)).await
    }

    async fn invoke_as(&mut self, content_type: &str, payload: &[u8]) -> Result<Finished, GuestError> {
        self.invoke_within(LIMIT, content_type, payload).await
    }

    async fn invoke_within(
        &mut self,
        limit: Duration,
        content_type: &str,
        payload: &[u8],
    ) -> Result<Finished, GuestError> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 2,
            remaining_ms: 30_000,
            headers: BTreeMap::from([("x-request".to_owned(), "r1".to_owned())]),
            content_type: content_type.to_owned(),
        };
        self.lines.clear();
        let lines = &mut self.lines;
        let payload = Bytes::copy_from_slice(payload);
        self.guest.invoke(&invoke, &payload, limit, &mut |line| lines.push(line)).await
    }

    async fn invoke(&mut self, json: &str) -> Result<Finished, GuestError> {
        self.invoke_as("application/json", json.as_bytes()).await
    }

    /// The result as text.
    async fn result(&mut self, json: &str) -> String {
        text(self.invoke(json).await.unwrap())
    }

    async fn error(&mut self, json: &str) -> FunctionError {
        match self.invoke(json).await.unwrap() {
            Finished::Error(error) => error,
            Finished::Result(body) => panic!("a result: {body:?}"),
        }
    }

    /// Waits between invocations until this line comes.
    async fn idle_until(&mut self, text: &str) {
        let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let wait = async { while seen.recv().await.unwrap() != text {} };
        let mut output = |line: Line| sender.send(line.text).unwrap();
        tokio::select! {
            error = self.guest.idle(&mut output) => panic!("{error}"),
            done = tokio::time::timeout(LIMIT, wait) => done.unwrap(),
        }
    }

    fn output(&self) -> Vec<(Stream, &str)> {
        self.lines.iter().map(|line| (line.stream, line.text.as_str())).collect()
    }

    async fn exit(&self) -> Exit {
        tokio::time::timeout(LIMIT, self.sandbox.exited()).await.unwrap()
    }
}

fn text(finished: Finished) -> String {
    match finished {
        Finished::Result(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
        Finished::Error(error) => panic!("{error:?}"),
    }
}

fn typed(finished: Finished) -> (String, Bytes) {
    match finished {
        Finished::Result(body) => (body.content_type, body.bytes),
        Finished::Error(error) => panic!("{error:?}"),
    }
}

const ECHO: &str = "def handler(event):\n    return event\n";

// ---- load and invoke

async fn a_guest_says_hello_loads_and_answers(fixture: &Fixture) {
    let mut instance = fixture.ready("def handler(event):\n    return {'sum': sum(event)}\n").await;
    let (content_type, bytes) = typed(instance.invoke("[1, 2, 3]").await.unwrap());
    assert_eq!((content_type.as_str(), &bytes[..]), ("application/json", &br#"{"sum":6}"#[..]));
    assert!(!fixture.runtime.ping().await.unwrap().is_empty());
    instance.sandbox.remove().await;
    assert_eq!(instance.exit().await, Exit::Removed);
}

async fn json_text_and_bytes_go_in_and_come_out(fixture: &Fixture) {
    let mut instance = fixture.ready(ECHO).await;
    for (given, payload, answered) in [
        ("application/json", "{\"a\":[1,null]}".as_bytes(), "application/json"),
        ("application/problem+json; charset=utf-8", "{\"ä\":1}".as_bytes(), "application/json"),
        ("text/plain; charset=utf-8", "grün".as_bytes(), "text/plain; charset=utf-8"),
        ("application/octet-stream", &[0, 255, 10], "application/octet-stream"),
        ("", &[], "application/octet-stream"),
    ] {
        let (content_type, bytes) = typed(instance.invoke_as(given, payload).await.unwrap());
        assert_eq!((content_type.as_str(), &bytes[..]), (answered, payload), "{given}");
    }
    let (_, bytes) = typed(instance.invoke_as("text/plain; charset=latin-1", b"gr\xfcn").await.unwrap());
    assert_eq!(&bytes[..], "grün".as_bytes());
    instance.sandbox.remove().await;
}

async fn a_handler_sees_its_context_environment_and_secrets(fixture: &Fixture) {
    let code = r#"
import os
async def handler(event, context):
    return [context.function, context.revision, context.attempt, context.headers["x-request"],
            29000 < context.remaining_ms() <= 30000, context.content_type, context.body.decode(),
            len(context.invocation_id), os.environ["GREETING"], os.environ["API_KEY"], os.getcwd()[-4:]]
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(
        instance.result("{}").await,
        r#"["contract",7,2,"r1",true,"application/json","{}",36,"Hello","hunter2","task"]"#
    );
    instance.sandbox.remove().await;
}

async fn a_payload_of_6_mib_goes_round(fixture: &Fixture) {
    let mut instance = fixture.ready(ECHO).await;
    let payload: Vec<u8> = (0..6 * MIB).map(|i| (i % 251) as u8).collect();
    let (_, bytes) = typed(instance.invoke_as("application/octet-stream", &payload).await.unwrap());
    assert!(bytes == payload);
    assert_eq!(instance.result("1").await, "1");
    instance.sandbox.remove().await;
}

// ---- the function fails

async fn an_exception_is_an_error_with_the_functions_own_trace(fixture: &Fixture) {
    let code = "def handler(event):\n    inner()\n\ndef inner():\n    raise ValueError('no ä')\n";
    let mut instance = fixture.ready(code).await;
    let error = instance.error("{}").await;
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("ValueError", "no ä"));
    let trace = error.trace.unwrap();
    assert!(trace.contains("in handler\n    inner()") && trace.contains("line 5, in inner"), "{trace}");
    assert!(!trace.contains("shim") && !trace.contains("importlib"), "{trace}");
    // It goes on.
    assert_eq!(instance.error("{}").await.kind, "ValueError");
    instance.sandbox.remove().await;
}

async fn a_huge_exception_is_cut(fixture: &Fixture) {
    let code = "def handler(event):\n    raise ValueError('\\x01' * 100_000 + '\\ud800')\n";
    let mut instance = fixture.ready(code).await;
    let error = instance.error("{}").await;
    assert_eq!(error.kind, "ValueError");
    assert!(error.message.len() > 1000 && error.trace.is_some());
    instance.sandbox.remove().await;
}

async fn what_is_no_json_is_an_error(fixture: &Fixture) {
    let code = r#"
def handler(event):
    loop = []
    loop.append(loop)
    return {"set": {1}, "nan": float("nan"), "loop": loop, "surrogate": ["\ud800"], "large": "x" * 6291457}[event]
"#;
    let mut instance = fixture.ready(code).await;
    for (which, kind, message) in [
        ("set", "ResultNotSerializable", "returned a set that is not JSON"),
        ("nan", "ResultNotSerializable", "out of range float"),
        ("loop", "ResultNotSerializable", "Circular"),
        ("surrogate", "ResultNotSerializable", "surrogates not allowed"),
        ("large", "ResultTooLarge", "6291456"),
    ] {
        let error = instance.error(&format!("\"{which}\"")).await;
        assert_eq!(error.kind, kind);
        assert!(error.message.to_lowercase().contains(&message.to_lowercase()), "{}", error.message);
    }
    instance.sandbox.remove().await;
}

async fn code_that_cannot_be_loaded_says_why(fixture: &Fixture) {
    for (code, kind, message) in [
        ("def handler(event:\n", "SyntaxError", "never closed"),
        ("import nowhere\n", "ModuleNotFoundError", "nowhere"),
        ("def other(event): pass\n", "HandlerNotFound", "no 'handler'"),
        ("handler = 3\n", "HandlerInvalid", "cannot be called"),
        ("def handler(): pass\n", "HandlerInvalid", "(event) or (event, context)"),
        ("print('loading')\nraise KeyError('k')\n", "KeyError", "k"),
    ] {
        let mut instance = fixture.start(code).await;
        let failure = instance.load().await.unwrap_err();
        let LoadFailure::Function(error) = failure else { panic!("{failure:?}") };
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains(message), "{error:?}");
        if kind == "KeyError" {
            assert_eq!(instance.output(), [(Stream::Stdout, "loading")]);
            assert!(error.trace.unwrap().starts_with("Traceback (most recent call last):\n  File \""));
        }
        instance.sandbox.remove().await;
    }
}

async fn a_handler_that_exits_is_closed_with_its_code(fixture: &Fixture) {
    let code = r#"
import os, sys
def handler(event):
    print("last words")
    if event == "raise":
        sys.exit(3)
    if event == "kill":
        os.kill(os.getpid(), 15)
    os._exit(4)
"#;
    for (event, expected) in [("raise", 3), ("kill", 128 + 15), ("", 4)] {
        let mut instance = fixture.ready(code).await;
        let error = instance.invoke(&format!("\"{event}\"")).await.unwrap_err();
        assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
        assert_eq!(instance.output(), [(Stream::Stdout, "last words")]);
        assert_eq!(instance.exit().await, Exit::Code(expected));
        assert_eq!(instance.exit().await, Exit::Code(expected), "asked again");
        instance.sandbox.remove().await;
        assert_eq!(instance.exit().await, Exit::Removed);
    }
}

async fn a_handler_that_never_returns_times_out_alone(fixture: &Fixture) {
    let code =
        "def handler(event):\n    print('spinning')\n    while event:\n        pass\n    return 1\n";
    let mut stuck = fixture.ready(code).await;
    let mut other = fixture.ready(code).await;
    let limit = Duration::from_millis(300);
    let error = stuck.invoke_within(limit, "application/json", b"1").await.unwrap_err();
    assert!(matches!(error, GuestError::TimedOut(l) if l == limit), "{error:?}");
    assert_eq!(stuck.output(), [(Stream::Stdout, "spinning")]);
    stuck.sandbox.remove().await;
    assert_eq!(stuck.exit().await, Exit::Removed);
    assert_eq!(other.result("0").await, "1");
    other.sandbox.remove().await;
}

async fn a_handler_that_prints_for_ever_times_out_too(fixture: &Fixture) {
    let code = "import os\ndef handler(event):\n    while True:\n        os.write(1, b'x\\n' * 30000)\n";
    let mut instance = fixture.ready(code).await;
    let limit = Duration::from_millis(300);
    let invocation = instance.invoke_within(limit, "application/json", b"1");
    let error = tokio::time::timeout(LIMIT, invocation).await.unwrap().unwrap_err();
    assert!(matches!(error, GuestError::TimedOut(_)), "{error:?}");
    instance.sandbox.remove().await;
}

async fn a_guest_that_breaks_the_protocol_is_a_violation(fixture: &Fixture) {
    let code = r#"
import os, json, threading, uuid
def control():
    for fd in range(3, 30):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                return fd
        except OSError:
            pass
def frame(header, body=b""):
    header = json.dumps(header).encode()
    return len(header).to_bytes(4, "big") + len(body).to_bytes(4, "big") + header + body
def handler(event, context):
    right = {"result": {"id": context.invocation_id, "content_type": "text/plain"}}
    wrong = {"result": {"id": str(uuid.uuid4()), "content_type": "text/plain"}}
    bad = {"result": {"id": context.invocation_id, "content_type": "text/plain\r\nx: y"}}
    os.write(control(), {
        "garbage": b"garbage!garbage!",
        "wrong id": frame(wrong),
        "content type": frame(bad),
        "hello": frame({"hello": {"protocol": 1, "language": "python", "pid": 1}}),
        "unknown": frame({"what": {}}),
        "two": frame(right) + frame(right),
        "long header": (65537).to_bytes(4, "big") + bytes(4),
        "long body": (2).to_bytes(4, "big") + (6291457).to_bytes(4, "big"),
    }[event])
    os.write(control(), frame(right))
    threading.Event().wait()
"#;
    for event in
        ["garbage", "wrong id", "content type", "hello", "unknown", "two", "long header", "long body"]
    {
        let mut instance = fixture.ready(code).await;
        let error = instance.invoke(&format!("\"{event}\"")).await.unwrap_err();
        assert!(matches!(error, GuestError::Violation(_)), "{event}: {error:?}");
        instance.sandbox.remove().await;
    }
}

async fn a_frame_that_nothing_asked_for_is_a_violation(fixture: &Fixture) {
    let code = r#"
import os, threading
def handler(event):
    fd = next(fd for fd in range(3, 30) if os.path.exists(f"/proc/self/fd/{fd}")
              and os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"))
    threading.Timer(0.05, lambda: os.write(fd, b"hi")).start()
"#;
    let mut instance = fixture.ready(code).await;
    instance.result("{}").await;
    let error = tokio::time::timeout(LIMIT, instance.guest.idle(&mut |_| {})).await.unwrap();
    assert!(matches!(error, GuestError::Violation(_)), "{error:?}");
    instance.sandbox.remove().await;
}

// ---- output

async fn a_child_process_prints_into_the_invocation(fixture: &Fixture) {
    let code = r#"
import os, subprocess, sys
def handler(event):
    print("one")
    print("two", file=sys.stderr)
    subprocess.run(["echo", "three"], check=True)
    os.write(1, b"four\xff\n")
    print("five", end="")
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(instance.result("{}").await, "null");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for (stream, text) in instance.output() {
        if stream == Stream::Stdout { stdout.push(text) } else { stderr.push((stream, text)) }
    }
    assert_eq!(stdout, ["one", "three", "four\u{fffd}", "five"]);
    assert_eq!(stderr, [(Stream::Stderr, "two")]);
    instance.sandbox.remove().await;
}

async fn what_is_printed_later_belongs_to_the_instance(fixture: &Fixture) {
    let code = r#"
import threading
def handler(event):
    print("now")
    threading.Timer(0.05, lambda: print("later")).start()
"#;
    let mut instance = fixture.ready(code).await;
    instance.result("{}").await;
    assert_eq!(instance.output(), [(Stream::Stdout, "now")]);
    instance.idle_until("later").await;
    assert_eq!(instance.result("{}").await, "null");
    instance.sandbox.remove().await;
}

async fn ten_mib_of_output_are_cut_and_the_result_arrives(fixture: &Fixture) {
    let code = "def handler(event):\n    for _ in range(10240):\n        print('x' * 1023)\n    return 'done'\n";
    let mut instance = fixture.ready(code).await;
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "done");
        let output = instance.output();
        let platform: Vec<_> = output.iter().filter(|(stream, _)| *stream == Stream::Platform).collect();
        assert_eq!(platform.len(), 1);
        assert!(platform[0].1.starts_with("truncated"), "{platform:?}");
        assert_eq!(output.len(), 1025);
    }
    instance.sandbox.remove().await;
}

// ---- ends

async fn a_guest_ends_when_the_host_hangs_up(fixture: &Fixture) {
    let Instance { sandbox, guest, .. } = fixture.ready(ECHO).await;
    drop(guest);
    let exit = tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    assert_eq!(exit, Exit::Code(0));
    sandbox.remove().await;
}

async fn a_busy_guest_ends_too_when_the_host_hangs_up(fixture: &Fixture) {
    let mut instance = fixture.ready("def handler(event):\n    while True:\n        pass\n").await;
    let limit = Duration::from_millis(50);
    instance.invoke_within(limit, "application/json", b"1").await.unwrap_err();
    let Instance { sandbox, guest, .. } = instance;
    drop(guest);
    let exit = tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    assert_eq!(exit, Exit::Code(0));
    sandbox.remove().await;
}

async fn only_the_owners_own_sandboxes_are_removed(fixture: &Fixture) {
    let stranger = Fixture::new(fixture.kind);
    let first = fixture.ready(ECHO).await;
    let second = fixture.ready(ECHO).await;
    let mut other = stranger.ready(ECHO).await;
    let mut ids = vec![first.sandbox.id().to_owned(), second.sandbox.id().to_owned()];
    ids.sort_unstable();
    let mut removed = fixture.runtime.remove_all(&fixture.owner).await.unwrap();
    removed.sort_unstable();
    assert_eq!(removed, ids);
    assert_eq!(first.exit().await, Exit::Removed);
    assert_eq!(other.result("1").await, "1");
    other.sandbox.remove().await;
    stranger.nothing_is_left().await;
}

async fn a_dropped_sandbox_is_removed(fixture: &Fixture) {
    drop(fixture.ready(ECHO).await);
    fixture.eventually_nothing().await;
}

async fn a_dropped_start_leaves_nothing(fixture: &Fixture) {
    // Once without a limit, so that the image is there.
    fixture.start(ECHO).await.sandbox.remove().await;
    for milliseconds in [0, 5, 20, 50, 100, 200, 400] {
        let spec = fixture.spec(ECHO);
        let start = fixture.runtime.start(&spec);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), start).await;
    }
    // Answers when nothing is being made any more.
    fixture.runtime.remove_all(&owner()).await.unwrap();
    fixture.eventually_nothing().await;
}

async fn what_is_no_guest_is_a_start_error_with_its_output(fixture: &Fixture) {
    let mut spec = fixture.spec(ECHO);
    spec.image = Image::Own { reference: fixture.no_guest() };
    let Err(Error::Start { reason, output }) = fixture.runtime.start(&spec).await else { panic!() };
    assert!(output.contains("uid="), "{output}");
    assert!(!reason.is_empty());
    assert!(!spec.folder.join("run/runtime.sock").exists());
}

async fn many_start_at_once(fixture: &Fixture) {
    let mut instances =
        futures_util::future::join_all((0..6).map(|_| fixture.ready("def handler(e): return e"))).await;
    for (number, instance) in instances.iter_mut().enumerate() {
        assert_eq!(instance.result(&number.to_string()).await, number.to_string());
    }
    let ids: BTreeSet<_> = instances.iter().map(|instance| instance.sandbox.id().to_owned()).collect();
    assert_eq!(ids.len(), 6);
    futures_util::future::join_all(instances.iter().map(|instance| instance.sandbox.remove())).await;
}

// ---- only a real sandbox

async fn too_much_memory_is_the_reason(fixture: &Fixture) {
    let code =
        "def handler(event):\n    keep = []\n    while True:\n        keep.append(bytearray(1 << 20))\n";
    let mut spec = fixture.spec(code);
    spec.memory_bytes = 48 * MIB;
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    let error = instance.invoke("{}").await.unwrap_err();
    assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
    assert_eq!(instance.exit().await, Exit::OutOfMemory);
    instance.sandbox.remove().await;
}

async fn a_sandbox_may_do_little(fixture: &Fixture) {
    let code = r##"
import os, resource, subprocess
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
def handler(event):
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    with open("/tmp/script", "w") as file:
        file.write("#!/bin/sh\necho ran")
    os.chmod("/tmp/script", 0o755)
    return {
        "ids": [os.getuid(), os.getgid(), os.getgroups()],
        "capabilities": [int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "root": refused("/x"),
        "task": refused("/var/task/x"),
        "run": refused("/run/cloudfunc/x"),
        "tmp": subprocess.run(["/tmp/script"], stdout=subprocess.PIPE).stdout.decode().strip(),
        "tmp_bytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "network": os.listdir("/sys/class/net"),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "pids": open("/sys/fs/cgroup/pids/pids.max").read().strip() if os.path.exists("/sys/fs/cgroup/pids") else open("/sys/fs/cgroup/pids.max").read().strip(),
        "home": os.environ["HOME"],
        "stdin": os.readlink("/proc/self/fd/0"),
        "socket": os.listdir("/run/cloudfunc"),
    }
"##;
    let mut instance = fixture.ready(code).await;
    let seen: serde_json::Value = serde_json::from_str(&instance.result("{}").await).unwrap();
    let read_only = "Read-only file system";
    assert_eq!(
        seen,
        serde_json::json!({
            "ids": [65532, 65532, [65532]],
            "capabilities": [0, 0, 0, 0, 0],
            "no_new_privileges": "1",
            "seccomp": "2",
            "root": read_only,
            "task": read_only,
            "run": read_only,
            "tmp": "ran",
            "tmp_bytes": 64 * MIB,
            "network": ["lo"],
            "files": [1024, 4096],
            "pids": "256",
            "home": "/tmp",
            "stdin": "/dev/null",
            "socket": [],
        })
    );
    instance.sandbox.remove().await;
}

async fn what_a_function_leaves_behind_is_reaped(fixture: &Fixture) {
    let code = r#"
import glob, subprocess, time
def handler(event):
    subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do true & done; sh -c 'sleep 0.1 &' &"], check=True)
    deadline = time.monotonic() + 10
    while len(glob.glob("/proc/[0-9]*")) > 2:  # the guest and its init
        if time.monotonic() > deadline:
            return "zombies are left"
        time.sleep(0.01)
    return "none"
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(instance.result("{}").await, "none");
    instance.sandbox.remove().await;
}

async fn containers_with_egress_cannot_reach_each_other(fixture: &Fixture) {
    let code = r#"
import socket
listener = None
def handler(event):
    global listener
    if event is None:
        listener = socket.create_server(("0.0.0.0", 8080))
        return socket.gethostbyname(socket.gethostname())
    try:
        socket.create_connection((event, 8080), timeout=1).close()
        return "reached"
    except OSError as error:
        return f"refused: {error}"
"#;
    let mut spec = fixture.spec(code);
    spec.network = Network::Egress;
    let mut one = fixture.start_spec(&spec).await;
    let mut spec = fixture.spec(code);
    spec.network = Network::Egress;
    let mut two = fixture.start_spec(&spec).await;
    one.load().await.unwrap();
    two.load().await.unwrap();
    let address = one.result("null").await;
    assert!(
        address.parse::<std::net::Ipv4Addr>().is_ok_and(|address| !address.is_loopback()),
        "{address}"
    );
    assert_eq!(one.result(&format!("\"{address}\"")).await, "reached");
    let answer = two.result(&format!("\"{address}\"")).await;
    assert!(answer.starts_with("refused"), "{answer}");
    one.sandbox.remove().await;
    two.sandbox.remove().await;
    docker(&["network", "rm", "cloudfunc-contract-egress"]);
}

async fn a_functions_image_holds_its_code(fixture: &Fixture) {
    let bundle = fixture.folder.path().join("bundle");
    fs::create_dir_all(bundle.join("package")).unwrap();
    fs::write(bundle.join("package/__init__.py"), "WORD = 'from the image'\n").unwrap();
    fs::write(bundle.join("function.py"), "import package\ndef handler(event): return package.WORD\n")
        .unwrap();
    let mut spec = fixture.spec("");
    fs::remove_dir_all(spec.folder.join("task")).unwrap();
    let tag = format!("cloudfunc/contract:{}", spec.instance);
    spec.image = Image::Function {
        language: Language::Python,
        version: "3.11".to_owned(),
        tag: tag.clone(),
        bundle: bundle.clone(),
    };
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    assert_eq!(instance.result("{}").await, "from the image");
    instance.sandbox.remove().await;

    // Somebody removes it: the next start builds it again.
    docker(&["rmi", &tag]);
    spec.instance = InstanceId::new();
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    assert_eq!(instance.result("{}").await, "from the image");
    instance.sandbox.remove().await;
    docker(&["rmi", &tag]);
}

async fn an_image_that_cannot_be_had_says_what_to_do(fixture: &Fixture) {
    for reference in ["localhost:1/nowhere/nothing:1", "no image?"] {
        let image = Image::Own { reference: reference.to_owned() };
        let error = fixture.runtime.ensure_image(&image, &|_| {}).await.unwrap_err();
        assert!(matches!(&error, Error::NoImage { image, .. } if image == reference), "{error:?}");
    }
    let config = Config { python_image: "localhost:1/python:{version}".to_owned(), ..fixture.config() };
    let image = Image::Language { language: Language::Python, version: "3.99".to_owned() };
    let error = connect(&config).unwrap().ensure_image(&image, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("CLOUDFUNC_PYTHON_IMAGE"), "{error}");
    assert!(error.to_string().contains("localhost:1/python:3.99"), "{error}");
}

async fn the_engine_says_its_name(fixture: &Fixture) {
    let name = fixture.runtime.ping().await.unwrap();
    assert!(name.starts_with("Docker ") || name.starts_with("Podman "), "{name}");
}

/// Runs the engine's own client.
fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker")
        .args(arguments)
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .expect("the docker client");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

macro_rules! on {
    ($backend:ident, $kind:expr, $need:block, $($property:ident)*) => {
        mod $backend {
            $(#[tokio::test]
            async fn $property() {
                $need
                let fixture = super::Fixture::new($kind);
                super::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
    };
}

macro_rules! contract {
    (all: $($all:ident)*; sandbox: $($sandbox:ident)*) => {
        on!(process, super::Kind::Process, {}, $($all)*);
        on!(docker, super::Kind::Docker, { super::need!("CLOUDFUNC_TEST_DOCKER"); }, $($all)* $($sandbox)*);
    };
}

contract! {
    all:
    a_guest_says_hello_loads_and_answers
    json_text_and_bytes_go_in_and_come_out
    a_handler_sees_its_context_environment_and_secrets
    a_payload_of_6_mib_goes_round
    an_exception_is_an_error_with_the_functions_own_trace
    a_huge_exception_is_cut
    what_is_no_json_is_an_error
    code_that_cannot_be_loaded_says_why
    a_handler_that_exits_is_closed_with_its_code
    a_handler_that_never_returns_times_out_alone
    a_handler_that_prints_for_ever_times_out_too
    a_guest_that_breaks_the_protocol_is_a_violation
    a_frame_that_nothing_asked_for_is_a_violation
    a_child_process_prints_into_the_invocation
    what_is_printed_later_belongs_to_the_instance
    ten_mib_of_output_are_cut_and_the_result_arrives
    a_guest_ends_when_the_host_hangs_up
    a_busy_guest_ends_too_when_the_host_hangs_up
    only_the_owners_own_sandboxes_are_removed
    a_dropped_sandbox_is_removed
    a_dropped_start_leaves_nothing
    what_is_no_guest_is_a_start_error_with_its_output
    many_start_at_once;

    sandbox:
    too_much_memory_is_the_reason
    a_sandbox_may_do_little
    what_a_function_leaves_behind_is_reaped
    containers_with_egress_cannot_reach_each_other
    a_functions_image_holds_its_code
    an_image_that_cannot_be_had_says_what_to_do
    the_engine_says_its_name
}

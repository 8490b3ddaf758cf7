//! The function's own failures: values, never the platform's errors.

use super::*;

pub async fn an_exception_is_an_error_with_the_functions_own_trace(fixture: &Fixture) {
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

pub async fn a_huge_exception_is_cut(fixture: &Fixture) {
    let code = "def handler(event):\n    raise ValueError('\\x01' * 100_000 + '\\ud800')\n";
    let mut instance = fixture.ready(code).await;
    let error = instance.error("{}").await;
    assert_eq!(error.kind, "ValueError");
    assert!(error.message.len() > 1000 && error.trace.is_some());
    instance.sandbox.remove().await;
}

pub async fn an_exception_whose_own_parts_misbehave_is_told(fixture: &Fixture) {
    let code = r#"
class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit("no name")

class Unnamed(Exception, metaclass=Meta):
    pass

class Wordless(Exception):
    def __str__(self):
        raise KeyboardInterrupt

class Sly(str):
    def __getitem__(self, key):
        raise SystemExit

class Words(Exception):
    def __str__(self):
        return Sly("words")

class Traceless(Exception):
    __traceback__ = property(lambda self: 1 / 0)

class Broken(dict):
    def items(self):
        raise Wordless

def handler(event):
    kind, size = event
    if kind == "long":
        raise type("Long" * size, (Exception,), {})("x" * size)
    if kind == "wide":
        raise type("\N{GRINNING FACE}" * size, (Exception,), {})("\N{GRINNING FACE}" * size)
    if kind == "control":
        raise type("\x01\n" * size, (Exception,), {})("\x01" * size)
    if kind == "surrogate":
        raise ValueError("\udfff" * size)
    if kind == "result":
        return type("R" * size, (), {})()
    if kind == "broken":
        return Broken(a=1)
    raise {"unnamed": Unnamed, "wordless": Wordless, "words": Words, "traceless": Traceless}[kind]("text")
"#;
    let mut instance = fixture.ready(code).await;
    for (event, kind, message) in [
        ("long\", 20000", "LongLongLong", "xxxx"),
        ("wide\", 70000", "😀😀", "😀"),
        ("control\", 70000", "\u{fffd}\u{fffd}", "\u{1}"),
        ("surrogate\", 70000", "ValueError", "?"),
        ("result\", 70000", "ResultNotSerializable", "RRR"),
        ("broken\", 1", "ResultNotSerializable", "the exception's own text raised another one"),
        ("unnamed\", 1", "Unnamed", "text"),
        ("wordless\", 1", "Wordless", "the exception's own text raised another one"),
        ("words\", 1", "Words", "words"),
        ("traceless\", 1", "Traceless", "text"),
    ] {
        let error = instance.error(&format!("[\"{event}]")).await;
        assert!(error.kind.starts_with(kind), "{event}: {}", error.kind);
        assert!(error.kind.chars().count() <= 256, "{event}: {}", error.kind.len());
        assert!(error.message.contains(message), "{event}: {}", error.message);
    }
    instance.sandbox.remove().await;

    let long_load = "raise type('Long' * 20_000, (Exception,), {})('while loading')\n";
    let mut instance = fixture.start(long_load).await;
    let LoadFailure::Function(error) = instance.load().await.unwrap_err() else { panic!() };
    assert_eq!((error.kind.chars().count(), error.message.as_str()), (256, "while loading"));
    instance.sandbox.remove().await;
}

pub async fn what_is_no_json_is_an_error(fixture: &Fixture) {
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

pub async fn code_that_cannot_be_loaded_says_why(fixture: &Fixture) {
    for (code, kind, message) in [
        ("def handler(event:\n", "SyntaxError", "line 1"),
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

pub async fn a_handler_that_exits_is_closed_with_its_code(fixture: &Fixture) {
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

pub async fn a_handler_that_never_returns_times_out_alone(fixture: &Fixture) {
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

pub async fn a_handler_that_prints_for_ever_times_out_too(fixture: &Fixture) {
    let code = "import os\ndef handler(event):\n    while True:\n        os.write(1, b'x\\n' * 30000)\n";
    let mut instance = fixture.ready(code).await;
    let limit = Duration::from_millis(300);
    let invocation = instance.invoke_within(limit, "application/json", b"1");
    let error = tokio::time::timeout(LIMIT, invocation).await.unwrap().unwrap_err();
    assert!(matches!(error, GuestError::TimedOut(_)), "{error:?}");
    instance.sandbox.remove().await;
}

pub async fn a_guest_that_breaks_the_protocol_is_a_violation(fixture: &Fixture) {
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

pub async fn a_frame_that_nothing_asked_for_is_a_violation(fixture: &Fixture) {
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

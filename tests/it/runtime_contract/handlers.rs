//! Handlers of every shape: what is called with what, awaited where, and what a raise ends.

use super::*;

const DECORATE: &str = r#"
import functools
def decorate(f):
    @functools.wraps(f)
    def wrapper(*args, **keywords):
        return [len(args), f(*args, **keywords)]
    return wrapper
"#;

pub async fn what_a_callable_takes_itself_decides_what_it_is_given(fixture: &Fixture) {
    for (code, answer) in [
        // A wrapper of another signature than what it wraps.
        (
            "def inject(f):\n    @functools.wraps(f)\n    def wrapper(event, context): return f(event, context, 'db')\n    return wrapper\n@inject\ndef handler(event, context, db): return [event, db]\n",
            r#"[{"a":1},"db"]"#,
        ),
        (
            "def spread(f):\n    @functools.wraps(f)\n    def wrapper(event): return f(**event)\n    return wrapper\n@spread\ndef handler(*, a): return a\n",
            "1",
        ),
        (
            "def drop(f):\n    @functools.wraps(f)\n    def wrapper(event): return f()\n    return wrapper\n@drop\ndef handler(): return 'none'\n",
            "none",
        ),
        // Any number: what is wrapped decides, through a stack too.
        ("@decorate\n@decorate\n@decorate\ndef handler(event): return event['a']\n", "[1,[1,[1,1]]]"),
        ("@decorate\ndef handler(event, context): return context.attempt\n", "[2,2]"),
        ("@decorate\ndef handler(*args): return len(args)\n", "[2,2]"),
        (
            "class C:\n    @decorate\n    def method(self, event): return 'bound'\nhandler = C().method\n",
            r#"[2,"bound"]"#,
        ),
        (
            "class C:\n    @decorate\n    def __call__(self, event): return 'called'\nhandler = C()\n",
            r#"[2,"called"]"#,
        ),
        ("def handler(event, /, *args): return len(args)\n", "1"),
        // Callables that are no plain functions.
        (
            "def with_db(db, event): return [db, event['a']]\nhandler = functools.partial(with_db, 'db')\n",
            r#"["db",1]"#,
        ),
        ("handler = functools.partial(decorate(lambda db, event: db), 'db')\n", r#"[2,"db"]"#),
        (
            "class C:\n    async def __call__(self, event, context): return context.attempt\nhandler = C()\n",
            "2",
        ),
        (
            "class C:\n    @classmethod\n    def make(cls, event): return cls.__name__\nhandler = C.make\n",
            "C",
        ),
        (
            "class C:\n    @staticmethod\n    def make(event): return 'static'\nhandler = C.make\n",
            "static",
        ),
        ("handler = len\n", "1"),
    ] {
        let mut instance = fixture.ready(&format!("{DECORATE}{code}")).await;
        assert_eq!(instance.result(r#"{"a":1}"#).await, answer, "{code}");
        instance.sandbox.remove().await;
    }
    for (code, reason) in [
        ("def handler(event, *, db): pass\n", "it requires the keyword argument 'db'"),
        ("def handler(a, b, c): pass\n", "it requires 3 arguments"),
        ("def handler(**event): pass\n", "it takes no argument"),
    ] {
        let mut instance = fixture.start(code).await;
        let failure = instance.load().await.unwrap_err();
        let LoadFailure::Function(error) = failure else { panic!("{failure:?}") };
        let message = format!("'function.handler' must take (event) or (event, context): {reason}");
        assert_eq!((error.kind.as_str(), error.message), ("HandlerInvalid", message));
        instance.sandbox.remove().await;
    }
}

pub async fn a_generator_is_not_run_and_the_error_says_so(fixture: &Fixture) {
    for (code, named) in [
        ("def handler(event):\n    yield 1\n", "a generator"),
        ("async def handler(event):\n    yield 1\n", "an async generator"),
        ("def handler(event):\n    return map(str, [1])\n", "a map"),
    ] {
        let mut instance = fixture.ready(code).await;
        let error = instance.error("{}").await;
        let start = format!("the handler returned {named}, which is not run: return one value");
        assert_eq!(error.kind, "ResultNotSerializable");
        assert!(error.message.starts_with(&start), "{}", error.message);
        instance.sandbox.remove().await;
    }
}

pub async fn one_event_loop_serves_an_instance_from_its_load_on(fixture: &Fixture) {
    let code = r#"
import asyncio
loop = asyncio.get_event_loop()
lock, queue = asyncio.Lock(), asyncio.Queue()
ready = loop.create_task(asyncio.sleep(0, "ready"))
class Later:
    def __await__(self):
        return asyncio.sleep(0.001, "later").__await__()
async def hold():
    async with lock:
        await asyncio.sleep(0.001)
async def used():
    await asyncio.gather(hold(), hold())
    getter = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    await queue.put(await asyncio.to_thread(str, 7) if hasattr(asyncio, "to_thread") else "7")
    return [asyncio.get_running_loop() is loop, await getter, await ready]
def handler(event):
    if event == "object": return Later()
    if event == "future": return loop.run_until_complete(used()) and ready
    if event == "task": return loop.create_task(asyncio.sleep(0, "task"))
    return used()
"#;
    let mut instance = fixture.ready(code).await;
    for (event, answer) in [
        ("", r#"[true,"7","ready"]"#),
        ("", r#"[true,"7","ready"]"#),
        ("object", "later"),
        ("task", "task"),
        ("future", "ready"),
        ("", r#"[true,"7","ready"]"#),
    ] {
        assert_eq!(instance.result(&format!("\"{event}\"")).await, answer, "{event}");
    }
    instance.sandbox.remove().await;
}

pub async fn a_task_left_behind_goes_on_and_what_it_raises_is_logged(fixture: &Fixture) {
    let code = r#"
import asyncio
kept = []
async def later():
    await asyncio.sleep(0.05)
    print("later")
    raise KeyboardInterrupt("left behind")
async def handler(event):
    kept.append(asyncio.ensure_future(later()))
    return len(kept)
"#;
    let mut instance = fixture.ready(code).await;
    for count in ["1", "2"] {
        assert_eq!(instance.result("{}").await, count);
        assert_eq!(instance.output(), []);
        instance.idle_until("KeyboardInterrupt: left behind").await;
    }
    instance.sandbox.remove().await;
    // Of a synchronous function, too: the module's own task.
    let code = "import asyncio\nasync def later():\n    await asyncio.sleep(0.05)\n    print('later')\n\
                asyncio.get_event_loop().create_task(later())\ndef handler(event):\n    return 1\n";
    let mut instance = fixture.ready(code).await;
    instance.idle_until("later").await;
    assert_eq!(instance.result("{}").await, "1");
    instance.sandbox.remove().await;
}

pub async fn whatever_is_raised_fails_and_the_instance_lives_on(fixture: &Fixture) {
    let code = r#"
import asyncio, os, signal, time
class Mine(BaseException):
    pass
class Unprintable(BaseException):
    def __str__(self):
        raise Mine("of the text")
class Odd(dict):
    def items(self):
        raise Mine("of the result")
def made(event):
    return {"Mine": Mine, "Unprintable": Unprintable, "CancelledError": asyncio.CancelledError,
            "GeneratorExit": GeneratorExit, "KeyboardInterrupt": KeyboardInterrupt}[event]("no")
async def raise_later(event):
    await asyncio.sleep(0)
    raise made(event)
def handler(event):
    if event[0] == "async":
        return raise_later(event[1])
    if event[1] == "signal":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    if event[1] == "result":
        return Odd(a=1)
    raise made(event[1])
"#;
    let mut instance = fixture.ready(code).await;
    for way in ["sync", "async"] {
        for kind in ["Mine", "CancelledError", "GeneratorExit", "KeyboardInterrupt", "Unprintable"] {
            let error = instance.error(&format!(r#"["{way}","{kind}"]"#)).await;
            let message = if kind == "Unprintable" {
                "(the exception's own text raised another one)"
            } else {
                "no"
            };
            assert_eq!((error.kind.as_str(), error.message.as_str()), (kind, message), "{way}");
            let trace = error.trace.unwrap();
            assert!(trace.starts_with("Traceback (most recent call last):\n  File \""), "{trace}");
            assert!(!trace.contains("shim") && !trace.contains("asyncio/"), "{trace}");
        }
    }
    assert_eq!(instance.error(r#"["sync","signal"]"#).await.kind, "KeyboardInterrupt");
    let error = instance.error(r#"["sync","result"]"#).await;
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("ResultNotSerializable", "of the result")
    );
    instance.sandbox.remove().await;

    for (raised, kind) in [
        ("class Mine(BaseException): pass\nraise Mine('no')\n", "Mine"),
        ("import asyncio\nraise asyncio.CancelledError('no')\n", "CancelledError"),
        ("raise KeyboardInterrupt('no')\n", "KeyboardInterrupt"),
    ] {
        let mut instance = fixture.start(raised).await;
        let failure = instance.load().await.unwrap_err();
        let LoadFailure::Function(error) = failure else { panic!("{failure:?}") };
        assert_eq!((error.kind.as_str(), error.message.as_str()), (kind, "no"));
        instance.sandbox.remove().await;
    }
}

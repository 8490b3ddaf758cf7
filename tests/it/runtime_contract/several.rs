//! Several invocations at a time in one instance: properties of every language.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;

/// An invocation among others.
struct Ran {
    answer: Result<Finished, GuestError>,
    lines: Vec<Line>,
}

impl Ran {
    fn value(self) -> Value {
        let (content_type, bytes) = typed(self.answer.unwrap());
        match content_type.as_str() {
            "application/json" => serde_json::from_slice(&bytes).unwrap(),
            _ => String::from_utf8_lossy(&bytes).into(),
        }
    }

    fn output(&self) -> Vec<(Stream, &str)> {
        self.lines.iter().map(|line| (line.stream, line.text.as_str())).collect()
    }

    fn error(&self) -> &FunctionError {
        match &self.answer {
            Ok(Finished::Error(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

/// An instance that is loaded for `concurrency` invocations at a time.
async fn ready(
    fixture: &Fixture,
    [python, node]: [&str; 2],
    language: Language,
    concurrency: u32,
) -> Instance {
    let spec = match language {
        Language::Python => fixture.spec(python),
        Language::Node => node_spec(fixture, &[("function.mjs", node)]),
    };
    let mut instance = fixture.start_spec(&spec).await;
    let loaded = instance.load_places("function.handler", concurrency).await;
    loaded.unwrap_or_else(|failure| panic!("{failure:?}"));
    instance
}

/// Runs an invocation after the other of each list, and the lists at the same time. Returns them all, and what the guest
/// was lost for.
async fn run(
    instance: &mut Instance,
    lists: &[Vec<(Value, Duration)>],
) -> (Vec<Vec<Ran>>, Option<GuestError>) {
    let (calls, mut several) = instance.guest.several();
    let calls = &calls;
    let all = join_all(lists.iter().map(async |list| {
        let mut ran = Vec::new();
        for (event, limit) in list {
            let invoke = Invoke {
                id: InvocationId::new(),
                attempt: 1,
                remaining_ms: 30_000,
                headers: BTreeMap::new(),
                content_type: "application/json".to_owned(),
            };
            let mut lines = Vec::new();
            let payload = Bytes::from(event.to_string());
            let answer = calls.invoke(&invoke, &payload, *limit, &mut |line| lines.push(line)).await;
            ran.push(Ran { answer, lines });
        }
        ran
    }));
    let own = &mut instance.lines;
    let mut output = |line| own.push(line);
    let mut all = std::pin::pin!(all);
    let lost = tokio::select! {
        ran = &mut all => return (ran, None),
        lost = several.run(&mut output) => lost,
    };
    (all.await, Some(lost))
}

/// One invocation of each event, all at the same time.
async fn at_once(instance: &mut Instance, events: &[Value]) -> Vec<Ran> {
    let lists: Vec<_> = events.iter().map(|event| vec![(event.clone(), LIMIT)]).collect();
    let (ran, lost) = run(instance, &lists).await;
    assert!(lost.is_none(), "{lost:?}");
    ran.into_iter().flatten().collect()
}

const TALKS: [&str; 2] = [
    r#"
import asyncio, sys
async def speak(words):
    print(words)
async def handler(event):
    print("begins", event["n"])
    print("half of", end=" ")
    await asyncio.sleep(0)
    print(event["n"])
    print("to stderr", event["n"], file=sys.stderr)
    await asyncio.gather(speak(f"task {event['n']}"), asyncio.to_thread(print, "thread", event["n"]))
    return event
"#,
    r#"
const pause = () => new Promise((go) => setImmediate(go));
export async function handler(event) {
  console.log("begins", event.n);
  process.stdout.write("half of ");
  await pause();
  console.log(event.n);
  console.error("to stderr", event.n);
  await Promise.all([pause().then(() => console.log("task " + event.n))]);
  await new Promise((go) => setTimeout(() => { console.log("thread", event.n); go(); }, 0));
  return event;
}
"#,
];

pub async fn eight_at_a_time_have_their_own_results_and_lines_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, TALKS, *language, 8).await;
        let list = |of: usize| (0..1000).map(|n| (json!({ "n": of * 1000 + n }), LIMIT)).collect();
        let lists: Vec<Vec<_>> = (0..8).map(list).collect();
        let (ran, lost) = run(&mut instance, &lists).await;
        assert!(lost.is_none(), "{lost:?}");
        for (n, one) in ran.into_iter().flatten().enumerate() {
            let of = |stream| {
                let lines = one.lines.iter().filter(move |line| line.stream == stream);
                lines.map(|line| line.text.clone()).collect::<Vec<_>>()
            };
            let mut stdout = of(Stream::Stdout);
            stdout[2..].sort();
            let expected = [
                format!("begins {n}"),
                format!("half of {n}"),
                format!("task {n}"),
                format!("thread {n}"),
            ];
            assert_eq!(stdout, expected, "{language}");
            assert_eq!(of(Stream::Stderr), [format!("to stderr {n}")], "{language}");
            assert_eq!(one.value(), json!({ "n": n }), "{language}");
        }
        assert_eq!(instance.lines, [], "{language}");
        instance.sandbox.remove().await;
    }
}

/// Each ends only when all four are there.
const MEET: [&str; 2] = [
    r#"
import asyncio
there, all_there = [], asyncio.Event()
async def handler(event):
    there.append(event)
    if len(there) == 4:
        all_there.set()
    await all_there.wait()
    return len(there)
"#,
    r#"
let there = 0, meet;
const met = new Promise((go) => { meet = go; });
export async function handler() {
  there += 1;
  if (there === 4) meet();
  await met;
  return there;
}
"#,
];

pub async fn several_run_at_the_same_time_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, MEET, *language, 4).await;
        for one in at_once(&mut instance, &[json!(1), json!(2), json!(3), json!(4)]).await {
            assert_eq!(one.value(), 4, "{language}");
        }
        instance.sandbox.remove().await;
    }
}

const WAITS: [&str; 2] = [
    r#"
import asyncio
async def handler(event):
    print("waits", end="")
    await asyncio.sleep(event)
    print(" is over")
    return event
"#,
    r#"
export async function handler(event) {
  process.stdout.write("waits");
  await new Promise((go) => setTimeout(go, event * 1000));
  console.log(" is over");
  return event;
}
"#,
];

pub async fn one_that_overruns_its_time_leaves_the_others_alone_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, WAITS, *language, 3).await;
        let lists = [
            // Its late answer comes, and is nobody's, nor is what it writes then.
            vec![(json!(0.5), Duration::from_millis(200))],
            vec![(json!(0.9), LIMIT)],
            vec![(json!(0.01), LIMIT), (json!(0.9), LIMIT)],
        ];
        let (mut ran, lost) = run(&mut instance, &lists).await;
        assert!(lost.is_none(), "{lost:?}");
        let [late, first, second] = &mut ran[..] else { panic!() };
        let late = late.remove(0);
        assert!(matches!(late.answer, Err(GuestError::TimedOut(_))), "{language}: {:?}", late.answer);
        // Python passes lines on when they have an end.
        let expected =
            if *language == Language::Node { vec![(Stream::Stdout, "waits")] } else { vec![] };
        assert_eq!(late.output(), expected, "{language}");
        for one in first.drain(..).chain(second.drain(..)) {
            assert_eq!(one.output(), [(Stream::Stdout, "waits is over")], "{language}");
            assert!(one.value().is_f64(), "{language}");
        }
        instance.sandbox.remove().await;
    }
}

const FAILS: [&str; 2] = [
    r#"
import asyncio
class Unlucky(BaseException):
    pass
async def handler(event):
    await asyncio.sleep(0.05)
    if event == "raises":
        raise Unlucky("no luck")
    if event == "cancels":
        raise asyncio.CancelledError("no more")
    if event == "no json":
        return {1, 2}
    if event == "interrupts":
        raise KeyboardInterrupt
    if event == "cancels all":
        for task in asyncio.all_tasks():
            if task is asyncio.current_task():
                task.cancel()
        await asyncio.sleep(1)
    await asyncio.sleep(0.05)
    return event
"#,
    r#"
export async function handler(event) {
  await new Promise((go) => setTimeout(go, 50));
  if (event === "raises") throw Object.assign(new Error("no luck"), { name: "Unlucky" });
  if (event === "cancels") throw Object.assign(new Error("no more"), { name: "CancelledError" });
  if (event === "no json") return new Set([1, 2]);
  if (event === "interrupts") throw Object.assign(new Error(""), { name: "KeyboardInterrupt" });
  if (event === "cancels all") throw Object.assign(new Error(""), { name: "CancelledError" });
  await new Promise((go) => setTimeout(go, 50));
  return event;
}
"#,
];

pub async fn one_that_fails_leaves_the_others_alone_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, FAILS, *language, 7).await;
        let wanted = ["raises", "well", "cancels", "no json", "interrupts", "cancels all", "well"];
        let ran = at_once(&mut instance, &wanted.map(Value::from)).await;
        let kinds = ["Unlucky", "", "CancelledError", "ResultNotSerializable", "KeyboardInterrupt"];
        let kinds = [&kinds[..], &["CancelledError", ""]].concat();
        for ((one, kind), wanted) in ran.into_iter().zip(kinds).zip(wanted) {
            if kind.is_empty() {
                assert_eq!(one.value(), wanted, "{language}");
                continue;
            }
            assert_eq!(one.error().kind, kind, "{language}");
            if wanted == "raises" {
                let trace = one.error().trace.as_deref().unwrap_or_default();
                assert!(trace.contains("in handler") || trace.contains("at handler"), "{trace}");
                assert!(!trace.contains("shim"), "{trace}");
            }
        }
        let again = at_once(&mut instance, &[json!("well"), json!("well")]).await;
        assert!(again.into_iter().all(|one| one.value() == "well"), "{language}");
        instance.sandbox.remove().await;
    }
}

const EXITS: [&str; 2] = [
    r#"
import asyncio, sys
async def handler(event):
    print(event)
    await asyncio.sleep(0.1)
    if event == "exits":
        sys.exit(3)
    await asyncio.sleep(60)
"#,
    r#"
export async function handler(event) {
  console.log(event);
  await new Promise((go) => setTimeout(go, 100));
  if (event === "exits") process.exit(3);
  await new Promise((go) => setTimeout(go, 60000));
}
"#,
];

pub async fn one_that_exits_takes_the_others_along_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, EXITS, *language, 3).await;
        let lists = ["stays", "exits", "stays"].map(|event| vec![(json!(event), LIMIT)]);
        let (ran, lost) = run(&mut instance, &lists).await;
        assert!(matches!(lost, Some(GuestError::Closed(_))), "{language}: {lost:?}");
        for (one, wrote) in ran.iter().flatten().zip(["stays", "exits", "stays"]) {
            assert!(matches!(one.answer, Err(GuestError::Closed(_))), "{language}: {:?}", one.answer);
            assert_eq!(one.output(), [(Stream::Stdout, wrote)], "{language}");
        }
        assert_eq!(instance.exit().await, Exit::Code(3), "{language}");
        instance.sandbox.remove().await;
    }
}

const SAME: [&str; 2] = [
    "async def handler(event):\n    return event\n",
    "export const handler = async (event) => event;\n",
];

pub async fn large_payloads_and_results_pass_each_other_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, SAME, *language, 6).await;
        let events: Vec<Value> =
            (0..6).map(|n| json!({ "n": n, "text": "x".repeat(5 << 20) })).collect();
        for (one, event) in at_once(&mut instance, &events).await.into_iter().zip(&events) {
            assert!(one.value() == *event, "{language}");
        }
        instance.sandbox.remove().await;
    }
}

const FLOODS: [&str; 2] = [
    r#"
import asyncio
async def handler(event):
    for _ in range(event):
        print("x" * 1023)
        if _ % 100 == 0:
            await asyncio.sleep(0)
    return "done"
"#,
    r#"
export async function handler(event) {
  for (let n = 0; n < event; n += 1) {
    console.log("x".repeat(1023));
    if (n % 100 === 0) await new Promise((go) => setImmediate(go));
  }
  return "done";
}
"#,
];

pub async fn output_is_bounded_for_each_of_several_in_every_language(fixture: &Fixture) {
    for language in Language::ALL {
        let mut instance = ready(fixture, FLOODS, *language, 3).await;
        let ran = at_once(&mut instance, &[json!(3000), json!(5), json!(2000)]).await;
        for (one, (lines, dropped)) in ran.into_iter().zip([(1025, 1976), (5, 0), (1025, 976)]) {
            assert_eq!(one.lines.len(), lines, "{language}");
            if dropped > 0 {
                let bytes = dropped * 1024;
                let words = format!(
                    "truncated: output over 1024 KiB or 10000 lines was dropped: {dropped} lines, {bytes} bytes"
                );
                assert_eq!(one.output().last(), Some(&(Stream::Platform, &words[..])), "{language}");
            }
            assert_eq!(text(one.answer.unwrap()), "done");
        }
        instance.sandbox.remove().await;
    }
}

const BESIDE: [&str; 2] = [
    r#"
import asyncio, os, subprocess, threading
print("loads")
def later(words):
    print(words)
async def handler(event):
    print("mine")
    subprocess.run(["echo", "a child's"], check=True)
    os.write(1, b"raw\n")
    threading.Thread(target=later, args=("a thread's",)).start()
    asyncio.get_running_loop().call_later(0.1, later, "after the answer")
"#,
    r#"
import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
console.log("loads");
export async function handler() {
  console.log("mine");
  spawnSync("echo", ["a child's"], { stdio: "inherit" });
  writeSync(1, "raw\n");
  spawnSync("echo", ["a thread's"], { stdio: "inherit" });
  setTimeout(() => console.log("after the answer"), 100);
}
"#,
];

pub async fn what_no_invocation_writes_is_the_instances_beside_several_in_every_language(
    fixture: &Fixture,
) {
    for language in Language::ALL {
        let mut instance = ready(fixture, BESIDE, *language, 2).await;
        assert_eq!(instance.output(), [(Stream::Stdout, "loads")], "{language}");
        instance.lines.clear();
        let ran = at_once(&mut instance, &[Value::Null]).await;
        assert_eq!(ran[0].output(), [(Stream::Stdout, "mine")], "{language}");
        // Whatever came before the answer.
        let (_, mut several) = instance.guest.several();
        let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let mut output = |line: Line| sender.send(line.text).unwrap();
        let mut own: Vec<String> = instance.lines.drain(..).map(|line| line.text).collect();
        let wait = async {
            while own.len() < 4 {
                own.push(seen.recv().await.unwrap());
            }
        };
        tokio::select! {
            lost = several.run(&mut output) => panic!("{lost}"),
            done = tokio::time::timeout(LIMIT, wait) => done.unwrap(),
        }
        own.sort();
        assert_eq!(own, ["a child's", "a thread's", "after the answer", "raw"], "{language}");
        instance.sandbox.remove().await;
    }
}

pub async fn python_refuses_several_for_a_plain_def(fixture: &Fixture) {
    for (code, is_accepted) in [
        ("def handler(event):\n    return event\n", false),
        ("def handler(event, context):\n    return later()\nasync def later():\n    pass\n", false),
        ("async def handler(event):\n    return event\n", true),
        (
            "import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n    \
             return inner\n@logged\nasync def handler(event):\n    return event\n",
            true,
        ),
        (
            "class App:\n    async def __call__(self, event):\n        return event\nhandler = App()\n",
            true,
        ),
        (
            "import functools\nasync def both(one, event):\n    return event\nhandler = functools.partial(both, 1)\n",
            true,
        ),
    ] {
        let mut instance = fixture.start(code).await;
        match instance.load_places("function.handler", 2).await {
            Ok(()) => {
                assert!(is_accepted, "{code}");
                assert_eq!(at_once(&mut instance, &[json!(1)]).await.remove(0).value(), 1, "{code}");
            }
            Err(LoadFailure::Function(error)) => {
                assert!(!is_accepted, "{code}: {error:?}");
                assert_eq!(error.kind, "HandlerInvalid");
                assert_eq!(
                    error.message,
                    "concurrency above 1 needs an `async def` handler, and 'function.handler' is none: it would keep \
                     all other invocations of its instance waiting. Make it one, or leave out `concurrency` in [scaling]"
                );
            }
            Err(other) => panic!("{other:?}"),
        }
        instance.sandbox.remove().await;
    }
}

pub async fn node_tells_whose_error_nobody_caught(fixture: &Fixture) {
    let code = r#"
export async function handler(event) {
  if (event === "throws") setTimeout(() => { throw new Error("from a timer"); }, 20);
  if (event === "rejects") setTimeout(() => { Promise.reject(new Error("from a promise")); }, 20);
  if (event === "leaves") {
    setTimeout(() => { throw new Error("left behind"); }, 20);
    return event;
  }
  await new Promise((go) => setTimeout(go, 200));
  return event;
}
"#;
    let mut instance = ready(fixture, ["", code], Language::Node, 4).await;
    let ran = at_once(&mut instance, &["throws", "waits", "rejects", "leaves"].map(Value::from)).await;
    assert_eq!(ran[0].error().message, "from a timer");
    assert_eq!(ran[2].error().message, "from a promise");
    for (n, expected) in [(1, "waits"), (3, "leaves")] {
        let Ok(Finished::Result(body)) = &ran[n].answer else { panic!("{:?}", ran[n].answer) };
        assert_eq!(&body.bytes[..], expected.as_bytes());
        assert_eq!(ran[n].lines, []);
    }
    let own: Vec<&str> = instance.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(own[0], "Error: left behind", "{own:?}");
    instance.sandbox.remove().await;
}

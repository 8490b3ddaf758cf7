//! Several invocations at a time in one instance: properties of every language.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;

/// An invocation among others.
pub struct Ran {
    pub answer: Result<Finished, GuestError>,
    pub lines: Vec<Line>,
}

impl Ran {
    pub fn value(self) -> Value {
        let (content_type, bytes) = typed(self.answer.unwrap());
        match content_type.as_str() {
            "application/json" => serde_json::from_slice(&bytes).unwrap(),
            _ => String::from_utf8_lossy(&bytes).into(),
        }
    }

    pub fn output(&self) -> Vec<(Stream, &str)> {
        self.lines.iter().map(|line| (line.stream, line.text.as_str())).collect()
    }

    pub fn error(&self) -> &FunctionError {
        match &self.answer {
            Ok(Finished::Error(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

/// An instance that is loaded for `concurrency` invocations at a time.
pub async fn ready(
    fixture: &Fixture,
    [python, node]: [&str; 2],
    language: Language,
    concurrency: u32,
) -> Instance {
    let spec = match language {
        Language::Python => fixture.spec(python),
        Language::Node => node_spec(fixture, &[("function.mjs", node)]),
        Language::Native => unreachable!("it has no shim"),
    };
    let mut instance = fixture.start_spec(&spec).await;
    let loaded = instance.load_places("function.handler", concurrency).await;
    loaded.unwrap_or_else(|failure| panic!("{failure:?}"));
    instance
}

/// Runs an invocation after the other of each list, and the lists at the same time. Returns them all, and what the guest
/// was lost for.
pub async fn run(
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
                http: None,
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
pub async fn at_once(instance: &mut Instance, events: &[Value]) -> Vec<Ran> {
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
    for language in with_shims() {
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

pub async fn node_holds_no_lines_back_for_another_of_several(fixture: &Fixture) {
    let code = r#"
export async function handler(event) {
  if (event === 0) process.stdout.cork();
  console.log("of", event);
  await new Promise((go) => setTimeout(go, event === 0 ? 300 : 50));
  process.stdout.uncork();
}
"#;
    let mut instance = ready(fixture, ["", code], Language::Node, 2).await;
    let ran = at_once(&mut instance, &[json!(0), json!(1)]).await;
    assert_eq!(ran[0].output(), [(Stream::Stdout, "of 0")]);
    assert_eq!(ran[1].output(), [(Stream::Stdout, "of 1")]);
    instance.sandbox.remove().await;
}

pub async fn python_has_the_raw_stream_beside_several(fixture: &Fixture) {
    let code = "import sys\nasync def handler(event):\n    sys.stdout.buffer.raw.write(b'mine\\n')\n";
    let mut instance = ready(fixture, [code, ""], Language::Python, 2).await;
    let ran = at_once(&mut instance, &[Value::Null]).await;
    assert_eq!(ran[0].output(), [(Stream::Stdout, "mine")]);
    instance.sandbox.remove().await;
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
    for language in with_shims() {
        let mut instance = ready(fixture, MEET, *language, 4).await;
        for one in at_once(&mut instance, &[json!(1), json!(2), json!(3), json!(4)]).await {
            assert_eq!(one.value(), 4, "{language}");
        }
        instance.sandbox.remove().await;
    }
}

const SAME: [&str; 2] = [
    "async def handler(event):\n    return event\n",
    "export const handler = async (event) => event;\n",
];

pub async fn large_payloads_and_results_pass_each_other_in_every_language(fixture: &Fixture) {
    for language in with_shims() {
        let mut instance = ready(fixture, SAME, *language, 4).await;
        let events: Vec<Value> =
            (0..4).map(|n| json!({ "n": n, "text": "x".repeat(2 << 20) })).collect();
        for (one, event) in at_once(&mut instance, &events).await.into_iter().zip(&events) {
            assert!(one.value() == *event, "{language}");
        }
        instance.sandbox.remove().await;
    }
}

pub async fn python_gives_several_no_default_timeout_of_the_functions(fixture: &Fixture) {
    let code =
        "import socket\nsocket.setdefaulttimeout(0.5)\nasync def handler(event):\n    return event\n";
    let mut instance = ready(fixture, [code, ""], Language::Python, 2).await;
    let events: Vec<Value> = (0..2).map(|n| json!({ "n": n, "text": "x".repeat(2 << 20) })).collect();
    for (one, event) in at_once(&mut instance, &events).await.into_iter().zip(&events) {
        assert!(one.value() == *event);
    }
    instance.sandbox.remove().await;
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
    for language in with_shims() {
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
    for language in with_shims() {
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

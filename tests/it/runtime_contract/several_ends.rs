//! Several invocations at a time in one instance, and one of them ends badly.

use serde_json::{Value, json};

use super::{
    several::{Ran, at_once, ready, run},
    *,
};

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
    for language in with_shims() {
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

/// One floods for ever, another one is over its time too.
const FLOODS_FOR_EVER: [&str; 2] = [
    r#"
import asyncio, os
async def handler(event):
    while event == "raw":
        os.write(1, b"x\n" * 30000)
        await asyncio.sleep(0)
    while event == "log":
        print("x\n" * 30000)
        await asyncio.sleep(0)
    await asyncio.sleep(60)
"#,
    r#"
import { writeSync } from 'node:fs';
const pause = () => new Promise((go) => setImmediate(go));
function raw(bytes) {
  try {
    writeSync(1, bytes);
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
  }
}
export async function handler(event) {
  while (event === "raw") {
    raw("x\n".repeat(30000));
    await pause();
  }
  while (event === "log") {
    process.stdout.write("x\n".repeat(30000));
    await pause();
  }
  await new Promise((go) => setTimeout(go, 60000));
}
"#,
];

pub async fn one_that_prints_for_ever_times_out_beside_others_in_every_language(fixture: &Fixture) {
    for language in with_shims() {
        for flood in ["raw", "log"] {
            let mut instance = ready(fixture, FLOODS_FOR_EVER, *language, 2).await;
            let limit = Duration::from_millis(300);
            let lists = [flood, "waits"].map(|event| vec![(json!(event), limit)]);
            let (ran, lost) = tokio::time::timeout(LIMIT, run(&mut instance, &lists)).await.unwrap();
            assert!(lost.is_none(), "{lost:?}");
            for one in ran.into_iter().flatten() {
                let is_late = matches!(one.answer, Err(GuestError::TimedOut(_)));
                assert!(is_late, "{language}, {flood}: {:?}", one.answer);
            }
            instance.sandbox.remove().await;
        }
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
    for language in with_shims() {
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

pub async fn python_answers_one_that_is_cancelled_before_it_begins(fixture: &Fixture) {
    // The others have come with this one, or by the end of its sleep: they begin after the turn that cancels them.
    let code = r#"
import asyncio, time
async def handler(event):
    if event == "cancels":
        time.sleep(0.5)
        for turn in range(5):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)
    return event
"#;
    let mut instance = ready(fixture, [code, ""], Language::Python, 3).await;
    let ran = at_once(&mut instance, &["cancels", "waits", "waits"].map(Value::from)).await;
    for one in &ran[1..] {
        assert_eq!(one.error().kind, "CancelledError");
    }
    assert_eq!(ran.into_iter().next().unwrap().value(), "cancels");
    assert_eq!(at_once(&mut instance, &[json!("well")]).await.remove(0).value(), "well");
    instance.sandbox.remove().await;
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
    for language in with_shims() {
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
                    "concurrency above 1 needs an `async def` handler, and 'function.handler' is not one: it would keep \
                     the other invocations of its instance waiting. Make it one, or leave out `concurrency` in [scaling]"
                );
            }
            Err(other) => panic!("{other:?}"),
        }
        instance.sandbox.remove().await;
    }
}

pub async fn node_answers_no_attempt_with_an_earlier_one_of_its_invocation(fixture: &Fixture) {
    let code = r#"
let begun = 0;
export async function handler() {
  begun += 1;
  const attempt = begun;
  if (attempt === 1) setTimeout(() => { throw new Error("nobody catches it"); }, 20);
  await new Promise((go) => setTimeout(go, attempt * 300));
  console.log("of", attempt);
  return attempt;
}
"#;
    let mut instance = ready(fixture, ["", code], Language::Node, 2).await;
    let id = InvocationId::new();
    let (calls, mut several) = instance.guest.several();
    let attempts = async {
        let mut ran = Vec::new();
        for attempt in 1..=2 {
            let content_type = "application/json".to_owned();
            let headers = BTreeMap::new();
            let invoke = Invoke { id, attempt, remaining_ms: 30_000, headers, content_type, http: None };
            let (mut lines, payload) = (Vec::new(), Bytes::from_static(b"null"));
            let answer = calls.invoke(&invoke, &payload, LIMIT, &mut |line| lines.push(line)).await;
            ran.push(Ran { answer, lines });
        }
        ran
    };
    let mut output = |_: Line| ();
    let mut ran = tokio::select! {
        ran = attempts => ran,
        lost = several.run(&mut output) => panic!("{lost}"),
    };
    assert_eq!(ran[0].error().message, "nobody catches it");
    assert_eq!(ran[1].output(), [(Stream::Stdout, "of 2")]);
    assert_eq!(ran.remove(1).value(), 2);
    instance.sandbox.remove().await;
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

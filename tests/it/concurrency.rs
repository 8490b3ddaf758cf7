//! Functions whose instances run several invocations at a time, on a whole platform.

use std::{collections::BTreeSet, path::Path, time::Duration};

use cloudfunc::{
    client::{Error, InvokeAnswer, Outcome},
    model::{Body, InvocationId, Problem, Start, State, code},
    settings::Platform,
};
use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    on_stack,
    support::{
        eventually, eventually_within,
        platform::{Stack, TestPlatform, function, json},
        waiter::{begun, go, has_begun, payload},
    },
};

on_stack! {
    light:
    calls_share_an_instance_up_to_its_concurrency_in_every_language
    background_invocations_share_an_instance_too
    one_that_overruns_its_time_is_answered_while_the_others_go_on
    one_that_exits_fails_all_that_its_instance_runs
    each_record_has_the_lines_of_its_own_invocation
    a_handler_that_cannot_run_several_at_a_time_is_refused
    a_lost_lease_stops_all_that_an_instance_runs_and_each_runs_once_more
}

on_stack! {
    oci:
    calls_share_an_instance_up_to_its_concurrency_in_every_language
    one_that_overruns_its_time_is_answered_while_the_others_go_on
    one_that_exits_fails_all_that_its_instance_runs
}

mod engine {
    use super::*;

    on_stack! {
        real:
        calls_share_an_instance_up_to_its_concurrency_in_every_language
        background_invocations_share_an_instance_too
        one_that_overruns_its_time_is_answered_while_the_others_go_on
        one_that_exits_fails_all_that_its_instance_runs
        each_record_has_the_lines_of_its_own_invocation
        an_image_whose_guest_runs_one_at_a_time_is_refused
    }
}

/// Each answers with how many have met, once there are as many as its event says; or ends otherwise.
const MEETS: &str = r#"
import asyncio, os
there, changed = 0, asyncio.Event()
async def handler(event):
    global there
    there += 1
    changed.set()
    print("of", event["n"])
    if event.get("exits"):
        await meet(event)
        os._exit(3)
    if event.get("hangs"):
        await asyncio.sleep(60)
    await meet(event)
    await asyncio.sleep(event.get("pause", 0))
    print("still of", event["n"])
    return {"met": there, "process": process}
async def meet(event):
    while there < event["wanted"]:
        changed.clear()
        await changed.wait()
process = os.urandom(8).hex()
"#;

const MEETS_IN_NODE: &str = r#"
let there = 0;
let waiting = [];
export async function handler(event) {
  there += 1;
  console.log("of", event.n);
  for (const go of waiting.splice(0)) go();
  while (there < event.wanted) await new Promise((go) => waiting.push(go));
  return { met: there, process };
}
const process = crypto.randomUUID();
"#;

fn manifest(more: &str, scaling: &str) -> String {
    format!("{more}\n[scaling]\n{scaling}\n")
}

async fn deploy_meets(platform: &TestPlatform, more: &str, scaling: &str) {
    let manifest = manifest(more, scaling);
    platform.deploy("meets", &[("function.py", MEETS), ("cloudfunc.toml", &manifest)]).await;
}

fn body(event: &Value) -> Body {
    Body { content_type: "application/json".to_owned(), bytes: event.to_string().into() }
}

async fn call(platform: &TestPlatform, event: Value) -> InvokeAnswer {
    platform.client.invoke(&function("meets"), body(&event)).await.unwrap()
}

fn value(answer: InvokeAnswer) -> Value {
    match answer.outcome {
        Outcome::Value(body) => serde_json::from_slice(&body.bytes).unwrap(),
        Outcome::Failed(problem) => panic!("{problem:?}"),
    }
}

fn failure(answer: InvokeAnswer) -> Problem {
    match answer.outcome {
        Outcome::Failed(problem) => *problem,
        Outcome::Value(body) => panic!("{body:?}"),
    }
}

async fn calls_share_an_instance_up_to_its_concurrency_in_every_language(platform: &TestPlatform) {
    for (file, code, more) in
        [("function.py", MEETS, ""), ("function.mjs", MEETS_IN_NODE, "language = \"node\"")]
    {
        let more = format!("{more}\ntimeout = \"3s\"");
        let manifest = manifest(&more, "concurrency = 4\nmax_instances = 2");
        platform.deploy("meets", &[(file, code), ("cloudfunc.toml", &manifest)]).await;
        // They can only end together.
        let events = (0..4).map(|n| serde_json::json!({ "n": n, "wanted": 4 }));
        let answers = join_all(events.map(|event| call(platform, event))).await;
        let processes: BTreeSet<String> =
            answers.into_iter().map(|answer| value(answer)["process"].to_string()).collect();
        assert_eq!(processes.len(), 1);
        // These never end, and leave no place to others.
        let events = (4..8).map(|n| serde_json::json!({ "n": n, "wanted": 99 }));
        let full = join_all(events.map(|event| call(platform, event)));
        let other = async {
            eventually("the first instance is full", || async {
                let (_, log, _) = platform.cli(&["logs", "meets", "--tail", "all"]).await;
                (4..8).all(|n| log.contains(&format!(" of {n}"))).then_some(())
            })
            .await;
            value(call(platform, serde_json::json!({ "n": 8, "wanted": 1 })).await)["process"]
                .to_string()
        };
        let (never, other) = tokio::join!(full, other);
        assert!(!processes.contains(&other), "it got an instance of its own");
        let failures: Vec<Problem> = never.into_iter().map(failure).collect();
        assert!(failures.iter().all(|failure| failure.code == code::FUNCTION_TIMED_OUT.code));
        // The instance is stopped with the last of them.
        for end in [
            "within its timeout of 3 s; its instance ends once the other invocations in it have ended",
            "within its timeout of 3 s and was stopped",
        ] {
            assert!(failures.iter().any(|failure| failure.detail.ends_with(end)), "{failures:?}");
        }
        let (_, shown, _) = platform.cli(&["show", "meets"]).await;
        assert!(shown.lines().any(|line| line.split_whitespace().eq(["concurrency", "4"])), "{shown}");
        let again = call(platform, serde_json::json!({ "n": 9, "wanted": 1 })).await;
        assert_eq!(again.start, Some(Start::Warm));
    }
}

async fn background_invocations_share_an_instance_too(platform: &TestPlatform) {
    deploy_meets(platform, "", "concurrency = 4\nmax_instances = 1").await;
    let ids = join_all((0..4).map(async |n| {
        let event = serde_json::json!({ "n": n, "wanted": 4 });
        platform.client.invoke_async(&function("meets"), body(&event)).await.unwrap().id
    }))
    .await;
    let mut instances = BTreeSet::new();
    for id in ids {
        let record = platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap();
        assert_eq!((record.state, record.attempts.len()), (State::Succeeded, 1), "{record:?}");
        instances.insert(record.attempts[0].instance.unwrap().to_string());
    }
    assert_eq!(instances.len(), 1);
}

async fn one_that_overruns_its_time_is_answered_while_the_others_go_on(platform: &TestPlatform) {
    deploy_meets(platform, "timeout = \"4s\"", "concurrency = 3\nmax_instances = 2").await;
    let hangs = async {
        let answer = call(platform, serde_json::json!({ "n": 1, "wanted": 0, "hangs": true })).await;
        (failure(answer), std::time::Instant::now())
    };
    // The last of these begins when the one that hangs has been there for a while, and ends after that was answered.
    let goes_on = async {
        value(call(platform, serde_json::json!({ "n": 2, "wanted": 2, "pause": 1.5 })).await);
        let answer = call(platform, serde_json::json!({ "n": 3, "wanted": 3, "pause": 3 })).await;
        (answer, std::time::Instant::now())
    };
    let ((problem, answered), (answer, ended)) = tokio::join!(hangs, goes_on);
    assert_eq!(problem.code, code::FUNCTION_TIMED_OUT.code, "{problem:?}");
    assert!(answered < ended, "it was answered first");
    assert_eq!(answer.start, Some(Start::Warm));
    let first = value(answer);
    assert_eq!(first["met"], 3, "{first}");
    let next = value(call(platform, serde_json::json!({ "n": 4, "wanted": 1 })).await);
    assert_ne!(next["process"], first["process"], "the instance has gone");
}

async fn one_that_exits_fails_all_that_its_instance_runs(platform: &TestPlatform) {
    deploy_meets(platform, "", "concurrency = 3\nmax_instances = 1").await;
    let events = [
        serde_json::json!({ "n": 1, "wanted": 3, "pause": 30 }),
        serde_json::json!({ "n": 2, "wanted": 3, "exits": true }),
        serde_json::json!({ "n": 3, "wanted": 3, "pause": 30 }),
    ];
    for answer in join_all(events.map(|event| call(platform, event))).await {
        let problem = failure(answer);
        assert_eq!(problem.code, code::FUNCTION_CRASHED.code, "{problem:?}");
        assert!(problem.detail.ends_with("the function's process exited with code 3"), "{problem:?}");
    }
    let next = call(platform, serde_json::json!({ "n": 4, "wanted": 1 })).await;
    assert_eq!(next.start, Some(Start::Cold));
    assert_eq!(value(next)["met"], 1);
}

async fn each_record_has_the_lines_of_its_own_invocation(platform: &TestPlatform) {
    deploy_meets(platform, "", "concurrency = 4\nmax_instances = 1").await;
    let answers =
        join_all((0..4).map(|n| call(platform, serde_json::json!({ "n": n, "wanted": 4 })))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let id = answer.id.to_string();
        let lines = eventually("its lines are stored", || async {
            let (_, out, _) = platform.cli(&["logs", "meets", "--invocation", &id]).await;
            (out.lines().count() >= 2).then_some(out)
        })
        .await;
        let words: Vec<&str> = lines.lines().collect();
        assert!(words[0].ends_with(&format!(" of {n}")), "{lines}");
        assert!(words[1].ends_with(&format!("still of {n}")) && words.len() == 2, "{lines}");
        let record = platform.client.record(answer.id, None).await.unwrap();
        assert_eq!(record.attempts[0].lines, Some(2), "{record:?}");
    }
}

async fn a_handler_that_cannot_run_several_at_a_time_is_refused(platform: &TestPlatform) {
    let plain = "def handler(event):\n    return event\n";
    let manifest = manifest("", "concurrency = 2");
    let deployed =
        platform.try_deploy("plain", &[("function.py", plain), ("cloudfunc.toml", &manifest)]).await;
    let Err(Error::Problem(problem)) = deployed else { panic!("{deployed:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (422, code::BUILD_FAILED.code), "{problem:?}");
    assert_eq!(
        problem.detail,
        "the code of 'plain' cannot be loaded: HandlerInvalid: concurrency above 1 needs an `async def` handler, and \
         'function.handler' is not one: it would keep the other invocations of its instance waiting. Make it one, or \
         leave out `concurrency` in [scaling]"
    );
    assert_eq!(problem.hint, None, "without the check, every start would fail");
}

/// Says in a file that it has begun, and ends when the file `go` is there.
const WAITS: &str = r#"
import asyncio, pathlib
async def handler(event):
    folder = pathlib.Path(event["folder"])
    with open(folder / f"begun-{event['n']}", "a") as begun:
        begun.write("begun\n")
    while not (folder / "go").exists():
        await asyncio.sleep(0.01)
"#;

/// Accepts invocations of such a function, and waits until they have begun in one instance.
async fn begin(platform: &TestPlatform, folder: &Path) -> Vec<InvocationId> {
    let manifest = manifest("", "concurrency = 3\nmax_instances = 1");
    platform.deploy("waits", &[("function.py", WAITS), ("cloudfunc.toml", &manifest)]).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json(&payload(folder, n));
        ids.push(platform.client.invoke_async(&function("waits"), body).await.unwrap().id);
    }
    for n in 0..3 {
        has_begun(folder, n).await;
    }
    ids
}

/// Lets them end; each was begun twice.
async fn end(platform: &TestPlatform, folder: &Path, ids: Vec<InvocationId>) {
    let all_again = async || (0..3).all(|n| begun(folder, n).len() == 2).then_some(());
    eventually_within(Duration::from_secs(60), "each is begun again", all_again).await;
    go(folder);
    for id in ids {
        let record = platform.client.record(id, Some(Duration::from_secs(30))).await.unwrap();
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [None, Some(State::Succeeded)], "{record:?}");
    }
}

async fn a_lost_lease_stops_all_that_an_instance_runs_and_each_runs_once_more(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let ids = begin(platform, folder.path()).await;
    let before = platform.sandboxes("waits").await;
    let store = platform.store().await;
    eventually("the lease is ended", async || {
        let lease = store.leases().await.unwrap()[0];
        store.end_lease(&lease).await.unwrap().then_some(())
    })
    .await;
    store.close().await;
    end(platform, folder.path(), ids).await;
    assert!(platform.sandboxes("waits").await.is_disjoint(&before), "the instance was removed");
}

#[tokio::test]
async fn a_stop_gives_up_all_that_an_instance_runs_and_each_runs_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let short = |platform: &mut Platform| platform.limits.stop_grace = Duration::from_millis(100);
    let platform = TestPlatform::start_with(Stack::LIGHT, "a stop", short).await;
    let mut platform = platform.expect("it needs no server");
    let ids = begin(&platform, folder.path()).await;
    platform.restart().await;
    end(&platform, folder.path(), ids).await;
    platform.stop().await;
}

/// Its guest is the shim as it was before it knew of features.
async fn an_image_whose_guest_runs_one_at_a_time_is_refused(platform: &TestPlatform) {
    let packed = ("cloudfunc.toml", "package = \"image\"\n");
    let code = ("function.py", "async def handler(event):\n    return \"one\"\n");
    platform.deploy("packed", &[code, packed]).await;
    let base = platform.client.function(&function("packed")).await.unwrap().image;
    let context = tempfile::tempdir().unwrap();
    let steps = "cd /opt/cloudfunc && sed -i 's/, \"features\": .*]//' shim.py && ! grep '\"features' shim.py && \
                 python3 -c \"import py_compile; py_compile.compile('shim.py', 'shim.pyc', doraise=True)\"";
    let file = format!("FROM {base}\nUSER root\nRUN {steps}\n");
    std::fs::write(context.path().join("Dockerfile"), file).unwrap();
    let tag = format!("cloudfunc-test/{}", platform.platform.name);
    let docker = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new("docker");
        let output = command.args(arguments).env("DOCKER_BUILDKIT", "0").output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    docker(&["build", "-q", "-t", &tag, context.path().to_str().unwrap()]).await;
    let own = |scaling| [("cloudfunc.toml".to_owned(), format!("image = \"{tag}\"\n{scaling}"))];
    let [(name, several)] = own("[scaling]\nconcurrency = 2\n");
    let lacks = "`scaling.concurrency` is 2, but the image's guest does not list the feature `concurrent` of the \
                 runtime protocol: set it to 1, or use a guest that runs several invocations at the same time";
    let deployed = platform.try_deploy("own", &[(&name, &several)]).await;
    let Err(Error::Problem(problem)) = deployed else { panic!("{deployed:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (422, code::BUILD_FAILED.code), "{problem:?}");
    assert_eq!(problem.detail, format!("the code of 'own' cannot be loaded: {lacks}"));
    platform.deploy_unchecked("own", &[(&name, &several)]).await;
    let problem = platform.problem("own", "{}").await;
    assert_eq!(problem.code, code::START_FAILED.code, "{problem:?}");
    assert!(problem.detail.contains(lacks), "{problem:?}");
    let [(name, one)] = own("");
    platform.deploy("own", &[(&name, &one)]).await;
    assert_eq!(platform.value("own", "{}").await, "one");
    let (exit, ..) = platform.cli(&["delete", "own", "--yes"]).await;
    assert_eq!(exit, 0);
    eventually("its instance is gone", async || platform.containers().await.is_empty().then_some(()))
        .await;
    docker(&["rmi", &tag]).await;
}

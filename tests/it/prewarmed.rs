//! Cold starts that take a prewarmed instance: what they save, and that nobody can tell otherwise.

use std::{collections::BTreeSet, path::PathBuf};

use cloudfunc::{
    client::Outcome,
    model::{Record, Start},
    runtime,
};
use rustix::process::Signal;

use crate::support::{
    eventually,
    platform::{TestPlatform, function},
    process,
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const MIB: u64 = 1 << 20;

/// Makes a test of each property on a stack, with a platform whose prewarmed instances have so much memory.
macro_rules! prewarmed {
    ($stack:ident, $mib:literal MiB: $($property:ident)+) => {
        mod $stack {
            $(#[tokio::test]
            async fn $property() {
                use $crate::support::platform::{Stack, TestPlatform};
                let test = concat!(module_path!(), "::", stringify!($property));
                let stack = Stack::named(stringify!($stack));
                let started = TestPlatform::start_with(stack, test, |platform| {
                    platform.limits.prewarm_budget = $mib * super::MIB;
                });
                if let Some(platform) = started.await {
                    super::$property(&platform).await;
                    super::stop_and_leave_nothing(platform).await;
                }
            })+
        }
    };
}

prewarmed! {
    postgres_rabbitmq_docker, 256 MiB:
    a_first_invocation_takes_one_and_another_one_is_made
    a_function_cannot_tell
}

prewarmed! {
    sqlite_embedded_docker, 256 MiB:
    a_first_invocation_takes_one_and_another_one_is_made
    dead_ones_are_replaced_and_no_caller_sees_them
}

prewarmed! {
    sqlite_embedded_oci, 256 MiB:
    a_first_invocation_takes_one_and_another_one_is_made
    a_function_cannot_tell
    another_language_is_prewarmed_from_its_first_function_on
}

prewarmed! {
    light, 192 MiB:
    a_variable_of_the_interpreters_start_needs_a_start_of_its_own
    demand_prewarms_another_memory
    dead_ones_are_replaced_and_no_caller_sees_them
    one_that_dies_before_it_has_read_what_to_load_is_no_failure
    one_that_ends_while_it_loads_is_the_functions_failure
    what_the_code_writes_while_it_is_loaded_is_in_its_log
    a_bundle_of_many_files_is_there_as_a_whole
    modules_of_the_functions_own_are_found_on_either_start
}

/// That no instance folder is left is seen by the stop itself.
async fn stop_and_leave_nothing(platform: TestPlatform) {
    let (stack, settings) = (platform.stack, platform.platform.clone());
    let folders = platform.folders_of_containers();
    assert_eq!(folders.is_empty(), stack.runtime() != runtime::Kind::Oci, "{folders:?}");
    let sandboxes = settings.data_dir.join("runtime/sandboxes");
    platform
        .stop_and(|| {
            let managers = std::fs::read_dir(&sandboxes).into_iter().flatten().flatten();
            let left = managers.flat_map(|manager| std::fs::read_dir(manager.path()).unwrap()).count();
            assert_eq!(left, 0, "sandboxes are left");
        })
        .await;
    if stack.runtime() == runtime::Kind::Docker {
        let filter = format!("label=cloudfunc.platform={}", settings.name);
        let list = ["ps", "--all", "--quiet", "--filter", &filter];
        let output = tokio::process::Command::new("docker").args(list).output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "containers are left");
    }
}

/// The folders of the instances whose guests are there: the socket is gone once they are.
fn instances(platform: &TestPlatform) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(platform.platform.data_dir.join("instances"));
    let folders = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_there =
        |folder: &PathBuf| folder.join("run").exists() && !folder.join("run/runtime.sock").exists();
    folders.filter(is_there).collect()
}

/// Those that wait for a function: their folders are empty.
fn waiting(platform: &TestPlatform) -> Vec<PathBuf> {
    let is_empty = |folder: &PathBuf| {
        std::fs::read_dir(folder.join("task")).is_ok_and(|mut entries| entries.next().is_none())
    };
    instances(platform).into_iter().filter(is_empty).collect()
}

pub async fn full(platform: &TestPlatform, count: usize) {
    eventually(&format!("{count} instances wait"), || async {
        // A test in the platform's own thread.
        tokio::task::yield_now().await;
        (waiting(platform).len() == count).then_some(())
    })
    .await;
}

/// Invokes a function for the first time.
async fn first_of(platform: &TestPlatform, name: &str) -> Record {
    let answer = platform.invoke(name, "{}").await;
    assert_eq!(answer.start, Some(Start::Cold), "{answer:?}");
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    platform.client.record(answer.id, None).await.unwrap()
}

async fn another_language_is_prewarmed_from_its_first_function_on(platform: &TestPlatform) {
    full(platform, 2).await;
    // Two of Python; then one of each.
    for name in ["first", "second"] {
        let code = "export const handler = () => 'hello';\n";
        platform
            .deploy(name, &[("function.mjs", code), ("cloudfunc.toml", "language = \"node\"\n")])
            .await;
        full(platform, 2).await;
        let record = first_of(platform, name).await;
        if name == "second" {
            assert!(record.prewarmed, "{record:?}");
        }
        platform.client.delete(&function(name)).await.unwrap();
        full(platform, 2).await;
    }
}

async fn a_first_invocation_takes_one_and_another_one_is_made(platform: &TestPlatform) {
    full(platform, 2).await;
    for (live, name) in ["first", "second"].into_iter().enumerate() {
        let before = platform.containers().await;
        assert_eq!(before.len(), live + 2);
        platform.deploy(name, &[("function.py", HELLO)]).await;
        assert_eq!(
            platform.sandboxes(name).await,
            BTreeSet::new(),
            "nobody's instance is not the function's"
        );
        let record = first_of(platform, name).await;
        assert!(record.prewarmed, "{record:?}");
        let phases: Vec<&str> = record.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(phases, ["admit", "queue", "start", "load", "run"]);
        let sandbox = eventually("it is the function's", || async {
            platform.sandboxes(name).await.into_iter().next()
        })
        .await;
        assert!(before.contains(&sandbox), "{sandbox} was made for it, before were {before:?}");
        let again = platform.invoke(name, "{}").await;
        assert_eq!(again.start, Some(Start::Warm));
        let record = platform.client.record(again.id, None).await.unwrap();
        assert!(!record.prewarmed, "a warm start: {record:?}");
        full(platform, 2).await;
    }
}

/// What it can look at, and how its code fails. Not which modules are there: the shim imports common ones
/// while it waits. And not its own process id: the engine's first steps in a container take some.
const LOOK: &str = r#"
import os, resource, sys

def read(path):
    with open(path) as file:
        return file.read()

def handler(event, context):
    groups = [line for line in read("/proc/self/status").splitlines() if line[:3] in ("Cap", "NoN", "Sec")]
    return {
        "environment": dict(os.environ), "host": os.uname().nodename, "cwd": os.getcwd(),
        "task": sorted(os.listdir("/var/task")), "tmp": os.listdir("/tmp"), "argv": sys.argv,
        "path": sys.path, "parent": os.getppid(), "rights": groups,
        "open": sorted(os.listdir("/proc/self/fd")),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE), "mode": oct(os.stat("/var/task").st_mode),
        "shell": event["write"] and write(), "function": context.function,
        "mounts": sorted(line.split()[1] + " " + line.split()[3][:2] for line in read("/proc/mounts").splitlines()),
    }

def write():
    try:
        open("/var/task/x", "w")
    except OSError as error:
        return str(error)
"#;

async fn a_function_cannot_tell(platform: &TestPlatform) {
    full(platform, 2).await;
    let environment = "[env]\nGREETING = \"Hello\"\n";
    // Of another class, by a MiB, so that it gets a start of its own; nothing shows that.
    let other = format!("memory = \"129MiB\"\n{environment}");
    let broken = "import nothing_of_that_name\n";
    let mut seen = Vec::new();
    for (manifest, prewarmed) in [(environment, true), (other.as_str(), false)] {
        let code = format!("# {prewarmed}\n{LOOK}");
        let name = if prewarmed { "taken" } else { "started" };
        platform.deploy(name, &[("function.py", &code), ("cloudfunc.toml", manifest)]).await;
        let answer = platform.invoke(name, r#"{"write":true}"#).await;
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        let record = platform.client.record(answer.id, None).await.unwrap();
        assert_eq!(record.prewarmed, prewarmed, "{record:?}");
        let text = String::from_utf8(body.bytes.to_vec()).unwrap().replace(name, "NAME");
        let name = format!("broken-{name}");
        platform.deploy_unchecked(&name, &[("function.py", broken), ("cloudfunc.toml", manifest)]).await;
        let problem = platform.problem(&name, "{}").await;
        let detail = problem.detail.replace(&name, "NAME");
        full(platform, 2).await;
        seen.push((text, problem.code, detail));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].0.contains("Read-only file system"), "{}", seen[0].0);
}

async fn a_variable_of_the_interpreters_start_needs_a_start_of_its_own(platform: &TestPlatform) {
    full(platform, 1).await;
    for (name, variable) in [("hash", "PYTHONHASHSEED"), ("zone", "TZ")] {
        let manifest = format!("[env]\n{variable} = \"0\"\n");
        platform.deploy(name, &[("function.py", HELLO), ("cloudfunc.toml", &manifest)]).await;
        let record = first_of(platform, name).await;
        assert!(!record.prewarmed, "{record:?}");
    }
    assert_eq!(waiting(platform).len(), 1, "nobody has taken it");
}

/// While it waits, a guest imports `json` and with it `token`: the one is always Python's, the other never.
async fn modules_of_the_functions_own_are_found_on_either_start(platform: &TestPlatform) {
    let code = "import token, json\n\ndef handler(event):\n    return token.WHOSE + json.dumps(event)\n";
    let files = [("token.py", "WHOSE = 'mine '\n"), ("json.py", "raise ImportError('mine')\n")];
    for (name, manifest, prewarmed) in [("taken", "", true), ("started", "[env]\nTZ = \"UTC\"\n", false)]
    {
        full(platform, 1).await;
        let files = [&files[..], &[("function.py", code), ("cloudfunc.toml", manifest)]].concat();
        // The second takes the time in which a guest that waits begins to import.
        for name in [name, "another"] {
            platform.deploy(name, &files).await;
        }
        // A deploy loads the code in the one that waits: another one is made.
        full(platform, 1).await;
        let answer = platform.invoke(name, r#"{"n":1}"#).await;
        let record = platform.client.record(answer.id, None).await.unwrap();
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!((&body.bytes[..], record.prewarmed), (&b"mine {\"n\": 1}"[..], prewarmed));
    }
}

async fn demand_prewarms_another_memory(platform: &TestPlatform) {
    full(platform, 1).await;
    let manifest = "memory = \"64MiB\"\n";
    for (name, prewarmed) in [("first", false), ("second", true)] {
        let count = waiting(platform).len();
        platform.deploy(name, &[("function.py", HELLO), ("cloudfunc.toml", manifest)]).await;
        // The deploy's own load has taken one.
        full(platform, count).await;
        let record = first_of(platform, name).await;
        assert_eq!(record.prewarmed, prewarmed, "{record:?}");
        full(platform, 2).await;
    }
}

async fn dead_ones_are_replaced_and_no_caller_sees_them(platform: &TestPlatform) {
    let count = if platform.stack.has_containers() { 2 } else { 1 };
    full(platform, count).await;
    platform.deploy("hello", &[("function.py", HELLO)]).await;
    full(platform, count).await;
    eventually("the instance in which the deploy loaded the code is gone", || async {
        let alone = !platform.stack.has_containers() || platform.containers().await.len() == count;
        alone.then_some(())
    })
    .await;
    end_all(platform, Signal::KILL).await;
    let record = first_of(platform, "hello").await;
    assert_eq!(record.attempts.len(), 1, "{record:?}");
    full(platform, count).await;
}

/// Everything that runs in sandboxes of this platform.
async fn end_all(platform: &TestPlatform, with: Signal) {
    match platform.platform.runtime {
        runtime::Kind::Docker => {
            let containers = platform.containers().await;
            let output = tokio::process::Command::new("docker").arg("kill").args(containers).output();
            assert!(output.await.unwrap().status.success());
        }
        _ => guests(platform).into_iter().for_each(|pid| process::signal(pid, with)),
    }
}

/// Of the runtime without containers.
fn guests(platform: &TestPlatform) -> Vec<i32> {
    process::with_argument(&platform.platform.data_dir.join("instances").display().to_string())
}

/// It is stopped, so that what it is sent stays in its socket, and then killed.
async fn one_that_dies_before_it_has_read_what_to_load_is_no_failure(platform: &TestPlatform) {
    full(platform, 1).await;
    platform.deploy("hello", &[("function.py", HELLO)]).await;
    let old = guests(platform);
    old.iter().for_each(|pid| process::signal(*pid, Signal::STOP));
    let kill = async {
        eventually("it was given the code", || async { waiting(platform).is_empty().then_some(()) })
            .await;
        // The code is there before it is told to load it, in the same breath.
        tokio::task::yield_now().await;
        old.iter().for_each(|pid| process::signal(*pid, Signal::KILL));
    };
    let (record, ()) = tokio::join!(first_of(platform, "hello"), kill);
    assert!(!record.prewarmed && record.attempts.len() == 1, "{record:?}");
    full(platform, 1).await;
}

async fn one_that_ends_while_it_loads_is_the_functions_failure(platform: &TestPlatform) {
    full(platform, 1).await;
    platform.deploy_unchecked("quits", &[("function.py", "import os\nos._exit(3)\n")]).await;
    let problem = platform.problem("quits", "{}").await;
    let detail = problem.detail;
    assert!(detail.contains("exited with code 3 while its code was loaded"), "{detail}");
    full(platform, 1).await;
}

async fn what_the_code_writes_while_it_is_loaded_is_in_its_log(platform: &TestPlatform) {
    full(platform, 1).await;
    let code = format!("print('I am loaded')\n{HELLO}");
    platform.deploy("talker", &[("function.py", &code)]).await;
    full(platform, 1).await;
    let record = first_of(platform, "talker").await;
    assert!(record.prewarmed);
    let id = record.id.to_string();
    eventually("the line is stored, as one of the invocation that waited for it", || async {
        let (code, out, _) = platform.cli(&["logs", "talker", "--invocation", &id]).await;
        (code == 0 && out.contains("I am loaded")).then_some(())
    })
    .await;
}

/// Also when it is too large to be remembered.
async fn a_bundle_of_many_files_is_there_as_a_whole(platform: &TestPlatform) {
    full(platform, 1).await;
    let code = "import os\n\ndef handler(event):\n    return len(os.listdir('many')) + len(os.listdir('many/more'))\n";
    let names: Vec<String> = (0..600).map(|number| format!("many/more/{number}.txt")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    files.push(("function.py", code));
    platform.deploy("large", &files).await;
    full(platform, 1).await;
    let record = first_of(platform, "large").await;
    assert!(record.prewarmed, "{record:?}");
    assert_eq!(platform.value("large", "{}").await, "601");
    assert!(platform.client.function(&function("large")).await.unwrap().is_warm);
}

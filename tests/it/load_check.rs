//! A deploy loads the code once, before anything of it is registered.

use cloudfunc::{
    client::{Error, Outcome},
    model::{Problem, RevisionNumber, Start},
    settings::Platform,
};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, function, packed},
    },
};

on_stack! {
    light:
    code_that_does_not_load_is_refused_and_the_old_revision_goes_on
    what_ends_or_hangs_while_it_is_loaded_is_refused
    the_first_invocation_after_a_deploy_is_cold_and_the_code_ran_twice
    unchanged_code_is_not_loaded_again
    a_query_that_a_deploy_does_not_know_is_refused
    the_command_line_shows_trace_and_output_of_a_failed_load
    an_error_says_what_to_do_about_it
}

on_stack! {
    @ sqlite_embedded_oci:
    code_that_does_not_load_is_refused_and_the_old_revision_goes_on
    what_runs_out_of_memory_while_it_is_loaded_is_refused
    the_first_invocation_after_a_deploy_is_cold_and_the_code_ran_twice
    a_look_up_without_a_network_says_how_to_get_one
}

on_stack! {
    real:
    code_that_does_not_load_is_refused_and_the_old_revision_goes_on
    what_runs_out_of_memory_while_it_is_loaded_is_refused
    images_are_checked_too
}

const GOOD: &str = "def handler(event):\n    return 'good'\n";

async fn refused(platform: &TestPlatform, name: &str, files: &[(&str, &str)]) -> Problem {
    match platform.try_deploy(name, files).await {
        Err(Error::Problem(problem)) => {
            assert_eq!((problem.code.as_str(), problem.status), ("build_failed", 422), "{problem:?}");
            *problem
        }
        other => panic!("it was not refused: {other:?}"),
    }
}

async fn code_that_does_not_load_is_refused_and_the_old_revision_goes_on(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", GOOD)]).await;
    for (code, kind, detail) in [
        ("def handler(event)\n", "SyntaxError", "SyntaxError: expected ':' (function.py, line 1)"),
        (
            "def other(event): pass\n",
            "HandlerNotFound",
            "HandlerNotFound: module 'function' has no 'handler'",
        ),
        (
            "import nothing_of_that_name\n",
            "ModuleNotFoundError",
            "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("print('so far')\nraise ValueError('no licence')\n", "ValueError", "ValueError: no licence"),
    ] {
        let problem = refused(platform, "f", &[("function.py", code)]).await;
        assert_eq!(problem.detail, format!("the code of 'f' cannot be loaded: {detail}"));
        assert_eq!(problem.error_type.as_deref(), Some(kind));
        assert_eq!(problem.trace.is_some(), kind != "HandlerNotFound", "{problem:?}");
        let printed = (kind == "ValueError").then_some("so far\n");
        assert_eq!(problem.output.as_deref(), printed);
        let way = problem.hint.unwrap_or_default();
        let expected = match kind {
            // It would fail at each start.
            "HandlerNotFound" => {
                assert_eq!(way, "");
                continue;
            }
            "ModuleNotFoundError" => "has a line with its name, usually `nothing_of_that_name`",
            _ => "--no-check (?check=false) deploys it without",
        };
        assert!(way.contains(expected), "{way}");
    }
    assert_eq!(platform.value("f", "{}").await, "good");
    let revisions = platform.client.revisions(&function("f"), None).await.unwrap();
    assert_eq!(revisions.items.len(), 1, "{revisions:?}");
    refused(platform, "new", &[("function.py", "import function\nnot_there\n")]).await;
    assert_eq!(platform.problem("new", "{}").await.code, "function_not_found");
    if platform.stack.has_containers() {
        let live = platform.sandboxes("f").await;
        eventually("only the good one's container is left", || async {
            (platform.containers().await == live).then_some(())
        })
        .await;
    }
}

async fn what_ends_or_hangs_while_it_is_loaded_is_refused(platform: &TestPlatform) {
    let what = "the function's process exited with code 3 while its code was loaded";
    for code in ["print('no licence file')\nimport sys\nsys.exit(3)\n", "import os\nos._exit(3)\n"] {
        let problem = refused(platform, "ends", &[("function.py", code)]).await;
        assert!(problem.detail.contains(what), "{problem:?}");
        assert_eq!(problem.output.is_some(), code.contains("licence"), "{problem:?}");
    }
}

async fn what_runs_out_of_memory_while_it_is_loaded_is_refused(platform: &TestPlatform) {
    let code = format!("eaten = bytearray(200 << 20)\n{GOOD}");
    let files = [("function.py", code.as_str()), ("cloudfunc.toml", "memory = \"64MiB\"\n")];
    let problem = refused(platform, "eats", &files).await;
    let detail = "the function used more than its memory limit of 64 MiB";
    assert!(
        problem.detail.contains(detail) || problem.error_type.as_deref() == Some("MemoryError"),
        "{problem:?}"
    );
}

async fn the_first_invocation_after_a_deploy_is_cold_and_the_code_ran_twice(platform: &TestPlatform) {
    let code = format!("print('loaded')\n{GOOD}");
    let deployed = platform.deploy("f", &[("function.py", &code)]).await;
    assert_eq!(deployed.output.as_deref(), Some("loaded\n"));
    assert_eq!(deployed.notice, None);
    let answer = platform.invoke("f", "{}").await;
    assert_eq!(answer.start, Some(Start::Cold));
    let record = platform.client.record(answer.id, None).await.unwrap();
    assert_eq!(
        (record.start, record.attempts[0].revision),
        (Some(Start::Cold), Some(RevisionNumber(1)))
    );
    let again = platform.invoke("f", "{}").await;
    assert_eq!(again.start, Some(Start::Warm));
}

async fn unchanged_code_is_not_loaded_again(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loads");
    let code = format!("open({:?}, 'a').write('x')\n{GOOD}", file.display().to_string());
    let loads = || std::fs::read_to_string(&file).unwrap_or_default().len();
    for _ in 0..2 {
        platform.deploy("f", &[("function.py", &code)]).await;
        assert_eq!(loads(), 1);
    }
    platform.deploy_unchecked("g", &[("function.py", &code)]).await;
    assert_eq!(loads(), 1, "it was asked not to");
}

async fn a_query_that_a_deploy_does_not_know_is_refused(platform: &TestPlatform) {
    let archive = packed(&[("function.py", "def handler(event)\n")]);
    let upload =
        |query: &str| platform.post(&format!("/v1/functions/f/revisions{query}")).body(archive.clone());
    for query in ["?check=maybe", "?cheque=false", "?check="] {
        let (status, problem) = document(upload(query)).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_request")), "{query}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("check"), "{detail}");
    }
    assert_eq!(document(upload("?check=true")).await.0, 422);
    assert_eq!(document(upload("")).await.0, 422);
    assert_eq!(document(upload("?check=false")).await.0, 201);
}

async fn the_command_line_shows_trace_and_output_of_a_failed_load(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let write = |code: &str| std::fs::write(folder.path().join("function.py"), code).unwrap();
    std::fs::write(folder.path().join("cloudfunc.toml"), "name = \"f\"\n").unwrap();
    let path = folder.path().to_str().unwrap();
    write("print('so far')\nimport yaml_that_is_not_there\n");
    let (exit, stdout, stderr) = platform.cli(&["deploy", path]).await;
    assert_eq!((exit, stdout.as_str()), (1, ""), "{stderr}");
    for text in [
        "loading the code once",
        "so far\nTraceback (most recent call last):",
        "error: the code of 'f' cannot be loaded: ModuleNotFoundError: No module named 'yaml_that_is_not_there'",
        "hint: a module of your own has to be in the function's folder, or in one that `build.include` names; a package is installed if requirements.txt in that folder has a line with its name, usually `yaml_that_is_not_there`",
    ] {
        assert!(stderr.contains(text), "{text} is not in:\n{stderr}");
    }
    assert_eq!(stderr.matches("No module named 'yaml_that_is_not_there'").count(), 1, "{stderr}");
    write("def handler(event)\n");
    let (_, _, stderr) = platform.cli(&["deploy", path]).await;
    assert_eq!(stderr.matches("SyntaxError: ").count(), 1, "{stderr}");
    assert!(stderr.contains("\n    def handler(event)\n"), "{stderr}");
    write("print('so far')\nimport yaml_that_is_not_there\n");
    let (exit, _, stderr) = platform.cli(&["deploy", "--no-check", path]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(!stderr.contains("loading the code once"), "{stderr}");
    write(&format!("print('at import')\n{GOOD}"));
    let (exit, _, stderr) = platform.cli(&["--verbose", "deploy", path]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(stderr.contains("f wrote while it was loaded:\nat import\n"), "{stderr}");
    write(&format!("print('at import')\n#\n{GOOD}"));
    let (_, stdout, stderr) = platform.cli(&["--json", "deploy", path]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["output"], "at import\n", "{stderr}");
}

async fn an_error_says_what_to_do_about_it(platform: &TestPlatform) {
    let code = "def handler(event):\n    if event:\n        raise OSError(101, 'Network is unreachable')\n    import yaml_\n";
    platform.deploy("f", &[("function.py", code)]).await;
    for (given, hint) in [("1", "`network = \"egress\"`"), ("0", "usually `yaml_`")] {
        let Outcome::Failed(problem) = platform.invoke("f", given).await.outcome else {
            panic!("it raises");
        };
        assert!(problem.hint.clone().unwrap().contains(hint), "{problem:?}");
        let (_, _, stderr) = platform.cli(&["invoke", "f", "--data", given]).await;
        assert!(stderr.contains(&format!("hint: {}", problem.hint.unwrap())), "{stderr}");
        let record = platform.run_async("f", given).await;
        let error = record.attempts[0].error.clone().unwrap();
        assert!(error.hint.unwrap().contains(hint));
    }
}

async fn a_look_up_without_a_network_says_how_to_get_one(platform: &TestPlatform) {
    const ASKS: &str = "import socket, urllib.request\n\ndef handler(event):\n    \
                        if event == 'name':\n        socket.getaddrinfo('example.com', 80)\n    \
                        if event == 'url':\n        urllib.request.urlopen('http://example.com')\n    \
                        socket.create_connection(('192.0.2.1', 80))\n";
    platform.deploy("asks", &[("function.py", ASKS)]).await;
    for event in ["\"name\"", "\"url\"", "\"address\""] {
        let problem = platform.problem("asks", event).await;
        let hint = problem.hint.clone().unwrap_or_default();
        assert!(hint.contains("network = \"egress\""), "{problem:?}");
    }
}

async fn images_are_checked_too(platform: &TestPlatform) {
    let manifest = ("cloudfunc.toml", "package = \"image\"\n");
    let broken = [("function.py", "import nothing_of_that_name\n"), manifest];
    refused(platform, "packed", &broken).await;
    platform.deploy("packed", &[("function.py", GOOD), manifest]).await;
    assert_eq!(platform.value("packed", "{}").await, "good");
    // An image that is there and does not speak the protocol.
    let image = platform.client.function(&function("packed")).await.unwrap().image;
    let own =
        ("cloudfunc.toml".to_owned(), format!("image = \"{image}\"\nhandler = \"function.none\"\n"));
    let problem = refused(platform, "own", &[(&own.0, &own.1)]).await;
    assert!(problem.detail.contains("module 'function' has no 'none'"), "{problem:?}");
}

async fn light(test: &str, change: impl FnOnce(&mut Platform)) -> Option<TestPlatform> {
    TestPlatform::start_with(Stack::LIGHT, test, change).await
}

#[tokio::test]
async fn without_free_memory_the_code_is_not_loaded_and_the_deploy_says_so() {
    let test = "load_check::without_free_memory_the_code_is_not_loaded_and_the_deploy_says_so";
    let change = |platform: &mut Platform| {
        platform.limits.memory_budget = 200 << 20;
        platform.limits.check_wait = std::time::Duration::from_millis(200);
    };
    let Some(platform) = light(test, change).await else { return };
    platform.deploy("holds", &[("function.py", GOOD)]).await;
    platform.invoke("holds", "{}").await;
    let live = eventually("it lives", || async {
        let live = platform.sandboxes("holds").await;
        (live.len() == 1).then_some(live)
    })
    .await;
    let deployed = platform.deploy("next", &[("function.py", "not python\n")]).await;
    let notice =
        "the code was not loaded before it was deployed: no memory became free for it within 200 ms";
    assert_eq!(deployed.notice.as_deref(), Some(notice));
    assert_eq!(platform.sandboxes("holds").await, live, "nothing was evicted");
    assert_eq!(platform.invoke("holds", "{}").await.start, Some(Start::Warm));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("function.py"), "not python either\n").unwrap();
    std::fs::write(folder.path().join("cloudfunc.toml"), "name = \"told\"\n").unwrap();
    let (exit, _, stderr) = platform.cli(&["deploy", folder.path().to_str().unwrap()]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(stderr.contains(&format!("warning: {notice}\n")), "{stderr}");
    platform.stop().await;
}

/// Its memory is for invocations.
#[tokio::test]
async fn an_invocation_does_not_wait_for_a_check() {
    let test = "load_check::an_invocation_does_not_wait_for_a_check";
    let change = |platform: &mut Platform| platform.limits.memory_budget = 200 << 20;
    let Some(platform) = light(test, change).await else { return };
    platform.deploy("ready", &[("function.py", GOOD)]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("begun");
    let slow = format!(
        "import time\nopen({:?}, 'w').close()\ntime.sleep(3600)\n{GOOD}",
        file.display().to_string()
    );
    let slow = [("function.py", slow.as_str())];
    let deploying = platform.deploy("slow", &slow);
    let invoking = async {
        eventually("the code is being loaded", || async { file.exists().then_some(()) }).await;
        platform.value("ready", "{}").await
    };
    let (deployed, value) = tokio::join!(deploying, invoking);
    assert_eq!(value, "good");
    let notice = deployed.notice.unwrap();
    assert!(notice.contains("the memory for it was wanted for invocations"), "{notice}");
    platform.stop().await;
}

#[tokio::test]
async fn a_check_takes_a_prewarmed_instance_and_another_one_is_made() {
    let test = "load_check::a_check_takes_a_prewarmed_instance_and_another_one_is_made";
    let change = |platform: &mut Platform| platform.limits.prewarm_budget = 128 << 20;
    let Some(platform) = light(test, change).await else { return };
    let folder = platform.platform.data_dir.join("instances");
    let waiting = || {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        let is_ready = |path: &std::path::PathBuf| {
            path.join("run").exists() && !path.join("run/runtime.sock").exists()
        };
        entries.map(|entry| entry.path()).filter(is_ready).collect::<Vec<_>>()
    };
    let one = || async {
        tokio::task::yield_now().await;
        let all = waiting();
        (all.len() == 1).then(|| all[0].clone())
    };
    let first = eventually("one waits", one).await;
    let code = format!("import os\nprint(os.getcwd())\n{GOOD}");
    let deployed = platform.deploy("f", &[("function.py", &code)]).await;
    assert_eq!(deployed.output.unwrap().trim_end(), first.join("task").display().to_string());
    let other = || async { one().await.filter(|other| *other != first) };
    eventually("another one waits", other).await;
    platform.stop().await;
}

/// One deploy that hangs while its code is loaded holds up no other.
#[tokio::test]
async fn other_deploys_go_on_while_code_is_loaded() {
    let test = "load_check::other_deploys_go_on_while_code_is_loaded";
    let Some(platform) = light(test, |_| {}).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (begun, go) = (folder.path().join("begun"), folder.path().join("go"));
    let slow = format!(
        "import os, time\nopen({:?}, 'w').close()\nwhile not os.path.exists({:?}):\n    time.sleep(0.01)\n{GOOD}",
        begun.display().to_string(),
        go.display().to_string()
    );
    let slow = [("function.py", slow.as_str())];
    let deploying = platform.deploy("slow", &slow);
    let other = async {
        eventually("the code is being loaded", || async { begun.exists().then_some(()) }).await;
        platform.deploy("quick", &[("function.py", GOOD)]).await;
        std::fs::write(&go, "").unwrap();
    };
    let (deployed, ()) = tokio::join!(deploying, other);
    assert_eq!(deployed.notice, None);
    platform.stop().await;
}

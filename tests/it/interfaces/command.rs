//! `interface = "command"`: a process per invocation.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use cloudfunc::{
    client::Outcome,
    model::{Body, InstanceId, State, code},
};
use futures_util::future::join_all;

use super::{call, deploy, header, record_of, request};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, function, json},
    },
};

on_stack! {
    light:
    the_payload_is_the_input_and_the_output_is_the_result
    the_context_is_in_variables
    a_request_is_in_variables_and_its_output_the_response
    an_exit_code_is_the_outcome_and_errors_go_to_the_log
    several_processes_run_at_once_in_one_instance
    a_process_that_overruns_its_time_is_killed
    a_child_in_the_background_keeps_nobody_waiting
    a_script_in_python_finds_its_packages_and_modules
}

on_stack! {
    @ sqlite_embedded_oci:
    the_payload_is_the_input_and_the_output_is_the_result
    a_process_that_takes_too_much_memory_has_crashed_and_its_instance_goes_on
    the_context_is_in_variables
    a_request_is_in_variables_and_its_output_the_response
    an_exit_code_is_the_outcome_and_errors_go_to_the_log
    several_processes_run_at_once_in_one_instance
    a_process_that_overruns_its_time_is_killed
    a_child_in_the_background_keeps_nobody_waiting
}

on_stack! {
    real:
    the_payload_is_the_input_and_the_output_is_the_result
    a_process_that_takes_too_much_memory_has_crashed_and_its_instance_goes_on
    the_context_is_in_variables
    an_exit_code_is_the_outcome_and_errors_go_to_the_log
    several_processes_run_at_once_in_one_instance
    a_process_that_overruns_its_time_is_killed
    a_child_in_the_background_keeps_nobody_waiting
}

fn manifest(more: &str) -> String {
    format!("language = \"native\"\ninterface = \"command\"\ncommand = [\"./run.sh\"]\n{more}")
}

/// A function of one script.
async fn deploy_script(platform: &TestPlatform, name: &str, script: &str, more: &str) {
    let (script, manifest) = (format!("#!/bin/sh\n{script}"), manifest(more));
    deploy(platform, name, &[("run.sh", &script), ("cloudfunc.toml", &manifest)]).await;
}

async fn text_of(platform: &TestPlatform, name: &str, payload: &str) -> String {
    platform.value(name, &serde_json::to_string(payload).unwrap()).await
}

async fn the_payload_is_the_input_and_the_output_is_the_result(platform: &TestPlatform) {
    deploy_script(platform, "echo", "exec cat\n", "").await;
    let megabyte = "ab\n".repeat(350_000);
    for (sent, kind) in [
        ("grüße\n".as_bytes(), "text/plain"),
        (&b""[..], "text/plain"),
        (megabyte.as_bytes(), "text/plain"),
        (&b"\xff\0\n"[..], "application/octet-stream"),
    ] {
        let request = request(platform, "echo", sent.to_vec());
        let answer = request.header("content-type", "application/octet-stream").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answered = header(&answer, "content-type").unwrap_or_default();
        assert_eq!(answered.split(';').next(), Some(kind));
        assert_eq!(answer.bytes().await.unwrap(), sent);
    }
    // JSON comes as it was sent, and what a program does not read is no error.
    assert_eq!(platform.value("echo", "{ \"a\" :1}").await, "{ \"a\" :1}");
    deploy_script(platform, "deaf", "echo done\n", "").await;
    assert_eq!(text_of(platform, "deaf", &megabyte).await, "done\n");
}

async fn the_context_is_in_variables(platform: &TestPlatform) {
    let script = "env | grep -e ^CLOUDFUNC_ -e ^GREETING= | sort\necho \"at=$(pwd)\"\n";
    deploy_script(platform, "context", script, "[env]\nGREETING = \"Hello\"\n").await;
    let answer =
        request(platform, "context", "x").header("content-type", "text/csv").send().await.unwrap();
    let id = header(&answer, "cloudfunc-invocation-id").unwrap().to_owned();
    let text = answer.text().await.unwrap();
    let seen: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    for (name, value) in [
        ("CLOUDFUNC_INVOCATION_ID", id.as_str()),
        ("CLOUDFUNC_FUNCTION", "context"),
        ("CLOUDFUNC_REVISION", "1"),
        ("CLOUDFUNC_ATTEMPT", "1"),
        ("CLOUDFUNC_CONTENT_TYPE", "text/csv"),
        ("GREETING", "Hello"),
    ] {
        assert_eq!(seen.get(name), Some(&value), "{text}");
    }
    if platform.stack.has_containers() {
        assert_eq!(seen["at"], "/var/task", "{text}");
    }
}

async fn a_request_is_in_variables_and_its_output_the_response(platform: &TestPlatform) {
    let script = "echo $CLOUDFUNC_HTTP_METHOD $CLOUDFUNC_HTTP_PATH $CLOUDFUNC_HTTP_QUERY; cat\n";
    deploy_script(platform, "asked", script, "").await;
    let answer = call(platform, "asked", "PUT", "/a?b=1").body("{").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
        (200, Some("succeeded"))
    );
    assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.text().await.unwrap(), "PUT /a b=1\n{");
    let answer = call(platform, "asked", "HEAD", "/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, ""));
}

async fn an_exit_code_is_the_outcome_and_errors_go_to_the_log(platform: &TestPlatform) {
    let script = "read code\necho \"so far $code\" >&2\nexit \"$code\"\n";
    deploy_script(platform, "ends", script, "").await;
    let send =
        |code: &str| request(platform, "ends", format!("{code}\n")).header("content-type", "text/plain");
    let answer = send("0").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = send("3").send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let record = record_of(platform, &answer).await;
    let attempt = &record.attempts[0];
    assert_eq!(attempt.outcome, Some(State::Failed), "{record:?}");
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], code::FUNCTION_FAILED.code, "{problem}");
    let told = problem["detail"].as_str().unwrap();
    assert!(
        told.starts_with("function 'ends' failed: exit: the program ended with code 3"),
        "{problem}"
    );
    let id = record.id.to_string();
    eventually("its line is in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "ends", "--invocation", &id]).await;
        log.contains("so far 3").then_some(())
    })
    .await;
    // The next one is none the worse for it.
    assert_eq!(send("0").send().await.unwrap().status(), 200);
    let (code, _, stderr) =
        platform.cli(&["invoke", "ends", "--data", "7", "--content-type", "text/plain"]).await;
    assert!(code == 1 && stderr.contains("ended with code 7"), "{stderr}");
}

/// Each ends when all of its kind are there; they are in one sandbox, so that its `/tmp` is theirs.
const MEETS: &str = "read place wanted\nmkdir -p \"$place\"\n: >\"$place/$$\"\n\
                     while [ \"$(ls \"$place\" | wc -l)\" -lt \"$wanted\" ]; do sleep 0.05; done\necho met\n";

async fn several_processes_run_at_once_in_one_instance(platform: &TestPlatform) {
    let scaling = "[scaling]\nconcurrency = 4\nmax_instances = 1\n";
    deploy_script(platform, "meets", MEETS, scaling).await;
    let place = format!("/tmp/{}", InstanceId::new());
    let calls = (0..4).map(async |_| {
        let body = Body { content_type: "text/plain".to_owned(), bytes: format!("{place} 4\n").into() };
        platform.client.invoke(&function("meets"), body).await.unwrap()
    });
    for answer in join_all(calls).await {
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(body.bytes, "met\n");
    }
    // Where there is no sandbox, it is the machine's.
    let _ = std::fs::remove_dir_all(place);
}

async fn a_process_that_overruns_its_time_is_killed(platform: &TestPlatform) {
    let script = "read seconds\nsleep \"$seconds\"\necho \"slept $seconds\"\n";
    deploy_script(platform, "sleeps", script, "timeout = \"2s\"\n").await;
    let send = |seconds: &str| {
        request(platform, "sleeps", format!("{seconds}\n")).header("content-type", "text/plain")
    };
    assert_eq!(send("0").send().await.unwrap().text().await.unwrap(), "slept 0\n");
    let begun = Instant::now();
    let answer = send("300").send().await.unwrap();
    assert_eq!(answer.status(), 504);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], code::FUNCTION_TIMED_OUT.code, "{problem}");
    assert_eq!(send("0").send().await.unwrap().text().await.unwrap(), "slept 0\n");
}

async fn a_process_that_takes_too_much_memory_has_crashed_and_its_instance_goes_on(
    platform: &TestPlatform,
) {
    let code = "import sys\nprint(len(bytearray(int(sys.stdin.read()) << 20)))\n";
    let manifest = "interface = \"command\"\ncommand = [\"python3\", \"eat.py\"]\nmemory = \"64MiB\"\n";
    deploy(platform, "eats", &[("eat.py", code), ("cloudfunc.toml", manifest)]).await;
    let send = |mebibytes: &str| {
        request(platform, "eats", mebibytes.to_owned()).header("content-type", "text/plain")
    };
    for _ in 0..2 {
        let answer = send("200").send().await.unwrap();
        assert_eq!(answer.status(), 502);
        let record = record_of(platform, &answer).await;
        assert_eq!(record.attempts[0].outcome, Some(State::Crashed), "{record:?}");
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code::FUNCTION_CRASHED.code, "{problem}");
        let told = "function 'eats' crashed: the function used more than its memory limit of 64 MiB";
        assert_eq!(problem["detail"], told, "{problem}");
    }
    let answer = send("1").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cloudfunc-start")), (200, Some("warm")));
    assert_eq!(answer.text().await.unwrap(), "1048576\n");
}

async fn a_child_in_the_background_keeps_nobody_waiting(platform: &TestPlatform) {
    // The first one has given up its output, the second one holds it.
    for (name, script) in [
        ("quiet", "sleep 300 </dev/null >/dev/null 2>&1 &\necho done\n"),
        ("holds", "sleep 300 &\necho done\n"),
    ] {
        deploy_script(platform, name, script, "timeout = \"60s\"\n").await;
        let begun = Instant::now();
        for _ in 0..3 {
            assert_eq!(text_of(platform, name, "x").await, "done\n");
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{name}: {:?}", begun.elapsed());
    }
}

async fn a_script_in_python_finds_its_packages_and_modules(platform: &TestPlatform) {
    let script = "import sys, words\nprint(words.HELLO, sys.stdin.read())\n";
    let manifest = "interface = \"command\"\ncommand = [\"python3\", \"tool.py\"]\n";
    let files = [("tool.py", script), ("words.py", "HELLO = 'Hello'\n"), ("cloudfunc.toml", manifest)];
    deploy(platform, "tool", &files).await;
    let answer = platform.client.invoke(&function("tool"), json("7")).await.unwrap();
    let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(body.bytes, "Hello 7\n");
}

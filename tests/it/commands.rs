//! The command line against a platform: the shapes of `--json`, what goes in, what is said when something fails.

mod addresses;
mod audit_log;
mod ends;
mod secrets;
mod several;
mod tokens;

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use cloudfunc::{
    client::RecordFilter,
    model::{Mode, State},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, function},
    },
};

const ECHO: &str = "def handler(event):\n    return event\n";

on_stack! {
    light:
    deploy_prints_one_line_of_the_same_shape_for_each_path
    delete_takes_several_names_and_checks_all_before_the_first_goes
    a_failed_invocation_is_a_json_error_with_its_id
    stdin_is_the_payload_when_it_is_a_pipe_or_a_file
    stdin_that_is_someone_elses_is_left_alone
    a_pipe_that_stays_open_is_waited_for_and_that_is_said
    ps_tells_which_function_a_container_has
    ctrl_c_tells_which_invocation_goes_on
    a_sync_invocation_is_listed_while_it_runs
    a_sync_invocation_is_listed_as_ended_as_soon_as_its_caller_is_answered
}

/// A folder with functions.
fn folder(functions: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in functions {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("function.py"), code).unwrap();
    }
    folder
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

fn keys(value: &Value) -> String {
    value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

async fn deploy_prints_one_line_of_the_same_shape_for_each_path(platform: &TestPlatform) {
    let folder = folder(&[("one", ECHO), ("two", ECHO)]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (one, two, none) = (path("one"), path("two"), path("none"));
    let run = async |paths: &[&str]| {
        let (code, stdout, stderr) = platform.cli(&[&["deploy", "--json"], paths].concat()).await;
        (code, lines(&stdout), lines(&stderr))
    };
    let (code, changed, errors) = run(&[&one]).await;
    assert_eq!((code, errors.len()), (0, 0));
    let (_, unchanged, _) = run(&[&one]).await;
    // One that is wrong keeps the others from being deployed.
    let (code, refused, refusals) = run(&[&one, &none, &two]).await;
    let (again, several, errors) = run(&[&one, &two]).await;
    assert_eq!((code, again, errors.len()), (2, 0, 0));
    assert_eq!((changed.len(), unchanged.len(), refused.len(), several.len()), (1, 1, 3, 2));
    for line in changed.iter().chain(&unchanged).chain(&refused).chain(&several) {
        assert_eq!(keys(line), "error image name path revision unchanged");
    }
    let told =
        |line: &Value| (line["name"].clone(), line["revision"].clone(), line["unchanged"].clone());
    assert_eq!(told(&changed[0]), (json!("one"), json!(1), json!(false)));
    assert_eq!(told(&unchanged[0]), (json!("one"), json!(1), json!(true)));
    assert_eq!(told(&several[0]), (json!("one"), json!(1), json!(true)));
    assert_eq!(told(&several[1]), (json!("two"), json!(1), json!(false)));
    assert_eq!(told(&refused[1]), (Value::Null, Value::Null, json!(false)));
    assert_eq!(refused[1]["path"], none.as_str());
    assert!(refused[1]["error"]["detail"].as_str().unwrap().contains("there is no folder"));
    for other in [0, 2] {
        assert_eq!(refused[other]["error"]["code"], "not_deployed");
    }
    assert_eq!(
        refusals,
        [refused[1]["error"].clone(), refused[0]["error"].clone()],
        "the same on stderr"
    );
    let (code, failed, errors) = run(&[&none]).await;
    assert_eq!((code, failed[0]["error"].clone()), (2, errors[0].clone()), "one that fails, too");
    assert_eq!((failed.len(), errors.len()), (1, 1));
}

async fn delete_takes_several_names_and_checks_all_before_the_first_goes(platform: &TestPlatform) {
    for name in ["one", "two", "three"] {
        platform.deploy(name, &[("function.py", ECHO)]).await;
    }
    let (code, stdout, stderr) = platform.cli(&["delete", "one", "nine", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: nothing was deleted: there is no function 'nine'\n"), "{stderr}");
    let (code, stdout, stderr) = platform.cli(&["delete", "one", "two", "one", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (0, "deleted one\ndeleted two\n"));
    assert_eq!(stderr, "next: cloudfunc list\n");
    let (code, stdout, stderr) = platform.cli(&["delete", "three", "--yes", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        lines(&stdout),
        [json!({"deleted": "three", "cancelled": 0, "secrets": 0, "error": null})]
    );
}

async fn a_failed_invocation_is_a_json_error_with_its_id(platform: &TestPlatform) {
    let code = "def handler(event):\n    raise ValueError('no')\n";
    platform.deploy("fails", &[("function.py", code)]).await;
    let (exit, stdout, stderr) = platform.cli(&["invoke", "fails", "--json"]).await;
    let (document, error): (Value, Value) =
        (serde_json::from_str(&stdout).unwrap(), serde_json::from_str(&stderr).unwrap());
    assert_eq!((exit, &error["code"]), (1, &json!("function_failed")));
    assert_eq!((&error["fault"], &error["retry_safe"]), (&json!("function"), &json!(false)));
    assert_eq!(error["invocation_id"], document["id"]);
    let decimals = document["duration_ms"].to_string();
    assert!(decimals.split('.').nth(1).is_none_or(|digits| digits.len() <= 3), "{decimals}");
    let (exit, stdout, stderr) = platform.cli(&["invoke", "nowhere", "--json"]).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((exit, stdout.as_str(), &error["code"]), (2, "", &json!("function_not_found")));
    assert_eq!(error["hint"], "'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one");
}

/// The binary with this stdin: exit code, stdout and stderr.
async fn fed(
    platform: &TestPlatform,
    arguments: &[&str],
    stdin: impl Into<Stdio>,
) -> (Option<i32>, String, String) {
    let mut command = platform.command(arguments);
    let output = command.stdin(stdin).kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The binary as somebody with this token starts it: exit code, stdout and stderr.
async fn with_token(platform: &TestPlatform, token: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
    command
        .env_clear()
        .env("HOME", platform.platform.data_dir.parent().unwrap())
        .env("CLOUDFUNC_URL", format!("http://{}", platform.platform.addresses.gateway))
        .env("CLOUDFUNC_TOKEN", token)
        .args(arguments);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A new token, made with these further arguments.
async fn made(platform: &TestPlatform, name: &str, arguments: &[&str]) -> String {
    let command = [&["token", "create", name, "--quiet"], arguments].concat();
    let (code, stdout, stderr) = platform.cli(&command).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    stdout.trim_end().to_owned()
}

/// A pipe with these bytes in it, closed.
fn pipe(bytes: &[u8]) -> OwnedFd {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(bytes).unwrap();
    reader.into()
}

/// Without the line of start, duration and id.
fn notes(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| !line.contains(" start · ")).collect()
}

async fn stdin_is_the_payload_when_it_is_a_pipe_or_a_file(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"[1, 2]").unwrap();
    file.rewind().unwrap();
    let took = |bytes: usize| vec![format!("payload from stdin: {bytes} bytes")];
    for (stdin, arguments, value, note) in [
        (pipe(b"{\"a\": 1}"), &["invoke", "echo"][..], r#"{"a":1}"#, took(8)),
        (file.into(), &["invoke", "echo"], "[1,2]", took(6)),
        (pipe(b"tea"), &["invoke", "echo", "--content-type", "text/plain"], "tea", took(3)),
        (pipe(b""), &["invoke", "echo"], "{}", vec![]),
        (std::fs::File::open("/dev/null").unwrap().into(), &["invoke", "echo"], "{}", vec![]),
        (pipe(b"7"), &["invoke", "echo", "-d", "8"], "8", vec![]),
        (pipe(b"7"), &["invoke", "echo", "8"], "8", vec![]),
        (pipe(b"7"), &["invoke", "echo", "-"], "7", vec![]),
        (pipe(b"7"), &["invoke", "echo", "-5"], "-5", vec![]),
    ] {
        let (code, stdout, stderr) = fed(platform, arguments, stdin).await;
        assert_eq!((code, stdout.as_str()), (Some(0), value), "{arguments:?}: {stderr}");
        assert_eq!(notes(&stderr), note, "{arguments:?}");
    }
    let (code, stdout, stderr) =
        fed(platform, &["bench", "echo", "-n", "2", "--json"], pipe(b"3")).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let (code, _, stderr) = fed(platform, &["bench", "echo", "-n", "2"], pipe(b"{")).await;
    assert_eq!(code, Some(2), "what stdin holds is what is sent: {stderr}");
}

async fn stdin_that_is_someone_elses_is_left_alone(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    // As in `while read line; do cloudfunc invoke echo; done < lines`.
    let mut lines = tempfile::tempfile().unwrap();
    lines.write_all(b"one\ntwo\n").unwrap();
    lines.seek(SeekFrom::Start(4)).unwrap();
    let (code, stdout, stderr) = fed(platform, &["invoke", "echo"], lines.try_clone().unwrap()).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "{}"));
    assert!(stderr.contains("stdin is a file that is being read already"), "{stderr}");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "two\n", "the loop goes on");
    // At its end there is nothing to say.
    let (_, stdout, stderr) = fed(platform, &["invoke", "echo"], lines).await;
    assert_eq!((stdout.as_str(), notes(&stderr).len()), ("{}", 0), "{stderr}");
    // As `ssh` leaves it open.
    let (silent, _open) = UnixStream::pair().unwrap();
    let (code, stdout, _) = fed(platform, &["invoke", "echo"], OwnedFd::from(silent)).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "{}"));
    let (other, mut told) = UnixStream::pair().unwrap();
    told.write_all(b"[3]").unwrap();
    drop(told);
    let (_, stdout, _) = fed(platform, &["invoke", "echo"], OwnedFd::from(other)).await;
    assert_eq!(stdout, "[3]");
}

async fn a_pipe_that_stays_open_is_waited_for_and_that_is_said(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut command = platform.command(&["invoke", "echo"]);
    let child = command
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(errors.reopen().unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(command);
    eventually("it says that it waits", || async {
        let said = std::fs::read_to_string(errors.path()).unwrap();
        said.contains("waiting for stdin to end: it is the payload").then_some(())
    })
    .await;
    writer.write_all(b"[4]").unwrap();
    drop(writer);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"[4]"[..]));
}

async fn ps_tells_which_function_a_container_has(platform: &TestPlatform) {
    let (code, stdout, stderr) = platform.cli(&["ps"]).await;
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.starts_with("no live instances"), "{stderr}");
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    platform.value("echo", "1").await;
    let instance = eventually("the instance is known", || async {
        platform.client.instances(&function("echo"), None).await.unwrap().items.pop()
    })
    .await;
    let (_, stdout, _) = platform.cli(&["ps"]).await;
    let id = instance.id.to_string();
    let row: Vec<&str> = stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["echo", "1", &id[id.len() - 12..]], "{stdout}");
    let (_, stdout, _) = platform.cli(&["ps", "--json"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["items"][0]["function"], "echo");
    assert_eq!(document["items"][0]["id"], id.as_str());
    for (alias, command) in [("ls", "list"), ("list", "ls")] {
        let (_, one, _) = platform.cli(&[alias, "--json"]).await;
        let (_, other, _) = platform.cli(&[command, "--json"]).await;
        assert_eq!(one, other);
    }
    assert_eq!(platform.cli(&["rm", "echo", "--yes"]).await.1, "deleted echo\n");
}

const SLOW: &str = "import time\ndef handler(event):\n    time.sleep(event)\n    return 'done'\n";

/// The one that is under way.
async fn under_way(platform: &TestPlatform) -> cloudfunc::model::Record {
    eventually("an invocation is under way", || async {
        let page = platform.client.records(&RecordFilter::default()).await.unwrap();
        page.items.into_iter().find(|record| !record.state.is_terminal())
    })
    .await
}

fn start(mut command: tokio::process::Command) -> tokio::process::Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

fn interrupt(child: &tokio::process::Child) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
}

async fn ctrl_c_tells_which_invocation_goes_on(platform: &TestPlatform) {
    platform.deploy("slow", &[("function.py", SLOW)]).await;
    let invoke = start(platform.command(&["invoke", "slow", "3"]));
    let id = under_way(platform).await.id;
    let mut wait =
        start(platform.command(&["invocation", "wait", &id.to_string(), "--json", "--verbose"]));
    // From here on it takes signals itself.
    let mut said = BufReader::new(wait.stderr.take().unwrap());
    let mut asking = String::new();
    said.read_line(&mut asking).await.unwrap();
    assert!(asking.contains("asking http"), "{asking}");
    interrupt(&invoke);
    let output = invoke.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: interrupted: the invocation continues, id {id}\n\
             hint: `cloudfunc invocation wait {id}` prints its result\n"
        )
    );
    interrupt(&wait);
    let mut rest = String::new();
    said.read_to_string(&mut rest).await.unwrap();
    let output = wait.wait_with_output().await.unwrap();
    let error: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(error["code"], "stopped_by_signal");
    assert_eq!(error["invocation_id"], id.to_string());
    let (code, stdout, _) = platform.cli(&["invocation", "show", "@last"]).await;
    assert_eq!((code, stdout.lines().next()), (0, Some(format!("id        {id}").as_str())));
    let (code, stdout, _) = platform.cli(&["invocation", "wait", "@last"]).await;
    assert_eq!((code, stdout.as_str()), (0, "done"));
}

async fn a_sync_invocation_is_listed_while_it_runs(platform: &TestPlatform) {
    platform.deploy("slow", &[("function.py", SLOW)]).await;
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let look = async {
        let record = under_way(platform).await;
        assert_eq!((record.function.as_str(), record.mode), ("slow", Mode::Sync));
        let of = async |filter: RecordFilter| platform.client.records(&filter).await.unwrap().items;
        let of_slow = RecordFilter { function: Some(function("slow")), ..RecordFilter::default() };
        assert_eq!(of(of_slow).await.len(), 1);
        let of_echo = RecordFilter { function: Some(function("echo")), ..RecordFilter::default() };
        assert!(of(of_echo).await.is_empty());
        let cursor = Some(record.id.to_string());
        assert!(of(RecordFilter { cursor, ..RecordFilter::default() }).await.is_empty());
        let failed = RecordFilter { state: Some(State::Failed), ..RecordFilter::default() };
        assert!(of(failed).await.is_empty());
    };
    tokio::join!(look, platform.value("slow", "1"));
}

async fn a_sync_invocation_is_listed_as_ended_as_soon_as_its_caller_is_answered(
    platform: &TestPlatform,
) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let succeeded = RecordFilter { state: Some(State::Succeeded), ..RecordFilter::default() };
    for _ in 0..5 {
        let id = platform.invoke("echo", "1").await.id;
        let listed = platform.client.records(&succeeded).await.unwrap().items;
        assert_eq!(listed.iter().filter(|record| record.id == id).count(), 1);
        let echo = RecordFilter { function: Some(function("echo")), ..RecordFilter::default() };
        assert_eq!(platform.client.records(&echo).await.unwrap().items[0].id, id);
    }
}

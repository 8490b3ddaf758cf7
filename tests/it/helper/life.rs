//! The beginning and the end of a helper.

use std::{collections::BTreeSet, fs, os::unix::process::ExitStatusExt, path::Path};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::support::eventually;

const SIGTERM: &str = "cloudfunc: the sandbox's first process got SIGTERM, and has ended the program\n";

fn terminate(host: &Host) {
    let pid = i32::try_from(host.process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}

/// Waits for what a program has written into a file, all of a line.
async fn line_of(host: &Host, name: &str) -> String {
    let path = host.folder.path().join("task").join(name);
    let line = async || fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'));
    eventually("a line is written", line).await.trim().to_owned()
}

#[tokio::test]
async fn hello_comes_before_the_function_and_lists_what_the_helper_can_do() {
    let host = Host::start().await;
    let pid = host.process.id().unwrap();
    assert_eq!(
        host.hello,
        json!({
            "protocol": 1, "language": "helper", "pid": pid, "outputs": "fifo",
            "features": ["concurrent", "log", "interface", "http"],
        })
    );
}

#[tokio::test]
async fn a_program_has_three_descriptors_and_cannot_look_into_the_helper() {
    let text = "ls /proc/$$/fd; ls /proc/$PPID/fd 2>&1; cat /proc/$PPID/mem 2>&1; cat /proc/$PPID/environ 2>&1; true";
    // Root may look at everything.
    let as_nobody = |folder: &Path, command: &mut tokio::process::Command| {
        let copy = folder.join("helper");
        let copied = std::process::Command::new("cp").arg(env!("CLOUDFUNC_HELPER")).arg(&copy).status();
        assert!(copied.unwrap().success());
        if rustix::process::geteuid().is_root() {
            let environment: Vec<_> = command
                .as_std()
                .get_envs()
                .map(|(n, v)| (n.to_owned(), v.unwrap().to_owned()))
                .collect();
            *command = tokio::process::Command::new(copy);
            command.envs(environment).kill_on_drop(true).uid(65534).gid(65534);
        }
    };
    let mut host = Host::start_as(&["task"], as_nobody).await;
    host.load(json!({ "kind": "command" }), 1, &["/bin/sh", "-c", text]).await;
    let (_, body) = host.invoke("i1", "").await;
    let seen = String::from_utf8(body).unwrap();
    let descriptors =
        |text: &str| text.lines().map_while(|line| line.parse().ok()).collect::<BTreeSet<u32>>();
    let expected: BTreeSet<u32> = inherited().union(&BTreeSet::from([0, 1, 2])).copied().collect();
    assert_eq!(descriptors(&seen), expected, "{seen}");
    assert_eq!(seen.matches("Permission denied").count(), 3, "{seen}");
}

/// Returns the descriptors that this process was started with and passes on.
fn inherited() -> BTreeSet<u32> {
    const CLOSED_BY_EXEC: u32 = 0o2_000_000;
    let entries = std::fs::read_dir("/proc/self/fdinfo").unwrap().map(|entry| entry.unwrap());
    let is_passed_on = |entry: &std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSED_BY_EXEC == 0)
    };
    let numbers = entries.filter(is_passed_on).map(|entry| entry.file_name().into_string().unwrap());
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[tokio::test]
async fn the_host_hangs_up_and_nothing_is_left() {
    let mut host = Host::shell(1, "echo $$ >pid; exec sleep 1000").await;
    host.begin("i1", 30_000, json!(null), b"").await;
    let pid = line_of(&host, "pid").await;
    host.control.shutdown().await.unwrap();
    assert_eq!(host.exit().await.code(), Some(0));
    let path = Path::new("/proc").join(pid);
    eventually("the program is gone", async || (!path.exists()).then_some(())).await;
}

#[tokio::test]
async fn sigterm_reaches_the_program_and_one_that_ignores_it_is_killed() {
    let mut host =
        Host::shell(1, "trap 'echo told >end; exit' TERM; echo $$ >pid; while :; do sleep 0.1; done")
            .await;
    host.begin("i1", 30_000, json!(null), b"").await;
    line_of(&host, "pid").await;
    terminate(&host);
    host.says(SIGTERM).await;
    assert_eq!(host.exit().await.code(), Some(143));
    assert_eq!(line_of(&host, "end").await, "told");
    let mut host = Host::shell(1, "trap '' TERM; echo $$ >pid; while :; do sleep 0.1; done").await;
    host.begin("i1", 30_000, json!(null), b"").await;
    let pid = line_of(&host, "pid").await;
    terminate(&host);
    assert_eq!(host.exit().await.code(), Some(143));
    let path = Path::new("/proc").join(pid);
    eventually("the program is gone", async || (!path.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_program_that_ends_the_helper_finds_that_in_the_log() {
    let mut host = Host::shell(1, "kill $PPID; exec sleep 1000").await;
    host.begin("i1", 30_000, json!(null), b"").await;
    host.says(SIGTERM).await;
    assert_eq!(host.exit().await.code(), Some(143), "as if the engine had sent it");
}

#[tokio::test]
async fn orphans_are_reaped() {
    // The shell in the middle ends at once, and its child is the helper's.
    let text = "(setsid sh -c 'echo $$ >pid; exec sleep 0.1' >/dev/null &); while [ ! -s pid ]; do sleep 0.01; done";
    let mut host = Host::shell(1, text).await;
    host.invoke("i1", "").await;
    let path = Path::new("/proc").join(line_of(&host, "pid").await);
    eventually("the orphan is gone", async || (!path.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_host_that_breaks_the_protocol_ends_the_helper() {
    for (bytes, reason) in [
        (
            &b"\xff\xff\xff\xff\x00\x00\x00\x00"[..],
            "a header of 4294967295 bytes is over the limit of 1048576",
        ),
        (
            b"\x00\x00\x00\x02\xff\xff\xff\xff{}",
            "a body of 4294967295 bytes is over the limit of 6291456",
        ),
        (b"\x00\x00\x00\x02\x00\x00\x00\x00{]", "a header cannot be read"),
    ] {
        let mut host = Host::start().await;
        host.control.write_all(bytes).await.unwrap();
        host.says(&format!("cloudfunc: the helper has ended: {reason}")).await;
        let status = host.exit().await;
        assert_eq!((status.code(), status.signal()), (Some(1), None));
    }
    let mut host = Host::start().await;
    host.begin("i1", 1000, json!(null), b"").await;
    host.says("an invocation came before the function").await;
}

//! A process per invocation.

use std::{fs, path::Path};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::*;
use crate::support::eventually;

const TEXT: &str = "text/plain; charset=utf-8";

async fn is_gone(pid: &str) {
    let path = Path::new("/proc").join(pid.trim());
    eventually("the process is gone", async || (!path.exists()).then_some(())).await;
}

#[tokio::test]
async fn what_is_written_to_standard_output_is_text_or_bytes() {
    let mut host = Host::shell(1, "cat").await;
    for (payload, content_type) in
        [(&b"caf\xc3\xa9"[..], TEXT), (b"", TEXT), (b"\xff\x00", "application/octet-stream")]
    {
        let (answer, body) = host.invoke("i1", payload).await;
        assert_eq!(answer, json!({ "result": { "id": "i1", "content_type": content_type } }));
        assert_eq!(body, payload);
    }
}

#[tokio::test]
async fn a_program_knows_its_invocation_and_its_variables() {
    let text = "echo $CLOUDFUNC_INVOCATION_ID $CLOUDFUNC_ATTEMPT $CLOUDFUNC_FUNCTION $CLOUDFUNC_REVISION \
                $CLOUDFUNC_REMAINING_MS $CLOUDFUNC_CONTENT_TYPE $CLOUDFUNC_HEADERS $GREETING $API_KEY; pwd";
    let mut host = Host::shell(1, text).await;
    let (_, body) = host.invoke("i1", "").await;
    let task = host.folder.path().join("task").canonicalize().unwrap();
    let expected = "i1 2 report 7 30000 text/plain {\"x-request\":\"r1\"} hello hunter2";
    assert_eq!(String::from_utf8(body).unwrap(), format!("{expected}\n{}\n", task.display()));
}

#[tokio::test]
async fn a_request_is_in_variables_and_its_answer_is_the_output() {
    let text = "echo $CLOUDFUNC_HTTP_METHOD $CLOUDFUNC_HTTP_PATH \"[${CLOUDFUNC_HTTP_QUERY-unset}]\" $CLOUDFUNC_HEADERS; cat";
    let mut host = Host::shell(1, text).await;
    let headers = json!([["x-a", "1"], ["x-a", "2"], ["x-name", "Zo\u{c3}\u{ab}"]]);
    for (query, shown) in [(Some("q=a%20b"), "[q=a%20b]"), (None, "[]")] {
        let mut http = json!({ "method": "PUT", "path": "/a%20b", "headers": headers });
        if let Some(query) = query {
            http["query"] = query.into();
        }
        host.begin("i1", 30_000, http, b"body").await;
        let (answer, body) = host.next().await;
        let response = json!({ "status": 200, "headers": [["content-type", TEXT]] });
        let expected = json!({ "result": { "id": "i1", "content_type": TEXT, "http": response } });
        assert_eq!(answer, expected);
        let headers = "{\"content-length\":\"4\",\"x-a\":\"1, 2\",\"x-name\":\"Zo\u{eb}\"}";
        assert_eq!(String::from_utf8(body).unwrap(), format!("PUT /a%20b {shown} {headers}\nbody"));
    }
    let mut host = Host::shell(1, "echo ${CLOUDFUNC_HTTP_METHOD-unset}").await;
    assert_eq!(host.invoke("i1", b"").await.1, b"unset\n", "not for any other invocation");
}

#[tokio::test]
async fn an_exit_code_and_a_signal_are_the_error() {
    for (text, message) in [
        ("echo half; exit 3", "the program ended with code 3"),
        ("kill -SEGV $$", "the program was killed by signal 11 (SIGSEGV)"),
    ] {
        let mut host = Host::shell(1, text).await;
        let (answer, body) = host.invoke("i1", "").await;
        assert_eq!((error(&answer), body.len()), (("exit", message), 0));
    }
}

#[tokio::test]
async fn standard_error_goes_to_the_pipe_or_names_its_invocation() {
    let text = "echo first >&2; echo second >&2; echo done";
    let mut host = Host::shell(1, text).await;
    assert_eq!(host.invoke("i1", "").await.1, b"done\n");
    host.says("first\nsecond\n").await;
    let mut host = Host::shell(2, text).await;
    host.begin("i1", 30_000, json!(null), b"").await;
    let mut lines = Vec::new();
    let answer = loop {
        let (message, body) = host.next().await;
        if message != json!({ "log": { "id": "i1", "stream": "stderr" } }) {
            break message;
        }
        lines.extend(body);
    };
    assert_eq!(
        (answer["result"]["id"].as_str(), lines.as_slice()),
        (Some("i1"), &b"first\nsecond\n"[..])
    );
}

#[tokio::test]
async fn a_result_over_6_mib_is_an_error_and_its_program_is_killed() {
    let mut host = Host::shell(1, "echo $$ >pid; head -c 7000000 /dev/zero; exec sleep 1000").await;
    let (answer, _) = host.invoke("i1", "").await;
    let message = "the program wrote more than 6291456 bytes (6 MiB) to its standard output, the limit of a result";
    assert_eq!(error(&answer), ("too_large", message));
    is_gone(&fs::read_to_string(host.folder.path().join("task/pid")).unwrap()).await;
}

#[tokio::test]
async fn a_payload_of_1000_kb_goes_round_and_need_not_be_read() {
    let payload = vec![b'x'; 1_000_000];
    let mut host = Host::shell(1, "cat").await;
    assert_eq!(host.invoke("i1", &payload).await.1, payload);
    let mut host = Host::shell(1, "exec <&-; echo done").await;
    assert_eq!(host.invoke("i1", &payload).await.1, b"done\n");
}

#[tokio::test]
async fn what_a_program_leaves_running_neither_delays_its_answer_nor_outlives_it() {
    let mut host = Host::shell(1, "sleep 1000 & echo $!").await;
    let (answer, body) = host.invoke("i1", "").await;
    assert!(answer["result"].is_object(), "{answer}");
    is_gone(&String::from_utf8(body).unwrap()).await;
}

#[tokio::test]
async fn as_many_run_at_once_as_are_asked_for() {
    // Each end of a named pipe waits for the other one.
    let text = "case $(cat) in write) echo met >pipe;; read) cat pipe;; *) mkfifo pipe;; esac";
    let mut host = Host::shell(2, text).await;
    host.invoke("i0", "make").await;
    host.begin("i1", 30_000, json!(null), b"read").await;
    host.begin("i2", 30_000, json!(null), b"write").await;
    let both = [host.next().await, host.next().await];
    let read = both.iter().find(|(answer, _)| answer["result"]["id"] == "i1").unwrap();
    assert_eq!(read.1, b"met\n");
}

#[tokio::test]
async fn one_that_overruns_its_time_is_killed_and_not_answered() {
    let mut host = Host::shell(2, "case $(cat) in wait) echo $$ >pid; exec sleep 1000;; esac").await;
    host.begin("late", 2000, json!(null), b"wait").await;
    let pid = host.folder.path().join("task/pid");
    let started = async || fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n'));
    is_gone(&eventually("it runs", started).await).await;
    assert_eq!(host.invoke("i2", "").await.0["result"]["id"], "i2");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let command = json!({ "kind": "command" });
    let elf = |machine: u8, loader: &str| {
        let mut bytes = [0; 120];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[18] = machine;
        // One program header behind the file's own, and the loader's path behind that.
        (bytes[32], bytes[54], bytes[56], bytes[64], bytes[72]) = (64, 56, 1, 3, 120);
        bytes[96] = u8::try_from(loader.len() + 1).unwrap();
        [&bytes[..], loader.as_bytes(), b"\0"].concat()
    };
    let (own, other, other_name) = match std::env::consts::ARCH {
        "aarch64" => (183, 62, "x86_64"),
        _ => (62, 183, "aarch64"),
    };
    let arch = std::env::consts::ARCH;
    let files = [
        ("plain", b"#!/bin/sh\n".to_vec(), 0o644),
        ("lost", b"#!/opt/none/bash -e\n".to_vec(), 0o755),
        ("dos", b"#!/bin/sh\r\necho\r\n".to_vec(), 0o755),
        ("notes", b"echo no first line\n".to_vec(), 0o755),
        ("other", elf(other, "/lib/ld.so"), 0o755),
        ("musl", elf(own, "/lib/ld-musl-none.so.1"), 0o755),
    ];
    for (word, expected) in [
        ("./none", "is not found: there is no {task}/none".to_owned()),
        ("none", "is not found: it is neither in {task} nor on the PATH, which is {path}".to_owned()),
        (".", "is not found".to_owned()),
        ("/tmp", "is a folder".to_owned()),
        ("./pipe", "is not a file, but a pipe, a socket or a device".to_owned()),
        ("plain", "is not executable: run `chmod +x plain` in its folder, and deploy again".to_owned()),
        ("./plain", "is not executable: run `chmod +x plain` in its folder, and deploy again".to_owned()),
        ("lost", "begins with #!/opt/none/bash, and there is no /opt/none/bash here".to_owned()),
        ("dos", "has Windows line ends, and the kernel takes those of Linux only: save it with LF".to_owned()),
        (
            "notes",
            "is neither a program for Linux nor a script: the first line of a script names its interpreter, as in \
             #!/bin/sh"
                .to_owned(),
        ),
        (
            "other",
            format!("is made for {other_name}, and this machine is {arch}: build it for {arch}"),
        ),
        (
            "musl",
            "is made for another libc: its loader /lib/ld-musl-none.so.1 is not here; build it statically, or for the \
             libc of this image"
                .to_owned(),
        ),
    ] {
        let mut host = Host::start().await;
        for (name, bytes, mode) in &files {
            host.file(name, bytes, *mode);
        }
        let task = host.folder.path().join("task").canonicalize().unwrap();
        mknodat(CWD, task.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o755), 0).unwrap();
        let expected = expected
            .replace("{task}", task.to_str().unwrap())
            .replace("{path}", &std::env::var("PATH").unwrap());
        let answer = host.load(command.clone(), 1, &[word]).await;
        let (kind, message) = error(&answer);
        assert_eq!(kind, "command");
        let prefix = format!("the program \"{word}\" {expected}");
        assert!(message.starts_with(&prefix), "{message:?} is not {prefix:?}");
    }
}

#[tokio::test]
async fn an_image_without_a_command_is_told() {
    let mut host = Host::start_as(&["image"], |_, _| {}).await;
    let answer = host.load(json!({ "kind": "command" }), 1, &[]).await;
    let message = "the image has neither an entry point nor a command: name the program in the manifest, for example \
                   command = [\"gunicorn\", \"app:app\"]";
    assert_eq!(error(&answer), ("command", message));
    let mut host = Host::start_as(&["image", "/bin/echo", "its own"], |_, _| {}).await;
    host.load(json!({ "kind": "command" }), 1, &[]).await;
    assert_eq!(host.invoke("i1", "").await.1, b"its own\n");
}

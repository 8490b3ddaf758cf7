//! What a function prints, and whose it is.

use super::*;

pub async fn a_child_process_prints_into_the_invocation(fixture: &Fixture) {
    let code = r#"
import os, subprocess, sys
def handler(event):
    print("one")
    print("two", file=sys.stderr)
    subprocess.run(["echo", "three"], check=True)
    os.write(1, b"four\xff\n")
    print("five", end="")
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(instance.result("{}").await, "null");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for (stream, text) in instance.output() {
        if stream == Stream::Stdout { stdout.push(text) } else { stderr.push((stream, text)) }
    }
    assert_eq!(stdout, ["one", "three", "four\u{fffd}", "five"]);
    assert_eq!(stderr, [(Stream::Stderr, "two")]);
    instance.sandbox.remove().await;
}

pub async fn what_is_printed_later_belongs_to_the_instance(fixture: &Fixture) {
    let code = r#"
import threading
def handler(event):
    print("now")
    threading.Timer(0.05, lambda: print("later")).start()
"#;
    let mut instance = fixture.ready(code).await;
    instance.result("{}").await;
    assert_eq!(instance.output(), [(Stream::Stdout, "now")]);
    instance.idle_until("later").await;
    assert_eq!(instance.result("{}").await, "null");
    instance.sandbox.remove().await;
}

pub async fn ten_mib_of_output_are_cut_and_the_result_arrives(fixture: &Fixture) {
    let code = "def handler(event):\n    for _ in range(10240):\n        print('x' * 1023)\n    return 'done'\n";
    let mut instance = fixture.ready(code).await;
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "done");
        let output = instance.output();
        let platform: Vec<_> = output.iter().filter(|(stream, _)| *stream == Stream::Platform).collect();
        assert_eq!(platform.len(), 1);
        assert!(platform[0].1.starts_with("truncated"), "{platform:?}");
        assert_eq!(output.len(), 1025);
    }
    instance.sandbox.remove().await;
}

pub async fn a_function_opens_its_outputs_by_their_paths(fixture: &Fixture) {
    let code = r#"
import os, subprocess
def handler(event):
    print("one")
    with open("/dev/stdout", "w") as file:
        file.write("two\n")
    with open("/proc/self/fd/1", "ab", buffering=0) as file:
        file.write(b"three\n")
    subprocess.run("echo four > /dev/stdout; echo five | tee /dev/stderr; echo six >> /dev/stderr", shell=True)
    descriptors = [os.open("/dev/stdout", os.O_WRONLY) for _ in range(100)]
    for descriptor in descriptors:
        os.write(descriptor, b".")
        os.close(descriptor)
    print()
    print("seven")
"#;
    let mut instance = fixture.ready(code).await;
    let dots = ".".repeat(100);
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "null");
        let of = |stream| {
            let lines = instance.lines.iter().filter(move |line| line.stream == stream);
            lines.map(|line| line.text.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Stream::Stdout), ["one", "two", "three", "four", "five", &dots, "seven"]);
        assert_eq!(of(Stream::Stderr), ["five", "six"]);
    }
    instance.sandbox.remove().await;
}

/// Reads its own output, shrinks the pipe, and closes what it was given.
pub async fn what_a_function_does_to_its_outputs_is_its_own_loss(fixture: &Fixture) {
    let code = r#"
import fcntl, os
def handler(event):
    os.environ["X"] = "1"
    try:
        reader = os.open("/dev/stdout", os.O_RDONLY | os.O_NONBLOCK)
        os.read(reader, 10)
    except OSError:
        pass
    try:
        fcntl.fcntl(1, 1031, 4096)
    except OSError:
        pass
    flags = fcntl.fcntl(1, fcntl.F_GETFL)
    again = os.dup(1)
    os.close(1)
    os.dup2(again, 1)
    os.close(again)
    for _ in range(1000):
        os.write(1, b"x" * 99 + b"\n")
    return flags & os.O_NONBLOCK
"#;
    let mut instance = fixture.ready(code).await;
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "0");
        assert_eq!(instance.lines.len(), 1000);
    }
    instance.sandbox.remove().await;
}

pub async fn what_is_written_in_turn_arrives_in_turn(fixture: &Fixture) {
    // These are two pipes: of what is written to both before the platform reads, nobody knows the order. So it is given
    // the time to read.
    let code = r#"
import sys, time
def handler(event):
    for number in range(20):
        print("out", number)
        print("err", number, file=sys.stderr)
        time.sleep(0.03)
"#;
    let mut instance = fixture.ready(code).await;
    instance.result("{}").await;
    let lines: Vec<&str> = instance.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines.len(), 40);
    for (position, text) in lines.iter().enumerate() {
        // A busy machine may be late by a few of them.
        let number: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(number.abs_diff(position / 2) <= 4, "{lines:?}");
    }
    instance.sandbox.remove().await;
}

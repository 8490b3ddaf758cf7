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

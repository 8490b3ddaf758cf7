//! `cloudfunc bench` against a platform.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

/// The command line of `cargo bench --bench figures`: cargo runs no tests of a benchmark.
#[path = "../../benches/figures/options.rs"]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod figures_options;

const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";

on_stack! {
    light:
    a_benchmark_says_how_fast_a_function_answers
    a_benchmark_is_one_json_document
    a_benchmark_of_a_function_that_fails_ends_with_its_fault
    throttled_answers_are_counted_apart
    a_rate_limit_is_named_as_the_reason_of_what_failed
    a_function_that_is_not_there_is_not_measured
    ctrl_c_ends_a_benchmark_and_prints_what_there_is
}

async fn a_benchmark_says_how_fast_a_function_answers(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let arguments = ["bench", "hello_fn", "-c", "2", "-n", "50", "--data", r#"{"name":"Alice"}"#];
    let (code, stdout, stderr) = platform.cli(&arguments).await;
    assert_eq!((code, stderr.as_str()), (0, "next: cloudfunc show hello_fn\n"), "{stdout}");
    let lines: Vec<String> = stdout.lines().map(without_numbers).collect();
    assert_eq!(lines[0], "hello_fn: N clients for N s");
    assert_eq!(lines[1], "N values, N per second");
    assert_eq!(lines[2], "warm-up: N invocations, N cold");
    assert!(stdout.contains("\n50 values, "), "{stdout}");
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let tables: Vec<String> = lines.iter().map(words).collect();
    for line in [
        "START COUNT P50 P90 P99 P99.9 MAX",
        "warm N N ms N ms N ms N ms N ms",
        "cold N N ms N ms N ms N ms N ms",
        "PHASE P50",
        "queue N ms",
        "run N ms",
    ] {
        assert!(tables.iter().any(|other| other == line), "no line '{line}':\n{stdout}");
    }
    let bars: Vec<&str> = stdout.lines().filter(|line| line.contains('█')).collect();
    assert!(!bars.is_empty() && bars.iter().all(|line| line.chars().count() <= 80), "{stdout}");
}

async fn a_benchmark_is_one_json_document(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let arguments = ["bench", "hello_fn", "--clients", "2", "--duration", "300ms", "--json"];
    let (code, stdout, _) = platform.cli(&arguments).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 0, "{document}");
    assert_eq!(
        keys(&document),
        "clients cold duration_s failed failures function histogram http_errors interrupted phases succeeded \
         succeeded_per_s throttled warm warm_up"
    );
    assert_eq!((&document["function"], &document["clients"]), (&json!("hello_fn"), &json!(2)));
    assert_eq!((&document["failures"], &document["interrupted"]), (&json!([]), &json!(false)));
    for times in ["warm", "cold"] {
        assert_eq!(keys(&document[times]), "count max_ms p50_ms p90_ms p99_9_ms p99_ms");
    }
    assert_eq!(document["warm_up"]["invocations"], 2);
    let warm = document["warm"]["count"].as_u64().unwrap();
    let buckets = document["histogram"].as_array().unwrap();
    assert_eq!(keys(&buckets[0]), "count from_ms to_ms");
    assert_eq!(buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>(), warm);
    assert!(document["duration_s"].as_f64().unwrap() >= 0.3, "{document}");
}

async fn a_benchmark_of_a_function_that_fails_ends_with_its_fault(platform: &TestPlatform) {
    let code = "def handler(event):\n    raise ValueError('no such luck')\n";
    platform.deploy("unlucky", &[("function.py", code)]).await;
    let (code, stdout, stderr) = platform.cli(&["bench", "unlucky", "-n", "5"]).await;
    assert_eq!(code, 1, "{stdout}");
    let said = "error: 5 of 5 invocations returned no value\n\
                hint: `cloudfunc invoke unlucky` shows the whole error\n";
    assert_eq!(stderr, said, "without the one that was to warm up");
    let failure = stdout.lines().find(|line| line.starts_with("function_failed")).unwrap();
    let words: Vec<&str> = failure.split_whitespace().collect();
    assert_eq!(words[..2], ["function_failed", "5"]);
    assert!(failure.contains("no such luck"), "{stdout}");
}

async fn throttled_answers_are_counted_apart(platform: &TestPlatform) {
    let code = "import time\n\ndef handler(event):\n    time.sleep(0.02)\n    return 'slow'\n";
    let manifest = "[scaling]\nmax_instances = 1\n";
    platform.deploy("narrow", &[("function.py", code), ("cloudfunc.toml", manifest)]).await;
    // One runs and a hundred may wait.
    let arguments = ["bench", "narrow", "-c", "150", "--duration", "1s", "--json"];
    let (code, stdout, stderr) = platform.cli(&arguments).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &document["failed"]), (5, &json!(0)), "{document}");
    assert!(document["throttled"].as_u64().unwrap() > 0, "{document}");
    let error: Value = serde_json::from_str(&stderr).unwrap();
    let hint = "fewer clients, or a larger `max_instances` in the manifest, are throttled less";
    assert_eq!((&error["code"], &error["hint"]), (&json!("throttled"), &json!(hint)), "{stderr}");
}

async fn a_rate_limit_is_named_as_the_reason_of_what_failed(platform: &TestPlatform) {
    let manifest = "rate_limit = \"1/h\"\n";
    platform.deploy("slow", &[("function.py", HELLO), ("cloudfunc.toml", manifest)]).await;
    let hint = "\nhint: most of them: rate_limited: the function 'slow' has had more than its 1 call an hour; try again in ";
    for warm_up in ["warm-up: 1 invocation, 1 cold\n", "warm-up: 0 invocations, 0 cold, 1 refused\n"] {
        let (code, stdout, stderr) = platform.cli(&["bench", "slow", "-n", "2"]).await;
        assert_eq!(code, 5, "{stderr}");
        assert!(stdout.contains(warm_up), "{stdout}");
        assert!(stderr.contains(hint), "{stderr}");
    }
}

async fn a_function_that_is_not_there_is_not_measured(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let (code, stdout, stderr) = platform.cli(&["bench", "hello_fm", "--duration", "1h"]).await;
    let (other, _, invoked) = platform.cli(&["invoke", "hello_fm"]).await;
    assert_eq!((code, stdout.as_str(), stderr), (2, "", invoked));
    assert_eq!(other, 2);
    // Nor is what the platform takes from nobody.
    let (code, stdout, stderr) = platform.cli(&["bench", "hello_fn", "--data", "{"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
}

async fn ctrl_c_ends_a_benchmark_and_prints_what_there_is(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
        .env_clear()
        .env("HOME", platform.platform.data_dir.join("nobody"))
        .args(["--url", &format!("http://{}", platform.platform.addresses.gateway), "--token-file"])
        .arg(platform.platform.data_dir.join("token"))
        .args(["bench", "hello_fn", "--duration", "1h", "--json"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("it measures", async || {
        let page = platform.client.records(&Default::default()).await.unwrap();
        (page.items.len() > 3).then_some(())
    })
    .await;
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{document}");
    assert_eq!(document["interrupted"], true);
    assert!(document["succeeded"].as_u64().unwrap() > 0, "{document}");
}

/// Every number as `N`.
fn without_numbers(line: &str) -> String {
    let number = |word: &str| word.trim_end_matches(',').parse::<f64>().is_ok();
    let words = line.split(' ').map(|word| if number(word) { "N" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

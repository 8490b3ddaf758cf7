//! The example in the shell: the payload is its input, and an exit code other than 0 a failure.

use super::deploy;
use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

on_stack! {
    light:
    the_pages_that_were_asked_for_most_come_first
}

on_stack! {
    @ sqlite_embedded_oci:
    the_pages_that_were_asked_for_most_come_first
}

on_stack! {
    real:
    the_pages_that_were_asked_for_most_come_first
}

async fn the_pages_that_were_asked_for_most_come_first(platform: &TestPlatform) {
    deploy(platform, "top_pages").await;
    let line = |request: &str| {
        format!("192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"{request}\" 200 12 \"-\" \"curl\"\n")
    };
    let requests = ["GET /b HTTP/1.1", "GET /a?x=1 HTTP/1.1", "POST /a HTTP/1.1", "GET /c HTTP/1.1"];
    let log = requests.map(line).concat() + "noise\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, log).unwrap();
    let data = format!("@{}", path.display());
    let invoke = ["invoke", "top_pages", "--content-type", "text/plain", "--data"];
    let (code, out, stderr) = platform.cli(&[&invoke[..], &[data.as_str()]].concat()).await;
    assert_eq!((code, out.as_str()), (0, "2 /a\n1 /b\n1 /c\n"), "{stderr}");
    eventually("what it left out is in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "top_pages"]).await;
        log.contains("lines that are no requests: 1").then_some(())
    })
    .await;
    let (code, _, stderr) = platform.cli(&[&invoke[..], &["noise"]].concat()).await;
    assert!(code == 1 && stderr.contains("the program ended with code 2"), "{stderr}");
}

//! Commands on invocations that end without a result: deleted with their function, or out of time.

use cloudfunc::model::State;
use serde_json::json;

use super::{lines, under_way};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, function, json as payload},
        terminal::answered,
    },
};

on_stack! {
    light:
    delete_says_what_it_cancels
    delete_tells_programs_what_it_cancelled
    waiting_for_an_invocation_that_ran_out_of_time_says_what_to_do
    a_wait_ends_after_its_time_and_the_invocation_goes_on
    what_a_deleted_function_wrote_is_said_to_be_gone
}

/// Leaves one invocation running and two waiting. They run until the folder goes.
async fn busy(platform: &TestPlatform) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("\"{}\"", folder.path().display());
    let code = "import os, time\ndef handler(event):\n    while os.path.exists(event):\n        time.sleep(0.01)\n";
    let manifest = "[scaling]\nmax_instances = 1\n";
    platform.deploy("f", &[("function.py", code), ("cloudfunc.toml", manifest)]).await;
    platform.client.invoke_async(&function("f"), payload(&path)).await.unwrap();
    eventually("it runs", || async {
        Some(under_way(platform).await).filter(|record| record.state == State::Running)
    })
    .await;
    for _ in 0..2 {
        platform.client.invoke_async(&function("f"), payload(&path)).await.unwrap();
    }
    folder
}

async fn delete_says_what_it_cancels(platform: &TestPlatform) {
    let _busy = busy(platform).await;
    let told =
        "f: 2 waiting invocations would all be cancelled, 1 running invocation runs to its end\r\n";
    let delete = || platform.command(&["--color", "never", "delete", "f"]);
    let shown = answered(delete(), "revisions?", "n").await;
    assert!(shown.contains(told) && shown.contains("nothing was deleted"), "{shown:?}");
    let shown = answered(delete(), "revisions?", "y").await;
    assert!(shown.contains(told), "{shown:?}");
    assert!(shown.contains("deleted f; 2 waiting invocations were cancelled\r\n"), "{shown:?}");
    // Nothing is under way, and nothing is said of it.
    platform.deploy("idle", &[("function.py", super::ECHO)]).await;
    let delete = platform.command(&["--color", "never", "delete", "idle"]);
    let shown = answered(delete, "revisions?", "y").await;
    assert!(!shown.contains("invocation") && shown.contains("deleted idle\r\n"), "{shown:?}");
}

async fn delete_tells_programs_what_it_cancelled(platform: &TestPlatform) {
    let _busy = busy(platform).await;
    let (code, stdout, stderr) = platform.cli(&["delete", "f", "--yes", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(lines(&stdout), [json!({"deleted": "f", "cancelled": 2, "secrets": 0, "error": null})]);
}

async fn waiting_for_an_invocation_that_ran_out_of_time_says_what_to_do(platform: &TestPlatform) {
    let code = "import time\ndef handler(event):\n    time.sleep(60)\n";
    platform.deploy("slow", &[("function.py", code), ("cloudfunc.toml", "timeout = '300ms'")]).await;
    let id = platform.run_async("slow", "1").await.id;
    let (code, stdout, stderr) = platform.cli(&["invocation", "wait", &id.to_string()]).await;
    assert_eq!((code, stdout.as_str()), (4, ""));
    let ending = format!(
        "error: the invocation of slow ended as timed_out: timeout: the function did not answer within its timeout of \
         300 ms and was stopped\n\
         hint: `cloudfunc logs slow --invocation {id}` shows how far it came; if it needs more time, raise `timeout` \
         (for loading: `load_timeout`) in cloudfunc.toml\n"
    );
    assert!(stderr.ends_with(&ending), "{stderr}");
}

async fn a_wait_ends_after_its_time_and_the_invocation_goes_on(platform: &TestPlatform) {
    let busy = busy(platform).await;
    let id = under_way(platform).await.id.to_string();
    let wait = async |limit: &str| platform.cli(&["invocation", "wait", &id, "--timeout", limit]).await;
    let (code, stdout, stderr) = wait("300ms").await;
    assert_eq!((code, stdout.as_str()), (3, ""));
    let said = format!(
        " after 300 ms; it goes on\nhint: `cloudfunc invocation wait {id}` waits for it again\n"
    );
    assert!(stderr.starts_with(&format!("error: the invocation {id} of f is ")), "{stderr}");
    assert!(stderr.ends_with(&said), "{stderr}");
    drop(busy);
    let (code, _, stderr) = wait("1m").await;
    assert_eq!(code, 0, "{stderr}");
}

async fn what_a_deleted_function_wrote_is_said_to_be_gone(platform: &TestPlatform) {
    let code = "def handler(event):\n    print('one')\n    print('two')\n";
    platform.deploy("f", &[("function.py", code)]).await;
    let id = platform.run_async("f", "1").await.id.to_string();
    let (_, shown, _) = platform.cli(&["invocation", "show", &id]).await;
    assert!(shown.ends_with("\noutput:\none\ntwo\n"), "{shown}");
    let (exit, ..) = platform.cli(&["delete", "f", "--yes"]).await;
    assert_eq!(exit, 0);
    let gone = "\n[its 2 lines of output were deleted with the function]\n";
    let (_, shown, _) = platform.cli(&["invocation", "show", &id]).await;
    assert!(shown.ends_with(gone) && !shown.contains("not stored yet"), "{shown}");
    // Another function of the same name has nothing to do with it.
    platform.deploy("f", &[("function.py", code)]).await;
    let (_, shown, _) = platform.cli(&["invocation", "show", &id]).await;
    assert!(shown.ends_with(gone), "{shown}");
}

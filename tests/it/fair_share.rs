//! One function does not keep another one from its turn: not by its load, and not by code that never gets ready.

use cloudfunc::{
    client::Outcome,
    model::{Start, State},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function, json},
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const NAP: &str = "import time\n\n\ndef handler(event):\n    time.sleep(0.2)\n    return 'nap'\n";

/// Calls a function from six clients that never pause, until told to stop; each must be answered by a value.
fn flood(platform: &TestPlatform, stop: &CancellationToken) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..6 {
        let (client, stop) = (platform.client.clone(), stop.clone());
        callers.spawn(async move {
            while !stop.is_cancelled() {
                let answer = client.invoke(&function("flood"), json("{}")).await.unwrap();
                assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
            }
        });
    }
    callers
}

/// Its instances have all the memory, and none of them is ever idle.
#[tokio::test]
async fn a_flood_of_one_function_leaves_memory_for_calls_of_another_one() {
    let test = "fair_share::a_flood_of_one_function_leaves_memory_for_calls_of_another_one";
    let two_instances = |platform: &mut cloudfunc::settings::Platform| {
        platform.limits.memory_budget = 256 << 20;
    };
    let platform = TestPlatform::start_with(Stack::LIGHT, test, two_instances).await.unwrap();
    platform.deploy("flood", &[("function.py", NAP)]).await;
    platform.deploy("other", &[("function.py", HELLO)]).await;
    let stop = CancellationToken::new();
    let callers = flood(&platform, &stop);
    eventually("the flood has both instances", async || {
        (platform.sandboxes("flood").await.len() == 2).then_some(())
    })
    .await;
    let answer = platform.invoke("other", "{}").await;
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    assert_eq!(answer.start, Some(Start::Cold));
    let record = platform.run_async("other", "{}").await;
    assert_eq!(record.state, State::Succeeded, "{record:?}");
    stop.cancel();
    callers.join_all().await;
    platform.stop().await;
}

/// A start counts among the simultaneous ones until its sandbox is made, not until its code is loaded.
#[tokio::test]
async fn a_function_that_hangs_at_import_keeps_no_other_one_from_its_first_start() {
    let test = "fair_share::a_function_that_hangs_at_import_keeps_no_other_one_from_its_first_start";
    let one_start = |platform: &mut cloudfunc::settings::Platform| platform.limits.max_starts = 1;
    let platform = TestPlatform::start_with(Stack::LIGHT, test, one_start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (importing, go) = (folder.path().join("importing"), folder.path().join("go"));
    std::fs::write(&go, "").unwrap();
    let hangs = format!(
        "import os, time\nopen({:?}, 'w').close()\nwhile not os.path.exists({:?}):\n    time.sleep(0.01)\n{HELLO}",
        importing.display().to_string(),
        go.display().to_string()
    );
    platform.deploy("hangs", &[("function.py", &hangs)]).await;
    platform.deploy("other", &[("function.py", HELLO)]).await;
    std::fs::remove_file(&importing).expect("each deploy loads the code once");
    std::fs::remove_file(&go).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let accepted = platform.client.invoke_async(&function("hangs"), json("{}")).await.unwrap();
        waiting.push(accepted.id);
    }
    eventually("it hangs", async || importing.exists().then_some(())).await;
    assert_eq!(platform.value("other", "{}").await, "hello");
    std::fs::write(&go, "").unwrap();
    for id in waiting {
        let record = platform.client.record(id, Some(std::time::Duration::from_secs(30))).await.unwrap();
        assert_eq!(record.state, State::Succeeded, "{record:?}");
    }
    platform.stop().await;
}

//! A secret that is set anew: instances with the old value go, and nobody who calls is harmed.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use cloudfunc::{
    client::{Client, Outcome},
    model::{RevisionNumber, Start},
};
use futures_util::future::join_all;
use tokio::task::{JoinHandle, JoinSet};

use super::{folders, set};
use crate::{
    on_stack,
    support::{
        eventually_within,
        home::SOON,
        platform::{Stack, TestPlatform, function, json},
    },
};

on_stack! { light: no_call_of_64_callers_fails_and_after_the_drain_only_the_newest_value_is_seen }
on_stack! {
    @ sqlite_embedded_oci: no_call_of_64_callers_fails_and_after_the_drain_only_the_newest_value_is_seen
}
on_stack! { real: no_call_of_64_callers_fails_and_after_the_drain_only_the_newest_value_is_seen }

const CALLERS: usize = 64;

/// Read once, as most programs do.
const CODE: &str = r#"
import asyncio, os

VALUE = os.environ["API_KEY"]

async def handler(event):
    await asyncio.sleep(0.02)
    return VALUE
"#;
const MANIFEST: &str = "secrets = [\"API_KEY\"]\n[scaling]\nmax_instances = 3\nconcurrency = 16\n";

async fn value(client: &Client) -> String {
    let answer = client.invoke(&function("f"), json("{}")).await;
    match answer.unwrap_or_else(|error| panic!("a call fails: {error:?}")).outcome {
        Outcome::Value(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
        Outcome::Failed(problem) => panic!("a call fails: {problem:?}"),
    }
}

/// Calls until `over`; counts the calls.
fn callers(client: &Client, over: &Arc<AtomicBool>, calls: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, over, calls) = (client.clone(), over.clone(), calls.clone());
        callers.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let seen = value(&client).await;
                assert!(seen.starts_with("value "), "{seen}");
                calls.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    callers
}

async fn no_call_of_64_callers_fails_and_after_the_drain_only_the_newest_value_is_seen(
    platform: &TestPlatform,
) {
    set(platform, "API_KEY", None, "value 0").await;
    platform.deploy("f", &[("function.py", CODE), ("cloudfunc.toml", MANIFEST)]).await;
    let (over, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut callers = callers(&platform.client, &over, &calls);
    for round in 0..4 {
        let newest = format!("value {round}");
        if round > 0 {
            // The last one is the function's own, which comes before the platform's.
            let own = (round == 3).then_some("f");
            set(platform, "API_KEY", own, &newest).await;
        }
        eventually_within(SOON, "the newest value is seen", async || {
            (value(&platform.client).await == newest).then_some(())
        })
        .await;
        // Some of the next round's instances are just starting then.
        let before = calls.load(Ordering::SeqCst);
        eventually_within(SOON, "the callers go on", async || {
            tokio::task::yield_now().await;
            (calls.load(Ordering::SeqCst) > before + CALLERS).then_some(())
        })
        .await;
    }
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let all = async || join_all((0..CALLERS).map(|_| value(&platform.client))).await;
    let is_newest = |values: &[String]| values.iter().all(|value| value == "value 3");
    eventually_within(SOON, "the drain is over", async || {
        let is_quiet = folders(platform) == platform.sandboxes("f").await.len();
        (is_quiet && is_newest(&all().await)).then_some(())
    })
    .await;
    let values = all().await;
    assert!(is_newest(&values), "{values:?}");
}

/// The only instance, once there is one.
async fn kept(platform: &TestPlatform) -> Option<BTreeSet<String>> {
    let sandboxes = platform.sandboxes("f").await;
    (sandboxes.len() == 1).then_some(sandboxes)
}

#[tokio::test]
async fn a_kept_instance_with_an_old_value_is_replaced_before_anybody_calls() {
    let test =
        "secrets_in_use::rotation::a_kept_instance_with_an_old_value_is_replaced_before_anybody_calls";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    set(&platform, "API_KEY", None, "value 1").await;
    let manifest = "secrets = [\"API_KEY\"]\n[scaling]\nmin_instances = 1\n";
    platform.deploy("f", &[("function.py", CODE), ("cloudfunc.toml", manifest)]).await;
    let first = eventually_within(SOON, "one is kept", || kept(&platform)).await;
    set(&platform, "API_KEY", None, "value 2").await;
    eventually_within(SOON, "another one is kept", async || {
        kept(&platform).await.filter(|second| second.is_disjoint(&first))
    })
    .await;
    let answer = platform.invoke("f", "{}").await;
    assert_eq!(answer.start, Some(Start::Warm));
    let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(&body.bytes[..], b"value 2");
    platform.stop().await;
}

/// A function has its own secret, or none: a change of another place of that name is none of its instances' business.
#[tokio::test]
async fn a_change_that_a_function_does_not_see_leaves_its_instances_alone() {
    let test =
        "secrets_in_use::rotation::a_change_that_a_function_does_not_see_leaves_its_instances_alone";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    set(&platform, "API_KEY", Some("f"), "value 1").await;
    set(&platform, "API_KEY", None, "value 2").await;
    let manifest = "secrets = [\"API_KEY\"]\n";
    for name in ["f", "g"] {
        platform.deploy(name, &[("function.py", CODE), ("cloudfunc.toml", manifest)]).await;
    }
    assert_eq!(platform.value("f", "{}").await, "value 1");
    assert_eq!(platform.value("g", "{}").await, "value 2");
    set(&platform, "API_KEY", None, "value 3").await;
    set(&platform, "OTHER", Some("f"), "value 4").await;
    // The event has come when the other function has the new value.
    eventually_within(SOON, "it is seen", async || {
        (platform.value("g", "{}").await == "value 3").then_some(())
    })
    .await;
    let answer = platform.invoke("f", "{}").await;
    assert_eq!(answer.start, Some(Start::Warm));
    platform.stop().await;
}

/// With the path of a folder, it ends when the file `go` is there.
const LONG: &str = r#"
import asyncio, os, pathlib

VALUE = os.environ["API_KEY"]

async def handler(event):
    if "folder" in event:
        folder = pathlib.Path(event["folder"])
        (folder / "begun").touch()
        while not (folder / "go").exists():
            await asyncio.sleep(0.01)
    return VALUE
"#;

/// A call that runs until it is told to go; it has begun.
async fn long_call(platform: &TestPlatform, folder: &Path) -> JoinHandle<String> {
    let payload = serde_json::json!({ "folder": folder }).to_string();
    let client = platform.client.clone();
    let call = tokio::spawn(async move {
        match client.invoke(&function("f"), json(&payload)).await.unwrap().outcome {
            Outcome::Value(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
            Outcome::Failed(problem) => panic!("{problem:?}"),
        }
    });
    eventually_within(SOON, "it runs", async || folder.join("begun").exists().then_some(())).await;
    call
}

const ONE_FOR_TEN: &str = "secrets = [\"API_KEY\"]\n[scaling]\nmax_instances = 1\nconcurrency = 10\n";

#[tokio::test]
async fn a_long_call_with_the_old_value_keeps_no_other_call_from_the_new_one() {
    let test =
        "secrets_in_use::rotation::a_long_call_with_the_old_value_keeps_no_other_call_from_the_new_one";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    set(&platform, "API_KEY", None, "value 1").await;
    platform.deploy("f", &[("function.py", LONG), ("cloudfunc.toml", ONE_FOR_TEN)]).await;
    let long = long_call(&platform, folder.path()).await;
    set(&platform, "API_KEY", None, "value 2").await;
    // None of them fails.
    eventually_within(SOON, "the new value is seen", async || {
        (value(&platform.client).await == "value 2").then_some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(value(&platform.client).await, "value 2");
    }
    assert!(!long.is_finished());
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(long.await.unwrap(), "value 1");
    platform.stop().await;
}

#[tokio::test]
async fn after_a_rollback_an_instance_that_still_runs_does_not_go_on_with_an_old_value() {
    let test = "secrets_in_use::rotation::after_a_rollback_an_instance_that_still_runs_does_not_go_on_with_an_old_value";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    set(&platform, "API_KEY", None, "value 1").await;
    platform.deploy("f", &[("function.py", LONG), ("cloudfunc.toml", ONE_FOR_TEN)]).await;
    let long = long_call(&platform, folder.path()).await;
    let without = "def handler(event):\n    return 'without'\n";
    platform.deploy("f", &[("function.py", without)]).await;
    eventually_within(SOON, "the next revision is active", async || {
        (value(&platform.client).await == "without").then_some(())
    })
    .await;
    set(&platform, "API_KEY", None, "value 2").await;
    platform.client.activate(&function("f"), RevisionNumber(1)).await.unwrap();
    eventually_within(SOON, "the new value is seen", async || {
        (value(&platform.client).await == "value 2").then_some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(value(&platform.client).await, "value 2");
    }
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(long.await.unwrap(), "value 1");
    platform.stop().await;
}

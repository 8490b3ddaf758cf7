//! Functions with `min_instances`: instances are there before anybody calls, and whatever becomes of them.

use std::collections::BTreeSet;

use cloudfunc::model::Start;

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, function, packed},
    },
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const FAILS: &str = "def handler(event):\n    import os\n    os._exit(3)\n";
/// An idle timeout that is over at once.
const ONE_KEPT: &str = "[scaling]\nmin_instances = 1\nidle_timeout = \"0s\"\n";

on_stack! {
    oci:
    a_kept_instance_is_there_before_the_first_call_and_is_replaced_whenever_it_goes
}

mod engine {
    use super::*;

    on_stack! {
        real:
        a_kept_instance_is_there_before_the_first_call_and_is_replaced_whenever_it_goes
    }
}

async fn a_kept_instance_is_there_before_the_first_call_and_is_replaced_whenever_it_goes(
    platform: &TestPlatform,
) {
    platform.deploy("f", &[("function.py", HELLO), ("cloudfunc.toml", ONE_KEPT)]).await;
    let first = kept(platform, &BTreeSet::new()).await;
    assert_eq!(platform.invoke("f", "{}").await.start, Some(Start::Warm));
    assert_eq!(platform.sandboxes("f").await, first, "it outlasts its idle timeout");
    // Another revision, whose instance is lost by each call.
    platform.deploy("f", &[("function.py", FAILS), ("cloudfunc.toml", ONE_KEPT)]).await;
    let second = kept(platform, &first).await;
    platform.invoke("f", "{}").await;
    let third = kept(platform, &second).await;
    let (exit, shown, _) = platform.cli(&["show", "f"]).await;
    assert_eq!(exit, 0);
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["min", "instances", "1"])), "{shown}");
    let (exit, ..) = platform.cli(&["rollback", "f", "--to", "1"]).await;
    assert_eq!(exit, 0);
    let last = kept(platform, &third).await;
    assert_eq!(platform.invoke("f", "{}").await.start, Some(Start::Warm));
    let (exit, ..) = platform.cli(&["delete", "f", "--yes"]).await;
    assert_eq!(exit, 0);
    eventually("nothing of a deleted function is kept", || async {
        platform.containers().await.is_disjoint(&last).then_some(())
    })
    .await;
}

/// Waits for exactly one instance that is none of these, and returns its sandbox.
async fn kept(platform: &TestPlatform, before: &BTreeSet<String>) -> BTreeSet<String> {
    eventually("one is kept", || async {
        let sandboxes = platform.sandboxes("f").await;
        (sandboxes.len() == 1 && sandboxes.is_disjoint(before)).then_some(sandboxes)
    })
    .await
}

#[tokio::test]
async fn a_manager_keeps_instances_from_its_start_on() {
    let Some(mut platform) =
        TestPlatform::start(Stack::LIGHT, "kept_instances::a_manager_keeps_instances_from_its_start_on")
            .await
    else {
        return;
    };
    platform.deploy("f", &[("function.py", HELLO), ("cloudfunc.toml", ONE_KEPT)]).await;
    let first = kept(&platform, &BTreeSet::new()).await;
    platform.restart().await;
    kept(&platform, &first).await;
    assert_eq!(platform.invoke("f", "{}").await.start, Some(Start::Warm));
    platform.stop().await;
}

const LOADS_NEVER: &str = "raise RuntimeError('no licence')\ndef handler(event): pass\n";

#[tokio::test]
async fn a_kept_instance_that_cannot_be_started_is_shown_with_the_reason() {
    let test = "kept_instances::a_kept_instance_that_cannot_be_started_is_shown_with_the_reason";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let files = [("function.py", LOADS_NEVER), ("cloudfunc.toml", ONE_KEPT)];
    let name = function("f");
    platform.client.deploy_unchecked(&name, packed(&files), |_| {}).await.unwrap();
    let info =
        eventually("it is told", || async { platform.client.function(&name).await.ok()?.not_kept })
            .await;
    assert_eq!((info.function.as_str(), info.revision.0), ("f", 1));
    assert_eq!(info.reason, "RuntimeError: no licence");
    let (exit, shown, _) = platform.cli(&["show", "f"]).await;
    assert_eq!(exit, 0);
    let line = shown.lines().find(|line| line.starts_with("not kept")).expect(&shown);
    assert!(line.starts_with("not kept      since 20"), "{line}");
    assert!(line.ends_with("Z, on this host: RuntimeError: no licence"), "{line}");
    // The time of the first failure stays.
    assert_eq!(platform.client.function(&name).await.unwrap().not_kept.unwrap().since, info.since);
    platform.deploy("f", &[("function.py", HELLO), ("cloudfunc.toml", ONE_KEPT)]).await;
    kept(&platform, &BTreeSet::new()).await;
    eventually("it is over", || async {
        platform.client.function(&name).await.ok()?.not_kept.is_none().then_some(())
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn more_than_half_of_the_memory_is_not_kept() {
    let change =
        |platform: &mut cloudfunc::settings::Platform| platform.limits.memory_budget = 600 << 20;
    let light = Stack::LIGHT;
    let Some(platform) = TestPlatform::start_with(
        light,
        "kept_instances::more_than_half_of_the_memory_is_not_kept",
        change,
    )
    .await
    else {
        return;
    };
    let manifest = |count: u32| format!("[scaling]\nmin_instances = {count}\n");
    let (one, two) = (manifest(1), manifest(2));
    platform.deploy("a", &[("function.py", HELLO), ("cloudfunc.toml", &two)]).await;
    let refused = platform.try_deploy("b", &[("function.py", HELLO), ("cloudfunc.toml", &one)]).await;
    let text = format!("{:?}", refused.unwrap_err());
    let expected = "`scaling.min_instances` of 'b' keeps 128 MiB, and those of other functions keep 256 MiB: together 384 MiB, which \
                    is more than half of the memory budget, which is 600 MiB";
    assert!(text.contains(expected), "{text}");
    let hint = "lower `min_instances` or `memory`, or start `up` with a larger `--memory-budget`";
    assert!(text.contains(hint), "{text}");
    let alone = manifest(3);
    let refused = platform.try_deploy("c", &[("function.py", HELLO), ("cloudfunc.toml", &alone)]).await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("together 640 MiB"));
    // What is deployed already counts once, and a revision that is rolled back to counts, too.
    platform.deploy("a", &[("function.py", FAILS), ("cloudfunc.toml", &one)]).await;
    platform.deploy("b", &[("function.py", HELLO), ("cloudfunc.toml", &one)]).await;
    let (exit, _, stderr) = platform.cli(&["rollback", "a", "--to", "1"]).await;
    assert_eq!(exit, 2, "{stderr}");
    assert!(stderr.contains("`scaling.min_instances` of 'a' keeps 256 MiB"), "{stderr}");
    platform.stop().await;
}

//! Instances as they come, stay warm and go; by the ids of containers.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use cloudfunc::{
    client::{InvokeAnswer, Outcome},
    model::Start,
};
use futures_util::future::join_all;

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, function},
    },
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const SLOW: &str = "import time\n\ndef handler(event):\n    time.sleep(0.3)\n    return 'slow'\n";
const IDLE: Duration = Duration::from_secs(2);
const IDLE_2S: &str = "[scaling]\nidle_timeout = \"2s\"\n";

on_stack! {
    all:
    a_new_revision_drains_the_old_one
    no_more_instances_than_the_maximum
    callers_at_once_start_at_most_one_instance_each
    the_others_are_warm_in_the_same_container
    an_idle_container_goes_after_its_timeout_and_not_before_and_each_invocation_resets_it
}

mod engine {
    use super::*;

    on_stack! {
        real:
        a_container_that_somebody_removes_is_replaced
    }
}

async fn the_others_are_warm_in_the_same_container(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    assert!(!is_warm(platform, "hello_fn").await);
    assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Cold));
    let first = platform.containers().await;
    assert_eq!(first.len(), 1);
    for _ in 0..4 {
        assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Warm));
        assert_eq!(platform.containers().await, first);
    }
    eventually("the registry has the container", || async {
        (platform.sandboxes("hello_fn").await == first).then_some(())
    })
    .await;
    assert!(is_warm(platform, "hello_fn").await);
}

async fn an_idle_container_goes_after_its_timeout_and_not_before_and_each_invocation_resets_it(
    platform: &TestPlatform,
) {
    platform.deploy("hello_fn", &[("function.py", HELLO), ("cloudfunc.toml", IDLE_2S)]).await;
    assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Cold));
    let first = platform.containers().await;
    let begun = Instant::now();
    // Used for longer than the timeout, it stays: the first invocation's timer does not count.
    let last = eventually("it was used for longer than its timeout", || async {
        let last = Instant::now();
        assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Warm));
        (begun.elapsed() > IDLE + Duration::from_secs(1)).then_some(last)
    })
    .await;
    assert_eq!(platform.containers().await, first);
    eventually("the container is gone", || async {
        platform.containers().await.is_empty().then_some(())
    })
    .await;
    assert!(last.elapsed() >= IDLE, "gone after {:?}", last.elapsed());
    eventually("the registry calls it cold", || async {
        (!is_warm(platform, "hello_fn").await).then_some(())
    })
    .await;
    assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Cold));
    assert!(platform.containers().await.is_disjoint(&first));
}

async fn a_container_that_somebody_removes_is_replaced(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    platform.invoke("hello_fn", "{}").await;
    let first = platform.containers().await;
    let id = first.first().unwrap();
    let removed = tokio::process::Command::new("docker").args(["rm", "--force", id]).output().await;
    assert!(removed.unwrap().status.success());
    eventually("the platform has noticed", || async {
        platform.sandboxes("hello_fn").await.is_empty().then_some(())
    })
    .await;
    assert_eq!(start_of(platform, "hello_fn").await, Some(Start::Cold));
    assert!(platform.containers().await.is_disjoint(&first));
}

async fn a_new_revision_drains_the_old_one(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", SLOW)]).await;
    let old = eventually("the first revision is warm", || async {
        platform.invoke("f", "{}").await;
        Some(platform.sandboxes("f").await).filter(|sandboxes| !sandboxes.is_empty())
    })
    .await;
    // One is running while the next revision comes: it is finished.
    let (running, deployed) =
        tokio::join!(platform.value("f", "{}"), platform.deploy("f", &[("function.py", HELLO)]));
    assert_eq!(running, "slow");
    assert_eq!(deployed.revision.0, 2);
    eventually("nothing of the old revision is left", || async {
        platform.sandboxes("f").await.is_disjoint(&old).then_some(())
    })
    .await;
    if platform.stack.has_containers() {
        eventually("the old container is gone", || async {
            platform.containers().await.is_disjoint(&old).then_some(())
        })
        .await;
    }
    let answer = platform.invoke("f", "{}").await;
    assert_eq!(answer.start, Some(Start::Cold));
    let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(&body.bytes[..], b"hello");
}

async fn no_more_instances_than_the_maximum(platform: &TestPlatform) {
    let manifest = "[scaling]\nmax_instances = 2\n";
    platform.deploy("f", &[("function.py", SLOW), ("cloudfunc.toml", manifest)]).await;
    let calls = join_all((0..8).map(|_| platform.invoke("f", "{}")));
    let answers = with_most_containers(platform, calls, 2).await;
    let instances = instances_of(&answers);
    assert_eq!(instances.len(), 2, "both were used, and no third: {instances:?}");
}

async fn callers_at_once_start_at_most_one_instance_each(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", HELLO)]).await;
    let calls = join_all((0..4).map(|_| platform.invoke("f", "{}")));
    let answers = with_most_containers(platform, calls, 4).await;
    assert!(instances_of(&answers).len() <= 4);
    assert!(platform.sandboxes("f").await.len() <= 4);
}

/// Awaits calls, none of which may fail, and looks meanwhile how many containers there are.
async fn with_most_containers(
    platform: &TestPlatform,
    calls: impl Future<Output = Vec<InvokeAnswer>>,
    most: usize,
) -> Vec<InvokeAnswer> {
    if platform.stack.has_containers() {
        eventually("the instance in which the deploy loaded the code is gone", || async {
            platform.containers().await.is_empty().then_some(())
        })
        .await;
    }
    let looking = async {
        if !platform.stack.has_containers() {
            return std::future::pending::<()>().await;
        }
        loop {
            let containers = platform.containers().await;
            assert!(containers.len() <= most, "{containers:?}");
        }
    };
    let answers = tokio::select! {
        answers = calls => answers,
        () = looking => unreachable!("it looks for ever"),
    };
    for answer in &answers {
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    }
    answers
}

fn instances_of(answers: &[InvokeAnswer]) -> BTreeSet<&str> {
    answers.iter().map(|answer| answer.instance.as_deref().unwrap()).collect()
}

async fn is_warm(platform: &TestPlatform, name: &str) -> bool {
    platform.client.function(&function(name)).await.unwrap().is_warm
}

async fn start_of(platform: &TestPlatform, name: &str) -> Option<Start> {
    platform.invoke(name, "{}").await.start
}

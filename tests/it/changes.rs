//! Changes of functions that were not announced: a message may be lost, or a registry ends before it sends it.

use std::time::Duration;

use cloudfunc::{
    app::Role,
    client::{Client, Outcome},
    model::{FunctionId, Mode, RevisionNumber},
    queue::{Address, Error, Message, Queue},
    store::{self, NewRevision},
};

use crate::{
    store_contract::execute,
    support::{
        beside::SecondHost,
        eventually,
        platform::{Stack, TestPlatform, function, json},
    },
};

/// The manager consumes for a function that it was not told of, and gives up one that was deleted.
#[tokio::test]
async fn a_change_that_was_not_announced_is_found_by_the_next_look_at_everything() {
    let test = "changes::a_change_that_was_not_announced_is_found_by_the_next_look_at_everything";
    let started = TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.limits.reread = Duration::from_millis(200);
    });
    let Some(platform) = started.await else { return };
    platform.deploy("told", &[("function.py", "def handler(event):\n    return 'here'\n")]).await;
    let store = store::connect(&platform.platform.store).await.unwrap();
    let told = store.function(&function("told")).await.unwrap().unwrap();
    let revision = store.revision(told.id, told.active_revision).await.unwrap().unwrap();
    // As the registry does, without an event.
    let unannounced = NewRevision {
        name: function("untold"),
        spec: revision.spec,
        source: revision.source,
        bundle: revision.bundle,
        dependencies: None,
        image: revision.image,
    };
    store.add_revision(unannounced).await.unwrap();
    assert_eq!(platform.value("untold", "{}").await, platform.value("told", "{}").await);
    let untold = store.function(&function("untold")).await.unwrap().unwrap();
    eventually("its instance is reported", || async {
        let instances = store.instances(Some(untold.id)).await.unwrap();
        (instances.len() == 1).then_some(())
    })
    .await;

    store.delete_function(&function("untold")).await.unwrap();
    eventually("the instance of the deleted function is stopped", || async {
        let instances = store.instances(None).await.unwrap();
        instances.iter().all(|instance| instance.function != untold.id).then_some(())
    })
    .await;
    store.close().await;
    platform.stop().await;
}

/// The schedulers of both hosts know which code a call is for, and both managers which code is kept warm; nobody is told
/// that it has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_was_not_announced_reaches_every_host() {
    let test = "changes::a_rollback_that_was_not_announced_reaches_every_host";
    let stack = Stack::named("postgres_rabbitmq_process");
    let started = TestPlatform::start_with(stack, test, |platform| {
        platform.limits.reread = Duration::from_millis(200);
    });
    let Some(platform) = started.await else { return };
    let second = SecondHost::start(&platform, &Role::ALL).await;
    for version in ["one", "two"] {
        let code = format!("def handler(event):\n    return '{version}'\n");
        let kept = "[scaling]\nmin_instances = 1\n";
        platform.deploy("f", &[("function.py", &code[..]), ("cloudfunc.toml", kept)]).await;
    }
    let store = platform.store().await;
    let runs_everywhere = async |revision: u32, version: &str| {
        eventually("both managers keep an instance of it", async || {
            let instances = store.instances(None).await.unwrap();
            let is_all = instances.iter().all(|one| one.revision == RevisionNumber(revision));
            let [one, other] = &instances[..] else { return None };
            (is_all && one.manager != other.manager).then_some(())
        })
        .await;
        eventually("callers of both hosts get it", async || {
            let answers = [answer(&platform.client).await, answer(&second.client).await];
            answers.iter().all(|answer| answer == version).then_some(())
        })
        .await;
    };
    runs_everywhere(2, "two").await;
    // As the registry does, without an event.
    store.activate(&function("f"), RevisionNumber(1), None).await.unwrap();
    runs_everywhere(1, "one").await;
    store.close().await;
    second.stop().await;
    platform.stop().await;
}

async fn answer(client: &Client) -> String {
    let answer = client.invoke(&function("f"), json("{}")).await.unwrap();
    let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
    String::from_utf8(body.bytes.to_vec()).unwrap()
}

/// A registry may end before it has removed them, and a role that has not heard of the deletion makes them again.
#[tokio::test]
async fn queues_of_a_deleted_function_go_though_nobody_was_told() {
    let test = "changes::queues_of_a_deleted_function_go_though_nobody_was_told";
    let stack = Stack::named("postgres_rabbitmq_process");
    let started = TestPlatform::start_with(stack, test, |platform| {
        platform.limits.reread = Duration::from_millis(200);
    });
    let Some(platform) = started.await else { return };
    let code = [("function.py", "def handler(event):\n    return 'here'\n")];
    platform.deploy("doomed", &code).await;
    platform.deploy("kept", &code).await;
    platform.value("doomed", "{}").await;
    platform.value("kept", "{}").await;
    let (store, queue) = (platform.store().await, platform.queue().await);
    let deleted = store.delete_function(&function("doomed")).await.unwrap().unwrap().function;
    queues_go(&*queue, deleted.id).await;

    // Declared by somebody who did not know. A day later everybody does, and it is the last look.
    queue.declare(deleted.id).await.unwrap();
    execute(&platform.platform.store, "UPDATE deleted_functions SET deleted_at = deleted_at - 86400000");
    queues_go(&*queue, deleted.id).await;
    eventually("it is forgotten", || async {
        store.deleted_functions().await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(platform.value("kept", "{}").await, "here", "others keep theirs");
    queue.close().await;
    store.close().await;
    platform.stop().await;
}

async fn queues_go(queue: &dyn Queue, function: FunctionId) {
    for mode in [Mode::Sync, Mode::Async] {
        let address = Address::Function(function, mode);
        eventually("its queue is gone", || async {
            // No consumer can read it; one that takes it drops it.
            let parcel = bytes::Bytes::from_static(b"x").into();
            let published = queue.publish(&address, Message { parcel, expires: None }).await;
            matches!(published, Err(Error::NoQueue(_))).then_some(())
        })
        .await;
    }
}

//! Changes of functions that were not announced: a message may be lost, or a registry ends before it sends it.

use std::time::Duration;

use cloudfunc::store::{self, NewRevision};

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function},
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

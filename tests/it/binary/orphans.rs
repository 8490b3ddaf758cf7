//! `kill -9` of `cloudfunc up` itself.

use std::time::Duration;

use rustix::process::Signal;

use super::SLEEPER;
use crate::{
    desk,
    support::{
        desk::SOON,
        eventually, eventually_within,
        platform::{function, json},
        process,
    },
};

/// 5 s to finish what they can, 3 s to stop at once; and a busy machine.
const ORPHANS: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn after_a_killed_up_no_process_and_no_container_is_left() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client = desk.client().await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let id =
        client.invoke_async(&function("sleeper"), json(r#"{"seconds":20,"n":1}"#)).await.unwrap().id;
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;

    up.signal(Signal::KILL);
    assert_eq!(up.ended(SOON).await, None);
    let begun = tokio::time::Instant::now();
    eventually_within(ORPHANS, "its roles are gone", async || desk.processes().is_empty().then_some(()))
        .await;
    eprintln!("all roles ended {:?} after their supervisor was killed", begun.elapsed());
    assert_eq!(desk.containers(), Vec::<String>::new(), "the manager has taken its containers along");

    // What was accepted is not forgotten: the next life runs it.
    let mut up = desk.up().await;
    let client = desk.client().await;
    eventually_within(SOON, "it runs again", async || {
        let record = client.record(id, None).await.unwrap();
        (record.state.as_str() == "running" && record.attempts.len() == 2).then_some(())
    })
    .await;
    up.signal(Signal::INT);
    up.says("stopping", SOON).await;
    up.signal(Signal::INT);
    assert_eq!(up.ended(SOON).await, Some(130));
    let _ = std::fs::remove_dir_all(desk.data_dir().join("instances"));
    desk.leave().await;
}

/// Nobody is left who could remove its containers: the next life does.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_up_removes_what_a_killed_up_and_manager_have_left() {
    let desk = desk!();
    let mut up = desk.up().await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    desk.run(&["invoke", "sleeper", "--data", r#"{"seconds":0}"#]).await.ok();
    let old = desk.containers();
    assert!(!old.is_empty());
    let manager = process::role_of(up.id(), "manager").unwrap();
    up.signal(Signal::KILL);
    process::signal(manager, Signal::KILL);
    up.ended(SOON).await;

    // At once, while other roles of the old life may still be ending.
    let mut up = desk.up().await;
    let now = desk.containers();
    assert!(old.iter().all(|container| !now.contains(container)), "{now:?}; before were {old:?}");
    assert_eq!(desk.run(&["invoke", "sleeper", "--data", r#"{"seconds":0,"n":5}"#]).await.ok(), "5");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}

//! Processes that stand still for longer than anybody waits for a renewal, and go on: a laptop that sleeps, a machine that
//! is paused, a process that is starved.

use std::time::Duration;

use cloudfunc::{
    client::{Client, Outcome},
    model::{InvocationId, State},
};
use rustix::process::Signal;

use super::{SLEEPER, embedded_kills::Embedded};
use crate::{
    desk,
    support::{
        desk::{Desk, SOON},
        eventually, eventually_within,
        platform::{function, json, packed},
        process::{self, Process},
    },
};

/// Longer than a manager is waited for, which is ten seconds.
const PAUSE: Duration = Duration::from_secs(13);

async fn is_running(client: &Client, id: InvocationId) {
    eventually("it runs", async || {
        (client.record(id, None).await.ok()?.state == State::Running).then_some(())
    })
    .await;
}

async fn stop(desk: Desk, mut up: Process) {
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    desk.leave().await;
}

/// Everything stood still, so nobody was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_stood_still_runs_nothing_twice_and_answers() {
    let mut platform = Embedded::new(desk!(), "oci");
    let (up, client) = platform.up().await;
    let files = packed(&[("function.py", SLEEPER)]);
    client.deploy(&function("sleeper"), files, |_| {}).await.unwrap();
    let payload = json("{\"n\":7,\"seconds\":3}");
    let id = client.invoke_async(&function("sleeper"), payload.clone()).await.unwrap().id;
    is_running(&client, id).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.invoke(&function("sleeper"), payload).await }
    });
    // What still waits for an instance then is answered that it did not run.
    let running = async || (up.stderr().matches("executing function").count() == 2).then_some(());
    eventually("both run", running).await;
    up.signal(Signal::STOP);
    tokio::time::sleep(PAUSE).await;
    up.signal(Signal::CONT);
    let answer = call.await.unwrap().unwrap();
    assert!(matches!(answer.outcome, Outcome::Value(value) if value.bytes == "7"));
    let record = client.record(id, Some(SOON)).await.unwrap();
    assert_eq!((record.state, record.attempts.len()), (State::Succeeded, 1), "{record:?}");
    stop(platform.desk, up).await;
}

/// The manager alone stood still: it counts as lost, and learns that.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_stood_still_stops_what_others_run_by_now() {
    let desk = desk!();
    let up = desk.up().await;
    let client = desk.client().await;
    desk.deploy("sleeper", SLEEPER, "timeout = \"60s\"\n").await.ok();
    let payload = json("{\"n\":7,\"seconds\":25}");
    let id = client.invoke_async(&function("sleeper"), payload).await.unwrap().id;
    is_running(&client, id).await;
    let manager = process::role_of(up.id(), "manager").unwrap();
    process::signal(manager, Signal::STOP);
    eventually_within(SOON, "it counts as lost", async || {
        desk.log("scheduler").contains("counts as lost").then_some(())
    })
    .await;
    process::signal(manager, Signal::CONT);
    eventually("it learns that", async || {
        desk.log("manager").contains("this manager counted as lost").then_some(())
    })
    .await;
    let record = client.record(id, Some(Duration::from_secs(90))).await.unwrap();
    let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [None, Some(State::Succeeded)], "{record:?}");
    // The line is written behind the outcome.
    let log = eventually("the second attempt's end is logged", async || {
        Some(desk.log("manager")).filter(|log| log.contains("successfully invoked"))
    })
    .await;
    assert_eq!(log.matches("successfully invoked").count(), 1, "the first attempt was stopped:\n{log}");
    assert_eq!(process::role_of(up.id(), "manager"), Some(manager), "it went on");
    stop(desk, up).await;
}

/// Otherwise callers of a hung role would wait forever.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_does_not_answer_is_killed_and_started_again() {
    let desk = desk!();
    let up = desk.up().await;
    let client = desk.client().await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let scheduler = process::role_of(up.id(), "scheduler").unwrap();
    process::signal(scheduler, Signal::STOP);
    let said = "the scheduler has not answered for 30 s; killing it";
    eventually_within(SOON * 2, said, async || up.stderr().contains(said).then_some(())).await;
    let answer = eventually("another one serves", async || {
        client.invoke(&function("sleeper"), json("{\"n\":7,\"seconds\":0}")).await.ok()
    })
    .await;
    assert!(matches!(answer.outcome, Outcome::Value(value) if value.bytes == "7"));
    assert_ne!(process::role_of(up.id(), "scheduler"), Some(scheduler));
    stop(desk, up).await;
}

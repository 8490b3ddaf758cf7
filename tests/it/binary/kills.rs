//! `kill -9` of one role after the other while invocations are queued and running: whatever was
//! accepted ends once, and whoever waits is answered.

use std::{collections::HashSet, time::Duration};

use cloudfunc::{
    client::{Client, Error, InvokeAnswer, Outcome, RecordFilter},
    model::{InvocationId, State},
    store::Totals,
};
use rustix::process::Signal;
use tokio::task::JoinHandle;

use super::SLEEPER;
use crate::{
    desk,
    support::{
        desk::{Desk, SOON},
        eventually, eventually_within,
        platform::{function, json},
        process::{self, Process},
    },
};

/// Of a function of 1 s that has at most [`MANIFEST`]'s instances: some run, the others are queued.
const ACCEPTED: u32 = 20;
const MANIFEST: &str = "[scaling]\nmax_instances = 4\n";
/// Also after a lease had to run out.
const LONG: Duration = Duration::from_secs(120);

/// Accepts all of them, and returns when some run and others wait.
pub async fn flood(desk: &Desk, client: &Client) -> Vec<InvocationId> {
    desk.deploy("sleeper", SLEEPER, MANIFEST).await.ok();
    let mut ids = Vec::new();
    for n in 0..ACCEPTED {
        let payload = json(&format!("{{\"n\":{n}}}"));
        ids.push(client.invoke_async(&function("sleeper"), payload).await.unwrap().id);
    }
    let store = desk.store().await;
    eventually("some run and others wait", async || {
        let totals = store.totals().await.unwrap();
        (totals.running >= 2 && totals.queued >= 2).then_some(())
    })
    .await;
    store.close().await;
    ids
}

/// Each of them has succeeded, has its own result, exactly one record, and is counted once; `others`
/// were accepted beside them.
pub async fn all_succeeded(desk: &Desk, client: &Client, ids: &[InvocationId], others: &[InvocationId]) {
    let store = desk.store().await;
    let whole = (ids.len() + others.len()) as u64;
    eventually_within(LONG, "all have ended", async || {
        let totals = store.totals().await.unwrap();
        assert!(totals.balance(), "{totals:?}");
        (totals.terminal == whole).then_some(())
    })
    .await;
    let expected = Totals { accepted: whole, terminal: whole, ..Totals::default() };
    assert_eq!(store.totals().await.unwrap(), expected);
    store.close().await;

    let filter =
        RecordFilter { function: Some(function("sleeper")), limit: Some(500), ..Default::default() };
    let records = client.records(&filter).await.unwrap().items;
    let records: Vec<_> = records.into_iter().filter(|record| ids.contains(&record.id)).collect();
    let different: HashSet<_> = records.iter().map(|record| record.id).collect();
    assert_eq!((records.len(), different.len()), (ids.len(), ids.len()));
    for record in &records {
        assert_eq!(record.state, State::Succeeded, "{record:?}");
        let ended = record.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count();
        assert_eq!(ended, 1, "one attempt has ended it: {record:?}");
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(client.result(*id).await.unwrap().bytes, n.to_string());
    }
    // Each end is told once, however often an outcome was delivered.
    let log = desk.log("scheduler");
    for id in ids {
        let told =
            log.lines().filter(|line| line.contains("finished") && line.contains(&id.to_string()));
        assert_eq!(told.count(), 1, "{id} in:\n{log}");
    }
}

/// Sync calls of the same function, under way.
pub fn sync_calls(client: &Client) -> Vec<JoinHandle<Result<InvokeAnswer, Error>>> {
    let calls = (0..4).map(|n| {
        let client = client.clone();
        let payload = json(&format!("{{\"n\":{n},\"seconds\":2}}"));
        tokio::spawn(async move { client.invoke(&function("sleeper"), payload).await })
    });
    calls.collect()
}

/// Everybody who waits is answered: with his value, or with the truth.
pub async fn all_answered(calls: Vec<JoinHandle<Result<InvokeAnswer, Error>>>) -> Vec<String> {
    let mut answers = Vec::new();
    for (n, call) in calls.into_iter().enumerate() {
        let answer = tokio::time::timeout(SOON, call).await.expect("nobody hangs").unwrap();
        answers.push(match answer {
            Ok(InvokeAnswer { outcome: Outcome::Value(value), .. }) => {
                assert_eq!(value.bytes, n.to_string());
                "value".to_owned()
            }
            Err(Error::Problem(problem)) => problem.code,
            Err(Error::Lost { .. } | Error::NotReachable { .. }) => "lost".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    answers
}

/// Kills a role's process, and waits until its supervisor has said so and the next one is ready.
async fn kill(desk: &Desk, up: &mut Process, role: &str) {
    let old = process::role_of(up.id(), role).unwrap();
    process::signal(old, Signal::KILL);
    up.says(&format!("the {role} ended after"), SOON).await;
    assert!(up.stderr().contains("(signal: 9 (SIGKILL)); starting it again in"), "{}", up.stderr());
    eventually_within(SOON, "the role runs again", async || {
        let new = process::role_of(up.id(), role).filter(|new| *new != old)?;
        let ready = desk.run(&["status", "--json"]).await;
        let ready: serde_json::Value = serde_json::from_str(&ready.stdout).unwrap();
        (ready["ready"] == true).then_some(new)
    })
    .await;
    assert_eq!(process::zombies_of(up.id()), Vec::<i32>::new());
}

async fn stop(desk: Desk, mut up: Process) {
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    desk.leave().await;
}

fn contains_only(answers: &[String], allowed: &[&str]) {
    assert!(answers.iter().all(|answer| allowed.contains(&answer.as_str())), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_manager_loses_nothing_that_was_accepted() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client = desk.client().await;
    let ids = flood(&desk, &client).await;
    let calls = sync_calls(&client);
    let begun = tokio::time::Instant::now();
    kill(&desk, &mut up, "manager").await;
    let answers = all_answered(calls).await;
    contains_only(&answers, &["value", "interrupted"]);
    all_succeeded(&desk, &client, &ids, &[]).await;
    eprintln!("manager killed: {answers:?}; all ended after {:?}", begun.elapsed());
    stop(desk, up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_scheduler_loses_nothing_that_was_accepted() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client = desk.client().await;
    let ids = flood(&desk, &client).await;
    let calls = sync_calls(&client);
    eventually("a sync call is under way", async || {
        let running = client.records(&RecordFilter::default()).await.ok()?;
        running.items.iter().any(|record| record.state == State::Running).then_some(())
    })
    .await;
    let begun = tokio::time::Instant::now();
    kill(&desk, &mut up, "scheduler").await;
    let answers = all_answered(calls).await;
    contains_only(&answers, &["interrupted"]);
    all_succeeded(&desk, &client, &ids, &[]).await;
    eprintln!("scheduler killed: {answers:?}; all ended after {:?}", begun.elapsed());
    stop(desk, up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_registry_and_gateway_disturb_no_invocation() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client = desk.client().await;
    let ids = flood(&desk, &client).await;
    let calls = sync_calls(&client);
    kill(&desk, &mut up, "registry").await;
    contains_only(&all_answered(calls).await, &["value"]);
    desk.deploy("after", SLEEPER, "").await.ok();

    let calls = sync_calls(&client);
    kill(&desk, &mut up, "gateway").await;
    contains_only(&all_answered(calls).await, &["value", "lost"]);
    all_succeeded(&desk, &client, &ids, &[]).await;
    assert_eq!(desk.run(&["invoke", "after", "--data", "{\"n\":3,\"seconds\":0}"]).await.ok(), "3");
    stop(desk, up).await;
}

/// Its message is older than a caller may wait for an instance, so that the queue forgets it: nobody
/// is left who could say that it was interrupted.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_long_invocation_learns_that_its_manager_was_killed() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client = desk.client().await;
    desk.deploy("sleeper", SLEEPER, MANIFEST).await.ok();
    let call = tokio::spawn(async move {
        let begun = tokio::time::Instant::now();
        let answer = client.invoke(&function("sleeper"), json(r#"{"seconds":29}"#)).await;
        (answer, begun.elapsed())
    });
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;
    // The only wait of these tests: until the message has expired.
    tokio::time::sleep(Duration::from_secs(11)).await;
    kill(&desk, &mut up, "manager").await;
    let (answer, took) = call.await.unwrap();
    let Err(Error::Problem(problem)) = answer else { panic!("{answer:?}") };
    assert_eq!((problem.code.as_str(), problem.retry_safe), ("interrupted", false));
    assert!(took < Duration::from_secs(40), "it took {took:?}");
    stop(desk, up).await;
}

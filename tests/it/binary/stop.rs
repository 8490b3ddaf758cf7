//! Stopping in order, and starting twice.

use std::collections::HashMap;

use cloudfunc::{
    client::{Error, InvokeAnswer, Outcome},
    lifecycle::{Ending, Kind},
    model::code,
};
use futures_util::future::join;
use rustix::process::Signal;

use super::SLEEPER;
use crate::{
    desk,
    support::{
        desk::{Desk, SOON},
        eventually, eventually_within,
        platform::{function, json},
        process,
    },
};

/// As they are stopped: who takes work first goes first.
const ORDER: [&str; 4] = ["gateway", "manager", "scheduler", "registry"];

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_runs_and_stops_in_order() {
    let desk = desk!();
    let mut up = desk.up().await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let children: HashMap<_, _> =
        ORDER.map(|role| (role, process::role_of(up.id(), role).unwrap())).into();
    let client = desk.client().await;
    // Who only looks on does not hold up the end.
    let mut followers = ["logs -f sleeper", "logs -f --role manager"].map(|arguments| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let name = arguments.join("-");
        process::Process::start(desk.cloudfunc(&arguments), desk.home(), &name)
    });
    let in_flight = tokio::spawn(async move {
        client.invoke(&function("sleeper"), json(r#"{"seconds":2,"n":7}"#)).await
    });
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;

    let stopping = tokio::time::Instant::now();
    up.signal(Signal::TERM);
    let order = async {
        let mut gone: Vec<&str> = Vec::new();
        eventually_within(SOON, "all roles have ended", || {
            for role in ORDER {
                if !gone.contains(&role) && process::arguments(children[role]).is_none() {
                    gone.push(role);
                }
            }
            std::future::ready((gone.len() == ORDER.len()).then_some(()))
        })
        .await;
        gone
    };
    let (answer, gone) = join(in_flight, order).await;
    let answer = answer.unwrap().expect("running work is answered");
    let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(value.bytes, "7");
    assert_eq!(gone, ORDER);
    assert_eq!(up.ended(SOON).await, Some(0), "SIGTERM is the polite end");
    assert!(stopping.elapsed().as_secs() < 15, "it took {:?}", stopping.elapsed());

    // The stream of the platform has ended; the file of a role stays.
    assert!(followers[0].ended(SOON).await.is_some());
    assert!(followers[1].status().is_none());
    drop(followers);
    desk.leave().await;
}

#[tokio::test]
async fn starting_twice_says_so() {
    let desk = desk!();
    let mut up = desk.up().await;
    let client_url = desk.run(&["status", "--json"]).await.json()["roles"][0]["url"].clone();
    let mut second = desk.begin_up("second", &[]);
    assert_eq!(second.ended(SOON).await, Some(2));
    let expected = format!(
        "error: platform '{}' is running already (process {}, {}, data folder {})\n\
         hint: see `cloudfunc status`; stop it with `cloudfunc down`; another platform needs another --platform and other ports\n",
        desk.name,
        up.id(),
        client_url.as_str().unwrap(),
        desk.data_dir().display()
    );
    assert_eq!(second.stderr(), expected);

    let down = desk.run(&["down"]).await;
    assert_eq!(down.code, Some(0), "{down:?}");
    let pid = up.id();
    let (name, folder) = (&desk.name, desk.data_dir());
    let said = format!(
        "stopping platform '{name}' (external, {}, data folder {}), process {pid}; running work finishes\n\
         the platform has stopped\n",
        client_url.as_str().unwrap(),
        folder.display()
    );
    assert_eq!(down.stderr, said);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}

/// That it is stopped is no outcome: it has not crashed.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_in_time_is_run_again() {
    let desk = desk!();
    let mut up = desk.up_with(&["--stop-grace", "500ms"]).await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let client = desk.client().await;
    let payload = json(r#"{"seconds":5,"n":8}"#);
    let id = client.invoke_async(&function("sleeper"), payload).await.unwrap().id;
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    assert!(desk.log("manager").contains("given up"));
    assert_eq!(desk.containers(), Vec::<String>::new());

    let mut up = desk.up().await;
    let record = desk.client().await.record(id, Some(SOON)).await.unwrap();
    assert_eq!((record.state.as_str(), record.attempts.len()), ("succeeded", 2), "{record:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    desk.leave().await;
}

/// The gateway ends before the manager gives up: the caller gets an answer all the same, which names the record.
#[tokio::test(flavor = "multi_thread")]
async fn who_calls_what_does_not_finish_in_time_is_told_its_id() {
    let desk = desk!();
    let mut up = desk.up_with(&["--stop-grace", "500ms"]).await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let client = desk.client().await;
    let payload = json(r#"{"seconds":25}"#);
    let call = tokio::spawn(async move { client.invoke(&function("sleeper"), payload).await });
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;
    up.signal(Signal::TERM);
    let problem = match call.await.unwrap() {
        Ok(InvokeAnswer { outcome: Outcome::Failed(problem), .. }) | Err(Error::Problem(problem)) => {
            problem
        }
        other => panic!("it is told what is known: {other:?}"),
    };
    assert_eq!((&*problem.code, problem.status), (code::INTERRUPTED.code, 502), "{problem:?}");
    assert!(!problem.retry_safe);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    let store = desk.store().await;
    let record =
        store.record(problem.invocation_id.expect("its id")).await.unwrap().expect("its record");
    assert_eq!(Ending::of_record(&record).unwrap().kind(), Kind::Interrupted, "{record:?}");
    store.close().await;
    desk.leave().await;
}

/// Two interrupts: nothing is waited for, and still nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_stops_at_once() {
    let desk = desk!();
    let mut up = desk.up().await;
    desk.deploy("sleeper", SLEEPER, "").await.ok();
    let client = desk.client().await;
    let in_flight =
        tokio::spawn(
            async move { client.invoke(&function("sleeper"), json(r#"{"seconds":25}"#)).await },
        );
    eventually("it runs", async || desk.log("manager").contains("executing").then_some(())).await;
    up.signal(Signal::INT);
    up.says("stopping", SOON).await;
    let stopping = tokio::time::Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.ended(SOON).await, Some(130));
    assert!(stopping.elapsed().as_secs() < 10, "it took {:?}", stopping.elapsed());
    in_flight.await.unwrap().expect_err("its gateway was killed");
    assert_nothing_is_left(desk).await;
}

async fn assert_nothing_is_left(desk: Desk) {
    // A killed manager's instance folders are emptied by its next start; its containers are gone.
    let _ = std::fs::remove_dir_all(desk.data_dir().join("instances"));
    desk.leave().await;
}

//! RabbitMQ killed and started again while invocations are queued and running.

use std::collections::HashMap;

use cloudfunc::client::Outcome;
use rustix::process::Signal;

use super::{
    SLEEPER,
    kills::{all_answered, all_succeeded, flood, sync_calls},
};
use crate::{
    desk,
    support::{
        broker::Broker,
        desk::{Desk, SOON},
        eventually, eventually_within,
        platform::{function, json},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_loses_nothing_that_was_accepted() {
    let mut desk = desk!();
    let broker = Broker::start().await;
    desk.queue = broker.url();
    let mut up = desk.up().await;
    let client = desk.client().await;
    let ids = flood(&desk, &client).await;
    let calls = sync_calls(&client);
    eventually("a sync call runs", async || {
        let records = client.records(&Default::default()).await.unwrap().items;
        records.iter().any(|record| record.state.as_str() == "running").then_some(())
    })
    .await;

    broker.kill().await;
    let begun = tokio::time::Instant::now();
    let answers = all_answered(calls).await;
    let answered = begun.elapsed();
    assert!(answers.iter().all(|answer| answer == "interrupted"), "{answers:?}");
    assert!(answered.as_secs() < 5, "who waited was told after {answered:?}");
    // A sync call is refused, an async one is taken; neither waits for the broker.
    let refused = client.invoke(&function("sleeper"), json("{}")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the message broker does not answer");
    let late = client.invoke_async(&function("sleeper"), json("{\"n\":77}")).await.unwrap().id;

    broker.start_again().await;
    let begun = tokio::time::Instant::now();
    eventually_within(SOON, "sync calls are answered again", async || {
        let payload = json("{\"n\":1,\"seconds\":0}");
        let answer = client.invoke(&function("sleeper"), payload).await.ok()?;
        matches!(answer.outcome, Outcome::Value(_)).then_some(())
    })
    .await;
    let again = begun.elapsed();
    let record = client.record(late, Some(SOON)).await.unwrap();
    assert_eq!(record.state.as_str(), "succeeded", "{record:?}");
    all_succeeded(&desk, &client, &ids, &[late]).await;
    eprintln!(
        "broker killed: told after {answered:?}; sync again {again:?}, all ended {:?} after its return",
        begun.elapsed()
    );

    // Builds and events too have found it again.
    desk.deploy("after", SLEEPER, "").await.ok();
    assert_eq!(desk.run(&["invoke", "after", "--data", "{\"n\":3,\"seconds\":0}"]).await.ok(), "3");
    complains_once(&desk);
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}

/// However long a broker is away, nobody says the same of it again and again.
fn complains_once(desk: &Desk) {
    for role in ["scheduler", "manager"] {
        let log = desk.log(role);
        let mut said: HashMap<String, u32> = HashMap::new();
        for line in log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")) {
            let text = line.split_once(' ').unwrap().1;
            let words = text.split(' ').filter(|word| !word.starts_with("invocation="));
            *said.entry(words.collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
        assert!(said.values().all(|times| *times == 1), "the {role}: {said:#?}");
        let told = ["the message broker is lost; trying again", "the message broker answers again"];
        assert_eq!(told.map(|text| log.matches(text).count()), [1, 1], "the {role}:\n{log}");
    }
}

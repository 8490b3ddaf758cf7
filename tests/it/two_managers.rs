//! Two managers on one broker and one database: where an instance is warm, invocations go.

use std::collections::BTreeSet;

use cloudfunc::{
    app::{Host, Role},
    client::{InvokeAnswer, Outcome},
    config::Platform,
    model::Start,
    shutdown::Shutdown,
    store,
};
use futures_util::future::join_all;
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform},
};

const SLEEPER: &str =
    "import time\n\ndef handler(event):\n    time.sleep(event['seconds'])\n    return 'slept'\n";
const ONE_EACH: &str = "[scaling]\nmax_instances = 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn warm_managers_are_served_first() {
    let test = "warm_managers_are_served_first";
    let Some(platform) = TestPlatform::start(Stack::REAL, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut settings = platform.platform.clone();
    settings.data_dir = folder.path().join("data");
    settings.addresses.manager.set_port(0);
    let (second, stop) = (Host::bind(&[Role::Manager], &settings).await.unwrap(), Shutdown::default());
    let second = tokio::spawn(second.run(stop.clone()));

    platform.deploy("sleeper", &[("function.py", SLEEPER), ("cloudfunc.toml", ONE_EACH)]).await;
    consumers(&platform, 2, "both managers consume").await;
    let first = platform.invoke("sleeper", r#"{"seconds":0}"#).await;
    assert_eq!(first.start, Some(Start::Cold));
    consumers(&platform, 3, "the warm one consumes twice").await;

    let mut answers = vec![first];
    for _ in 0..20 {
        answers.push(platform.invoke("sleeper", r#"{"seconds":0}"#).await);
    }
    assert!(answers[1..].iter().all(|answer| answer.start == Some(Start::Warm)), "{answers:?}");
    assert_eq!(instances(&answers).len(), 1, "by turns, every second one would be on the other manager");
    // Each consumer holds one, and two of the three are the warm manager's.
    let three = join_all([(); 3].map(|()| platform.invoke("sleeper", r#"{"seconds":1}"#))).await;
    assert_eq!(instances(&three).len(), 2, "the other one was ready to take them");

    stop.soft.cancel();
    second.await.unwrap().unwrap();
    platform.stop().await;
}

/// Waits until the broker counts that many on the queue of the only function.
async fn consumers(platform: &TestPlatform, wanted: u32, what: &str) {
    let Platform { name, store, .. } = &platform.platform;
    let store = store::connect(store).await.unwrap();
    let functions = store.functions().await.unwrap();
    store.close().await;
    let [function] = &functions[..] else { panic!("{functions:?}") };
    let queue = format!("cloudfunc.{name}.fn.{}.sync", function.id);
    let broker = std::env::var("CLOUDFUNC_TEST_RABBITMQ_URL").unwrap();
    let broker = Connection::connect(&broker, ConnectionProperties::default()).await.unwrap();
    let channel = broker.create_channel().await.unwrap();
    eventually(what, || async {
        let look = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = channel.queue_declare(queue.as_str().into(), look, FieldTable::default()).await;
        (queue.unwrap().consumer_count() == wanted).then_some(())
    })
    .await;
    broker.close(0, "".into()).await.unwrap();
}

fn instances(answers: &[InvokeAnswer]) -> BTreeSet<String> {
    let ran = |answer: &InvokeAnswer| {
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
        answer.instance.clone().unwrap()
    };
    answers.iter().map(ran).collect()
}

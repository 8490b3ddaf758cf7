//! Where invocations go and where they wait: managers on one broker and one database.

use std::collections::BTreeSet;

use cloudfunc::{
    app::{Host, Role},
    client::{InvokeAnswer, Outcome},
    model::Start,
    settings::Platform,
    shutdown::Shutdown,
    store,
};
use futures_util::future::join_all;
use lapin::{
    Channel, Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable,
};

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform},
};

const SLEEPER: &str =
    "import time\n\ndef handler(event):\n    time.sleep(event['seconds'])\n    return 'slept'\n";
const ONE_EACH: &str = "[scaling]\nmax_instances = 1\n";
const TWO_EACH: &str = "[scaling]\nmax_instances = 2\n";

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

    // The ack of a call may reach the broker after the next one: the warm manager has room for that, too.
    platform.deploy("sleeper", &[("function.py", SLEEPER), ("cloudfunc.toml", TWO_EACH)]).await;
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
    eventually("the other one takes what the first cannot", || async {
        let six = join_all([(); 6].map(|()| platform.invoke("sleeper", r#"{"seconds":0.3}"#))).await;
        (instances(&six).len() > 2).then_some(())
    })
    .await;

    stop.soft.cancel();
    second.await.unwrap().unwrap();
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_manager_can_take_does_not_wait_in_the_broker() {
    let test = "what_no_manager_can_take_does_not_wait_in_the_broker";
    let Some(platform) = TestPlatform::start(Stack::REAL, test).await else { return };
    platform.deploy("sleeper", &[("function.py", SLEEPER), ("cloudfunc.toml", ONE_EACH)]).await;
    platform.invoke("sleeper", r#"{"seconds":0}"#).await;
    consumers(&platform, 2, "the warm one consumes twice").await;
    let queue = SyncQueue::of(&platform).await;
    // One runs and one is with the manager; the other ten wait for it.
    let calls = join_all([(); 12].map(|()| platform.invoke("sleeper", r#"{"seconds":0.05}"#)));
    let looks = async {
        loop {
            // An ack may reach the broker after the next message, which then waits for it for a moment.
            let waiting = queue.look().await.message_count();
            assert!(waiting <= 2, "{waiting} of the ten that wait");
        }
    };
    let answers = tokio::select! {
        answers = calls => answers,
        () = looks => unreachable!("it looks for ever"),
    };
    assert_eq!(instances(&answers).len(), 1);
    queue.broker.close(0, "".into()).await.unwrap();
    platform.stop().await;
}

/// The queue of the only function's sync invocations, as the broker sees it.
struct SyncQueue {
    broker: Connection,
    channel: Channel,
    name: String,
}

impl SyncQueue {
    async fn of(platform: &TestPlatform) -> Self {
        let Platform { name, store, .. } = &platform.platform;
        let store = store::connect(store).await.unwrap();
        let functions = store.functions().await.unwrap();
        store.close().await;
        let [function] = &functions[..] else { panic!("{functions:?}") };
        let name = format!("cloudfunc.{name}.fn.{}.sync", function.id);
        let broker = std::env::var("CLOUDFUNC_TEST_RABBITMQ_URL").unwrap();
        let broker = Connection::connect(&broker, ConnectionProperties::default()).await.unwrap();
        let channel = broker.create_channel().await.unwrap();
        Self { broker, channel, name }
    }

    async fn look(&self) -> lapin::Queue {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        self.channel
            .queue_declare(self.name.as_str().into(), passive, FieldTable::default())
            .await
            .unwrap()
    }
}

/// Waits until the broker counts that many.
async fn consumers(platform: &TestPlatform, wanted: u32, what: &str) {
    let queue = SyncQueue::of(platform).await;
    eventually(what, || async { (queue.look().await.consumer_count() == wanted).then_some(()) }).await;
    queue.broker.close(0, "".into()).await.unwrap();
}

fn instances(answers: &[InvokeAnswer]) -> BTreeSet<String> {
    let ran = |answer: &InvokeAnswer| {
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
        answer.instance.clone().unwrap()
    };
    answers.iter().map(ran).collect()
}

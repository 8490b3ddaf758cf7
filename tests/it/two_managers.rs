//! Two managers on one broker and one database: where an instance is warm, invocations go.

use std::collections::BTreeSet;

use cloudfunc::{
    app::{Host, Role},
    client::{InvokeAnswer, Outcome},
    model::Start,
    shutdown::Shutdown,
};
use futures_util::future::join_all;

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
    // As long as only one of them consumes, one of two calls at once waits for the other's instance.
    eventually("both managers run one of two calls at once", || async {
        let both = join_all([(); 2].map(|()| platform.invoke("sleeper", r#"{"seconds":0.3}"#))).await;
        (instances(&both).len() == 2).then_some(())
    })
    .await;
    // Both stay warm here; a fresh function begins on one of them, and stays there.
    platform.deploy("other", &[("function.py", SLEEPER), ("cloudfunc.toml", ONE_EACH)]).await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(platform.invoke("other", r#"{"seconds":0}"#).await);
    }
    let starts: Vec<_> = answers.iter().map(|answer| answer.start).collect();
    assert_eq!(starts[0], Some(Start::Cold));
    assert_eq!(starts[1..], [Some(Start::Warm); 19]);
    assert_eq!(instances(&answers).len(), 1, "by turns, every second one would be on the other manager");
    let both = join_all([(); 2].map(|()| platform.invoke("other", r#"{"seconds":0.3}"#))).await;
    assert_eq!(instances(&both).len(), 2, "the other one was ready to take them");

    stop.soft.cancel();
    second.await.unwrap().unwrap();
    platform.stop().await;
}

fn instances(answers: &[InvokeAnswer]) -> BTreeSet<String> {
    let ran = |answer: &InvokeAnswer| {
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
        answer.instance.clone().unwrap()
    };
    answers.iter().map(ran).collect()
}

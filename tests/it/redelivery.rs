//! Messages that a broker delivers again: because a connection was lost, not because anything was.

use std::path::Path;

use serde_json::Value;

use crate::{
    need,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
        proxy::Proxy,
    },
};

const SLEEPER: &str = "import pathlib, time\n\ndef handler(event):\n    pathlib.Path(event['begun']).touch()\n    time.sleep(2)\n    return 7\n";

#[tokio::test]
async fn calls_in_hand_when_the_consuming_connection_is_lost_get_their_own_answers() {
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let mut behind = url::Url::parse(&url).unwrap();
    let target = format!("{}:{}", behind.host_str().unwrap(), behind.port().unwrap_or(5672));
    let proxy = Proxy::start(target).await;
    behind.set_port(Some(proxy.port())).unwrap();
    let stack = Stack::named("sqlite_rabbitmq_process");
    let platform = TestPlatform::start_with(stack, "redelivery", |platform| {
        platform.queue = behind.as_str().parse().unwrap();
    })
    .await
    .unwrap();
    platform.deploy("sleeper", &[("function.py", SLEEPER)]).await;
    let folder = tempfile::tempdir().unwrap();
    let call = |number: usize| {
        let begun = folder.path().join(number.to_string());
        let body = serde_json::json!({ "begun": begun }).to_string();
        let request = platform.post("/v1/functions/sleeper/invoke").body(body);
        (begun, tokio::spawn(request.send()))
    };
    let is_there = |path: &Path| std::future::ready(path.exists().then_some(()));
    let calls = [call(1), call(2)];
    for (begun, _) in &calls {
        eventually("it runs", || is_there(begun)).await;
    }
    proxy.cut_that_said("consuming");
    for (_, answer) in calls {
        let answer = answer.await.unwrap().unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!((status.as_u16(), body), (200, 7.into()));
    }
    platform.stop().await;
}

//! A store that says nothing: it is there, and does not answer.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    need,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
        proxy::Proxy,
    },
};

/// Each look-up takes its time then; who comes later does not wait for all of them.
#[tokio::test]
async fn callers_of_unknown_names_are_all_answered_in_the_time_of_one() {
    let url = url::Url::parse(&need!("CLOUDFUNC_TEST_POSTGRES_URL")).unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::start(target).await;
    let stack = Stack::named("postgres_embedded_process");
    let platform = TestPlatform::start_with(stack, "silent_store", |platform| {
        let cloudfunc::store::Config::Postgres { url } = &platform.store else {
            panic!("it is Postgres")
        };
        let mut behind = url::Url::parse(url.expose()).unwrap();
        behind.set_host(Some("127.0.0.1")).unwrap();
        behind.set_port(Some(proxy.port())).unwrap();
        platform.store = behind.as_str().parse().unwrap();
    })
    .await
    .unwrap();
    platform.deploy("known", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    assert_eq!(platform.value("known", "{}").await, "1");
    proxy.pause(true);
    let begun = Instant::now();
    let call = |number| {
        let request = platform.post(&format!("/v1/functions/unknown{number}/invoke")).body("{}");
        async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap(), begun.elapsed())
        }
    };
    for (status, problem, after) in join_all((0..20).map(call)).await {
        assert_eq!(
            (status, &problem["code"], &problem["retry_safe"]),
            (503, &"unavailable".into(), &true.into())
        );
        // Five seconds; one after the other they would take longer than a minute.
        assert!(after < Duration::from_secs(9), "{after:?}");
    }
    assert_eq!(platform.value("known", "{}").await, "1", "what is known needs no store");
    proxy.pause(false);
    eventually("the store is asked again", || async {
        let answer = platform.post("/v1/functions/unknown/invoke").body("{}").send().await.unwrap();
        (answer.status() == 404).then_some(())
    })
    .await;
    platform.stop().await;
}

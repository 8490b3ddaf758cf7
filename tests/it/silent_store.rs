//! A store that says nothing: it is there, and does not answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloudfunc::{
    clock::Clock,
    http::{self, Door, Front, Guard, Server},
    model::{InvocationId, PlatformName},
    queue, scheduler,
    settings::Limits,
    shutdown::Shutdown,
    store,
};
use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    need,
    store_contract::revision_of,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
        postgres::Database,
        proxy::Proxy,
    },
};

/// A caller of a function that is not known waits five seconds for the store. One after the other, twenty would take longer
/// than a minute.
const ALL: Duration = Duration::from_secs(9);

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
        assert!(after < ALL, "{after:?}");
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

/// It knows no name at all then, of functions that everybody calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_scheduler_that_has_just_started_are_all_answered_in_the_time_of_one() {
    let (server, broker) = (need!("CLOUDFUNC_TEST_POSTGRES_URL"), need!("CLOUDFUNC_TEST_RABBITMQ_URL"));
    let database = Database::create(&server);
    let direct = store::connect(&database.config()).await.unwrap();
    direct.put_blob(&revision_of("f0", "code").source, Bytes::from_static(b"code")).await.unwrap();
    for number in 0..10 {
        direct.add_revision(revision_of(&format!("f{number}"), "code")).await.unwrap();
    }
    let mut behind = url::Url::parse(&database.url()).unwrap();
    let target = format!("{}:{}", behind.host_str().unwrap(), behind.port().unwrap_or(5432));
    let proxy = Proxy::start(target).await;
    behind.set_host(Some("127.0.0.1")).unwrap();
    behind.set_port(Some(proxy.port())).unwrap();
    let platform: PlatformName = format!("test-{}", InvocationId::new().0.simple()).parse().unwrap();
    let queue = queue::connect(&broker.parse().unwrap(), &platform).await.unwrap();
    let store = store::connect(&behind.as_str().parse().unwrap()).await.unwrap();

    proxy.pause(true);
    let listener = http::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server =
        Server { listener, guard: Guard::new("token"), door: Door::default(), front: Front::default() };
    let backends = scheduler::Backends { platform, store: store.clone(), queue: queue.clone() };
    let (limits, shutdown) = (Limits::default(), Shutdown::default());
    let running =
        tokio::spawn(scheduler::run(backends, limits, Clock::system(), server, shutdown.clone()));
    let client = http::client().unwrap();
    let call = |number: usize| {
        let url = format!("http://{address}/v1/functions/f{number}/invoke");
        client.post(url).bearer_auth("token").header("prefer", "respond-async").body("{}").send()
    };
    let begun = Instant::now();
    let calls = (0..20).map(|caller| {
        let answer = call(caller % 10);
        async move {
            let answer = answer.await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap(), begun.elapsed())
        }
    });
    for (status, problem, after) in join_all(calls).await {
        let told = (status, &problem["code"], &problem["retry_safe"]);
        assert_eq!(told, (503, &"unavailable".into(), &true.into()));
        assert!(after < ALL, "{after:?}");
    }
    proxy.pause(false);
    eventually("it knows them all", async || {
        let answers = join_all((0..10).map(&call)).await;
        answers.into_iter().all(|answer| answer.unwrap().status() == 202).then_some(())
    })
    .await;

    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
    for function in direct.functions().await.unwrap() {
        queue.remove(function.id).await.unwrap();
    }
    queue.remove_platform().await.unwrap();
    queue.close().await;
    store.close().await;
    direct.close().await;
}

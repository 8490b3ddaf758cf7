//! Messages that a broker delivers again: because a connection was lost, or they were in hand for long, not because anything
//! was lost with them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    app::Role,
    client::{Error, InvokeAnswer, Outcome, RecordFilter},
    lifecycle::{Ending, Kind},
    model::{
        ManagerId, Mode, OwnerId, Phases, State, code,
        message::{self, Invoke, Outcome as Reported, Parcel, Verdict},
    },
    queue::{self, Address, ConsumeOptions, Message},
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{
    need,
    support::{
        beside::{Beside, Between, EngineSwitch, Fate, verdict},
        broker::Broker,
        eventually,
        home::SOON,
        platform::{Stack, TestPlatform, function, json},
        proxy::Proxy,
        waiter::{begun, call, deploy_waiter, go, has_begun, payload},
    },
};

const SLEEPER: &str = "import pathlib, time\n\ndef handler(event):\n    pathlib.Path(event['begun']).touch()\n    time.sleep(2)\n    return 7\n";

/// A way to the broker that a test can cut, and its URL.
async fn proxied(url: &str) -> (Proxy, url::Url) {
    let mut behind = url::Url::parse(url).unwrap();
    let target = format!("{}:{}", behind.host_str().unwrap(), behind.port().unwrap_or(5672));
    let proxy = Proxy::start(target).await;
    behind.set_port(Some(proxy.port())).unwrap();
    (proxy, behind)
}

#[tokio::test]
async fn calls_in_hand_when_the_consuming_connection_is_lost_get_their_own_answers() {
    let (proxy, behind) = proxied(&need!("CLOUDFUNC_TEST_RABBITMQ_URL")).await;
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

/// Number 1 runs on the only instance of its host, and number 2 waits there for it; the scheduler knows who has them.
async fn one_runs_and_one_waits(
    platform: &TestPlatform,
    folder: &Path,
) -> [JoinHandle<Result<InvokeAnswer, Error>>; 2] {
    deploy_waiter(platform, "one").await;
    let first = call(platform, folder, 1);
    has_begun(folder, 1).await;
    let second = call(platform, folder, 2);
    eventually("both are in the manager's hands", async || {
        let filter = RecordFilter { state: Some(State::Running), ..RecordFilter::default() };
        (platform.client.records(&filter).await.unwrap().items.len() == 2).then_some(())
    })
    .await;
    [first, second]
}

/// A manager that counts the calls which it answers as interrupted.
async fn counting(
    platform: &TestPlatform,
    queue: Arc<dyn queue::Queue>,
) -> (Beside, Arc<Between>, Arc<AtomicUsize>) {
    let interrupted = Arc::<AtomicUsize>::default();
    let count = interrupted.clone();
    let between = Between::new(queue, move |to, message| {
        if verdict(to, message) == Some(Verdict::Interrupted) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Fate::Sent
    });
    let engine = Arc::<EngineSwitch>::default();
    (Beside::start(platform, &engine, between.clone()).await, between, interrupted)
}

fn value(answer: Result<InvokeAnswer, Error>) -> Bytes {
    match answer {
        Ok(InvokeAnswer { outcome: Outcome::Value(body), .. }) => body.bytes,
        other => panic!("{other:?}"),
    }
}

/// The other host is given both of them again, and knows nothing of them; what waited must not begin after its caller was
/// told anything else than what comes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_run_or_wait_on_a_host_that_was_cut_off_are_answered_by_that_host() {
    let test = "redelivery::calls_that_run_or_wait_on_a_host_that_was_cut_off_are_answered_by_that_host";
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let (proxy, behind) = proxied(&url).await;
    let started = TestPlatform::start_with(Stack::named("sqlite_rabbitmq_process"), test, |platform| {
        platform.queue = behind.as_str().parse().unwrap();
        platform.limits.queue_wait = Duration::from_secs(60);
    });
    let Some(platform) = started.await else { return };
    let folder = tempfile::tempdir().unwrap();
    let calls = one_runs_and_one_waits(&platform, folder.path()).await;
    let store = platform.store().await;
    let found = store.function(&function("waiter")).await.unwrap().unwrap();
    let direct = queue::connect(&url.parse().unwrap(), &platform.platform.name).await.unwrap();
    let (other, between, interrupted) = counting(&platform, direct).await;
    eventually("the other host consumes", async || {
        (!between.consumed(&Address::Function(found.id, Mode::Sync)).is_empty()).then_some(())
    })
    .await;
    // It does not come back before the other one was given both.
    proxy.refuse(true);
    proxy.cut_that_said("consuming");
    eventually("the other host knows nothing of either", async || {
        (interrupted.load(Ordering::SeqCst) >= 2).then_some(())
    })
    .await;
    proxy.refuse(false);
    go(folder.path());
    for (n, call) in (1_u32..).zip(calls) {
        assert_eq!(value(call.await.unwrap()), n.to_string());
        assert_eq!(begun(folder.path(), n).len(), 1);
    }
    other.stop().await;
    store.close().await;
    platform.stop().await;
}

/// Two managers, played by the test: one has said that it has the call, the other one was given it again.
#[tokio::test]
async fn who_has_a_call_is_believed_and_who_was_given_it_again_is_not() {
    let test = "redelivery::who_has_a_call_is_believed_and_who_was_given_it_again_is_not";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    platform.deploy("quick", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    let (store, queue) = (platform.store().await, platform.queue().await);
    let found = store.function(&function("quick")).await.unwrap().unwrap();
    let options = ConsumeOptions { prefetch: 10, priority: 100 };
    let mut given = queue.consume(&Address::Function(found.id, Mode::Sync), options).await.unwrap();
    let (has_it, other) = (OwnerId::new(), OwnerId::new());
    store.take_lease(has_it, ManagerId::new(), SOON).await.unwrap();
    for last in [Verdict::Succeeded, Verdict::Interrupted] {
        let client = platform.client.clone();
        let call = tokio::spawn(async move { client.invoke(&function("quick"), json("{}")).await });
        let delivery = tokio::time::timeout(SOON, given.next()).await.expect("it is given").unwrap();
        let (invoke, _) = delivery.parcel.open::<Invoke>().unwrap();
        delivery.ack().await.unwrap();
        let to = Address::Reply(invoke.reply_to.clone().unwrap());
        // Answers of one process arrive in their order.
        for (owner, verdict) in
            [(has_it, Verdict::Underway), (other, Verdict::Interrupted), (has_it, last.clone())]
        {
            let reported = Reported {
                v: message::VERSION,
                id: invoke.id,
                attempt: 1,
                owner: Some(owner),
                revision: invoke.revision,
                instance: None,
                start: None,
                prewarmed: false,
                verdict,
                content_type: Some("application/json".to_owned()),
                http: None,
                phases: Phases::new(),
                manager_ms: 0.0,
                lines: None,
                claimed: None,
            };
            let parcel = Parcel::new(reported, Bytes::from_static(b"\"its own answer\""));
            queue.publish(&to, Message { parcel, expires: None }).await.unwrap();
        }
        let answer = call.await.unwrap();
        match last {
            Verdict::Succeeded => assert_eq!(value(answer), "\"its own answer\""),
            _ => assert_eq!(&*interrupted(answer).code, code::INTERRUPTED.code),
        }
    }
    store.release_lease(has_it).await.unwrap();
    queue.close().await;
    store.close().await;
    platform.stop().await;
}

fn interrupted(answer: Result<InvokeAnswer, Error>) -> cloudfunc::model::Problem {
    let Err(Error::Problem(problem)) = answer else { panic!("{answer:?}") };
    assert_eq!((&*problem.code, problem.retry_safe), (code::INTERRUPTED.code, false), "{problem:?}");
    *problem
}

/// A manager stops while the broker takes no calls. The next one is given what waited, with the mark of what may have run;
/// nobody can say that it has not, as the broker may have taken the call that was given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_could_not_be_given_back_is_answered_as_interrupted_and_never_begins() {
    let test =
        "redelivery::a_call_that_could_not_be_given_back_is_answered_as_interrupted_and_never_begins";
    let roles = [Role::Gateway, Role::Registry, Role::Scheduler];
    let stack = Stack::named("sqlite_rabbitmq_process");
    let started = TestPlatform::start_roles(stack, test, &roles, |platform| {
        platform.limits.queue_wait = Duration::from_secs(60);
        platform.limits.stop_grace = Duration::from_secs(45);
    });
    let Some(platform) = started.await else { return };
    let blocked = Between::new(platform.queue().await, |to, _| match to {
        Address::Function(_, Mode::Sync) => Fate::Refused,
        _ => Fate::Sent,
    });
    let stopped = Beside::start(&platform, &Arc::<EngineSwitch>::default(), blocked).await;
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = one_runs_and_one_waits(&platform, folder.path()).await;
    let (next, _, said) = counting(&platform, platform.queue().await).await;
    let stopping = tokio::spawn(stopped.stop());
    eventually("the next one was given it", async || (said.load(Ordering::SeqCst) >= 1).then_some(()))
        .await;
    go(folder.path());
    assert_eq!(value(first.await.unwrap()), "1", "what runs is finished");
    let problem = interrupted(second.await.unwrap());
    let record = platform.client.record(problem.invocation_id.unwrap(), None).await.unwrap();
    assert_eq!(Ending::of_record(&record).unwrap().kind(), Kind::Interrupted, "{record:?}");
    assert_eq!(begun(folder.path(), 2), Vec::<String>::new());
    stopping.await.unwrap();
    next.stop().await;
    platform.stop().await;
}

/// Half an hour in a real broker, after which it closes the channel with everything in hand; three seconds here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_outlasts_the_brokers_patience_and_what_waits_behind_it_run_once() {
    let test = "redelivery::a_run_that_outlasts_the_brokers_patience_and_what_waits_behind_it_run_once";
    // Where there is one, there can be another.
    let _ = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let broker = Broker::start().await;
    let patience = "application:set_env(rabbit, channel_tick_interval, 500), \
                    application:set_env(rabbit, consumer_timeout, 3000).";
    broker.control(&format!("eval '{patience}'")).await;
    let roles = [Role::Gateway, Role::Registry, Role::Scheduler];
    let stack = Stack::named("sqlite_rabbitmq_process");
    let started = TestPlatform::start_roles(stack, test, &roles, |platform| {
        platform.queue = broker.url().parse().unwrap();
    });
    let Some(platform) = started.await else { return };
    let (manager, between, _) = counting(&platform, platform.queue().await).await;
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(&platform, "one").await;
    let accept = async |n| {
        let body = json(&payload(folder.path(), n));
        platform.client.invoke_async(&function("waiter"), body).await.unwrap().id
    };
    let first = accept(1).await;
    has_begun(folder.path(), 1).await;
    let second = accept(2).await;
    let store = platform.store().await;
    let found = store.function(&function("waiter")).await.unwrap().unwrap();
    // One from the beginning and one since it is warm; and each of them again and again, as its channel is closed.
    eventually("the broker has lost patience, and again", async || {
        let consumers = between.consumed(&Address::Function(found.id, Mode::Async));
        (consumers.len() >= 6).then_some(())
    })
    .await;
    go(folder.path());
    for (n, id) in [(1, first), (2, second)] {
        let record = platform.client.record(id, Some(SOON)).await.unwrap();
        assert_eq!((record.state, record.attempts.len()), (State::Succeeded, 1), "{record:?}");
        assert_eq!(begun(folder.path(), n).len(), 1);
    }
    manager.stop().await;
    store.close().await;
    platform.stop().await;
}

//! A manager without an engine, alone and beside one that has one; and two hosts over one store and one queue.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloudfunc::{
    app::Role,
    client::{Outcome, RecordFilter},
    model::{InvocationId, Mode, Problem, State, code},
    queue::Address,
};

use crate::support::{
    beside::{Beside, Between, EngineSwitch, Fate, SecondHost},
    eventually, eventually_within,
    home::SOON,
    platform::{Stack, TestPlatform, function, json},
    postgres::psql,
    waiter::{begun, call, deploy_waiter, go, has_begun, payload},
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";

/// A program that is killed with the test.
struct Manager(tokio::process::Child);

impl Manager {
    fn start(platform: &TestPlatform, docker_host: &str) -> Self {
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
            .arg("manager")
            .env_clear()
            .env("HOME", &platform.platform.data_dir)
            .envs(platform.platform.environment())
            .env("DOCKER_HOST", docker_host)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.unwrap())
    }

    async fn stop(mut self) {
        let id = rustix::process::Pid::from_raw(self.0.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().await.unwrap().success());
    }
}

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

#[tokio::test]
async fn without_docker_deploy_and_invoke_say_what_is_missing() {
    let test = "no_engine::without_docker_deploy_and_invoke_say_what_is_missing";
    let roles = [Role::Registry, Role::Scheduler, Role::Gateway];
    let Some(platform) = TestPlatform::start_roles(Stack::REAL, test, &roles, |_| {}).await else {
        return;
    };
    let without = Manager::start(&platform, NOWHERE);
    let error = platform.try_deploy("hello_fn", &[("function.py", HELLO)]).await.unwrap_err();
    let cloudfunc::client::Error::Problem(problem) = error else { panic!("{error:?}") };
    let reason = "the container engine at unix:///nonexistent/docker.sock does not answer: Socket not \
                  found: /nonexistent/docker.sock";
    let detail = format!("the build could not be done: {reason}");
    let hint = "'cloudfunc logs --role manager' shows more";
    let said = "`cloudfunc logs hello_fn --build` shows all that the build said";
    assert_eq!(*problem, Problem::new(code::UNAVAILABLE, detail).hint(said));
    without.stop().await;

    let with = Manager::start(&platform, "");
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    with.stop().await;

    let without = Manager::start(&platform, NOWHERE);
    let problem = platform.problem("hello_fn", "{}").await;
    let detail = format!("function 'hello_fn' could not be started: {reason}");
    let expected = Problem::new(code::START_FAILED, detail).hint(hint).retry_after(1);
    assert_eq!(problem, expected.invocation(problem.invocation_id.unwrap()));
    let (exit, _, stderr) = platform.cli(&["invoke", "hello_fn"]).await;
    assert_eq!(exit, 3);
    assert_eq!(stderr, format!("error: {}\nhint: {hint}\n", problem.detail));
    without.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_second_host_invokes_what_the_first_has_just_deployed() {
    let test = "no_engine::a_second_host_invokes_what_the_first_has_just_deployed";
    let Some(platform) = TestPlatform::start(Stack::REAL, test).await else { return };
    let roles = [Role::Registry, Role::Scheduler, Role::Gateway];
    let second = SecondHost::start(&platform, &roles).await;

    for name in ["one", "two", "three"] {
        platform.deploy(name, &[("function.py", HELLO)]).await;
        let answer = second.client.invoke(&function(name), json("{}")).await.unwrap();
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(&body.bytes[..], b"hello");
    }
    // Another revision is heard of by broadcast.
    platform.deploy("one", &[("function.py", "def handler(event):\n    return 'new'\n")]).await;
    eventually("the second host has the new revision", || async {
        let answer = second.client.invoke(&function("one"), json("{}")).await.unwrap();
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        (&body.bytes[..] == b"new").then_some(())
    })
    .await;
    second.stop().await;
    platform.stop().await;
}

/// It would fail them faster than others run them, and draw all of them. Two learn by a failed attempt that something is
/// wrong there; from the third failure on what waits goes back as it came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_engine_is_away_leaves_what_waits_to_the_others() {
    let test = "no_engine::a_host_whose_engine_is_away_leaves_what_waits_to_the_others";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let (folder, engine) = (tempfile::tempdir().unwrap(), Arc::<EngineSwitch>::default());
    let mut ids = busy(&platform, &folder).await;
    engine.set_away(true);
    let without = Beside::start(&platform, &engine, platform.queue().await).await;
    ids.extend(accept(&platform, &folder, 1..20).await);
    let in_vain = eventually("it has paused, and tried again", async || {
        Some(engine.asked_in_vain()).filter(|times| times.len() > 3)
    })
    .await;
    // Three in a row, and then one after each pause of five seconds, though there was work all the time.
    let pause = in_vain[3] - in_vain[2];
    assert!(pause > Duration::from_secs(4), "{pause:?}");

    go(folder.path());
    let mut at_once = 0;
    for (n, id) in (0_u32..).zip(&ids) {
        let record = platform.client.record(*id, Some(SOON)).await.unwrap();
        assert_eq!((record.state, begun(folder.path(), n).len()), (State::Succeeded, 1), "{record:?}");
        at_once += usize::from(record.attempts.len() == 1);
    }
    assert!(at_once + 2 >= ids.len(), "{at_once} of {} at their first attempt", ids.len());
    without.stop().await;
    platform.stop().await;
}

/// Callers get their error at once where no other host is; but who can start instances is asked first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_come_to_a_host_whose_engine_is_away_only_when_no_other_has_room() {
    let test = "no_engine::callers_come_to_a_host_whose_engine_is_away_only_when_no_other_has_room";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let (folder, engine) = (tempfile::tempdir().unwrap(), Arc::<EngineSwitch>::default());
    busy(&platform, &folder).await;
    let store = platform.store().await;
    let found = store.function(&function("waiter")).await.unwrap().unwrap();
    engine.set_away(true);
    let queue = Between::new(platform.queue().await, |_, _| Fate::Sent);
    let without = Beside::start(&platform, &engine, queue.clone()).await;
    // So that it notices, and goes on noticing.
    accept(&platform, &folder, 1..20).await;
    eventually("it is behind all others", async || {
        let priorities = queue.consumed(&Address::Function(found.id, Mode::Sync));
        priorities.last().is_some_and(|last| *last < 0).then_some(())
    })
    .await;
    // One for each of the other host's two consumers.
    let calls = [100, 101].map(|n| call(&platform, folder.path(), n));
    eventually("both wait there", async || {
        let filter = RecordFilter { state: Some(State::Running), ..RecordFilter::default() };
        let records = platform.client.records(&filter).await.unwrap().items;
        let callers = records.iter().filter(|record| record.mode == Mode::Sync);
        (callers.count() == 2).then_some(())
    })
    .await;
    go(folder.path());
    for call in calls {
        let answer = call.await.unwrap().unwrap();
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    }
    without.stop().await;
    store.close().await;
    platform.stop().await;
}

/// The only instance that there may be runs number 0.
async fn busy(platform: &TestPlatform, folder: &tempfile::TempDir) -> Vec<InvocationId> {
    deploy_waiter(platform, "one").await;
    let ids = accept(platform, folder, 0..1).await;
    has_begun(folder.path(), 0).await;
    ids
}

async fn accept(
    platform: &TestPlatform,
    folder: &tempfile::TempDir,
    numbers: std::ops::Range<u32>,
) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for n in numbers {
        let body = json(&payload(folder.path(), n));
        ids.push(platform.client.invoke_async(&function("waiter"), body).await.unwrap().id);
    }
    ids
}

/// More claims than an invocation may be lost; none of them began, and so none of them counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_outlasts_an_engine_that_is_away_for_long() {
    const CLAIMS: usize = 11;
    let test = "no_engine::what_was_accepted_outlasts_an_engine_that_is_away_for_long";
    let stack = Stack::named("postgres_rabbitmq_process");
    let roles = [Role::Registry, Role::Scheduler, Role::Gateway];
    let started = TestPlatform::start_roles(stack, test, &roles, |_| {});
    let Some(platform) = started.await else { return };
    let cloudfunc::store::Config::Postgres { url } = platform.platform.store.clone() else {
        panic!("it is Postgres")
    };
    let engine = Arc::<EngineSwitch>::default();
    // Each of them makes two claims in vain, and then leaves what waits to the others.
    let mut managers = Vec::new();
    for _ in 0..7 {
        managers.push(Beside::start(&platform, &engine, platform.queue().await).await);
    }
    let mut ids = Vec::new();
    for name in ["one", "other"] {
        platform.deploy(name, &[("function.py", HELLO)]).await;
    }
    engine.set_away(true);
    for name in ["one", "other"] {
        ids.push(platform.client.invoke_async(&function(name), json("{}")).await.unwrap().id);
    }
    // Pauses of up to five minutes, by the store's clock.
    let pauses_are_over = || {
        let due = "UPDATE invocations SET due_at = 0, message_at = 0
                   WHERE state = 'retrying' AND publications = 0";
        psql(url.expose(), due);
    };
    let failed = async |id: InvocationId| {
        let record = platform.client.record(id, None).await.unwrap();
        assert!(!record.state.is_terminal(), "{record:?}");
        record.attempts.iter().filter(|attempt| attempt.error.is_some()).count()
    };
    let seen = AtomicUsize::new(0);
    eventually_within(3 * SOON, "each was claimed again and again", async || {
        let counts = [failed(ids[0]).await, failed(ids[1]).await];
        if seen.swap(counts[0] + counts[1], Ordering::SeqCst) != counts[0] + counts[1] {
            pauses_are_over();
        }
        counts.iter().all(|count| *count >= CLAIMS).then_some(())
    })
    .await;

    engine.set_away(false);
    for id in ids {
        let record = eventually_within(SOON, "it runs", async || {
            pauses_are_over();
            Some(platform.client.record(id, Some(Duration::from_secs(1))).await.unwrap())
                .filter(|record| record.state.is_terminal())
        })
        .await;
        assert_eq!((record.state, record.dead_letter), (State::Succeeded, false), "{record:?}");
        assert!(record.attempts.len() > CLAIMS, "{record:?}");
    }
    for manager in managers {
        manager.stop().await;
    }
    platform.stop().await;
}

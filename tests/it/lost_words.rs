//! What a caller is told, and what is recorded, when words between a manager and a scheduler are lost, or the manager is.

use std::{
    ffi::OsString,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloudfunc::{
    app::Role,
    client::{Error, Outcome, RecordFilter},
    lifecycle::{Ending, Kind},
    model::{State, code, message::Verdict},
    settings::Platform,
};
use rustix::process::Signal;

use crate::support::{
    beside::{Beside, Between, EngineSwitch, Fate, verdict},
    eventually, eventually_within,
    home::SOON,
    platform::{Stack, TestPlatform},
    process::Process,
    waiter::{begun, call, deploy_waiter, go, has_begun},
};

/// Without a manager: the test starts one.
async fn start(test: &str, change: impl FnOnce(&mut Platform)) -> Option<TestPlatform> {
    let roles = [Role::Gateway, Role::Registry, Role::Scheduler];
    let stack = Stack::named("sqlite_rabbitmq_process");
    TestPlatform::start_roles(stack, test, &roles, change).await
}

/// A manager on this way to the broker.
async fn manager(platform: &TestPlatform, queue: Arc<Between>) -> Beside {
    Beside::start(platform, &Arc::<EngineSwitch>::default(), queue).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_broker_does_not_take_is_repeated_until_it_does() {
    let test = "lost_words::an_answer_that_the_broker_does_not_take_is_repeated_until_it_does";
    let Some(platform) = start(test, |_| {}).await else { return };
    let tried = Arc::<AtomicUsize>::default();
    let counting = tried.clone();
    let queue = Between::new(platform.queue().await, move |to, message| match verdict(to, message) {
        Some(Verdict::Succeeded) if counting.fetch_add(1, Ordering::SeqCst) < 5 => Fate::Refused,
        _ => Fate::Sent,
    });
    let manager = manager(&platform, queue).await;
    platform.deploy("quick", &[("function.py", "def handler(event):\n    return 7\n")]).await;
    assert_eq!(platform.value("quick", "{}").await, "7");
    assert_eq!(tried.load(Ordering::SeqCst), 6, "five times in vain");
    manager.stop().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_waits_for_a_long_run_though_the_first_word_of_it_was_lost() {
    let test = "lost_words::a_caller_waits_for_a_long_run_though_the_first_word_of_it_was_lost";
    let started = start(test, |platform| platform.limits.queue_wait = Duration::from_secs(6));
    let Some(platform) = started.await else { return };
    let words = Arc::<AtomicUsize>::default();
    let counting = words.clone();
    let queue = Between::new(platform.queue().await, move |to, message| match verdict(to, message) {
        Some(Verdict::Underway) if counting.fetch_add(1, Ordering::SeqCst) == 0 => Fate::Lost,
        _ => Fate::Sent,
    });
    let manager = manager(&platform, queue).await;
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(&platform, "one").await;
    let call = call(&platform, folder.path(), 1);
    has_begun(folder.path(), 1).await;
    // The first after a second, and one every two seconds: with five of them it has run for nine seconds at least, and a
    // caller of whose call nobody speaks is answered after eight and a half.
    eventually("it is spoken of again and again", async || {
        (words.load(Ordering::SeqCst) >= 5).then_some(())
    })
    .await;
    go(folder.path());
    let answer = call.await.unwrap().unwrap();
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    manager.stop().await;
    platform.stop().await;
}

/// Nobody is there to be told, and what is known is not that it did not run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_hung_up_and_whose_answer_was_lost_is_recorded_as_interrupted() {
    let test =
        "lost_words::a_call_whose_caller_hung_up_and_whose_answer_was_lost_is_recorded_as_interrupted";
    let started = start(test, |platform| platform.limits.queue_wait = Duration::from_millis(500));
    let Some(platform) = started.await else { return };
    let queue = Between::new(platform.queue().await, |to, message| match verdict(to, message) {
        Some(_) => Fate::Lost,
        None => Fate::Sent,
    });
    let manager = manager(&platform, queue).await;
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(&platform, "one").await;
    let call = call(&platform, folder.path(), 1);
    has_begun(folder.path(), 1).await;
    call.abort();
    go(folder.path());
    let record = eventually("it has ended", async || {
        let records = platform.client.records(&RecordFilter::default()).await.unwrap().items;
        records.into_iter().find(|record| record.state.is_terminal())
    })
    .await;
    assert_eq!(Ending::of_record(&record).unwrap().kind(), Kind::Interrupted, "{record:?}");
    manager.stop().await;
    platform.stop().await;
}

/// One that has not been spoken of when its manager is killed, and one that has. Their messages have expired when the
/// manager is back, so nobody is given them a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_manager_is_killed_and_comes_back_late_may_have_run() {
    const WAIT: Duration = Duration::from_secs(4);
    let test = "lost_words::a_call_whose_manager_is_killed_and_comes_back_late_may_have_run";
    let started = start(test, |platform| platform.limits.queue_wait = WAIT);
    let Some(platform) = started.await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut manager = program(&platform, "first").await;
    deploy_waiter(&platform, "one").await;
    for (n, is_spoken_of) in [(1, false), (2, true)] {
        let call = call(&platform, folder.path(), n);
        has_begun(folder.path(), n).await;
        if is_spoken_of {
            eventually("the scheduler knows who has it", async || {
                let filter = RecordFilter { state: Some(State::Running), ..RecordFilter::default() };
                (platform.client.records(&filter).await.unwrap().items.len() == 1).then_some(())
            })
            .await;
        }
        manager.signal(Signal::KILL);
        assert_eq!(manager.ended(SOON).await, None);
        let killed = Instant::now();
        eventually("its message has expired", async || (killed.elapsed() > WAIT).then_some(())).await;
        manager = program(&platform, &format!("after-{n}")).await;
        let answer = tokio::time::timeout(SOON, call).await.expect("it is answered").unwrap();
        let Err(Error::Problem(problem)) = answer else { panic!("{answer:?}") };
        assert_eq!((&*problem.code, problem.retry_safe), (code::INTERRUPTED.code, false), "{problem:?}");
        let record = platform.client.record(problem.invocation_id.unwrap(), None).await.unwrap();
        assert_eq!(Ending::of_record(&record).unwrap().kind(), Kind::Interrupted, "{record:?}");
        assert_eq!(begun(folder.path(), n).len(), 1);
    }
    // It serves again.
    go(folder.path());
    let answer = eventually_within(SOON, "the next one is answered", async || {
        call(&platform, folder.path(), 3).await.unwrap().ok()
    });
    assert!(matches!(answer.await.outcome, Outcome::Value(_)));
    manager.signal(Signal::TERM);
    assert_eq!(manager.ended(SOON).await, Some(0), "{}", manager.stderr());
    platform.stop().await;
}

/// The manager of this platform as a program, ready.
async fn program(platform: &TestPlatform, name: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin"));
    command.arg("manager").env_clear().env("PATH", path).env("HOME", &platform.platform.data_dir);
    command.envs(platform.platform.environment());
    let mut process = Process::start(command, &platform.platform.data_dir, name);
    process.says("manager ready", SOON).await;
    process
}

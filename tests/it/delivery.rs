//! The promises of delivery under the schedules that would break them: what waits, what is lost, what is killed.
//! GUARANTEES.md names these tests.

mod store;

use std::{path::Path, time::Duration};

use cloudfunc::{
    app::Role,
    client::Outcome,
    lifecycle::Kind,
    model::{
        FunctionId, InvocationId, Mode, OwnerId, Record, RevisionNumber, State, code,
        message::{self, Invoke, Outcome as Reported, Parcel, Verdict},
    },
    queue::{Address, Message},
    store::{Claiming, Wanted},
};
use rustix::process::Signal;

use crate::{
    need, on_stack,
    support::{
        eventually, eventually_within,
        platform::{Stack, TestPlatform, function, json},
        postgres::psql,
        waiter::{begun, deploy_waiter, go, has_begun, payload},
    },
};

/// Longer than a lease that is not renewed is waited for, and the way to the next attempt.
const LOST: Duration = Duration::from_secs(40);

on_stack! {
    light:
    what_waits_is_queued_and_runs_the_code_that_is_active_when_it_begins
    what_waits_when_its_function_is_deleted_never_begins
    a_deleted_functions_waiting_callers_are_told_at_once
    a_restart_costs_what_waits_no_attempt
    a_lost_lease_stops_what_runs_and_its_manager_goes_on_as_a_new_owner
}

mod killed {
    use super::{
        a_call_whose_instance_is_killed_from_outside_is_interrupted,
        a_kill_from_outside_is_no_crash_of_the_function,
    };
    use crate::on_stack;

    on_stack! {
        real:
        a_kill_from_outside_is_no_crash_of_the_function
        a_call_whose_instance_is_killed_from_outside_is_interrupted
    }
    on_stack! {
        oci:
        a_kill_from_outside_is_no_crash_of_the_function
        a_call_whose_instance_is_killed_from_outside_is_interrupted
    }
}

async fn accept(platform: &TestPlatform, folder: &Path, n: u32) -> InvocationId {
    let (name, payload) = (function("waiter"), json(&payload(folder, n)));
    platform.client.invoke_async(&name, payload).await.unwrap().id
}

async fn record(platform: &TestPlatform, id: InvocationId) -> Record {
    platform.client.record(id, None).await.unwrap()
}

async fn end_of(platform: &TestPlatform, id: InvocationId) -> Record {
    eventually_within(LOST, "it ends", async || {
        Some(record(platform, id).await).filter(|record| record.state.is_terminal())
    })
    .await
}

/// One runs and two wait behind it; none of them has more than its turn.
async fn one_runs_and_two_wait(platform: &TestPlatform, folder: &Path) -> [InvocationId; 3] {
    deploy_waiter(platform, "one").await;
    let first = accept(platform, folder, 1).await;
    has_begun(folder, 1).await;
    [first, accept(platform, folder, 2).await, accept(platform, folder, 3).await]
}

async fn what_waits_is_queued_and_runs_the_code_that_is_active_when_it_begins(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let ids = one_runs_and_two_wait(platform, folder.path()).await;
    // Their messages are with the manager by now; that is no attempt.
    deploy_waiter(platform, "two").await;
    for id in &ids[1..] {
        let waiting = record(platform, *id).await;
        assert_eq!((waiting.state, waiting.attempts.len()), (State::Queued, 0));
    }
    go(folder.path());
    for (id, n, version) in [(ids[0], 1, "one"), (ids[1], 2, "two"), (ids[2], 3, "two")] {
        let ended = end_of(platform, id).await;
        assert_eq!((ended.state, ended.attempts.len()), (State::Succeeded, 1), "{ended:?}");
        assert_eq!(begun(folder.path(), n), [version]);
        let revision = ended.attempts[0].revision;
        assert_eq!(revision, Some(RevisionNumber(if version == "one" { 1 } else { 2 })));
    }
}

async fn what_waits_when_its_function_is_deleted_never_begins(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let ids = one_runs_and_two_wait(platform, folder.path()).await;
    platform.client.delete(&function("waiter")).await.unwrap();
    go(folder.path());
    assert_eq!(end_of(platform, ids[0]).await.state, State::Succeeded, "what runs is finished");
    for (id, n) in [(ids[1], 2), (ids[2], 3)] {
        let ended = end_of(platform, id).await;
        assert_eq!((ended.state, ended.attempts.len()), (State::Cancelled, 0), "{ended:?}");
        assert!(begun(folder.path(), n).is_empty());
    }
}

async fn a_deleted_functions_waiting_callers_are_told_at_once(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(platform, "one").await;
    let call = |n| {
        let (client, body) = (platform.client.clone(), json(&payload(folder.path(), n)));
        tokio::spawn(async move { client.invoke(&function("waiter"), body).await })
    };
    let first = call(1);
    has_begun(folder.path(), 1).await;
    let second = call(2);
    eventually("it is in the manager's hands", async || {
        let records = platform.client.records(&cloudfunc::client::RecordFilter::default()).await.ok()?;
        (records.items.len() == 2).then_some(())
    })
    .await;
    platform.client.delete(&function("waiter")).await.unwrap();
    let Ok(Err(cloudfunc::client::Error::Problem(problem))) = second.await else { panic!("it is told") };
    assert_eq!((&*problem.code, problem.status), (code::FUNCTION_NOT_FOUND.code, 404), "{problem:?}");
    let told =
        "function 'waiter' was deleted while the invocation waited for an instance; it did not run";
    assert_eq!(problem.detail, told);
    let ended = end_of(platform, problem.invocation_id.unwrap()).await;
    let deleted = Some(cloudfunc::model::Reason::FunctionDeleted);
    assert_eq!((ended.state, ended.reason, ended.attempts.len()), (State::Cancelled, deleted, 0));
    go(folder.path());
    let answer = first.await.unwrap().unwrap();
    assert!(matches!(answer.outcome, Outcome::Value(_)));
    assert!(begun(folder.path(), 2).is_empty());
}

async fn a_restart_costs_what_waits_no_attempt(platform: &TestPlatform) {
    // A platform of its own, which can be restarted.
    let Some(mut platform) = TestPlatform::start(platform.stack, "a_restart").await else { return };
    let folder = tempfile::tempdir().unwrap();
    platform.platform.limits.stop_grace = Duration::from_millis(200);
    let ids = one_runs_and_two_wait(&platform, folder.path()).await;
    for _ in 0..3 {
        platform.restart().await;
    }
    go(folder.path());
    for id in &ids[1..] {
        let ended = end_of(&platform, *id).await;
        assert_eq!((ended.state, ended.attempts.len()), (State::Succeeded, 1), "{ended:?}");
    }
    // The one that ran was lost with each of its managers, and its record says so.
    let first = end_of(&platform, ids[0]).await;
    assert_eq!(first.state, State::Succeeded);
    assert_eq!(first.attempts.len(), begun(folder.path(), 1).len(), "{first:?}");
    platform.stop().await;
}

/// Somebody ends the lease of this manager: what it has claimed is another's, here its own in its next life.
async fn a_lost_lease_stops_what_runs_and_its_manager_goes_on_as_a_new_owner(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(platform, "one").await;
    let id = accept(platform, folder.path(), 1).await;
    has_begun(folder.path(), 1).await;
    let store = platform.store().await;
    let leases = store.leases().await.unwrap();
    let ended: Vec<OwnerId> = leases.iter().map(|lease| lease.owner).collect();
    assert_eq!(ended.len(), 1);
    eventually("the lease is ended", async || {
        let lease = store.leases().await.unwrap()[0];
        store.end_lease(&lease).await.unwrap().then_some(())
    })
    .await;
    let begun_twice = async || (begun(folder.path(), 1).len() == 2).then_some(());
    eventually_within(LOST, "the next attempt begins", begun_twice).await;
    go(folder.path());
    let ended_once = end_of(platform, id).await;
    assert_eq!(ended_once.state, State::Succeeded, "{ended_once:?}");
    let outcomes: Vec<_> = ended_once.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [None, Some(State::Succeeded)]);
    let leases = store.leases().await.unwrap();
    assert!(leases.len() == 1 && leases[0].owner != ended[0], "it is a new owner");
    let left = eventually("its instance is reported under its new name", async || {
        let instances = store.instances(None).await.unwrap();
        (instances.len() == 1).then_some(instances)
    });
    assert_eq!(left.await.len(), 1, "the one that was stopped is gone");
    store.close().await;
}

const SLEEPER: &str = "import os, time\n\n\ndef handler(event):\n    print('begun', flush=True)\n    time.sleep(event['seconds'])\n    return os.getpid()\n";

async fn a_kill_from_outside_is_no_crash_of_the_function(platform: &TestPlatform) {
    platform.deploy("sleeper", &[("function.py", SLEEPER)]).await;
    let (name, payload) = (function("sleeper"), json(r#"{"seconds": 3}"#));
    let id = platform.client.invoke_async(&name, payload).await.unwrap().id;
    kill_the_instance(platform).await;
    let ended = end_of(platform, id).await;
    assert_eq!(ended.state, State::Succeeded, "{ended:?}");
    let outcomes: Vec<_> = ended.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [None, Some(State::Succeeded)]);
    let error = ended.attempts[0].error.as_ref().expect("it says why");
    assert_eq!(error.kind, "platform");
    assert!(error.message.contains("from outside"), "{error:?}");
}

/// It is not run again, and nothing is said of the function.
async fn a_call_whose_instance_is_killed_from_outside_is_interrupted(platform: &TestPlatform) {
    platform.deploy("sleeper", &[("function.py", SLEEPER)]).await;
    let call = platform.problem("sleeper", r#"{"seconds": 20}"#);
    let (problem, ()) = tokio::join!(call, kill_the_instance(platform));
    let told = (&*problem.code, problem.status, problem.retry_safe);
    assert_eq!(told, (code::INTERRUPTED.code, 502, false), "{problem:?}");
    assert_eq!((problem.error_type, problem.trace), (None, None));
    let id = problem.invocation_id.unwrap();
    assert_eq!(
        problem.detail,
        format!(
            "the instance of 'sleeper' was lost while it ran the invocation {id}: its process exited with code 137 \
             (signal SIGKILL): it was killed from outside, or sent the signal to itself; whether it did its work is not \
             known"
        )
    );
    let record = record(platform, problem.invocation_id.unwrap()).await;
    let kind = cloudfunc::lifecycle::Ending::of_record(&record).unwrap().kind();
    assert_eq!(kind, Kind::Interrupted, "{record:?}");
}

/// By a signal that no function can send itself.
async fn kill_the_instance(platform: &TestPlatform) {
    eventually("it runs", async || {
        let lines = platform.get("/v1/functions/sleeper/logs");
        lines.send().await.ok()?.text().await.ok()?.contains("begun").then_some(())
    })
    .await;
    let reported = async || platform.sandboxes("sleeper").await.pop_first();
    let sandbox = eventually("its instance is reported", reported).await;
    if platform.stack.runtime() == cloudfunc::runtime::Kind::Docker {
        let killed = std::process::Command::new("docker").args(["kill", &sandbox]).output().unwrap();
        assert!(killed.status.success(), "{killed:?}");
        return;
    }
    // Its mounts are out of the platform's folder.
    let folder = platform.platform.data_dir.display().to_string();
    let folder = folder.rsplit('/').nth(1).unwrap();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let inside = pids.filter(|pid| {
        let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        mounts.contains(folder)
    });
    let inside: Vec<_> = inside.collect();
    assert!(!inside.is_empty(), "its process is found");
    for pid in inside.into_iter().filter_map(rustix::process::Pid::from_raw) {
        // One that was making a container may have ended by itself.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// Nobody has taken it, or somebody has and was lost with it: the scheduler cannot know, and does not say that a repeat
/// is safe.
#[tokio::test]
async fn silence_is_not_answered_as_throttled() {
    let test = "delivery::silence_is_not_answered_as_throttled";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let roles = [Role::Gateway, Role::Registry, Role::Scheduler, Role::Manager];
    let started = TestPlatform::start_roles(stack, test, &roles, |platform| {
        platform.limits.queue_wait = Duration::from_millis(500);
    });
    let Some(platform) = started.await else { return };
    platform.deploy("quick", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    let store = platform.store().await;
    let found = store.function(&function("quick")).await.unwrap().unwrap();
    // A consumer that takes every message and never says a word, as a host does that loses its power.
    let queue = platform.queue().await;
    let options = cloudfunc::queue::ConsumeOptions { prefetch: 10, priority: 100 };
    let address = Address::Function(found.id, Mode::Sync);
    let mut silent = queue.consume(&address, options).await.unwrap();
    let call = platform.problem("quick", "{}");
    let taken = async { silent.next().await.expect("it takes the message") };
    let (problem, _held) = tokio::join!(call, taken);
    assert_eq!((&*problem.code, problem.status), (code::INTERRUPTED.code, 502));
    assert!(!problem.retry_safe);
    let record = record(&platform, problem.invocation_id.unwrap()).await;
    assert_eq!(cloudfunc::lifecycle::Ending::of_record(&record).unwrap().kind(), Kind::Interrupted);
    queue.close().await;
    store.close().await;
    platform.stop().await;
}

/// Clocks of hosts differ: the time that a message says is left counts from when the manager takes it. Of an earlier
/// version's there is only a moment, which counts for no longer than anybody waits.
#[tokio::test]
async fn a_callers_time_is_counted_by_the_manager_whatever_its_clock_says() {
    let test = "delivery::a_callers_time_is_counted_by_the_manager_whatever_its_clock_says";
    let started = TestPlatform::start_with(Stack::named("sqlite_rabbitmq_process"), test, |platform| {
        platform.limits.queue_wait = Duration::from_millis(1500);
    });
    let Some(platform) = started.await else { return };
    let (free, held) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    go(free.path());
    deploy_waiter(&platform, "one").await;
    platform.value("waiter", &payload(free.path(), 0)).await;
    let store = platform.store().await;
    let queue = platform.queue().await;
    let found = store.function(&function("waiter")).await.unwrap().unwrap();
    let (Address::Reply(reply_to), mut replies) = queue.open_replies().await.unwrap() else {
        panic!("it is a reply address")
    };
    let now = jiff::Timestamp::now().as_millisecond();
    let (past, future) = (now - 10_000, now + 3_600_000);
    let message = |deadline, left| Invoke {
        v: message::VERSION,
        id: InvocationId::new(),
        mode: Mode::Sync,
        function: found.id,
        name: function("waiter"),
        revision: found.active_revision,
        accepted_at_ms: deadline,
        slot_deadline_ms: Some(deadline),
        slot_left_ms: left,
        content_type: "application/json".to_owned(),
        headers: Default::default(),
        header_list: None,
        http: None,
        reply_to: Some(reply_to.clone()),
    };
    let mut send = async |invoke: Invoke| {
        let (id, body) = (invoke.id, payload(free.path(), 1));
        let message = Message { parcel: Parcel::new(invoke, body.into()), expires: None };
        let address = Address::Function(found.id, Mode::Sync);
        queue.publish(&address, message).await.unwrap();
        loop {
            let reply = tokio::time::timeout(LOST, replies.next()).await.expect("it is answered");
            let (outcome, _) = reply.unwrap().parcel.open::<Reported>().unwrap();
            assert_eq!(outcome.id, id);
            if outcome.verdict != Verdict::Underway {
                return outcome.verdict;
            }
        }
    };
    let throttled = |verdict: &Verdict| matches!(verdict, Verdict::NotRun { throttled: true, .. });
    // Its scheduler's clock is ten seconds behind.
    assert_eq!(send(message(past, Some(1500))).await, Verdict::Succeeded);

    // From here on the only instance is busy.
    let call = {
        let (client, body) = (platform.client.clone(), json(&payload(held.path(), 2)));
        tokio::spawn(async move { client.invoke(&function("waiter"), body).await })
    };
    has_begun(held.path(), 2).await;
    for (what, invoke) in [
        ("nothing is left, by a clock that is ahead", message(future, Some(0))),
        ("an earlier version's moment is over", message(past, None)),
        ("an earlier version's moment is in an hour", message(future, None)),
    ] {
        let verdict = send(invoke).await;
        assert!(throttled(&verdict), "{what}: {verdict:?}");
    }
    go(held.path());
    let answer = call.await.unwrap().unwrap();
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    queue.close().await;
    store.close().await;
    platform.stop().await;
}

/// The store refuses outcomes, for a reason that will not pass by itself: they wait, and everybody is told.
#[tokio::test]
async fn outcomes_that_the_store_refuses_wait_until_it_takes_them() {
    let test = "delivery::outcomes_that_the_store_refuses_wait_until_it_takes_them";
    let server = need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let role = format!("cf{}", uuid::Uuid::now_v7().simple());
    psql(&server, &format!("CREATE ROLE {role} LOGIN"));
    let stack = Stack::named("postgres_embedded_process");
    let mut database = String::new();
    let started = TestPlatform::start_with(stack, test, |platform| {
        let cloudfunc::store::Config::Postgres { url } = &platform.store else {
            panic!("it is Postgres")
        };
        database = url.expose().to_owned();
        let name = database.rsplit('/').next().unwrap();
        psql(&server, &format!("ALTER DATABASE {name} OWNER TO {role}"));
        let mut as_role = url::Url::parse(&database).unwrap();
        as_role.set_username(&role).unwrap();
        platform.store = as_role.as_str().parse().unwrap();
    });
    let Some(platform) = started.await else { return };
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(&platform, "one").await;
    let id = accept(&platform, folder.path(), 1).await;
    has_begun(folder.path(), 1).await;
    psql(&database, &format!("REVOKE UPDATE ON invocations FROM {role}"));
    go(folder.path());
    eventually("the scheduler says what it waits for", async || {
        let answer =
            platform.request(Role::Scheduler, reqwest::Method::GET, "/readyz").send().await.ok()?;
        answer.text().await.ok()?.contains("outcomes cannot be stored").then_some(())
    })
    .await;
    assert_eq!(record(&platform, id).await.state, State::Running);
    psql(&database, &format!("GRANT UPDATE ON invocations TO {role}"));
    let ended = end_of(&platform, id).await;
    assert_eq!((ended.state, ended.attempts.len()), (State::Succeeded, 1), "{ended:?}");
    platform.stop().await;
    psql(&server, &format!("DROP ROLE {role}"));
}

/// A constraint stands for whatever makes one row impossible.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_the_store_refuses_alone_ends_its_invocation_and_holds_up_no_other() {
    let test =
        "delivery::an_outcome_that_the_store_refuses_alone_ends_its_invocation_and_holds_up_no_other";
    let stack = Stack::named("postgres_embedded_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let cloudfunc::store::Config::Postgres { url } = &platform.platform.store else {
        panic!("it is Postgres")
    };
    platform.deploy("echo", &[("function.py", "def handler(event):\n    return event\n")]).await;
    psql(url.expose(), "ALTER TABLE invocations ADD CHECK (convert_from(result, 'UTF8') <> 'poison')");
    let (refused, other) =
        tokio::join!(platform.run_async("echo", "\"poison\""), platform.run_async("echo", "\"fine\""));
    assert_eq!((refused.state, refused.dead_letter), (State::Failed, true), "{refused:?}");
    assert_eq!((other.state, other.attempts.len()), (State::Succeeded, 1), "{other:?}");
    platform.stop().await;
}

/// An outcome that only a newer version understands is not acked: that version's scheduler takes it.
#[tokio::test]
async fn an_outcome_that_cannot_be_read_is_left_to_others() {
    let test = "delivery::an_outcome_that_cannot_be_read_is_left_to_others";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let queue = platform.queue().await;
    let newer = serde_json::json!({ "v": message::VERSION + 1 });
    let parcel = Parcel::from(message::encode(&newer, b""));
    queue.publish(&Address::Outcomes, Message { parcel, expires: None }).await.unwrap();
    let options = cloudfunc::queue::ConsumeOptions { prefetch: 1, priority: 100 };
    let mut other = queue.consume(&Address::Outcomes, options).await.unwrap();
    let taken = tokio::time::timeout(LOST, other.next()).await.expect("it comes back").unwrap();
    assert!(taken.parcel.open::<Reported>().is_err());
    taken.ack().await.unwrap();
    queue.close().await;
    platform.stop().await;
}

/// The report of an invocation whose outcome was lost, as a manager sends it: it is run again, and the record says so.
#[tokio::test]
async fn an_attempt_that_is_reported_as_lost_is_followed_by_another_one() {
    let test = "delivery::an_attempt_that_is_reported_as_lost_is_followed_by_another_one";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    go(folder.path());
    deploy_waiter(&platform, "one").await;
    let store = platform.store().await;
    let queue = platform.queue().await;
    let found = store.function(&function("waiter")).await.unwrap().unwrap();
    // Another host claims it, and its outcome is lost.
    let owner = OwnerId::new();
    let ttl = Duration::from_secs(60);
    store.take_lease(owner, cloudfunc::model::ManagerId::new(), ttl).await.unwrap();
    let id = invocation_of(&store, found.id, folder.path()).await;
    let wanted = [Wanted { id, revision: RevisionNumber(1) }];
    let claimed = store.claim(&wanted, owner).await.unwrap();
    assert!(matches!(claimed[0], Claiming::Granted(_)), "{claimed:?}");
    let running = store.running(owner).await.unwrap();
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].id, running[0].attempt, running[0].function), (id, 1, found.id));
    let claimed = message::Claimed {
        function: found.id,
        accepted_at_ms: running[0].accepted_at.as_millisecond(),
        failures: 0,
        losses: 0,
        token: running[0].token,
    };
    let outcome = Reported {
        v: message::VERSION,
        id,
        attempt: 1,
        owner: Some(owner),
        revision: RevisionNumber(1),
        instance: None,
        start: None,
        prewarmed: false,
        verdict: Verdict::Unfinished { reason: "its outcome was lost on its way".to_owned() },
        content_type: None,
        http: None,
        phases: cloudfunc::model::Phases::new(),
        manager_ms: 0.0,
        lines: None,
        claimed: Some(claimed),
    };
    let parcel = Parcel::new(outcome, bytes::Bytes::new());
    queue.publish(&Address::Outcomes, Message { parcel, expires: None }).await.unwrap();
    let ended = end_of(&platform, id).await;
    let outcomes: Vec<_> = ended.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!((ended.state, &outcomes[..]), (State::Succeeded, &[None, Some(State::Succeeded)][..]));
    queue.close().await;
    store.close().await;
    platform.stop().await;
}

/// The broker has confirmed an outcome and loses it, with a disk or a purge. Its manager notices, and what it reports has the
/// invocation run again.
#[tokio::test]
async fn an_outcome_that_the_broker_loses_is_missed_by_its_manager_and_the_invocation_runs_again() {
    let test = "delivery::an_outcome_that_the_broker_loses_is_missed_by_its_manager_and_the_invocation_runs_again";
    let stack = Stack::named("sqlite_rabbitmq_process");
    let started = TestPlatform::start_with(stack, test, |platform| {
        platform.limits.outcome_wait = Duration::from_secs(4);
    });
    let Some(platform) = started.await else { return };
    let folder = tempfile::tempdir().unwrap();
    deploy_waiter(&platform, "one").await;
    // It gets the outcome before the scheduler does.
    let queue = platform.queue().await;
    let options = cloudfunc::queue::ConsumeOptions { prefetch: 1, priority: 100 };
    let mut first = queue.consume(&Address::Outcomes, options).await.unwrap();
    let id = accept(&platform, folder.path(), 1).await;
    has_begun(folder.path(), 1).await;
    go(folder.path());
    let taken = tokio::time::timeout(LOST, first.next()).await.expect("it has ended").unwrap();
    let (outcome, _) = taken.parcel.open::<Reported>().unwrap();
    assert_eq!((outcome.id, outcome.verdict), (id, Verdict::Succeeded));
    taken.ack().await.unwrap();
    drop(first);
    queue.close().await;

    let ended = end_of(&platform, id).await;
    let outcomes: Vec<_> = ended.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!((ended.state, &outcomes[..]), (State::Succeeded, &[None, Some(State::Succeeded)][..]));
    let error = ended.attempts[0].error.as_ref().expect("it says why");
    assert_eq!(error.message, "its outcome was lost on its way");
    assert_eq!(begun(folder.path(), 1).len(), 2);
    platform.stop().await;
}

/// A row that nobody has published yet.
async fn invocation_of(
    store: &std::sync::Arc<dyn cloudfunc::store::Store>,
    of: FunctionId,
    folder: &Path,
) -> InvocationId {
    let row = cloudfunc::store::NewInvocation {
        id: InvocationId::new(),
        function: of,
        name: function("waiter"),
        payload: json(&payload(folder, 1)),
        headers: "{}".to_owned(),
        http: None,
        accepted_at: jiff::Timestamp::now(),
        parent: None,
        announcement: cloudfunc::store::Announcement::ToBeNoted,
    };
    assert_eq!(store.accept(std::slice::from_ref(&row)).await.unwrap(), [true]);
    row.id
}

//! The store takes no writes, is away, or lets nobody in, while invocations run.

use std::time::{Duration, Instant};

use cloudfunc::{
    app::Role,
    client::Outcome,
    model::{InvocationId, OwnerId, Record, State},
    store::{self, Lease, Store},
};

use super::{LOST, accept};
use crate::{
    need,
    support::{
        eventually, eventually_within,
        platform::{Stack, TestPlatform, function, json},
        postgres::{Server, psql},
        proxy::Proxy,
        waiter::{begun, go, has_begun, payload, waiter},
    },
};

/// Longer than a manager counts as alive that does not renew its lease, by looks that are a little late.
const PAST_PATIENCE: Duration = Duration::from_secs(14);
/// What runs here outlasts that.
const LONG: &str = "timeout = \"5m\"\n[scaling]\nmax_instances = 1\n";

async fn deploy_long_waiter(platform: &TestPlatform) {
    let files = [("function.py", &waiter("one")[..]), ("cloudfunc.toml", LONG)];
    platform.deploy("waiter", &files).await;
}

fn postgres_url(config: &store::Config) -> String {
    let store::Config::Postgres { url } = config else { panic!("it is Postgres") };
    url.expose().to_owned()
}

/// Returns the leases once they have stood still for longer than anybody has patience. None may be ended meanwhile.
async fn leases_while_nobody_renews(store: &dyn Store) -> Vec<Lease> {
    // A session that was ended is replaced.
    let leases = eventually("leases are read", async || store.leases().await.ok()).await;
    let since = Instant::now();
    eventually_within(LOST, "they were watched for long enough", async || {
        if let Ok(now) = store.leases().await {
            assert_eq!(now, leases, "neither renewed nor ended");
        }
        (since.elapsed() > PAST_PATIENCE).then_some(())
    })
    .await;
    leases
}

fn owners(leases: &[Lease]) -> Vec<OwnerId> {
    leases.iter().map(|lease| lease.owner).collect()
}

/// Waits for an end; a store that has just come back may not answer yet.
async fn end_of(platform: &TestPlatform, id: InvocationId) -> Record {
    eventually_within(LOST, "it ends", async || {
        platform.client.record(id, None).await.ok().filter(|record| record.state.is_terminal())
    })
    .await
}

/// Makes all transactions of a database read-only, as those of a server that fails over are, or lets them write again. It
/// counts from a session's beginning, so those of now end.
fn set_read_only(server: &str, database: &str, value: &str) {
    psql(server, &format!("ALTER DATABASE {database} SET default_transaction_read_only = {value}"));
    let of_database = format!("FROM pg_stat_activity WHERE datname = '{database}'");
    psql(server, &format!("SELECT count(pg_terminate_backend(pid)) {of_database}"));
}

/// Its manager cannot renew its lease then, and can answer all the same.
#[tokio::test]
async fn a_call_gets_its_own_answer_while_the_store_takes_no_writes() {
    let test = "delivery::store::a_call_gets_its_own_answer_while_the_store_takes_no_writes";
    let server = need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    deploy_long_waiter(&platform).await;
    let store = platform.store().await;
    let url = postgres_url(&platform.platform.store);
    let database = url.rsplit('/').next().unwrap();

    set_read_only(&server, database, "on");
    let call = {
        let (client, body) = (platform.client.clone(), json(&payload(folder.path(), 1)));
        tokio::spawn(async move { client.invoke(&function("waiter"), body).await })
    };
    has_begun(folder.path(), 1).await;
    let leases = leases_while_nobody_renews(&*store).await;
    assert_eq!(leases.len(), 1);
    go(folder.path());
    let answer = call.await.unwrap().unwrap();
    assert!(matches!(&answer.outcome, Outcome::Value(body) if body.bytes == "1"), "{answer:?}");

    set_read_only(&server, database, "off");
    let id = eventually("it is accepted again", async || {
        let (name, body) = (function("waiter"), json(&payload(folder.path(), 2)));
        platform.client.invoke_async(&name, body).await.ok().map(|accepted| accepted.id)
    })
    .await;
    assert_eq!(end_of(&platform, id).await.state, State::Succeeded);
    store.close().await;
    platform.stop().await;
}

/// Renewals fail while this is there; whether a lease is ended is left to those who watch it.
const NO_RENEWALS: &str = "CREATE FUNCTION no_renewals() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'not yet'; END $$;
    CREATE TRIGGER no_renewals BEFORE UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION no_renewals()";

/// Its lease has stood still for longer than anybody has patience when the first look gets through again, before any
/// renewal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_while_the_store_is_away_for_longer_than_a_lease_runs_once() {
    let test = "delivery::store::what_runs_while_the_store_is_away_for_longer_than_a_lease_runs_once";
    let server = url::Url::parse(&need!("CLOUDFUNC_TEST_POSTGRES_URL")).unwrap();
    let target = format!("{}:{}", server.host_str().unwrap(), server.port().unwrap_or(5432));
    let proxy = Proxy::start(target).await;
    let mut direct = String::new();
    let stack = Stack::named("postgres_rabbitmq_process");
    let started = TestPlatform::start_with(stack, test, |platform| {
        direct = postgres_url(&platform.store);
        let mut behind = url::Url::parse(&direct).unwrap();
        behind.set_host(Some("127.0.0.1")).unwrap();
        behind.set_port(Some(proxy.port())).unwrap();
        platform.store = behind.as_str().parse().unwrap();
    });
    let Some(platform) = started.await else { return };
    let store = store::connect(&direct.parse().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    deploy_long_waiter(&platform).await;
    let id = accept(&platform, folder.path(), 1).await;
    has_begun(folder.path(), 1).await;

    proxy.refuse(true);
    proxy.cut();
    let before = leases_while_nobody_renews(&*store).await;
    psql(&direct, NO_RENEWALS);
    let back = psql(&direct, "SELECT clock_timestamp()");
    proxy.refuse(false);
    let looking = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_start > '{}'
         AND query LIKE 'SELECT owner, renewals%'",
        back.trim()
    );
    let looks = async || (psql(&direct, &looking).trim() != "0").then_some(());
    eventually("somebody looks at leases again", looks).await;
    let since = Instant::now();
    eventually("more looks were made", async || {
        assert_eq!(
            store.leases().await.unwrap(),
            before,
            "it has been away itself, and shows no silence"
        );
        (since.elapsed() > Duration::from_secs(2)).then_some(())
    })
    .await;
    psql(&direct, "DROP TRIGGER no_renewals ON leases");
    let renewed = async || Some(store.leases().await.unwrap()).filter(|leases| *leases != before);
    let after = eventually("the lease is renewed", renewed).await;
    assert_eq!(owners(&after), owners(&before));
    go(folder.path());
    let ended = end_of(&platform, id).await;
    assert_eq!((ended.state, ended.attempts.len()), (State::Succeeded, 1), "{ended:?}");
    assert_eq!(begun(folder.path(), 1).len(), 1);
    store.close().await;
    platform.stop().await;
}

/// With the SQLSTATE by which the server says that it lets nobody in: how that comes about, and how it ends.
const SHUT_AND_OPENED: [(&str, &[&str], &str); 3] = [
    (
        "28P01, a wrong password",
        &["ALTER ROLE chaos PASSWORD 'second'", END_SESSIONS],
        "ALTER ROLE chaos PASSWORD 'first'",
    ),
    ("28000, not to log in", &["ALTER ROLE chaos NOLOGIN", END_SESSIONS], "ALTER ROLE chaos LOGIN"),
    (
        "3D000, no such database",
        &[
            "ALTER ROLE chaos NOLOGIN",
            END_SESSIONS,
            "ALTER DATABASE cloudfunc RENAME TO elsewhere",
            "ALTER ROLE chaos LOGIN",
        ],
        "ALTER DATABASE elsewhere RENAME TO cloudfunc",
    ),
];
const END_SESSIONS: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'chaos'";

/// Outcomes are not acked then, however often they are tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_wait_for_a_store_that_lets_nobody_in() {
    let test = "delivery::store::outcomes_wait_for_a_store_that_lets_nobody_in";
    // A server of its own: the tests' one asks for no password.
    let _ = need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let server = Server::start("first").await;
    let port = server.port();
    let administrator = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let started = TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.store = format!("postgres://chaos:first@127.0.0.1:{port}/cloudfunc").parse().unwrap();
    });
    let platform = started.await.unwrap();
    deploy_long_waiter(&platform).await;
    for (how, shut, open) in SHUT_AND_OPENED {
        let folder = tempfile::tempdir().unwrap();
        let id = accept(&platform, folder.path(), 1).await;
        has_begun(folder.path(), 1).await;
        for statement in shut {
            psql(&administrator, statement);
        }
        go(folder.path());
        let since = Instant::now();
        eventually(how, async || {
            let ready = platform.request(Role::Scheduler, reqwest::Method::GET, "/readyz");
            let said = ready.send().await.ok()?.text().await.ok()?;
            // Its outcome is there by then, and was tried.
            let is_late = since.elapsed() > Duration::from_secs(3);
            (is_late && said.contains("refuses this user")).then_some(())
        })
        .await;
        psql(&administrator, open);
        let ended = end_of(&platform, id).await;
        assert_eq!((ended.state, ended.attempts.len()), (State::Succeeded, 1), "{how}: {ended:?}");
        assert_eq!(begun(folder.path(), 1).len(), 1, "{how}");
    }
    platform.stop().await;
}

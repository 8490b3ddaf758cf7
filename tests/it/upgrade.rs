//! What an earlier version leaves behind is served by this one, and nothing is lost. `tests/upgrade/record` has
//! recorded it from the real old program: a data folder, a database and a broker with functions, logs,
//! invocations that have ended, wait and run, outcomes that nobody has taken yet, and a second host that
//! stopped before. See `tests/upgrade/README.md` for how to add a version.

mod broker;
mod fixture;
mod left;
mod messages;
mod newer;

use std::time::Duration;

use cloudfunc::{
    app::{Host, Role},
    settings::Platform,
    shutdown::Shutdown,
    store::{self, Totals},
};
use serde_json::{Value, json};

use self::{broker::OldBroker, fixture::Fixture};
use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function},
    postgres::{Database, HeldTable, waiting_for_a_lock},
    server,
};

/// Each version that was recorded: a module, and its folder in `tests/upgrade/`.
macro_rules! versions {
    ($($version:ident: $folder:literal)+) => {$(
        mod $version {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_and_the_embedded_queue_are_served() {
                super::is_served("light", $folder, "sqlite").await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_and_rabbitmq_are_served() {
                super::is_served("postgres_rabbitmq_process", $folder, "postgres").await;
            }

            #[test]
            fn messages_are_read() {
                super::messages::are_read($folder);
            }
        }
    )+};
}

versions! {
    before_lifecycle: "0.1-before-lifecycle"
    before_growth: "0.1-before-growth"
    before_delivery: "0.1-before-delivery"
    before_packages: "0.1-before-packages"
    before_builds: "0.1-before-builds"
    before_http: "0.1-before-http"
    before_access: "0.1-before-access"
    before_addresses: "0.1-before-addresses"
}

/// Many rows, or somebody who reads them: a migration has a time of its own, and what is cut off would begin anew for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_takes_longer_than_connecting_may_is_completed() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let config = database.config();
    Fixture::open("0.1-before-delivery", "postgres").lay_store(&config);
    let held = HeldTable::take(&database, "invocations");
    let begun = tokio::time::Instant::now();
    let connecting = tokio::spawn(async move { store::connect(&config).await });
    eventually("the migration waits for the table", async || {
        (waiting_for_a_lock(&database) == 1).then_some(())
    })
    .await;
    // The bound of connecting is five seconds: only as many show that they do not count here.
    tokio::time::sleep_until(begun + Duration::from_millis(5500)).await;
    assert!(!connecting.is_finished(), "it waits");
    held.release();
    let store = connecting.await.unwrap().unwrap();
    assert!(store.totals().await.unwrap().balance());
    assert_eq!(store.deleted_functions().await.unwrap(), [], "what it makes is there");
    store.close().await;
}

/// Longer than any fixture will grow old: nothing of it is pruned.
const FOREVER: Duration = Duration::from_secs(50 * 365 * 24 * 3600);

async fn is_served(stack: &str, version: &str, folder: &str) {
    let fixture = Fixture::open(version, folder);
    let name = format!("t{}", uuid::Uuid::now_v7().simple());
    let broker = match fixture.has_broker() {
        true => {
            let Some(url) = server("CLOUDFUNC_TEST_RABBITMQ_URL", version) else { return };
            let Some(_) = server("CLOUDFUNC_TEST_POSTGRES_URL", version) else { return };
            Some(OldBroker::lay(&fixture, &url, &name).await)
        }
        false => None,
    };
    let lay = |platform: &mut Platform| {
        platform.name = name.parse().unwrap();
        platform.limits.retention = FOREVER;
        fixture.lay(platform);
    };
    let mut platform = TestPlatform::start_with(Stack::named(stack), version, lay).await.unwrap();

    functions_are_there(&platform, &fixture).await;
    for (id, told) in fixture.ended() {
        is_as_it_was(&platform, id, told).await;
    }
    for row in fixture.left() {
        left::is_finished(&platform, row).await;
    }
    for (id, how) in fixture.outcomes() {
        left::has_its_outcome(&platform, id, how).await;
    }
    nothing_is_missing(&platform, &fixture).await;
    if let Some(broker) = broker {
        broker.is_emptied().await;
        broker.close().await;
    }

    let before = everything(&platform).await;
    platform.restart().await;
    assert_eq!(everything(&platform).await, before, "a second start changes nothing");
    if fixture.has_broker() {
        the_second_host_joins(&platform, &fixture).await;
    }
    every_revision_runs(&platform, &fixture).await;
    platform.stop().await;
}

/// Asks for a document.
async fn ask(platform: &TestPlatform, path: &str) -> Value {
    let response = platform.get(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

/// Whether `new` says what `old` says; it may say more.
fn keeps(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| keeps(old, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| keeps(old, new))
        }
        (old, new) => old == new,
    }
}

#[track_caller]
fn assert_kept(old: &Value, new: &Value) {
    assert!(keeps(old, new), "it was\n{old:#}\nand is\n{new:#}");
}

async fn functions_are_there(platform: &TestPlatform, fixture: &Fixture) {
    let listed = ask(platform, "/v1/functions").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), fixture.functions().count(), "{listed:#}");
    for (name, old) in fixture.functions() {
        let mut old = old.clone();
        // Instances were the old processes'; what an operator has reported stays.
        for of_instances in ["instances", "is_warm"] {
            old.as_object_mut().unwrap().remove(of_instances);
        }
        let new = ask(platform, &format!("/v1/functions/{name}")).await;
        // Under another name since the name of their tree is not shown: earlier clients expect it.
        if let Some(mut installed) = old.as_object_mut().unwrap().remove("dependencies") {
            for hidden in ["key", "tree", "pieces"] {
                installed.as_object_mut().unwrap().remove(hidden).unwrap();
            }
            assert_kept(&installed, &new["installed"]);
        }
        assert_kept(&old, &new);
        let revisions = ask(platform, &format!("/v1/functions/{name}/revisions")).await;
        assert_kept(fixture.revisions(name), &revisions["items"]);
    }
    let limited = ask(platform, "/v1/functions/limited").await;
    assert_eq!(limited["is_warm"], json!(true), "as it was reported");
}

/// Its record, its result and its log are what the old program has answered.
async fn is_as_it_was(platform: &TestPlatform, id: &str, told: &Value) {
    assert_kept(&told["record"], &ask(platform, &format!("/v1/invocations/{id}")).await);
    assert_eq!(left::result(platform, id).await, told["result"], "{id}");
    let name = told["record"]["function"].as_str().unwrap();
    // Lines go with their function.
    let lines = match fixture::is_deleted(name) {
        true => Value::Array(Vec::new()),
        false => Value::Array(left::lines(platform, name, id).await),
    };
    assert_kept(&told["logs"], &lines);
}

/// Every async invocation that was accepted is accounted for, and none is under way but the one whose
/// container cannot start.
async fn nothing_is_missing(platform: &TestPlatform, fixture: &Fixture) {
    let store = store::connect(&platform.platform.store).await.unwrap();
    let totals = store.totals().await.unwrap();
    let (tokens, secrets) =
        (store.tokens(None, 10).await.unwrap(), store.secret_infos(None).await.unwrap());
    store.close().await;
    assert!(tokens.is_empty() && secrets.is_empty(), "there were none: {tokens:?} {secrets:?}");
    assert!(totals.balance(), "{totals:?}");
    let under_way = totals.queued + totals.retrying + totals.running;
    let expected = Totals { accepted: fixture.accepted(), pruned: 0, ..totals };
    assert_eq!((totals, under_way), (expected, 1), "{totals:?}");
}

/// All records but that of what is still tried, and all functions.
async fn everything(platform: &TestPlatform) -> Vec<Value> {
    let page = ask(platform, "/v1/invocations?limit=1000").await;
    assert_eq!(page["next_cursor"], Value::Null, "{page:#}");
    let mut all: Vec<Value> = page["items"].as_array().unwrap().clone();
    all.retain(|record| !record["finished_at"].is_null());
    let functions = ask(platform, "/v1/functions").await;
    for item in functions["items"].as_array().unwrap() {
        let name = item["name"].as_str().unwrap();
        let mut item = item.clone();
        for of_instances in ["instances", "is_warm"] {
            item.as_object_mut().unwrap().remove(of_instances);
        }
        all.push(item);
        all.push(ask(platform, &format!("/v1/functions/{name}/revisions")).await);
    }
    all
}

/// It stopped before the upgrade, and starts on what the first one has migrated.
async fn the_second_host_joins(platform: &TestPlatform, fixture: &Fixture) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = platform.platform.clone();
    settings.data_dir = folder.path().join("data");
    fixture.lay_folder("second", &settings.data_dir);
    for address in [
        &mut settings.addresses.gateway,
        &mut settings.addresses.registry,
        &mut settings.addresses.scheduler,
        &mut settings.addresses.manager,
    ] {
        address.set_port(0);
    }
    let (host, stop) = (Host::bind(&Role::ALL, &settings).await.unwrap(), Shutdown::default());
    let gateway = host.platform().addresses.gateway;
    let running = tokio::spawn(host.run(stop.clone()));
    let http = cloudfunc::http::client().unwrap();
    eventually("the second host is ready", async || {
        let answer = http.get(format!("http://{gateway}/readyz")).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    stop.soft.cancel();
    running.await.unwrap().unwrap();
}

/// The active one first, then each of those that could be rolled back to; a new one gets the next number.
async fn every_revision_runs(platform: &TestPlatform, fixture: &Fixture) {
    let called = json!({ "token": "after" }).to_string();
    for (name, old) in fixture.functions() {
        if old["spec"]["code"].get("image").is_some() {
            continue;
        }
        let mut numbers = vec![old["active_revision"].clone()];
        let revisions = fixture.revisions(name).as_array().unwrap();
        numbers.extend(revisions.iter().map(|revision| revision["number"].clone()));
        for number in numbers {
            let number = serde_json::from_value(number).unwrap();
            platform.client.activate(&function(name), number).await.unwrap();
            let value: Value = serde_json::from_str(&platform.value(name, &called).await).unwrap();
            assert_eq!(value["token"], "after", "{name} {number}");
        }
    }
    let newest = fixture.revisions("steps").as_array().unwrap().len() as u64;
    let deployed = platform.deploy("steps", &[("function.py", "def handler(event):\n    return 1\n")]);
    assert_eq!(u64::from(deployed.await.revision.0), newest + 1);
}

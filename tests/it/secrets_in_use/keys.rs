//! Hosts that have a secret's key, and hosts that do not: these take no work that they could only fail at, and say why.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use cloudfunc::{app::Role, client::Outcome, model::api::Unusable, settings::Platform, store};
use reqwest::Method;
use serde_json::Value;

use super::{planted::Planted, request, set, set_on};
use crate::support::{
    beside::SecondHost,
    eventually, eventually_within,
    home::SOON,
    platform::{Stack, TestPlatform, function, json},
};

const CODE: &str =
    "import os\n\nVALUE = os.environ['API_KEY']\n\ndef handler(event):\n    return VALUE\n";
/// Results are stored, so that this one is not the value itself.
const REVERSED: &str =
    "import os\n\nVALUE = os.environ['API_KEY']\n\ndef handler(event):\n    return VALUE[::-1]\n";
const MANIFEST: &str = "secrets = [\"API_KEY\"]\n";

/// The id of the key that the only secret is encrypted with.
async fn key(host: &Platform) -> String {
    let answer = request(host, Method::GET, "/v1/secrets").send().await.unwrap();
    let listed: Value = answer.json().await.unwrap();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    listed["items"][0]["key"].as_str().unwrap().to_owned()
}

fn lacks(key: &str) -> String {
    format!(
        "the secret 'API_KEY' is encrypted with the key {key}, which this host does not have; add that key to this \
         host's key file and restart the platform"
    )
}

async fn unusable(platform: &TestPlatform) -> Vec<Unusable> {
    platform.client.function(&function("f")).await.unwrap().unusable
}

/// Waits until exactly one manager is left out for want of this key, and returns what `show` says of it.
async fn is_left_out(platform: &TestPlatform, key: &str) -> String {
    let left_out = eventually_within(SOON, "one host says that it lacks the key", async || {
        let all = unusable(platform).await;
        (all.len() == 1 && all[0].reason == lacks(key)).then(|| all[0].clone())
    })
    .await;
    let manager = left_out.manager.to_string();
    let (exit, shown, _) = platform.cli(&["show", "f"]).await;
    assert_eq!(exit, 0, "{shown}");
    let line = shown.lines().find(|line| line.starts_with("not on ")).expect(&shown);
    let expected = format!("not on        manager {}: {}", &manager[manager.len() - 12..], lacks(key));
    assert_eq!(line, expected);
    manager
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_with_different_keys_the_one_that_has_it_does_the_work() {
    let test =
        "secrets_in_use::keys::of_two_hosts_with_different_keys_the_one_that_has_it_does_the_work";
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let second = SecondHost::start_with(&platform, &Role::ALL, None).await;
    set(&platform, "API_KEY", None, "by the first").await;
    let first_key = key(&platform.platform).await;
    // Either of them may build it: the one without the key does not load it, and says so.
    platform.deploy("f", &[("function.py", CODE), ("cloudfunc.toml", MANIFEST)]).await;
    let without = is_left_out(&platform, &first_key).await;
    for _ in 0..20 {
        assert_eq!(platform.value("f", "{}").await, "by the first");
    }
    // Set anew there, it is the other one's: what runs here ends, and what waits goes there.
    set_on(&second.platform, "API_KEY", None, "by the second").await;
    let second_key = key(&second.platform).await;
    assert_ne!(first_key, second_key);
    assert_ne!(is_left_out(&platform, &second_key).await, without);
    eventually_within(SOON, "the new value is seen", async || {
        (platform.value("f", "{}").await == "by the second").then_some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(platform.value("f", "{}").await, "by the second");
    }
    second.stop().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_the_newest_key_leaves_the_work_to_others_once_secrets_are_encrypted_with_it() {
    let test = "secrets_in_use::keys::a_host_without_the_newest_key_leaves_the_work_to_others_once_secrets_are_encrypted_with_it";
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let old = fs::read_to_string(platform.platform.data_dir.join("secret-key")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("keys");
    fs::write(&both, format!("{}\n{old}", "5a".repeat(32))).unwrap();
    fs::set_permissions(&both, fs::Permissions::from_mode(0o600)).unwrap();
    let second = SecondHost::start_with(&platform, &Role::ALL, Some(both)).await;
    set(&platform, "API_KEY", None, "a value").await;
    platform.deploy("f", &[("function.py", CODE), ("cloudfunc.toml", MANIFEST)]).await;
    let rotated = request(&second.platform, Method::POST, "/v1/secret-key/rotate").send().await.unwrap();
    assert_eq!(rotated.status(), 200);
    let new = key(&second.platform).await;
    // Well before managers look at all secrets by themselves.
    eventually_within(
        Duration::from_secs(20),
        "the first host says that it lacks the key",
        async || {
            let said = unusable(&platform).await;
            (said.len() == 1 && said[0].reason == lacks(&new)).then_some(())
        },
    )
    .await;
    for _ in 0..20 {
        assert_eq!(platform.value("f", "{}").await, "a value");
    }
    second.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_database_without_the_key_is_useless_and_says_which_key_it_needs() {
    let test = "secrets_in_use::keys::a_database_without_the_key_is_useless_and_says_which_key_it_needs";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let planted = Planted::new();
    set(&platform, "API_KEY", None, planted.value()).await;
    platform.deploy("f", &[("function.py", REVERSED), ("cloudfunc.toml", MANIFEST)]).await;
    let reversed: String = planted.value().chars().rev().collect();
    assert_eq!(platform.value("f", "{}").await, *reversed, "with the key it is there");
    let key = key(&platform.platform).await;
    let (name, copy) = (platform.platform.name.clone(), tempfile::tempdir().unwrap());
    let store::Config::Sqlite { path } = platform.platform.store.clone() else { panic!("not a file") };
    platform.stop_and(|| copy_files(path.parent().unwrap(), "store.db", copy.path())).await;
    assert!(copy.path().join("store.db").exists());
    assert_eq!(planted.files_below(copy.path()), Vec::<std::path::PathBuf>::new());

    let stolen = format!("sqlite:{}", copy.path().join("store.db").display());
    let change = |host: &mut Platform| {
        host.name = name;
        host.store = stolen.parse().unwrap();
        host.limits.queue_wait = Duration::from_secs(1);
    };
    let Some(platform) = TestPlatform::start_with(Stack::LIGHT, test, change).await else { return };
    is_left_out(&platform, &key).await;
    let problem = platform.problem("f", "{}").await;
    assert!(problem.hint.as_deref().is_some_and(|hint| hint.contains(&lacks(&key))), "{problem:?}");
    // Another value is this host's own.
    set(&platform, "API_KEY", None, "another").await;
    eventually("the function runs here", async || {
        let answer = platform.client.invoke(&function("f"), json("{}")).await.ok()?;
        let Outcome::Value(body) = answer.outcome else { return None };
        (&body.bytes[..] == b"rehtona").then_some(())
    })
    .await;
    platform.stop().await;
}

/// A database and what belongs to it.
fn copy_files(from: &Path, beginning: &str, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(beginning) && entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

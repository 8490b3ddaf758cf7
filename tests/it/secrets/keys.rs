//! The file of keys: another one, two of them, and one that cannot be used.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use cloudfunc::{
    app::{Host, Role},
    keyring::Keyring,
    model::{SealedSecret, SecretPlace, code},
    shutdown::Shutdown,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{key_file, newest_key, request, set};
use crate::support::platform::{Stack, TestPlatform, document, problem, settings};

const NEW: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

async fn start(test: &str) -> TestPlatform {
    let platform = TestPlatform::start(Stack::LIGHT, &format!("secrets::keys::{test}")).await;
    platform.expect("the light stack needs no server")
}

/// Names and keys of all secrets.
async fn keys(platform: &TestPlatform) -> Vec<(String, String, bool)> {
    let (_, page) = document(request(platform, Method::GET, "/v1/secrets")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|one| (text(&one["name"]), text(&one["key"]), one["key_is_here"].as_bool().unwrap()))
        .collect()
}

async fn rotate(platform: &TestPlatform) -> Value {
    let (status, rotated) = document(platform.post("/v1/secret-key/rotate")).await;
    assert_eq!(status, 200, "{rotated}");
    rotated
}

#[tokio::test]
async fn all_secrets_get_the_newest_key_and_the_old_one_can_go() {
    let mut platform = start("all_secrets_get_the_newest_key_and_the_old_one_can_go").await;
    set(&platform, "/v1/secrets/A", "a value").await;
    set(&platform, "/v1/secrets/B?function=shop", "another").await;
    let old = newest_key(&platform);
    let both = format!("{NEW}{}", fs::read_to_string(key_file(&platform)).unwrap());
    fs::write(key_file(&platform), both).unwrap();
    platform.restart().await;
    let new = newest_key(&platform);
    let with = |key: &str, is_here: bool| {
        [("A".to_owned(), key.to_owned(), is_here), ("B".to_owned(), key.to_owned(), is_here)]
    };
    assert_eq!(keys(&platform).await, with(&old, true));

    set(&platform, "/v1/secrets/A", "a newer value").await;
    let rotated = json!({ "key": new, "rotated": 1, "unchanged": 1, "left": [] });
    assert_eq!(rotate(&platform).await, rotated);
    let again = json!({ "key": new, "rotated": 0, "unchanged": 2, "left": [] });
    assert_eq!(rotate(&platform).await, again);
    assert_eq!(keys(&platform).await, with(&new, true));

    fs::write(key_file(&platform), NEW).unwrap();
    platform.restart().await;
    assert_eq!(keys(&platform).await, with(&new, true));
    let store = platform.store().await;
    let keyring = Keyring::read(&key_file(&platform)).unwrap();
    let listed = store.secret_infos(None).await.unwrap();
    for (listed, value) in listed.iter().zip(["a newer value", "another"]) {
        let stored = store.secret(&listed.place).await.unwrap().unwrap();
        let opened = keyring.open(&stored.secret).unwrap();
        assert_eq!(opened.as_slice(), value.as_bytes(), "{:?}", listed.place);
    }
    store.close().await;
    platform.stop().await;
}

#[tokio::test]
async fn without_its_key_a_secret_stays_unread_until_it_is_set_anew() {
    let mut platform = start("without_its_key_a_secret_stays_unread_until_it_is_set_anew").await;
    set(&platform, "/v1/secrets/A", "a value").await;
    let old = newest_key(&platform);
    fs::write(key_file(&platform), NEW).unwrap();
    platform.restart().await;
    let new = newest_key(&platform);
    assert_eq!(keys(&platform).await, [("A".to_owned(), old.clone(), false)]);
    let of_a = json!({ "name": "A", "reason": "no_key" });
    let left = json!({ "key": new, "rotated": 0, "unchanged": 0, "left": [of_a] });
    assert_eq!(rotate(&platform).await, left);
    assert_eq!(keys(&platform).await, [("A".to_owned(), old, false)], "it is not lost");
    set(&platform, "/v1/secrets/A", "a value").await;
    assert_eq!(keys(&platform).await, [("A".to_owned(), new, true)]);
    platform.stop().await;
}

#[tokio::test]
async fn a_key_is_not_taken_for_the_newest_one_before_the_platform_has_read_it() {
    let mut platform =
        start("a_key_is_not_taken_for_the_newest_one_before_the_platform_has_read_it").await;
    set(&platform, "/v1/secrets/A", "a value").await;
    let both = format!("{NEW}{}", fs::read_to_string(key_file(&platform)).unwrap());
    fs::write(key_file(&platform), both).unwrap();
    let refused = document(platform.post("/v1/secret-key/rotate")).await;
    let detail = "the key file has changed since the platform started; restart it first";
    assert_eq!(refused, problem(code::CONFLICT, detail, json!({})));
    platform.restart().await;
    assert_eq!(rotate(&platform).await["rotated"], 1);
    platform.stop().await;
}

#[tokio::test]
async fn a_damaged_secret_is_left_with_its_reason_and_an_older_value_cannot_be_put_back() {
    let mut platform =
        start("a_damaged_secret_is_left_with_its_reason_and_an_older_value_cannot_be_put_back").await;
    let store = platform.store().await;
    let place = SecretPlace { function: None, name: "A".parse().unwrap() };
    set(&platform, "/v1/secrets/A", "leaked").await;
    let older = store.secret(&place).await.unwrap().unwrap().secret;
    set(&platform, "/v1/secrets/A", "a value").await;
    let newer = store.secret(&place).await.unwrap().unwrap().secret;
    store.put_secret(&SealedSecret { sealed: older.sealed, ..newer }, true).await.unwrap();
    store.close().await;
    let both = format!("{NEW}{}", fs::read_to_string(key_file(&platform)).unwrap());
    fs::write(key_file(&platform), both).unwrap();
    platform.restart().await;
    let of_a = json!([{ "name": "A", "reason": "damaged" }]);
    assert_eq!(rotate(&platform).await["left"], of_a);
    platform.stop().await;
}

#[tokio::test]
async fn a_host_with_a_file_of_keys_that_is_wrong_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let test = "secrets::keys::a_host_with_a_file_of_keys_that_is_wrong_does_not_start";
    let (mut platform, _) = settings(Stack::LIGHT, folder.path(), test).unwrap();
    let given = folder.path().join("keys");
    platform.secret_key_file = Some(given.clone());
    let why = async || {
        let host = Host::bind(&Role::ALL, &platform).await.unwrap();
        host.run(Shutdown::default()).await.unwrap_err().to_string()
    };
    assert_eq!(why().await, format!("cannot use the file of secret keys {}", given.display()));
    fs::write(&given, NEW).unwrap();
    fs::set_permissions(&given, fs::Permissions::from_mode(0o644)).unwrap();
    let open =
        format!("the file of secret keys {} can be read by other users (mode 644)", given.display());
    assert_eq!(why().await, open);
    fs::write(&given, "hunter2\n").unwrap();
    fs::set_permissions(&given, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!("{}:1: this is not a key, which has 64 hexadecimal digits", given.display());
    assert_eq!(why().await, text);
}

#[test]
fn up_refuses_keys_that_it_cannot_use_before_it_starts_anything() {
    let home = tempfile::tempdir().unwrap();
    let up = |file: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
        command.args(["up", "--embedded", "--secret-key-file"]).arg(file).env_clear();
        for role in ["gateway", "registry", "scheduler", "manager"] {
            command.args([format!("--{role}-port"), "0".to_owned()]);
        }
        let output = command.env("HOME", home.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let missing = home.path().join("missing");
    let said = format!(
        "error: cannot use the file of secret keys {}: No such file or directory (os error 2)\nhint: name a file that this \
         user can read with --secret-key-file; `openssl rand -hex 32` makes a key\n",
        missing.display()
    );
    assert_eq!(up(&missing), (Some(2), said));
    let empty = home.path().join("empty");
    fs::write(&empty, "").unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
    let path = empty.display();
    let said = format!(
        "error: the file of secret keys {path} holds no key\nhint: restore it from a backup, or from another host with the \
         same store: secrets cannot be read without their key. Only if no secret was set yet, remove it (`rm {path}`), and \
         the next start makes a new one\n"
    );
    assert_eq!(up(&empty), (Some(2), said));
}

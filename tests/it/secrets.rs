//! Secrets as the registry keeps them: what may be set, who may, what is on disk, and with which keys.

mod keys;
mod registry;

use std::path::PathBuf;

use cloudfunc::{app::Role, keyring::Keyring};
use reqwest::{Method, RequestBuilder};

use crate::support::platform::TestPlatform;

/// A request with the platform's own token.
fn request(platform: &TestPlatform, method: Method, path: &str) -> RequestBuilder {
    platform.request(Role::Gateway, method, path)
}

/// Sets a secret, which has to be accepted.
async fn set(platform: &TestPlatform, path: &str, value: &str) {
    let answer = request(platform, Method::PUT, path).body(value.to_owned()).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

fn key_file(platform: &TestPlatform) -> PathBuf {
    platform.platform.data_dir.join("secret-key")
}

/// The id of the key that new values are encrypted with.
fn newest_key(platform: &TestPlatform) -> String {
    Keyring::read(&key_file(platform)).unwrap().newest().to_string()
}

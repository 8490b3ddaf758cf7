//! Secrets: a function that names them finds them in its environment, and nobody else finds them anywhere.

mod keys;
mod planted;
mod rotation;
mod running;

use std::path::Path;

use cloudfunc::{place::state::State, settings::Platform};
use reqwest::{Method, RequestBuilder};

use crate::support::platform::TestPlatform;

/// A request to the gateway of a host, with its own token.
fn request(host: &Platform, method: Method, path: &str) -> RequestBuilder {
    let token = State::open(&host.data_dir).unwrap().token().unwrap();
    let url = format!("http://{}{path}", host.addresses.gateway);
    cloudfunc::http::client().unwrap().request(method, url).bearer_auth(token.expose())
}

/// Sets a secret on a host, of a function or of the platform.
async fn set_on(host: &Platform, name: &str, function: Option<&str>, value: &str) {
    let query = function.map(|function| format!("?function={function}")).unwrap_or_default();
    let request = request(host, Method::PUT, &format!("/v1/secrets/{name}{query}"));
    let answer = request.body(value.to_owned()).send().await.unwrap();
    let status = answer.status();
    assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
}

/// The same on the first host.
async fn set(platform: &TestPlatform, name: &str, function: Option<&str>, value: &str) {
    set_on(&platform.platform, name, function, value).await;
}

/// The number of instances, also of those that are being started or removed.
fn folders(platform: &TestPlatform) -> usize {
    let instances: &Path = &platform.platform.data_dir.join("instances");
    std::fs::read_dir(instances).into_iter().flatten().count()
}

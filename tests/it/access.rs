//! Who may do what: tokens, what their holders see, and the log of what was changed or refused.

mod audit_log;
mod bad_tokens;
mod behind;
mod lasting;
mod limited_tokens;
mod oidc;
mod provider;
mod rate_limits;
mod roles;
mod seen;
mod signer;
mod stored;
pub mod tls_provider;
mod tokens;
mod two_hosts;
mod unknown_fates;

use std::{net::SocketAddr, time::Duration};

use cloudfunc::app::Role;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{eventually_within, platform::TestPlatform};

/// A token that was revoked is refused within this time on every host.
const REVOKED_WITHIN: Duration = Duration::from_secs(2);

/// A request to a gateway with this token, checked by nobody.
fn with_token(gateway: SocketAddr, token: &str, method: Method, path: &str) -> RequestBuilder {
    let http = cloudfunc::http::client().unwrap();
    http.request(method, format!("http://{gateway}{path}")).bearer_auth(token)
}

/// The status that the holder of a token gets for a list of functions.
async fn status(gateway: SocketAddr, token: &str) -> StatusCode {
    with_token(gateway, token, Method::GET, "/v1/functions").send().await.unwrap().status()
}

async fn is_refused_within(within: Duration, gateway: SocketAddr, token: &str) {
    let refused = eventually_within(within, "the token is refused", || async {
        let answered = status(gateway, token).await;
        (answered != StatusCode::OK).then_some(answered)
    });
    assert_eq!(refused.await, StatusCode::UNAUTHORIZED);
}

/// Makes a token, and returns its text.
async fn make(platform: &TestPlatform, new: Value) -> String {
    let answer = platform.post("/v1/tokens").json(&new).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{new}");
    text(answer.json().await.unwrap())
}

/// Gives a token another text, and returns that one.
async fn rotate(platform: &TestPlatform, name: &str, rotation: Option<Value>) -> String {
    let request = platform.post(&format!("/v1/tokens/{name}/rotate"));
    let request = match rotation {
        Some(rotation) => request.json(&rotation),
        None => request,
    };
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{name}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    text(answer.json().await.unwrap())
}

async fn revoke(platform: &TestPlatform, name: &str) {
    let path = format!("/v1/tokens/{name}");
    let answer = platform.request(Role::Gateway, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(answer.status(), 204, "{name}");
}

fn text(made: Value) -> String {
    made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// An invoke token for some functions.
fn invoker(name: &str, functions: &[&str]) -> Value {
    json!({ "name": name, "role": "invoke", "functions": functions })
}

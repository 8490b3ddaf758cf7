//! The example of a webhook: an address for everybody, and a secret that its sender knows, too.

use cloudfunc::app::Role;
use reqwest::Method;

use super::deploy;
use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

on_stack! {
    light:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
}

on_stack! {
    @ sqlite_embedded_oci:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
}

on_stack! {
    real:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
}

/// Parsed and written again it would be other bytes.
const BODY: &str = "{ \"number\":7,\"action\" : \"opened\" }\n";
const SECRET: &str = "change me";
/// By `openssl dgst -sha256 -hmac SECRET`, with the secret and with another one.
const RIGHT: &str = "sha256=1f3f41e5a437ee4680600ab037af5bf3a85b655f12411919c069258ad2571869";
const WRONG: &str = "sha256=e9e56053ec8299c2ac33d595712c6c7f64300cd7a002baa9ab8e05207af1239e";

/// Sets the secret without which the example is not deployed.
pub async fn set_secret(platform: &TestPlatform) {
    let put = platform.request(Role::Gateway, Method::PUT, "/v1/secrets/WEBHOOK_SECRET");
    let answer = put.body(SECRET).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

async fn a_webhook_is_taken_with_the_signature_of_its_raw_body_only(platform: &TestPlatform) {
    set_secret(platform).await;
    deploy(platform, "webhook").await;
    // Without a token.
    let http = cloudfunc::http::client().unwrap();
    let url = format!("http://{}/hooks/github", platform.address(Role::Gateway));
    let send = async |signature: &str, content_type: &str| {
        let request = http.post(&url).body(BODY).header("content-type", content_type);
        let answer = request.header("x-hub-signature-256", signature).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // As text and, of a type that may be anything, in base64.
    for content_type in ["application/json", "application/x-delivery"] {
        assert_eq!(send(RIGHT, content_type).await, (204, String::new()), "{content_type}");
        for wrong in [WRONG, ""] {
            let told = "the signature in X-Hub-Signature-256 is not that of the body\n".to_owned();
            assert_eq!(send(wrong, content_type).await, (401, told));
        }
    }
    let unsigned = http.post(&url).body(BODY).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    let other = http.get(&url).send().await.unwrap();
    assert_eq!(
        (other.status().as_u16(), &other.headers()["allow"]),
        (405, &"OPTIONS, POST".parse().unwrap())
    );
    eventually("deliveries are in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "webhook"]).await;
        (log.matches("opened: number 7").count() == 2).then_some(())
    })
    .await;
}

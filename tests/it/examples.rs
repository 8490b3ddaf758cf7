//! The functions of this repository, deployed as they lie there.

mod markdown;
pub mod shop;
mod thumbnail;
mod top_pages;
mod validate;
pub mod wheels;

use serde_json::json;

use crate::{
    on_stack,
    support::platform::{TestPlatform, document},
};

on_stack! {
    light:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
    a_report_sums_up_orders_in_csv
}

on_stack! {
    @ sqlite_embedded_oci:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
    a_report_sums_up_orders_in_csv
}

on_stack! {
    real:
    a_webhook_is_taken_with_the_signature_of_its_raw_body_only
    a_report_sums_up_orders_in_csv
}

pub const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/functions");

async fn deploy(platform: &TestPlatform, name: &str) {
    let (code, _, stderr) = platform.cli(&["deploy", &format!("{FUNCTIONS}/{name}")]).await;
    assert_eq!(code, 0, "{stderr}");
}

async fn a_webhook_is_taken_with_the_signature_of_its_raw_body_only(platform: &TestPlatform) {
    deploy(platform, "webhook").await;
    // Parsed and written again it would be other bytes.
    let body = "{ \"number\":7,\"action\" : \"opened\" }\n";
    // By `openssl dgst -sha256 -hmac SECRET`, with the secret of the manifest and with another one.
    let right = "1f3f41e5a437ee4680600ab037af5bf3a85b655f12411919c069258ad2571869";
    let wrong = "e9e56053ec8299c2ac33d595712c6c7f64300cd7a002baa9ab8e05207af1239e";
    let send = |signature: &str| {
        let request = platform.post("/v1/functions/webhook/invoke").body(body);
        document(
            request
                .header("content-type", "application/json")
                .header("x-hub-signature-256", format!("sha256={signature}")),
        )
    };
    let taken = send(right).await;
    assert_eq!(taken, (200, json!({ "action": "opened", "number": 7 })));
    let told = "function 'webhook' failed: PermissionError: the signature in X-Hub-Signature-256 is not that of the body";
    for wrong in [wrong, ""] {
        let (status, problem) = send(wrong).await;
        assert_eq!((status, &problem["detail"]), (500, &json!(told)), "{problem}");
    }
}

async fn a_report_sums_up_orders_in_csv(platform: &TestPlatform) {
    deploy(platform, "report").await;
    let folder = tempfile::tempdir().unwrap();
    let orders = folder.path().join("orders.csv");
    let text = "product,quantity,price\ntea,3,2.50\n\"pot, blue\",1,19.99\ntea,1,2.50\n";
    std::fs::write(&orders, text).unwrap();
    let data = format!("@{}", orders.display());
    let invoke = ["invoke", "report", "--data", &data, "--content-type", "text/csv"];
    let (code, out, stderr) = platform.cli(&invoke).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(out, "product,sold,revenue\n\"pot, blue\",1,19.99\ntea,4,10.00\n");
    let invoke = ["invoke", "report", "--data", "a,b", "--content-type", "text/csv"];
    let (code, _, stderr) = platform.cli(&invoke).await;
    assert!(
        code == 1 && stderr.contains("the first line names no column product, quantity, price"),
        "{stderr}"
    );
}

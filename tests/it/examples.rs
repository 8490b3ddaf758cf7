//! The functions of this repository, deployed as they lie there.

mod markdown;
mod page;
pub mod shop;
mod thumbnail;
mod top_pages;
mod validate;
mod webhook;
pub mod wheels;

use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    light:
    a_report_sums_up_orders_in_csv
}

on_stack! {
    @ sqlite_embedded_oci:
    a_report_sums_up_orders_in_csv
}

on_stack! {
    real:
    a_report_sums_up_orders_in_csv
}

pub const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/functions");

async fn deploy(platform: &TestPlatform, name: &str) {
    let (code, _, stderr) = platform.cli(&["deploy", &format!("{FUNCTIONS}/{name}")]).await;
    assert_eq!(code, 0, "{stderr}");
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

//! The example with a web server: Flask and gunicorn, without a network.

use cloudfunc::settings::Platform;
use reqwest::Response;
use serde_json::{Value, json};

use super::{FUNCTIONS, deploy, wheels::wheels};
use crate::{
    packages::on,
    support::platform::{Stack, TestPlatform},
};

on! {
    sqlite_embedded_oci: a_shop_lists_products_and_takes_orders;
    postgres_rabbitmq_docker: a_shop_lists_products_and_takes_orders;
}

/// Its packages are in the folder that this returns.
pub fn packages(stack: Stack) -> Option<std::path::PathBuf> {
    wheels(stack, &format!("{FUNCTIONS}/shop/requirements.txt"))
}

async fn get(platform: &TestPlatform, path: &str) -> Response {
    let request = platform.post("/v1/functions/shop/invoke").header("cloudfunc-http-method", "GET");
    request.header("cloudfunc-http-path", path).send().await.unwrap()
}

async fn order(platform: &TestPlatform, body: &str) -> Response {
    let request = platform.post("/v1/functions/shop/invoke").header("content-type", "application/json");
    request.header("cloudfunc-http-path", "/orders").body(body.to_owned()).send().await.unwrap()
}

async fn seen(response: Response) -> (u16, Value) {
    assert_eq!(response.headers()["cloudfunc-outcome"], "succeeded");
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn a_shop_lists_products_and_takes_orders(stack: Stack, test: &str) {
    let Some(folder) = packages(stack) else { return };
    let change = |platform: &mut Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(folder);
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    deploy(&platform, "shop").await;
    let cheap = json!([{ "name": "cup", "price": "4.00" }, { "name": "tea", "price": "2.50" }]);
    assert_eq!(seen(get(&platform, "/products?at_most=10").await).await, (200, cheap));
    let pot = json!({ "name": "pot", "price": "19.99" });
    assert_eq!(seen(get(&platform, "/products/pot").await).await, (200, pot));
    let none = json!({ "problem": "there is no car" });
    assert_eq!(seen(get(&platform, "/products/car").await).await, (404, none.clone()));

    let ordered = order(&platform, "{\"product\":\"tea\",\"quantity\":2}").await;
    assert_eq!(ordered.headers()["location"], "/products/tea");
    let total = json!({ "product": "tea", "quantity": 2, "total": "5.00" });
    assert_eq!(seen(ordered).await, (201, total));
    assert_eq!(seen(order(&platform, "{\"product\":\"car\"}").await).await, (422, none));
    assert_eq!(order(&platform, "{").await.status(), 400);
    let invoke = ["invoke", "shop", "--method", "GET", "--path", "/products/tea"];
    let (code, out, stderr) = platform.cli(&invoke).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({ "name": "tea", "price": "2.50" }));
    platform.stop().await;
}

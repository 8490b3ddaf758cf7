//! Which of a request's headers a handler sees.

use std::collections::BTreeMap;

use cloudfunc::model::code;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

const HEADERS: &str = "def handler(event, context):\n    return context.headers\n";

on_stack! {
    light:
    all_headers_of_the_call_reach_the_handler
    headers_beyond_what_a_function_can_be_sent_are_refused
}

mod broker {
    use super::*;

    on_stack! {
        real:
        all_headers_of_the_call_reach_the_handler
    }
}

async fn all_headers_of_the_call_reach_the_handler(platform: &TestPlatform) {
    platform.deploy("headers", &[("function.py", HEADERS)]).await;
    let latin = HeaderValue::from_bytes(b"Ren\xe9").unwrap();
    let call = || {
        let request = platform.post("/v1/functions/headers/invoke").body("{}");
        let request = request.header("accept", "text/html").header("accept", "*/*;q=0.1");
        let request = request.header("cookie", "a=1").header("cookie", "b=2");
        let request = request.header("accept-language", "de").header("x-name", "Zoë");
        let request = request.header("x-latin", latin.clone()).header("x-empty", "");
        let request = request.header("connection", "keep-alive, x-hop").header("x-hop", "1");
        let request = request.header("te", "trailers").header("proxy-authorization", "Basic secret");
        let request = request.header("cloudfunc-caller", "forged");
        request.header("cloudfunc-host", "forged").header("traceparent", "00-1-2-03")
    };
    let expected = BTreeMap::from([
        ("accept", "text/html, */*;q=0.1".to_owned()),
        ("accept-language", "de".to_owned()),
        ("content-length", "2".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("cookie", "a=1; b=2".to_owned()),
        ("host", platform.address(cloudfunc::app::Role::Gateway).to_string()),
        ("traceparent", "00-1-2-03".to_owned()),
        ("x-empty", String::new()),
        ("x-latin", "René".to_owned()),
        ("x-name", "Zoë".to_owned()),
    ]);
    assert_eq!(document(call()).await, (200, json!(expected)));

    let answer = call().header("prefer", "respond-async").send().await.unwrap();
    let accepted: cloudfunc::model::api::Accepted =
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let wait = Some(std::time::Duration::from_secs(30));
    platform.client.record(accepted.id, wait).await.unwrap();
    let mut expected = json!(expected);
    expected["prefer"] = json!("respond-async");
    let result = platform.get(&format!("/v1/invocations/{}/result", accepted.id));
    assert_eq!(document(result).await, (200, expected));
}

async fn headers_beyond_what_a_function_can_be_sent_are_refused(platform: &TestPlatform) {
    platform.deploy("headers", &[("function.py", HEADERS)]).await;
    let hint = json!({ "hint": "send what is large as the payload" });
    let refused = |detail: &str| problem(code::HEADERS_TOO_LARGE, detail, hint.clone());
    for preference in ["respond-async", "wait=5"] {
        let request = || platform.post("/v1/functions/headers/invoke").header("prefer", preference);
        let (status, answer) = document(request().header("x-large", "a".repeat(30_000))).await;
        assert_eq!((status, &answer["code"]), (431, &json!("headers_too_large")), "{answer}");
        assert!(
            answer["detail"].as_str().unwrap().ends_with("bytes, over the limit of 24 KiB"),
            "{answer}"
        );
        let many = (0..90).fold(request(), |request, _| request.header("x-many", "1"));
        let detail = "the request has 94 headers, over the limit of 90";
        let (status, answer) = document(many).await;
        assert_eq!(status, refused(detail).0);
        assert!(
            answer["detail"].as_str().unwrap().ends_with("headers, over the limit of 90"),
            "{answer}"
        );
    }
    let nothing = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(platform.get("/v1/invocations")).await, nothing);
    // What grows most on its way: every character is escaped.
    let quotes = "\"".repeat(20_000);
    let request = platform.post("/v1/functions/headers/invoke").header("x-quotes", &quotes);
    assert_eq!(document(request).await.1["x-quotes"], json!(quotes));
}

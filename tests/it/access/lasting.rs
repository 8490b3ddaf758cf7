//! Requests that last: their tokens are checked again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloudfunc::app::Role;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{REVOKED_WITHIN, is_refused_within, make, revoke, with_token};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, document},
    },
};

on_stack! {
    light:
    a_request_whose_body_outlasts_its_token_is_refused_at_its_end
    a_followed_log_ends_with_its_token
    head_is_answered_as_get_and_options_is_no_way_around
}

/// A body that comes as it is sent.
fn body() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (send, receive) = mpsc::unbounded_channel::<&'static str>();
    let pieces = stream::unfold(receive, async |mut receive| {
        let piece = receive.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(piece.as_bytes())), receive))
    });
    (send, Body::wrap_stream(pieces))
}

async fn a_request_whose_body_outlasts_its_token_is_refused_at_its_end(platform: &TestPlatform) {
    let gateway = platform.address(Role::Gateway);
    platform.deploy("f", &[("function.py", "def handler(event):\n    return event\n")]).await;
    let mut under_way = Vec::new();
    for (name, is_revoked, path, rest, expected) in [
        ("one", true, "/v1/tokens", r#""name": "made", "role": "admin"}"#, 401),
        ("two", true, "/v1/functions/f/invoke", "}", 401),
        ("three", true, "/invoke/f", r#""payload": {}}"#, 401),
        ("four", true, "/deploy", r#""name": "g", "image": "x"}"#, 401),
        // Of a token that stays, a slow body is as good as another one.
        ("five", false, "/v1/tokens", r#""name": "slow", "role": "invoke"}"#, 201),
        ("six", false, "/v1/functions/f/invoke", "}", 200),
    ] {
        let token = make(platform, json!({ "name": name, "role": "admin" })).await;
        let (send, body) = body();
        send.send("{").unwrap();
        let request = with_token(gateway, &token, Method::POST, path)
            .header("content-type", "application/json")
            .body(body);
        let answer = tokio::spawn(document(request));
        under_way.push((name, is_revoked, token, send, rest, answer, expected));
    }
    let begun = Instant::now();
    eventually("their heads came some time ago", || async {
        (begun.elapsed() > Duration::from_secs(3)).then_some(())
    })
    .await;
    for (name, is_revoked, token, send, rest, answer, expected) in under_way {
        if is_revoked {
            revoke(platform, name).await;
            is_refused_within(REVOKED_WITHIN, gateway, &token).await;
        }
        assert!(!answer.is_finished(), "{name}");
        send.send(rest).unwrap();
        drop(send);
        let (status, told) = answer.await.unwrap();
        assert_eq!(status, expected, "{name}: {told}");
    }
    let (_, tokens) = document(platform.get("/v1/tokens")).await;
    let names: Vec<&str> = tokens["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["five", "six", "slow"], "and no token was made with one that was revoked");
    assert_eq!(document(platform.get("/v1/functions/g")).await.0, 404);
    let entries = eventually("the refusals are in the audit log", || async {
        let (_, page) = document(platform.get("/v1/audit-log?outcome=refused&caller=token%20one")).await;
        Some(page["items"].as_array().unwrap().clone()).filter(|items| !items.is_empty())
    })
    .await;
    let detail = entries[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("POST /v1/tokens: the request's bearer token is not one"), "{detail}");
}

async fn a_followed_log_ends_with_its_token(platform: &TestPlatform) {
    let gateway = platform.address(Role::Gateway);
    for (name, more, within) in [
        ("revoked", json!({}), REVOKED_WITHIN),
        ("expires", json!({ "expires_in_s": 3 }), Duration::from_secs(5)),
    ] {
        let mut new = json!({ "name": name, "role": "deploy" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let token = make(platform, new).await;
        let follow = || with_token(gateway, &token, Method::GET, "/v1/logs?follow=true").send();
        let mut followed = follow().await.unwrap();
        assert_eq!(followed.status(), 200);
        let mut other = platform.get("/v1/logs?follow=true").send().await.unwrap().bytes_stream();
        if name == "revoked" {
            revoke(platform, name).await;
        }
        let to_the_end = async {
            loop {
                match followed.chunk().await {
                    Ok(Some(_)) => {}
                    ended => return ended,
                }
            }
        };
        let ended = tokio::time::timeout(within, to_the_end).await.expect("it ends with its token");
        assert!(ended.is_err(), "it breaks off: {ended:?}");
        let path = format!("/v1/audit-log?outcome=refused&caller=token%20{name}");
        eventually("the refusal is in the audit log", || async {
            let (_, page) = document(platform.get(&path)).await;
            let items = page["items"].as_array().unwrap().clone();
            let is_it = |entry: &Value| {
                entry["detail"].as_str().is_some_and(|detail| detail.starts_with("GET /v1/logs: "))
            };
            items.iter().any(is_it).then_some(())
        })
        .await;
        assert_eq!(follow().await.unwrap().status(), 401);
        let goes_on = tokio::time::timeout(Duration::from_millis(10), other.next()).await.is_err();
        assert!(goes_on, "another one's is followed further");
    }
}

async fn head_is_answered_as_get_and_options_is_no_way_around(platform: &TestPlatform) {
    let gateway = platform.address(Role::Gateway);
    let token = make(platform, json!({ "name": "ci", "role": "invoke" })).await;
    for (method, path, token, expected) in [
        (Method::HEAD, "/v1/functions", token.as_str(), 200),
        (Method::HEAD, "/v1/tokens", token.as_str(), 403),
        (Method::HEAD, "/v1/functions", "guess", 401),
        (Method::OPTIONS, "/v1/functions", token.as_str(), 405),
        (Method::OPTIONS, "/v1/functions", "guess", 401),
    ] {
        let answer = with_token(gateway, token, method.clone(), path).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{method} {path}");
    }
    let details = eventually("the refusals are in the audit log", || async {
        let (_, page) = document(platform.get("/v1/audit-log?outcome=refused")).await;
        let items = page["items"].as_array().unwrap();
        let details = items.iter().map(|entry| entry["detail"].clone()).collect::<Vec<Value>>();
        (details.len() == 3).then_some(details)
    })
    .await;
    for expected in [
        "GET /v1/tokens: the token 'ci' has the role invoke, and this needs admin",
        "GET /v1/functions: no valid token",
        "a request without a route: no valid token",
    ] {
        assert!(details.contains(&json!(expected)), "{expected}: {details:?}");
    }
}

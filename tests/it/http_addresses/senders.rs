//! Who may send requests to a function, and what it is told of them.

use super::*;
use crate::support::{eventually, platform::document};

#[tokio::test]
async fn a_function_with_a_token_is_for_those_who_may_invoke_it() {
    let Some(platform) =
        start("http_addresses::senders::a_function_with_a_token_is_for_those_who_may_invoke_it", "")
            .await
    else {
        return;
    };
    deploy(&platform, "locked", "[http]\npath = \"/locked/{id}\"\nmethods = [\"GET\"]\n").await;
    deploy_site(&platform).await;
    let (public, own) = (public(&platform), platform.platform.addresses.gateway);
    let token = platform.get("/").build().unwrap().headers()["authorization"].clone();
    let made = platform
        .post("/v1/tokens")
        .json(&json!({ "name": "other", "role": "invoke", "functions": ["other_*"] }));
    let made: Value = serde_json::from_slice(&sent(made).await.bytes().await.unwrap()).unwrap();
    let other = made["token"].as_str().unwrap().to_owned();
    for address in [public, own] {
        let refused = sent(get(address, "/locked/7")).await;
        assert_eq!((refused.status().as_u16(), header(&refused, "www-authenticate")), (401, "Bearer"));
        let wrong = refusal(get(address, "/locked/7").bearer_auth(&other)).await;
        let detail = "the token 'other' is for the functions other_*, and not for 'locked'";
        assert_eq!((wrong.0, wrong.1[1].as_str().unwrap()), (403, detail));
        let request = get(address, "/locked/7").header("authorization", token.clone());
        let request = json_of(sent(request).await).await;
        assert_eq!(
            (request_line(&request), seen(&request, "authorization").len()),
            ("GET /locked/7".into(), 0)
        );
        let basic = get(address, "/site").header("authorization", "Basic YTpi");
        assert_eq!(seen(&json_of(sent(basic).await).await, "authorization"), ["Basic YTpi"]);

        let allow = "GET, HEAD, OPTIONS".to_owned();
        let post = bare(address, Method::POST, "/locked/7");
        assert_eq!(status_and(post, "allow").await, (405, allow.clone()));
        let options = bare(address, Method::OPTIONS, "/locked/7");
        assert_eq!(status_and(options, "allow").await, (204, allow));
    }
    // By its name: with a token, whatever `[http]` says.
    assert_eq!(sent(get(own, "/f/site/a")).await.status(), 401);
    let by_name = async |path: &str| {
        json_of(sent(get(own, path).header("authorization", token.clone())).await).await
    };
    let request = by_name("/f/site/a/b?x=1").await;
    assert_eq!(request_line(&request), "GET /a/b?x=1");
    assert_eq!(seen(&request, "x-forwarded-prefix"), ["/f/site"]);
    assert!(seen(&request, "authorization").is_empty());
    assert_eq!(request_line(&by_name("/f/locked").await), "GET /");
    assert_eq!(request_line(&by_name("/f/locked/").await), "GET /");
    let missing = get(own, "/f/missing/").header("authorization", token.clone());
    assert_eq!(refusal(missing).await.1[0], "function_not_found");

    // Of strangers at `site`, nothing is written down.
    assert_eq!(sent(get(own, "/site").header("origin", "https://evil.example")).await.status(), 403);
    // Refusals are told in their order: with this one, all before it are there.
    assert_eq!(sent(get(own, "/v1/tokens").bearer_auth(&other)).await.status(), 403);
    let last = "token other GET /v1/tokens: the token 'other' has the role invoke, and this needs admin";
    let details = eventually("refusals are in the audit log", || async {
        let (_, page) = document(platform.get("/v1/audit-log?outcome=refused&limit=100")).await;
        let items = page["items"].as_array().unwrap().clone();
        let mut details: Vec<String> = items
            .iter()
            .map(|item| {
                format!("{} {}", item["caller"].as_str().unwrap(), item["detail"].as_str().unwrap())
            })
            .collect();
        details.sort();
        details.dedup();
        details.iter().any(|detail| detail == last).then_some(details)
    })
    .await;
    let wrong = "token other an HTTP request to a function: the token 'other' is for the functions other_*, and not for \
                 'locked'";
    assert_eq!(details, [last, wrong, "unknown an HTTP request to a function: no token"]);
    platform.stop().await;
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_has_come_from() {
    let test = "http_addresses::senders::only_a_trusted_proxy_says_where_a_request_has_come_from";
    for (trusted, client, proto) in
        [("", "127.0.0.1", "http"), ("127.0.0.0/8", "203.0.113.9, 127.0.0.1", "https")]
    {
        let Some(platform) = start(test, trusted).await else { return };
        deploy_site(&platform).await;
        let public = public(&platform);
        let request = get(public, "/site")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", "https")
            .header("forwarded", "for=203.0.113.9")
            .header("connection", "x-forwarded-host");
        let request = json_of(sent(request).await).await;
        assert_eq!(seen(&request, "x-forwarded-for"), [client]);
        assert_eq!(seen(&request, "x-forwarded-proto"), [proto]);
        assert_eq!(seen(&request, "x-forwarded-host"), [public.to_string()]);
        assert_eq!(seen(&request, "x-forwarded-port"), [public.port().to_string()]);
        assert_eq!(seen(&request, "forwarded").len(), usize::from(proto == "https"));
        platform.stop().await;
    }
}

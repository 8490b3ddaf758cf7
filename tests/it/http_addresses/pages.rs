//! Requests of web pages.

use super::*;

#[tokio::test]
async fn a_page_of_another_origin_may_send_what_the_function_allows() {
    let Some(platform) =
        start("http_addresses::pages::a_page_of_another_origin_may_send_what_the_function_allows", "")
            .await
    else {
        return;
    };
    deploy_site(&platform).await;
    deploy(
        &platform,
        "open",
        "[http]\npath = \"/open\"\nhost = \"open.example\"\nauth = \"none\"\ncors = \"*\"\n",
    )
    .await;
    let app = "https://app.example";
    for address in [public(&platform), platform.platform.addresses.gateway] {
        let from = |origin: &str| get(address, "/site").header("origin", origin);
        let answer = sent(from(app)).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), app);
        assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
        assert_eq!(header(&answer, "vary"), "Origin");
        assert!(header(&answer, "access-control-expose-headers").contains("cloudfunc-invocation-id"));
        let own = format!("http://{address}");
        let answer = sent(from(&own)).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
            (200, "")
        );

        let foreign = refusal(from("https://evil.example")).await;
        let expected = json!([
            "forbidden",
            "requests from web pages of 'https://evil.example' are not allowed here",
            "name the origin in `cors` of [http] in the function's cloudfunc.toml"
        ]);
        assert_eq!(foreign, (403, expected));
        let expected = json!([
            "forbidden",
            "requests from web pages without an origin of their own ('Origin: null') are not allowed here",
            "the pages of functions on the platform's own port send it: serve them on the port of --public-listen"
        ]);
        assert_eq!(refusal(from("null")).await, (403, expected));

        let preflight = |origin: &str| {
            bare(address, Method::OPTIONS, "/site/x")
                .header("origin", origin)
                .header("access-control-request-method", "PUT")
                .header("access-control-request-headers", "x-a, content-type")
        };
        let answer = sent(preflight(app)).await;
        assert_eq!(answer.status(), 204);
        for (name, expected) in [
            ("access-control-allow-origin", app),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "x-a, content-type"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
            ("cloudfunc-invocation-id", ""),
        ] {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
        assert_eq!(sent(preflight("https://evil.example")).await.status(), 403);

        // Every origin, without cookies; by the host of the function, which is a name of both ports.
        let open = get(address, "/open").header("host", "Open.Example:8000").header("origin", "null");
        let answer = sent(open).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
            (200, "*")
        );
        assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    }
    assert_eq!(sent(get(public(&platform), "/open")).await.status(), 404, "another host");
    platform.stop().await;
}

#[tokio::test]
async fn pages_on_the_platforms_own_port_are_kept_apart_from_it() {
    let Some(platform) =
        start("http_addresses::pages::pages_on_the_platforms_own_port_are_kept_apart_from_it", "").await
    else {
        return;
    };
    deploy_site(&platform).await;
    let (public, own) = (public(&platform), platform.platform.addresses.gateway);
    let policy = async |request: RequestBuilder| {
        let answer = sent(request).await;
        let header = |name| header(&answer, name).to_owned();
        (header("content-security-policy"), header("x-content-type-options"))
    };
    let apart = ("sandbox allow-scripts allow-forms".to_owned(), "nosniff".to_owned());
    assert_eq!(policy(get(own, "/site/page")).await, apart);
    assert_eq!(policy(get(own, "/site")).await, (String::new(), "nosniff".to_owned()), "JSON");
    assert_eq!(policy(get(public, "/site/page")).await, (String::new(), String::new()));
    let call = platform.post("/v1/functions/site/invoke").header("Cloudfunc-Http-Path", "/page");
    assert_eq!(policy(call.header("Cloudfunc-Http-Method", "GET")).await, apart);
    // Its host is not one that the platform answers to.
    let foreign = get(own, "/site").header("host", "evil.example");
    let expected = json!([
        "forbidden",
        "the Host 'evil.example' is not a name of this server",
        "call it by its IP address or localhost, or name the host in CLOUDFUNC_GATEWAY_HOSTS"
    ]);
    assert_eq!(refusal(foreign).await, (403, expected));
    assert_eq!(sent(get(public, "/site").header("host", "any.example")).await.status(), 200);
    platform.stop().await;
}

use axum::body::Body;

use super::{addresses::Table, *};
use crate::model::{HttpAuth, HttpSpec};

fn port(is_public: bool, paths: Option<&[&str]>) -> Arc<Port> {
    let addresses = Arc::new(Addresses::default());
    if let Some(paths) = paths {
        addresses.set(table("web", paths, HttpAuth::None));
    }
    let (gateway, guard) = (Gateway::alone(), Guard::new("token"));
    Arc::new(Port { gateway, guard, addresses, is_public })
}

/// The addresses of one function.
fn table(name: &str, paths: &[&str], auth: HttpAuth) -> Table {
    let http = HttpSpec {
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        methods: vec!["GET".to_owned()],
        host: None,
        auth,
        cors: vec!["https://app.example".to_owned()],
        max_body: 1024,
    };
    let created_at = jiff::Timestamp::from_second(1).unwrap();
    Table::of(vec![HttpFunction { name: name.parse().unwrap(), created_at, http }])
}

const ARRIVED: Arrived = Arrived {
    from: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    is_tls: false,
    protocol: "HTTP/1.1",
};

fn request(method: &str, path: &str, headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method.parse().unwrap();
    *request.uri_mut() = path.parse().unwrap();
    request.headers_mut().insert("host", HeaderValue::from_static("localhost:8000"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    request
}

/// The status that a request is answered with before a function is called; none if it is left to the guard.
async fn status(port: &Arc<Port>, request: Request) -> Option<u16> {
    Some(answered(port, request).await?.status().as_u16())
}

async fn answered(port: &Arc<Port>, request: Request) -> Option<Response> {
    let answering = port.find(&request, ARRIVED)?;
    Some(answering(request, BodyBudget::of(2000)).await)
}

/// What a client is told in words: the detail of the problem, and its hint.
async fn told(port: &Arc<Port>, request: Request) -> (String, Option<String>) {
    let answer = answered(port, request).await.expect("it is answered here");
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    (problem.detail, problem.hint)
}

#[tokio::test]
async fn a_port_of_the_platform_leaves_to_its_guard_what_is_no_functions() {
    for port in [port(false, Some(&["/a", "/b/{rest+}"])), port(false, None)] {
        for path in
            ["/v1/functions", "/v1/functions/f/invoke", "/healthz", "/metrics", "/nowhere", "/f", "/f/"]
        {
            assert_eq!(status(&port, request("GET", path, &[])).await, None, "{path}");
        }
        // Below `/f/` a token is needed.
        assert_eq!(status(&port, request("GET", "/f/Not-a-name/x", &[])).await, None);
        assert_eq!(status(&port, request("GET", "/f/web/../x", &[])).await, Some(400));
    }
}

#[tokio::test]
async fn a_public_port_answers_everything_and_tells_of_nothing() {
    let ready = port(true, Some(&["/a"]));
    for path in ["/v1/functions", "/healthz", "/f/web/", "/nowhere", "/"] {
        assert_eq!(status(&ready, request("GET", path, &[])).await, Some(404), "{path}");
    }
    assert_eq!(status(&ready, request("GET", "/a//b", &[])).await, Some(400));
    let early = port(true, None);
    assert_eq!(status(&early, request("GET", "/a", &[])).await, Some(503));
    assert_eq!(status(&early, request("GET", "/v1/functions", &[])).await, Some(404));
}

#[tokio::test]
async fn what_is_refused_or_answered_by_the_gateway_does_not_reach_the_function() {
    let port = port(false, Some(&["/a"]));
    let origin = |origin: &'static str| ("origin", origin);
    let asks = ("access-control-request-method", "GET");
    type Case<'c> = (&'c str, &'c [(&'static str, &'static str)], u16);
    let cases: [Case<'_>; 11] = [
        ("POST", &[], 405),
        ("OPTIONS", &[], 204),
        ("GET", &[("host", "evil.example")], 403),
        ("POST", &[("host", "evil.example")], 403),
        ("GET", &[origin("https://evil.example")], 403),
        ("GET", &[origin("null")], 403),
        ("OPTIONS", &[origin("https://app.example"), asks], 204),
        ("OPTIONS", &[origin("https://evil.example"), asks], 403),
        // Without a word of leave, so that a browser does not send it.
        ("OPTIONS", &[origin("https://app.example"), ("access-control-request-method", "PUT")], 204),
        ("GET", &[("upgrade", "websocket")], 400),
        ("GET", &[("trailer", "x-checksum")], 400),
    ];
    for (method, headers, expected) in cases {
        let answered = status(&port, request(method, "/a", headers)).await;
        assert_eq!(answered, Some(expected), "{method} {headers:?}");
    }
    let mut large = request("GET", "/a", &[]);
    *large.body_mut() = Body::from(vec![0; 1025]);
    assert_eq!(status(&port, large).await, Some(413));
}

#[tokio::test]
async fn refusals_say_what_is_wrong_and_what_to_do() {
    let (own, public) = (port(false, Some(&["/a"])), port(true, Some(&["/a"])));
    let several = || {
        let mut several = request("GET", "/a", &[("origin", "https://a.example")]);
        several.headers_mut().append("origin", HeaderValue::from_static("https://b.example"));
        several
    };
    let of_length = |length: usize| {
        let mut large = request("GET", "/a", &[]);
        *large.body_mut() = Body::from(vec![0; length]);
        large
    };
    let long = format!("/a?{}", "x".repeat(8 * 1024));
    let path = "send a path without empty segments, and without `.` and `..`";
    for (port, request, detail, hint) in [
        (&public, several(), "the request has several Origin headers", Some("send one")),
        (&own, request("POST", "/a", &[]), "/a does not take POST", None),
        (&public, request("GET", "/a//b", &[]), "the path has an empty segment, as in `//`", Some(path)),
        (
            &public,
            of_length(1025),
            "the body is larger than the limit of 1 KiB",
            Some("send less, or raise `max_body` of [http] in the function's cloudfunc.toml"),
        ),
        (
            &public,
            request("GET", &long, &[]),
            "the request cannot be passed on: path and query have 8195 bytes, over the limit of 8 KiB",
            Some("send what is large in the body"),
        ),
        (
            &public,
            request("GET", "/a", &[("host", "user@app.example")]),
            "the request has no valid Host header",
            Some("send the name or the IP address that you call, such as 'Host: api.example.com:8443'"),
        ),
    ] {
        let expected = (detail.to_owned(), hint.map(str::to_owned));
        assert_eq!(told(port, request).await, expected);
    }
    let early = told(&port(true, None), request("GET", "/a", &[])).await;
    assert_eq!(early, ("the addresses of functions are not known yet".to_owned(), None));
}

#[tokio::test]
async fn headers_that_do_not_fit_are_refused_before_the_body_and_counted_as_they_were_sent() {
    let port = port(true, Some(&["/a"]));
    let with = |count: usize, value: &str| {
        let mut request = request("GET", "/a", &[]);
        for _ in 0..count {
            request.headers_mut().append("x-many", value.parse().unwrap());
        }
        // It never comes.
        *request.body_mut() =
            Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>());
        request.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
        request
    };
    let hint = Some("send what is large as the payload".to_owned());
    let many = "the request has 87 headers, over the limit of 85".to_owned();
    assert_eq!(told(&port, with(85, "1")).await, (many, hint.clone()));
    let (detail, of_large) = told(&port, with(2, &"a".repeat(20_000))).await;
    assert!(detail.ends_with(" bytes, over the limit of 24 KiB"), "{detail}");
    assert_eq!(of_large, hint);
}

#[tokio::test]
async fn the_body_of_a_refused_request_takes_nothing_of_the_budget() {
    let port = port(false, Some(&["/a"]));
    for (host, expected) in [("evil.example", 403), ("localhost", 503)] {
        let mut request = request("GET", "/a", &[("host", host)]);
        *request.body_mut() = Body::from(vec![0; 100]);
        let answering = port.find(&request, ARRIVED).unwrap();
        assert_eq!(answering(request, BodyBudget::of(99)).await.status().as_u16(), expected, "{host}");
    }
}

#[tokio::test]
async fn every_answer_on_the_platforms_own_port_is_kept_apart_from_it() {
    let (own, public) = (port(false, Some(&["/a"])), port(true, Some(&["/a"])));
    let evil = ("host", "evil.example");
    for (method, path, headers, expected) in [
        ("GET", "/a//b", &[][..], 400),
        ("GET", "/a//b", &[evil], 403),
        ("GET", "/a//b", &[("origin", "https://evil.example")], 403),
        ("OPTIONS", "/a", &[], 204),
        ("POST", "/a", &[], 405),
        ("POST", "/a", &[evil], 403),
    ] {
        let answer = answered(&own, request(method, path, headers)).await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{method} {path} {headers:?}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let on_public = answered(&public, request(method, path, headers)).await.unwrap();
        assert_eq!(on_public.headers().get("x-content-type-options"), None);
    }
}

#[tokio::test]
async fn a_request_whose_body_was_slow_is_refused_if_its_address_leads_elsewhere_or_needs_a_token() {
    let port = port(true, Some(&["/a"]));
    let (head, _) = request("GET", "/a", &[]).into_parts();
    let way = Way::of(&head, ARRIVED, &port.gateway.trusted_proxies, BodyBudget::of(1));
    let found = port.look_up(&head.method, head.uri.path(), &head.headers);
    let Some(Answered::By(aim)) = found else { panic!("no function has the address") };
    for (name, path, auth, expected) in [
        ("web", "/a", HttpAuth::None, None),
        ("web", "/a", HttpAuth::Token, Some(401)),
        ("other", "/a", HttpAuth::None, Some(404)),
        ("web", "/{x}", HttpAuth::None, Some(404)),
        ("web", "/b", HttpAuth::None, Some(404)),
    ] {
        port.addresses.set(table(name, &[path], auth));
        let refused = port.look_again(&aim, &head, &way).await.err();
        assert_eq!(refused.map(|failure| failure.0.status), expected, "{name} {path}");
    }
}

#[test]
fn cookies_of_http_2_are_made_into_one_header() {
    let mut headers = HeaderMap::new();
    headers.append("host", HeaderValue::from_static("App.Example.:8443"));
    for cookie in ["a=1", "b=2"] {
        headers.append("cookie", HeaderValue::from_static(cookie));
    }
    assert_eq!(called_name(&headers), "app.example");
    join_cookies(&mut headers);
    assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
}

use axum::body::Body;

use super::{addresses::Table, *};
use crate::model::{HttpAuth, HttpSpec};

fn port(is_public: bool, paths: Option<&[&str]>) -> Arc<Port> {
    let addresses = Arc::new(Addresses::default());
    if let Some(paths) = paths {
        let http = HttpSpec {
            paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
            methods: vec!["GET".to_owned()],
            host: None,
            auth: HttpAuth::None,
            cors: vec!["https://app.example".to_owned()],
            max_body: 1024,
        };
        let created_at = jiff::Timestamp::from_second(1).unwrap();
        addresses.set(Table::of(vec![HttpFunction { name: "web".parse().unwrap(), created_at, http }]));
    }
    let (gateway, guard) = (Gateway::alone(), Guard::new("token"));
    Arc::new(Port { gateway, guard, addresses, is_public })
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
        request.headers_mut().insert(*name, HeaderValue::from_static(*value));
    }
    request
}

/// The status that a request is answered with before a function is called; none if it is left to the guard.
async fn status(port: &Arc<Port>, request: Request) -> Option<u16> {
    let answering = port.find(&request, ARRIVED)?;
    Some(answering(request).await.status().as_u16())
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
    let cases: [(&str, &[(&'static str, &'static str)], u16); 11] = [
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

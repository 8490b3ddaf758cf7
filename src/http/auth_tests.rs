use std::sync::Mutex;

use super::*;
use crate::model::{Caller, TokenRole};

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let name: axum::http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

fn check(guard: &Guard, path: &str, list: &[(&str, &str)]) -> Answer<()> {
    guard.check(&path.parse().unwrap(), &headers(list)).map(drop)
}

#[test]
fn only_the_right_token_by_a_known_host_and_no_page_gets_in() {
    let guard = Guard::new("secret").with_hosts(vec!["faas.example".to_owned()]);
    let token = ("authorization", "Bearer secret");
    for host in [
        "127.0.0.1:8000",
        "localhost:8000",
        "LOCALHOST",
        "[::1]:8000",
        "[::1]",
        "faas.example",
        "Faas.Example:80",
    ] {
        assert!(check(&guard, "/", &[("host", host), token]).is_ok(), "{host}");
    }
    let local = ("host", "localhost");
    assert!(check(&guard, "/", &[local, ("authorization", "bearer secret")]).is_ok());
    for (list, expected) in [
        (vec![("host", "evil.example:8000"), token], "forbidden"),
        (vec![token], "forbidden"),
        (vec![("host", "[::1"), token], "forbidden"),
        (vec![("host", "[::1]evil"), token], "forbidden"),
        (vec![("host", "[::1]evil:80"), token], "forbidden"),
        (vec![("host", "[localhost]"), token], "forbidden"),
        (vec![("host", "localhost:1@evil"), token], "forbidden"),
        (vec![("host", "localhost:80:80"), token], "forbidden"),
        (vec![("host", "user@localhost"), token], "forbidden"),
        (vec![local, ("host", "localhost"), token], "bad_request"),
        (vec![local, token, ("origin", "http://localhost:8000")], "forbidden"),
        (vec![local], "unauthorized"),
        (vec![local, ("authorization", "Bearer secre")], "unauthorized"),
        (vec![local, ("authorization", "Basic secret")], "unauthorized"),
        (vec![local, token, token], "bad_request"),
        (vec![local, token, ("authorization", "Basic secret")], "bad_request"),
    ] {
        assert_eq!(check(&guard, "/", &list).unwrap_err().0.code, expected, "{list:?}");
    }
}

#[test]
fn a_token_in_an_address_is_refused_beside_a_valid_one_too() {
    let (guard, local) = (Guard::new("secret"), ("host", "localhost"));
    for query in ["token=secret", "a=1&Access_Token=x", "API_KEY", "KEY=", "tok%65n=x"] {
        for list in [&[local][..], &[local, ("authorization", "Bearer secret")]] {
            let Failure(problem) = check(&guard, &format!("/v1/logs?{query}"), list).unwrap_err();
            assert_eq!((problem.code.as_str(), problem.status), ("bad_request", 400), "{query}");
            let (detail, hint) = (problem.detail, problem.hint.unwrap());
            assert!(detail.ends_with("='), and addresses end up in logs"), "{detail}");
            assert!(!detail.contains("secret") && hint.starts_with("revoke that token, "), "{hint}");
        }
    }
    let list = [local, ("authorization", "Bearer secret")];
    assert!(check(&guard, "/v1/logs?cursor=token&keys=1&function=key", &list).is_ok());
}

/// Knows one token, and asks for another one.
struct Two;

impl Authenticate for Two {
    fn authenticate(&self, token: &str) -> Authentication {
        let caller = |name: &str| Caller { name: name.to_owned(), ..Caller::internal() };
        match token {
            "one" => Authentication::Known(Ok(Arc::new(caller("token one")))),
            "two" => {
                let role = TokenRole::Invoke;
                let two = Caller { role, ..caller("token two") };
                Authentication::Asking(Box::pin(async move { Ok(Arc::new(two)) }))
            }
            _ => {
                let problem = Problem::new(code::UNAUTHORIZED, "not known");
                Authentication::Known(Err(problem.into()))
            }
        }
    }
}

fn request(path: &str, token: &str) -> Request {
    let mut request = Request::new(axum::body::Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    let token = format!("Bearer {token}");
    *request.headers_mut() = headers(&[("host", "localhost"), ("authorization", token.as_str())]);
    request
}

async fn text(answer: Response) -> bytes::Bytes {
    axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap()
}

#[allow(clippy::result_large_err, reason = "the error is the request itself, for the router")]
#[tokio::test]
async fn routes_and_the_shortcut_learn_who_has_sent_a_request_and_the_refused_are_told_of() {
    let seen = |sent_by: &SentBy| format!("{} from {}", sent_by.caller.name, sent_by.from);
    let route = async move |request: Request| seen(request.extensions().get::<SentBy>().unwrap());
    let short: Shortcut = Arc::new(move |request, sent_by| match request.uri().path() {
        "/short" => {
            let text = format!("{} in short", seen(sent_by));
            Ok(Box::pin(async move { text.into_response() }))
        }
        _ => Err(request),
    });
    let refused = Arc::new(Mutex::new(Vec::new()));
    let heard = refused.clone();
    let on_refusal: OnRefusal = Arc::new(move |refusal| {
        let told = format!("{} {} {}", refusal.method, refusal.path, refusal.problem.detail);
        heard.lock().unwrap().push(told);
    });
    let guarded = Guarded {
        guard: Guard::public(Arc::new(Two), on_refusal),
        routes: Router::new().route("/route", axum::routing::get(route)),
        shortcut: Some(short),
        bodies: BodyBudget::of(1000),
    };
    let from: IpAddr = "192.0.2.1".parse().unwrap();
    for (path, token, expected) in [
        ("/route", "one", "token one from 192.0.2.1"),
        ("/route", "two", "token two from 192.0.2.1"),
        ("/short", "one", "token one from 192.0.2.1 in short"),
        ("/short", "two", "token two from 192.0.2.1 in short"),
    ] {
        assert_eq!(text(guarded.answer(request(path, token), from).await).await, expected);
    }
    assert!(refused.lock().unwrap().is_empty());
    let answer = guarded.answer(request("/route", "three"), from).await;
    assert_eq!(answer.status().as_u16(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let answer = guarded.answer(request("/route?key=1", "one"), from).await;
    assert_eq!(answer.status().as_u16(), 400);
    // What is open is not checked, nor asked about.
    assert_eq!(guarded.answer(request("/healthz", "three"), from).await.status().as_u16(), 404);
    let mut twice = request("/route", "one");
    twice.headers_mut().append("authorization", "Bearer two".parse().unwrap());
    assert_eq!(guarded.answer(twice, from).await.status().as_u16(), 400);
    // Not about tokens.
    let mut nowhere = request("/route", "one");
    nowhere.headers_mut().append("host", "localhost".parse().unwrap());
    assert_eq!(guarded.answer(nowhere, from).await.status().as_u16(), 400);
    assert_eq!(
        *refused.lock().unwrap(),
        [
            "GET /route not known",
            "GET /route the address has a token in it ('key='), and addresses end up in logs",
            "GET /route the request has several Authorization headers",
        ]
    );
}

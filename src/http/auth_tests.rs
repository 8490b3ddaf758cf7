use std::sync::Mutex;

use super::{
    super::request::{payload_too_large, read_body},
    *,
};
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
    let checked = guard.check(&path.parse().unwrap(), &headers(list));
    checked.map(drop).map_err(|refused| refused.failure)
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
        (vec![token], "bad_request"),
        (vec![("host", ""), token], "bad_request"),
        (vec![("host", "[::1"), token], "bad_request"),
        (vec![("host", "[::1]evil"), token], "bad_request"),
        (vec![("host", "[::1]evil:80"), token], "bad_request"),
        (vec![("host", "[localhost]"), token], "bad_request"),
        (vec![("host", "localhost:1@evil"), token], "bad_request"),
        (vec![("host", "localhost:80:80"), token], "bad_request"),
        (vec![("host", "user@localhost"), token], "bad_request"),
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

/// Knows one token, and asks for another one; two others give no rights.
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
            "four" => {
                let failure = Problem::new(code::FORBIDDEN, "no rights").into();
                let caller = Some("oidc four".to_owned());
                Authentication::Rejected(Rejected { failure, caller })
            }
            "five" => {
                let failure = Problem::new(code::FORBIDDEN, "no rights").into();
                let rejected = Rejected { failure, caller: Some("oidc five".to_owned()) };
                Authentication::Asking(Box::pin(async move { Err(rejected) }))
            }
            _ => {
                let code = if token == "away" { code::UNAVAILABLE } else { code::UNAUTHORIZED };
                Authentication::Known(Err(Problem::new(code, "not known").into()))
            }
        }
    }

    fn may_be_token(&self, token: &str) -> bool {
        !token.starts_with("other")
    }
}

fn request(path: &str, token: &str) -> Request {
    let mut request = Request::new(axum::body::Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    let token = format!("Bearer {token}");
    *request.headers_mut() = headers(&[("host", "localhost"), ("authorization", token.as_str())]);
    request
}

fn arrived() -> Arrived {
    Arrived { from: [192, 0, 2, 1].into(), is_tls: false, protocol: "HTTP/1.1" }
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
            let text = format!("{} in short", seen(&sent_by));
            Ok(Box::pin(async move { text.into_response() }))
        }
        _ => Err((request, sent_by)),
    });
    let refused = Arc::new(Mutex::new(Vec::new()));
    let heard = refused.clone();
    let on_refusal: OnRefusal = Arc::new(move |refusal| {
        let caller = refusal.caller.unwrap_or("unknown");
        let path = refusal.path.unwrap_or("of a function");
        let told = format!("{caller} {} {path} {}", refusal.method, refusal.reason);
        heard.lock().unwrap().push(told);
    });
    let guarded = Guarded {
        guard: Guard::public(Arc::new(Two), on_refusal),
        routes: Router::new().route("/route", axum::routing::get(route)),
        shortcut: Some(short),
        functions: None,
        bodies: BodyBudget::of(1000),
    };
    let from = arrived();
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
    for token in ["four", "five"] {
        assert_eq!(guarded.answer(request("/route", token), from).await.status().as_u16(), 403);
    }
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
            "unknown GET /route no valid token",
            "oidc four GET /route a token without a role",
            "oidc five GET /route a token without a role",
            "unknown GET /route a token in the address",
            "unknown GET /route several Authorization headers",
        ]
    );
    refused.lock().unwrap().clear();
    // What the sender has chosen is not told: each text would be an entry of its own in the audit log.
    for (name, value, expected) in [
        ("host", "one.example", "unknown GET /route a foreign Host"),
        ("host", "two.example", "unknown GET /route a foreign Host"),
        ("origin", "http://three.example", "unknown GET /route sent by a web page"),
        ("authorization", "Basic four", "unknown GET /route no token"),
        ("authorization", "Bearer six", "unknown GET /route no valid token"),
    ] {
        let mut request = request("/route", "one");
        request.headers_mut().insert(name, value.parse().unwrap());
        guarded.answer(request, from).await;
        assert_eq!(refused.lock().unwrap().pop().as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn basic_credentials_are_told_apart_from_no_token_and_never_repeated() {
    let (guard, local) = (Guard::new("secret"), ("host", "localhost"));
    let basic = "the request's Authorization is Basic, a user and a password, and no bearer token";
    let none = "the request carries no bearer token";
    for (value, expected) in [
        ("Basic YTpi", basic),
        ("basic YTpi", basic),
        ("Basic", basic),
        ("Token x", none),
        ("cf_secret", none),
        ("", none),
    ] {
        let list = [local, ("authorization", value)];
        let Failure(problem) = check(&guard, "/", &list).unwrap_err();
        assert_eq!((problem.status, problem.detail.as_str()), (401, expected), "{value}");
        assert_eq!(problem.hint.as_deref(), Some(TOKEN_HINT));
    }
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_thrown_away_unless_its_sender_waits_for_leave() {
    let on_refusal: OnRefusal = Arc::new(|_| {});
    let guarded = Guarded {
        guard: Guard::public(Arc::new(Two), on_refusal),
        routes: Router::new(),
        shortcut: None,
        functions: None,
        bodies: BodyBudget::of(1000),
    };
    for (expect, expected) in [(None, 20 << 20), (Some("100-continue"), 0)] {
        let read = Arc::new(Mutex::new(0));
        let count = read.clone();
        let pieces = (0..20).map(move |_| {
            *count.lock().unwrap() += 1 << 20;
            Ok::<_, std::convert::Infallible>(vec![0_u8; 1 << 20])
        });
        let mut request = request("/route", "three");
        if let Some(expect) = expect {
            request.headers_mut().insert("expect", expect.parse().unwrap());
        }
        *request.body_mut() = axum::body::Body::from_stream(futures_util::stream::iter(pieces));
        let answer = guarded.answer(request, arrived()).await;
        assert_eq!((answer.status().as_u16(), *read.lock().unwrap()), (401, expected));
    }
}

#[tokio::test]
async fn functions_are_asked_first_and_check_their_senders_themselves() {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let heard = refused.clone();
    let on_refusal: OnRefusal = Arc::new(move |refusal| {
        let told = format!("{} {:?} {}", refusal.method, refusal.path, refusal.reason);
        heard.lock().unwrap().push(told);
    });
    let guard = Guard::public(Arc::new(Two), on_refusal);
    let of_function = guard.clone();
    let functions: Functions = Arc::new(move |request, arrived| {
        request.uri().path().strip_prefix("/function")?;
        let guard = of_function.clone();
        Some(Box::new(move |request, bodies| {
            Box::pin(async move {
                let (head, body) = request.into_parts();
                let answered = async {
                    let sent_by = guard.sender(&head, arrived.from).await?;
                    let (body, _room) = with_room(&bodies, &head.headers, body, false).await?;
                    read_body(body, 100, payload_too_large).await?;
                    Ok::<_, Failure>(sent_by.caller.name.clone())
                };
                answered.await.into_response()
            })
        }))
    });
    let bodies = BodyBudget::of(10);
    let (routes, functions) = (Router::new(), Some(functions));
    let guarded = Guarded { guard, routes, shortcut: None, functions, bodies };
    let answered = async |request: Request| {
        let answer = guarded.answer(request, arrived()).await;
        (answer.status().as_u16(), text(answer).await)
    };
    // Neither its query nor its Origin is looked at here.
    let mut known = request("/function?token=x", "two");
    known.headers_mut().insert("origin", "https://app.example".parse().unwrap());
    assert_eq!(answered(known).await, (200, "token two".into()));
    assert_eq!(answered(request("/function", "three")).await.0, 401);
    assert_eq!(answered(request("/other", "three")).await.0, 401);
    // The bodies of strangers take nothing of the budget.
    for (token, expected) in [("three", 401), ("two", 503)] {
        let mut large = request("/function", token);
        *large.body_mut() = axum::body::Body::from("12345678901");
        assert_eq!(answered(large).await.0, expected, "{token}");
    }
    let expected =
        ["GET None no valid token", "GET Some(\"/other\") no valid token", "GET None no valid token"];
    assert_eq!(*refused.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_platforms_tokens_are_taken_out_of_requests_that_need_none_and_others_stay() {
    let on_refusal: OnRefusal = Arc::new(|_| panic!("nothing is refused"));
    let guard = Guard::public(Arc::new(Two), on_refusal);
    for (sent, is_kept) in [
        ("Bearer one", false),
        ("bearer  one ", false),
        ("Bearer two", false),
        // Genuine, and without rights.
        ("Bearer four", false),
        ("Bearer five", false),
        // It looks like one, and nobody can tell.
        ("Bearer away", false),
        ("Bearer six", true),
        ("Bearer other", true),
        ("Basic one", true),
        ("one", true),
    ] {
        let mut headers = headers(&[("authorization", sent), ("x-kept", "1")]);
        guard.take_out_tokens(&mut headers).await;
        let kept = headers.get("authorization").map(|value| value.to_str().unwrap());
        assert_eq!((kept, headers.len()), (is_kept.then_some(sent), 1 + usize::from(is_kept)), "{sent}");
    }
    let several =
        [("authorization", "Basic a"), ("authorization", "Bearer one"), ("authorization", "Basic b")];
    let mut several = headers(&several);
    guard.take_out_tokens(&mut several).await;
    assert_eq!(several.get_all("authorization").iter().collect::<Vec<_>>(), ["Basic a", "Basic b"]);
}

#[tokio::test]
async fn a_sender_behind_a_trusted_proxy_is_its_client_and_what_others_say_of_their_way_is_taken_out() {
    async fn route(request: Request) -> String {
        let from = request.extensions().get::<SentBy>().unwrap().from;
        let told = request.headers().get("x-forwarded-for").map(|told| told.to_str().unwrap());
        format!("{from} {told:?} {}", request.headers().contains_key("x_forwarded_for"))
    }
    let refused = Arc::new(Mutex::new(Vec::new()));
    let heard = refused.clone();
    let on_refusal: OnRefusal =
        Arc::new(move |refusal| heard.lock().unwrap().push(refusal.from.to_string()));
    for (proxies, expected, client) in [
        ("", "192.0.2.1 None false", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9 Some(\"203.0.113.9\") false", "203.0.113.9"),
    ] {
        let guarded = Guarded {
            guard: Guard::public(Arc::new(Two), on_refusal.clone()).behind(proxies.parse().unwrap()),
            routes: Router::new().route("/route", axum::routing::get(route)),
            shortcut: None,
            functions: None,
            bodies: BodyBudget::of(1000),
        };
        for token in ["one", "three"] {
            let mut request = request("/route", token);
            for name in ["x-forwarded-for", "x_forwarded_for"] {
                request.headers_mut().insert(name, "203.0.113.9".parse().unwrap());
            }
            let answer = guarded.answer(request, arrived()).await;
            match token {
                "one" => assert_eq!(text(answer).await, expected, "{proxies}"),
                _ => assert_eq!(refused.lock().unwrap().pop().as_deref(), Some(client)),
            }
        }
    }
}

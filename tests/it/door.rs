//! What is let in: payloads, their types and encodings, headers, query strings and documents. Everything
//! else is refused before anything is stored or run, with what would be accepted.

mod encodings;
mod headers;
mod python_json;
mod requests;

use cloudfunc::model::{Problem, code};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

const ECHO: &str = "def handler(event):\n    return event\n";
const LENGTH: &str = "def handler(event):\n    return len(event)\n";

on_stack! {
    light:
    a_payload_that_a_function_cannot_read_is_refused_before_it_is_accepted
    a_type_that_cannot_be_read_is_refused_by_name
    an_empty_payload_is_the_empty_event
    a_form_reaches_the_function_and_a_failure_says_how_to_send_json
    the_command_line_refuses_the_same_before_it_sends
    answers_are_taken_for_what_they_say
}

async fn nothing_was_recorded(platform: &TestPlatform) {
    let nothing = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(platform.get("/v1/invocations")).await, nothing);
}

async fn a_payload_that_a_function_cannot_read_is_refused_before_it_is_accepted(
    platform: &TestPlatform,
) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let utf_16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let not_valid = "the payload is not valid JSON: ";
    let limit = "the payload is JSON that not every function can read: ";
    for (payload, beginning, what) in [
        (
            b"{\"name\":\"Ren\xe9\"}".to_vec(),
            not_valid,
            "the bytes are not UTF-8 (0xe9) at line 1 column 13 (byte 12)",
        ),
        (
            b"\xef\xbb\xbf{}".to_vec(),
            not_valid,
            "it begins with a byte order mark of UTF-8 at line 1 column 1 (byte 0)",
        ),
        (utf_16, not_valid, "it is encoded in UTF-16 at line 1 column 1 (byte 0)"),
        (b"[NaN]".to_vec(), not_valid, "NaN and Infinity are not JSON at line 1 column 2 (byte 1)"),
        (
            b"{\"a\":\"\0\"}".to_vec(),
            not_valid,
            "a string has a control character that is not escaped (0x00) at line 1 column 7 (byte 6)",
        ),
        (
            vec![b'['; 500_000],
            limit,
            "it is nested deeper than 500 levels at line 1 column 501 (byte 500)",
        ),
        (
            vec![b'7'; 5000],
            limit,
            "an integer has 5000 digits, over the limit of 4300 at line 1 column 1 (byte 0)",
        ),
        (
            b"\"\\ud800\"".to_vec(),
            limit,
            "the escape \\ud800 is half of a surrogate pair at line 1 column 2 (byte 1)",
        ),
    ] {
        for preference in ["respond-async", "wait=5"] {
            let request = platform.post("/v1/functions/echo/invoke").header("prefer", preference);
            let (status, mut answer) = document(request.body(payload.clone())).await;
            assert!(answer.as_object_mut().unwrap().remove("hint").is_some());
            let expected = problem(code::INVALID_JSON, &format!("{beginning}{what}"), json!({}));
            assert_eq!((status, answer), expected);
        }
    }
    nothing_was_recorded(platform).await;
    // At the limits, and back again.
    let nested = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let digits = "9".repeat(4300);
    for payload in [nested.as_str(), &digits, "{\"a\":1,\"a\":\"\\u0000\u{1f600}\"}"] {
        let answer = platform.post("/v1/functions/echo/invoke").body(payload.to_owned()).send().await;
        assert_eq!(answer.unwrap().status(), 200, "{payload}");
    }
}

async fn a_type_that_cannot_be_read_is_refused_by_name(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    let refused = async |content_type: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(content_type).unwrap();
        let request = platform.post("/v1/functions/echo/invoke").header("content-type", value);
        let (status, answer) = document(request.body("{}")).await;
        assert_eq!((&answer["fault"], &answer["retry_safe"]), (&json!("caller"), &json!(false)));
        format!("{status} {}", answer["detail"].as_str().unwrap())
    };
    for (content_type, detail) in [
        (&b"json"[..], "400 the Content-Type 'json' is not a media type"),
        (
            b"application/json, text/plain",
            "400 the Content-Type 'application/json, text/plain' is not a media type",
        ),
        (
            "application/octet-stream; x=\"é\"".as_bytes(),
            "400 the Content-Type 'application/octet-stream; x=\"é\"' is not a media type",
        ),
        (b"text/\xe9", "400 the Content-Type 'text/\u{fffd}' is not a media type"),
        (
            b"application/json; charset=utf-16",
            "415 JSON is sent in UTF-8, and the Content-Type says charset=utf-16",
        ),
        (
            b"application/ld+json;charset=UTF-32",
            "415 JSON is sent in UTF-8, and the Content-Type says charset=UTF-32",
        ),
        (b"text/plain; charset=klingon", "415 the charset 'klingon' of the Content-Type is not known"),
    ] {
        assert_eq!(refused(content_type).await, detail);
    }
    let twice = platform.post("/v1/functions/echo/invoke").header("content-type", "text/plain");
    let twice = document(twice.header("content-type", "application/json").body("{}")).await;
    let detail = "the request has several Content-Type headers";
    assert_eq!(twice, problem(code::BAD_REQUEST, detail, json!({ "hint": "send one" })));
    nothing_was_recorded(platform).await;

    // A connection cannot take away the type that was checked.
    let bytes = platform
        .post("/v1/functions/echo/invoke")
        .header("content-type", "application/octet-stream")
        .header("connection", "content-type, prefer")
        .body(&b"{\xff"[..]);
    let bytes = bytes.send().await.unwrap();
    assert_eq!((bytes.status().as_u16(), &bytes.bytes().await.unwrap()[..]), (200, &b"{\xff"[..]));

    let text = platform
        .post("/v1/functions/echo/invoke")
        .header("content-type", "text/plain; Charset=\"Latin1\"");
    assert_eq!(text.body(b"Ren\xe9".to_vec()).send().await.unwrap().text().await.unwrap(), "René");
    // Of a type that ends in +json, JSON is checked in any case of letters.
    let upper = platform.post("/v1/functions/echo/invoke").header("content-type", "application/LD+JSON");
    assert_eq!(document(upper.body("{")).await.0, 400);
}

async fn an_empty_payload_is_the_empty_event(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    for content_type in [None, Some("application/json"), Some("application/x+json; charset=utf-8")] {
        let mut request = platform.post("/v1/functions/echo/invoke");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), "{}", "{content_type:?}");
    }
    assert_eq!(document(platform.post("/v1/functions/echo/invoke").body(" ")).await.0, 400);
}

async fn a_form_reaches_the_function_and_a_failure_says_how_to_send_json(platform: &TestPlatform) {
    let greet = "def handler(event):\n    return event['name'] if isinstance(event, dict) else event.get('name')\n";
    platform.deploy("greet", &[("function.py", greet)]).await;
    platform.deploy("length", &[("function.py", LENGTH)]).await;
    let form = |name: &str| {
        let request = platform.post(&format!("/v1/functions/{name}/invoke"));
        request.header("content-type", "application/x-www-form-urlencoded").body("{\"name\":\"Alice\"}")
    };
    assert_eq!(document(form("length")).await, (200, json!(16)));
    let hint = |(status, answer): (u16, Value)| {
        assert_eq!(status, 500);
        let problem: Problem = serde_json::from_value(answer).unwrap();
        problem.hint
    };
    let expected = "the payload came as a form (curl's default), so the handler got bytes; to send JSON, add -H 'content-type: application/json'";
    let send = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    };
    assert_eq!(hint(send(form("greet")).await).as_deref(), Some(expected));
    let json = platform.post("/v1/functions/greet/invoke").body("{}");
    assert_eq!(hint(send(json).await), None);
}

async fn the_command_line_refuses_the_same_before_it_sends(platform: &TestPlatform) {
    let place = "at line 1 column 2 (byte 1)";
    let syntax = format!(
        "error: the payload is not valid JSON: expected a key in quotes or '}}', found 'a' {place}\n\
         hint: send valid JSON, or name another type with --content-type\n"
    );
    let no_type = "error: the Content-Type 'json' is not a media type\n\
                   hint: name one type, for example --content-type application/json\n";
    let charset = "error: the charset 'klingon' of the Content-Type is not known\n";
    // No function of that name is there: it is not asked for.
    for command in [&["invoke", "f"][..], &["bench", "f"]] {
        let (code, stdout, stderr) = platform.cli(&[command, &["--data", "{a:1}"]].concat()).await;
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", syntax.as_str()), "{command:?}");
        let typed = ["--data", "x", "--content-type", "text/plain; charset=klingon"];
        let (code, _, stderr) = platform.cli(&[command, &typed].concat()).await;
        assert!(code == 2 && stderr.starts_with(charset), "{stderr}");
        let typed = ["--data", "x", "--content-type", "json"];
        let (code, _, stderr) = platform.cli(&[command, &typed].concat()).await;
        assert_eq!((code, stderr.as_str()), (2, no_type));
    }
    let deep = "[".repeat(501);
    let (code, _, stderr) = platform.cli(&["run", "/nowhere", "--data", &deep]).await;
    assert!(code == 2 && stderr.contains("nested deeper than 500 levels"), "{stderr}");
}

async fn answers_are_taken_for_what_they_say(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    for request in [
        platform.post("/v1/functions/echo/invoke").header("content-type", "text/plain").body("<html>"),
        platform.get("/v1/functions"),
        platform.get("/nowhere"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}

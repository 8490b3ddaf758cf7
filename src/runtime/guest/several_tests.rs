//! A guest that is played by the test, for what no shim would do.

use std::{collections::BTreeMap, os::fd::AsRawFd as _, path::Path};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    super::{Listener, Load, LoadFailure, RequestHead, run_folder},
    *,
};
use crate::model::{HttpRequest, Interface, RevisionNumber};

const LIMIT: Duration = Duration::from_secs(30);

fn frame(header: &str, body: &[u8]) -> Vec<u8> {
    let lengths = [header.len(), body.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
    [&lengths.concat()[..], header.as_bytes(), body].concat()
}

async fn connect(folder: &Path, frames: &[&str]) -> UnixStream {
    let folder = std::fs::File::open(run_folder(folder)).unwrap();
    let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), super::super::SOCKET_NAME);
    let mut socket = UnixStream::connect(path).await.unwrap();
    for header in frames {
        socket.write_all(&frame(header, b"")).await.unwrap();
    }
    socket
}

/// The guest, and its own side of the control connection.
async fn guest(features: &str) -> (Guest, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(folder.path()).unwrap();
    let hello = format!(r#"{{"hello":{{"protocol":1,"language":"x","pid":1{features}}}}}"#);
    let _stdout = connect(folder.path(), &[r#"{"channel":"stdout"}"#]).await;
    let _stderr = connect(folder.path(), &[r#"{"channel":"stderr"}"#]).await;
    let control = connect(folder.path(), &[r#"{"channel":"control"}"#, &hello]).await;
    (listener.accept().await.unwrap(), control)
}

fn invoke() -> Invoke {
    let (headers, content_type) = (BTreeMap::new(), "application/json".to_owned());
    Invoke { id: InvocationId::new(), attempt: 1, remaining_ms: 1, headers, content_type, http: None }
}

fn load(concurrency: u32) -> Load {
    Load {
        revision: RevisionNumber(1),
        function: "f".to_owned(),
        handler: "function.handler".to_owned(),
        packages: None,
        concurrency,
        interface: Interface::Protocol,
        command: Vec::new(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

const BOTH: &str = r#","features":["concurrent","log"]"#;

/// Two invocations under way in a guest that has listed `features`, and sends `frames` with the first one's id for `ID`.
/// Returns the error, their answers and lines, and the instance's lines.
async fn told(features: &str, frames: &[&str]) -> (String, [String; 2], Vec<String>) {
    let (mut guest, mut control) = guest(features).await;
    let (calls, mut several) = guest.several();
    let invokes = [invoke(), invoke()];
    let mut lines = [Vec::new(), Vec::new()];
    let (mut own, payload) = (Vec::new(), Bytes::new());
    let id = invokes[0].id.to_string();
    let frames = frames.iter().map(|header| frame(&header.replace("ID", &id), b"text"));
    let frames = frames.collect::<Vec<_>>().concat();
    let error = {
        let mut of_instance = |line: Line| own.push(line.text);
        let carrying = several.run(&mut of_instance);
        let [of_first, of_second] = &mut lines;
        let mut of_first = |line: Line| of_first.push(line.text);
        let mut of_second = |line: Line| of_second.push(line.text);
        let playing = async {
            // It answers what it has got.
            let mut seen = 0;
            while seen < 2 * 8 {
                seen += control.read(&mut [0; 4096]).await.unwrap();
            }
            control.write_all(&frames).await.unwrap();
            control
        };
        let (error, first, second, _control) = tokio::join!(
            carrying,
            calls.invoke(&invokes[0], &payload, LIMIT, &mut of_first),
            calls.invoke(&invokes[1], &payload, LIMIT, &mut of_second),
            playing,
        );
        assert!(calls.is_closed());
        lines[0].push(format!("{first:?}"));
        lines[1].push(format!("{second:?}"));
        error
    };
    (error.to_string(), lines.map(|lines| lines.join(" ")), own)
}

#[tokio::test]
async fn what_a_guest_may_not_send_ends_all_that_is_under_way() {
    const RESULT: &str = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    const LOG: &str = r#"{"log":{"id":"ID","stream":"stdout"}}"#;
    let nobody = format!(r#"{{"error":{{"id":"{}","type":"E","message":""}}}}"#, InvocationId::new());
    let response = RESULT.replace("}}", r#","http":{"status":200}}}"#);
    for (features, frames, reason) in [
        (BOTH, &[RESULT, RESULT][..], "which is not under way"),
        (BOTH, &[RESULT, nobody.as_str()], "which is not under way"),
        (BOTH, &[RESULT, response.as_str()], "which is not under way"),
        (BOTH, &[RESULT, r#"{"ready":{}}"#], "'ready' instead of 'result'"),
        (BOTH, &[RESULT, r#"{"later":{}}"#], "unknown variant"),
        (r#","features":["concurrent"]"#, &[RESULT, LOG], "'log' instead of 'result'"),
    ] {
        let (error, [first, second], _) = told(features, frames).await;
        assert!(error.contains(reason), "{error}");
        assert!(first.starts_with("Ok(Result("), "{first}");
        assert_eq!(second, "Err(Closed(None))");
    }
    let (error, ..) = told(BOTH, &[&RESULT.replace("/plain", "/plain\\n")]).await;
    assert!(error.contains("plain ASCII"), "{error}");
}

#[tokio::test]
async fn lines_of_an_invocation_come_before_its_answer_and_later_ones_are_the_instances() {
    let log = r#"{"log":{"id":"ID","stream":"stderr"}}"#;
    let result = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    let (_, [first, second], own) = told(BOTH, &[log, log, result, log, r#"{"ready":{}}"#]).await;
    assert!(first.starts_with("texttext Ok(Result("), "{first}");
    assert_eq!((second.as_str(), own), ("Err(Closed(None))", vec!["text".to_owned()]));
}

#[tokio::test]
async fn a_guest_that_cannot_run_several_at_a_time_is_not_asked_to() {
    for features in ["", r#","features":[]"#, r#","features":["log","concurrency"]"#] {
        let (mut guest, _control) = guest(features).await;
        match guest.load(&load(4), LIMIT, &mut |_| ()).await {
            Err(LoadFailure::Unable(reason)) => assert_eq!(
                reason,
                "`scaling.concurrency` is 4, but the image's guest does not list the feature `concurrent` of the \
                 runtime protocol: set it to 1, or use a guest that runs several invocations at the same time"
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_guest_that_knows_no_interfaces_is_not_told_of_one() {
    let http = Interface::Http { port: 8080 };
    for (features, interface, name, lacks) in [
        ("", Interface::Command, "command", "interface"),
        (BOTH, Interface::Lambda, "lambda", "interface"),
        (r#","features":["http"]"#, http, "http", "interface"),
        (r#","features":["interface"]"#, http, "http", "http"),
    ] {
        let (mut guest, _control) = guest(features).await;
        match guest.load(&Load { interface, ..load(1) }, LIMIT, &mut |_| ()).await {
            Err(LoadFailure::Unable(reason)) => assert_eq!(
                reason,
                format!(
                    "`interface` is \"{name}\", but the guest does not list the feature `{lacks}` of the runtime protocol"
                )
            ),
            other => panic!("{other:?}"),
        }
    }
}

fn request() -> Option<RequestHead> {
    let (method, path, query) = ("PUT".to_owned(), "/a".to_owned(), Some("b=1".to_owned()));
    let headers = vec![("x-a".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
    Some(RequestHead { request: HttpRequest { method, path, query, arrival: None }, headers })
}

/// Returns what a guest that has listed `features` is sent for one invocation, and what its `answer` means, alone and
/// beside others.
async fn answered(features: &str, http: Option<RequestHead>, answer: &str) -> (String, [String; 2]) {
    let mut seen = Vec::new();
    let mut sent = String::new();
    for is_alone in [true, false] {
        let (mut guest, mut control) = guest(features).await;
        let invoke = Invoke { http: http.clone(), ..invoke() };
        let reply = frame(&answer.replace("ID", &invoke.id.to_string()), b"text");
        let playing = async {
            let mut bytes = vec![0; 4096];
            let length = control.read(&mut bytes).await.unwrap();
            control.write_all(&reply).await.unwrap();
            drop(control);
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        let payload = Bytes::new();
        let (mut own, mut other) = (|_: Line| (), |_: Line| ());
        let answer = match is_alone {
            true => {
                let (answer, head) =
                    tokio::join!(guest.invoke(&invoke, &payload, LIMIT, &mut own), playing);
                sent = head;
                answer.map_err(|error| error.to_string())
            }
            false => {
                let (calls, mut several) = guest.several();
                let calling = calls.invoke(&invoke, &payload, LIMIT, &mut own);
                let (answer, lost, _) = tokio::join!(calling, several.run(&mut other), playing);
                answer.map_err(|_| lost.to_string())
            }
        };
        seen.push(format!("{answer:?}"));
    }
    (sent, [seen.remove(0), seen.remove(0)])
}

const HTTP: &str = r#","features":["concurrent","log","interface","http"]"#;

#[tokio::test]
async fn a_request_is_sent_to_a_guest_that_knows_requests_and_answered_by_a_response() {
    let answer = r#"{"result":{"id":"ID","content_type":"","http":{"status":404,"headers":[["content-type","text/html"]]}}}"#;
    let (sent, answers) = answered(HTTP, request(), answer).await;
    let http =
        r#""http":{"method":"PUT","path":"/a","query":"b=1","headers":[["x-a","1"],["x-a","2"]]}"#;
    assert!(sent.contains(http), "{sent}");
    let expected = "Ok(Response(HttpResponse { status: 404, headers: [(\"content-type\", \"text/html\")] }, \
                    Body { content_type: \"text/html\", bytes: b\"text\" }))";
    assert_eq!(answers, [expected, expected]);
}

#[tokio::test]
async fn a_guest_that_does_not_know_requests_gets_an_event_and_its_answer_is_the_response() {
    let answer = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    let (sent, answers) = answered(BOTH, request(), answer).await;
    let (header, event) = sent.split_once("}}").unwrap();
    assert!(!header.contains("\"http\"") && header.contains("remaining_ms"), "{sent}");
    assert!(event.starts_with(r#"{"version":"2.0","routeKey":"$default","rawPath":"/a""#), "{sent}");
    let expected = "Ok(Response(HttpResponse { status: 200, headers: [(\"content-type\", \"text/plain\")] }, \
                    Body { content_type: \"text/plain\", bytes: b\"text\" }))";
    assert_eq!(answers, [expected, expected]);
    let answer = r#"{"result":{"id":"ID","content_type":"application/json"}}"#;
    let (_, answers) = answered(BOTH, request(), answer).await;
    assert!(answers.iter().all(|answer| answer.contains("status: 200")), "any JSON: {answers:?}");
}

#[tokio::test]
async fn a_response_that_is_none_or_that_nobody_asked_for_ends_the_guest() {
    let plain = r#"{"result":{"id":"ID","content_type":"text/plain"}}"#;
    let with = |http: &str| plain.replace("}}", &format!(",\"http\":{http}}}}}"));
    for (http, answer, reason) in [
        (request(), plain.to_owned(), "a result without the HTTP response to its request"),
        (None, with(r#"{"status":200}"#), "an HTTP response that no request asked for"),
    ] {
        let (_, answers) = answered(HTTP, http, &answer).await;
        for answer in answers {
            assert!(answer.starts_with("Err(") && answer.contains(reason), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_response_that_cannot_be_passed_on_ends_its_invocation_and_not_the_guest() {
    // More bytes as UTF-8 than the limit, and fewer as they are.
    let latin = "\u{e9}".repeat(30_000);
    let answer = |http: &str| format!(r#"{{"result":{{"id":"ID","content_type":"","http":{http}}}}}"#);
    let plain = "x".repeat(25_000);
    for (http, reason) in [
        (r#"{"status":700}"#.to_owned(), "the response has the status 700"),
        (r#"{"status":200,"headers":[["te","x"]]}"#.to_owned(), "'te', which is of one connection"),
        (
            format!(r#"{{"status":200,"headers":[["a","{plain}"],["b","{plain}"]]}}"#),
            "50002 bytes, over the limit of 49152",
        ),
    ] {
        let (_, answers) = answered(HTTP, request(), &answer(&http)).await;
        for answer in answers {
            assert!(answer.starts_with("Ok(Error(") && answer.contains(reason), "{answer}");
        }
    }
    let http = format!(r#"{{"status":200,"headers":[["a","{latin}"]]}}"#);
    let (_, answers) = answered(HTTP, request(), &answer(&http)).await;
    assert!(answers.iter().all(|answer| answer.starts_with("Ok(Response(")), "{answers:?}");
}

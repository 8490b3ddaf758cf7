//! The API, asked as a program asks it.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

struct Server {
    api: Arc<Api>,
    port: u16,
    initialised: oneshot::Receiver<Result<(), FunctionError>>,
}

async fn start() -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (begun, initialised) = oneshot::channel();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:greeter".to_owned();
    let api = Arc::new(Api::new(arn, begun));
    tokio::spawn(serve(listener, api.clone()));
    Server { api, port, initialised }
}

impl Server {
    fn call(&self, id: &str) -> oneshot::Receiver<Answer> {
        let headers = BTreeMap::from([("x-amzn-trace-id".to_owned(), "Root=1".to_owned())]);
        self.api.arrive(Call {
            id: id.to_owned(),
            attempt: 1,
            deadline: Instant::now() + Duration::from_secs(5),
            remaining: Duration::from_secs(5),
            headers,
            content_type: "text/x-mine".to_owned(),
            http: None,
            body: Bytes::from_static(b"\x00payload"),
        })
    }

    /// Sends the text as it is, and returns all that comes.
    async fn send(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        self.send(&format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        ))
        .await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> String {
        self.request("POST", path, headers, body).await
    }
}

fn assert_is(answer: &str, status: &str, body: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.ends_with(body), "{answer}");
}

const INVALID_ID: &str = r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#;
const OK: &str = r#"{"status":"OK"}"#;

#[tokio::test]
async fn an_invocation_comes_with_its_headers_and_is_answered_once() {
    let server = start().await;
    let answer = server.call("id-1");
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let event = server.request("GET", "invocation/next", "", "").await;
    assert_is(&event, "200 OK", "\r\n\r\n\u{0}payload");
    for header in [
        "\r\nLambda-Runtime-Aws-Request-Id: id-1\r\n",
        "\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:greeter\r\n",
        "\r\nLambda-Runtime-Trace-Id: Root=1\r\n",
        "\r\nContent-Type: text/x-mine\r\n",
    ] {
        assert!(event.contains(header), "{event}");
    }
    let deadline = event.split("Lambda-Runtime-Deadline-Ms: ").nth(1).unwrap();
    let deadline: u128 = deadline.split("\r\n").next().unwrap().parse().unwrap();
    assert!((before + 1..=before + 6000).contains(&deadline), "{before} {deadline}");
    assert_eq!(server.initialised.await.unwrap(), Ok(()));

    let server = Server { initialised: oneshot::channel().1, ..server };
    assert_is(&server.post("invocation/id-2/response", "", "{}").await, "400 Bad Request", INVALID_ID);
    let json = "Content-Type: application/json\r\n";
    assert_is(&server.post("invocation/id-1/response", json, "[1]").await, "202 Accepted", OK);
    assert_is(
        &server.post("invocation/id-1/response", json, "[2]").await,
        "400 Bad Request",
        INVALID_ID,
    );
    assert_is(&server.post("invocation/id-1/error", json, "{}").await, "400 Bad Request", INVALID_ID);
    let Answer::Result { content_type, body, http: None } = answer.await.unwrap() else {
        panic!("no result")
    };
    assert_eq!((content_type.as_str(), &body[..]), ("application/json", &b"[1]"[..]));
}

#[tokio::test]
async fn what_is_not_there_is_told_in_awss_form() {
    let server = start().await;
    for (method, path, status, kind) in [
        ("GET", "restore/next", "404 Not Found", "NotFound"),
        ("GET", "invocation//other", "404 Not Found", "NotFound"),
        ("POST", "invocation/next", "405 Method Not Allowed", "MethodNotAllowed"),
        ("GET", "init/error", "405 Method Not Allowed", "MethodNotAllowed"),
        ("POST", "invocation/x/response", "400 Bad Request", "InvalidRequestID"),
    ] {
        let answer = server.request(method, path, "", "{}").await;
        assert_is(&answer, status, &format!("\"errorType\":\"{kind}\"}}"));
    }
    let other = server
        .send("GET /2020-01-01/extension/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    let message =
        "there is no /2020-01-01/extension/register here; the paths are those of docs/lambda.md";
    assert_is(
        &other,
        "404 Not Found",
        &format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"NotFound\"}}"),
    );
}

#[tokio::test]
async fn an_initialisation_that_fails_is_told_once() {
    let server = start().await;
    let body = r#"{"errorType":"ImportError","errorMessage":"no module","stackTrace":[]}"#;
    assert_is(&server.post("init/error", "", body).await, "202 Accepted", OK);
    let refused = "{\"errorMessage\":\"the initialisation has failed; the program should exit\",\
                   \"errorType\":\"InvalidStateTransition\"}";
    assert_is(&server.request("GET", "invocation/next", "", "").await, "403 Forbidden", refused);
    assert_is(&server.post("init/error", "", body).await, "403 Forbidden", refused);
    let error = server.initialised.await.unwrap().unwrap_err();
    assert_eq!(error, FunctionError::new("ImportError", "no module"));
}

#[tokio::test]
async fn an_error_is_an_answer_and_its_type_may_be_a_header() {
    let server = start().await;
    let answer = server.call("id-1");
    server.request("GET", "invocation/next", "", "").await;
    let header = "Lambda-Runtime-Function-Error-Type: Mine\r\n";
    assert_is(&server.post("invocation/id-1/error", header, "").await, "202 Accepted", OK);
    let Answer::Error(error) = answer.await.unwrap() else { panic!("a result") };
    assert_eq!(
        error,
        FunctionError::new("Mine", "the program has reported an error without saying which")
    );
    let late = server.post("init/error", "", "{}").await;
    let message = "the initialisation ended with the first request for an invocation; report the error of that one";
    let refused = format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"InvalidStateTransition\"}}");
    assert_is(&late, "403 Forbidden", &refused);
}

#[tokio::test]
async fn a_streamed_response_is_collected_and_its_trailers_are_an_error() {
    const HEADERS: &str = "Host: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
                           Lambda-Runtime-Function-Response-Mode: streaming\r\n\
                           Content-Type: application/vnd.awslambda.http-integration-response\r\n";
    let server = start().await;
    for (trailers, is_error) in [
        ("", false),
        (
            "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: Ym9vbQ==\r\n",
            true,
        ),
    ] {
        let answer = server.call("id-1");
        server.request("GET", "invocation/next", "", "").await;
        let path = "/2018-06-01/runtime/invocation/id-1/response";
        let text = format!(
            "POST {path} HTTP/1.1\r\n{HEADERS}\r\n2\r\n{{}}\r\n3\r\n\0\0a\r\n0\r\n{trailers}\r\n"
        );
        assert_is(&server.send(&text).await, "202 Accepted", OK);
        match answer.await.unwrap() {
            Answer::Result { content_type, body, http: None } if !is_error => {
                assert_eq!(content_type, "application/vnd.awslambda.http-integration-response");
                assert_eq!(&body[..], b"{}\0\0a");
            }
            Answer::Error(error) if is_error => {
                assert_eq!(error, FunctionError::new("Runtime.StreamError", "boom"));
            }
            answer => panic!("{answer:?}"),
        }
    }
    let _answer = server.call("id-2");
    server.request("GET", "invocation/next", "", "").await;
    let mode = "Lambda-Runtime-Function-Response-Mode: buffered\r\n";
    let refused = "{\"errorMessage\":\"Lambda-Runtime-Function-Response-Mode can only be streaming\",\
                   \"errorType\":\"InvalidFunctionResponseMode\"}";
    assert_is(&server.post("invocation/id-2/response", mode, "{}").await, "400 Bad Request", refused);
    assert_is(&server.post("invocation/id-2/response", "", "{}").await, "202 Accepted", OK);
}

#[tokio::test]
async fn a_response_is_bounded_and_one_that_breaks_off_ends_its_invocation() {
    let server = start().await;
    let answer = server.call("id-1");
    server.request("GET", "invocation/next", "", "").await;
    let large = "x".repeat(MAX_BODY + 1);
    let refused = "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291456 bytes).\",\
                   \"errorType\":\"RequestEntityTooLarge\"}";
    assert_is(
        &server.post("invocation/id-1/response", "", &large).await,
        "413 Payload Too Large",
        refused,
    );
    let Answer::Error(error) = answer.await.unwrap() else { panic!("a result") };
    let message = "the response has more than 6291456 bytes (6 MiB), the most that a result may have";
    assert_eq!(error, FunctionError::new("Function.ResponseSizeTooLarge", message));

    let answer = server.call("id-2");
    server.request("GET", "invocation/next", "", "").await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let start = "POST /2018-06-01/runtime/invocation/id-2/response HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
    stream.write_all(start.as_bytes()).await.unwrap();
    drop(stream);
    let Answer::Error(error) = answer.await.unwrap() else { panic!("a result") };
    let message = "the program's connection to the Runtime API ended before the whole response had come";
    assert_eq!(error, FunctionError::new("Runtime.TruncatedResponse", message));
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = start().await;
    let cause = format!("Lambda-Runtime-Function-XRay-Error-Cause: {}\r\n", "x".repeat(1024 * 1024));
    assert_is(&server.post("init/error", &cause, "{}").await, "202 Accepted", OK);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(MAX_HEADERS + 1));
    // It is hung up on before or after all is written.
    let _ = stream.write_all(endless.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

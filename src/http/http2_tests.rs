use std::time::Instant;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Response, StatusCode},
    routing::{get, post},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Frame,
    client::conn::http2::{Builder as ClientBuilder, SendRequest},
};
use hyper_util::rt::TokioExecutor;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    super::{Bounds, Front, Guard, answers::Answers, auth::Guarded, body_budget::BodyBudget, read_body},
    *,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

type Sent = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A connection between a client and a server whose routes answer with their `Host`, with the length of their body once
/// they are told to by `go`, and with much.
struct Connected {
    client: SendRequest<Sent>,
    go: mpsc::Sender<()>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

async fn connected(bounds: Bounds, window: u32) -> Connected {
    let (go, gone) = mpsc::channel::<()>(16);
    let gone = Arc::new(tokio::sync::Mutex::new(gone));
    let host = async |headers: HeaderMap| headers["host"].to_str().unwrap().to_owned();
    let length = async move |body: Body| {
        let read = read_body(body, 1024 * 1024, || unreachable!()).await?;
        gone.lock().await.recv().await;
        super::super::Answer::<String>::Ok(format!("{} bytes", read.len()))
    };
    let routes = Router::new()
        .route("/host", get(host))
        .route("/length", post(length))
        .route("/much", get(async || "a".repeat(1024 * 1024)));
    let app = Guarded {
        guard: Guard::new("token"),
        routes: routes.with_state(()),
        shortcut: None,
        functions: None,
        bodies: BodyBudget::of(bounds.bodies),
    };
    let stop = CancellationToken::new();
    let answers = Answers::of(bounds.answers);
    let port = Arc::new(Port { app, front: Front::default(), bounds, answers, stop: stop.clone() });
    let progress = Arc::new(Progress::new(bounds, false));
    progress.shook_hands(true);
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let link = Link { from: [127, 0, 0, 1].into(), is_tls: true, has_streams: true };
    let server = tokio::spawn(serve(ours, link, progress, port));
    let mut builder = ClientBuilder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (client, connection) = builder.handshake(TokioIo::new(theirs)).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Connected { client, go, stop, server }
}

fn request(method: &str, path: &str, body: Sent) -> Request<Sent> {
    let request = Request::builder().method(method).uri(format!("https://localhost:8443{path}"));
    request.header("authorization", "Bearer token").body(body).unwrap()
}

fn whole(text: &'static str) -> Sent {
    Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync()
}

/// A body of which this comes and nothing more, as long as the sender lives.
fn half(text: &'static str) -> (mpsc::Sender<()>, Sent) {
    let (alive, mut end) = mpsc::channel::<()>(1);
    let first = Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let rest = futures_util::stream::poll_fn(move |context| end.poll_recv(context).map(|_| None));
    let frames = futures_util::StreamExt::chain(futures_util::stream::iter([first]), rest);
    (alive, StreamBody::new(frames).boxed_unsync())
}

async fn text<B: hyper::body::Body>(answer: Response<B>) -> (StatusCode, String)
where
    B::Error: std::fmt::Debug,
{
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Returns once the server has ended the connection.
async fn ended(server: JoinHandle<()>) {
    tokio::time::timeout(LONG, server).await.expect("the connection ends").unwrap();
}

#[tokio::test]
async fn requests_are_answered_beside_each_other_and_the_authority_is_their_host() {
    let mut it = connected(Bounds::default(), 64 * 1024).await;
    let waiting = it.client.send_request(request("POST", "/length", whole("abc")));
    let host = it.client.send_request(request("GET", "/host", whole(""))).await.unwrap();
    assert_eq!(text(host).await, (StatusCode::OK, "localhost:8443".to_owned()));
    let much = it.client.send_request(request("GET", "/much", whole(""))).await.unwrap();
    assert_eq!(much.headers()["content-length"], "1048576");
    assert_eq!(text(much).await.1.len(), 1024 * 1024);
    it.go.send(()).await.unwrap();
    assert_eq!(text(waiting.await.unwrap()).await, (StatusCode::OK, "3 bytes".to_owned()));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_answered_with_408_and_others_go_on() {
    let mut it = connected(Bounds { body: SHORT, ..Bounds::default() }, 64 * 1024).await;
    let (_alive, body) = half("ab");
    let answer = it.client.send_request(request("POST", "/length", body)).await.unwrap();
    let (status, problem) = text(answer).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert!(problem.contains("nothing of the body has come for 200 ms"), "{problem}");
    let host = it.client.send_request(request("GET", "/host", whole(""))).await.unwrap();
    assert_eq!(text(host).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let mut it = connected(Bounds { idle: SHORT, ..Bounds::default() }, 64 * 1024).await;
    let host = it.client.send_request(request("GET", "/host", whole(""))).await.unwrap();
    assert_eq!(text(host).await.0, StatusCode::OK);
    ended(it.server).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_of_an_answer_loses_its_connection() {
    let bounds = Bounds { take: SHORT, ..Bounds::default() };
    let mut it = connected(bounds, 1).await;
    let _answer = it.client.send_request(request("GET", "/much", whole(""))).await.unwrap();
    ended(it.server).await;
}

#[tokio::test]
async fn at_a_stop_what_has_come_whole_is_answered_and_nothing_else_holds_it_up() {
    let mut it = connected(Bounds::default(), 64 * 1024).await;
    let waiting = it.client.send_request(request("POST", "/length", whole("abc")));
    let (_alive, body) = half("ab");
    let never = it.client.send_request(request("POST", "/length", body));
    // Both have come once this has been answered.
    let host = it.client.send_request(request("GET", "/host", whole(""))).await.unwrap();
    assert_eq!(text(host).await.0, StatusCode::OK);
    it.stop.cancel();
    tokio::time::sleep(SHORT).await;
    let begun = Instant::now();
    it.go.send(()).await.unwrap();
    assert_eq!(text(waiting.await.unwrap()).await, (StatusCode::OK, "3 bytes".to_owned()));
    ended(it.server).await;
    assert!(begun.elapsed() < LONG / 2 && never.await.is_err());
}

#[tokio::test]
async fn answers_that_nobody_takes_lose_their_connection_to_new_ones() {
    let bounds = Bounds { answers: 2 * 1024 * 1024, ..Bounds::default() };
    let mut it = connected(bounds, 1).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(it.client.send_request(request("GET", "/much", whole(""))));
    }
    ended(it.server).await;
    drop(waiting);
}

#[tokio::test]
async fn a_stop_waits_for_a_slow_reader_for_a_bounded_time() {
    let bounds = Bounds { last: SHORT, ..Bounds::default() };
    let mut it = connected(bounds, 1).await;
    let _answer = it.client.send_request(request("GET", "/much", whole(""))).await.unwrap();
    let begun = Instant::now();
    it.stop.cancel();
    ended(it.server).await;
    assert!(begun.elapsed() < LONG / 2);
}

#[tokio::test]
async fn a_head_has_32_kib_at_most() {
    let mut it = connected(Bounds::default(), 64 * 1024).await;
    for (bytes, status) in [(16 * 1024, 200), (33 * 1024, 431)] {
        let mut request = request("GET", "/host", whole(""));
        request.headers_mut().insert("x-large", "a".repeat(bytes).parse().unwrap());
        // A client that has been told the limit may keep to it by itself.
        match it.client.send_request(request).await {
            Ok(answer) => assert_eq!(answer.status().as_u16(), status, "{bytes}"),
            Err(error) => assert_eq!(status, 431, "{error}"),
        }
    }
}

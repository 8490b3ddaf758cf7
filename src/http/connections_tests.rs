use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::{
    Bounds, Door, Front, Guard, Peer, Server, bind, read_body, request::payload_too_large,
};

/// Long enough for anything that is not to happen by itself.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

fn bounds() -> Bounds {
    Bounds {
        head: LONG,
        idle: LONG,
        body: LONG,
        slow: LONG,
        take: LONG,
        bodies: 1024 * 1024,
        ..Bounds::default()
    }
}

/// More than both ends of a connection hold.
const MUCH: usize = 32 * 1024 * 1024;

/// Serves a route that answers with the length of the body, once it is told to by `go`, one that passes the body on
/// to it as the gateway does, and one that answers with [`MUCH`].
async fn serve(bounds: Bounds) -> (SocketAddr, mpsc::Sender<()>, DropGuard) {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, gone) = mpsc::channel::<()>(16);
    let gone = std::sync::Arc::new(tokio::sync::Mutex::new(gone));
    let length = async move |body: Body| {
        let read = read_body(body, 8 * 1024 * 1024, payload_too_large).await?;
        gone.lock().await.recv().await;
        super::super::Answer::<String>::Ok(format!("{} bytes", read.len()))
    };
    let peer = Peer::at(address, "token").unwrap();
    let pass_on = async move |body: Body| {
        peer.send(axum::http::Method::POST, "/length", axum::http::HeaderMap::new(), body).await.unwrap()
    };
    let routes = Router::new()
        .route("/length", post(length))
        .route("/passed-on", post(pass_on))
        .route("/much", get(async || "a".repeat(MUCH)));
    let (guard, door, front) = (Guard::new("token"), Door::default(), Front::default());
    let server = Server { listener, guard, door, front };
    let stop = CancellationToken::new();
    tokio::spawn(server.serve_within(bounds, routes, stop.clone()));
    (address, go, stop.drop_guard())
}

fn head(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer token\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn connect(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// Returns what comes until the connection is closed.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut text)).await;
    read.expect("it is closed").unwrap();
    String::from_utf8(text).unwrap()
}

/// Returns the first answer, which ends with this text.
async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut some = [0; 1024];
        let read = tokio::time::timeout(LONG, stream.read(&mut some)).await;
        let read = read.unwrap_or_else(|_| panic!("{text}")).unwrap();
        assert!(read > 0, "{text}");
        text.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_connection_that_does_not_send_a_whole_head_in_time_is_closed() {
    let (address, go, _server) = serve(Bounds { head: SHORT, ..bounds() }).await;
    for sent in ["", "POST /length HT", "POST /length HTTP/1.1\r\nhost: localhost\r\n"] {
        let begun = Instant::now();
        let said = rest(connect(address, sent).await).await;
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG / 2, "{sent}");
        if sent.is_empty() {
            assert_eq!(said, "");
            continue;
        }
        assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{said}");
        assert!(said.contains("\r\ncontent-type: application/problem+json\r\n"), "{said}");
        let detail = "\"detail\":\"the head of the request has not come within 200 ms\"";
        assert!(said.contains(detail), "{said}");
    }
    // The head of a second request, too; and one that trickles.
    let mut stream = connect(address, &head("/length", 2)).await;
    stream.write_all(b"ab").await.unwrap();
    go.send(()).await.unwrap();
    answer(&mut stream, "2 bytes").await;
    let trickling = async {
        loop {
            if stream.write_all(b"a").await.is_err() {
                break;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::time::timeout(LONG / 2, trickling).await.expect("it is closed");
}

#[tokio::test]
async fn a_request_that_is_being_answered_takes_as_long_as_it_takes() {
    let (address, go, _server) =
        serve(Bounds { head: SHORT, idle: SHORT, body: SHORT, ..bounds() }).await;
    let mut stream = connect(address, &head("/length", 2)).await;
    stream.write_all(b"ab").await.unwrap();
    tokio::time::sleep(3 * SHORT).await;
    go.send(()).await.unwrap();
    answer(&mut stream, "2 bytes").await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_a_while() {
    let (address, go, _server) = serve(Bounds { head: SHORT, idle: 3 * SHORT, ..bounds() }).await;
    let mut stream = connect(address, &head("/length", 0)).await;
    go.send(()).await.unwrap();
    answer(&mut stream, "0 bytes").await;
    let begun = Instant::now();
    assert_eq!(rest(stream).await, "");
    assert!(begun.elapsed() >= 2 * SHORT && begun.elapsed() < LONG / 2);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_answered_with_408_wherever_it_is_read() {
    let (address, _go, _server) = serve(Bounds { body: SHORT, ..bounds() }).await;
    for path in ["/length", "/passed-on"] {
        for sent in ["", "half"] {
            let said = rest(connect(address, &(head(path, 8) + sent)).await).await;
            assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{path}: {said}");
            assert!(said.contains("\"detail\":\"nothing of the body has come for 200 ms\""), "{said}");
            assert!(said.contains("\"code\":\"request_timeout\""), "{said}");
        }
    }
    // One that keeps coming has all the time that it needs.
    let (address, go, _server) = serve(Bounds { body: 5 * SHORT, ..bounds() }).await;
    let mut stream = connect(address, &head("/length", 8)).await;
    for _ in 0..8 {
        tokio::time::sleep(SHORT).await;
        stream.write_all(b"a").await.unwrap();
    }
    go.send(()).await.unwrap();
    answer(&mut stream, "8 bytes").await;
}

#[tokio::test]
async fn what_does_not_fit_into_the_budget_for_bodies_is_told_to_come_again_and_then_fits() {
    let (address, go, _server) = serve(bounds()).await;
    let most = "a".repeat(1000 * 1024);
    let (mut first, refused) = 'first: loop {
        let first = connect(address, &(head("/length", most.len()) + &most)).await;
        // Until that has come as a whole, there is room.
        loop {
            let small = "b".repeat(60 * 1024);
            let mut second = connect(address, &(head("/length", small.len()) + &small)).await;
            let mut text = [0; 12];
            tokio::select! {
                read = second.read_exact(&mut text) => {
                    read.unwrap();
                    let rest = answer(&mut second, "}").await;
                    break 'first (first, String::from_utf8(text.to_vec()).unwrap() + &rest);
                }
                // It came after the second one, and was refused.
                readable = first.readable() => {
                    readable.unwrap();
                    continue 'first;
                }
                // It was taken, and waits to be told to answer.
                () = tokio::time::sleep(SHORT) => {}
            }
        }
    };
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("\"code\":\"overloaded\""), "{refused}");
    let detail = "\"detail\":\"the bodies of unanswered requests take up the limit of 1 MiB already\"";
    assert!(refused.contains(detail), "{refused}");
    // A large one is refused in the middle, also by a role that passes it on.
    for path in ["/length", "/passed-on"] {
        let mut large = connect(address, &(head(path, most.len()) + &most)).await;
        let said = answer(&mut large, "}").await;
        assert!(said.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{path}: {said}");
        assert!(said.contains("\r\nretry-after: 1\r\n") && said.contains(detail), "{path}: {said}");
    }
    for _ in 0..16 {
        let _ = go.try_send(());
    }
    assert!(answer(&mut first, " bytes").await.ends_with("1024000 bytes"));
    let mut again = connect(address, &(head("/length", most.len()) + &most)).await;
    assert!(answer(&mut again, " bytes").await.ends_with("1024000 bytes"));
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_with_408() {
    let (address, _go, _server) = serve(Bounds { slow: 3 * SHORT, ..bounds() }).await;
    let mut stream = connect(address, &head("/length", 8 * 1024)).await;
    let trickling = async {
        loop {
            let mut some = [0; 1024];
            tokio::select! {
                read = stream.read(&mut some) => {
                    return String::from_utf8(some[..read.unwrap()].to_vec()).unwrap();
                }
                () = tokio::time::sleep(SHORT / 4) => {}
            }
            stream.write_all(b"a").await.unwrap();
        }
    };
    let said = tokio::time::timeout(LONG / 2, trickling).await.expect("it is answered");
    assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{said}");
    let detail = "\"detail\":\"the body comes more slowly than 1 KiB per second\"";
    assert!(said.contains(detail), "{said}");
    // As much as it has to be, it has more time than that.
    let (address, go, _server) = serve(Bounds { slow: 3 * SHORT, rate: 4, ..bounds() }).await;
    let mut stream = connect(address, &head("/length", 8)).await;
    for _ in 0..8 {
        stream.write_all(b"a").await.unwrap();
        tokio::time::sleep(SHORT / 2).await;
    }
    go.send(()).await.unwrap();
    answer(&mut stream, "8 bytes").await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_with_a_problem() {
    let (address, go, _server) = serve(bounds()).await;
    let (start, large) = ("GET /length HTTP/1.1\r\nhost: localhost\r\n", "a".repeat(300_000));
    let many: String = (0..101).map(|at| format!("x-{at}: a\r\n")).collect();
    let too_large = "the head of the request is larger than 64 KiB, or has more than 100 headers";
    for (sent, status, detail) in [
        (format!("{start}x: {large}"), "431 Request Header Fields Too Large", too_large),
        (format!("{start}{many}\r\n"), "431 Request Header Fields Too Large", too_large),
        ("nothing of the kind\r\n\r\n".to_owned(), "400 Bad Request", "not valid HTTP/1.1"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be answered before all is sent.
        let _ = stream.write_all(sent.as_bytes()).await;
        let said = rest(stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{said}");
        assert!(said.contains("\r\ncontent-type: application/problem+json\r\n"), "{said}");
        assert!(said.contains("\r\nconnection: close\r\n") && said.contains(detail), "{said}");
    }
    // Also that of a second request.
    let mut stream = connect(address, &head("/length", 0)).await;
    go.send(()).await.unwrap();
    answer(&mut stream, "0 bytes").await;
    let _ = stream.write_all(format!("{start}{many}\r\n").as_bytes()).await;
    let said = rest(stream).await;
    assert!(said.starts_with("HTTP/1.1 431 ") && said.contains(too_large), "{said}");
}

#[tokio::test]
async fn the_idle_make_room_for_others_and_the_answered_do_not() {
    let (address, go, _server) = serve(Bounds { connections: 2, ..bounds() }).await;
    let idle = connect(address, "").await;
    let half = connect(address, "POST /length HT").await;
    let mut first = connect(address, &head("/length", 0)).await;
    assert_eq!(rest(idle).await, "", "the first to go");
    tokio::time::sleep(SHORT).await;
    let mut second = connect(address, &head("/length", 0)).await;
    assert_eq!(rest(half).await, "", "the next to go");
    // Both that are there are being answered then.
    tokio::time::sleep(SHORT).await;
    let refused = rest(connect(address, "").await).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("all connections of this port are in use"), "{refused}");
    for _ in 0..2 {
        go.send(()).await.unwrap();
    }
    answer(&mut first, "0 bytes").await;
    answer(&mut second, "0 bytes").await;
    // Now they are idle, and the one that has been for longer goes.
    let mut third = connect(address, &head("/length", 0)).await;
    go.send(()).await.unwrap();
    answer(&mut third, "0 bytes").await;
}

const GET_MUCH: &str = "GET /much HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer token\r\n\r\n";

#[tokio::test]
async fn an_answer_is_taken_to_its_end_before_anything_else_of_its_connection_counts() {
    let bounds = Bounds { head: SHORT, idle: SHORT, connections: 1, ..bounds() };
    let (address, _go, _server) = serve(bounds).await;
    let mut stream = connect(address, GET_MUCH).await;
    stream.readable().await.unwrap();
    stream.write_all(b"GET /le").await.unwrap();
    tokio::time::sleep(4 * SHORT).await;
    let refused = rest(connect(address, "").await).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "it is not idle: {refused}");
    let said = rest(stream).await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let (body, next) = body.split_at(MUCH);
    assert!(body.bytes().all(|byte| byte == b'a'));
    assert!(next.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "half a head is left: {next}");
}

#[tokio::test]
async fn a_reader_does_not_hold_up_a_stop_for_long() {
    let (address, _go, server) = serve(Bounds { last: SHORT, ..bounds() }).await;
    let stream = connect(address, GET_MUCH).await;
    stream.readable().await.unwrap();
    drop(server);
    tokio::time::sleep(2 * super::super::progress::LAST_BYTES).await;
    assert!(rest(stream).await.len() < MUCH, "the rest of its answer was given up");
}

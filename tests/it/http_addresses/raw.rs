//! What clients of HTTP do not send by themselves.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

/// What comes back for these bytes, up to the end of an answer without a body or the first of one with a body.
pub async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read(&mut stream, "\"code\":").await
}

/// Reads until a text has come, or the end.
async fn read(stream: &mut TcpStream, until: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains(until) {
        let came = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece));
        let length = came.await.unwrap_or_else(|_| panic!("only this has come: {text}")).unwrap();
        if length == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

#[tokio::test]
async fn trailers_and_upgrades_are_refused_and_a_client_may_wait_for_leave_to_send() {
    let test =
        "http_addresses::raw::trailers_and_upgrades_are_refused_and_a_client_may_wait_for_leave_to_send";
    let Some(platform) = start(test, "").await else { return };
    deploy_site(&platform).await;
    let public = public(&platform);
    let trailers = "the request has trailers, fields after its body, and functions do not get them";
    let upgrade = "functions answer requests, and do not take over connections: no WebSocket, and no other Upgrade";
    let chunks = "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-checksum: 1\r\n\r\n";
    for (head, expected) in [
        (format!("POST /site HTTP/1.1\r\nhost: h\r\n{chunks}"), trailers),
        (format!("POST /site HTTP/1.1\r\nhost: h\r\ntrailer: x-checksum\r\n{chunks}"), trailers),
        (
            "GET /site HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                .to_owned(),
            upgrade,
        ),
        (
            "GET /site HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
            "the request has several Host headers",
        ),
        (
            "GET http://localhost/site HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
            "the request has several Host headers",
        ),
        ("GET /site HTTP/1.1\r\n\r\n".to_owned(), "the request has no valid Host header"),
        (
            "GET /site HTTP/1.1\r\nhost: a\"><b>\r\n\r\n".to_owned(),
            "the request has no valid Host header",
        ),
    ] {
        let answer = answer(public, &head).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(expected), "{head}\n{answer}");
    }
    // Some clients offer HTTP/2 in this way with every request.
    let mut stream = TcpStream::connect(public).await.unwrap();
    let offer = "GET /site HTTP/1.1\r\nhost: h\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
                 http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    stream.write_all(offer.as_bytes()).await.unwrap();
    let answered = read(&mut stream, "\"headers\"").await;
    assert!(answered.starts_with("HTTP/1.1 200 ") && !answered.contains("h2c"), "{answered}");

    let mut stream = TcpStream::connect(public).await.unwrap();
    let head = "POST /site HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    stream.write_all(b"body").await.unwrap();
    let answered = read(&mut stream, "\"body\": \"body\"").await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    // Refused before the body is sent.
    let head = "POST /site HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n\r\n";
    let refused = answer(public, head).await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    platform.stop().await;
}

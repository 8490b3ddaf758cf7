//! A web server behind the helper. It sends what the payload says, or tells what it has received.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const SERVER: &str = r#"
import json, os, select, socket, threading
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
def serve(connection, number):
    reader = connection.makefile("rb")
    while line := reader.readline():
        method, path, _ = line.decode().split()
        headers = []
        while text := reader.readline().rstrip(b"\r\n"):
            name, _, value = text.partition(b":")
            headers.append([name.decode().lower(), value.strip().decode("latin-1")])
        if path == "/early":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            threading.Event().wait()
        body = reader.read(int(dict(headers).get("content-length", 0)))
        if path == "/apart":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            connection.sendall(b"body")
            continue
        if path == "/crowd":
            select.select([server], [], [])
        if path.startswith("/exit/"):
            os._exit(int(path[6:]))
        if path.startswith("/raw"):
            connection.sendall(body)
            if path == "/raw/end":
                break
            continue
        seen = {"connection": number, "method": method, "path": path, "headers": headers, "size": len(body)}
        seen = json.dumps(seen).encode()
        close = b"Connection: close\r\n" if path == "/end" else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(seen), close) + seen)
        if path == "/end":
            break
    connection.shutdown(socket.SHUT_RDWR)
number = 0
while True:
    connection, _ = server.accept()
    number += 1
    threading.Thread(target=serve, args=(connection, number), daemon=True).start()
"#;

/// Starts the helper with that server.
async fn server(concurrency: u32) -> (Host, u16) {
    serving(SERVER, concurrency).await
}

/// Starts the helper with a server in Python.
async fn serving(text: &str, concurrency: u32) -> (Host, u16) {
    let port = free_port();
    let mut host = Host::start().await;
    host.file("server.py", text, 0o644);
    let interface = json!({ "kind": "http", "port": port });
    let answer = host.load(interface, concurrency, &["python3", "server.py"]).await;
    assert_eq!(answer, json!({ "ready": { "context": false } }));
    (host, port)
}

async fn ask(
    host: &mut Host,
    method: &str,
    target: &str,
    headers: Value,
    body: &[u8],
) -> (Value, Vec<u8>) {
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut http = json!({ "method": method, "path": path, "headers": headers });
    if let Some(query) = query {
        http["query"] = query.into();
    }
    host.begin("i1", 30_000, http, body).await;
    host.next().await
}

/// Sends a request and returns what the server has received.
async fn seen(host: &mut Host, method: &str, target: &str, headers: Value, body: &[u8]) -> Value {
    let (answer, body) = ask(host, method, target, headers, body).await;
    assert!(answer["result"].is_object(), "{answer}");
    serde_json::from_slice(&body).unwrap()
}

/// Has the server send an answer as it stands.
async fn raw(host: &mut Host, target: &str, answer: &[u8]) -> (Value, Vec<u8>) {
    ask(host, "POST", target, json!([]), answer).await
}

#[tokio::test]
async fn a_request_arrives_as_it_is_but_for_what_belongs_to_a_connection() {
    let (mut host, port) = server(1).await;
    let headers = json!([
        ["accept", "text/html"],
        ["cookie", "a=1"],
        ["cookie", "b=2"],
        ["x-name", "caf\u{e9}"],
        ["te", "trailers"],
        ["connection", "keep-alive, X-Gone"],
        ["x-gone", "1"],
        ["transfer-encoding", "chunked"],
    ]);
    let got = seen(&mut host, "PUT", "/a%20b/?q=1&q=2", headers, b"12345").await;
    assert_eq!(
        (&got["method"], &got["path"], &got["size"]),
        (&json!("PUT"), &json!("/a%20b/?q=1&q=2"), &json!(5))
    );
    let mut got: Vec<(String, String)> = serde_json::from_value(got["headers"].clone()).unwrap();
    got.sort();
    let host_name = format!("localhost:{port}");
    let expected = [
        ("accept", "text/html"),
        ("content-length", "5"),
        ("content-type", "text/plain"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("host", host_name.as_str()),
        ("x-name", "caf\u{e9}"),
    ];
    assert_eq!(got, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let got = seen(&mut host, "POST", "/", json!([["host", "example.org"]]), b"").await;
    assert_eq!(got["headers"], json!([["host", "example.org"], ["content-length", "0"]]));
    let got = seen(&mut host, "GET", "/", json!([]), b"").await;
    assert_eq!(got["headers"], json!([["host", host_name]]));
}

#[tokio::test]
async fn a_response_is_passed_on_as_it_is_but_for_what_belongs_to_a_connection() {
    let (mut host, _) = server(1).await;
    let answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Name: caf\xe9\r\n\
        Connection: X-Gone\r\nX-Gone: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let (answer, body) = raw(&mut host, "/raw", answer).await;
    let headers = json!([
        ["content-type", "text/html"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["x-name", "caf\u{e9}"],
    ]);
    let http = json!({ "status": 503, "headers": headers });
    assert_eq!(answer, json!({ "result": { "id": "i1", "content_type": "text/html", "http": http } }));
    assert_eq!(body, b"abcde");
    let (answer, body) = raw(&mut host, "/raw/end", b"HTTP/1.0 200 OK\r\n\r\nto the end").await;
    assert_eq!(answer["result"]["content_type"], "application/octet-stream");
    assert_eq!(body, b"to the end");
}

#[tokio::test]
async fn bodies_of_1000_kb_go_both_ways() {
    let (mut host, _) = server(1).await;
    let body = vec![b'x'; 1_000_000];
    assert_eq!(seen(&mut host, "POST", "/", json!([]), &body).await["size"], 1_000_000);
    let answer = [&b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"[..], &body].concat();
    assert_eq!(raw(&mut host, "/raw", &answer).await.1, body);
}

#[tokio::test]
async fn a_connection_is_used_again_until_the_server_closes_it() {
    let (mut host, _) = server(1).await;
    let mut numbers = Vec::new();
    for path in ["/", "/", "/end", "/"] {
        numbers.push(seen(&mut host, "GET", path, json!([]), b"").await["connection"].as_u64().unwrap());
    }
    // The first one was the look for an open port.
    assert_eq!(numbers, [2, 2, 2, 3]);
}

#[tokio::test]
async fn a_connection_is_not_used_again_after_the_head_alone() {
    let (mut host, _) = server(1).await;
    let (answer, body) = ask(&mut host, "HEAD", "/apart", json!([]), b"").await;
    let http = json!({ "status": 200, "headers": [["content-length", "4"]] });
    assert_eq!(
        (&answer["result"]["http"], body.len()),
        (&http, 0),
        "the length is that of GET: {answer}"
    );
    assert_eq!(seen(&mut host, "GET", "/", json!([]), b"").await["connection"], 3);
}

#[tokio::test]
async fn conditions_and_ranges_and_their_answers_are_passed_on() {
    let (mut host, _) = server(1).await;
    let conditions = json!([
        ["host", "example.org"],
        ["if-match", "\"a\""],
        ["if-modified-since", "Thu, 12 Mar 2020 19:03:58 GMT"],
        ["if-none-match", "\"b\""],
        ["if-range", "\"c\""],
        ["range", "bytes=0-1"],
    ]);
    let mut sent = conditions.clone();
    sent.as_array_mut().unwrap().push(json!(["expect", "100-continue"]));
    let got = seen(&mut host, "GET", "/", sent, b"").await;
    assert_eq!(got["headers"], conditions, "and nothing is expected of the server");
    for (status, headers, length, body) in [
        (
            "206 Partial Content",
            json!([["content-range", "bytes 0-1/10"], ["etag", "\"a\""]]),
            "2",
            "ab",
        ),
        ("304 Not Modified", json!([["etag", "\"a\""]]), "", ""),
        ("416 Range Not Satisfiable", json!([["content-range", "bytes */10"]]), "0", ""),
    ] {
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for header in headers.as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !length.is_empty() {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        let (answer, seen) = raw(&mut host, "/raw", format!("{head}\r\n{body}").as_bytes()).await;
        let number: u16 = status[..3].parse().unwrap();
        assert_eq!(answer["result"]["http"], json!({ "status": number, "headers": headers }));
        assert_eq!(seen, body.as_bytes(), "{status}");
    }
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_holds_up_no_later_one() {
    let (mut host, _) = server(1).await;
    let (answer, _) = ask(&mut host, "POST", "/early", json!([]), &vec![b'x'; 5_000_000]).await;
    assert_eq!(answer["result"]["http"]["status"], 200, "{answer}");
    assert_eq!(seen(&mut host, "GET", "/", json!([]), b"").await["connection"], 3);
}

#[tokio::test]
async fn a_server_that_serves_one_connection_at_a_time_answers_calls_at_once() {
    let thread = "threading.Thread(target=serve, args=(connection, number), daemon=True).start()";
    let alone = SERVER.replace(thread, "serve(connection, number)");
    assert_ne!(alone, SERVER);
    let (mut host, _) = serving(&alone, 2).await;
    let http = |path: &str| json!({ "method": "GET", "path": path, "headers": [] });
    // It is answered when the other one has connected, and keeps its connection.
    host.begin("first", 30_000, http("/crowd"), b"").await;
    host.begin("second", 30_000, http("/"), b"").await;
    for id in ["first", "second"] {
        let (answer, _) = host.next().await;
        assert_eq!(answer["result"]["id"], id, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_written_in_two_pieces_does_not_wait_for_the_kernel() {
    let (mut host, _) = server(1).await;
    let mut quickest = Duration::MAX;
    for number in 0..30 {
        let begun = Instant::now();
        let (answer, body) = ask(&mut host, "GET", "/apart", json!([]), b"").await;
        assert_eq!(body, b"body", "{answer}");
        // The kernel acknowledges the first ones of a connection at once anyway, and the others after 40 ms.
        if number >= 20 {
            quickest = quickest.min(begun.elapsed());
        }
    }
    assert!(quickest < Duration::from_millis(30), "{quickest:?}");
}

#[tokio::test]
async fn headers_beyond_ascii_are_passed_on_until_a_message_has_no_room_for_them() {
    let (mut host, _) = server(1).await;
    let answer = |letter: &[u8], count: usize| {
        let (start, end) = (&b"HTTP/1.1 200 OK\r\nX-Large: "[..], &b"\r\nContent-Length: 0\r\n\r\n"[..]);
        [start, &letter.repeat(count), end].concat()
    };
    let (passed, _) = raw(&mut host, "/raw", &answer(b"\xe9", 30_000)).await;
    let headers = json!([["x-large", "\u{e9}".repeat(30_000)]]);
    assert_eq!(passed["result"]["http"]["headers"], headers);
    for letter in [b"\xe9", b"\""] {
        let (refused, _) = raw(&mut host, "/raw", &answer(letter, 40_000)).await;
        let message = "the response's headers are over the limit of 64 KiB of a message to the host, in which quotes, \
                       backslashes and bytes above 127 take two bytes: send less of them";
        assert_eq!(error(&refused), ("too_large", message));
    }
    assert_eq!(seen(&mut host, "GET", "/", json!([]), b"").await["method"], "GET", "it serves on");
}

#[tokio::test]
async fn requests_are_under_way_beside_each_other() {
    let (mut host, _) = server(2).await;
    let http = |path: &str| json!({ "method": "POST", "path": path, "headers": [] });
    host.begin("slow", 30_000, http("/raw"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1").await;
    host.begin("quick", 30_000, http("/"), b"").await;
    assert_eq!(host.next().await.0["result"]["id"], "quick");
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_says_why() {
    let (mut host, port) = server(1).await;
    let server = format!("the server on port {port}");
    let large =
        format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(100 * 1024));
    for (target, answer, kind, message) in [
        ("/raw/end", &b""[..], "http", format!("{server} closed the connection before it had answered")),
        ("/raw/end", b"hello\r\n\r\n", "http", format!("{server} sent something that is not HTTP: ")),
        (
            "/raw/end",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "http",
            format!("{server} broke off its answer after 4 bytes of the body: "),
        ),
        (
            "/raw",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "http",
            format!("{server} answered with status 101, which cannot be passed on"),
        ),
        (
            "/raw",
            large.as_bytes(),
            "too_large",
            "the response's headers have 102422 bytes, over the limit of 48 KiB".to_owned(),
        ),
        (
            "/raw",
            b"HTTP/1.1 200 OK\r\nContent-Length: 7000000\r\n\r\n",
            "too_large",
            "the response's body has more than 6291456 bytes (6 MiB), the limit of a result".to_owned(),
        ),
    ] {
        let (answer, _) = raw(&mut host, target, answer).await;
        let (found_kind, found) = error(&answer);
        assert!(
            found_kind == kind && found.starts_with(&message),
            "{found_kind}: {found:?} is not {message:?}"
        );
    }
    let (answer, _) = ask(&mut host, "CONNECT", "/", json!([]), b"").await;
    assert_eq!(error(&answer), ("http", "a request of the method 'CONNECT' cannot be sent to a server"));
    assert_eq!(seen(&mut host, "GET", "/", json!([]), b"").await["method"], "GET", "it serves on");
}

#[tokio::test]
async fn an_answer_without_length_and_end_is_told_before_time_is_up() {
    let line = "has begun an answer, with 4 bytes of its body so far, and not ended it";
    let http = json!({ "method": "POST", "path": "/raw", "headers": [] });
    let answer = b"HTTP/1.1 200 OK\r\n\r\nhalf";
    let (mut host, _) = server(1).await;
    host.begin("i1", 1000, http.clone(), answer).await;
    host.says(line).await;
    let (mut host, _) = server(2).await;
    host.begin("i1", 1000, http, answer).await;
    let (message, body) = host.next().await;
    assert_eq!(message, json!({ "log": { "id": "i1", "stream": "stderr" } }));
    assert!(String::from_utf8_lossy(&body).contains(line), "{body:?}");
    assert_eq!(seen(&mut host, "GET", "/", json!([]), b"").await["method"], "GET", "it serves on");
}

#[tokio::test]
async fn a_server_that_ends_takes_the_helper_with_it_and_its_code() {
    let (mut host, _) = server(1).await;
    host.begin("i1", 30_000, json!({ "method": "GET", "path": "/exit/3", "headers": [] }), b"").await;
    assert_eq!(host.exit().await.code(), Some(3));
}

#[tokio::test]
async fn a_server_that_ends_before_it_listens_is_told() {
    let port = free_port();
    let mut host = Host::start().await;
    let interface = json!({ "kind": "http", "port": port });
    let answer = host.load(interface, 1, &["sh", "-c", "exit 1"]).await;
    let message = format!("the program \"sh\" ended with code 1 before it listened on port {port}");
    assert_eq!(error(&answer), ("exit", message.as_str()));
}

#[tokio::test]
async fn a_port_that_nobody_opens_is_told_among_the_lines() {
    let port = free_port();
    let mut host = Host::start().await;
    let load = json!({ "load": {
        "revision": 1, "function": "f", "handler": "", "interface": { "kind": "http", "port": port },
        "command": ["sleep", "1000"], "env": {}, "secrets": {},
    } });
    host.send(&load, b"").await;
    let line = format!(
        "cloudfunc: for 5 s nothing has listened on port {port} of 127.0.0.1, which the variable PORT names; "
    );
    host.says(&line).await;
}

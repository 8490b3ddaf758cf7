//! `Content-Encoding` of payloads, uploads and answers.

use std::io::{Read as _, Write as _};

use cloudfunc::model::code;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::StreamExt as _;
use serde_json::json;

use super::{ECHO, LENGTH};
use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

on_stack! {
    light:
    an_encoded_payload_is_decoded_within_the_limit
    an_encoding_that_is_not_accepted_is_refused_with_what_is
    an_upload_may_be_encoded
    large_answers_are_compressed_for_those_who_ask
    followed_logs_are_compressed_line_by_line
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut decoded).unwrap();
    decoded
}

async fn an_encoded_payload_is_decoded_within_the_limit(platform: &TestPlatform) {
    let source = "def handler(event, context):\n    return [event, len(context.body), context.headers.get('content-encoding'), context.headers['content-length']]\n";
    platform.deploy("encoded", &[("function.py", source)]).await;
    platform.deploy("length", &[("function.py", LENGTH)]).await;
    let invoke = |encoding: &str, body: Vec<u8>| {
        let request = platform.post("/v1/functions/encoded/invoke");
        request
            .header("content-encoding", encoding)
            .header("content-type", "application/json")
            .body(body)
    };
    let text = br#"{"a":1}"#;
    let expected = json!([{ "a": 1 }, 7, null, "7"]);
    assert_eq!(document(invoke("gzip", gzip(text))).await, (200, expected.clone()));
    assert_eq!(document(invoke("gzip, gzip", gzip(&gzip(text)))).await, (200, expected.clone()));
    assert_eq!(document(invoke("identity", text.to_vec())).await, (200, expected));
    // What comes out is checked as it would be without an encoding.
    assert_eq!(document(invoke("gzip", gzip(b"{"))).await.1["code"], "invalid_json");
    let cut = gzip(text)[..10].to_vec();
    for body in [text.to_vec(), cut] {
        let (status, answer) = document(invoke("gzip", body)).await;
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_encoding")), "{answer}");
    }

    const LIMIT: usize = 6 * 1024 * 1024;
    let bytes = |length: usize| {
        let request = platform.post("/v1/functions/length/invoke").body(gzip(&vec![7; length]));
        request.header("content-encoding", "gzip").header("content-type", "application/octet-stream")
    };
    assert_eq!(document(bytes(LIMIT)).await, (200, json!(LIMIT)));
    let hint = json!({ "hint": "send a reference to the data instead of the data itself" });
    let large = problem(code::PAYLOAD_TOO_LARGE, "the payload is larger than the limit of 6 MiB", hint);
    assert_eq!(document(bytes(LIMIT + 1)).await, large);
}

async fn an_encoding_that_is_not_accepted_is_refused_with_what_is(platform: &TestPlatform) {
    platform.deploy("echo", &[("function.py", ECHO)]).await;
    for path in ["/v1/functions/echo/invoke", "/v1/functions/echo/revisions", "/invoke/echo", "/deploy"]
    {
        for encoding in ["br", "zstd", "gzip, klingon"] {
            let request = || platform.post(path).header("content-encoding", encoding).body("{}");
            let answer = request().send().await.unwrap();
            assert_eq!(answer.headers()["accept-encoding"], "gzip, deflate", "{path}");
            let name = encoding.split(' ').next_back().unwrap();
            let detail = format!("the Content-Encoding '{name}' is not accepted");
            let hint = json!({ "hint": "accepted are gzip, deflate and identity" });
            assert_eq!(document(request()).await, problem(code::UNSUPPORTED_ENCODING, &detail, hint));
        }
    }
}

/// An archive is gzipped anyway: `gzip` may mean that, or once more.
async fn an_upload_may_be_encoded(platform: &TestPlatform) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(ECHO.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "function.py", ECHO.as_bytes()).unwrap();
    let archive = gzip(&tar.into_inner().unwrap());
    for (name, archive) in [("once", archive.clone()), ("twice", gzip(&archive))] {
        let request = platform.post(&format!("/v1/functions/{name}/revisions"));
        let (status, answer) = document(request.header("content-encoding", "gzip").body(archive)).await;
        assert_eq!((status, &answer["revision"]), (201, &json!(1)), "{answer}");
        assert_eq!(platform.value(name, "7").await, "7");
    }
}

async fn large_answers_are_compressed_for_those_who_ask(platform: &TestPlatform) {
    let source = "def handler(event):\n    print('x' * 60000)\n    return 'y' * event\n";
    platform.deploy("large", &[("function.py", source)]).await;
    let invoke = async |length: &str, accepted: &str| {
        let request = platform.post("/v1/functions/large/invoke").header("accept-encoding", accepted);
        request.body(length.to_owned()).send().await.unwrap()
    };
    let answer = invoke("200000", "br, gzip;q=0.9").await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["vary"], "accept-encoding");
    let (id, sent) =
        (answer.headers()["cloudfunc-invocation-id"].clone(), answer.bytes().await.unwrap());
    assert!(sent.len() < 10_000);
    assert_eq!(gunzip(&sent), vec![b'y'; 200_000]);

    for (length, accepted) in
        [("16384", "gzip"), ("200000", "gzip;q=0"), ("200000", "identity"), ("200000", "br")]
    {
        let answer = invoke(length, accepted).await;
        assert!(!answer.headers().contains_key("content-encoding"), "{length} {accepted}");
        assert_eq!(answer.bytes().await.unwrap().len().to_string(), length);
    }
    let id = id.to_str().unwrap();
    let result = format!("/v1/invocations/{id}/result");
    crate::support::eventually("the result and its log are stored", || async {
        let logs = platform.get("/v1/functions/large/logs").send().await.unwrap().bytes().await.unwrap();
        (logs.len() > 60_000 && platform.get(&result).send().await.unwrap().status() == 200)
            .then_some(())
    })
    .await;
    for path in [result.as_str(), "/v1/functions/large/logs", "/v1/logs"] {
        let answer = platform.get(path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let plain = platform.get(path).send().await.unwrap();
        assert_eq!(plain.headers()["vary"], "accept-encoding", "{path}");
        assert_eq!(gunzip(&answer.bytes().await.unwrap()), plain.bytes().await.unwrap(), "{path}");
    }
}

async fn followed_logs_are_compressed_line_by_line(platform: &TestPlatform) {
    let source = "def handler(event):\n    print('line', event)\n";
    platform.deploy("chatty", &[("function.py", source)]).await;
    let path = "/v1/functions/chatty/logs?follow=true";
    let answer = platform.get(path).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let mut pieces = answer.bytes_stream();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    for event in ["1", "2"] {
        platform.invoke("chatty", event).await;
        let line = format!("\"line {event}\"");
        // Nothing else is sent until the next invocation: it is there without more of the stream.
        while !String::from_utf8_lossy(decoder.get_ref()).contains(&line) {
            decoder.write_all(&pieces.next().await.unwrap().unwrap()).unwrap();
            decoder.flush().unwrap();
        }
    }
}

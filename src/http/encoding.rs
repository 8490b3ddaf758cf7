//! `Content-Encoding` of requests and answers.
//!
//! Requests: `gzip` and `deflate` are decoded within the limit of the body, others are refused with what
//! is accepted. Answers: lists, logs and results above [`COMPRESSED_FROM`] are sent in `gzip` to whoever
//! accepts it, each piece as soon as it is there.

use std::io::{self, Read, Write as _};

use axum::{
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, Decompress, FlushDecompress, Status, read::MultiGzDecoder, write::GzEncoder};
use futures_util::{StreamExt as _, stream};

use super::{Answer, problem::ACCEPTED_ENCODINGS, read_body, request::throw_away};
use crate::model::{Problem, code};

/// Encodings over each other. More than one is rare, and each costs a pass over the body.
const MAX_ENCODINGS: usize = 2;
/// Smaller answers fit into a few packets as they are.
pub const COMPRESSED_FROM: u64 = 16 * 1024;
/// Compressed at a time: about half a millisecond's work.
const PIECE: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Deflate,
}

/// Reads a body and undoes its `Content-Encoding`, which is taken out of the headers. Both what is sent
/// and what comes out of it may have `limit` bytes.
pub async fn read_decoded(
    headers: &mut HeaderMap,
    mut body: Body,
    limit: usize,
    too_large: impl Fn() -> Problem,
) -> Answer<Bytes> {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return read_body(body, limit, too_large).await;
    }
    let encodings = match encodings(headers) {
        Ok(encodings) => encodings,
        Err(refused) => {
            throw_away(&mut body).await;
            return Err(refused);
        }
    };
    let mut bytes = read_body(body, limit, &too_large).await?;
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    for encoding in encodings.into_iter().rev() {
        let work = tokio::task::spawn_blocking(move || decode(encoding, &bytes, limit));
        let decoded =
            work.await.map_err(|_| Problem::new(code::INTERNAL, "decoding the body failed"))?;
        bytes = match decoded {
            Ok(Some(decoded)) => decoded.into(),
            Ok(None) => return Err(too_large().into()),
            Err(error) => {
                let detail = format!(
                    "the body is not {}, as its Content-Encoding says: {error}",
                    encoding.name()
                );
                let hint = "compress the whole body, or leave Content-Encoding out";
                return Err(Problem::new(code::INVALID_ENCODING, detail).hint(hint).into());
            }
        };
    }
    Ok(bytes)
}

/// In the order in which they were applied.
fn encodings(headers: &HeaderMap) -> Answer<Vec<Encoding>> {
    let refused = |detail: String| {
        let hint = format!("accepted are {ACCEPTED_ENCODINGS} and identity");
        Problem::new(code::UNSUPPORTED_ENCODING, detail).hint(hint)
    };
    let mut encodings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => encodings.push(Encoding::Gzip),
                "deflate" => encodings.push(Encoding::Deflate),
                "identity" => {}
                _ => {
                    return Err(refused(format!("the Content-Encoding '{name}' is not accepted")).into());
                }
            }
        }
    }
    if encodings.len() > MAX_ENCODINGS {
        let detail =
            format!("the body is encoded {} times, over the limit of {MAX_ENCODINGS}", encodings.len());
        return Err(refused(detail).into());
    }
    Ok(encodings)
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// None when more than `limit` bytes come out.
fn decode(encoding: Encoding, bytes: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    match encoding {
        Encoding::Gzip => {
            let mut decoded = Vec::new();
            MultiGzDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut decoded)?;
            Ok(Some(decoded).filter(|decoded| decoded.len() <= limit))
        }
        // By the standard in a zlib stream; some clients send it bare.
        Encoding::Deflate => inflate(bytes, is_zlib(bytes), limit),
    }
}

fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

/// By hand, since the reader of the library takes a stream that is cut off for one that has ended.
fn inflate(bytes: &[u8], zlib: bool, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut inflater = Decompress::new(zlib);
    let mut decoded = Vec::new();
    loop {
        if decoded.len() > limit {
            return Ok(None);
        }
        decoded.reserve(PIECE);
        let read = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        let written = decoded.len();
        let rest = bytes.get(read..).unwrap_or_default();
        let status = inflater.decompress_vec(rest, &mut decoded, FlushDecompress::None)?;
        let after = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        match status {
            Status::StreamEnd if after == bytes.len() => {
                return Ok(Some(decoded).filter(|decoded| decoded.len() <= limit));
            }
            Status::StreamEnd => return Err(io::Error::other("something follows its end")),
            _ if after == read && decoded.len() == written => {
                return Err(io::Error::other("it is cut off"));
            }
            _ => {}
        }
    }
}

/// Compresses an answer that is large, or of a length that is not known yet, for a request that
/// [`accepts_gzip`]. Every piece of a stream is sent on at once.
pub fn compressed(gzip: bool, mut answer: Response) -> Response {
    let large = answer.body().size_hint().exact().is_none_or(|length| length > COMPRESSED_FROM);
    if !large || answer.status() != StatusCode::OK {
        return answer;
    }
    let headers = answer.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    // Also of one that is not: a cache must not give it to somebody who asked otherwise.
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !gzip {
        return answer;
    }
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(header::CONTENT_LENGTH);
    answer.map(|body| {
        let pieces = body.into_data_stream().flat_map(|piece| match piece {
            Ok(piece) => stream::iter(pieces(piece).map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        let state = Some((pieces, GzEncoder::new(Vec::new(), Compression::fast())));
        Body::from_stream(stream::unfold(state, |state| async move {
            let (mut pieces, mut encoder) = state?;
            match pieces.next().await {
                Some(Ok(piece)) => {
                    // Into memory, which does not fail.
                    let written = encoder.write_all(&piece).and_then(|()| encoder.flush());
                    let out = std::mem::take(encoder.get_mut());
                    // So that a large one does not keep the thread from others.
                    tokio::task::consume_budget().await;
                    let out = written.map(|()| Bytes::from(out)).map_err(axum::Error::new);
                    Some((out, Some((pieces, encoder))))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None => Some((encoder.finish().map(Bytes::from).map_err(axum::Error::new), None)),
            }
        }))
    })
}

fn pieces(mut whole: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let piece = whole.split_to(whole.len().min(PIECE));
        Some(piece).filter(|piece| !piece.is_empty())
    })
}

/// Whether a request wants gzip, and not less than the answer as it is.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for entry in value.to_str().unwrap_or_default().split(',') {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let weight =
                weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok()).unwrap_or(0.0);
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                gzip = Some(weight);
            } else if name == "*" {
                any = Some(weight);
            } else if name.eq_ignore_ascii_case("identity") {
                identity = Some(weight);
            }
        }
    }
    let gzip: f32 = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(encodings: &[&str], bytes: Vec<u8>, limit: usize) -> Result<Bytes, String> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let too_large = || Problem::new(code::PAYLOAD_TOO_LARGE, "too large");
        let read = read_decoded(&mut headers, bytes.into(), limit, too_large).await;
        assert!(read.is_err() || headers.is_empty());
        read.map_err(|failure| format!("{} {}", failure.0.status, failure.0.detail))
    }

    #[tokio::test]
    async fn a_body_is_decoded_as_it_says() {
        let text = b"hello hello hello".as_slice();
        let bare = {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        for (encodings, bytes) in [
            (vec!["gzip"], gzip(text)),
            (vec!["X-GZIP"], gzip(text)),
            (vec!["identity, gzip"], gzip(text)),
            (vec!["gzip"], [gzip(b"hello hello"), gzip(b" hello")].concat()),
            (vec!["deflate"], deflate(text)),
            (vec!["deflate"], bare),
            (vec!["deflate", "gzip"], gzip(&deflate(text))),
            (vec!["identity"], text.to_vec()),
            (vec![""], text.to_vec()),
        ] {
            assert_eq!(read(&encodings, bytes, 100).await.as_deref(), Ok(text), "{encodings:?}");
        }
    }

    #[tokio::test]
    async fn a_bomb_and_what_is_not_encoded_as_it_says_are_refused() {
        const LIMIT: usize = 64 * 1024;
        let bomb = vec![0; 2 << 20];
        let large = Err("413 too large".to_owned());
        assert_eq!(read(&["gzip"], gzip(&bomb), LIMIT).await, large);
        assert_eq!(read(&["deflate"], deflate(&bomb), LIMIT).await, large);
        assert_eq!(read(&["gzip, gzip"], gzip(&gzip(&bomb)), LIMIT).await, large);
        let text = b"hello hello hello";
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() - 5);
            bytes
        };
        let longer = |bytes: Vec<u8>| [bytes, b"x".to_vec()].concat();
        for (encoding, bytes) in [
            ("gzip", text.to_vec()),
            ("gzip", Vec::new()),
            ("gzip", cut(gzip(text))),
            ("gzip", longer(gzip(text))),
            ("deflate", cut(deflate(text))),
            ("deflate", longer(deflate(text))),
            ("deflate", text.to_vec()),
            ("deflate", Vec::new()),
        ] {
            let refused = read(&[encoding], bytes, 100).await.unwrap_err();
            let expected = format!("400 the body is not {encoding}, as its Content-Encoding says: ");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }

    #[tokio::test]
    async fn an_encoding_that_is_not_known_is_refused_by_name() {
        for encoding in ["br", "zstd", "compress", "klingon"] {
            let expected = format!("415 the Content-Encoding '{encoding}' is not accepted");
            assert_eq!(read(&["gzip", encoding], Vec::new(), 1).await, Err(expected));
        }
        let often = "415 the body is encoded 3 times, over the limit of 2".to_owned();
        assert_eq!(read(&["gzip, gzip, gzip"], Vec::new(), 1).await, Err(often));
    }

    #[test]
    fn gzip_is_sent_to_those_who_want_it() {
        let accepts = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
            accepts_gzip(&headers)
        };
        for yes in [
            "gzip",
            "br, gzip",
            "GZIP;q=0.5",
            "*",
            "gzip;q=0.8, identity;q=0.2",
            "br;q=1.0, *;q=0.1",
            "x-gzip",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "",
            "br",
            "gzip;q=0",
            "*;q=0",
            "identity",
            "gzip;q=0.2, identity;q=0.8",
            "gzip;q=x",
            "gzip;q=0, *",
        ] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_compressed_piece_by_piece() {
        let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(1);
        let lines = stream::unfold(receive, async |mut receive| {
            let piece = receive.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(piece), receive))
        });
        let answer = compressed(true, Response::new(Body::from_stream(lines)));
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(answer.headers()[header::VARY], "accept-encoding");
        let mut pieces = answer.into_body().into_data_stream();
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        for line in ["one\n", "two\n"] {
            send.send(line.into()).await.unwrap();
            decoder.write_all(&pieces.next().await.unwrap().unwrap()).unwrap();
            decoder.flush().unwrap();
            assert!(decoder.get_ref().ends_with(line.as_bytes()), "the whole line is there");
        }
        drop(send);
        decoder.write_all(&pieces.next().await.unwrap().unwrap()).unwrap();
        assert_eq!(decoder.finish().unwrap(), b"one\ntwo\n");
    }

    #[tokio::test]
    async fn only_large_answers_without_an_encoding_are_compressed() {
        let small = compressed(true, Response::new(Body::from(vec![b'x'; 16 * 1024])));
        assert!(small.headers().is_empty());
        let large = || Response::new(Body::from(vec![b'x'; 200_000]));
        let plain = compressed(false, large());
        assert_eq!(plain.headers()[header::VARY], "accept-encoding");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let mut own = large();
        own.headers_mut().insert(header::CONTENT_ENCODING, "br".parse().unwrap());
        assert_eq!(compressed(true, own).headers()[header::CONTENT_ENCODING], "br");
        let sent = compressed(true, large()).into_body();
        let sent = axum::body::to_bytes(sent, usize::MAX).await.unwrap();
        assert_eq!(decode(Encoding::Gzip, &sent, 1 << 20).unwrap(), Some(vec![b'x'; 200_000]));
    }
}

//! Reads a body as a whole, in little more memory than it has bytes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;

/// The least memory that is taken for a body of several pieces, in bytes.
const LEAST: usize = 64 * 1024;

/// Reads a body of up to `limit` bytes. Each piece is copied to where it belongs, so that the connection uses its memory for
/// the next one. Returns it, and whether trailers came after it, which are not kept. The error is that of the body, or
/// `LengthLimitError`.
pub(super) async fn read_whole(body: &mut Body, limit: usize) -> Result<(Bytes, bool), axum::BoxError> {
    let mut limited = Limited::new(body, limit);
    let (mut read, mut has_trailers) = (BytesMut::new(), false);
    while let Some(frame) = limited.frame().await {
        let Ok(data) = frame?.into_data() else {
            has_trailers = true;
            continue;
        };
        if read.is_empty() && limited.is_end_stream() {
            return Ok((data, has_trailers));
        }
        if read.capacity() - read.len() < data.len() {
            // Twice what has come, and no more than can still come: memory is not taken for what is only announced.
            let left = limited.size_hint().upper().and_then(|left| usize::try_from(left).ok());
            let most = left.unwrap_or(limit).saturating_add(data.len());
            read.reserve(most.min(read.len().max(LEAST)).max(data.len()));
        }
        read.extend_from_slice(&data);
    }
    Ok((read.freeze(), has_trailers))
}

#[cfg(test)]
mod tests {
    use http_body_util::LengthLimitError;

    use super::*;

    fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| {
                let byte = u8::try_from(at % 251).unwrap();
                Ok::<_, std::convert::Infallible>(Bytes::from(vec![byte; *size]))
            })
            .collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_body_is_its_pieces_up_to_the_limit() {
        for sizes in [&[][..], &[0], &[5], &[1, 2, 3], &[100_000, 1, 200_000, 70_000]] {
            let expected: Vec<u8> = pieces(sizes).collect().await.unwrap().to_bytes().to_vec();
            let sum = expected.len();
            let (bytes, has_trailers) = read_whole(&mut pieces(sizes), sum).await.unwrap();
            assert!(bytes == expected && !has_trailers, "{sizes:?}");
            if sum > 0 {
                let error = read_whole(&mut pieces(sizes), sum - 1).await.err().unwrap();
                assert!(error.downcast_ref::<LengthLimitError>().is_some(), "{error}");
            }
        }
        let (bytes, _) = read_whole(&mut Body::from("in one piece"), 100).await.unwrap();
        assert_eq!(bytes, "in one piece");
    }
}

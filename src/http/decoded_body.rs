//! Reads bodies that may be encoded, within the budget for bodies.

use std::sync::Arc;

use axum::{body::Body, http::request::Parts};
use bytes::Bytes;

use super::{Answer, body_budget::Reserved, encoding::read_decoded};
use crate::model::Problem;

/// Reads a body of up to `limit` bytes like [`read_decoded`], and has what comes out of it take room in the budget that its
/// request stands in, if it does.
pub async fn read_within_budget(
    parts: &mut Parts,
    body: Body,
    limit: usize,
    too_large: impl Fn() -> Problem,
) -> Answer<Bytes> {
    let reserved = parts.extensions.remove::<Arc<Reserved>>();
    if let Some(reserved) = &reserved {
        reserved.keeps_at_most(limit);
    }
    let bytes = read_decoded(&mut parts.headers, body, limit, too_large).await?;
    match reserved {
        Some(reserved) if !reserved.has(bytes.len()) => Err(reserved.used_up().into()),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;

    use super::{super::body_budget::BodyBudget, *};
    use crate::model::code;

    #[tokio::test]
    async fn what_comes_out_of_an_encoded_body_takes_room() {
        let room = BodyBudget::of(1000);
        for (decoded, status) in [(900, None), (1100, Some(503)), (3000, Some(413))] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &vec![b'a'; decoded]).unwrap();
            let mut request = Request::new(Body::from(encoder.finish().unwrap()));
            request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            let (request, _taken) = room.enter(request).ok().unwrap();
            let (mut parts, body) = request.into_parts();
            let too_large = || Problem::new(code::PAYLOAD_TOO_LARGE, "too large");
            let read = read_within_budget(&mut parts, body, 2000, too_large).await;
            assert_eq!(read.as_ref().err().map(|failure| failure.0.status), status, "{decoded}");
            if status.is_none() {
                assert_eq!(room.taken(), decoded);
            }
        }
    }
}

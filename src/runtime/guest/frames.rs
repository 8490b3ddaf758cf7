//! The bytes of a connection, cut into the frames of the protocol.

use bytes::{Buf as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::protocol::{MAX_HEADER, PREFIX};
use crate::model::message::MAX_BODY;

/// The size, in bytes, up to which a body is copied out of the read buffer, which then serves the next frame too; a
/// larger one takes the buffer with it.
const COPY_LIMIT: usize = 16 * 1024;

/// Cuts the bytes of one connection into frames. Bytes stay in here until they make a whole frame, so that a reader may
/// stop at any time.
#[derive(Default)]
pub(super) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Returns the buffer to read into. It has room for the rest of a frame whose lengths are known.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        let missing = match self.lengths() {
            Some((header, body)) => (PREFIX + header + body).saturating_sub(self.buffer.len()),
            None => 0,
        };
        self.buffer.reserve(missing.clamp(4096, PREFIX + MAX_HEADER + MAX_BODY));
        &mut self.buffer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Returns the bytes after the last frame.
    pub(super) fn into_rest(self) -> BytesMut {
        self.buffer
    }

    /// Returns the next frame when all of it is here; an error says what is wrong with it.
    pub(super) fn next<H: DeserializeOwned>(&mut self) -> Result<Option<(H, Bytes)>, String> {
        let Some((header, body)) = self.lengths() else { return Ok(None) };
        if header > MAX_HEADER {
            return Err(format!("a header of {header} bytes is over the limit of {MAX_HEADER}"));
        }
        if body > MAX_BODY {
            return Err(format!("a body of {body} bytes is over the limit of {MAX_BODY}"));
        }
        if self.buffer.len() < PREFIX + header + body {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&self.buffer[PREFIX..PREFIX + header])
            .map_err(|error| format!("a header cannot be read: {error}"))?;
        self.buffer.advance(PREFIX + header);
        let body = if body <= COPY_LIMIT {
            let copy = Bytes::copy_from_slice(&self.buffer[..body]);
            self.buffer.advance(body);
            copy
        } else {
            self.buffer.split_to(body).freeze()
        };
        Ok(Some((parsed, body)))
    }

    fn lengths(&self) -> Option<(usize, usize)> {
        let mut prefix = self.buffer.get(..PREFIX)?;
        Some((prefix.get_u32() as usize, prefix.get_u32() as usize))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;
    use proptest::prelude::*;

    use super::{super::protocol::GuestMessage, *};

    fn frame(header: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u32(u32::try_from(header.len()).unwrap());
        bytes.put_u32(u32::try_from(body.len()).unwrap());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn feed(frames: &mut Frames, bytes: &[u8]) {
        frames.space().extend_from_slice(bytes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn frames_survive_any_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 1..4),
            cut in 100_usize..5000,
        ) {
            let wire: Vec<u8> = bodies.iter().flat_map(|body| frame(r#"{"ready":{}}"#, body)).collect();
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for piece in wire.chunks(cut) {
                feed(&mut frames, piece);
                while let Some((GuestMessage::Ready { .. }, body)) = frames.next().unwrap() {
                    seen.push(body.to_vec());
                }
            }
            prop_assert_eq!(seen, bodies);
            prop_assert!(frames.is_empty());
        }

        #[test]
        fn any_bytes_are_a_frame_or_an_error_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = Frames::default();
            feed(&mut frames, &bytes);
            let _ = frames.next::<GuestMessage>();
            let _ = frames.space();
        }
    }

    #[test]
    fn lengths_over_a_limit_are_refused_before_anything_is_read() {
        for (header, body) in [(65_537_u32, 0_u32), (2, 6 * 1024 * 1024 + 1), (u32::MAX, u32::MAX)] {
            let mut frames = Frames::default();
            feed(&mut frames, &[header.to_be_bytes(), body.to_be_bytes()].concat());
            let error = frames.next::<GuestMessage>().unwrap_err();
            assert!(error.contains("over the limit"), "{error}");
        }
    }
}

//! The bytes from the host, cut into the frames of the protocol.

use bytes::{Buf as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;

use crate::{call::MAX_BODY, limits::MAX_LOAD};

/// The limit of the header of a frame to the host, in bytes. The host's own may be longer: `load` has the function's
/// variables.
pub const MAX_HEADER: usize = 64 * 1024;

/// The size of both lengths, in bytes.
pub const PREFIX: usize = 8;

/// The size, in bytes, up to which a body is copied out of the read buffer, which then serves the next frame too.
const COPY_LIMIT: usize = 16 * 1024;

/// Bytes that do not make a whole frame yet.
#[derive(Default)]
pub struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Returns the buffer to read into. It has room for the rest of a frame whose lengths are known.
    pub fn space(&mut self) -> &mut BytesMut {
        let missing = match self.lengths() {
            Some((header, body)) => (PREFIX + header + body).saturating_sub(self.buffer.len()),
            None => 0,
        };
        self.buffer.reserve(missing.clamp(4096, PREFIX + MAX_LOAD + MAX_BODY));
        &mut self.buffer
    }

    /// Returns the next frame when all of it is here; an error says what is wrong with it.
    pub fn next<H: DeserializeOwned>(&mut self) -> Result<Option<(H, Bytes)>, String> {
        let Some((header, body)) = self.lengths() else { return Ok(None) };
        if header > MAX_LOAD {
            return Err(format!("a header of {header} bytes is over the limit of {MAX_LOAD}"));
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

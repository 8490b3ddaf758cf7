//! NDJSON answers: one JSON document per line, read as they arrive.

use std::marker::PhantomData;

use bytes::{Buf as _, BytesMut};
use reqwest::Response;
use serde::de::DeserializeOwned;
use url::Url;

use super::Error;

/// The limit of a line, in bytes. A longer line is refused: no line of the platform comes near it.
const MAX_LINE: usize = 8 * 1024 * 1024;

/// The lines of an answer. Dropping it closes the stream.
#[derive(Debug)]
pub struct Lines<T> {
    response: Response,
    url: Url,
    buffer: BytesMut,
    /// The length of the beginning of the buffer that is known to have no newline.
    searched: usize,
    ended: bool,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// `url` is that of the platform, for errors.
    pub(super) fn new(response: Response, url: Url) -> Self {
        Self { response, url, buffer: BytesMut::new(), searched: 0, ended: false, item: PhantomData }
    }

    /// Returns the next document, or `None` at the end. Empty lines, which keep a connection alive, are
    /// skipped.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        while let Some(line) = self.line().await? {
            if !line.trim_ascii().is_empty() {
                let item = serde_json::from_slice(&line);
                return item.map(Some).map_err(|error| Error::unreadable("a line", &error));
            }
        }
        Ok(None)
    }

    /// Returns the next line without its newline. Cancel-safe: bytes already read stay in the buffer.
    async fn line(&mut self) -> Result<Option<BytesMut>, Error> {
        loop {
            if let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + found);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.ended {
                self.searched = 0;
                return Ok(Some(self.buffer.split()).filter(|rest| !rest.is_empty()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(Error::Protocol("a line of more than 8 MiB".to_owned()));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => self.ended = true,
                Err(source) => {
                    return Err(Error::Lost { url: self.url.clone(), source: source.without_url() });
                }
            }
        }
    }
}

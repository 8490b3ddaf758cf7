//! `GET /openapi.json`: the HTTP API as an OpenAPI 3.1 document, and the addresses of functions that the caller may invoke.
//!
//! The platform's part is `openapi.json`, made of the handlers' types by the tests of `document.rs`. It needs no token, as it
//! is the same on every platform of this version. Addresses of functions are told to holders of a token that reaches them.

mod functions;

#[cfg(test)]
mod document;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod schemas;

use std::{io::Write as _, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use super::Gateway;
use crate::{
    http::{Answer, Query, SentBy, accepts_gzip, compressed},
    model::{Caller, api::HttpFunction},
};

/// The path of the document.
pub const PATH: &str = "/openapi.json";
/// The platform's part of it.
const PLATFORM: &str = include_str!("openapi.json");

/// The platform's part of the document, as answers need it: made once.
pub struct Document {
    parsed: Value,
    compressed: Bytes,
}

impl Document {
    /// Makes it, in a few milliseconds.
    pub fn new() -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        // Into memory, which does not fail.
        let compressed = encoder.write_all(PLATFORM.as_bytes()).and_then(|()| encoder.finish());
        Self {
            parsed: serde_json::from_str(PLATFORM).expect("the tests have written JSON"),
            compressed: compressed.expect("memory takes all").into(),
        }
    }

    /// Returns the answer to everybody.
    fn for_all(&self, gzip: bool) -> Response {
        if !gzip {
            return compressed(false, json(Body::from(PLATFORM)));
        }
        let mut answer = json(Body::from(self.compressed.clone()));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        answer
    }

    /// Returns the document with the addresses of those of these functions that the caller's token is for.
    fn with_functions(&self, caller: &Caller, all: &[HttpFunction]) -> String {
        let mut document = self.parsed.clone();
        let reached = all.iter().filter(|function| caller.reaches(&function.name));
        functions::add(&mut document, reached);
        document.to_string()
    }
}

/// Answers the document. The guard lets requests without a token in here, and those with a valid one.
pub async fn show(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Answer<Response> {
    Query::read(request.uri().query(), &[])?;
    let gzip = accepts_gzip(request.headers());
    let sent_by: Option<SentBy> = request.extensions_mut().remove();
    Ok(match sent_by {
        None => gateway.document.for_all(gzip),
        Some(sent_by) => {
            let functions = gateway.addresses.functions();
            let document = gateway.document.with_functions(&sent_by.caller, &functions);
            compressed(gzip, json(Body::from(document)))
        }
    })
}

fn json(document: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[tokio::test]
    async fn the_document_is_compressed_for_those_who_want_it_and_the_same() {
        let document = Document::new();
        let plain = document.for_all(false);
        assert_eq!(plain.headers()[header::VARY], "accept-encoding");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let gzip = document.for_all(true);
        assert_eq!(gzip.headers()[header::VARY], "accept-encoding");
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(gzip.headers()[header::CONTENT_TYPE], "application/json");
        let sent = axum::body::to_bytes(gzip.into_body(), usize::MAX).await.unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*sent).read_to_string(&mut text).unwrap();
        assert!(text == PLATFORM && sent.len() < text.len() / 4);
    }
}

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

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::header,
    response::{IntoResponse as _, Response},
};
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

/// Answers the document. The guard lets requests without a token in here, and those with a valid one.
pub async fn show(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Answer<Response> {
    Query::read(request.uri().query(), &[])?;
    let gzip = accepts_gzip(request.headers());
    let sent_by: Option<SentBy> = request.extensions_mut().remove();
    let document = match sent_by {
        None => Body::from(PLATFORM),
        Some(sent_by) => Body::from(with_functions(&sent_by.caller, &gateway.addresses.functions())),
    };
    let answer = ([(header::CONTENT_TYPE, "application/json")], document).into_response();
    Ok(compressed(gzip, answer))
}

/// Returns the document with the addresses of those of these functions that the caller's token is for.
fn with_functions(caller: &Caller, all: &[HttpFunction]) -> String {
    let mut document: Value = serde_json::from_str(PLATFORM).expect("the tests have written JSON");
    let reached = all.iter().filter(|function| caller.reaches(&function.name));
    functions::add(&mut document, reached);
    document.to_string()
}

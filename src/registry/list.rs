//! `GET /v1/functions`: a page; without a `limit` all of them, which are read and sent piece by piece.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{Uri, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::Registry;
use crate::{
    error_chain::chain,
    http::{Answer, Query},
    model::{
        FunctionName,
        api::{FunctionInfo, Page},
        route,
    },
    store,
};

/// The most functions in a page.
const MAX_PAGE: u32 = 1000;
/// Functions in memory at once where all are asked for.
const PIECE: u32 = 500;

pub async fn list(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), route::LIST_FUNCTIONS.endpoint.query)?;
    let limit = query.number("limit", 1, MAX_PAGE)?;
    let after = query.one("cursor", str::parse::<FunctionName>)?;
    let first = registry.page(after.as_ref(), limit.unwrap_or(PIECE)).await?;
    Ok(match limit {
        Some(_) => Json(first).into_response(),
        None => all(registry, first),
    })
}

/// One document, as a page without a next one is. What cannot be read later on ends it in the middle, which no client
/// takes for the whole.
fn all(registry: Arc<Registry>, first: Page<FunctionInfo>) -> Response {
    let begin = text(&first, "{\"items\":[");
    let rest = stream::try_unfold((registry, first.next), |(registry, next)| async move {
        let Some(after) = next else { return Ok::<_, store::Error>(None) };
        let after: FunctionName = after.parse().expect("a name that was read");
        let page = registry.page(Some(&after), PIECE).await.inspect_err(|error| {
            tracing::warn!(error = %chain(error), "a list of functions ends early");
        })?;
        let separator = if page.items.is_empty() { "" } else { "," };
        Ok(Some((text(&page, separator), (registry, page.next))))
    });
    let end = Bytes::from_static(b"],\"next\":null}");
    let pieces = stream::iter([Ok(begin)]).chain(rest).chain(stream::iter([Ok(end)]));
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response()
}

fn text(page: &Page<FunctionInfo>, before: &str) -> Bytes {
    let mut text = before.as_bytes().to_vec();
    for (index, function) in page.items.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, function).expect("a function is plain data");
    }
    text.into()
}

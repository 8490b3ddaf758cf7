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

use super::{Registry, functions::PIECE};
use crate::{
    error_chain::chain,
    http::{Answer, CalledBy, Query},
    model::{
        Caller, FunctionName,
        api::{FunctionInfo, Page},
        route,
    },
    store,
};

/// The most functions in a page.
const MAX_PAGE: u32 = 1000;

pub async fn list(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer {
    let query = Query::read(uri.query(), route::LIST_FUNCTIONS.endpoint.query)?;
    let limit = query.number("limit", 1, MAX_PAGE)?;
    let after = query.one("cursor", str::parse::<FunctionName>)?;
    let first = registry.page(after.as_ref(), limit.unwrap_or(PIECE), &caller).await?;
    Ok(match limit {
        Some(_) => Json(first).into_response(),
        None => all(registry, caller, first),
    })
}

/// One document, as a page without a next one is. What cannot be read later on ends it in the middle, which no client
/// takes for the whole.
fn all(registry: Arc<Registry>, caller: Caller, first: Page<FunctionInfo>) -> Response {
    let begin = text(&first, "{\"items\":[");
    let rest = Rest { registry, caller, is_begun: !first.items.is_empty(), next: first.next };
    let rest = stream::try_unfold(rest, |mut rest| async move {
        let Some(page) = rest.page().await? else { return Ok::<_, store::Error>(None) };
        let separator = if rest.is_begun && !page.items.is_empty() { "," } else { "" };
        rest.is_begun |= !page.items.is_empty();
        Ok(Some((text(&page, separator), rest)))
    });
    let end = Bytes::from_static(b"],\"next\":null}");
    let pieces = stream::iter([Ok(begin)]).chain(rest).chain(stream::iter([Ok(end)]));
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response()
}

/// The part of a list that is not sent yet.
struct Rest {
    registry: Arc<Registry>,
    caller: Caller,
    /// A function was sent: the next one follows a comma.
    is_begun: bool,
    next: Option<String>,
}

impl Rest {
    /// None after the last page.
    async fn page(&mut self) -> Result<Option<Page<FunctionInfo>>, store::Error> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let after: FunctionName = after.parse().expect("a name that was read");
        let page = self.registry.page(Some(&after), PIECE, &self.caller).await;
        let mut page = page.inspect_err(|error| {
            tracing::warn!(error = %chain(error), "a list of functions ends early");
        })?;
        self.next = page.next.take();
        Ok(Some(page))
    }
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

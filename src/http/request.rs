//! Reading requests: names, bodies, and the problems of both.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError};

use super::{
    Answer,
    body_budget::{BodyBudget, Reserved, UsedUp},
    exchange::Stalled,
    sender::TokenRefused,
    whole_body::read_whole,
};
use crate::{
    model::{FunctionName, Problem, code, message::MAX_BODY},
    units::show_bytes,
};

/// A function's name from a path or a document.
pub fn function_name(text: &str) -> Answer<FunctionName> {
    text.parse().map_err(|error| Problem::new(code::INVALID_NAME, format!("{error}")).into())
}

pub fn payload_too_large() -> Problem {
    let limit = show_bytes(MAX_BODY as u64);
    Problem::new(code::PAYLOAD_TOO_LARGE, format!("the payload is larger than the limit of {limit}"))
        .hint("send a reference to the data instead of the data itself")
}

/// The whole body, or the given problem when it is larger than `limit` bytes.
pub async fn read_body(body: Body, limit: usize, too_large: impl FnOnce() -> Problem) -> Answer<Bytes> {
    Ok(collected(body, limit, too_large).await?.0)
}

/// Reserves bytes for a body that is read next, until what is returned beside it is dropped: when the request has been answered.
/// 503 where others use up the budget, once the body has been thrown away.
pub async fn with_room(
    bodies: &BodyBudget,
    headers: &HeaderMap,
    body: Body,
    is_stranger: bool,
) -> Answer<(Body, Option<Arc<Reserved>>)> {
    match bodies.enter(Request::new(body)) {
        Ok((request, taken)) => Ok((request.into_body(), taken)),
        Err(body) => {
            refused(headers, body, is_stranger).await;
            Err(bodies.used_up().into())
        }
    }
}

/// Reads it like [`read_body`], and refuses trailers: a function sees none, and would not know of what it does not see.
pub async fn read_body_without_trailers(
    body: Body,
    limit: usize,
    too_large: impl FnOnce() -> Problem,
) -> Answer<Bytes> {
    match collected(body, limit, too_large).await? {
        (bytes, false) => Ok(bytes),
        (_, true) => Err(trailers_refused().into()),
    }
}

/// Returns the refusal of a request with trailers.
pub fn trailers_refused() -> Problem {
    let detail = "the request has trailers, fields after its body, and functions do not get them";
    Problem::new(code::BAD_REQUEST, detail).hint("send them as headers")
}

/// Returns the whole body, and whether trailers came after it.
async fn collected(
    mut body: Body,
    limit: usize,
    too_large: impl FnOnce() -> Problem,
) -> Answer<(Bytes, bool)> {
    match read_whole(&mut body, limit).await {
        Ok(collected) => Ok(collected),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            throw_away(&mut body).await;
            Err(too_large().into())
        }
        Err(error) => match refusal(&*error) {
            Some(refusal) => {
                throw_away(&mut body).await;
                Err(refusal.into())
            }
            None => {
                let detail = format!("the body could not be read: {error}");
                Err(Problem::new(code::BAD_REQUEST, detail).into())
            }
        },
    }
}

/// Returns why this server itself has ended a body, if it has.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<Problem> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| {
        let used_up = error.downcast_ref().map(UsedUp::problem);
        used_up
            .or_else(|| Some(error.downcast_ref::<Stalled>()?.problem()))
            .or_else(|| Some(error.downcast_ref::<TokenRefused>()?.problem()))
    })
}

/// The part of a refused body that is read and thrown away: an answer in the middle of a request
/// closes the connection, and a client that is still sending then sees a reset instead of the answer.
const SWALLOW: usize = 64 * 1024 * 1024;
const SWALLOW_TIMEOUT: Duration = Duration::from_secs(5);
/// The same of a sender without a valid token.
const SWALLOW_OF_STRANGER: usize = 32 * 1024 * 1024;
const SWALLOW_OF_STRANGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the rest of a body that is refused, within bounds; nothing more of one that has stopped coming.
pub(super) async fn throw_away(body: &mut Body) {
    let _ = tokio::time::timeout(SWALLOW_TIMEOUT, swallow(body, SWALLOW)).await;
}

/// Does the same, within narrower bounds, for a sender without a valid token.
async fn throw_away_of_stranger(body: &mut Body) {
    let swallowing = swallow(body, SWALLOW_OF_STRANGER);
    let _ = tokio::time::timeout(SWALLOW_OF_STRANGER_TIMEOUT, swallowing).await;
}

/// Lets the body of a refused request come: a client that is still sending would see a reset in place of the answer. One that
/// waits for leave to send gets it at once.
pub async fn refused(headers: &HeaderMap, mut body: Body, is_stranger: bool) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    match is_stranger {
        true => throw_away_of_stranger(&mut body).await,
        false => throw_away(&mut body).await,
    }
}

async fn swallow(body: &mut Body, most: usize) {
    let mut swallowed = 0;
    while swallowed < most
        && let Some(Ok(frame)) = body.frame().await
    {
        swallowed += frame.data_ref().map_or(0, Bytes::len);
    }
}

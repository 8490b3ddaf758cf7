//! What the routes that change something have in common.

use crate::{
    http::Answer,
    model::{Problem, code},
};

/// Limit of a document that a route takes, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// Does `work` in a task of its own: a client that hangs up does not leave half of it done.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change ended unexpectedly");
        Err(Problem::new(code::INTERNAL, "the change ended unexpectedly").into())
    })
}

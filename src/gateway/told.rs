//! Asks the registry of this host for a document, such as the next change that it knows of.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Method},
};
use serde::de::DeserializeOwned;

use crate::{error_chain::chain, http::Peer};

/// Returns the document at a path of the registry, of up to `limit` bytes. The error is its reason in words; one is that the
/// whole answer has not come `within` this time.
pub async fn told<T: DeserializeOwned>(
    registry: &Peer,
    path: &str,
    within: Duration,
    limit: usize,
) -> Result<T, String> {
    let asked = async {
        let answer = registry.send(Method::GET, path, HeaderMap::new(), Body::empty()).await;
        let answer = answer.map_err(|error| chain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("the registry answers {}", answer.status()));
        }
        let body = axum::body::to_bytes(answer.into_body(), limit).await;
        let body = body.map_err(|error| chain(&error))?;
        serde_json::from_slice(&body).map_err(|error| chain(&error))
    };
    let answered = tokio::time::timeout(within, asked).await;
    answered.unwrap_or_else(|_| Err("the registry has not answered in time".to_owned()))
}

//! Giving room back on demand; what is done now and then anyway happens at once, and the store's file shrinks.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{Registry, routes::to_the_end};
use crate::{
    config::units::parse_duration,
    http::Answer,
    model::{
        Problem,
        api::{Amount, Pruned},
        code,
    },
    store::Prunable,
};

/// Rows in one transaction.
const PAGE: u32 = 5000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneQuery {
    /// Only says what would go.
    #[serde(default)]
    dry_run: bool,
    /// In place of the platform's retention, for records and log lines.
    older_than: Option<String>,
}

/// `POST /v1/prune`
pub async fn prune(
    State(registry): State<Arc<Registry>>,
    query: Result<Query<PruneQuery>, QueryRejection>,
) -> Answer<Json<Pruned>> {
    let bad = |text: String| Problem::new(code::BAD_REQUEST, text);
    let Query(PruneQuery { dry_run, older_than }) = query.map_err(|error| bad(error.body_text()))?;
    let age = match older_than {
        Some(age) => parse_duration(&age).map_err(|problem| bad(format!("older_than: {problem}")))?,
        None => registry.room.retention,
    };
    let prunable = registry.store.prunable(age, registry.room.keep_revisions).await?;
    if dry_run {
        return Ok(Json(report(prunable, true, None)));
    }
    to_the_end(async move { registry.prune(age, prunable).await.map(Json) }).await
}

impl Registry {
    async fn prune(&self, age: Duration, prunable: Prunable) -> Answer<Pruned> {
        for function in self.store.prune_revisions(self.room.keep_revisions, None).await? {
            // Managers let go of what they have unpacked.
            self.announce_changed(function).await;
        }
        while self.store.prune(age, PAGE).await? >= u64::from(PAGE) {}
        let given_back = self.store.vacuum().await?;
        tracing::info!(?prunable, given_back, "pruned");
        Ok(report(prunable, false, given_back))
    }
}

fn report(prunable: Prunable, dry_run: bool, given_back: Option<u64>) -> Pruned {
    let amount = |(count, bytes)| Amount { count, bytes };
    Pruned {
        dry_run,
        revisions: Amount { count: prunable.revisions, bytes: 0 },
        bundles: amount(prunable.bundles),
        invocations: amount(prunable.invocations),
        log_lines: amount(prunable.log_lines),
        given_back,
    }
}

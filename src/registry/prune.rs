//! Giving room back on demand; what is done now and then anyway happens at once, and the store's file shrinks.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Uri};

use super::{Registry, change::to_the_end};
use crate::{
    http::{Answer, CalledBy, Query},
    model::{
        Caller,
        api::{Amount, Pruned},
        audit::action,
        route,
    },
    store::{self, Prunable, Retention},
    units::{parse_duration, show_duration},
};

/// `POST /v1/prune`; `dry_run` only says what would go, `older_than` is in place of the platform's retention,
/// for records and log lines. The audit log keeps its own: it is not shortened by a request.
pub async fn prune(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<Pruned>> {
    let query = Query::read(uri.query(), route::PRUNE.endpoint.query)?;
    let dry_run = query.flag("dry_run", false)?;
    let older_than = query.one("older_than", |text| {
        parse_duration(text).map_err(|problem| format!("older_than: {problem}"))
    })?;
    let age = older_than.unwrap_or(registry.limits.retention);
    let prunable = registry.store.prunable(age, registry.limits.keep_revisions).await?;
    if dry_run {
        return Ok(Json(report(prunable, true, None)));
    }
    to_the_end(async move { registry.prune(age, prunable, &caller).await.map(Json) }).await
}

impl Registry {
    async fn prune(&self, age: Duration, prunable: Prunable, caller: &Caller) -> Answer<Pruned> {
        for function in self.store.prune_revisions(self.limits.keep_revisions, None).await? {
            // Managers let go of what they have unpacked.
            self.announce_changed(function).await;
        }
        let keep = Retention { records: age, audit_log: self.limits.audit_retention };
        store::prune_all(&*self.store, keep, || false).await?;
        let given_back = self.store.vacuum().await?;
        let detail = Some(format!("older than {}", show_duration(age)));
        self.audit(caller, action::PRUNE, None, detail).await;
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
        packages: amount(prunable.packages),
        invocations: amount(prunable.invocations),
        log_lines: amount(prunable.log_lines),
        given_back,
    }
}

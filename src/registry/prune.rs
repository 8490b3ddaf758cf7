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
    units::{parse_duration, written_duration},
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
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.prune(age, prunable, &caller).await.map(Json) }).await
}

impl Registry {
    async fn prune(&self, age: Duration, prunable: Prunable, caller: &Caller) -> Answer<Pruned> {
        let pruned = self.prune_store(age).await;
        self.audit(caller, action::PRUNE, None, Some(detail(age, pruned.is_ok()))).await;
        let given_back = pruned?;
        tracing::info!(?prunable, given_back, "pruned");
        Ok(report(prunable, false, given_back))
    }

    /// Deletes what is old; returns by how many bytes the store's file has shrunk, if it is one. A failure may come after a
    /// part is deleted.
    async fn prune_store(&self, age: Duration) -> Result<Option<u64>, store::Error> {
        for function in self.store.prune_revisions(self.limits.keep_revisions, None).await? {
            // Managers let go of what they have unpacked.
            self.announce_changed(function).await;
        }
        let keep = Retention { records: age, audit_log: self.limits.audit_retention };
        store::prune_all(&*self.store, keep, || false).await?;
        self.store.vacuum().await
    }
}

/// For the audit log.
fn detail(age: Duration, is_done: bool) -> String {
    let older = format!("older than {}", written_duration(age));
    match is_done {
        true => older,
        false => format!("{older}; it failed on the way, and how much of it was deleted is not known"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_has_what_was_asked_for_also_when_it_fails_on_the_way() {
        let week = Duration::from_secs(7 * 24 * 3600);
        assert_eq!(detail(week, true), "older than 7d");
        assert_eq!(
            detail(week, false),
            "older than 7d; it failed on the way, and how much of it was deleted is not known"
        );
    }
}

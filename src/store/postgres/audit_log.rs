//! The audit log: the writes.

use std::time::Duration;

use sqlx::{PgPool, query};

use super::columns;
use crate::{
    model::{AuditOutcome, NewAuditEntry},
    store::{
        failure::Failure,
        history::NO_CLOCK,
        rows::{age, clean, millis},
    },
};

pub async fn append_audit(pool: &PgPool, entries: &[NewAuditEntry]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO audit_log
            (at, caller, role, from_address, action, target, outcome, detail, count, number)
         SELECT now_ms() - t.age, t.caller, t.role, t.from_address, t.action, t.target, t.outcome, t.detail,
            t.count,
            CASE t.outcome WHEN 'done' THEN nextval('audit_log_done') ELSE nextval('audit_log_refused') END
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::bigint[], $9::bigint[]) WITH ORDINALITY
            AS t (caller, role, from_address, action, target, outcome, detail, count, age, place)
         ORDER BY t.place",
    )
    .bind(columns(entries, |entry| clean(&entry.caller)))
    .bind(columns(entries, |entry| entry.role.map(|role| role.as_str())))
    .bind(columns(entries, |entry| entry.from.map(|from| from.to_string())))
    .bind(columns(entries, |entry| clean(&entry.action)))
    .bind(columns(entries, |entry| entry.target.as_deref().map(clean)))
    .bind(columns(entries, |entry| entry.outcome.as_str()))
    .bind(columns(entries, |entry| entry.detail.as_deref().map(clean)))
    .bind(columns(entries, |entry| i64::from(entry.count)))
    .bind(columns(entries, age))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

/// Entries of a time when the clock was not set get the time of now.
pub async fn prune_audit(pool: &PgPool, age: Duration, keep: u64, limit: u32) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE audit_log SET at = now_ms() WHERE now_ms() > $1
            AND id = ANY (ARRAY (
                SELECT id FROM audit_log WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(NO_CLOCK)
    .bind(i64::from(limit))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    let mut pruned = query(
        "DELETE FROM audit_log WHERE id = ANY (ARRAY (
            SELECT id FROM audit_log WHERE at >= $3 AND at < now_ms() - $1
            ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(millis(age))
    .bind(i64::from(limit))
    .bind(NO_CLOCK)
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?
    .rows_affected();
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    for outcome in AuditOutcome::ALL {
        pruned += query(
            "DELETE FROM audit_log WHERE id = ANY (ARRAY (
                SELECT id FROM audit_log WHERE outcome = $1
                    AND number <= (SELECT max(number) FROM audit_log WHERE outcome = $1) - $2
                ORDER BY number LIMIT $3 FOR UPDATE SKIP LOCKED))",
        )
        .bind(outcome.as_str())
        .bind(keep)
        .bind(i64::from(limit) - pruned.cast_signed())
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?
        .rows_affected();
    }
    Ok(pruned)
}

//! The audit log: the writes.

use std::time::Duration;

use sqlx::{SqliteConnection, query};

use super::{now, writer::Writer};
use crate::{
    model::{AuditOutcome, NewAuditEntry},
    store::{
        failure::Failure,
        history::NO_CLOCK,
        rows::{age, clean, json, millis},
    },
};

/// Appends entries as one JSON array, as log lines are.
pub async fn append_audit(writer: &Writer, entries: &[NewAuditEntry]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &str) -> Result<(), Failure> {
        query(concat!(
            "INSERT INTO audit_log
                (at, caller, role, from_address, action, target, outcome, detail, count, number)
             SELECT ",
            now!(),
            " - (value ->> 8), value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value ->> 6, value ->> 7,
                coalesce((SELECT max(number) FROM audit_log WHERE outcome = (value ->> 5)), 0)
                    + row_number() OVER (PARTITION BY value ->> 5 ORDER BY key)
             FROM json_each($1) ORDER BY key"
        ))
        .bind(rows)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                clean(&entry.caller),
                entry.role.map(|role| role.as_str()),
                entry.from,
                clean(&entry.action),
                entry.target.as_deref().map(clean),
                entry.outcome.as_str(),
                entry.detail.as_deref().map(clean),
                entry.count,
                age(entry),
            )
        })
        .collect();
    let rows = json(&rows)?;
    let bytes = rows.len();
    writer.write_bytes(bytes, rows, |tx, rows| Box::pin(run(tx, rows))).await
}

/// Deletes by number, so that the writer is not held for longer than the entries of this piece take. Entries of a time when
/// the clock was not set get the time of now.
pub async fn prune_audit(writer: &Writer, age: Duration, keep: u64, limit: u32) -> Result<u64, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        &(age, keep, limit): &(i64, i64, i64),
    ) -> Result<u64, Failure> {
        query(concat!(
            "UPDATE audit_log SET at = ",
            now!(),
            " WHERE ",
            now!(),
            " > $1 AND id IN (SELECT id FROM audit_log WHERE at < $1 LIMIT $2)"
        ))
        .bind(NO_CLOCK)
        .bind(limit)
        .execute(&mut *tx)
        .await?;
        let old = query(concat!(
            "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at >= $3 AND at < ",
            now!(),
            " - $1 ORDER BY at LIMIT $2)"
        ))
        .bind(age)
        .bind(limit)
        .bind(NO_CLOCK)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let mut pruned = old;
        for outcome in AuditOutcome::ALL {
            pruned += query(
                "DELETE FROM audit_log WHERE id IN (
                    SELECT id FROM audit_log WHERE outcome = $1
                        AND number <= (SELECT max(number) FROM audit_log WHERE outcome = $1) - $2
                    ORDER BY number LIMIT $3)",
            )
            .bind(outcome.as_str())
            .bind(keep)
            .bind(limit - pruned.cast_signed())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        }
        Ok(pruned)
    }
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    let arguments = (millis(age), keep, i64::from(limit));
    writer.write(arguments, |tx, arguments| Box::pin(run(tx, arguments))).await
}

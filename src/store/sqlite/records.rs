//! Records of sync invocations, log lines, and the deletion of both.

use std::{sync::Arc, time::Duration};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, query, query_scalar};

use super::{now, pieces, writer::Writer};
use crate::{
    model::LogLine,
    store::{
        SyncRecord,
        failure::Failure,
        rows::{Id, attempt_lines, clean, json, millis, reason_columns, stored_result},
    },
};

pub async fn write_sync(writer: &Writer, records: &[Arc<SyncRecord>]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, records: &[Arc<SyncRecord>]) -> Result<(), Failure> {
        for piece in pieces(records) {
            let (mut attempts, mut phases) = (Vec::new(), Vec::new());
            for row in piece {
                attempts.push(attempt_lines(&row.record.attempts)?);
                phases.push(json(&row.record.phases)?);
            }
            let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO invocations (id, function_id, function_name, mode, state, dead_letter, reason, cause, start,
                prewarmed, accepted_at, finished_at, duration_ms, attempts, phases, parent, result_type,
                result_size, result) ",
        );
            let rows = piece.iter().zip(attempts.into_iter().zip(phases));
            insert.push_values(rows, |mut values, (row, (attempts, phases))| {
                let record = &row.record;
                let (result_type, result_size) = stored_result(row).unzip();
                let (reason, cause) = reason_columns(record.reason.as_ref());
                values
                    .push_bind(Id(record.id.0))
                    .push_bind(Id(row.function.0))
                    .push_bind(record.function.as_str())
                    .push_bind("sync")
                    .push_bind(record.state.as_str())
                    .push_bind(record.dead_letter)
                    .push_bind(reason)
                    .push_bind(cause)
                    .push_bind(record.start.map(|start| start.as_str()))
                    .push_bind(record.prewarmed)
                    .push_bind(record.accepted_at.as_millisecond())
                    .push_bind(record.finished_at.map(|time| time.as_millisecond()))
                    .push_bind(record.duration_ms)
                    .push_bind(attempts)
                    .push_bind(phases)
                    .push_bind(record.parent.map(|id| Id(id.0)))
                    .push_bind(result_type)
                    .push_bind(result_size)
                    .push_bind(row.result.as_ref().map(|body| &body.bytes[..]));
            });
            insert.push(" ON CONFLICT DO NOTHING");
            insert.build().execute(&mut *tx).await?;
        }
        Ok(())
    }
    let bytes =
        records.iter().filter_map(|record| record.result.as_ref()).map(|body| body.bytes.len()).sum();
    writer.write_bytes(bytes, records.to_vec(), |tx, records| Box::pin(run(tx, records))).await
}

/// Appends lines. This is the most frequent batch, and its values are small: as one JSON array it is one statement, and
/// so one message to the connection's thread instead of one per line.
pub async fn append_logs(writer: &Writer, lines: &[LogLine]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &str) -> Result<(), Failure> {
        query(
        "INSERT INTO logs (ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind)
         SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, unhex(value ->> 5),
                value ->> 6, value ->> 7, value ->> 8
         FROM json_each($1) ORDER BY key",
    )
    .bind(rows)
    .execute(&mut *tx)
    .await?;
        Ok(())
    }
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.ts.as_millisecond(),
                line.function.as_str(),
                line.revision,
                line.invocation_id.map(|id| id.0.simple().to_string()),
                line.attempt,
                line.instance.0.simple().to_string(),
                line.stream.as_str(),
                clean(&line.line),
                line.kind.map(|kind| kind.as_str()),
            )
        })
        .collect();
    let rows = json(&rows)?;
    let bytes = rows.len();
    writer.write_bytes(bytes, rows, |tx, rows| Box::pin(run(tx, rows))).await
}

/// Changes nothing, and tells whether a write is possible.
pub async fn try_write(writer: &Writer) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection) -> Result<(), Failure> {
        query("UPDATE totals SET value = value WHERE name = 'accepted'").execute(&mut *tx).await?;
        Ok(())
    }
    writer.write((), |tx, ()| Box::pin(run(tx))).await
}

pub async fn prune(writer: &Writer, age: Duration, limit: u32) -> Result<u64, Failure> {
    async fn run(tx: &mut SqliteConnection, (age, limit): &(Duration, u32)) -> Result<u64, Failure> {
        let pruned: Vec<bool> = query_scalar(concat!(
            "DELETE FROM invocations WHERE id IN (
            SELECT id FROM invocations WHERE finished_at < ",
            now!(),
            " - $1 ORDER BY finished_at LIMIT $2) RETURNING mode = 'async'"
        ))
        .bind(millis(*age))
        .bind(i64::from(*limit))
        .fetch_all(&mut *tx)
        .await?;
        let lines = query(concat!(
            "DELETE FROM logs WHERE sequence IN (SELECT sequence FROM logs WHERE ts < ",
            now!(),
            " - $1 ORDER BY ts LIMIT $2)"
        ))
        .bind(millis(*age))
        .bind(i64::from(*limit))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        // Leases of managers that ended without releasing theirs; all readers treat them as ended already.
        query(concat!("DELETE FROM leases WHERE expires_at < ", now!(), " - $1"))
            .bind(millis(*age))
            .execute(&mut *tx)
            .await?;
        query("DELETE FROM instances WHERE owner NOT IN (SELECT owner FROM leases)")
            .execute(&mut *tx)
            .await?;
        let counted = pruned.iter().filter(|&&is_async| is_async).count();
        query("UPDATE totals SET value = value + $1 WHERE name = 'pruned'")
            .bind(crate::store::rows::count(counted))
            .execute(&mut *tx)
            .await?;
        Ok(pruned.len() as u64 + lines)
    }
    writer.write((age, limit), |tx, arguments| Box::pin(run(tx, arguments))).await
}

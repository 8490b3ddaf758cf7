//! Records of sync invocations, log lines, and the deletion of both.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use sqlx::{SqliteConnection, query, query_as};

use super::{Inserts, now, pieces, writer::Writer};
use crate::{
    batch::fitting,
    model::LogLine,
    store::{
        SyncRecord,
        failure::Failure,
        history::NO_CLOCK,
        rows::{
            Id, attempt_lines, clean, hex_ids, http_column, json, millis, phases_column, reason_columns,
            stored_result,
        },
    },
};

/// The statements that insert records, see [`Inserts`].
static INSERTS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new(
        "INSERT INTO invocations (mode, id, function_id, function_name, state, dead_letter, reason, cause, start,
            prewarmed, accepted_at, finished_at, duration_ms, attempts, phases, parent, result_type, result_size,
            result, http) VALUES ",
        "('sync', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON CONFLICT DO NOTHING",
    )
});

/// The most bytes of payloads and results that are deleted at once (one record may have more): each of their pages is
/// read on its way to the free ones.
const PRUNE_BYTES: usize = 16 * 1024 * 1024;

pub async fn write_sync(writer: &Writer, records: &[Arc<SyncRecord>]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, records: &[Arc<SyncRecord>]) -> Result<(), Failure> {
        for piece in pieces(records) {
            let mut insert = query(INSERTS.of(piece.len()));
            for row in piece {
                let record = &row.record;
                let (result_type, result_size) = stored_result(row).unzip();
                let (reason, cause) = reason_columns(record.reason.as_ref());
                insert = insert
                    .bind(Id(record.id.0))
                    .bind(Id(row.function.0))
                    .bind(record.function.as_str())
                    .bind(record.state.as_str())
                    .bind(record.dead_letter)
                    .bind(reason)
                    .bind(cause)
                    .bind(record.start.map(|start| start.as_str()))
                    .bind(record.prewarmed)
                    .bind(record.accepted_at.as_millisecond())
                    .bind(record.finished_at.map(|time| time.as_millisecond()))
                    .bind(record.duration_ms)
                    .bind(attempt_lines(&record.attempts)?)
                    .bind(phases_column(&record.phases)?)
                    .bind(record.parent.map(|id| Id(id.0)))
                    .bind(result_type)
                    .bind(result_size)
                    .bind(row.result.as_ref().map(|body| &body.bytes[..]))
                    .bind(http_column(record.http.as_ref())?);
            }
            insert.execute(&mut *tx).await?;
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

/// Deletes by number, so that the writer is not held for longer than the rows of this piece take.
pub async fn prune(writer: &Writer, age: Duration, limit: u32) -> Result<u64, Failure> {
    async fn run(tx: &mut SqliteConnection, (age, limit): &(Duration, u32)) -> Result<u64, Failure> {
        for stamp in [
            concat!(
                "UPDATE invocations SET finished_at = ",
                now!(),
                " WHERE ",
                now!(),
                " > $1 AND id IN (SELECT id FROM invocations WHERE finished_at < $1 LIMIT $2)"
            ),
            concat!(
                "UPDATE logs SET ts = ",
                now!(),
                " WHERE ",
                now!(),
                " > $1 AND sequence IN (SELECT sequence FROM logs WHERE ts < $1 LIMIT $2)"
            ),
        ] {
            query(stamp).bind(NO_CLOCK).bind(i64::from(*limit)).execute(&mut *tx).await?;
        }
        let old: Vec<(Id, bool, i64)> = query_as(concat!(
            "SELECT id, mode = 'async', coalesce(length(payload), 0) + coalesce(length(result), 0)
             FROM invocations WHERE finished_at >= $3 AND finished_at < ",
            now!(),
            " - $1 ORDER BY finished_at LIMIT $2"
        ))
        .bind(millis(*age))
        .bind(i64::from(*limit))
        .bind(NO_CLOCK)
        .fetch_all(&mut *tx)
        .await?;
        let bytes = old.iter().map(|(_, _, bytes)| usize::try_from(*bytes).unwrap_or(0));
        let old = &old[..fitting(bytes, old.len(), PRUNE_BYTES)];
        let records =
            query("DELETE FROM invocations WHERE id IN (SELECT unhex(value) FROM json_each($1))")
                .bind(hex_ids(old.iter().map(|(id, ..)| id.0))?)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        let lines = query(concat!(
            "DELETE FROM logs WHERE sequence IN (SELECT sequence FROM logs WHERE ts >= $3 AND ts < ",
            now!(),
            " - $1 ORDER BY ts LIMIT $2)"
        ))
        .bind(millis(*age))
        .bind(i64::from(*limit))
        .bind(NO_CLOCK)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let counted = old.iter().filter(|(_, is_async, _)| *is_async).count();
        if counted > 0 {
            query("UPDATE totals SET value = value + $1 WHERE name = 'pruned'")
                .bind(crate::store::rows::count(counted))
                .execute(&mut *tx)
                .await?;
        }
        Ok(records + lines)
    }
    writer.write((age, limit), |tx, arguments| Box::pin(run(tx, arguments))).await
}

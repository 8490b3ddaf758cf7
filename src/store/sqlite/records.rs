//! Records of sync invocations, log lines, and the end of both.

use std::time::Duration;

use sqlx::{SqlitePool, query, query_scalar};

use super::{functions::begin, now};
use crate::{
    model::LogLine,
    store::{
        SyncRecord,
        failure::Failure,
        rows::{Id, attempt_lines, clean, json, millis, stored_result},
    },
};

pub async fn write_sync(pool: &SqlitePool, records: &[SyncRecord]) -> Result<(), Failure> {
    let mut tx = begin(pool).await?;
    for row in records {
        let record = &row.record;
        let (result_type, result_size) = stored_result(row).unzip();
        query(
            "INSERT INTO invocations (id, function_id, function_name, mode, state, dead_letter, reason, start,
                prewarmed, accepted_at, finished_at, duration_ms, attempts, phases, parent, result_type,
                result_size, result)
             VALUES ($1, $2, $3, 'sync', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT DO NOTHING",
        )
        .bind(Id(record.id.0))
        .bind(Id(row.function.0))
        .bind(record.function.as_str())
        .bind(record.state.as_str())
        .bind(record.dead_letter)
        .bind(record.reason.as_deref().map(|reason| clean(reason).into_owned()))
        .bind(record.start.map(|start| start.as_str()))
        .bind(record.prewarmed)
        .bind(record.accepted_at.as_millisecond())
        .bind(record.finished_at.map(|time| time.as_millisecond()))
        .bind(record.duration_ms)
        .bind(attempt_lines(&record.attempts)?)
        .bind(json(&record.phases)?)
        .bind(record.parent.map(|id| Id(id.0)))
        .bind(result_type)
        .bind(result_size)
        .bind(row.result.as_ref().map(|body| &body.bytes[..]))
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await.map_err(Failure::Committing)
}

pub async fn append_logs(pool: &SqlitePool, lines: &[LogLine]) -> Result<(), Failure> {
    let mut tx = begin(pool).await?;
    for line in lines {
        query(
            "INSERT INTO logs (ts, function_name, revision, invocation_id, attempt, instance, stream, line)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(line.ts.as_millisecond())
        .bind(line.function.as_str())
        .bind(i64::from(line.revision.0))
        .bind(line.invocation_id.map(|id| Id(id.0)))
        .bind(line.attempt.map(i64::from))
        .bind(Id(line.instance.0))
        .bind(line.stream.as_str())
        .bind(&*clean(&line.line))
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await.map_err(Failure::Committing)
}

pub async fn prune(pool: &SqlitePool, age: Duration, limit: u32) -> Result<u64, Failure> {
    let mut tx = begin(pool).await?;
    let pruned: Vec<bool> = query_scalar(concat!(
        "DELETE FROM invocations WHERE id IN (
            SELECT id FROM invocations WHERE finished_at < ",
        now!(),
        " - $1 ORDER BY finished_at LIMIT $2) RETURNING mode = 'async'"
    ))
    .bind(millis(age))
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await?;
    let lines = query(concat!(
        "DELETE FROM logs WHERE sequence IN (SELECT sequence FROM logs WHERE ts < ",
        now!(),
        " - $1 ORDER BY ts LIMIT $2)"
    ))
    .bind(millis(age))
    .bind(i64::from(limit))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    // Of managers that ended without releasing theirs; to everybody they are as good as gone already.
    query(concat!("DELETE FROM leases WHERE expires_at < ", now!(), " - $1"))
        .bind(millis(age))
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
    tx.commit().await.map_err(Failure::Committing)?;
    Ok(pruned.len() as u64 + lines)
}

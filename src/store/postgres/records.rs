//! Records of sync invocations, log lines, and the deletion of both.

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, query, query_scalar};

use super::columns;
use crate::{
    model::LogLine,
    store::{
        SyncRecord,
        failure::Failure,
        history::NO_CLOCK,
        rows::{
            Id, attempt_lines, clean, http_column, millis, phases_column, reason_columns, stored_result,
        },
    },
};

pub async fn write_sync(pool: &PgPool, rows: &[Arc<SyncRecord>]) -> Result<(), Failure> {
    let attempts = rows.iter().map(|row| attempt_lines(&row.record.attempts));
    let attempts = attempts.collect::<sqlx::Result<Vec<_>>>()?;
    let phases =
        rows.iter().map(|row| phases_column(&row.record.phases)).collect::<sqlx::Result<Vec<_>>>()?;
    let (types, sizes): (Vec<_>, Vec<_>) = rows.iter().map(|row| stored_result(row).unzip()).unzip();
    let reasons = rows.iter().map(|row| reason_columns(row.record.reason.as_ref()));
    let (reasons, causes): (Vec<_>, Vec<_>) = reasons.unzip();
    let requests = rows.iter().map(|row| http_column(row.record.http.as_ref()));
    let requests = requests.collect::<sqlx::Result<Vec<_>>>()?;
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO invocations (id, function_id, function_name, mode, state, dead_letter, reason, cause,
            start, prewarmed, accepted_at, finished_at, duration_ms, attempts, phases, parent, result_type,
            result_size, result, http)
         SELECT t.id, t.function_id, t.name, 'sync', t.state, t.dead_letter, t.reason, t.cause, t.start,
            t.prewarmed, t.accepted_at, t.finished_at, t.duration_ms, t.attempts, t.phases, t.parent,
            t.result_type, t.result_size, t.result, t.http
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bool[], $6::text[], $7::text[],
                     $8::bool[], $9::bigint[], $10::bigint[], $11::float8[], $12::text[], $13::text[],
                     $14::uuid[], $15::text[], $16::bigint[], $17::bytea[], $18::text[], $19::text[])
            AS t (id, function_id, name, state, dead_letter, reason, start, prewarmed, accepted_at,
                  finished_at, duration_ms, attempts, phases, parent, result_type, result_size, result, cause,
                  http)
         ON CONFLICT DO NOTHING",
    )
    .bind(columns(rows, |row| Id(row.record.id.0)))
    .bind(columns(rows, |row| Id(row.function.0)))
    .bind(columns(rows, |row| row.record.function.as_str()))
    .bind(columns(rows, |row| row.record.state.as_str()))
    .bind(columns(rows, |row| row.record.dead_letter))
    .bind(reasons)
    .bind(columns(rows, |row| row.record.start.map(|start| start.as_str())))
    .bind(columns(rows, |row| row.record.prewarmed))
    .bind(columns(rows, |row| row.record.accepted_at.as_millisecond()))
    .bind(columns(rows, |row| row.record.finished_at.map(|time| time.as_millisecond())))
    .bind(columns(rows, |row| row.record.duration_ms))
    .bind(attempts)
    .bind(phases)
    .bind(columns(rows, |row| row.record.parent.map(|id| Id(id.0))))
    .bind(types)
    .bind(sizes)
    .bind(columns(rows, |row| row.result.as_ref().map(|body| &body.bytes[..])))
    .bind(causes)
    .bind(requests)
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn append_logs(pool: &PgPool, lines: &[LogLine]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO logs (ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind)
         SELECT t.ts, t.name, t.revision, t.invocation, t.attempt, t.instance, t.stream, t.line, t.kind
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[],
                     $8::text[], $9::text[]) WITH ORDINALITY
            AS t (ts, name, revision, invocation, attempt, instance, stream, line, kind, number)
         ORDER BY t.number",
    )
    .bind(columns(lines, |line| line.ts.as_millisecond()))
    .bind(columns(lines, |line| line.function.as_str()))
    .bind(columns(lines, |line| i64::from(line.revision.0)))
    .bind(columns(lines, |line| line.invocation_id.map(|id| Id(id.0))))
    .bind(columns(lines, |line| line.attempt.map(i64::from)))
    .bind(columns(lines, |line| Id(line.instance.0)))
    .bind(columns(lines, |line| line.stream.as_str()))
    .bind(columns(lines, |line| clean(&line.line)))
    .bind(columns(lines, |line| line.kind.map(|kind| kind.as_str())))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

/// Changes nothing, and tells whether a write is possible.
pub async fn try_write(pool: &PgPool) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query("UPDATE totals SET value = value WHERE name = 'accepted'")
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(())
}

pub async fn prune(pool: &PgPool, age: Duration, limit: u32) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    for stamp in [
        "UPDATE invocations SET finished_at = now_ms() WHERE now_ms() > $1
            AND id = ANY (ARRAY (
                SELECT id FROM invocations WHERE finished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        "UPDATE logs SET ts = now_ms() WHERE now_ms() > $1
            AND sequence = ANY (ARRAY (
                SELECT sequence FROM logs WHERE ts < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    ] {
        let stamping = query(stamp).bind(NO_CLOCK).bind(i64::from(limit));
        stamping.execute(&mut *connection).await.map_err(Failure::committing)?;
    }
    let gone: i64 = query_scalar(
        "WITH old AS (
            SELECT id FROM invocations WHERE finished_at >= $3 AND finished_at < now_ms() - $1
            ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), pruned AS (
            DELETE FROM invocations WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING mode
         ), old_lines AS (
            SELECT sequence FROM logs WHERE ts >= $3 AND ts < now_ms() - $1 ORDER BY ts LIMIT $2 FOR UPDATE SKIP LOCKED
         ), lines AS (
            DELETE FROM logs WHERE sequence = ANY (ARRAY (SELECT sequence FROM old_lines)) RETURNING 1
         ), counted AS (
            UPDATE totals SET value = value + (SELECT count(*) FROM pruned WHERE mode = 'async')
            WHERE name = 'pruned'
         )
         SELECT (SELECT count(*) FROM pruned) + (SELECT count(*) FROM lines)",
    )
    .bind(millis(age))
    .bind(i64::from(limit))
    .bind(NO_CLOCK)
    .fetch_one(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(gone.unsigned_abs())
}

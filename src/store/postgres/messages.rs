//! Which invocations need a message, and which have one. As in `invocations.rs`, `|| ''` and `+ 0` keep the planner from
//! an index that would be the wrong one once many rows wait.

use std::{collections::HashMap, time::Duration};

use sqlx::{PgPool, query, query_as, query_scalar};

use super::columns;
use crate::{
    model::{FunctionId, InvocationId},
    store::{
        Due, LONGEST_PAUSE, REPUBLISH_AFTER, RERUN_AFTER,
        failure::Failure,
        rows::{DueRow, Id, counts, due_oldest_first, millis},
        settlement,
    },
};

pub async fn mark_published(pool: &PgPool, ids: &[InvocationId]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE invocations SET publications = greatest(publications, 1),
            message_at = now_ms() + $2
         WHERE id = ANY ($1)
           AND (state || '' = 'queued' OR state || '' = 'retrying' AND publications > 0)",
    )
    .bind(columns(ids, |id| Id(id.0)))
    .bind(millis(REPUBLISH_AFTER))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn forget_published(pool: &PgPool) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE invocations SET publications = 0, message_at = coalesce(due_at, now_ms())
         WHERE state IN ('queued', 'retrying', 'running') AND message_at > now_ms() AND publications > 0",
    )
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn pull_in(pool: &PgPool) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    let pulled = query(
        "UPDATE invocations SET publications = 0, message_at = now_ms(), due_at = CASE WHEN due_at IS NOT NULL THEN least(due_at, now_ms()) END
         WHERE state IN ('queued', 'retrying', 'running') AND message_at > now_ms() + $1
           AND (publications = 0 OR message_at > now_ms() + $1 + $2)",
    )
    .bind(millis(LONGEST_PAUSE))
    .bind(millis(REPUBLISH_AFTER))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(pulled.rows_affected())
}

/// Rows that were noted as published, at least `$3` ago, or more than `$3` in the future because the clock was set back.
/// `$2` is [`REPUBLISH_AFTER`], and `$4` [`LONGEST_PAUSE`]: nothing else is put off for so long.
macro_rules! lost {
    () => {
        "publications > 0 AND message_at + 0 > now_ms() + $4
         AND message_at - $2 NOT BETWEEN now_ms() - $3 + 1 AND now_ms() + $3"
    };
}

pub async fn forget_lost(
    pool: &PgPool,
    functions: &[FunctionId],
    age: Duration,
) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    // Only the index over functions has the order that is asked for; the one over all that is due would do otherwise.
    let forgotten = query(concat!(
        "UPDATE invocations SET publications = 0, message_at = coalesce(due_at, now_ms())
         WHERE id = ANY (ARRAY (
               SELECT id FROM invocations
               WHERE function_id = ANY ($1) AND state IN ('queued', 'retrying') AND ",
        lost!(),
        " ORDER BY function_id))
           AND state || '' IN ('queued', 'retrying') AND ",
        lost!(),
    ))
    .bind(columns(functions, |id| Id(id.0)))
    .bind(millis(REPUBLISH_AFTER))
    .bind(millis(age))
    .bind(millis(LONGEST_PAUSE))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(forgotten.rows_affected())
}

/// Returns the numbers of rows by function that were noted as published: nothing else is put off for so long. As in
/// [`forget_lost`] the order decides about the index.
pub async fn published(
    pool: &PgPool,
    functions: &[FunctionId],
) -> sqlx::Result<HashMap<FunctionId, u64>> {
    let counted: Vec<(Id, i64)> = query_as(
        "SELECT function_id, count(*) FROM (
            SELECT function_id FROM invocations
            WHERE function_id = ANY ($1) AND state IN ('queued', 'retrying') AND message_at + 0 > now_ms() + $2
            ORDER BY function_id
         ) AS published GROUP BY function_id",
    )
    .bind(columns(functions, |id| Id(id.0)))
    .bind(millis(LONGEST_PAUSE))
    .fetch_all(pool)
    .await?;
    Ok(counts(counted))
}

/// A step per function, however many rows wait.
pub async fn waiting_functions(pool: &PgPool) -> sqlx::Result<Vec<FunctionId>> {
    let ids: Vec<Id> = query_scalar(
        "WITH RECURSIVE waiting (id) AS (
            (SELECT function_id FROM invocations
             WHERE state IN ('queued', 'retrying') ORDER BY function_id LIMIT 1)
            UNION ALL
            SELECT (SELECT function_id FROM invocations
                    WHERE state IN ('queued', 'retrying') AND function_id > waiting.id
                    ORDER BY function_id LIMIT 1)
            FROM waiting WHERE waiting.id IS NOT NULL
         )
         SELECT id FROM waiting WHERE id IS NOT NULL",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(|id| FunctionId(id.0)).collect())
}

pub async fn take_due(
    pool: &PgPool,
    limit: u32,
    except: &[FunctionId],
    put_off: Duration,
) -> Result<Vec<Due>, Failure> {
    let mut connection = pool.acquire().await?;
    // An invocation of a deleted function has nothing to run: this finds those that were running at the deletion, and
    // came back. Only a queue in memory makes exceptions, and has no other store than SQLite: they cost a walk here.
    let gone = settlement::function_deleted();
    let rows: Vec<DueRow> = query_as(
        "WITH due AS (
            SELECT i.id, i.function_id, i.function_name, i.accepted_at, i.message_at AS since
            FROM invocations AS i
            WHERE i.state IN ('queued', 'retrying', 'running') AND i.message_at <= now_ms()
              AND i.function_id <> ALL ($3)
              AND (i.state <> 'running' OR NOT EXISTS (
                   SELECT 1 FROM leases AS l WHERE l.owner = i.owner))
            ORDER BY i.message_at, i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED
         ), found AS (
            SELECT due.*, f.active_revision FROM due JOIN functions AS f ON f.id = due.function_id
         ), orphans AS (
            UPDATE invocations SET state = $4, reason = $5, cause = $6, dead_letter = $7, owner = NULL,
                finished_at = now_ms(), duration_ms = greatest(0, now_ms() - accepted_at), due_at = NULL,
                message_at = NULL
            WHERE id = ANY (ARRAY (SELECT id FROM due EXCEPT SELECT id FROM found))
         ), taken AS (
            UPDATE invocations SET publications = publications + 1,
                message_at = now_ms() + CASE WHEN state = 'running' THEN $8 ELSE $2 END
            WHERE id = ANY (ARRAY (SELECT id FROM found))
         )
         SELECT id, function_id, function_name, active_revision, accepted_at, since FROM found",
    )
    .bind(i64::from(limit))
    .bind(millis(put_off))
    .bind(columns(except, |id| Id(id.0)))
    .bind(gone.state)
    .bind(gone.reason)
    .bind(gone.cause)
    .bind(gone.dead_letter)
    .bind(millis(RERUN_AFTER))
    .fetch_all(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(due_oldest_first(rows)?)
}

pub async fn untake(pool: &PgPool, rows: &[Due]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    // A row that was claimed meanwhile has received a message by another way.
    query(
        "UPDATE invocations AS i SET publications = i.publications - 1, message_at = due.at
         FROM unnest($1::uuid[], $2::bigint[]) AS due (id, at)
         WHERE i.id = ANY ($1) AND i.id = due.id AND i.publications > 0 AND i.state || '' IN ('queued', 'retrying', 'running')",
    )
    .bind(columns(rows, |row| Id(row.id.0)))
    .bind(columns(rows, |row| row.due_at.as_millisecond()))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

//! Which invocations need a message, and which have one.

use std::{collections::HashMap, time::Duration};

use sqlx::{SqliteConnection, SqlitePool, query, query_as, query_scalar};

use super::{now, writer::Writer};
use crate::{
    model::{FunctionId, InvocationId},
    store::{
        Due, LONGEST_PAUSE, REPUBLISH_AFTER, RERUN_AFTER,
        failure::Failure,
        rows::{DueRow, Id, counts, due_oldest_first, hex_ids, json, millis},
        settlement,
    },
};

/// The condition of a row `i` that needs a message at the time $1. Where it is used, the index is named: otherwise
/// SQLite would walk through all queued rows.
macro_rules! due {
    () => {
        "i.state IN ('queued', 'retrying', 'running') AND i.message_at <= $1
         AND (i.state <> 'running' OR NOT EXISTS (
            SELECT 1 FROM leases AS l WHERE l.owner = i.owner))"
    };
}

/// The functions of which rows are queued or retrying, a step for each, and an empty row.
macro_rules! waiting {
    () => {
        "WITH RECURSIVE waiting (id) AS (
            SELECT min(function_id) FROM invocations INDEXED BY invocations_waiting
            WHERE state IN ('queued', 'retrying')
            UNION ALL
            SELECT (SELECT min(function_id) FROM invocations INDEXED BY invocations_waiting
                    WHERE state IN ('queued', 'retrying') AND function_id > waiting.id)
            FROM waiting WHERE waiting.id IS NOT NULL
         ) "
    };
}

/// The columns of a [`DueRow`].
macro_rules! due_columns {
    () => {
        "SELECT i.id, i.function_id, i.function_name, f.active_revision, i.accepted_at, i.message_at AS since"
    };
}

pub async fn mark_published(writer: &Writer, ids: &[InvocationId]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, ids: &str) -> Result<(), Failure> {
        query(concat!(
            "UPDATE invocations SET publications = max(publications, 1), message_at = ",
            now!(),
            " + $2
         WHERE id IN (SELECT unhex(value) FROM json_each($1))
           AND (state = 'queued' OR state = 'retrying' AND publications > 0)"
        ))
        .bind(ids)
        .bind(millis(REPUBLISH_AFTER))
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write(hex_ids(ids.iter().map(|id| id.0))?, |tx, ids| Box::pin(run(tx, ids))).await
}

pub async fn forget_published(writer: &Writer) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection) -> Result<(), Failure> {
        query(concat!(
            "UPDATE invocations INDEXED BY invocations_due SET publications = 0, message_at = coalesce(due_at, ",
            now!(),
            ") WHERE state IN ('queued', 'retrying', 'running') AND message_at > ",
            now!(),
            " AND publications > 0"
        ))
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write((), |tx, ()| Box::pin(run(tx))).await
}

pub async fn pull_in(writer: &Writer) -> Result<u64, Failure> {
    async fn run(tx: &mut SqliteConnection) -> Result<u64, Failure> {
        let pulled = query(concat!(
            "UPDATE invocations INDEXED BY invocations_due SET publications = 0, message_at = ",
            now!(),
            ", due_at = min(due_at, ",
            now!(),
            ") WHERE state IN ('queued', 'retrying', 'running') AND message_at > $1 + ",
            now!(),
            " AND (publications = 0 OR message_at > $1 + $2 + ",
            now!(),
            ")"
        ))
        .bind(millis(LONGEST_PAUSE))
        .bind(millis(REPUBLISH_AFTER))
        .execute(&mut *tx)
        .await?;
        Ok(pulled.rows_affected())
    }
    writer.write((), |tx, ()| Box::pin(run(tx))).await
}

pub async fn forget_lost(
    writer: &Writer,
    functions: &[FunctionId],
    age: Duration,
) -> Result<u64, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (functions, age): &(String, Duration),
    ) -> Result<u64, Failure> {
        let forgotten = query(concat!(
            "UPDATE invocations INDEXED BY invocations_waiting SET publications = 0, message_at = coalesce(due_at, ",
            now!(),
            ") WHERE function_id IN (SELECT unhex(value) FROM json_each($1)) AND state IN ('queued', 'retrying')
              AND publications > 0 AND message_at > $4 + ",
            now!(),
            " AND message_at - $2 NOT BETWEEN ",
            now!(),
            " - $3 + 1 AND ",
            now!(),
            " + $3"
        ))
        .bind(functions)
        .bind(millis(REPUBLISH_AFTER))
        .bind(millis(*age))
        .bind(millis(LONGEST_PAUSE))
        .execute(&mut *tx)
        .await?;
        Ok(forgotten.rows_affected())
    }
    let functions = hex_ids(functions.iter().map(|id| id.0))?;
    writer.write((functions, age), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn take_due(
    writer: &Writer,
    limit: u32,
    except: &[FunctionId],
    put_off: Duration,
) -> Result<Vec<Due>, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (limit, except, put_off): &(u32, Option<String>, Duration),
    ) -> Result<Vec<Due>, Failure> {
        let now: i64 = query_scalar(concat!("SELECT ", now!())).fetch_one(&mut *tx).await?;
        let found = match except {
            Some(except) => due_except(tx, now, *limit, except).await?,
            None => due(tx, now, *limit).await?,
        };
        let (rows, orphans): (Vec<_>, Vec<_>) = found.into_iter().partition(DueRow::has_function);
        if !orphans.is_empty() {
            end_orphans(tx, now, &orphans).await?;
        }
        query(
            "UPDATE invocations SET publications = publications + 1,
                message_at = $2 + CASE WHEN state = 'running' THEN $4 ELSE $3 END
         WHERE id IN (SELECT unhex(value) FROM json_each($1))",
        )
        .bind(hex_ids(rows.iter().map(|row| row.id.0))?)
        .bind(now)
        .bind(millis(*put_off))
        .bind(millis(RERUN_AFTER))
        .execute(&mut *tx)
        .await?;
        Ok(due_oldest_first(rows)?)
    }
    let except = match except {
        [] => None,
        except => Some(hex_ids(except.iter().map(|id| id.0))?),
    };
    writer.write((limit, except, put_off), |tx, arguments| Box::pin(run(tx, arguments))).await
}

async fn due(tx: &mut SqliteConnection, now: i64, limit: u32) -> sqlx::Result<Vec<DueRow>> {
    query_as(concat!(
        due_columns!(),
        " FROM invocations AS i INDEXED BY invocations_due LEFT JOIN functions AS f ON f.id = i.function_id
         WHERE ",
        due!(),
        " ORDER BY i.message_at, i.id LIMIT $2"
    ))
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
}

/// Finds the same without the rows of some functions, of which there may be a million: a step per function that waits,
/// and not per row.
async fn due_except(
    tx: &mut SqliteConnection,
    now: i64,
    limit: u32,
    except: &str,
) -> sqlx::Result<Vec<DueRow>> {
    query_as(concat!(
        waiting!(),
        due_columns!(),
        " FROM waiting CROSS JOIN invocations AS i LEFT JOIN functions AS f ON f.id = i.function_id
         WHERE waiting.id NOT IN (SELECT unhex(value) FROM json_each($3)) AND i.rowid IN (
            SELECT rowid FROM invocations INDEXED BY invocations_waiting
            WHERE function_id = waiting.id AND state IN ('queued', 'retrying') AND message_at <= $1
            ORDER BY message_at LIMIT $2)
         UNION ALL ",
        due_columns!(),
        " FROM invocations AS i INDEXED BY invocations_by_state LEFT JOIN functions AS f ON f.id = i.function_id
         WHERE i.state = 'running' AND ",
        due!(),
        " AND i.function_id NOT IN (SELECT unhex(value) FROM json_each($3))
         ORDER BY since, 1 LIMIT $2"
    ))
    .bind(now)
    .bind(i64::from(limit))
    .bind(except)
    .fetch_all(tx)
    .await
}

/// Returns the numbers of rows by function that were noted as published: nothing else is put off for so long.
pub async fn published(
    pool: &SqlitePool,
    functions: &[FunctionId],
) -> sqlx::Result<HashMap<FunctionId, u64>> {
    let counted: Vec<(Id, i64)> = query_as(concat!(
        "SELECT function_id, count(*) FROM invocations INDEXED BY invocations_waiting
         WHERE function_id IN (SELECT unhex(value) FROM json_each($1)) AND state IN ('queued', 'retrying')
           AND message_at > $2 + ",
        now!(),
        " GROUP BY function_id"
    ))
    .bind(hex_ids(functions.iter().map(|id| id.0))?)
    .bind(millis(LONGEST_PAUSE))
    .fetch_all(pool)
    .await?;
    Ok(counts(counted))
}

pub async fn waiting_functions(pool: &SqlitePool) -> sqlx::Result<Vec<FunctionId>> {
    let ids: Vec<Id> = query_scalar(concat!(waiting!(), "SELECT id FROM waiting WHERE id IS NOT NULL"))
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(|id| FunctionId(id.0)).collect())
}

/// Ends rows whose function was deleted: they were running at the deletion, and came back.
async fn end_orphans(tx: &mut SqliteConnection, now: i64, rows: &[DueRow]) -> Result<(), Failure> {
    let gone = settlement::function_deleted();
    query(
        "UPDATE invocations SET state = $2, reason = $3, cause = $4, dead_letter = $5, owner = NULL,
            finished_at = $1, duration_ms = max(0, $1 - accepted_at), due_at = NULL, message_at = NULL
         WHERE id IN (SELECT unhex(value) FROM json_each($6))",
    )
    .bind(now)
    .bind(gone.state)
    .bind(gone.reason)
    .bind(gone.cause)
    .bind(gone.dead_letter)
    .bind(hex_ids(rows.iter().map(|row| row.id.0))?)
    .execute(tx)
    .await?;
    Ok(())
}

pub async fn untake(writer: &Writer, rows: &[Due]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &str) -> Result<(), Failure> {
        // A row that was claimed meanwhile has received a message by another way. The `+` keeps SQLite from searching
        // by state, which would walk through the list for every queued row.
        query(
            "UPDATE invocations SET publications = publications - 1, message_at = due.at
         FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS at FROM json_each($1)) AS due
         WHERE invocations.id = due.id AND publications > 0
           AND +state IN ('queued', 'retrying', 'running')",
        )
        .bind(rows)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    let rows: Vec<_> =
        rows.iter().map(|row| (row.id.0.simple().to_string(), row.due_at.as_millisecond())).collect();
    writer.write(json(&rows)?, |tx, rows| Box::pin(run(tx, rows))).await
}

//! Async invocations: the writes. Each is one statement, hence one round trip and one transaction;
//! batches are arrays that `unnest` makes rows of.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};

use super::columns;
use crate::{
    model::{FunctionId, InvocationId, OwnerId},
    store::{
        Claim, Due, Finish, MAX_CLAIMS, NewInvocation, REPUBLISH_AFTER,
        failure::Failure,
        lost_claims::{LostClaims, SentClaim},
        rows::{
            ClaimRow, DueRow, Id, attempt_line, clean, count, due_oldest_first, json, millis,
            platform_error,
        },
    },
};

/// How often a statement whose answer was lost is sent again before its fate is called unknown: once
/// per connection that a restarted server may have left dead in the pool, and once more.
const ATTEMPTS: u32 = super::CONNECTIONS + 1;

/// Accepting again what was accepted changes nothing, so a lost answer is asked for again.
pub async fn accept(pool: &PgPool, rows: &[NewInvocation]) -> Result<Vec<bool>, Failure> {
    let mut lost = None;
    for _ in 0..ATTEMPTS {
        let mut connection = match pool.acquire().await {
            Ok(connection) => connection,
            Err(error) => return Err(lost.unwrap_or(error.into())),
        };
        match accept_once(&mut connection, rows).await.map_err(Failure::committing) {
            Err(failure) if failure.leaves_open() => lost = Some(failure),
            other => return other,
        }
    }
    Err(lost.unwrap_or(sqlx::Error::PoolTimedOut.into()))
}

async fn accept_once(connection: &mut PgConnection, rows: &[NewInvocation]) -> sqlx::Result<Vec<bool>> {
    // The functions are locked against deletion, or seen to be gone. The counter comes last: its row
    // is what everybody else waits for.
    let accepted: Vec<i64> = query_scalar(
        "WITH input AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[], $6::text[],
                                 $7::text[], $8::bytea[], $9::bigint[], $10::bigint[]) WITH ORDINALITY
                AS t (id, function_id, name, accepted_at, parent, headers, payload_type, payload, publications,
                      message_in, number)
         ), there AS (
            SELECT id FROM functions WHERE id IN (SELECT function_id FROM input) ORDER BY id FOR KEY SHARE
         ), inserted AS (
            INSERT INTO invocations (id, function_id, function_name, mode, state, publications, message_at,
                                     accepted_at, parent, headers, payload_type, payload)
            SELECT i.id, i.function_id, i.name, 'async', 'queued', i.publications, now_ms() + i.message_in,
                   i.accepted_at, i.parent, i.headers, i.payload_type, i.payload
            FROM input AS i JOIN there ON there.id = i.function_id
            ON CONFLICT DO NOTHING RETURNING id
         ), counted AS (
            UPDATE totals SET value = value + (SELECT count(*) FROM inserted) WHERE name = 'accepted'
         )
         SELECT i.number FROM input AS i JOIN there ON there.id = i.function_id",
    )
    .bind(columns(rows, |row| Id(row.id.0)))
    .bind(columns(rows, |row| Id(row.function.0)))
    .bind(columns(rows, |row| row.name.as_str()))
    .bind(columns(rows, |row| row.accepted_at.as_millisecond()))
    .bind(columns(rows, |row| row.parent.map(|id| Id(id.0))))
    .bind(columns(rows, |row| clean(&row.headers)))
    .bind(columns(rows, |row| clean(&row.payload.content_type)))
    .bind(columns(rows, |row| &row.payload.bytes[..]))
    .bind(columns(rows, |row| row.announcement.columns().0))
    .bind(columns(rows, |row| row.announcement.columns().1))
    .fetch_all(connection)
    .await?;
    Ok(flags(rows.len(), &accepted))
}

/// One answer per row from the numbers (from 1) of those that it is yes for.
fn flags(rows: usize, numbers: &[i64]) -> Vec<bool> {
    let mut flags = vec![false; rows];
    for flag in numbers.iter().filter_map(|&number| usize::try_from(number - 1).ok()) {
        flags[flag] = true;
    }
    flags
}

pub async fn mark_published(pool: &PgPool, ids: &[InvocationId]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE invocations SET publications = greatest(publications, 1),
            message_at = now_ms() + ($2 << greatest(publications - 1, 0)::int)
         WHERE id = ANY ($1) AND state = 'queued'",
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
         WHERE state IN ('queued', 'retrying', 'running') AND publications > 0",
    )
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

/// A claim that waits for another one's row lock sees, when it has it, that row anew, hence that it is
/// taken; but leases as they were before. Should the winner have taken its very first lease in
/// between, both get the row: with different attempts, of which only the second can finish it.
pub async fn claim(
    pool: &PgPool,
    lost: &LostClaims,
    id: InvocationId,
    owner: OwnerId,
) -> Result<Option<Claim>, Failure> {
    let mut connection = pool.acquire().await?;
    let sent = lost.send(id, owner);
    let row: Option<ClaimRow> = query_as(
        "UPDATE invocations AS i SET
            attempts = i.attempts || CASE WHEN i.attempt_revision IS NULL THEN ''
                ELSE '{\"number\":' || i.attempt || ',\"revision\":' || i.attempt_revision || '}' || chr(10) END,
            state = CASE WHEN i.attempt < $4 THEN 'running' ELSE 'failed' END,
            reason = CASE WHEN i.attempt < $4 THEN NULL ELSE 'platform' END,
            dead_letter = i.attempt >= $4,
            attempt_revision = CASE WHEN i.attempt < $4 THEN f.active_revision END,
            owner = CASE WHEN i.attempt < $4 THEN $2 END,
            finished_at = CASE WHEN i.attempt < $4 THEN NULL ELSE now_ms() END,
            duration_ms = CASE WHEN i.attempt < $4 THEN NULL ELSE greatest(0, now_ms() - i.accepted_at) END,
            message_at = CASE WHEN i.attempt < $4 THEN now_ms() END,
            attempt = least(i.attempt + 1, $4), claim = $3, due_at = NULL, publications = 0
         FROM functions AS f
         WHERE i.id = $1 AND f.id = i.function_id
           AND (i.state = 'queued' OR (i.state = 'retrying' AND i.due_at <= now_ms())
                OR (i.state = 'running' AND NOT EXISTS (
                    SELECT 1 FROM leases AS l WHERE l.owner = i.owner AND l.expires_at > now_ms())))
         RETURNING i.state, i.attempt, i.attempt_revision, i.payload_type, i.payload, i.headers, i.accepted_at",
    )
    .bind(Id(id.0))
    .bind(Id(owner.0))
    .bind(Id(sent.claim.token))
    .bind(i64::from(MAX_CLAIMS))
    .fetch_optional(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    sent.answered();
    Ok(row.map(ClaimRow::into_model).transpose()?.flatten())
}

/// Makes claims that reached nobody due at once.
pub async fn give_back_lost(pool: &PgPool, claims: &[SentClaim]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE invocations AS i SET state = 'retrying', owner = NULL, publications = 0, due_at = now_ms(),
            message_at = now_ms()
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (id, token, owner)
         WHERE i.id = t.id AND i.claim = t.token AND i.owner = t.owner AND i.state = 'running'",
    )
    .bind(columns(claims, |claim| Id(claim.id.0)))
    .bind(columns(claims, |claim| Id(claim.token)))
    .bind(columns(claims, |claim| Id(claim.owner.0)))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn finish(pool: &PgPool, rows: &[Finish]) -> Result<Vec<bool>, Failure> {
    // Of two ends for one attempt in a batch the first counts; SQL would take either.
    let mut seen = std::collections::HashSet::new();
    let firsts: Vec<(usize, &Finish)> =
        rows.iter().enumerate().filter(|(_, row)| seen.insert((row.id, row.attempt))).collect();
    let entries = firsts.iter().map(|(_, row)| attempt_line(&row.attempt_record));
    let entries = entries.collect::<sqlx::Result<Vec<_>>>()?;
    let phases = firsts.iter().map(|(_, row)| json(&row.phases)).collect::<sqlx::Result<Vec<_>>>()?;
    let mut connection = pool.acquire().await?;
    let finished: Vec<i64> = query_scalar(
        "UPDATE invocations AS i SET state = t.state, start = t.start, prewarmed = t.prewarmed,
            attempts = i.attempts || t.entry, attempt_revision = NULL, phases = t.phases,
            result_type = t.result_type, result_size = t.result_size, result = t.result,
            finished_at = t.finished_at, duration_ms = greatest(0, t.finished_at - i.accepted_at),
            owner = NULL, message_at = NULL
         FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bool[], $7::text[],
                     $8::text[], $9::text[], $10::bigint[], $11::bytea[], $12::bigint[])
            AS t (number, id, attempt, state, start, prewarmed, entry, phases, result_type, result_size,
                  result, finished_at)
         WHERE i.id = t.id AND i.state = 'running' AND i.attempt = t.attempt
         RETURNING t.number",
    )
    .bind(columns(&firsts, |(number, _)| count(*number) + 1))
    .bind(columns(&firsts, |(_, row)| Id(row.id.0)))
    .bind(columns(&firsts, |(_, row)| i64::from(row.attempt)))
    .bind(columns(&firsts, |(_, row)| row.state.as_str()))
    .bind(columns(&firsts, |(_, row)| row.start.map(|start| start.as_str())))
    .bind(columns(&firsts, |(_, row)| row.prewarmed))
    .bind(entries)
    .bind(phases)
    .bind(columns(&firsts, |(_, row)| row.result.as_ref().map(|body| clean(&body.content_type))))
    .bind(columns(&firsts, |(_, row)| row.result.as_ref().map(|body| count(body.bytes.len()))))
    .bind(columns(&firsts, |(_, row)| row.result.as_ref().map(|body| &body.bytes[..])))
    .bind(columns(&firsts, |(_, row)| row.finished_at.as_millisecond()))
    .fetch_all(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(flags(rows.len(), &finished))
}

pub async fn give_back(
    pool: &PgPool,
    id: InvocationId,
    attempt: u32,
    delay: Duration,
    reason: &str,
) -> Result<bool, Failure> {
    let error = json(&platform_error(reason))?;
    let mut connection = pool.acquire().await?;
    let given = query(
        "UPDATE invocations SET state = 'retrying', owner = NULL, attempt_revision = NULL,
            attempts = attempts || '{\"number\":' || attempt || ',\"revision\":'
                || coalesce(attempt_revision::text, 'null') || ',\"error\":' || $3 || '}' || chr(10),
            publications = 0, due_at = now_ms() + $4, message_at = now_ms() + $4
         WHERE id = $1 AND state = 'running' AND attempt = $2",
    )
    .bind(Id(id.0))
    .bind(i64::from(attempt))
    .bind(error)
    .bind(millis(delay))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(given.rows_affected() == 1)
}

pub async fn take_due(pool: &PgPool, limit: u32, except: &[FunctionId]) -> Result<Vec<Due>, Failure> {
    let mut connection = pool.acquire().await?;
    // Of a deleted function there is nothing to run: what was running when it went and came back.
    let rows: Vec<DueRow> = query_as(
        "WITH due AS (
            SELECT i.id, i.message_at AS since FROM invocations AS i
            WHERE i.state IN ('queued', 'retrying', 'running') AND i.message_at <= now_ms()
              AND i.function_id <> ALL ($3)
              AND (i.state <> 'running' OR NOT EXISTS (
                   SELECT 1 FROM leases AS l WHERE l.owner = i.owner AND l.expires_at > now_ms()))
            ORDER BY i.message_at, i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED
         ), orphans AS (
            UPDATE invocations AS i SET state = 'cancelled', reason = 'function_deleted', owner = NULL,
                finished_at = now_ms(), duration_ms = greatest(0, now_ms() - i.accepted_at), due_at = NULL,
                message_at = NULL
            FROM due WHERE i.id = due.id AND NOT EXISTS (SELECT 1 FROM functions WHERE id = i.function_id)
         )
         UPDATE invocations AS i SET publications = i.publications + 1,
            message_at = now_ms() + ($2 << least(i.publications, 10)::int)
         FROM due, functions AS f WHERE i.id = due.id AND f.id = i.function_id
         RETURNING i.id, i.function_id, i.function_name, f.active_revision, i.accepted_at, due.since",
    )
    .bind(i64::from(limit))
    .bind(millis(REPUBLISH_AFTER))
    .bind(columns(except, |id| Id(id.0)))
    .fetch_all(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(due_oldest_first(rows)?)
}

pub async fn untake(pool: &PgPool, rows: &[Due]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    // What was claimed meanwhile has got a message from somewhere.
    query(
        "UPDATE invocations AS i SET publications = i.publications - 1, message_at = due.at
         FROM unnest($1::uuid[], $2::bigint[]) AS due (id, at)
         WHERE i.id = due.id AND i.publications > 0 AND i.state IN ('queued', 'retrying', 'running')",
    )
    .bind(columns(rows, |row| Id(row.id.0)))
    .bind(columns(rows, |row| row.due_at.as_millisecond()))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

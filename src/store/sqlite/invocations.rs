//! Async invocations: the writes.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, query, query_as, query_scalar};

use super::{now, pieces, writer::Writer};
use crate::{
    model::{FunctionId, InvocationId, OwnerId},
    store::{
        Claim, Due, Finish, MAX_CLAIMS, NewInvocation, REPUBLISH_AFTER,
        failure::Failure,
        lost_claims::{LostClaims, SentClaim},
        rows::{
            ClaimRow, DueRow, Id, attempt_line, clean, count, due_oldest_first, hex_ids, json, millis,
            platform_error,
        },
    },
};

/// The condition of a row `i` that needs a message at the time $1. The index is named where it is used:
/// left alone, SQLite would walk through all that is queued.
macro_rules! due {
    () => {
        "i.state IN ('queued', 'retrying', 'running') AND i.message_at <= $1
         AND (i.state <> 'running' OR NOT EXISTS (
            SELECT 1 FROM leases AS l WHERE l.owner = i.owner AND l.expires_at > $1))"
    };
}

pub async fn accept(writer: &Writer, rows: &[NewInvocation]) -> Result<Vec<bool>, Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &[NewInvocation]) -> Result<Vec<bool>, Failure> {
        let mut there: HashMap<FunctionId, bool> = HashMap::new();
        for row in rows {
            if let Entry::Vacant(unknown) = there.entry(row.function) {
                unknown.insert(
                    query_scalar("SELECT EXISTS (SELECT 1 FROM functions WHERE id = $1)")
                        .bind(Id(row.function.0))
                        .fetch_one(&mut *tx)
                        .await?,
                );
            }
        }
        let there: Vec<bool> = rows.iter().map(|row| there[&row.function]).collect();
        let new: Vec<_> =
            rows.iter().zip(&there).filter(|(_, there)| **there).map(|(row, _)| row).collect();
        let mut inserted = 0;
        for piece in pieces(&new) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO invocations (id, function_id, function_name, mode, state, publications, message_at,
                                          accepted_at, parent, headers, payload_type, payload) ",
            );
            insert.push_values(piece, |mut values, row| {
                let (publications, message_in) = row.announcement.columns();
                values
                    .push_bind(Id(row.id.0))
                    .push_bind(Id(row.function.0))
                    .push_bind(row.name.as_str())
                    .push("'async', 'queued'")
                    .push_bind(publications)
                    .push(concat!(now!(), " + "))
                    .push_bind_unseparated(message_in)
                    .push_bind(row.accepted_at.as_millisecond())
                    .push_bind(row.parent.map(|id| Id(id.0)))
                    .push_bind(clean(&row.headers).into_owned())
                    .push_bind(clean(&row.payload.content_type).into_owned())
                    .push_bind(&row.payload.bytes[..]);
            });
            // An id that is there was accepted by a call whose answer was lost.
            insert.push(" ON CONFLICT DO NOTHING");
            inserted += insert.build().execute(&mut *tx).await?.rows_affected().cast_signed();
        }
        query("UPDATE totals SET value = value + $1 WHERE name = 'accepted'")
            .bind(inserted)
            .execute(&mut *tx)
            .await?;
        Ok(there)
    }
    let bytes = rows.iter().map(|row| row.payload.bytes.len()).sum();
    writer.write_bytes(bytes, rows.to_vec(), |tx, rows| Box::pin(run(tx, rows))).await
}

pub async fn mark_published(writer: &Writer, ids: &[InvocationId]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, ids: &str) -> Result<(), Failure> {
        query(concat!(
            "UPDATE invocations SET publications = max(publications, 1), message_at = ",
            now!(),
            " + ($2 << max(publications - 1, 0))
         WHERE id IN (SELECT unhex(value) FROM json_each($1)) AND state = 'queued'"
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
            "UPDATE invocations SET publications = 0, message_at = coalesce(due_at, ",
            now!(),
            ") WHERE state IN ('queued', 'retrying', 'running') AND publications > 0"
        ))
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write((), |tx, ()| Box::pin(run(tx))).await
}

pub async fn claim(
    writer: &Writer,
    lost: &LostClaims,
    id: InvocationId,
    owner: OwnerId,
) -> Result<Option<Claim>, Failure> {
    async fn run(tx: &mut SqliteConnection, sent: &SentClaim) -> Result<Option<Claim>, Failure> {
        let row: Option<ClaimRow> = query_as(concat!(
        "UPDATE invocations AS i SET
            attempts = attempts || CASE WHEN attempt_revision IS NULL THEN ''
                ELSE '{\"number\":' || attempt || ',\"revision\":' || attempt_revision || '}' || char(10) END,
            state = iif(attempt < $4, 'running', 'failed'),
            reason = iif(attempt < $4, NULL, 'platform'),
            dead_letter = attempt >= $4,
            attempt_revision = iif(attempt < $4, f.active_revision, NULL),
            owner = iif(attempt < $4, $2, NULL),
            finished_at = iif(attempt < $4, NULL, ",
        now!(),
        "), duration_ms = iif(attempt < $4, NULL, max(0, ",
        now!(),
        " - accepted_at)), message_at = iif(attempt < $4, ",
        now!(),
        ", NULL), attempt = min(attempt + 1, $4), claim = $3, due_at = NULL, publications = 0
         FROM functions AS f
         WHERE i.id = $1 AND f.id = i.function_id
           AND (i.state = 'queued' OR (i.state = 'retrying' AND i.due_at <= ",
        now!(),
        ") OR (i.state = 'running' AND NOT EXISTS (
                SELECT 1 FROM leases AS l WHERE l.owner = i.owner AND l.expires_at > ",
        now!(),
        ")))
         RETURNING state, attempt, attempt_revision, payload_type, payload, headers, accepted_at"
    ))
    .bind(Id(sent.id.0))
    .bind(Id(sent.owner.0))
    .bind(Id(sent.token))
    .bind(i64::from(MAX_CLAIMS))
    .fetch_optional(&mut *tx)
    .await?;
        Ok(row.map(ClaimRow::into_model).transpose()?.flatten())
    }
    let sent = lost.send(id, owner);
    let claim = writer.write(sent.claim, |tx, sent| Box::pin(run(tx, sent))).await?;
    sent.answered();
    Ok(claim)
}

/// Makes claims that reached nobody due at once.
pub async fn give_back_lost(writer: &Writer, claims: &[SentClaim]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, claims: &[SentClaim]) -> Result<(), Failure> {
        for claim in claims {
            query(concat!(
                "UPDATE invocations SET state = 'retrying', owner = NULL, publications = 0, due_at = ",
                now!(),
                ", message_at = ",
                now!(),
                " WHERE id = $1 AND claim = $2 AND owner = $3 AND state = 'running'"
            ))
            .bind(Id(claim.id.0))
            .bind(Id(claim.token))
            .bind(Id(claim.owner.0))
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
    writer.write(claims.to_vec(), |tx, claims| Box::pin(run(tx, claims))).await
}

pub async fn finish(writer: &Writer, rows: &[Finish]) -> Result<Vec<bool>, Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &[Finish]) -> Result<Vec<bool>, Failure> {
        let mut finished = Vec::with_capacity(rows.len());
        for row in rows {
            let done = query(
            "UPDATE invocations SET state = $3, start = $4, prewarmed = $5, attempts = attempts || $6,
                attempt_revision = NULL, phases = $7, result_type = $8, result_size = $9, result = $10,
                finished_at = $11, duration_ms = max(0, $11 - accepted_at), owner = NULL, message_at = NULL
             WHERE id = $1 AND state = 'running' AND attempt = $2",
        )
        .bind(Id(row.id.0))
        .bind(i64::from(row.attempt))
        .bind(row.state.as_str())
        .bind(row.start.map(|start| start.as_str()))
        .bind(row.prewarmed)
        .bind(attempt_line(&row.attempt_record)?)
        .bind(json(&row.phases)?)
        .bind(row.result.as_ref().map(|body| clean(&body.content_type).into_owned()))
        .bind(row.result.as_ref().map(|body| count(body.bytes.len())))
        .bind(row.result.as_ref().map(|body| &body.bytes[..]))
        .bind(row.finished_at.as_millisecond())
        .execute(&mut *tx)
        .await?
        .rows_affected();
            finished.push(done == 1);
        }
        Ok(finished)
    }
    let bytes = rows.iter().filter_map(|row| row.result.as_ref()).map(|body| body.bytes.len()).sum();
    writer.write_bytes(bytes, rows.to_vec(), |tx, rows| Box::pin(run(tx, rows))).await
}

pub async fn give_back(
    writer: &Writer,
    id: InvocationId,
    attempt: u32,
    delay: Duration,
    reason: &str,
) -> Result<bool, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (id, attempt, delay, error): &(InvocationId, u32, Duration, String),
    ) -> Result<bool, Failure> {
        let given = query(concat!(
            "UPDATE invocations SET state = 'retrying', owner = NULL, attempt_revision = NULL,
            attempts = attempts || '{\"number\":' || attempt || ',\"revision\":'
                || coalesce(attempt_revision, 'null') || ',\"error\":' || $3 || '}' || char(10),
            publications = 0, due_at = ",
            now!(),
            " + $4, message_at = ",
            now!(),
            " + $4 WHERE id = $1 AND state = 'running' AND attempt = $2"
        ))
        .bind(Id(id.0))
        .bind(i64::from(*attempt))
        .bind(error.as_str())
        .bind(millis(*delay))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Ok(given == 1)
    }
    writer
        .write((id, attempt, delay, json(&platform_error(reason))?), |tx, arguments| {
            Box::pin(run(tx, arguments))
        })
        .await
}

pub async fn take_due(writer: &Writer, limit: u32, except: &[FunctionId]) -> Result<Vec<Due>, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (limit, except): &(u32, String),
    ) -> Result<Vec<Due>, Failure> {
        let now: i64 = query_scalar(concat!("SELECT ", now!())).fetch_one(&mut *tx).await?;
        // Of a deleted function there is nothing to run: what was running when it went and came back.
        query(concat!(
        "UPDATE invocations AS i INDEXED BY invocations_due SET state = 'cancelled', reason = 'function_deleted', owner = NULL,
            finished_at = $1, duration_ms = max(0, $1 - accepted_at), due_at = NULL, message_at = NULL
         WHERE ",
        due!(),
        " AND NOT EXISTS (SELECT 1 FROM functions AS f WHERE f.id = i.function_id)"
    ))
    .bind(now)
    .execute(&mut *tx)
    .await?;
        let rows: Vec<DueRow> = query_as(concat!(
            "SELECT i.id, i.function_id, i.function_name, f.active_revision, i.accepted_at,
                i.message_at AS since
         FROM invocations AS i INDEXED BY invocations_due JOIN functions AS f ON f.id = i.function_id
         WHERE ",
            due!(),
            " AND i.function_id NOT IN (SELECT unhex(value) FROM json_each($3))
         ORDER BY i.message_at, i.id LIMIT $2"
        ))
        .bind(now)
        .bind(i64::from(*limit))
        .bind(except.as_str())
        .fetch_all(&mut *tx)
        .await?;
        query(
            "UPDATE invocations SET publications = publications + 1,
                                message_at = $2 + ($3 << min(publications, 10))
         WHERE id IN (SELECT unhex(value) FROM json_each($1))",
        )
        .bind(hex_ids(rows.iter().map(|row| row.id.0))?)
        .bind(now)
        .bind(millis(REPUBLISH_AFTER))
        .execute(&mut *tx)
        .await?;
        Ok(due_oldest_first(rows)?)
    }
    let except = hex_ids(except.iter().map(|id| id.0))?;
    writer.write((limit, except), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn untake(writer: &Writer, rows: &[Due]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &str) -> Result<(), Failure> {
        // What was claimed meanwhile has got a message from somewhere. The `+` keeps SQLite from searching
        // by state, which would walk through the list for every row that is queued.
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

//! Async invocations: the writes.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::LazyLock,
};

use sqlx::{SqliteConnection, query, query_as, query_scalar};

use super::{Inserts, now, pieces, writer::Writer};
use crate::{
    model::{FunctionId, OwnerId},
    store::{
        Claiming, NewInvocation, Settlement, Wanted,
        failure::Failure,
        lost_claims::{LostClaims, SentClaim},
        rows::{ClaimRow, Id, announcement_columns, claiming, clean, http_column},
        settlement, statements,
    },
};

/// The statements that insert accepted invocations, see [`Inserts`]. An id that exists was accepted by a call whose
/// answer was lost.
static INSERTS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new(
        "INSERT INTO invocations (id, function_id, function_name, mode, state, publications, message_at,
            accepted_at, parent, headers, payload_type, payload, http) VALUES ",
        concat!("(?, ?, ?, 'async', 'queued', ?, ", now!(), " + ?, ?, ?, ?, ?, ?, ?)"),
        " ON CONFLICT DO NOTHING",
    )
});

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
            let mut insert = query(INSERTS.of(piece.len()));
            for row in piece {
                let (publications, message_in) = announcement_columns(row.announcement);
                insert = insert
                    .bind(Id(row.id.0))
                    .bind(Id(row.function.0))
                    .bind(row.name.as_str())
                    .bind(publications)
                    .bind(message_in)
                    .bind(row.accepted_at.as_millisecond())
                    .bind(row.parent.map(|id| Id(id.0)))
                    .bind(clean(&row.headers).into_owned())
                    .bind(clean(&row.payload.content_type).into_owned())
                    .bind(&row.payload.bytes[..])
                    .bind(http_column(row.http.as_ref())?);
            }
            inserted += insert.execute(&mut *tx).await?.rows_affected().cast_signed();
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

pub async fn claim(
    writer: &Writer,
    lost: &LostClaims,
    wanted: &[Wanted],
    owner: OwnerId,
) -> Result<Vec<Claiming>, Failure> {
    async fn run(tx: &mut SqliteConnection, sent: &[SentClaim]) -> Result<Vec<Claiming>, Failure> {
        let mut answers = Vec::with_capacity(sent.len());
        for claim in sent {
            answers.push(claim_one(tx, claim).await?);
        }
        Ok(answers)
    }
    let sent = lost.send(wanted, owner);
    let answers = writer.write(sent.claims.clone(), |tx, sent| Box::pin(run(tx, sent))).await?;
    sent.answered();
    Ok(answers)
}

async fn claim_one(tx: &mut SqliteConnection, sent: &SentClaim) -> sqlx::Result<Claiming> {
    let (most, exhausted) = settlement::claim_bounds();
    let claimed: Option<ClaimRow> = query_as(statements::claim!(
        [now!()],
        wanted = "",
        token = "$9",
        id = "$7",
        revision = "$8",
        lease = "EXISTS (SELECT 1 FROM leases AS mine WHERE mine.owner = $1)",
        returning = ""
    ))
    .bind(Id(sent.owner.0))
    .bind(most)
    .bind(exhausted.state)
    .bind(exhausted.reason)
    .bind(exhausted.cause)
    .bind(exhausted.dead_letter)
    .bind(Id(sent.id.0))
    .bind(i64::from(sent.revision.0))
    .bind(Id(sent.token))
    .fetch_optional(&mut *tx)
    .await?;
    if claimed.is_some() {
        return claiming(sent, claimed, true, None);
    }
    let (has_lease, active): (bool, Option<i64>) = query_as(
        "SELECT EXISTS (SELECT 1 FROM leases WHERE owner = $1),
            (SELECT f.active_revision FROM invocations AS i JOIN functions AS f ON f.id = i.function_id
             WHERE i.id = $2)",
    )
    .bind(Id(sent.owner.0))
    .bind(Id(sent.id.0))
    .fetch_one(&mut *tx)
    .await?;
    claiming(sent, None, has_lease, active)
}

/// Makes claims that did not reach their owner due at once.
pub async fn give_back_lost(writer: &Writer, claims: &[SentClaim]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, claims: &[SentClaim]) -> Result<(), Failure> {
        for claim in claims {
            query(concat!(
                "UPDATE invocations SET state = 'retrying', owner = NULL, attempt_revision = NULL, publications = 0, due_at = ",
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

pub async fn settle(writer: &Writer, rows: &[Settlement]) -> Result<Vec<bool>, Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &[Settlement]) -> Result<Vec<bool>, Failure> {
        let mut settled = Vec::with_capacity(rows.len());
        for row in rows {
            settled.push(settle_one(tx, row).await?);
        }
        Ok(settled)
    }
    let bytes = rows.iter().filter_map(|row| row.result.as_ref()).map(|body| body.bytes.len()).sum();
    writer.write_bytes(bytes, rows.to_vec(), |tx, rows| Box::pin(run(tx, rows))).await
}

pub async fn note_late(writer: &Writer, rows: &[Settlement]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, rows: &[Settlement]) -> Result<(), Failure> {
        for row in rows {
            let Some((lost, entry)) = settlement::late_entry(row)? else { continue };
            let noting = query(settlement::NOTE_LATE).bind(Id(row.id.0)).bind(lost).bind(entry);
            noting.execute(&mut *tx).await?;
        }
        Ok(())
    }
    writer.write(rows.to_vec(), |tx, rows| Box::pin(run(tx, rows))).await
}

async fn settle_one(tx: &mut SqliteConnection, row: &Settlement) -> sqlx::Result<bool> {
    let Some(values) = settlement::columns(row)? else { return Ok(false) };
    let settled = query(concat!(
        "UPDATE invocations SET state = $3, reason = $4, cause = $5, dead_letter = $6, failures = $7,
            start = $8, prewarmed = $9, attempts = attempts || $10, attempt_revision = NULL, phases = $11,
            result_type = $12, result_size = $13, result = $14, finished_at = $15,
            duration_ms = max(0, $15 - accepted_at), losses = max(coalesce($17, 0), losses), owner = NULL, publications = 0, due_at = ",
        now!(),
        " + $16, message_at = ",
        now!(),
        " + $16 WHERE id = $1 AND state = 'running' AND attempt = $2 AND coalesce(claim = $18, true)"
    ))
    .bind(Id(row.id.0))
    .bind(i64::from(row.attempt))
    .bind(values.next.state)
    .bind(values.next.reason)
    .bind(values.next.cause)
    .bind(values.next.dead_letter)
    .bind(values.failures)
    .bind(values.start)
    .bind(values.prewarmed)
    .bind(values.entry)
    .bind(values.phases)
    .bind(values.result_type)
    .bind(values.result_size)
    .bind(values.result)
    .bind(values.finished_at)
    .bind(values.due_in)
    .bind(values.losses)
    .bind(row.token.map(Id))
    .execute(&mut *tx)
    .await?;
    Ok(settled.rows_affected() == 1)
}

//! Async invocations: the writes. Each is one statement, hence one round trip and one transaction; batches are arrays
//! that `unnest` turns into rows. Rows are found by their ids, `= ANY`, in the index over these: the planner, which plans
//! once, would otherwise walk through all of a table that is small in that moment. So does `state || ''` for states.

use sqlx::{FromRow, PgConnection, PgPool, Row as _, postgres::PgRow, query, query_as, query_scalar};

use super::columns;
use crate::{
    model::OwnerId,
    store::{
        Claiming, NewInvocation, Settlement, Wanted,
        failure::Failure,
        lost_claims::{LostClaims, SentClaim},
        rows::{ClaimRow, Id, announcement_columns, claiming, clean, count, http_column},
        settlement::{self, SettlementColumns},
        statements,
    },
};

/// The number of times that a statement whose answer was lost is sent again before its fate is called unknown: once per
/// connection that a restarted server may have left dead in the pool, and once more.
const ATTEMPTS: u32 = super::CONNECTIONS + 1;

/// Accepts rows. Accepting again what was accepted changes nothing, so a lost answer is asked for again.
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
    let requests = rows.iter().map(|row| http_column(row.http.as_ref()));
    let requests = requests.collect::<sqlx::Result<Vec<_>>>()?;
    // The functions are locked against deletion, or seen to be deleted. The counter comes last: all other accepts wait
    // for its row.
    let accepted: Vec<i64> = query_scalar(
        "WITH input AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[], $6::text[],
                                 $7::text[], $8::bytea[], $9::bigint[], $10::bigint[], $11::text[])
                WITH ORDINALITY
                AS t (id, function_id, name, accepted_at, parent, headers, payload_type, payload, publications,
                      message_in, http, number)
         ), there AS (
            SELECT id FROM functions WHERE id = ANY ($2) ORDER BY id FOR KEY SHARE
         ), inserted AS (
            INSERT INTO invocations (id, function_id, function_name, mode, state, publications, message_at,
                                     accepted_at, parent, headers, payload_type, payload, http)
            SELECT i.id, i.function_id, i.name, 'async', 'queued', i.publications, now_ms() + i.message_in,
                   i.accepted_at, i.parent, i.headers, i.payload_type, i.payload, i.http
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
    .bind(columns(rows, |row| announcement_columns(row.announcement).0))
    .bind(columns(rows, |row| announcement_columns(row.announcement).1))
    .bind(requests)
    .fetch_all(connection)
    .await?;
    Ok(flags(rows.len(), &accepted))
}

/// Returns one flag per row, true for the numbers (from 1) given.
fn flags(rows: usize, numbers: &[i64]) -> Vec<bool> {
    let mut flags = vec![false; rows];
    for flag in numbers.iter().filter_map(|&number| usize::try_from(number - 1).ok()) {
        flags[flag] = true;
    }
    flags
}

/// Claims invocations. A claim that waits for another one's row lock sees that row anew once it has the lock, hence
/// sees that it is taken; but it sees leases as they were before. Should the winner have taken its very first lease in
/// between, both get the row: with different attempts, of which only the second can finish it. The owner's own lease
/// cannot be ended until this commits.
pub async fn claim(
    pool: &PgPool,
    lost: &LostClaims,
    wanted: &[Wanted],
    owner: OwnerId,
) -> Result<Vec<Claiming>, Failure> {
    let mut connection = pool.acquire().await?;
    let sent = lost.send(wanted, owner);
    let (most, exhausted) = settlement::claim_bounds();
    let answers: Vec<Answer> = query_as(concat!(
        "WITH wanted AS (
            SELECT * FROM unnest($7::uuid[], $8::bigint[], $9::uuid[]) WITH ORDINALITY
                AS t (id, revision, token, number)
         ), mine AS (
            SELECT 1 FROM leases WHERE owner = $1 FOR KEY SHARE
         ), claimed AS (",
        statements::claim!(
            ["now_ms()"],
            wanted = "wanted AS w, ",
            token = "w.token",
            id = "w.id",
            revision = "w.revision",
            lease = "EXISTS (SELECT 1 FROM mine) AND i.id = ANY ($7)",
            returning = "w.number, "
        ),
        ")
         SELECT c.*, EXISTS (SELECT 1 FROM mine) AS has_lease,
            CASE WHEN c.number IS NULL THEN (
               SELECT f.active_revision FROM invocations AS i JOIN functions AS f ON f.id = i.function_id
               WHERE i.id = w.id
            ) END AS active
         FROM wanted AS w LEFT JOIN claimed AS c ON c.number = w.number ORDER BY w.number"
    ))
    .bind(Id(owner.0))
    .bind(most)
    .bind(exhausted.state)
    .bind(exhausted.reason)
    .bind(exhausted.cause)
    .bind(exhausted.dead_letter)
    .bind(columns(wanted, |wanted| Id(wanted.id.0)))
    .bind(columns(wanted, |wanted| i64::from(wanted.revision.0)))
    .bind(columns(&sent.claims, |claim| Id(claim.token)))
    .fetch_all(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    let answers = sent
        .claims
        .iter()
        .zip(answers)
        .map(|(claim, answer)| claiming(claim, answer.claimed, answer.has_lease, answer.active));
    let answers = answers.collect::<sqlx::Result<_>>()?;
    sent.answered();
    Ok(answers)
}

/// The answer to one of several claims.
struct Answer {
    claimed: Option<ClaimRow>,
    has_lease: bool,
    /// The active revision of its function, where the claim was not granted.
    active: Option<i64>,
}

impl FromRow<'_, PgRow> for Answer {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let is_claimed = row.try_get::<Option<i64>, _>("number")?.is_some();
        Ok(Self {
            claimed: is_claimed.then(|| ClaimRow::from_row(row)).transpose()?,
            has_lease: row.try_get("has_lease")?,
            active: row.try_get("active")?,
        })
    }
}

/// Makes claims that did not reach their owner due at once.
pub async fn give_back_lost(pool: &PgPool, claims: &[SentClaim]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE invocations AS i SET state = 'retrying', owner = NULL, attempt_revision = NULL, publications = 0, due_at = now_ms(),
            message_at = now_ms()
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (id, token, owner)
         WHERE i.id = ANY ($1) AND i.id = t.id AND i.claim = t.token AND i.owner = t.owner AND i.state || '' = 'running'",
    )
    .bind(columns(claims, |claim| Id(claim.id.0)))
    .bind(columns(claims, |claim| Id(claim.token)))
    .bind(columns(claims, |claim| Id(claim.owner.0)))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn note_late(pool: &PgPool, rows: &[Settlement]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    for row in rows {
        let Some((lost, entry)) = settlement::late_entry(row)? else { continue };
        let noting = query(settlement::NOTE_LATE).bind(Id(row.id.0)).bind(lost).bind(entry);
        noting.execute(&mut *connection).await.map_err(Failure::committing)?;
    }
    Ok(())
}

pub async fn settle(pool: &PgPool, rows: &[Settlement]) -> Result<Vec<bool>, Failure> {
    // Of two settlements of one attempt in a batch the first counts; SQL would take either.
    let mut seen = std::collections::HashSet::new();
    let mut firsts: Vec<(usize, &Settlement, SettlementColumns<'_>)> = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        if let Some(values) = settlement::columns(row)?
            && seen.insert((row.id, row.attempt))
        {
            firsts.push((number, row, values));
        }
    }
    let mut connection = pool.acquire().await?;
    let settled: Vec<i64> = query_scalar(
        "UPDATE invocations AS i SET state = t.state, reason = t.reason, cause = t.cause,
            dead_letter = t.dead_letter, failures = t.failures, losses = greatest(t.losses, i.losses), start = t.start, prewarmed = t.prewarmed,
            attempts = i.attempts || t.entry, attempt_revision = NULL, phases = t.phases,
            result_type = t.result_type, result_size = t.result_size, result = t.result,
            finished_at = t.finished_at,
            duration_ms = CASE WHEN t.finished_at IS NOT NULL THEN greatest(0, t.finished_at - i.accepted_at) END,
            owner = NULL, publications = 0, due_at = now_ms() + t.due_in, message_at = now_ms() + t.due_in
         FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bool[],
                     $8::bigint[], $9::text[], $10::bool[], $11::text[], $12::text[], $13::text[],
                     $14::bigint[], $15::bytea[], $16::bigint[], $17::bigint[], $18::bigint[], $19::uuid[])
            AS t (number, id, attempt, state, reason, cause, dead_letter, failures, start, prewarmed, entry,
                  phases, result_type, result_size, result, finished_at, due_in, losses, token)
         WHERE i.id = ANY ($2) AND i.id = t.id AND i.state || '' = 'running' AND i.attempt = t.attempt
           AND coalesce(i.claim = t.token, true)
         RETURNING t.number",
    )
    .bind(columns(&firsts, |(number, ..)| count(*number) + 1))
    .bind(columns(&firsts, |(_, row, _)| Id(row.id.0)))
    .bind(columns(&firsts, |(_, row, _)| i64::from(row.attempt)))
    .bind(columns(&firsts, |(.., values)| values.next.state))
    .bind(columns(&firsts, |(.., values)| values.next.reason.as_deref()))
    .bind(columns(&firsts, |(.., values)| values.next.cause.as_deref()))
    .bind(columns(&firsts, |(.., values)| values.next.dead_letter))
    .bind(columns(&firsts, |(.., values)| values.failures))
    .bind(columns(&firsts, |(.., values)| values.start))
    .bind(columns(&firsts, |(.., values)| values.prewarmed))
    .bind(columns(&firsts, |(.., values)| values.entry.as_str()))
    .bind(columns(&firsts, |(.., values)| values.phases.as_str()))
    .bind(columns(&firsts, |(.., values)| values.result_type.as_deref()))
    .bind(columns(&firsts, |(.., values)| values.result_size))
    .bind(columns(&firsts, |(.., values)| values.result))
    .bind(columns(&firsts, |(.., values)| values.finished_at))
    .bind(columns(&firsts, |(.., values)| values.due_in))
    .bind(columns(&firsts, |(.., values)| values.losses))
    .bind(columns(&firsts, |(_, row, _)| row.token.map(Id)))
    .fetch_all(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(flags(rows.len(), &settled))
}

//! Rows of invocations.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use uuid::Uuid;

use super::{Id, clean, from_json, json, millis, number, parse, revision, time, unreadable, word};
use crate::{
    model::{
        AttemptRecord, Body, FunctionId, HttpRequest, InvocationId, Mode, Phase, PhaseName, Phases,
        Reason, Record, ResultInfo, Start, State,
    },
    store::{
        Announcement, Claim, Claiming, Due, REPUBLISH_AFTER, Running, StoredResult, SyncRecord, Totals,
        lost_claims::SentClaim, row::row,
    },
};

row! {
    /// The columns of a record, without the bytes of payload and result.
    pub(in crate::store) struct RecordRow {
        id: Id,
        function_name: String,
        mode: String,
        state: String,
        dead_letter: bool,
        reason: Option<String>,
        cause: Option<String>,
        attempt: i64,
        attempt_revision: Option<i64>,
        attempts: String,
        accepted_at: i64,
        finished_at: Option<i64>,
        duration_ms: Option<f64>,
        start: Option<String>,
        prewarmed: bool,
        phases: String,
        parent: Option<Id>,
        result_type: Option<String>,
        result_size: Option<i64>,
        http: Option<String>,
    }
}

impl RecordRow {
    pub fn into_model(self) -> sqlx::Result<Record> {
        let mut attempts =
            self.attempts.lines().map(from_json).collect::<sqlx::Result<Vec<AttemptRecord>>>()?;
        if let Some(open) = self.attempt_revision {
            attempts.push(AttemptRecord {
                number: number(self.attempt)?,
                revision: Some(revision(open)?),
                instance: None,
                outcome: None,
                error: None,
                lines: None,
                http_status: None,
            });
        }
        let result = match (self.result_type, self.result_size) {
            (Some(content_type), Some(size)) => {
                Some(ResultInfo { content_type, size: u64::try_from(size).map_err(unreadable)? })
            }
            _ => None,
        };
        Ok(Record {
            id: InvocationId(self.id.0),
            function: parse(&self.function_name)?,
            mode: word(&[Mode::Sync, Mode::Async], |mode| mode.as_str(), &self.mode)?,
            state: parse(&self.state)?,
            dead_letter: self.dead_letter,
            start: self.start.as_deref().map(start).transpose()?,
            prewarmed: self.prewarmed,
            accepted_at: time(self.accepted_at)?,
            finished_at: self.finished_at.map(time).transpose()?,
            duration_ms: self.duration_ms,
            attempts,
            phases: stored_phases(&self.phases)?,
            result,
            parent: self.parent.map(|id| InvocationId(id.0)),
            // A scheduler of an earlier version writes code and cause into one column.
            reason: self.reason.map(|code| match self.cause {
                Some(cause) => Reason::from_parts(&code, Some(&cause)),
                None => Reason::from(&*code),
            }),
            http: stored_request(self.http.as_deref())?,
        })
    }
}

row! {
    /// The answer to a claim; `running` when it was granted, else the claim ended the invocation.
    pub(in crate::store) struct ClaimRow {
        state: String,
        attempt: i64,
        failures: i64,
        losses: i64,
        attempt_revision: Option<i64>,
        payload_type: Option<String>,
        payload: Option<Vec<u8>>,
        headers: Option<String>,
        http: Option<String>,
        accepted_at: i64,
    }
}

impl ClaimRow {
    /// Returns the claim, with the token by which it was made; none: the row has ended instead.
    pub fn into_model(self, token: Uuid) -> sqlx::Result<Option<Claim>> {
        let (State::Running, Some(active)) = (parse(&self.state)?, self.attempt_revision) else {
            return Ok(None);
        };
        Ok(Some(Claim {
            attempt: number(self.attempt)?,
            token,
            failures: number(self.failures)?,
            losses: number(self.losses)?,
            revision: revision(active)?,
            payload: Body {
                content_type: self.payload_type.unwrap_or_default(),
                bytes: self.payload.unwrap_or_default().into(),
            },
            headers: self.headers.unwrap_or_default(),
            http: stored_request(self.http.as_deref())?,
            accepted_at: time(self.accepted_at)?,
        }))
    }
}

/// Returns the answer to a claim; `active` is the revision of its function, where that is there.
pub(in crate::store) fn claiming(
    sent: &SentClaim,
    claimed: Option<ClaimRow>,
    has_lease: bool,
    active: Option<i64>,
) -> sqlx::Result<Claiming> {
    let claim = claimed.map(|row| row.into_model(sent.token)).transpose()?;
    Ok(match (claim, active.map(revision).transpose()?) {
        (Some(Some(claim)), _) => Claiming::Granted(Box::new(claim)),
        (Some(None), _) => Claiming::Refused,
        (None, _) if !has_lease => Claiming::NoLease,
        (None, Some(active)) if active != sent.revision => Claiming::Moved(active),
        (None, _) => Claiming::Refused,
    })
}

row! {
    pub(in crate::store) struct RunningRow {
        id: Id,
        function_id: Id,
        attempt: i64,
        claim: Option<Id>,
        attempt_revision: Option<i64>,
        failures: i64,
        losses: i64,
        accepted_at: i64,
    }
}

impl RunningRow {
    pub fn into_model(self) -> sqlx::Result<Running> {
        Ok(Running {
            id: InvocationId(self.id.0),
            function: FunctionId(self.function_id.0),
            attempt: number(self.attempt)?,
            token: self.claim.map(|id| id.0),
            revision: revision(self.attempt_revision.unwrap_or_default())?,
            failures: number(self.failures)?,
            losses: number(self.losses)?,
            accepted_at: time(self.accepted_at)?,
        })
    }
}

row! {
    pub(in crate::store) struct DueRow {
        pub id: Id,
        function_id: Id,
        function_name: String,
        /// None: its function was deleted.
        active_revision: Option<i64>,
        accepted_at: i64,
        /// The time when it became due; the answer is ordered by it, then by id.
        since: i64,
    }
}

impl DueRow {
    pub fn has_function(&self) -> bool {
        self.active_revision.is_some()
    }

    pub fn into_model(self) -> sqlx::Result<Due> {
        Ok(Due {
            id: InvocationId(self.id.0),
            function: FunctionId(self.function_id.0),
            name: parse(&self.function_name)?,
            active_revision: revision(self.active_revision.ok_or(sqlx::Error::RowNotFound)?)?,
            accepted_at: time(self.accepted_at)?,
            due_at: time(self.since)?,
        })
    }
}

/// Returns counts of rows by function.
pub(in crate::store) fn counts(rows: Vec<(Id, i64)>) -> HashMap<FunctionId, u64> {
    rows.into_iter().map(|(id, count)| (FunctionId(id.0), count.unsigned_abs())).collect()
}

/// Sorts the rows of an UPDATE, which come in no particular order.
pub(in crate::store) fn due_oldest_first(mut rows: Vec<DueRow>) -> sqlx::Result<Vec<Due>> {
    rows.sort_unstable_by_key(|row| (row.since, row.id.0));
    rows.into_iter().map(DueRow::into_model).collect()
}

row! {
    pub(in crate::store) struct ResultRow {
        result_type: Option<String>,
        result: Option<Vec<u8>>,
        attempts: String,
    }
}

impl ResultRow {
    /// Returns the result and what the last attempt says of it; none where there is no result.
    pub fn into_model(self) -> sqlx::Result<Option<StoredResult>> {
        let (Some(content_type), Some(bytes)) = (self.result_type, self.result) else { return Ok(None) };
        let last = self.attempts.lines().next_back().map(from_json::<AttemptRecord>).transpose()?;
        let body = Body { content_type, bytes: bytes.into() };
        Ok(Some(StoredResult { body, http_status: last.and_then(|last| last.http_status) }))
    }
}

row! {
    pub(in crate::store) struct TotalsRow {
        accepted: i64,
        pruned: i64,
        queued: i64,
        retrying: i64,
        running: i64,
        rows: i64,
    }
}

impl TotalsRow {
    pub fn into_model(self) -> sqlx::Result<Totals> {
        let count = |value: i64| u64::try_from(value).map_err(unreadable);
        Ok(Totals {
            accepted: count(self.accepted)?,
            queued: count(self.queued)?,
            retrying: count(self.retrying)?,
            running: count(self.running)?,
            terminal: count(self.rows - self.queued - self.retrying - self.running)?,
            pruned: count(self.pruned)?,
        })
    }
}

/// A phase as it is stored: its name, and start and length in microseconds. Every invocation has some, and whole numbers
/// take a fraction of the time of floats to write.
#[derive(Serialize, Deserialize)]
struct StoredPhase(PhaseName, u64, u64);

/// Writes the `phases` column.
pub(in crate::store) fn phases_column(phases: &[Phase]) -> sqlx::Result<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of one invocation"
    )]
    let us = |ms: f64| (ms * 1000.0).round() as u64;
    let stored =
        phases.iter().map(|phase| StoredPhase(phase.name, us(phase.start_ms), us(phase.duration_ms)));
    json(&stored.collect::<SmallVec<[_; PhaseName::ALL.len()]>>())
}

/// Reads the `phases` column; versions up to 0.1 wrote objects.
fn stored_phases(text: &str) -> sqlx::Result<Phases> {
    if text.starts_with("[{") {
        return from_json(text);
    }
    #[expect(clippy::cast_precision_loss, reason = "microseconds of one invocation")]
    let ms = |us: u64| us as f64 / 1000.0;
    let phases: SmallVec<[StoredPhase; PhaseName::ALL.len()]> = from_json(text)?;
    let read =
        |StoredPhase(name, start, length)| Phase { name, start_ms: ms(start), duration_ms: ms(length) };
    Ok(phases.into_iter().map(read).collect())
}

/// Writes an entry of the `attempts` column.
pub(in crate::store) fn attempt_line(attempt: &AttemptRecord) -> sqlx::Result<String> {
    json(attempt).map(|line| line + "\n")
}

pub(in crate::store) fn attempt_lines(attempts: &[AttemptRecord]) -> sqlx::Result<String> {
    attempts.iter().map(attempt_line).collect()
}

/// Writes the `http` column.
pub(in crate::store) fn http_column(request: Option<&HttpRequest>) -> sqlx::Result<Option<String>> {
    request.map(json).transpose()
}

fn stored_request(text: Option<&str>) -> sqlx::Result<Option<HttpRequest>> {
    text.map(from_json).transpose()
}

/// Returns a reason as it is stored: its code, and its cause.
pub(in crate::store) fn reason_columns(reason: Option<&Reason>) -> (Option<String>, Option<String>) {
    let Some((code, cause)) = reason.map(Reason::parts) else { return (None, None) };
    (Some(clean(code).into_owned()), cause.map(|cause| clean(cause).into_owned()))
}

/// Returns how often a row counts as published when it is accepted, and in how many milliseconds it needs a (further)
/// message.
pub(in crate::store) fn announcement_columns(announcement: Announcement) -> (i64, i64) {
    match announcement {
        Announcement::ToBeNoted => (0, 1000),
        Announcement::InMemory => (1, millis(REPUBLISH_AFTER)),
        Announcement::LeftToSweeper => (0, 0),
    }
}

/// Returns media type and size of a sync record's result, as its record shows them.
pub(in crate::store) fn stored_result(row: &SyncRecord) -> Option<(String, i64)> {
    let body = row.result.as_ref().map(|body| (&body.content_type, body.bytes.len() as u64));
    let told = row.record.result.as_ref().map(|result| (&result.content_type, result.size));
    let (content_type, size) = body.or(told)?;
    Some((clean(content_type).into_owned(), i64::try_from(size).unwrap_or(i64::MAX)))
}

fn start(text: &str) -> sqlx::Result<Start> {
    word(&[Start::Cold, Start::Warm], |start| start.as_str(), text)
}

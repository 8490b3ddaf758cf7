//! Rows as both backends read them, and their conversion into the model. A value that cannot be converted is an
//! `sqlx::Error::Decode`: the store holds data that this program cannot read.

use std::{borrow::Cow, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use smallvec::SmallVec;
use sqlx::{
    ColumnIndex, Decode, Encode, FromRow, Postgres, Row, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};
use uuid::Uuid;

use super::{
    ActiveFunction, Announcement, Claim, Claiming, Due, NamedBundle, REPUBLISH_AFTER, ReportedInstance,
    Running, StoredLine, SyncRecord, lost_claims::SentClaim, row::row,
};
use crate::model::{
    AttemptRecord, Body, Function, FunctionId, InstanceId, InvocationId, LineKind, LogLine, ManagerId,
    Mode, Phase, PhaseName, Phases, Reason, Record, ResultInfo, Revision, RevisionNumber, Start, State,
    Stream,
};

/// Any id of ours in a row: `uuid` in Postgres, 16 bytes in SQLite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub Uuid);

impl Type<Postgres> for Id {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2950))
    }
}

impl PgHasArrayType for Id {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2951))
    }
}

impl Encode<'_, Postgres> for Id {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Id {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(Uuid::from_slice(value.as_bytes()?)?))
    }
}

impl Type<Sqlite> for Id {
    fn type_info() -> SqliteTypeInfo {
        <Vec<u8> as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Id {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<u8> as Encode<Sqlite>>::encode(self.0.as_bytes().to_vec(), buffer)
    }
}

impl Decode<'_, Sqlite> for Id {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(Uuid::from_slice(<&[u8] as Decode<Sqlite>>::decode(value)?)?))
    }
}

row! {
    pub(super) struct FunctionRow {
        id: Id,
        name: String,
        active_revision: i64,
        created_at: i64,
        reported_warm: bool,
    }
}

impl FunctionRow {
    pub fn into_model(self) -> sqlx::Result<Function> {
        Ok(Function {
            id: FunctionId(self.id.0),
            name: parse(&self.name)?,
            active_revision: revision(self.active_revision)?,
            created_at: time(self.created_at)?,
            reported_warm: self.reported_warm,
        })
    }
}

row! {
    pub(super) struct RevisionRow {
        function_id: Id,
        name: String,
        number: i64,
        spec: String,
        source: String,
        bundle: Option<String>,
        image: String,
        created_at: i64,
    }
}

impl RevisionRow {
    pub fn into_model(self) -> sqlx::Result<Revision> {
        Ok(Revision {
            function: FunctionId(self.function_id.0),
            name: parse(&self.name)?,
            number: revision(self.number)?,
            spec: from_json(&self.spec)?,
            source: parse(&self.source)?,
            bundle: self.bundle.as_deref().map(parse).transpose()?,
            image: self.image,
            created_at: time(self.created_at)?,
        })
    }
}

/// A revision that is active, with the fields of its function.
pub(super) struct ActiveRow {
    revision: RevisionRow,
    function_created_at: i64,
    reported_warm: bool,
}

impl<'r, R: Row> FromRow<'r, R> for ActiveRow
where
    RevisionRow: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            revision: RevisionRow::from_row(row)?,
            function_created_at: row.try_get("function_created_at")?,
            reported_warm: row.try_get("reported_warm")?,
        })
    }
}

impl ActiveRow {
    pub fn into_model(self) -> sqlx::Result<ActiveFunction> {
        let revision = self.revision.into_model()?;
        let function = Function {
            id: revision.function,
            name: revision.name.clone(),
            active_revision: revision.number,
            created_at: time(self.function_created_at)?,
            reported_warm: self.reported_warm,
        };
        Ok(ActiveFunction { function, revision })
    }
}

row! {
    /// The columns of a record, without the bytes of payload and result.
    pub(super) struct RecordRow {
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
        })
    }
}

row! {
    /// The answer to a claim; `running` when it was granted, else the claim ended the invocation.
    pub(super) struct ClaimRow {
        state: String,
        attempt: i64,
        failures: i64,
        losses: i64,
        attempt_revision: Option<i64>,
        payload_type: Option<String>,
        payload: Option<Vec<u8>>,
        headers: Option<String>,
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
            accepted_at: time(self.accepted_at)?,
        }))
    }
}

/// Returns the answer to a claim; `active` is the revision of its function, where that is there.
pub(super) fn claiming(
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
    pub(super) struct RunningRow {
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
    pub(super) struct DueRow {
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

/// Sorts the rows of an UPDATE, which come in no particular order.
pub(super) fn due_oldest_first(mut rows: Vec<DueRow>) -> sqlx::Result<Vec<Due>> {
    rows.sort_unstable_by_key(|row| (row.since, row.id.0));
    rows.into_iter().map(DueRow::into_model).collect()
}

row! {
    pub(super) struct ResultRow {
        result_type: Option<String>,
        result: Option<Vec<u8>>,
    }
}

impl ResultRow {
    pub fn into_model(self) -> Option<Body> {
        Some(Body { content_type: self.result_type?, bytes: self.result?.into() })
    }
}

row! {
    pub(super) struct InstanceRow {
        id: Id,
        manager: Id,
        function_id: Id,
        revision: i64,
        sandbox: String,
        started_at: i64,
    }
}

impl InstanceRow {
    pub fn into_model(self) -> sqlx::Result<ReportedInstance> {
        Ok(ReportedInstance {
            id: InstanceId(self.id.0),
            manager: ManagerId(self.manager.0),
            function: FunctionId(self.function_id.0),
            revision: revision(self.revision)?,
            sandbox: self.sandbox,
            started_at: time(self.started_at)?,
        })
    }
}

row! {
    pub(super) struct LineRow {
        sequence: i64,
        ts: i64,
        function_name: String,
        revision: i64,
        invocation_id: Option<Id>,
        attempt: Option<i64>,
        instance: Id,
        stream: String,
        line: String,
        kind: Option<String>,
    }
}

impl LineRow {
    pub fn into_model(self) -> sqlx::Result<StoredLine> {
        const STREAMS: [Stream; 3] = [Stream::Stdout, Stream::Stderr, Stream::Platform];
        Ok(StoredLine {
            sequence: self.sequence,
            line: LogLine {
                ts: time(self.ts)?,
                function: parse(&self.function_name)?,
                revision: revision(self.revision)?,
                invocation_id: self.invocation_id.map(|id| InvocationId(id.0)),
                attempt: self.attempt.map(number).transpose()?,
                instance: InstanceId(self.instance.0),
                stream: word(&STREAMS, |stream| stream.as_str(), &self.stream)?,
                line: self.line,
                // A newer program may have written a kind that is not known here.
                kind: self.kind.map(|kind| {
                    word(&LineKind::ALL, |kind| kind.as_str(), &kind).unwrap_or(LineKind::Other)
                }),
                sequence: None,
            },
        })
    }
}

row! {
    pub(super) struct TotalsRow {
        accepted: i64,
        pruned: i64,
        queued: i64,
        retrying: i64,
        running: i64,
        rows: i64,
    }
}

impl TotalsRow {
    pub fn into_model(self) -> sqlx::Result<super::Totals> {
        let count = |value: i64| u64::try_from(value).map_err(unreadable);
        Ok(super::Totals {
            accepted: count(self.accepted)?,
            queued: count(self.queued)?,
            retrying: count(self.retrying)?,
            running: count(self.running)?,
            terminal: count(self.rows - self.queued - self.retrying - self.running)?,
            pruned: count(self.pruned)?,
        })
    }
}

// Into rows.

/// Removes U+0000 from text: Postgres cannot hold it; SQLite could, but both return the same.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Writes one line of JSON; a NUL in it is escaped.
pub(super) fn json<T: Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A phase as it is stored: its name, and start and length in microseconds. Every invocation has some, and whole numbers
/// take a fraction of the time of floats to write.
#[derive(Serialize, Deserialize)]
struct StoredPhase(PhaseName, u64, u64);

/// Writes the `phases` column.
pub(super) fn phases_column(phases: &[Phase]) -> sqlx::Result<String> {
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
pub(super) fn attempt_line(attempt: &AttemptRecord) -> sqlx::Result<String> {
    json(attempt).map(|line| line + "\n")
}

pub(super) fn attempt_lines(attempts: &[AttemptRecord]) -> sqlx::Result<String> {
    attempts.iter().map(attempt_line).collect()
}

/// Returns a reason as it is stored: its code, and its cause.
pub(super) fn reason_columns(reason: Option<&Reason>) -> (Option<String>, Option<String>) {
    let Some((code, cause)) = reason.map(Reason::parts) else { return (None, None) };
    (Some(clean(code).into_owned()), cause.map(|cause| clean(cause).into_owned()))
}

/// Returns how often a row counts as published when it is accepted, and in how many milliseconds it needs a (further)
/// message.
pub(super) fn announcement_columns(announcement: Announcement) -> (i64, i64) {
    match announcement {
        Announcement::ToBeNoted => (0, 1000),
        Announcement::InMemory => (1, millis(REPUBLISH_AFTER)),
        Announcement::LeftToSweeper => (0, 0),
    }
}

/// Returns media type and size of a sync record's result, as its record shows them.
pub(super) fn stored_result(row: &SyncRecord) -> Option<(String, i64)> {
    let body = row.result.as_ref().map(|body| (&body.content_type, body.bytes.len() as u64));
    let told = row.record.result.as_ref().map(|result| (&result.content_type, result.size));
    let (content_type, size) = body.or(told)?;
    Some((clean(content_type).into_owned(), i64::try_from(size).unwrap_or(i64::MAX)))
}

/// Writes ids as a JSON array of hexadecimal digits, for `unhex(value) … json_each($1)`.
pub(super) fn hex_ids(ids: impl Iterator<Item = Uuid>) -> sqlx::Result<String> {
    json(&ids.map(|id| id.simple().to_string()).collect::<Vec<_>>())
}

/// Returns whole milliseconds, for an `interval` of the store's clock.
pub(super) fn millis(duration: std::time::Duration) -> i64 {
    // A tenth of the range: far beyond the life of any row, and a sum with a time never overflows.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 10)
}

/// Converts a size or count of something in memory.
pub(super) fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

// Out of rows.

pub(super) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn parse<T: FromStr>(text: &str) -> sqlx::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(unreadable)
}

fn from_json<T: DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

pub(super) fn time(milliseconds: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(unreadable)
}

pub(super) fn named_bundle(
    (function, source, bundle, image): (String, String, Option<String>, String),
) -> sqlx::Result<NamedBundle> {
    Ok(NamedBundle {
        function: parse(&function)?,
        source: parse(&source)?,
        bundle: bundle.as_deref().map(parse).transpose()?,
        image,
    })
}

fn number(value: i64) -> sqlx::Result<u32> {
    u32::try_from(value).map_err(unreadable)
}

pub(super) fn revision(value: i64) -> sqlx::Result<RevisionNumber> {
    number(value).map(RevisionNumber)
}

fn start(text: &str) -> sqlx::Result<Start> {
    word(&[Start::Cold, Start::Warm], |start| start.as_str(), text)
}

/// Returns the value that this word of the store stands for.
fn word<T: Copy>(values: &[T], name: fn(T) -> &'static str, text: &str) -> sqlx::Result<T> {
    values
        .iter()
        .copied()
        .find(|&value| name(value) == text)
        .ok_or_else(|| sqlx::Error::Decode(format!("'{text}' is not a word of this column").into()))
}

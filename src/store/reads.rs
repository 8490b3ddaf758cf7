//! The reads that are the same in both dialects, written once: [`reads!`] makes them for a pool type. Only the name of
//! the store's clock differs.

use uuid::Uuid;

use super::RecordFilter;

/// Lines that are looked at to find where those since a moment begin; of more, some are among the newest in any case.
pub(super) const LOOKED_AT: i64 = 5000;
/// A line may still appear behind so many numbers that were given out later.
pub(super) const UNSETTLED: i64 = 2000;
/// In milliseconds: the moment of acceptance is read beside that of the id, on the same clock.
const BESIDE: i64 = 1000;

/// The ids of the records that may match: from the first, and before the second. Ids begin with their time, which is never
/// before that of the acceptance: a clock that is set back does not set ids back.
pub(super) fn id_range(filter: &RecordFilter) -> (Uuid, Uuid) {
    let since = filter.since.map_or(0, |since| since.as_millisecond() - BESIDE);
    let first = u128::from(since.max(0).unsigned_abs()) << 80;
    (Uuid::from_u128(first), filter.before.map_or(Uuid::max(), |before| before.0))
}

/// The columns that a record is read from: all but the bytes of payload and result.
macro_rules! record_columns {
    () => {
        "id, function_name, mode, state, dead_letter, reason, cause, attempt, attempt_revision, attempts, \
         accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, result_type, result_size"
    };
}

/// Revisions that may be deleted: not among the newest `$1` of their function, not active, without live instances and
/// running invocations. Functions that have no more than `$1` are passed over at once.
macro_rules! doomed {
    ($($now:tt)*) => {
        concat!(
            "SELECT r.function_id, r.number, r.source, r.bundle
             FROM revisions AS r JOIN functions AS f ON f.id = r.function_id
             WHERE r.number <> f.active_revision AND f.last_revision > $1
             AND (SELECT count(*) FROM revisions AS n
                  WHERE n.function_id = r.function_id AND n.number > r.number) >= $1
             AND NOT EXISTS (SELECT 1 FROM instances AS i JOIN leases AS l ON l.owner = i.owner
                  WHERE i.function_id = r.function_id AND i.revision = r.number AND l.expires_at > ",
            $($now)*,
            ")
             AND NOT EXISTS (SELECT 1 FROM invocations AS v WHERE v.state = 'running'
                  AND v.function_id = r.function_id AND v.attempt_revision = r.number)"
        )
    };
}

/// Blobs that no revision names. Their age is checked last: it is stored after the bytes.
macro_rules! orphans {
    ($($now:tt)*) => {
        concat!(
            "SELECT digest FROM blobs WHERE digest IN (
                 SELECT digest FROM blobs EXCEPT SELECT source FROM revisions
                 EXCEPT SELECT bundle FROM revisions WHERE bundle IS NOT NULL)
             AND created_at < ",
            $($now)*,
            " - 3600000"
        )
    };
}

/// Functions with their active revisions.
macro_rules! active_functions {
    () => {
        "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.image, r.created_at,
                f.created_at AS function_created_at, f.reported_warm
         FROM functions AS f JOIN revisions AS r ON r.function_id = f.id AND r.number = f.active_revision"
    };
}

macro_rules! reads {
    ($database:ty, now = $now:literal, digits = $digits:literal, row_ranges = $row_ranges:literal) => {
        use std::collections::BTreeSet;

        use jiff::Timestamp;
        use sqlx::{Pool, QueryBuilder, query_as, query_scalar};

        use crate::{
            model::{
                Body, Digest, Function, FunctionId, FunctionName, IdPart, InvocationId, OwnerId, Record, Revision,
                RevisionNumber, State,
            },
            store::{
                ActiveFunction, LogFilter, LogPage, NamedBundle, Prunable, RECENT, RecordFilter, ReportedInstance, Totals,
                reads::{LOOKED_AT, UNSETTLED, active_functions, doomed, fitting, id_range, orphans, record_columns},
                rows::{
                    ActiveRow, FunctionRow, Id, InstanceRow, LineRow, RecordRow, ResultRow, RevisionRow, TotalsRow, named_bundle, parse,
                },
            },
        };

        type Reader = Pool<$database>;

        /// Whether a range of (function, number of a line) is written as one of rows. Postgres may answer an equality with an
        /// order by the number alone by a walk through all numbers; SQLite does not, and has the number in the index only
        /// behind an equality.
        const ROW_RANGES: bool = $row_ranges;

        pub async fn ping(pool: &Reader) -> sqlx::Result<()> {
            sqlx::query("SELECT 1").execute(pool).await.map(drop)
        }

        pub async fn blob(pool: &Reader, digest: &Digest) -> sqlx::Result<Option<Vec<u8>>> {
            query_scalar("SELECT bytes FROM blobs WHERE digest = $1")
                .bind(digest.as_str())
                .fetch_optional(pool)
                .await
        }

        pub async fn function(pool: &Reader, name: &FunctionName) -> sqlx::Result<Option<Function>> {
            query_as::<_, FunctionRow>(
                "SELECT id, name, active_revision, created_at, reported_warm FROM functions WHERE name = $1",
            )
            .bind(name.as_str())
            .fetch_optional(pool)
            .await?
            .map(FunctionRow::into_model)
            .transpose()
        }

        pub async fn functions(pool: &Reader) -> sqlx::Result<Vec<Function>> {
            query_as::<_, FunctionRow>(
                "SELECT id, name, active_revision, created_at, reported_warm FROM functions ORDER BY name",
            )
            .fetch_all(pool)
            .await?
            .into_iter()
            .map(FunctionRow::into_model)
            .collect()
        }

        pub async fn active_functions(
            pool: &Reader,
            after: Option<&FunctionName>,
            limit: u32,
        ) -> sqlx::Result<Vec<ActiveFunction>> {
            // Every name comes after the empty one.
            let rows: Vec<ActiveRow> = query_as(concat!(
                active_functions!(),
                " WHERE f.name > $1 ORDER BY f.name LIMIT $2"
            ))
                .bind(after.map_or("", FunctionName::as_str))
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await?;
            rows.into_iter().map(ActiveRow::into_model).collect()
        }

        pub async fn active_function(
            pool: &Reader,
            id: FunctionId,
        ) -> sqlx::Result<Option<ActiveFunction>> {
            let row: Option<ActiveRow> = query_as(concat!(active_functions!(), " WHERE f.id = $1"))
                .bind(Id(id.0))
                .fetch_optional(pool)
                .await?;
            row.map(ActiveRow::into_model).transpose()
        }

        pub async fn named(pool: &Reader, digests: &[Digest]) -> sqlx::Result<Vec<Digest>> {
            if digests.is_empty() {
                return Ok(Vec::new());
            }
            let mut query = QueryBuilder::<$database>::new("WITH asked (digest) AS (");
            query.push_values(digests, |mut values, digest| {
                values.push_bind(digest.as_str());
            });
            query.push(
                ") SELECT digest FROM asked
                 WHERE EXISTS (SELECT 1 FROM revisions WHERE source = digest)
                    OR EXISTS (SELECT 1 FROM revisions WHERE bundle = digest)",
            );
            let named: Vec<String> = query.build_query_scalar().fetch_all(pool).await?;
            named.iter().map(|digest| parse(digest)).collect()
        }

        pub async fn with_old_revisions(pool: &Reader, keep: u32) -> sqlx::Result<Vec<FunctionId>> {
            let functions: Vec<Id> =
                query_scalar(concat!("SELECT DISTINCT function_id FROM (", doomed!($now), ") AS doomed"))
                    .bind(i64::from(keep))
                    .fetch_all(pool)
                    .await?;
            Ok(functions.into_iter().map(|id| FunctionId(id.0)).collect())
        }

        pub async fn orphans(pool: &Reader) -> sqlx::Result<Vec<Digest>> {
            let digests: Vec<String> = query_scalar(orphans!($now)).fetch_all(pool).await?;
            digests.iter().map(|digest| parse(digest)).collect()
        }

        pub async fn revision(
            pool: &Reader,
            function: FunctionId,
            number: RevisionNumber,
        ) -> sqlx::Result<Option<Revision>> {
            query_as::<_, RevisionRow>(
                "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.image, r.created_at
                 FROM revisions AS r JOIN functions AS f ON f.id = r.function_id
                 WHERE r.function_id = $1 AND r.number = $2",
            )
            .bind(Id(function.0))
            .bind(i64::from(number.0))
            .fetch_optional(pool)
            .await?
            .map(RevisionRow::into_model)
            .transpose()
        }

        pub async fn revisions(pool: &Reader, function: FunctionId) -> sqlx::Result<Vec<Revision>> {
            query_as::<_, RevisionRow>(
                "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.image, r.created_at
                 FROM revisions AS r JOIN functions AS f ON f.id = r.function_id
                 WHERE r.function_id = $1 ORDER BY r.number DESC",
            )
            .bind(Id(function.0))
            .fetch_all(pool)
            .await?
            .into_iter()
            .map(RevisionRow::into_model)
            .collect()
        }

        pub async fn named_bundles(pool: &Reader) -> sqlx::Result<Vec<NamedBundle>> {
            let rows: Vec<(String, String, Option<String>, String)> = query_as(
                "SELECT f.name, r.source, r.bundle, r.image
                 FROM revisions AS r JOIN functions AS f ON f.id = r.function_id",
            )
            .fetch_all(pool)
            .await?;
            rows.into_iter().map(named_bundle).collect()
        }

        /// Reads each number in one snapshot; the sizes are those of the stored values, without the rows around them.
        pub async fn prunable(
            pool: &Reader,
            age: std::time::Duration,
            keep: u32,
        ) -> sqlx::Result<Prunable> {
            let amount = |(count, bytes): (i64, i64)| (count.unsigned_abs(), bytes.unsigned_abs());
            let age = crate::store::rows::millis(age);
            let revisions: i64 = query_scalar(concat!("SELECT count(*) FROM (", doomed!($now), ") AS d"))
                .bind(i64::from(keep))
                .fetch_one(pool)
                .await?;
            let bundles: (i64, i64) = query_as(concat!(
                "WITH doomed AS (", doomed!($now), ")
                 SELECT count(*), CAST(coalesce(sum(octet_length(bytes)), 0) AS BIGINT) FROM blobs
                 WHERE digest IN (",
                orphans!($now),
                ") OR (digest IN (SELECT source FROM doomed UNION SELECT bundle FROM doomed WHERE bundle IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM revisions AS r WHERE (r.source = digest OR r.bundle = digest)
                     AND NOT EXISTS (SELECT 1 FROM doomed AS d
                         WHERE d.function_id = r.function_id AND d.number = r.number)))"
            ))
            .bind(i64::from(keep))
            .fetch_one(pool)
            .await?;
            let invocations: (i64, i64) = query_as(concat!(
                "SELECT count(*), CAST(coalesce(sum(coalesce(octet_length(payload), 0)
                     + coalesce(octet_length(result), 0)), 0) AS BIGINT)
                 FROM invocations WHERE finished_at < ",
                $now,
                " - $1"
            ))
            .bind(age)
            .fetch_one(pool)
            .await?;
            let lines: (i64, i64) = query_as(concat!(
                "SELECT count(*), CAST(coalesce(sum(octet_length(line)), 0) AS BIGINT) FROM logs WHERE ts < ",
                $now,
                " - $1"
            ))
            .bind(age)
            .fetch_one(pool)
            .await?;
            Ok(Prunable {
                revisions: revisions.unsigned_abs(),
                bundles: amount(bundles),
                invocations: amount(invocations),
                log_lines: amount(lines),
            })
        }

        pub async fn backlog(pool: &Reader) -> sqlx::Result<u64> {
            let rows: i64 = query_scalar(
                "SELECT count(*) FROM invocations WHERE state IN ('queued', 'retrying')",
            )
            .fetch_one(pool)
            .await?;
            Ok(rows.unsigned_abs())
        }

        /// Reads all in one statement, hence in one snapshot.
        pub async fn totals(pool: &Reader) -> sqlx::Result<Totals> {
            query_as::<_, TotalsRow>(
                "SELECT (SELECT value FROM totals WHERE name = 'accepted') AS accepted,
                        (SELECT value FROM totals WHERE name = 'pruned') AS pruned,
                        count(*) FILTER (WHERE state = 'queued') AS queued,
                        count(*) FILTER (WHERE state = 'retrying') AS retrying,
                        count(*) FILTER (WHERE state = 'running') AS running,
                        count(*) AS rows
                 FROM invocations WHERE mode = 'async'",
            )
            .fetch_one(pool)
            .await?
            .into_model()
        }

        pub async fn instances(
            pool: &Reader,
            function: Option<FunctionId>,
        ) -> sqlx::Result<Vec<ReportedInstance>> {
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT n.id, n.manager, n.function_id, n.revision, n.sandbox, n.started_at
                 FROM instances AS n JOIN leases AS l ON l.owner = n.owner
                 WHERE l.expires_at > ",
                $now
            ));
            if let Some(function) = function {
                query.push(" AND n.function_id = ").push_bind(Id(function.0));
            }
            query.push(" ORDER BY n.id");
            let rows = query.build_query_as::<InstanceRow>().fetch_all(pool).await?;
            rows.into_iter().map(InstanceRow::into_model).collect()
        }

        pub async fn live_instances(
            pool: &Reader,
            functions: &[FunctionId],
        ) -> sqlx::Result<std::collections::HashMap<FunctionId, u32>> {
            if functions.is_empty() {
                return Ok(std::collections::HashMap::new());
            }
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT n.function_id, count(*) FROM instances AS n JOIN leases AS l ON l.owner = n.owner
                 WHERE l.expires_at > ",
                $now,
                " AND n.function_id IN ("
            ));
            let mut ids = query.separated(", ");
            for function in functions {
                ids.push_bind(Id(function.0));
            }
            query.push(") GROUP BY n.function_id");
            let rows: Vec<(Id, i64)> = query.build_query_as().fetch_all(pool).await?;
            let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
            Ok(rows.into_iter().map(|(id, live)| (FunctionId(id.0), count(live))).collect())
        }

        pub async fn live_owners(pool: &Reader) -> sqlx::Result<Vec<OwnerId>> {
            let owners: Vec<Id> =
                query_scalar(concat!("SELECT owner FROM leases WHERE expires_at > ", $now))
                    .fetch_all(pool)
                    .await?;
            Ok(owners.into_iter().map(|id| OwnerId(id.0)).collect())
        }

        pub async fn record(pool: &Reader, id: InvocationId) -> sqlx::Result<Option<Record>> {
            query_as::<_, RecordRow>(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invocations WHERE id = $1"
            ))
            .bind(Id(id.0))
            .fetch_optional(pool)
            .await?
            .map(RecordRow::into_model)
            .transpose()
        }

        pub async fn result(pool: &Reader, id: InvocationId) -> sqlx::Result<Option<Body>> {
            let row = query_as::<_, ResultRow>("SELECT result_type, result FROM invocations WHERE id = $1")
                .bind(Id(id.0))
                .fetch_optional(pool)
                .await?;
            Ok(row.and_then(ResultRow::into_model))
        }

        pub async fn records(pool: &Reader, filter: &RecordFilter) -> sqlx::Result<Vec<Record>> {
            let rows = match filter.ended {
                Some(times) => records_by_end(filter, times).build_query_as().fetch_all(pool).await?,
                None => records_by_id(filter).build_query_as().fetch_all(pool).await?,
            };
            rows.into_iter().map(RecordRow::into_model).collect()
        }

        /// Few invocations have just ended, however many the function has had before: so no index over functions is used.
        fn records_by_end(filter: &RecordFilter, (from, to): (Timestamp, Timestamp)) -> QueryBuilder<$database> {
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invocations WHERE finished_at >= "
            ));
            query.push_bind(from.as_millisecond()).push(" AND finished_at <= ").push_bind(to.as_millisecond());
            if let Some(function) = &filter.function {
                query.push(" AND function_name || '' = ").push_bind(function.as_str().to_owned());
            }
            if let Some(state) = filter.state {
                query.push(" AND state || '' = ").push_bind(state.as_str());
            }
            query.push(" ORDER BY finished_at DESC LIMIT ").push_bind(i64::from(filter.limit));
            query
        }

        fn records_by_id(filter: &RecordFilter) -> QueryBuilder<$database> {
            let mut query = QueryBuilder::<$database>::new(concat!("SELECT ", record_columns!()));
            match (&filter.function, filter.state) {
                // Together the newest of each state are the newest of all.
                (Some(_), None) => {
                    query.push(" FROM invocations WHERE id IN (SELECT id FROM (");
                    for (index, state) in State::ALL.into_iter().enumerate() {
                        let before = if index > 0 { " UNION ALL " } else { "" };
                        query.push(before).push("SELECT id FROM (SELECT id");
                        push_newest(&mut query, filter, Some(state));
                        query.push(") AS of_state");
                    }
                    query.push(") AS of_function ORDER BY id DESC LIMIT ");
                    query.push_bind(i64::from(filter.limit)).push(") ORDER BY id DESC");
                }
                (_, state) => push_newest(&mut query, filter, state),
            }
            query
        }

        /// Reads a range of one index in its own order. As an equality with an order by id alone the same question would
        /// leave the planner a choice: to walk through all ids until enough match, which may be never.
        fn push_newest(
            query: &mut QueryBuilder<$database>,
            filter: &RecordFilter,
            state: Option<State>,
        ) {
            let values = [filter.function.as_ref().map(|name| name.as_str().to_owned()), state.map(|state| state.as_str().to_owned())];
            let (index, order) = match values {
                [None, None] => ("(id)", "id DESC"),
                [None, Some(_)] => ("(state, id)", "state DESC, id DESC"),
                [Some(_), _] => ("(function_name, state, id)", "function_name DESC, state DESC, id DESC"),
            };
            let (first, last) = id_range(filter);
            query.push(" FROM invocations WHERE ");
            for (compared, id) in [(" >= (", first), (" < (", last)] {
                query.push(index).push(compared);
                for value in values.iter().flatten() {
                    query.push_bind(value.clone()).push(", ");
                }
                query.push_bind(Id(id)).push(") AND ");
            }
            match filter.since {
                Some(since) => query.push("accepted_at >= ").push_bind(since.as_millisecond()),
                None => query.push("TRUE"),
            };
            query.push(" ORDER BY ").push(order).push(" LIMIT ").push_bind(i64::from(filter.limit));
        }

        /// Selects these columns of the lines that match, in the order of their numbers, or the newest first: at most
        /// `limit` of them. Each function's lines are a range of one index, read in its own order, as for records.
        fn push_lines(
            query: &mut QueryBuilder<$database>,
            columns: &str,
            filter: &LogFilter,
            newest: bool,
            limit: i64,
        ) {
            let down = if newest { " DESC" } else { "" };
            let (after, before) = (filter.after.unwrap_or(i64::MIN), filter.before.unwrap_or(i64::MAX));
            let push_end = |query: &mut QueryBuilder<$database>, order: &str| {
                if let Some(since) = filter.since {
                    query.push(" AND ts >= ").push_bind(since.as_millisecond());
                }
                query.push(" ORDER BY ").push(order).push("sequence").push(down);
                query.push(" LIMIT ").push_bind(limit);
            };
            if filter.functions.is_empty() || filter.invocation.is_some() {
                query.push("SELECT ").push(columns).push(" FROM logs WHERE sequence > ").push_bind(after);
                query.push(" AND sequence < ").push_bind(before);
                if let Some(invocation) = filter.invocation {
                    query.push(" AND invocation_id = ").push_bind(Id(invocation.0));
                    if let Some(attempt) = filter.attempt {
                        query.push(" AND attempt = ").push_bind(i64::from(attempt));
                    }
                }
                if !filter.functions.is_empty() {
                    query.push(" AND function_name || '' IN (");
                    let mut names = query.separated(", ");
                    for name in &filter.functions {
                        names.push_bind(name.as_str().to_owned());
                    }
                    query.push(")");
                }
                return push_end(query, "");
            }
            let functions: BTreeSet<&FunctionName> = filter.functions.iter().collect();
            for (index, function) in functions.into_iter().enumerate() {
                let begin = if index > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" };
                query.push(begin).push("SELECT ").push(columns).push(" FROM logs WHERE ");
                for (compared, sequence) in [(" > ", after), (" < ", before)] {
                    let function = function.as_str().to_owned();
                    match ROW_RANGES {
                        true => query.push("(function_name, sequence)").push(compared).push("("),
                        false => query.push("function_name = "),
                    };
                    query.push_bind(function).push(if ROW_RANGES { ", " } else { " AND sequence" });
                    if !ROW_RANGES {
                        query.push(compared);
                    }
                    query.push_bind(sequence).push(if ROW_RANGES { ") AND " } else { " AND " });
                }
                query.push("TRUE");
                push_end(query, if newest { "function_name DESC, " } else { "function_name, " });
                query.push(") AS of_function");
            }
            query.push(" ORDER BY sequence").push(down).push(" LIMIT ").push_bind(limit);
        }

        /// Reads the lengths of the lines first, then the lines that fit: however long they are, no more than that is
        /// ever in memory.
        pub async fn logs(pool: &Reader, filter: &LogFilter) -> sqlx::Result<LogPage> {
            let mut query = QueryBuilder::<$database>::new("");
            let columns = "sequence, CAST(octet_length(line) AS bigint)";
            push_lines(&mut query, columns, filter, filter.newest, i64::from(filter.limit) + 1);
            let sizes: Vec<(i64, i64)> = query.build_query_as().fetch_all(pool).await?;
            let fitting = fitting(&sizes, filter);
            let Some((&(one_end, _), &(other_end, _))) = sizes[..fitting].first().zip(sizes[..fitting].last())
            else {
                return Ok(LogPage { lines: Vec::new(), more: !sizes.is_empty() });
            };
            let these = LogFilter {
                after: Some(one_end.min(other_end) - 1),
                before: Some(one_end.max(other_end) + 1),
                ..filter.clone()
            };
            let mut query = QueryBuilder::<$database>::new("");
            let columns =
                "sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind";
            push_lines(&mut query, columns, &these, false, i64::MAX);
            let rows = query.build_query_as::<LineRow>().fetch_all(pool).await?;
            let lines = rows.into_iter().map(LineRow::into_model).collect::<sqlx::Result<_>>()?;
            Ok(LogPage { lines, more: fitting < sizes.len() })
        }

        pub async fn count_logs(pool: &Reader, filter: &LogFilter) -> sqlx::Result<u64> {
            let mut query = QueryBuilder::<$database>::new("SELECT count(*) FROM (");
            push_lines(&mut query, "sequence", filter, false, i64::from(filter.limit));
            query.push(") AS counted");
            let count: i64 = query.build_query_scalar().fetch_one(pool).await?;
            Ok(count.unsigned_abs())
        }

        pub async fn log_position(
            pool: &Reader,
            filter: &LogFilter,
            rank: u64,
        ) -> sqlx::Result<Option<i64>> {
            let rank = i64::try_from(rank).unwrap_or(i64::MAX - 1);
            let mut query = QueryBuilder::<$database>::new("SELECT sequence FROM (");
            push_lines(&mut query, "sequence", filter, true, rank.saturating_add(1));
            query.push(") AS newest ORDER BY sequence DESC LIMIT 1 OFFSET ").push_bind(rank);
            query.build_query_scalar().fetch_optional(pool).await
        }

        pub async fn logs_begin(pool: &Reader, since: Timestamp) -> sqlx::Result<Option<i64>> {
            let (lines, first, last): (i64, Option<i64>, Option<i64>) = query_as(
                "SELECT count(*), min(sequence), (SELECT max(sequence) FROM logs)
                 FROM (SELECT sequence FROM logs WHERE ts >= $1 ORDER BY ts LIMIT $2) AS found",
            )
            .bind(since.as_millisecond())
            .bind(LOOKED_AT)
            .fetch_one(pool)
            .await?;
            let unsettled = last.unwrap_or(0) - UNSETTLED;
            Ok((lines < LOOKED_AT).then(|| first.map_or(unsettled, |first| unsettled.min(first - 1)).max(0)))
        }

        pub async fn find_invocations(
            pool: &Reader,
            part: &IdPart,
            limit: u32,
        ) -> sqlx::Result<Vec<InvocationId>> {
            let (first, last) = part.range();
            let ids: Vec<Id> = query_scalar(concat!(
                "SELECT id FROM (
                    SELECT id FROM (
                        SELECT id FROM invocations WHERE id >= $1 AND id <= $2 ORDER BY id DESC LIMIT $5
                    ) AS beginning
                    UNION
                    SELECT id FROM (
                        SELECT id FROM invocations ORDER BY id DESC LIMIT $4
                    ) AS recent
                    WHERE ", $digits, " LIKE '%' || $3
                 ) AS found ORDER BY id DESC LIMIT $5"
            ))
            .bind(Id(first.0))
            .bind(Id(last.0))
            .bind(part.as_str())
            .bind(i64::from(RECENT))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?;
            Ok(ids.into_iter().map(|id| InvocationId(id.0)).collect())
        }
    };
}

pub(super) use {active_functions, doomed, orphans, reads, record_columns};

/// Returns how many of these lines, given by number and length, the filter lets through: always the first one.
pub(super) fn fitting(sizes: &[(i64, i64)], filter: &super::LogFilter) -> usize {
    let mut bytes = 0;
    let fits = |&(_, length): &(i64, i64)| {
        let first = bytes == 0;
        bytes += length.unsigned_abs() + 1;
        first || bytes <= filter.bytes
    };
    sizes.iter().take(filter.limit as usize).copied().take_while(fits).count()
}

//! The reads that are the same in both dialects, written once: [`reads!`] makes them for a pool type. Only the name of
//! the store's clock differs.

/// The columns that a record is read from: all but the bytes of payload and result.
macro_rules! record_columns {
    () => {
        "id, function_name, mode, state, dead_letter, reason, cause, attempt, attempt_revision, attempts, \
         accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, result_type, result_size"
    };
}

/// Revisions that may be deleted: not among the newest `$1` of their function, not active, without live instances and
/// running invocations.
macro_rules! doomed {
    ($($now:tt)*) => {
        concat!(
            "SELECT r.function_id, r.number, r.source, r.bundle
             FROM revisions AS r JOIN functions AS f ON f.id = r.function_id
             WHERE r.number <> f.active_revision
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

macro_rules! reads {
    ($database:ty, now = $now:literal, digits = $digits:literal) => {
        use sqlx::{Pool, QueryBuilder, query_as, query_scalar};

        use crate::{
            model::{
                Body, Digest, Function, FunctionId, FunctionName, IdPart, InvocationId, OwnerId, Record, Revision,
                RevisionNumber,
            },
            store::{
                ActiveFunction, LogFilter, LogPage, NamedBundle, Prunable, RECENT, RecordFilter, ReportedInstance, Totals,
                reads::{doomed, fitting, orphans, record_columns},
                rows::{
                    ActiveRow, FunctionRow, Id, InstanceRow, LineRow, RecordRow, ResultRow, RevisionRow, TotalsRow, named_bundle,
                },
            },
        };

        type Reader = Pool<$database>;

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
            only: Option<FunctionId>,
        ) -> sqlx::Result<Vec<ActiveFunction>> {
            let mut query = QueryBuilder::<$database>::new(
                "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.image, r.created_at,
                        f.created_at AS function_created_at, f.reported_warm
                 FROM functions AS f JOIN revisions AS r
                   ON r.function_id = f.id AND r.number = f.active_revision",
            );
            if let Some(function) = only {
                query.push(" WHERE f.id = ").push_bind(Id(function.0));
            }
            query.push(" ORDER BY f.name");
            let rows = query.build_query_as::<ActiveRow>().fetch_all(pool).await?;
            rows.into_iter().map(ActiveRow::into_model).collect()
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
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invocations WHERE TRUE"
            ));
            if let Some(function) = &filter.function {
                // Few invocations have just ended, however many the function has had before: so the index over
                // functions is not used.
                let column = if filter.ended.is_some() { "function_name || ''" } else { "function_name" };
                query.push(" AND ").push(column).push(" = ").push_bind(function.as_str());
            }
            if let Some(state) = filter.state {
                query.push(" AND state = ").push_bind(state.as_str());
            }
            if let Some(since) = filter.since {
                query.push(" AND accepted_at >= ").push_bind(since.as_millisecond());
            }
            if let Some((from, to)) = filter.ended {
                query.push(" AND finished_at >= ").push_bind(from.as_millisecond());
                query.push(" AND finished_at <= ").push_bind(to.as_millisecond());
            }
            if let Some(before) = filter.before {
                query.push(" AND id < ").push_bind(Id(before.0));
            }
            let order = if filter.ended.is_some() { "finished_at" } else { "id" };
            query.push(" ORDER BY ").push(order).push(" DESC LIMIT ").push_bind(i64::from(filter.limit));
            let rows = query.build_query_as::<RecordRow>().fetch_all(pool).await?;
            rows.into_iter().map(RecordRow::into_model).collect()
        }

        fn push_conditions(query: &mut QueryBuilder<$database>, filter: &LogFilter) {
            query.push(" FROM logs WHERE TRUE");
            if !filter.functions.is_empty() {
                query.push(" AND function_name IN (");
                let mut names = query.separated(", ");
                for name in &filter.functions {
                    names.push_bind(name.as_str().to_owned());
                }
                query.push(")");
            }
            if let Some(invocation) = filter.invocation {
                query.push(" AND invocation_id = ").push_bind(Id(invocation.0));
            }
            if let Some(since) = filter.since {
                query.push(" AND ts >= ").push_bind(since.as_millisecond());
            }
            if let Some(after) = filter.after {
                query.push(" AND sequence > ").push_bind(after);
            }
            if let Some(before) = filter.before {
                query.push(" AND sequence < ").push_bind(before);
            }
        }

        /// Reads the lengths of the lines first, then the lines that fit: however long they are, no more than that is
        /// ever in memory.
        pub async fn logs(pool: &Reader, filter: &LogFilter) -> sqlx::Result<LogPage> {
            let mut query = QueryBuilder::<$database>::new(
                "SELECT sequence, CAST(octet_length(line) AS bigint)",
            );
            push_conditions(&mut query, filter);
            query.push(" ORDER BY sequence").push(if filter.newest { " DESC" } else { "" });
            query.push(" LIMIT ").push_bind(i64::from(filter.limit) + 1);
            let sizes: Vec<(i64, i64)> = query.build_query_as().fetch_all(pool).await?;
            let fitting = fitting(&sizes, filter);
            let Some((&(one_end, _), &(other_end, _))) = sizes[..fitting].first().zip(sizes[..fitting].last())
            else {
                return Ok(LogPage { lines: Vec::new(), more: !sizes.is_empty() });
            };
            let mut query = QueryBuilder::<$database>::new(
                "SELECT sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind",
            );
            push_conditions(&mut query, filter);
            query.push(" AND sequence >= ").push_bind(one_end.min(other_end));
            query.push(" AND sequence <= ").push_bind(one_end.max(other_end));
            query.push(" ORDER BY sequence");
            let rows = query.build_query_as::<LineRow>().fetch_all(pool).await?;
            let lines = rows.into_iter().map(LineRow::into_model).collect::<sqlx::Result<_>>()?;
            Ok(LogPage { lines, more: fitting < sizes.len() })
        }

        pub async fn count_logs(pool: &Reader, filter: &LogFilter) -> sqlx::Result<u64> {
            let mut query = QueryBuilder::<$database>::new("SELECT count(*) FROM (SELECT 1 AS one");
            push_conditions(&mut query, filter);
            query.push(" LIMIT ").push_bind(i64::from(filter.limit)).push(") AS counted");
            let count: i64 = query.build_query_scalar().fetch_one(pool).await?;
            Ok(count.unsigned_abs())
        }

        pub async fn log_position(
            pool: &Reader,
            filter: &LogFilter,
            rank: u64,
        ) -> sqlx::Result<Option<i64>> {
            let mut query = QueryBuilder::<$database>::new("SELECT sequence");
            push_conditions(&mut query, filter);
            query.push(" ORDER BY sequence DESC LIMIT 1 OFFSET ");
            query.push_bind(i64::try_from(rank).unwrap_or(i64::MAX));
            query.build_query_scalar().fetch_optional(pool).await
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

pub(super) use {doomed, orphans, reads, record_columns};

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

//! Reads of log lines, by pages.

/// Lines that are looked at to find where those since a moment begin. If there are more, the newest lines contain some of them.
pub(in crate::store) const LOOKED_AT: i64 = 5000;
/// A line may still appear behind so many numbers that were given out later: the batch of each of a few managers, which
/// Postgres numbers before it commits.
pub(in crate::store) const UNSETTLED: i64 = 2000;

macro_rules! log_reads {
    ($database:ty, row_ranges = $row_ranges:literal) => {
        use std::collections::BTreeSet;

        use jiff::Timestamp;
        use sqlx::{Pool, QueryBuilder, query_as};

        use crate::{
            batch::fitting,
            model::FunctionName,
            store::{
                LogFilter, LogPage,
                reads::logs::{LOOKED_AT, UNSETTLED},
                rows::{Id, LineRow},
            },
        };

        type Reader = Pool<$database>;

        /// Whether a range of (function, number of a line) is written as one of rows. Postgres may answer an equality with an
        /// order by the number alone by a walk through all numbers; SQLite does not, and has the number in the index only
        /// behind an equality.
        const ROW_RANGES: bool = $row_ranges;

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
            let bytes = sizes.iter().map(|(_, length)| usize::try_from(*length).unwrap_or(0) + 1);
            let most_bytes = usize::try_from(filter.bytes).unwrap_or(usize::MAX);
            let fitting = fitting(bytes, filter.limit as usize, most_bytes);
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
    };
}

pub(in crate::store) use log_reads;

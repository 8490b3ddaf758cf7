//! Reads of invocations: of one, of those that a filter selects, and of their counts.

use uuid::Uuid;

use crate::store::RecordFilter;

/// In milliseconds: the moment of acceptance is read beside that of the id, on the same clock.
const CLOCK_SLACK_MS: i64 = 1000;

/// The ids of the records that may match: from the first, and before the second. Ids begin with their time, which is never
/// before that of the acceptance: a clock that is set back does not set ids back.
pub(in crate::store) fn id_range(filter: &RecordFilter) -> (Uuid, Uuid) {
    let since = filter.since.map_or(0, |since| since.as_millisecond() - CLOCK_SLACK_MS);
    let first = u128::from(since.max(0).unsigned_abs()) << 80;
    (Uuid::from_u128(first), filter.before.map_or(Uuid::max(), |before| before.0))
}

/// The terms of invariant 5, as `TotalsRow` reads them, in one statement, hence in one snapshot.
pub(in crate::store) const TOTALS: &str =
    "SELECT (SELECT value FROM totals WHERE name = 'accepted') AS accepted,
            (SELECT value FROM totals WHERE name = 'pruned') AS pruned,
            count(*) FILTER (WHERE state = 'queued') AS queued,
            count(*) FILTER (WHERE state = 'retrying') AS retrying,
            count(*) FILTER (WHERE state = 'running') AS running,
            count(*) AS rows
     FROM invocations WHERE mode = 'async'";

/// The columns that a record is read from: all but the bytes of payload and result.
macro_rules! record_columns {
    () => {
        "id, function_name, mode, state, dead_letter, reason, cause, attempt, attempt_revision, attempts, \
         accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, result_type, result_size, http"
    };
}

macro_rules! invocation_reads {
    ($database:ty, now = $now:literal, digits = $digits:literal) => {
        use jiff::Timestamp;
        use sqlx::{Pool, QueryBuilder, query_as};

        use crate::{
            model::{FunctionPattern, IdPart, InvocationId, OwnerId, Record, State},
            store::{
                Backlog, Lease, RECENT, RecordFilter, Renewed, Running, StoredResult, Totals,
                reads::invocations::{TOTALS, id_range, record_columns},
                rows::{Id, RecordRow, ResultRow, RunningRow, TotalsRow},
            },
        };

        type Reader = Pool<$database>;

        /// Reads an index only.
        pub async fn backlog(pool: &Reader) -> sqlx::Result<Backlog> {
            let (rows, bytes): (i64, i64) = query_as(
                "SELECT count(*), CAST(coalesce(sum(payload_size), 0) AS bigint)
                 FROM invocations WHERE state IN ('queued', 'retrying')",
            )
            .fetch_one(pool)
            .await?;
            Ok(Backlog { rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() })
        }

        pub async fn totals(pool: &Reader) -> sqlx::Result<Totals> {
            query_as::<_, TotalsRow>(TOTALS).fetch_one(pool).await?.into_model()
        }

        pub async fn running(pool: &Reader, owner: OwnerId) -> sqlx::Result<Vec<Running>> {
            let rows: Vec<RunningRow> = query_as(
                "SELECT id, function_id, attempt, claim, attempt_revision, failures, losses, accepted_at
                 FROM invocations WHERE state = 'running' AND owner = $1",
            )
            .bind(Id(owner.0))
            .fetch_all(pool)
            .await?;
            rows.into_iter().map(RunningRow::into_model).collect()
        }

        pub async fn leases(pool: &Reader) -> sqlx::Result<Vec<Lease>> {
            let rows: Vec<(Id, i64, i64)> =
                query_as("SELECT owner, renewals, expires_at FROM leases").fetch_all(pool).await?;
            let lease = |(owner, renewals, expires_at): (Id, i64, i64)| Lease {
                owner: OwnerId(owner.0),
                renewed: Renewed { renewals, expires_at },
            };
            Ok(rows.into_iter().map(lease).collect())
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

        pub async fn result(pool: &Reader, id: InvocationId) -> sqlx::Result<Option<StoredResult>> {
            let row = query_as::<_, ResultRow>(
                "SELECT result_type, result, attempts FROM invocations WHERE id = $1",
            )
            .bind(Id(id.0))
            .fetch_optional(pool)
            .await?;
            row.map_or(Ok(None), ResultRow::into_model)
        }

        pub async fn records(pool: &Reader, filter: &RecordFilter) -> sqlx::Result<Vec<Record>> {
            let rows = match filter.ended {
                Some(times) => records_by_end(filter, times).build_query_as().fetch_all(pool).await?,
                None => records_by_id(filter).build_query_as().fetch_all(pool).await?,
            };
            rows.into_iter().map(RecordRow::into_model).collect()
        }

        /// Few invocations have just ended, however many the function has had before: so no index over functions is used.
        fn records_by_end(
            filter: &RecordFilter,
            (from, to): (Timestamp, Timestamp),
        ) -> QueryBuilder<$database> {
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invocations WHERE finished_at >= "
            ));
            query
                .push_bind(from.as_millisecond())
                .push(" AND finished_at <= ")
                .push_bind(to.as_millisecond());
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
            let values = [
                filter.function.as_ref().map(|name| name.as_str().to_owned()),
                state.map(|state| state.as_str().to_owned()),
            ];
            let (index, order) = match values {
                [None, None] => ("(id)", "id DESC"),
                [None, Some(_)] => ("(state, id)", "state DESC, id DESC"),
                [Some(_), _] => {
                    ("(function_name, state, id)", "function_name DESC, state DESC, id DESC")
                }
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

        pub async fn find_invocations(
            pool: &Reader,
            part: &IdPart,
            functions: &[FunctionPattern],
            limit: u32,
        ) -> sqlx::Result<Vec<InvocationId>> {
            let (first, last) = part.range();
            // Of other functions there may be any number before one of these.
            let (columns, beginnings) = match functions {
                [] => ("id", limit),
                _ => ("id, function_name", RECENT),
            };
            let mut query = QueryBuilder::<$database>::new("SELECT id FROM (SELECT id FROM (SELECT ");
            query.push(columns).push(" FROM invocations WHERE id >= ");
            query.push_bind(Id(first.0)).push(" AND id <= ").push_bind(Id(last.0));
            query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(beginnings));
            query.push(") AS beginning WHERE ");
            push_is_one_of(&mut query, functions);
            query.push(" UNION SELECT id FROM (SELECT ").push(columns);
            query.push(" FROM invocations ORDER BY id DESC LIMIT ");
            query.push_bind(i64::from(RECENT));
            query.push(concat!(") AS recent WHERE ", $digits, " LIKE '%' || "));
            query.push_bind(part.as_str().to_owned()).push(" AND ");
            push_is_one_of(&mut query, functions);
            query.push(") AS found ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
            let ids: Vec<Id> = query.build_query_scalar().fetch_all(pool).await?;
            Ok(ids.into_iter().map(|id| InvocationId(id.0)).collect())
        }

        /// Pushes a condition on the name of the function.
        fn push_is_one_of(query: &mut QueryBuilder<$database>, functions: &[FunctionPattern]) {
            if functions.is_empty() {
                query.push("TRUE");
                return;
            }
            let mut conditions = query.push("(").separated(" OR ");
            for pattern in functions {
                // Patterns have no other characters that mean something to LIKE.
                let pattern = pattern.as_str().replace('_', "\\_").replace('*', "%");
                conditions.push("function_name LIKE ").push_bind_unseparated(pattern);
                conditions.push_unseparated(" ESCAPE '\\'");
            }
            query.push(")");
        }
    };
}

pub(in crate::store) use {invocation_reads, record_columns};

//! Reads of functions, their revisions and blobs, and their instances.

/// Revisions that may be deleted: not among the newest `$1` of their function, not active, without live instances and
/// running invocations. Functions that have no more than `$1` are passed over at once.
macro_rules! doomed {
    () => {
        "SELECT r.function_id, r.number, r.source, r.bundle
             FROM revisions AS r JOIN functions AS f ON f.id = r.function_id
             WHERE r.number <> f.active_revision AND f.last_revision > $1
             AND (SELECT count(*) FROM revisions AS n
                  WHERE n.function_id = r.function_id AND n.number > r.number) >= $1
             AND NOT EXISTS (SELECT 1 FROM instances AS i JOIN leases AS l ON l.owner = i.owner
                  WHERE i.function_id = r.function_id AND i.revision = r.number)
             AND NOT EXISTS (SELECT 1 FROM invocations AS v WHERE v.state = 'running'
                  AND v.function_id = r.function_id AND v.attempt_revision = r.number)"
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
        "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.dependencies, r.image, r.created_at,
                f.created_at AS function_created_at, f.reported_warm
         FROM functions AS f JOIN revisions AS r ON r.function_id = f.id AND r.number = f.active_revision"
    };
}

macro_rules! function_reads {
    ($database:ty, now = $now:literal) => {
        use std::{collections::HashMap, time::Duration};

        use sqlx::{Pool, QueryBuilder, query_as, query_scalar};

        use crate::{
            model::{
                Digest, Function, FunctionId, FunctionName, ManagerId, Revision, RevisionNumber,
                api::Unusable,
            },
            store::{
                ActiveFunction, DeletedFunction, NamedBundle, ReportedInstance,
                reads::functions::{active_functions, doomed, orphans},
                rows::{ActiveRow, FunctionRow, Id, InstanceRow, RevisionRow, named_bundle, parse},
            },
        };

        type Reader = Pool<$database>;

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

        pub async fn deleted_functions(pool: &Reader) -> sqlx::Result<Vec<DeletedFunction>> {
            let rows: Vec<(Id, i64)> =
                query_as(concat!("SELECT id, ", $now, " - deleted_at FROM deleted_functions"))
                    .fetch_all(pool)
                    .await?;
            let deleted = rows.into_iter().map(|(id, age)| DeletedFunction {
                id: FunctionId(id.0),
                age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            });
            Ok(deleted.collect())
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
                    OR EXISTS (SELECT 1 FROM revisions WHERE bundle = digest)
                    OR EXISTS (SELECT 1 FROM revisions WHERE dependencies = digest)",
            );
            let named: Vec<String> = query.build_query_scalar().fetch_all(pool).await?;
            named.iter().map(|digest| parse(digest)).collect()
        }

        pub async fn with_old_revisions(pool: &Reader, keep: u32) -> sqlx::Result<Vec<FunctionId>> {
            let functions: Vec<Id> =
                query_scalar(concat!("SELECT DISTINCT function_id FROM (", doomed!(), ") AS doomed"))
                    .bind(i64::from(keep))
                    .fetch_all(pool)
                    .await?;
            Ok(functions.into_iter().map(|id| FunctionId(id.0)).collect())
        }

        pub async fn orphans(pool: &Reader) -> sqlx::Result<Vec<Digest>> {
            let digests: Vec<String> = query_scalar(orphans!($now)).fetch_all(pool).await?;
            digests.iter().map(|digest| parse(digest)).collect()
        }

        /// Returns the trees of dependencies that the revisions of a function name.
        pub async fn trees_of(pool: &Reader, function: FunctionId) -> sqlx::Result<Vec<Digest>> {
            let trees: Vec<String> = query_scalar(
                "SELECT DISTINCT dependencies FROM revisions
                 WHERE function_id = $1 AND dependencies IS NOT NULL",
            )
            .bind(Id(function.0))
            .fetch_all(pool)
            .await?;
            trees.iter().map(|tree| parse(tree)).collect()
        }

        pub async fn revision(
            pool: &Reader,
            function: FunctionId,
            number: RevisionNumber,
        ) -> sqlx::Result<Option<Revision>> {
            query_as::<_, RevisionRow>(
                "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.dependencies, r.image, r.created_at
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
                "SELECT r.function_id, f.name, r.number, r.spec, r.source, r.bundle, r.dependencies, r.image, r.created_at
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

        pub async fn instances(
            pool: &Reader,
            function: Option<FunctionId>,
        ) -> sqlx::Result<Vec<ReportedInstance>> {
            let mut query = QueryBuilder::<$database>::new(
                "SELECT n.id, n.manager, n.function_id, n.revision, n.sandbox, n.started_at
                 FROM instances AS n JOIN leases AS l ON l.owner = n.owner"
            );
            if let Some(function) = function {
                query.push(" WHERE n.function_id = ").push_bind(Id(function.0));
            }
            query.push(" ORDER BY n.id");
            let rows = query.build_query_as::<InstanceRow>().fetch_all(pool).await?;
            rows.into_iter().map(InstanceRow::into_model).collect()
        }

        pub async fn unusable(pool: &Reader, function: FunctionId) -> sqlx::Result<Vec<Unusable>> {
            let rows: Vec<(Id, String)> = query_as(
                "SELECT u.manager, u.reason FROM unusable AS u JOIN leases AS l ON l.owner = u.owner
                 WHERE u.function_id = $1 ORDER BY u.manager",
            )
            .bind(Id(function.0))
            .fetch_all(pool)
            .await?;
            let unusable =
                rows.into_iter().map(|(id, reason)| Unusable { manager: ManagerId(id.0), reason });
            Ok(unusable.collect())
        }

        pub async fn live_instances(
            pool: &Reader,
            functions: &[FunctionId],
        ) -> sqlx::Result<HashMap<FunctionId, u32>> {
            if functions.is_empty() {
                return Ok(HashMap::new());
            }
            let mut query = QueryBuilder::<$database>::new(
                "SELECT n.function_id, count(*) FROM instances AS n JOIN leases AS l ON l.owner = n.owner
                 WHERE n.function_id IN (",
            );
            let mut ids = query.separated(", ");
            for function in functions {
                ids.push_bind(Id(function.0));
            }
            query.push(") GROUP BY n.function_id");
            let rows: Vec<(Id, i64)> = query.build_query_as().fetch_all(pool).await?;
            let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
            Ok(rows.into_iter().map(|(id, live)| (FunctionId(id.0), count(live))).collect())
        }
    };
}

pub(in crate::store) use {active_functions, doomed, function_reads, orphans};

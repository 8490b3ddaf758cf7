//! Reads of the logs of builds.

/// Logs of failed builds of names that no function has, a week after.
macro_rules! forgotten_builds {
    ($($now:tt)*) => {
        concat!(
            "number IS NULL AND ended_at < ",
            $($now)*,
            " - 604800000 AND NOT EXISTS (SELECT 1 FROM functions AS f WHERE f.name = build_logs.name)"
        )
    };
}

macro_rules! build_log_reads {
    ($database:ty, now = $now:literal) => {
        use sqlx::{Pool, QueryBuilder, query_scalar};

        use crate::{
            model::{BuildLog, FunctionName, WhichBuild},
            store::{
                reads::build_logs::forgotten_builds,
                rows::{from_json, revision, time},
            },
        };

        type Reader = Pool<$database>;

        pub async fn build_log(
            pool: &Reader,
            function: &FunctionName,
            which: WhichBuild,
        ) -> sqlx::Result<Option<BuildLog>> {
            let mut query = QueryBuilder::<$database>::new(
                "SELECT number, ended_at, lines FROM build_logs WHERE name = ",
            );
            query.push_bind(function.as_str());
            match which {
                WhichBuild::Newest => query.push(" ORDER BY ended_at DESC LIMIT 1"),
                WhichBuild::Failed => query.push(" AND number IS NULL"),
                WhichBuild::Of(revision) => {
                    query.push(" AND number = ").push_bind(i64::from(revision.0))
                }
            };
            let found: Option<(Option<i64>, i64, String)> =
                query.build_query_as().fetch_optional(pool).await?;
            let Some((number, ended_at, lines)) = found else { return Ok(None) };
            Ok(Some(BuildLog {
                function: function.clone(),
                revision: number.map(revision).transpose()?,
                ended_at: time(ended_at)?,
                lines: from_json(&lines)?,
            }))
        }

        /// Returns whether there are logs of failed builds that are not kept any longer.
        pub async fn has_forgotten_builds(pool: &Reader) -> sqlx::Result<bool> {
            query_scalar(concat!(
                "SELECT EXISTS (SELECT 1 FROM build_logs WHERE ",
                forgotten_builds!($now),
                ")"
            ))
            .fetch_one(pool)
            .await
        }
    };
}

pub(in crate::store) use {build_log_reads, forgotten_builds};

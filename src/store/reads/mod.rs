//! The reads that are the same in both dialects, written once: [`reads!`] makes them for a pool type. Only the name of
//! the store's clock, and how a few conditions are written, differ.

pub(super) mod access;
pub(super) mod addresses;
pub(super) mod build_logs;
pub(super) mod dependencies;
pub(super) mod functions;
pub(super) mod invocations;
pub(super) mod logs;

macro_rules! reads {
    ($database:ty, dialect = $dialect:ident, now = $now:literal, digits = $digits:literal, row_ranges = $row_ranges:literal) => {
        use sqlx::{Pool, query_as, query_scalar};

        pub use self::{access::*, addresses::*, build_logs::*, dependencies::*, functions::*, invocations::*, logs::*};
        use crate::store::{
            Prunable,
            reads::{
                dependencies::{unfinished_trees, unnamed_trees},
                functions::{doomed, orphans},
            },
        };

        mod access {
            crate::store::reads::access::access_reads!($database, now = $now, row_ranges = $row_ranges);
        }
        mod addresses {
            crate::store::reads::addresses::address_reads!($database, dialect = $dialect);
        }
        mod build_logs {
            crate::store::reads::build_logs::build_log_reads!($database, now = $now);
        }
        mod dependencies {
            crate::store::reads::dependencies::dependency_reads!($database, now = $now);
        }
        mod functions {
            crate::store::reads::functions::function_reads!($database, now = $now);
        }
        mod invocations {
            crate::store::reads::invocations::invocation_reads!($database, now = $now, digits = $digits);
        }
        mod logs {
            crate::store::reads::logs::log_reads!($database, row_ranges = $row_ranges);
        }

        type Reader = Pool<$database>;

        pub async fn ping(pool: &Reader) -> sqlx::Result<()> {
            sqlx::query("SELECT 1").execute(pool).await.map(drop)
        }

        /// Reads each number in one snapshot; the sizes are those of the stored values, without the rows around them.
        pub async fn prunable(
            pool: &Reader,
            age: std::time::Duration,
            keep: u32,
        ) -> sqlx::Result<Prunable> {
            let amount = |(count, bytes): (i64, i64)| (count.unsigned_abs(), bytes.unsigned_abs());
            let age = crate::store::rows::millis(age);
            let revisions: i64 = query_scalar(concat!("SELECT count(*) FROM (", doomed!(), ") AS d"))
                .bind(i64::from(keep))
                .fetch_one(pool)
                .await?;
            let bundles: (i64, i64) = query_as(concat!(
                "WITH doomed AS (", doomed!(), ")
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
            let packages: (i64, i64) = query_as(concat!(
                "WITH doomed AS (", doomed!(), "), going AS (
                     SELECT d.tree FROM dependency_trees AS d
                     WHERE NOT EXISTS (SELECT 1 FROM revisions AS r WHERE r.dependencies = d.tree
                         AND NOT EXISTS (SELECT 1 FROM doomed AS o
                             WHERE o.function_id = r.function_id AND o.number = r.number))
                     AND (d.tree IN (",
                unnamed_trees!($now),
                ") OR EXISTS (SELECT 1 FROM revisions AS r WHERE r.dependencies = d.tree))
                     UNION ",
                unfinished_trees!($now),
                ")
                 SELECT (SELECT count(*) FROM going), CAST(coalesce(sum(octet_length(bytes)), 0) AS BIGINT)
                 FROM dependency_pieces WHERE tree IN (SELECT tree FROM going)"
            ))
            .bind(i64::from(keep))
            .fetch_one(pool)
            .await?;
            let invocations: (i64, i64) = query_as(concat!(
                "SELECT count(*), CAST(coalesce(sum(coalesce(octet_length(payload), 0)
                     + coalesce(octet_length(result), 0)), 0) AS BIGINT)
                 FROM invocations WHERE finished_at >= $2 AND finished_at < ",
                $now,
                " - $1"
            ))
            .bind(age)
            .bind($crate::store::history::NO_CLOCK)
            .fetch_one(pool)
            .await?;
            let lines: (i64, i64) = query_as(concat!(
                "SELECT count(*), CAST(coalesce(sum(octet_length(line)), 0) AS BIGINT) FROM logs WHERE ts >= $2 AND ts < ",
                $now,
                " - $1"
            ))
            .bind(age)
            .bind($crate::store::history::NO_CLOCK)
            .fetch_one(pool)
            .await?;
            Ok(Prunable {
                revisions: revisions.unsigned_abs(),
                bundles: amount(bundles),
                packages: amount(packages),
                invocations: amount(invocations),
                log_lines: amount(lines),
            })
        }
    };
}

pub(super) use reads;

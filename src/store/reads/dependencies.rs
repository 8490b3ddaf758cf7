//! Reads of installed packages.

/// Trees that no revision names.
macro_rules! unnamed_trees {
    ($($now:tt)*) => {
        concat!(
            "SELECT tree FROM dependency_trees AS d WHERE created_at < ",
            $($now)*,
            " - 3600000 AND NOT EXISTS (SELECT 1 FROM revisions AS r WHERE r.dependencies = d.tree)"
        )
    };
}

/// Trees of which pieces were stored, the last one an hour ago, and that were not named, or not any more.
macro_rules! unfinished_trees {
    ($($now:tt)*) => {
        concat!(
            "SELECT p.tree FROM dependency_pieces AS p
             WHERE NOT EXISTS (SELECT 1 FROM dependency_trees AS d WHERE d.tree = p.tree)
             GROUP BY p.tree HAVING max(p.created_at) < ",
            $($now)*,
            " - 3600000"
        )
    };
}

macro_rules! dependency_reads {
    ($database:ty, now = $now:literal) => {
        use sqlx::{Pool, query_scalar};

        use crate::{
            model::{Dependencies, Digest},
            store::{
                reads::dependencies::{unfinished_trees, unnamed_trees},
                rows::{from_json, parse},
            },
        };

        type Reader = Pool<$database>;

        pub async fn piece(pool: &Reader, tree: &Digest, number: u32) -> sqlx::Result<Option<Vec<u8>>> {
            query_scalar("SELECT bytes FROM dependency_pieces WHERE tree = $1 AND number = $2")
                .bind(tree.as_str())
                .bind(i64::from(number))
                .fetch_optional(pool)
                .await
        }

        pub async fn dependencies_for(
            pool: &Reader,
            key: &Digest,
        ) -> sqlx::Result<Option<Dependencies>> {
            let about: Option<String> =
                query_scalar("SELECT about FROM dependency_trees WHERE key = $1")
                    .bind(key.as_str())
                    .fetch_optional(pool)
                    .await?;
            about.as_deref().map(from_json).transpose()
        }

        pub async fn dependencies(pool: &Reader, tree: &Digest) -> sqlx::Result<Option<Dependencies>> {
            let about: Option<String> =
                query_scalar("SELECT about FROM dependency_trees WHERE tree = $1")
                    .bind(tree.as_str())
                    .fetch_optional(pool)
                    .await?;
            about.as_deref().map(from_json).transpose()
        }

        pub async fn unnamed_trees(pool: &Reader) -> sqlx::Result<Vec<Digest>> {
            let trees: Vec<String> = query_scalar(unnamed_trees!($now)).fetch_all(pool).await?;
            trees.iter().map(|tree| parse(tree)).collect()
        }

        pub async fn unfinished_trees(pool: &Reader) -> sqlx::Result<Vec<Digest>> {
            let trees: Vec<String> = query_scalar(unfinished_trees!($now)).fetch_all(pool).await?;
            trees.iter().map(|tree| parse(tree)).collect()
        }
    };
}

pub(in crate::store) use {dependency_reads, unfinished_trees, unnamed_trees};

//! The deletion of revisions that are no longer needed, with their blobs. The server's autovacuum frees the disk space.

use sqlx::{PgPool, query, query_as, query_scalar};

use crate::{
    model::{Digest, FunctionId},
    store::{failure::Failure, reads::functions::doomed, rows::Id},
};

/// Deletes the old revisions of one function, and returns whether there were any.
pub async fn prune_revisions(pool: &PgPool, keep: u32, function: FunctionId) -> Result<bool, Failure> {
    let mut tx = pool.begin().await?;
    let doomed: Vec<(Id, i64, String, Option<String>)> =
        query_as(concat!(doomed!(), " AND r.function_id = $2 FOR UPDATE OF r SKIP LOCKED"))
            .bind(i64::from(keep))
            .bind(Id(function.0))
            .fetch_all(&mut *tx)
            .await?;
    if doomed.is_empty() {
        return Ok(false);
    }
    let (mut numbers, mut digests) = (Vec::new(), Vec::new());
    for (_, number, source, bundle) in doomed {
        numbers.push(number);
        digests.extend([source].into_iter().chain(bundle));
    }
    // A transaction that is adding a revision of one of them holds it until its commit.
    let digests: Vec<String> =
        query_scalar("SELECT digest FROM blobs WHERE digest = ANY ($1) ORDER BY digest FOR UPDATE")
            .bind(digests)
            .fetch_all(&mut *tx)
            .await?;
    // The active revision is checked once more: it may have changed since.
    query(
        "DELETE FROM revisions AS r USING functions AS f
         WHERE r.function_id = $1 AND r.number = ANY ($2)
         AND f.id = r.function_id AND f.active_revision <> r.number",
    )
    .bind(Id(function.0))
    .bind(numbers)
    .execute(&mut *tx)
    .await?;
    // A separate statement: it sees everything that was committed before the locks were taken.
    query(
        "DELETE FROM blobs WHERE digest = ANY ($1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = digest)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = digest)",
    )
    .bind(digests)
    .execute(&mut *tx)
    .await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(true)
}

/// Deletes a blob, unless a revision names it.
pub async fn remove_blob(pool: &PgPool, digest: &Digest) -> Result<(), Failure> {
    let mut tx = pool.begin().await?;
    // A transaction that is adding a revision of it holds it until its commit.
    query("SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE")
        .bind(digest.as_str())
        .execute(&mut *tx)
        .await?;
    query(
        "DELETE FROM blobs WHERE digest = $1
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = $1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = $1)",
    )
    .bind(digest.as_str())
    .execute(&mut *tx)
    .await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(())
}

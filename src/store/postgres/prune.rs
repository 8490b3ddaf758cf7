//! The deletion of revisions that are no longer needed, with their blobs. The server's autovacuum frees the disk space.

use sqlx::{PgPool, query, query_as, query_scalar};

use crate::{
    model::FunctionId,
    store::{
        failure::Failure,
        reads::{doomed, orphans},
        rows::Id,
    },
};

pub async fn prune_revisions(
    pool: &PgPool,
    keep: u32,
    function: Option<FunctionId>,
) -> Result<Vec<FunctionId>, Failure> {
    let mut tx = pool.begin().await?;
    let doomed: Vec<(Id, i64, String, Option<String>)> = query_as(concat!(
        doomed!("now_ms()"),
        " AND ($2::uuid IS NULL OR r.function_id = $2) FOR UPDATE OF r SKIP LOCKED"
    ))
    .bind(i64::from(keep))
    .bind(function.map(|function| Id(function.0)))
    .fetch_all(&mut *tx)
    .await?;
    let (mut functions, mut numbers, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (function, number, source, bundle) in doomed {
        functions.push(function);
        numbers.push(number);
        digests.extend([source].into_iter().chain(bundle));
    }
    if function.is_none() {
        let orphans: Vec<String> = query_scalar(orphans!("now_ms()")).fetch_all(&mut *tx).await?;
        digests.extend(orphans);
    }
    // A transaction that is adding a revision of one of them holds it until its commit.
    let digests: Vec<String> =
        query_scalar("SELECT digest FROM blobs WHERE digest = ANY ($1) ORDER BY digest FOR UPDATE")
            .bind(digests)
            .fetch_all(&mut *tx)
            .await?;
    // The active revision is checked once more: it may have changed since.
    query(
        "DELETE FROM revisions AS r USING unnest($1::uuid[], $2::bigint[]) AS d (function_id, number), functions AS f
         WHERE r.function_id = d.function_id AND r.number = d.number
         AND f.id = r.function_id AND f.active_revision <> r.number",
    )
    .bind(&functions)
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
    let mut functions: Vec<FunctionId> = functions.into_iter().map(|id| FunctionId(id.0)).collect();
    functions.dedup();
    Ok(functions)
}

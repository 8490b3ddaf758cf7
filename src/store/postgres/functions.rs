//! Functions, revisions and blobs: the writes. A transaction that locks both a function and blobs takes the function
//! first, then the blobs by digest, then the tree of dependencies, then addresses, so that a deploy and a deletion cannot wait
//! for each other.

use sqlx::{PgPool, query, query_as, query_scalar};

use super::{addresses, columns};
use crate::{
    model::{Digest, Function, FunctionId, FunctionName, Revision, RevisionNumber},
    store::{
        Deletion, NewRevision,
        failure::{Failure, activation},
        rows::{FunctionRow, Id, clean, from_json, json, revision, time},
        settlement,
    },
};

pub async fn put_blob(pool: &PgPool, digest: &Digest, bytes: &[u8]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO blobs (digest, bytes, created_at) VALUES ($1, $2, now_ms()) ON CONFLICT DO NOTHING",
    )
    .bind(digest.as_str())
    .bind(bytes)
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn add_revision(pool: &PgPool, new: &NewRevision) -> Result<Revision, Failure> {
    let mut tx = pool.begin().await?;
    let (function, number, created): (Id, i64, i64) = query_as(
        "INSERT INTO functions AS f (id, name, active_revision, last_revision, created_at)
         VALUES ($1, $2, 1, 1, now_ms()) ON CONFLICT (name) DO UPDATE
         SET active_revision = f.last_revision + 1, last_revision = f.last_revision + 1
         RETURNING id, last_revision, now_ms()",
    )
    .bind(Id(FunctionId::new().0))
    .bind(new.name.as_str())
    .fetch_one(&mut *tx)
    .await?;
    // Locked until the commit: a later deletion sees this revision and keeps the blobs.
    let digests: Vec<&str> = new.bundle.iter().chain([&new.source]).map(Digest::as_str).collect();
    let there: Vec<String> =
        query_scalar("SELECT digest FROM blobs WHERE digest = ANY ($1) ORDER BY digest FOR KEY SHARE")
            .bind(digests)
            .fetch_all(&mut *tx)
            .await?;
    if let Some(bundle) = &new.bundle
        && !there.iter().any(|digest| digest == bundle.as_str())
    {
        return Err(Failure::Missing(format!("bundle {bundle}")));
    }
    if let Some(tree) = &new.dependencies {
        let found: Option<String> =
            query_scalar("SELECT tree FROM dependency_trees WHERE tree = $1 FOR KEY SHARE")
                .bind(tree.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        found.ok_or_else(|| Failure::Missing("installed packages".to_owned()))?;
    }
    if number == 1 {
        // Lines of an earlier function of this name that arrived after it was deleted.
        query("DELETE FROM logs WHERE function_name = $1")
            .bind(new.name.as_str())
            .execute(&mut *tx)
            .await?;
    }
    query(
        "INSERT INTO revisions (function_id, number, spec, source, bundle, dependencies, image, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(function)
    .bind(number)
    .bind(json(&new.spec)?)
    .bind(new.source.as_str())
    .bind(new.bundle.as_ref().map(Digest::as_str))
    .bind(new.dependencies.as_ref().map(Digest::as_str))
    .bind(&*clean(&new.image))
    .bind(created)
    .execute(&mut *tx)
    .await?;
    addresses::replace(&mut tx, function, &new.name, &new.spec).await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(Revision {
        function: FunctionId(function.0),
        name: new.name.clone(),
        number: revision(number)?,
        spec: new.spec.clone(),
        source: new.source.clone(),
        bundle: new.bundle.clone(),
        dependencies: new.dependencies.clone(),
        image: clean(&new.image).into_owned(),
        created_at: time(created)?,
    })
}

pub async fn activate(
    pool: &PgPool,
    name: &FunctionName,
    revision: RevisionNumber,
    expected: Option<RevisionNumber>,
) -> Result<Function, Failure> {
    let mut tx = pool.begin().await?;
    let found: Option<(Id, i64, i64, bool)> = query_as(
        "SELECT id, active_revision, last_revision,
                EXISTS (SELECT 1 FROM revisions WHERE function_id = id AND number = $2)
         FROM functions WHERE name = $1 FOR NO KEY UPDATE",
    )
    .bind(name.as_str())
    .bind(i64::from(revision.0))
    .fetch_optional(&mut *tx)
    .await?;
    let id = activation(name, revision, expected, found)?;
    let row: FunctionRow = query_as(
        "UPDATE functions SET active_revision = $2 WHERE id = $1
         RETURNING id, name, active_revision, created_at, reported_warm",
    )
    .bind(id)
    .bind(i64::from(revision.0))
    .fetch_one(&mut *tx)
    .await?;
    let spec: String = query_scalar("SELECT spec FROM revisions WHERE function_id = $1 AND number = $2")
        .bind(id)
        .bind(i64::from(revision.0))
        .fetch_one(&mut *tx)
        .await?;
    addresses::replace(&mut tx, id, name, &from_json(&spec)?).await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(row.into_model()?)
}

pub async fn report_warm(
    pool: &PgPool,
    name: &FunctionName,
    warm: bool,
) -> Result<Option<Function>, Failure> {
    let mut connection = pool.acquire().await?;
    let row: Option<FunctionRow> = query_as(
        "UPDATE functions SET reported_warm = $2 WHERE name = $1
         RETURNING id, name, active_revision, created_at, reported_warm",
    )
    .bind(name.as_str())
    .bind(warm)
    .fetch_optional(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(row.map(FunctionRow::into_model).transpose()?)
}

pub async fn delete_function(pool: &PgPool, name: &FunctionName) -> Result<Option<Deletion>, Failure> {
    let mut tx = pool.begin().await?;
    // Waits for callers that are accepting for it right now; everything below sees their rows.
    let row: Option<FunctionRow> = query_as(
        "SELECT id, name, active_revision, created_at, reported_warm FROM functions
         WHERE name = $1 FOR UPDATE",
    )
    .bind(name.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(function) = row.map(FunctionRow::into_model).transpose()? else { return Ok(None) };
    let id = Id(function.id.0);

    let digests: Vec<String> = query_scalar(
        "SELECT digest FROM blobs
         WHERE digest IN (SELECT source FROM revisions WHERE function_id = $1
                          UNION SELECT bundle FROM revisions WHERE function_id = $1)
         ORDER BY digest FOR UPDATE",
    )
    .bind(id)
    .fetch_all(&mut *tx)
    .await?;
    // All that may take long comes first: what is deleted further down is waited for by every function that wants its addresses.
    for statement in
        ["DELETE FROM logs WHERE function_name = $1", "DELETE FROM build_logs WHERE name = $1"]
    {
        query(statement).bind(name.as_str()).execute(&mut *tx).await?;
    }
    let secrets =
        query("DELETE FROM secrets WHERE function = $1").bind(name.as_str()).execute(&mut *tx).await?;
    let gone = settlement::function_deleted();
    let ended = query(
        "UPDATE invocations SET state = $2, reason = $3, cause = $4, dead_letter = $5, finished_at = now_ms(),
            duration_ms = greatest(0, now_ms() - accepted_at), due_at = NULL, message_at = NULL
         WHERE function_id = $1 AND state IN ('queued', 'retrying')",
    )
    .bind(id)
    .bind(gone.state)
    .bind(gone.reason)
    .bind(gone.cause)
    .bind(gone.dead_letter)
    .execute(&mut *tx)
    .await?;
    // A statement after the locks: it sees everything that was committed before they were taken.
    query(
        "DELETE FROM blobs WHERE digest = ANY ($1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = digest AND function_id <> $2)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = digest AND function_id <> $2)",
    )
    .bind(digests)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    // Deletes the revisions and the addresses, too.
    query("DELETE FROM functions WHERE id = $1").bind(id).execute(&mut *tx).await?;
    query("INSERT INTO deleted_functions (id, deleted_at) VALUES ($1, now_ms())")
        .bind(id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(Some(Deletion { function, cancelled: ended.rows_affected(), secrets: secrets.rows_affected() }))
}

pub async fn forget_deleted(pool: &PgPool, functions: &[FunctionId]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query("DELETE FROM deleted_functions WHERE id = ANY ($1)")
        .bind(columns(functions, |id| Id(id.0)))
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(())
}

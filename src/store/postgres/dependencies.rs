//! Installed packages: the writes.

use sqlx::{PgPool, query, query_scalar};

use crate::{
    model::{Dependencies, Digest},
    store::{
        failure::Failure,
        rows::{from_json, json},
    },
};

pub async fn put_piece(pool: &PgPool, tree: &Digest, number: u32, bytes: &[u8]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO dependency_pieces (tree, number, created_at, bytes) VALUES ($1, $2, now_ms(), $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(tree.as_str())
    .bind(i64::from(number))
    .bind(bytes)
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

/// Deletes the last piece of a tree that is not named; returns whether there was one.
pub async fn drop_piece(pool: &PgPool, tree: &Digest) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let dropped = query(
        "DELETE FROM dependency_pieces WHERE tree = $1
         AND number = (SELECT max(number) FROM dependency_pieces WHERE tree = $1)
         AND NOT EXISTS (SELECT 1 FROM dependency_trees WHERE tree = $1)",
    )
    .bind(tree.as_str())
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(dropped.rows_affected() > 0)
}

pub async fn add_dependencies(pool: &PgPool, new: &Dependencies) -> Result<Dependencies, Failure> {
    let mut connection = pool.acquire().await?;
    // Of one that is there already nothing changes; it is locked, and so returned as it is when this ends.
    let about: String = query_scalar(
        "INSERT INTO dependency_trees AS d (tree, key, about, created_at) VALUES ($1, $2, $3, now_ms())
         ON CONFLICT (key) DO UPDATE SET about = d.about RETURNING about",
    )
    .bind(new.tree.as_str())
    .bind(new.key.as_str())
    .bind(json(new)?)
    .fetch_one(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(from_json(&about)?)
}

/// Takes a tree's name away, unless a revision names it; returns whether it had one.
pub async fn forget_tree(pool: &PgPool, tree: &Digest) -> Result<bool, Failure> {
    let mut tx = pool.begin().await?;
    // A transaction that is adding a revision with it holds it until its commit.
    query("SELECT 1 FROM dependency_trees WHERE tree = $1 FOR UPDATE")
        .bind(tree.as_str())
        .execute(&mut *tx)
        .await?;
    let forgotten = query(
        "DELETE FROM dependency_trees WHERE tree = $1
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE dependencies = $1)",
    )
    .bind(tree.as_str())
    .execute(&mut *tx)
    .await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(forgotten.rows_affected() > 0)
}

/// A tree without its key has its own name in the place of one.
pub async fn add_fresh(pool: &PgPool, new: &Dependencies) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO dependency_trees (tree, key, about, created_at) VALUES ($1, $1, $2, now_ms())
         ON CONFLICT DO NOTHING",
    )
    .bind(new.tree.as_str())
    .bind(json(new)?)
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn use_fresh(pool: &PgPool, tree: &Digest) -> Result<(), Failure> {
    let mut tx = pool.begin().await?;
    let about: Option<String> =
        query_scalar("SELECT about FROM dependency_trees WHERE tree = $1 AND key = $1")
            .bind(tree.as_str())
            .fetch_optional(&mut *tx)
            .await?;
    let Some(about) = about else { return Ok(()) };
    let Dependencies { key, .. } = from_json(&about)?;
    // The second of two that want the key waits here, and sees then who has it.
    for statement in [
        "SELECT 1 FROM dependency_trees WHERE key = $2 AND tree <> $1 FOR UPDATE",
        "UPDATE dependency_trees SET key = tree WHERE key = $2 AND tree <> $1",
        "UPDATE dependency_trees SET key = $2 WHERE tree = $1",
    ] {
        query(statement).bind(tree.as_str()).bind(key.as_str()).execute(&mut *tx).await?;
    }
    tx.commit().await.map_err(Failure::committing)?;
    Ok(())
}

//! Installed packages: the writes.

use bytes::Bytes;
use sqlx::{SqliteConnection, query, query_scalar};

use super::{now, writer::Writer};
use crate::{
    model::{Dependencies, Digest},
    store::{
        failure::Failure,
        rows::{from_json, json},
    },
};

pub async fn put_piece(
    writer: &Writer,
    tree: &Digest,
    number: u32,
    bytes: &Bytes,
) -> Result<(), Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (tree, number, bytes): &(Digest, u32, Bytes),
    ) -> Result<(), Failure> {
        query(concat!(
            "INSERT INTO dependency_pieces (tree, number, created_at, bytes) VALUES ($1, $2, ",
            now!(),
            ", $3) ON CONFLICT DO NOTHING"
        ))
        .bind(tree.as_str())
        .bind(i64::from(*number))
        .bind(&bytes[..])
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    let piece = (tree.clone(), number, bytes.clone());
    writer.write_bytes(bytes.len(), piece, |tx, arguments| Box::pin(run(tx, arguments))).await
}

/// Deletes the last piece of a tree that is not named; returns whether there was one.
pub async fn drop_piece(writer: &Writer, tree: &Digest) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, tree: &Digest) -> Result<bool, Failure> {
        let dropped = query(
            "DELETE FROM dependency_pieces WHERE tree = $1
             AND number = (SELECT max(number) FROM dependency_pieces WHERE tree = $1)
             AND NOT EXISTS (SELECT 1 FROM dependency_trees WHERE tree = $1)",
        )
        .bind(tree.as_str())
        .execute(&mut *tx)
        .await?;
        Ok(dropped.rows_affected() > 0)
    }
    writer.write(tree.clone(), |tx, tree| Box::pin(run(tx, tree))).await
}

pub async fn add_dependencies(writer: &Writer, new: &Dependencies) -> Result<Dependencies, Failure> {
    async fn run(tx: &mut SqliteConnection, new: &Dependencies) -> Result<Dependencies, Failure> {
        query(concat!(
            "INSERT INTO dependency_trees (tree, key, about, created_at) VALUES ($1, $2, $3, ",
            now!(),
            ") ON CONFLICT (key) DO NOTHING"
        ))
        .bind(new.tree.as_str())
        .bind(new.key.as_str())
        .bind(json(new)?)
        .execute(&mut *tx)
        .await?;
        let about: String = query_scalar("SELECT about FROM dependency_trees WHERE key = $1")
            .bind(new.key.as_str())
            .fetch_one(&mut *tx)
            .await?;
        Ok(from_json(&about)?)
    }
    writer.write(new.clone(), |tx, new| Box::pin(run(tx, new))).await
}

/// Takes a tree's name away, unless a revision names it; returns whether it had one.
pub async fn forget_tree(writer: &Writer, tree: &Digest) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, tree: &Digest) -> Result<bool, Failure> {
        let forgotten = query(
            "DELETE FROM dependency_trees WHERE tree = $1
             AND NOT EXISTS (SELECT 1 FROM revisions WHERE dependencies = $1)",
        )
        .bind(tree.as_str())
        .execute(&mut *tx)
        .await?;
        Ok(forgotten.rows_affected() > 0)
    }
    writer.write(tree.clone(), |tx, tree| Box::pin(run(tx, tree))).await
}

/// A tree without its key has its own name in the place of one.
pub async fn add_fresh(writer: &Writer, new: &Dependencies) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, new: &Dependencies) -> Result<(), Failure> {
        query(concat!(
            "INSERT INTO dependency_trees (tree, key, about, created_at) VALUES ($1, $1, $2, ",
            now!(),
            ") ON CONFLICT DO NOTHING"
        ))
        .bind(new.tree.as_str())
        .bind(json(new)?)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write(new.clone(), |tx, new| Box::pin(run(tx, new))).await
}

pub async fn use_fresh(writer: &Writer, tree: &Digest) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, tree: &Digest) -> Result<(), Failure> {
        let about: Option<String> =
            query_scalar("SELECT about FROM dependency_trees WHERE tree = $1 AND key = $1")
                .bind(tree.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        let Some(about) = about else { return Ok(()) };
        let Dependencies { key, .. } = from_json(&about)?;
        for statement in [
            "UPDATE dependency_trees SET key = tree WHERE key = $2 AND tree <> $1",
            "UPDATE dependency_trees SET key = $2 WHERE tree = $1",
        ] {
            query(statement).bind(tree.as_str()).bind(key.as_str()).execute(&mut *tx).await?;
        }
        Ok(())
    }
    writer.write(tree.clone(), |tx, tree| Box::pin(run(tx, tree))).await
}

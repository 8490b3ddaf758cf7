//! Returning disk space: revisions that are no longer needed, with their blobs, and the file's empty pages.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection, query, query_as, sqlite::SqliteConnectOptions};

use super::{connection::connect_when_free, writer::Writer};
use crate::{
    model::{Digest, FunctionId},
    store::{failure::Failure, reads::functions::doomed, rows::Id},
};

/// Deletes the old revisions of one function, and returns whether there were any.
pub async fn prune_revisions(writer: &Writer, keep: u32, function: FunctionId) -> Result<bool, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (keep, function): &(u32, FunctionId),
    ) -> Result<bool, Failure> {
        let doomed: Vec<(Id, i64, String, Option<String>)> =
            query_as(concat!(doomed!(), " AND r.function_id = $2"))
                .bind(i64::from(*keep))
                .bind(Id(function.0))
                .fetch_all(&mut *tx)
                .await?;
        let is_pruned = !doomed.is_empty();
        let mut digests = Vec::new();
        for (function, number, source, bundle) in doomed {
            query("DELETE FROM revisions WHERE function_id = $1 AND number = $2")
                .bind(function)
                .bind(number)
                .execute(&mut *tx)
                .await?;
            digests.extend([source].into_iter().chain(bundle));
        }
        for digest in digests {
            remove(tx, &digest).await?;
        }
        Ok(is_pruned)
    }
    writer.write((keep, function), |tx, arguments| Box::pin(run(tx, arguments))).await
}

/// Deletes a blob, unless a revision names it.
pub async fn remove_blob(writer: &Writer, digest: &Digest) -> Result<(), Failure> {
    writer.write(digest.clone(), |tx, digest| Box::pin(remove(tx, digest.as_str()))).await
}

async fn remove(tx: &mut SqliteConnection, digest: &str) -> Result<(), Failure> {
    query(
        "DELETE FROM blobs WHERE digest = $1
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = $1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = $1)",
    )
    .bind(digest)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Uses a connection of its own: it cannot be part of a transaction. Writes of others wait for it.
pub async fn vacuum(options: &SqliteConnectOptions, path: &Path) -> Result<u64, Failure> {
    let size = || std::fs::metadata(path).map_or(0, |file| file.len());
    let before = size();
    let mut connection = connect_when_free(options).await?;
    query("VACUUM").execute(&mut connection).await?;
    // Until then the new pages are in the log, and the file keeps its length.
    query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await?;
    Ok(before.saturating_sub(size()))
}

//! Returning disk space: revisions that are no longer needed, with their blobs, and the file's empty pages.

use std::path::Path;

use sqlx::{
    Connection as _, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteConnectOptions,
};

use super::{
    now,
    writer::{Writer, connect_when_free},
};
use crate::{
    model::FunctionId,
    store::{
        failure::Failure,
        reads::{doomed, orphans},
        rows::Id,
    },
};

pub async fn prune_revisions(
    writer: &Writer,
    keep: u32,
    function: Option<FunctionId>,
) -> Result<Vec<FunctionId>, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (keep, function): &(u32, Option<FunctionId>),
    ) -> Result<Vec<FunctionId>, Failure> {
        let only = function.map(|function| Id(function.0));
        let doomed: Vec<(Id, i64, String, Option<String>)> =
            query_as(concat!(doomed!(now!()), " AND ($2 IS NULL OR r.function_id = $2)"))
                .bind(i64::from(*keep))
                .bind(only)
                .fetch_all(&mut *tx)
                .await?;
        let (mut functions, mut digests) = (Vec::new(), Vec::new());
        for (function, number, source, bundle) in doomed {
            query("DELETE FROM revisions WHERE function_id = $1 AND number = $2")
                .bind(function)
                .bind(number)
                .execute(&mut *tx)
                .await?;
            functions.push(FunctionId(function.0));
            digests.extend([source].into_iter().chain(bundle));
        }
        if function.is_none() {
            let orphans: Vec<String> = query_scalar(orphans!(now!())).fetch_all(&mut *tx).await?;
            digests.extend(orphans);
        }
        for digest in digests {
            query(
                "DELETE FROM blobs WHERE digest = $1
                 AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = $1)
                 AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = $1)",
            )
            .bind(digest)
            .execute(&mut *tx)
            .await?;
        }
        functions.dedup();
        Ok(functions)
    }
    writer.write((keep, function), |tx, arguments| Box::pin(run(tx, arguments))).await
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

//! Functions, revisions and blobs: the writes.

use bytes::Bytes;
use sqlx::{SqliteConnection, query, query_as, query_scalar};

use super::{addresses, now, writer::Writer};
use crate::{
    model::{Digest, Function, FunctionId, FunctionName, Revision, RevisionNumber},
    store::{
        Deletion, NewRevision,
        failure::{Failure, activation},
        rows::{FunctionRow, Id, clean, from_json, json, revision, time},
        settlement,
    },
};

pub async fn put_blob(writer: &Writer, digest: &Digest, bytes: &Bytes) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, (digest, bytes): &(Digest, Bytes)) -> Result<(), Failure> {
        query(concat!(
            "INSERT INTO blobs (digest, bytes, created_at) VALUES ($1, $2, ",
            now!(),
            ") ON CONFLICT DO NOTHING"
        ))
        .bind(digest.as_str())
        .bind(&bytes[..])
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    let blob = (digest.clone(), bytes.clone());
    writer.write_bytes(bytes.len(), blob, |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn add_revision(writer: &Writer, new: &NewRevision) -> Result<Revision, Failure> {
    async fn run(tx: &mut SqliteConnection, new: &NewRevision) -> Result<Revision, Failure> {
        if let Some(bundle) = &new.bundle {
            let there: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = $1)")
                .bind(bundle.as_str())
                .fetch_one(&mut *tx)
                .await?;
            if !there {
                return Err(Failure::Missing(format!("bundle {bundle}")));
            }
        }
        if let Some(tree) = &new.dependencies {
            let found: Option<String> =
                query_scalar("SELECT tree FROM dependency_trees WHERE tree = $1")
                    .bind(tree.as_str())
                    .fetch_optional(&mut *tx)
                    .await?;
            found.ok_or_else(|| Failure::Missing("installed packages".to_owned()))?;
        }
        let (function, number, created): (Id, i64, i64) = query_as(concat!(
            "INSERT INTO functions AS f (id, name, active_revision, last_revision, created_at)
         VALUES ($1, $2, 1, 1, ",
            now!(),
            ") ON CONFLICT (name) DO UPDATE
         SET active_revision = f.last_revision + 1, last_revision = f.last_revision + 1
         RETURNING id, last_revision, ",
            now!()
        ))
        .bind(Id(FunctionId::new().0))
        .bind(new.name.as_str())
        .fetch_one(&mut *tx)
        .await?;
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
        addresses::replace(tx, function, &new.name, &new.spec).await?;
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
    writer.write(new.clone(), |tx, new| Box::pin(run(tx, new))).await
}

pub async fn activate(
    writer: &Writer,
    name: &FunctionName,
    revision: RevisionNumber,
    expected: Option<RevisionNumber>,
) -> Result<Function, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (name, revision, expected): &(FunctionName, RevisionNumber, Option<RevisionNumber>),
    ) -> Result<Function, Failure> {
        let found: Option<(Id, i64, i64, bool)> = query_as(
            "SELECT id, active_revision, last_revision,
                EXISTS (SELECT 1 FROM revisions WHERE function_id = id AND number = $2)
         FROM functions WHERE name = $1",
        )
        .bind(name.as_str())
        .bind(i64::from(revision.0))
        .fetch_optional(&mut *tx)
        .await?;
        let id = activation(name, *revision, *expected, found)?;
        let row: FunctionRow = query_as(
            "UPDATE functions SET active_revision = $2 WHERE id = $1
         RETURNING id, name, active_revision, created_at, reported_warm",
        )
        .bind(id)
        .bind(i64::from(revision.0))
        .fetch_one(&mut *tx)
        .await?;
        let spec: String =
            query_scalar("SELECT spec FROM revisions WHERE function_id = $1 AND number = $2")
                .bind(id)
                .bind(i64::from(revision.0))
                .fetch_one(&mut *tx)
                .await?;
        addresses::replace(tx, id, name, &from_json(&spec)?).await?;
        Ok(row.into_model()?)
    }
    writer.write((name.clone(), revision, expected), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn report_warm(
    writer: &Writer,
    name: &FunctionName,
    warm: bool,
) -> Result<Option<Function>, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (name, warm): &(FunctionName, bool),
    ) -> Result<Option<Function>, Failure> {
        let row: Option<FunctionRow> = query_as(
            "UPDATE functions SET reported_warm = $2 WHERE name = $1
         RETURNING id, name, active_revision, created_at, reported_warm",
        )
        .bind(name.as_str())
        .bind(warm)
        .fetch_optional(&mut *tx)
        .await?;
        Ok(row.map(FunctionRow::into_model).transpose()?)
    }
    writer.write((name.clone(), warm), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn delete_function(writer: &Writer, name: &FunctionName) -> Result<Option<Deletion>, Failure> {
    async fn run(tx: &mut SqliteConnection, name: &FunctionName) -> Result<Option<Deletion>, Failure> {
        let row: Option<FunctionRow> = query_as(
            "SELECT id, name, active_revision, created_at, reported_warm FROM functions WHERE name = $1",
        )
        .bind(name.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(function) = row.map(FunctionRow::into_model).transpose()? else {
            return Ok(None);
        };
        let id = Id(function.id.0);

        query(
            "DELETE FROM blobs WHERE digest IN (SELECT source FROM revisions WHERE function_id = $1
                                            UNION SELECT bundle FROM revisions WHERE function_id = $1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE source = digest AND function_id <> $1)
         AND NOT EXISTS (SELECT 1 FROM revisions WHERE bundle = digest AND function_id <> $1)",
        )
        .bind(id)
        .execute(&mut *tx)
        .await?;
        // Deletes the revisions too.
        query("DELETE FROM functions WHERE id = $1").bind(id).execute(&mut *tx).await?;
        query(concat!("INSERT INTO deleted_functions (id, deleted_at) VALUES ($1, ", now!(), ")"))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        for statement in
            ["DELETE FROM logs WHERE function_name = $1", "DELETE FROM build_logs WHERE name = $1"]
        {
            query(statement).bind(name.as_str()).execute(&mut *tx).await?;
        }
        let secrets = query("DELETE FROM secrets WHERE function = $1")
            .bind(name.as_str())
            .execute(&mut *tx)
            .await?;
        let gone = settlement::function_deleted();
        let ended = query(concat!(
            "UPDATE invocations SET state = $2, reason = $3, cause = $4, dead_letter = $5, finished_at = ",
            now!(),
            ", duration_ms = max(0, ",
            now!(),
            " - accepted_at), due_at = NULL, message_at = NULL
         WHERE function_id = $1 AND state IN ('queued', 'retrying')"
        ))
        .bind(id)
        .bind(gone.state)
        .bind(gone.reason)
        .bind(gone.cause)
        .bind(gone.dead_letter)
        .execute(&mut *tx)
        .await?;
        Ok(Some(Deletion {
            function,
            cancelled: ended.rows_affected(),
            secrets: secrets.rows_affected(),
        }))
    }
    writer.write(name.clone(), |tx, name| Box::pin(run(tx, name))).await
}

pub async fn forget_deleted(writer: &Writer, functions: &[FunctionId]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, functions: &[FunctionId]) -> Result<(), Failure> {
        for id in functions {
            query("DELETE FROM deleted_functions WHERE id = $1")
                .bind(Id(id.0))
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
    writer.write(functions.to_vec(), |tx, functions| Box::pin(run(tx, functions))).await
}

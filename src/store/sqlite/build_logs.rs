//! The logs of builds: the writes.

use sqlx::{SqliteConnection, query};

use super::{now, writer::Writer};
use crate::store::{
    NewBuildLog,
    failure::Failure,
    reads::build_logs::forgotten_builds,
    rows::{Id, json},
};

pub async fn put_build_log(writer: &Writer, new: &NewBuildLog) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, new: &NewBuildLog) -> Result<(), Failure> {
        match new.revision {
            None => {
                query("DELETE FROM build_logs WHERE name = $1 AND number IS NULL")
                    .bind(new.name.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
            Some((function, number)) => {
                query("DELETE FROM build_logs WHERE function_id = $1 AND number = $2")
                    .bind(Id(function.0))
                    .bind(i64::from(number.0))
                    .execute(&mut *tx)
                    .await?;
            }
        }
        query(concat!(
            "INSERT INTO build_logs (name, function_id, number, ended_at, lines) VALUES ($1, $2, $3, ",
            now!(),
            ", $4)"
        ))
        .bind(new.name.as_str())
        .bind(new.revision.map(|(function, _)| Id(function.0)))
        .bind(new.revision.map(|(_, number)| i64::from(number.0)))
        .bind(json(&new.lines)?)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write(new.clone(), |tx, new| Box::pin(run(tx, new))).await
}

/// Deletes the logs of failed builds of names that no function has, after a while.
pub async fn forget_builds(writer: &Writer) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection) -> Result<(), Failure> {
        query(concat!("DELETE FROM build_logs WHERE ", forgotten_builds!(now!()))).execute(tx).await?;
        Ok(())
    }
    writer.write((), |tx, ()| Box::pin(run(tx))).await
}

//! The logs of builds: the writes.

use sqlx::{PgPool, query};

use crate::store::{
    NewBuildLog,
    failure::Failure,
    reads::build_logs::forgotten_builds,
    rows::{Id, json},
};

pub async fn put_build_log(pool: &PgPool, new: &NewBuildLog) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    // Of a revision there is one; of a name, one that failed.
    let statement = match new.revision {
        Some(_) => {
            "INSERT INTO build_logs (name, function_id, number, ended_at, lines) VALUES ($1, $2, $3, now_ms(), $4)
             ON CONFLICT (function_id, number) DO UPDATE SET ended_at = excluded.ended_at, lines = excluded.lines"
        }
        None => {
            "INSERT INTO build_logs (name, function_id, number, ended_at, lines) VALUES ($1, $2, $3, now_ms(), $4)
             ON CONFLICT (name) WHERE number IS NULL DO UPDATE SET ended_at = excluded.ended_at, lines = excluded.lines"
        }
    };
    query(statement)
        .bind(new.name.as_str())
        .bind(new.revision.map(|(function, _)| Id(function.0)))
        .bind(new.revision.map(|(_, number)| i64::from(number.0)))
        .bind(json(&new.lines)?)
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(())
}

/// Deletes the logs of failed builds of names that no function has, after a while.
pub async fn forget_builds(pool: &PgPool) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(concat!("DELETE FROM build_logs WHERE ", forgotten_builds!("now_ms()")))
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(())
}

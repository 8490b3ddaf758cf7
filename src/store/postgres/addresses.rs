//! The addresses of functions: the writes, each in a transaction that makes a revision active.

use sqlx::{PgConnection, query, query_as};

use crate::{
    model::{FunctionName, FunctionSpec, HttpSpec},
    store::{
        failure::Failure,
        rows::{Id, TakenRow, address_taken, json},
        statements::{asked, taken},
    },
};

/// The key of the advisory lock under which addresses are taken. Of two functions that exchange addresses at the same moment,
/// each would wait for the row that the other has deleted.
const LOCK: i64 = 0x6164_6472_6573_7365;

/// Gives the function the addresses of its revision that becomes active, in place of those that it has. The last thing that a
/// transaction does: it holds up all others that take addresses. So it does not wait for long for what others hold.
pub async fn replace(
    tx: &mut PgConnection,
    function: Id,
    name: &FunctionName,
    spec: &FunctionSpec,
) -> Result<(), Failure> {
    write(tx, function, name, spec).await.map_err(|failure| match failure {
        Failure::Before(error) if has_waited(&error) => Failure::AddressesHeld,
        other => other,
    })
}

/// Returns whether a statement was cancelled by the limit of its wait for a lock.
fn has_waited(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

async fn write(
    tx: &mut PgConnection,
    function: Id,
    name: &FunctionName,
    spec: &FunctionSpec,
) -> Result<(), Failure> {
    let addresses = spec.http.as_ref().map(HttpSpec::addresses).unwrap_or_default();
    if !addresses.is_empty() {
        // Of this transaction only, which does nothing else afterwards.
        query("SET LOCAL lock_timeout = '3s'").execute(&mut *tx).await?;
        query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    }
    query("DELETE FROM addresses WHERE function_id = $1").bind(function).execute(&mut *tx).await?;
    let (wanted, mut added) = (json(&addresses)?, 0);
    while added < addresses.len() as u64 {
        // Waits for a deletion of the function that has one of them.
        let inserted = query(concat!(
            "INSERT INTO addresses (host, method, path, function_id)
             SELECT asked.host, asked.method, asked.path, $2 FROM ",
            asked!(postgres),
            " ON CONFLICT DO NOTHING"
        ))
        .bind(wanted.as_str())
        .bind(function)
        .execute(&mut *tx)
        .await?;
        added += inserted.rows_affected();
        if added == addresses.len() as u64 {
            break;
        }
        let found: Option<TakenRow> = query_as(taken!(postgres))
            .bind(wanted.as_str())
            .bind(name.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if let (Some(found), Some(http)) = (found, &spec.http) {
            return Err(Failure::AddressTaken(address_taken(found, http)?));
        }
        // Its function was deleted between the two statements, and the address is free.
    }
    Ok(())
}

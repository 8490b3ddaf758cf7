//! The addresses of functions: the writes, each in a transaction that makes a revision active.

use sqlx::{SqliteConnection, query, query_as};

use crate::{
    model::{FunctionName, FunctionSpec},
    store::{
        failure::Failure,
        rows::{Id, TakenRow, address_taken, json},
        statements::{asked, taken},
    },
};

/// Gives the function the addresses of its revision that becomes active, in place of those that it has.
pub async fn replace(
    tx: &mut SqliteConnection,
    function: Id,
    name: &FunctionName,
    spec: &FunctionSpec,
) -> Result<(), Failure> {
    query("DELETE FROM addresses WHERE function_id = $1").bind(function).execute(&mut *tx).await?;
    let Some(http) = &spec.http else { return Ok(()) };
    let addresses = http.addresses();
    let wanted = json(&addresses)?;
    // Without `WHERE`, SQLite takes `ON` for that of a join.
    let inserted = query(concat!(
        "INSERT INTO addresses (host, method, path, function_id)
         SELECT asked.host, asked.method, asked.path, $2 FROM ",
        asked!(sqlite),
        " WHERE true ON CONFLICT DO NOTHING"
    ))
    .bind(wanted.as_str())
    .bind(function)
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == addresses.len() as u64 {
        return Ok(());
    }
    // Nothing else writes meanwhile.
    let found: TakenRow =
        query_as(taken!(sqlite)).bind(wanted.as_str()).bind(name.as_str()).fetch_one(&mut *tx).await?;
    Err(Failure::AddressTaken(address_taken(found, http)?))
}

//! Secrets: the writes. What is replaced or deleted may stay on free pages of the file: it is encrypted.

use sqlx::{SqliteConnection, query};

use super::{now, writer::Writer};
use crate::{
    model::{SealedSecret, SecretPlace},
    store::{
        failure::Failure,
        rows::{Id, clean, function_column},
    },
};

const REPLACE: &str = concat!(
    "UPDATE secrets SET version = $3, key = $4, sealed = $5, set_by = $6, set_at = ",
    now!(),
    " WHERE function = $1 AND name = $2"
);
const INSERT: &str = concat!(
    "INSERT INTO secrets (function, name, version, key, sealed, set_by, created_at, set_at)
     VALUES ($1, $2, $3, $4, $5, $6, ",
    now!(),
    ", ",
    now!(),
    ")"
);

pub async fn put_secret(
    writer: &Writer,
    secret: &SealedSecret,
    existing: bool,
) -> Result<Option<bool>, Failure> {
    async fn put(
        tx: &mut SqliteConnection,
        statement: &'static str,
        secret: &SealedSecret,
    ) -> Result<bool, Failure> {
        let put = query(statement)
            .bind(function_column(&secret.place))
            .bind(secret.place.name.as_str())
            .bind(Id(secret.version.0))
            .bind(secret.key.0.as_str())
            .bind(&secret.sealed[..])
            .bind(&*clean(&secret.set_by))
            .execute(&mut *tx)
            .await?;
        Ok(put.rows_affected() > 0)
    }
    async fn run(
        tx: &mut SqliteConnection,
        (secret, existing): &(SealedSecret, bool),
    ) -> Result<Option<bool>, Failure> {
        if put(tx, REPLACE, secret).await? {
            return Ok(Some(true));
        }
        if *existing {
            return Ok(None);
        }
        put(tx, INSERT, secret).await?;
        Ok(Some(false))
    }
    let (bytes, arguments) = (secret.sealed.len(), (secret.clone(), existing));
    writer.write_bytes(bytes, arguments, |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn reseal_secret(writer: &Writer, secret: &SealedSecret) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, secret: &SealedSecret) -> Result<bool, Failure> {
        let resealed = query(
            "UPDATE secrets SET key = $4, sealed = $5 WHERE function = $1 AND name = $2 AND version = $3",
        )
        .bind(function_column(&secret.place))
        .bind(secret.place.name.as_str())
        .bind(Id(secret.version.0))
        .bind(secret.key.0.as_str())
        .bind(&secret.sealed[..])
        .execute(&mut *tx)
        .await?;
        Ok(resealed.rows_affected() > 0)
    }
    let bytes = secret.sealed.len();
    writer.write_bytes(bytes, secret.clone(), |tx, secret| Box::pin(run(tx, secret))).await
}

pub async fn delete_secret(writer: &Writer, place: &SecretPlace) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, place: &SecretPlace) -> Result<bool, Failure> {
        let deleted = query("DELETE FROM secrets WHERE function = $1 AND name = $2")
            .bind(function_column(place))
            .bind(place.name.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }
    writer.write(place.clone(), |tx, place| Box::pin(run(tx, place))).await
}

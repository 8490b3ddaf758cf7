//! Secrets: the writes.

use sqlx::{PgConnection, PgPool, query};

use crate::{
    model::{SealedSecret, SecretPlace},
    store::{
        failure::Failure,
        rows::{Id, clean, function_column},
    },
};

const REPLACE: &str =
    "UPDATE secrets SET version = $3, key = $4, sealed = $5, set_by = $6, set_at = now_ms()
     WHERE function = $1 AND name = $2";
const INSERT: &str =
    "INSERT INTO secrets (function, name, version, key, sealed, set_by, created_at, set_at)
     VALUES ($1, $2, $3, $4, $5, $6, now_ms(), now_ms()) ON CONFLICT (function, name) DO NOTHING";

pub async fn put_secret(
    pool: &PgPool,
    secret: &SealedSecret,
    existing: bool,
) -> Result<Option<bool>, Failure> {
    async fn put(
        connection: &mut PgConnection,
        statement: &'static str,
        secret: &SealedSecret,
    ) -> Result<bool, Failure> {
        let put = query(statement)
            .bind(function_column(&secret.place))
            .bind(secret.place.name.as_str())
            .bind(Id(secret.version.0))
            .bind(secret.key.0.as_str())
            .bind(&secret.sealed[..])
            .bind(clean(&secret.set_by).into_owned())
            .execute(&mut *connection)
            .await
            .map_err(Failure::committing)?;
        Ok(put.rows_affected() > 0)
    }
    let mut connection = pool.acquire().await?;
    // Between the two statements another call may set or delete it; then they are tried again.
    loop {
        if put(&mut connection, REPLACE, secret).await? {
            return Ok(Some(true));
        }
        if existing {
            return Ok(None);
        }
        if put(&mut connection, INSERT, secret).await? {
            return Ok(Some(false));
        }
    }
}

pub async fn reseal_secret(pool: &PgPool, secret: &SealedSecret) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let resealed = query(
        "UPDATE secrets SET key = $4, sealed = $5 WHERE function = $1 AND name = $2 AND version = $3",
    )
    .bind(function_column(&secret.place))
    .bind(secret.place.name.as_str())
    .bind(Id(secret.version.0))
    .bind(secret.key.0.as_str())
    .bind(&secret.sealed[..])
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(resealed.rows_affected() > 0)
}

pub async fn delete_secret(pool: &PgPool, place: &SecretPlace) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let deleted = query("DELETE FROM secrets WHERE function = $1 AND name = $2")
        .bind(function_column(place))
        .bind(place.name.as_str())
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(deleted.rows_affected() > 0)
}

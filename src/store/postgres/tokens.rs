//! Tokens: the writes.

use std::time::Duration;

use sqlx::{PgPool, query, query_as};

use super::columns;
use crate::{
    model::{Digest, StoredToken, TokenName},
    store::{
        AddToken, KEEP_EXPIRED,
        failure::Failure,
        reads::access::token_columns,
        rows::{TokenRow, clean, json, life, millis},
    },
};

pub async fn add_token(pool: &PgPool, new: &AddToken) -> Result<Option<StoredToken>, Failure> {
    let functions = json(&new.functions)?;
    let mut connection = pool.acquire().await?;
    let row: Option<TokenRow> = query_as(concat!(
        "INSERT INTO tokens (name, digest, role, functions, rate_limit, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, now_ms(), now_ms() + $7)
         ON CONFLICT (name) DO NOTHING RETURNING ",
        token_columns!("now_ms()")
    ))
    .bind(new.name.as_str())
    .bind(new.digest.as_str())
    .bind(new.role.as_str())
    .bind(functions)
    .bind(new.rate_limit.map(|limit| limit.to_string()))
    .bind(clean(&new.created_by).into_owned())
    .bind(new.expires_in.map(life))
    .fetch_optional(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(row.map(TokenRow::into_model).transpose()?)
}

pub async fn rotate_token(
    pool: &PgPool,
    name: &TokenName,
    digest: &Digest,
    keep_old: Duration,
) -> Result<Option<StoredToken>, Failure> {
    let mut connection = pool.acquire().await?;
    let row: Option<TokenRow> = query_as(concat!(
        "UPDATE tokens SET old_digest = digest, old_until = now_ms() + $3, digest = $2
         WHERE name = $1 RETURNING ",
        token_columns!("now_ms()")
    ))
    .bind(name.as_str())
    .bind(digest.as_str())
    .bind(life(keep_old))
    .fetch_optional(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(row.map(TokenRow::into_model).transpose()?)
}

pub async fn revoke_token(pool: &PgPool, name: &TokenName) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let revoked = query("DELETE FROM tokens WHERE name = $1")
        .bind(name.as_str())
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(revoked.rows_affected() > 0)
}

/// A note from the future is one of a clock that was set back since. Of two registries that note the same tokens, neither waits
/// for the other.
pub async fn note_uses(pool: &PgPool, names: &[TokenName]) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "UPDATE tokens SET last_used_at = now_ms() WHERE name = ANY (ARRAY (
            SELECT name FROM tokens WHERE name = ANY ($1::text[])
            AND (last_used_at IS NULL OR last_used_at NOT BETWEEN now_ms() - 59999 AND now_ms())
            FOR UPDATE SKIP LOCKED))",
    )
    .bind(columns(names, TokenName::as_str))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

/// Deletes some of the tokens that expired long ago; returns how many.
pub async fn prune_tokens(pool: &PgPool, limit: u32) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    let pruned = query(
        "DELETE FROM tokens WHERE name = ANY (ARRAY (
            SELECT name FROM tokens WHERE expires_at < now_ms() - $1
            ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(millis(KEEP_EXPIRED))
    .bind(i64::from(limit))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(pruned.rows_affected())
}

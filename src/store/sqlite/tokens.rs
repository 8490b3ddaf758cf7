//! Tokens: the writes.

use std::time::Duration;

use sqlx::{SqliteConnection, query, query_as};

use super::{now, writer::Writer};
use crate::{
    model::{Digest, StoredToken, TokenName},
    store::{
        AddToken, KEEP_EXPIRED,
        failure::Failure,
        reads::access::token_columns,
        rows::{TokenRow, clean, json, life, millis},
    },
};

pub async fn add_token(writer: &Writer, new: &AddToken) -> Result<Option<StoredToken>, Failure> {
    async fn run(tx: &mut SqliteConnection, new: &AddToken) -> Result<Option<StoredToken>, Failure> {
        let row: Option<TokenRow> = query_as(concat!(
            "INSERT INTO tokens (name, digest, role, functions, rate_limit, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, ",
            now!(),
            ", ",
            now!(),
            " + $7) ON CONFLICT (name) DO NOTHING RETURNING ",
            token_columns!(now!())
        ))
        .bind(new.name.as_str())
        .bind(new.digest.as_str())
        .bind(new.role.as_str())
        .bind(json(&new.functions)?)
        .bind(new.rate_limit.map(|limit| limit.to_string()))
        .bind(&*clean(&new.created_by))
        .bind(new.expires_in.map(life))
        .fetch_optional(&mut *tx)
        .await?;
        Ok(row.map(TokenRow::into_model).transpose()?)
    }
    writer.write(new.clone(), |tx, new| Box::pin(run(tx, new))).await
}

pub async fn rotate_token(
    writer: &Writer,
    name: &TokenName,
    digest: &Digest,
    keep_old: Duration,
) -> Result<Option<StoredToken>, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (name, digest, keep_old): &(TokenName, Digest, Duration),
    ) -> Result<Option<StoredToken>, Failure> {
        let row: Option<TokenRow> = query_as(concat!(
            "UPDATE tokens SET old_digest = digest, old_until = ",
            now!(),
            " + $3, digest = $2 WHERE name = $1 RETURNING ",
            token_columns!(now!())
        ))
        .bind(name.as_str())
        .bind(digest.as_str())
        .bind(life(*keep_old))
        .fetch_optional(&mut *tx)
        .await?;
        Ok(row.map(TokenRow::into_model).transpose()?)
    }
    let arguments = (name.clone(), digest.clone(), keep_old);
    writer.write(arguments, |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn revoke_token(writer: &Writer, name: &TokenName) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, name: &TokenName) -> Result<bool, Failure> {
        let revoked =
            query("DELETE FROM tokens WHERE name = $1").bind(name.as_str()).execute(&mut *tx).await?;
        Ok(revoked.rows_affected() > 0)
    }
    writer.write(name.clone(), |tx, name| Box::pin(run(tx, name))).await
}

/// A note from the future is one of a clock that was set back since.
pub async fn note_uses(writer: &Writer, names: &[TokenName]) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, names: &str) -> Result<(), Failure> {
        query(concat!(
            "UPDATE tokens SET last_used_at = ",
            now!(),
            " WHERE name IN (SELECT value FROM json_each($1)) AND (last_used_at IS NULL OR last_used_at NOT BETWEEN ",
            now!(),
            " - 59999 AND ",
            now!(),
            ")"
        ))
        .bind(names)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write(json(&names)?, |tx, names| Box::pin(run(tx, names))).await
}

/// Deletes some of the tokens that expired long ago; returns how many.
pub async fn prune_tokens(writer: &Writer, limit: u32) -> Result<u64, Failure> {
    async fn run(tx: &mut SqliteConnection, limit: u32) -> Result<u64, Failure> {
        let pruned = query(concat!(
            "DELETE FROM tokens WHERE name IN (SELECT name FROM tokens WHERE expires_at < ",
            now!(),
            " - $1 ORDER BY expires_at LIMIT $2)"
        ))
        .bind(millis(KEEP_EXPIRED))
        .bind(i64::from(limit))
        .execute(&mut *tx)
        .await?;
        Ok(pruned.rows_affected())
    }
    writer.write(limit, |tx, limit| Box::pin(run(tx, *limit))).await
}

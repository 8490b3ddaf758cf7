//! Rows of tokens, secrets and the audit log.

use std::time::Duration;

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::{Id, from_json, millis, number, parse, time, word};
use crate::{
    model::{
        AuditEntry, AuditOutcome, Digest, FunctionName, KeyId, NewAuditEntry, SealedSecret, SecretPlace,
        SecretVersion, StoredSecret, StoredSecretInfo, StoredToken,
    },
    store::{FoundToken, row::row},
};

/// The longest time that a token is valid for, in milliseconds: a thousand years, so that the moment of its end can be
/// written.
const LONGEST_LIFE: i64 = 1000 * 365 * 24 * 3_600_000;

/// Returns the time that a token, or its previous value, is valid for, in milliseconds.
pub(in crate::store) fn life(duration: Duration) -> i64 {
    millis(duration).min(LONGEST_LIFE)
}

row! {
    pub(in crate::store) struct TokenRow {
        name: String,
        digest: String,
        role: String,
        functions: String,
        rate_limit: Option<String>,
        created_by: String,
        created_at: i64,
        expires_at: Option<i64>,
        last_used_at: Option<i64>,
        read_at: i64,
    }
}

impl TokenRow {
    pub fn into_model(self) -> sqlx::Result<StoredToken> {
        Ok(StoredToken {
            name: parse(&self.name)?,
            digest: parse(&self.digest)?,
            role: parse(&self.role)?,
            functions: from_json(&self.functions)?,
            rate_limit: self.rate_limit.as_deref().map(parse).transpose()?,
            created_by: self.created_by,
            created_at: time(self.created_at)?,
            expires_at: self.expires_at.map(time).transpose()?,
            expired: self.expires_at.is_some_and(|at| at <= self.read_at),
            last_used_at: self.last_used_at.map(time).transpose()?,
        })
    }
}

/// A token with the end of its previous value.
pub(in crate::store) struct FoundTokenRow {
    token: TokenRow,
    old_until: Option<i64>,
}

impl<'r, R: Row> FromRow<'r, R> for FoundTokenRow
where
    TokenRow: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self { token: TokenRow::from_row(row)?, old_until: row.try_get("old_until")? })
    }
}

impl FoundTokenRow {
    /// `digest` is the one that led to it.
    pub fn into_model(self, digest: &Digest) -> sqlx::Result<FoundToken> {
        let is_old = self.token.digest != digest.as_str();
        let ends = [self.token.expires_at, self.old_until.filter(|_| is_old)];
        let ends = ends.into_iter().flatten().min();
        let left = ends.map(|ends| u64::try_from(ends - self.token.read_at).unwrap_or(0));
        Ok(FoundToken {
            token: self.token.into_model()?,
            is_old,
            expires_at: ends.map(time).transpose()?,
            left: left.map(Duration::from_millis),
        })
    }
}

row! {
    pub(in crate::store) struct SecretRow {
        function: String,
        name: String,
        version: Id,
        key: String,
        sealed: Vec<u8>,
        set_by: String,
        created_at: i64,
        set_at: i64,
    }
}

impl SecretRow {
    pub fn into_model(self) -> sqlx::Result<StoredSecret> {
        Ok(StoredSecret {
            secret: SealedSecret {
                place: place(&self.function, &self.name)?,
                version: SecretVersion(self.version.0),
                key: KeyId(self.key),
                sealed: self.sealed,
                set_by: self.set_by,
            },
            created_at: time(self.created_at)?,
            set_at: time(self.set_at)?,
        })
    }
}

row! {
    pub(in crate::store) struct SecretInfoRow {
        function: String,
        name: String,
        key: String,
        set_by: String,
        created_at: i64,
        set_at: i64,
    }
}

impl SecretInfoRow {
    pub fn into_model(self) -> sqlx::Result<StoredSecretInfo> {
        Ok(StoredSecretInfo {
            place: place(&self.function, &self.name)?,
            key: KeyId(self.key),
            set_by: self.set_by,
            created_at: time(self.created_at)?,
            set_at: time(self.set_at)?,
        })
    }
}

/// Returns the column `function` of a secret: empty for one of the platform.
pub(in crate::store) fn function_column(place: &SecretPlace) -> &str {
    place.function.as_ref().map_or("", FunctionName::as_str)
}

fn place(function: &str, name: &str) -> sqlx::Result<SecretPlace> {
    let function = Some(function).filter(|function| !function.is_empty()).map(parse).transpose()?;
    Ok(SecretPlace { function, name: parse(name)? })
}

pub(in crate::store) fn secret_version(
    (function, name, version, key): (String, String, Id, String),
) -> sqlx::Result<(SecretPlace, SecretVersion, KeyId)> {
    Ok((place(&function, &name)?, SecretVersion(version.0), KeyId(key)))
}

/// Leaves out those of the platform whose name the function has a secret of its own for; the rest by name.
pub(in crate::store) fn own_ones_first(mut secrets: Vec<StoredSecret>) -> Vec<StoredSecret> {
    secrets.sort_by(|one, other| {
        let (one, other) = (&one.secret.place, &other.secret.place);
        one.name.cmp(&other.name).then_with(|| other.function.cmp(&one.function))
    });
    secrets.dedup_by(|later, first| later.secret.place.name == first.secret.place.name);
    secrets
}

/// The longest age of a new entry, in milliseconds: a year, so that the moment can be written.
const LONGEST_AGE: u64 = 365 * 24 * 3_600_000;

/// Returns how long ago an entry happened, in milliseconds.
pub(in crate::store) fn age(entry: &NewAuditEntry) -> i64 {
    entry.age_ms.min(LONGEST_AGE).cast_signed()
}

row! {
    pub(in crate::store) struct AuditRow {
        id: i64,
        at: i64,
        caller: String,
        role: Option<String>,
        from_address: Option<String>,
        action: String,
        target: Option<String>,
        outcome: String,
        detail: Option<String>,
        count: i64,
    }
}

impl AuditRow {
    pub fn into_model(self) -> sqlx::Result<AuditEntry> {
        Ok(AuditEntry {
            id: self.id,
            at: time(self.at)?,
            entry: NewAuditEntry {
                caller: self.caller,
                role: self.role.as_deref().map(parse).transpose()?,
                from: self.from_address.as_deref().map(parse).transpose()?,
                action: self.action,
                target: self.target,
                outcome: word(&AuditOutcome::ALL, |outcome| outcome.as_str(), &self.outcome)?,
                detail: self.detail,
                count: number(self.count)?,
                age_ms: 0,
            },
        })
    }
}

//! Reads of tokens, secrets and the audit log.

/// The columns of a token, with the store's time, whose name is given.
macro_rules! token_columns {
    ($($now:tt)+) => {
        concat!(
            "name, digest, role, functions, rate_limit, created_by, created_at, expires_at, last_used_at, ",
            $($now)+,
            " AS read_at"
        )
    };
}

/// The columns of a secret.
macro_rules! secret_columns {
    () => {
        "function, name, version, key, sealed, set_by, created_at, set_at"
    };
}

macro_rules! access_reads {
    ($database:ty, now = $now:literal, row_ranges = $row_ranges:literal) => {
        use jiff::Timestamp;
        use sqlx::{Pool, QueryBuilder, query_as};

        use crate::{
            model::{
                AuditEntry, Digest, FunctionName, KeyId, SecretName, SecretPlace, SecretVersion,
                StoredSecret, StoredSecretInfo, StoredToken, TokenName,
            },
            store::{
                AuditFilter, FoundToken,
                reads::{
                    access::{secret_columns, token_columns},
                    logs::LOOKED_AT,
                },
                rows::{
                    AuditRow, FoundTokenRow, Id, SecretInfoRow, SecretRow, TokenRow, clean,
                    function_column, own_ones_first, secret_version,
                },
            },
        };

        type Reader = Pool<$database>;

        pub async fn tokens(
            pool: &Reader,
            after: Option<&TokenName>,
            limit: u32,
        ) -> sqlx::Result<Vec<StoredToken>> {
            // Every name comes after the empty one.
            let rows: Vec<TokenRow> = query_as(concat!(
                "SELECT ",
                token_columns!($now),
                " FROM tokens WHERE name > $1 ORDER BY name LIMIT $2"
            ))
            .bind(after.map_or("", TokenName::as_str))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?;
            rows.into_iter().map(TokenRow::into_model).collect()
        }

        pub async fn token(pool: &Reader, name: &TokenName) -> sqlx::Result<Option<StoredToken>> {
            let row: Option<TokenRow> =
                query_as(concat!("SELECT ", token_columns!($now), " FROM tokens WHERE name = $1"))
                    .bind(name.as_str())
                    .fetch_optional(pool)
                    .await?;
            row.map(TokenRow::into_model).transpose()
        }

        pub async fn token_of(pool: &Reader, digest: &Digest) -> sqlx::Result<Option<FoundToken>> {
            let row: Option<FoundTokenRow> = query_as(concat!(
                "SELECT ",
                token_columns!($now),
                ", old_until FROM tokens WHERE digest = $1 OR old_digest = $1"
            ))
            .bind(digest.as_str())
            .fetch_optional(pool)
            .await?;
            row.map(|row| row.into_model(digest)).transpose()
        }

        pub async fn secret(pool: &Reader, place: &SecretPlace) -> sqlx::Result<Option<StoredSecret>> {
            let row: Option<SecretRow> = query_as(concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secrets WHERE function = $1 AND name = $2"
            ))
            .bind(function_column(place))
            .bind(place.name.as_str())
            .fetch_optional(pool)
            .await?;
            row.map(SecretRow::into_model).transpose()
        }

        pub async fn secret_infos(
            pool: &Reader,
            function: Option<&FunctionName>,
        ) -> sqlx::Result<Vec<StoredSecretInfo>> {
            let mut query = QueryBuilder::<$database>::new(
                "SELECT function, name, key, set_by, created_at, set_at FROM secrets",
            );
            if let Some(function) = function {
                query.push(" WHERE function = ").push_bind(function.as_str());
            }
            let rows = query.build_query_as::<SecretInfoRow>().fetch_all(pool).await?;
            let infos = rows.into_iter().map(SecretInfoRow::into_model);
            let mut infos = infos.collect::<sqlx::Result<Vec<_>>>()?;
            // Not by the database, whose order of letters is that of its language.
            infos.sort_by(|one, other| one.place.cmp(&other.place));
            Ok(infos)
        }

        pub async fn secrets_of(
            pool: &Reader,
            function: &FunctionName,
            names: &[SecretName],
        ) -> sqlx::Result<Vec<StoredSecret>> {
            if names.is_empty() {
                return Ok(Vec::new());
            }
            let mut query = QueryBuilder::<$database>::new(concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secrets WHERE function IN ('', "
            ));
            query.push_bind(function.as_str()).push(") AND name IN (");
            let mut listed = query.separated(", ");
            for name in names {
                listed.push_bind(name.as_str());
            }
            query.push(")");
            let rows = query.build_query_as::<SecretRow>().fetch_all(pool).await?;
            let secrets = rows.into_iter().map(SecretRow::into_model);
            Ok(own_ones_first(secrets.collect::<sqlx::Result<_>>()?))
        }

        pub async fn secret_versions(
            pool: &Reader,
        ) -> sqlx::Result<Vec<(SecretPlace, SecretVersion, KeyId)>> {
            let rows: Vec<(String, String, Id, String)> =
                query_as("SELECT function, name, version, key FROM secrets").fetch_all(pool).await?;
            rows.into_iter().map(secret_version).collect()
        }

        /// Whether a range of (text, number of an entry) is written as one of rows, as for log lines.
        const ROW_RANGES: bool = $row_ranges;

        /// Reads a range of one index, in its own order: that of the first text that is asked for, or the numbers. The other
        /// conditions choose among its entries.
        pub async fn audit_log(pool: &Reader, filter: &AuditFilter) -> sqlx::Result<Vec<AuditEntry>> {
            let first = match filter.since {
                Some(since) => match audit_begins(pool, since).await? {
                    Some(first) => first,
                    None => return Ok(Vec::new()),
                },
                None => 0,
            };
            let before = filter.before.unwrap_or(i64::MAX);
            let outcome = filter.outcome.map(|outcome| outcome.as_str());
            let texts = [
                ("target", filter.target.as_deref()),
                ("caller", filter.caller.as_deref()),
                ("action", filter.action.as_deref()),
                ("outcome", outcome),
            ];
            let mut texts = texts.into_iter().filter_map(|(column, text)| Some((column, clean(text?))));
            let mut query = QueryBuilder::<$database>::new(
                "SELECT id, at, caller, role, from_address, action, target, outcome, detail, count
                 FROM audit_log WHERE ",
            );
            let order = match texts.next() {
                None => {
                    query.push("id < ").push_bind(before).push(" AND id >= ").push_bind(first);
                    String::new()
                }
                Some((column, text)) if ROW_RANGES => {
                    for (begin, compared, id) in [("(", " < (", before), (" AND (", " >= (", first)] {
                        query.push(begin).push(column).push(", id)").push(compared);
                        query.push_bind(text.to_string()).push(", ").push_bind(id).push(")");
                    }
                    format!("{column} DESC, ")
                }
                Some((column, text)) => {
                    query.push(column).push(" = ").push_bind(text.into_owned());
                    query.push(" AND id < ").push_bind(before).push(" AND id >= ").push_bind(first);
                    format!("{column} DESC, ")
                }
            };
            for (column, text) in texts {
                // Not by its own index.
                query.push(" AND ").push(column).push(" || '' = ").push_bind(text.into_owned());
            }
            if let Some(since) = filter.since {
                query.push(" AND at >= ").push_bind(since.as_millisecond());
            }
            query
                .push(" ORDER BY ")
                .push(order)
                .push("id DESC LIMIT ")
                .push_bind(i64::from(filter.limit));
            let rows = query.build_query_as::<AuditRow>().fetch_all(pool).await?;
            rows.into_iter().map(AuditRow::into_model).collect()
        }

        /// Returns a number that no entry since then is below: the lowest one of them, or 0 if there are so many that the newest
        /// entries contain some. None where there are none.
        async fn audit_begins(pool: &Reader, since: Timestamp) -> sqlx::Result<Option<i64>> {
            let (entries, lowest): (i64, Option<i64>) = query_as(
                "SELECT count(*), min(id)
                 FROM (SELECT id FROM audit_log WHERE at >= $1 ORDER BY at LIMIT $2) AS found",
            )
            .bind(since.as_millisecond())
            .bind(LOOKED_AT)
            .fetch_one(pool)
            .await?;
            Ok(if entries < LOOKED_AT { lowest } else { Some(0) })
        }
    };
}

pub(in crate::store) use {access_reads, secret_columns, token_columns};

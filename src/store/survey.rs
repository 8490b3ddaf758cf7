//! A store's description of itself, read without changing it: for `cloudfunc doctor`. [`super::connect`] applies
//! migrations; this only looks whether some are missing.

use std::{collections::BTreeSet, path::Path, str::FromStr as _, time::Duration};

use jiff::Timestamp;
use sqlx::{
    ConnectOptions as _, Connection as _,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use super::{
    Config, Error, Totals,
    failure::Failure,
    postgres,
    reads::invocations::TOTALS,
    rows::{Id, TotalsRow},
    sqlite,
};
use crate::model::{ManagerId, SecretUrl};

/// The limit for the whole survey: a server in good health answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The findings about a store.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The product and its version: `PostgreSQL 16.3`, `SQLite 3.46.0`.
    pub version: String,
    /// The store's own clock.
    pub clock: Timestamp,
    /// The state of its schema.
    pub migrations: Migrations,
    /// The terms of invariant 5; none where there are no tables yet, or they could not be counted in time.
    pub totals: Option<Totals>,
    /// The functions that managers cannot run, as these have reported; of many the first.
    pub unusable: Vec<UnusableFunction>,
}

/// A function that a manager cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableFunction {
    /// The function's name.
    pub function: String,
    /// The manager.
    pub manager: ManagerId,
    /// The reason, for people.
    pub reason: String,
}

/// The migrations that are compiled in, compared with those that were applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrations {
    /// The number that were applied.
    pub applied: usize,
    /// The number that the next start applies.
    pub missing: usize,
    /// The number that a newer program applied: this one would refuse the store.
    pub unknown: usize,
}

/// Looks at a store. None: it is a file that does not exist yet. Fails after 5 s without an answer.
pub async fn survey(config: &Config) -> Result<Option<Survey>, Error> {
    let (address, look) = match config {
        Config::Postgres { url } => {
            (url.address(), tokio::time::timeout(PATIENCE, look_at_postgres(url)).await)
        }
        Config::Sqlite { path } if !path.exists() => return Ok(None),
        Config::Sqlite { path } => {
            (path.display().to_string(), tokio::time::timeout(PATIENCE, look_at_sqlite(path)).await)
        }
    };
    let look = look.unwrap_or(Err(Failure::Before(sqlx::Error::PoolTimedOut.into())));
    look.map(Some).map_err(|failure| failure.into_error(&address))
}

async fn look_at_postgres(url: &SecretUrl) -> Result<Survey, Failure> {
    let options = PgConnectOptions::from_str(url.expose())?.application_name("cloudfunc doctor");
    let mut connection: PgConnection = options.disable_statement_logging().connect().await?;
    let (version, ms): (String, i64) = sqlx::query_as(
        "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    )
    .fetch_one(&mut connection)
    .await?;
    let is_new: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NULL")
        .fetch_one(&mut connection)
        .await?;
    let applied = match is_new {
        true => Vec::new(),
        false => sqlx::query_scalar(APPLIED).fetch_all(&mut connection).await?,
    };
    let totals = match is_new {
        true => None,
        false => counted(sqlx::query_as::<_, TotalsRow>(TOTALS).fetch_one(&mut connection)).await,
    };
    let unusable = match is_new {
        true => Vec::new(),
        false => sqlx::query_as(UNUSABLE).fetch_all(&mut connection).await.map_or_else(none, listed),
    };
    connection.close().await?;
    let found = found(format!("PostgreSQL {version}"), ms, &postgres::MIGRATIONS, &applied);
    Ok(Survey { totals, unusable, ..found })
}

async fn look_at_sqlite(path: &Path) -> Result<Survey, Failure> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
    let mut connection: SqliteConnection = options.connect().await?;
    let (version, ms): (String, i64) =
        sqlx::query_as("SELECT sqlite_version(), CAST(round(unixepoch('subsec') * 1000) AS INTEGER)")
            .fetch_one(&mut connection)
            .await?;
    let is_new: bool =
        sqlx::query_scalar("SELECT count(*) = 0 FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut connection)
            .await?;
    let applied = match is_new {
        true => Vec::new(),
        false => sqlx::query_scalar(APPLIED).fetch_all(&mut connection).await?,
    };
    let totals = match is_new {
        true => None,
        false => counted(sqlx::query_as::<_, TotalsRow>(TOTALS).fetch_one(&mut connection)).await,
    };
    let unusable = match is_new {
        true => Vec::new(),
        false => sqlx::query_as(UNUSABLE).fetch_all(&mut connection).await.map_or_else(none, listed),
    };
    connection.close().await?;
    let found = found(format!("SQLite {version}"), ms, &sqlite::MIGRATIONS, &applied);
    Ok(Survey { totals, unusable, ..found })
}

/// Millions of rows may take longer than a survey has.
async fn counted(counting: impl Future<Output = sqlx::Result<TotalsRow>>) -> Option<Totals> {
    let row = tokio::time::timeout(PATIENCE / 2, counting).await.ok()?.ok()?;
    row.into_model().ok()
}

/// A store of an earlier version has no such table.
const UNUSABLE: &str = "SELECT f.name, u.manager, u.reason
    FROM unusable AS u JOIN leases AS l ON l.owner = u.owner JOIN functions AS f ON f.id = u.function_id
    ORDER BY f.name, u.manager LIMIT 20";

fn none(_: sqlx::Error) -> Vec<UnusableFunction> {
    Vec::new()
}

fn listed(rows: Vec<(String, Id, String)>) -> Vec<UnusableFunction> {
    let unusable = |(function, manager, reason): (String, Id, String)| UnusableFunction {
        function,
        manager: ManagerId(manager.0),
        reason,
    };
    rows.into_iter().map(unusable).collect()
}

const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";

fn found(version: String, ms: i64, known: &Migrator, applied: &[i64]) -> Survey {
    let known: BTreeSet<i64> = known.iter().map(|migration| migration.version).collect();
    let applied: BTreeSet<i64> = applied.iter().copied().collect();
    Survey {
        version: version.split(" (").next().unwrap_or_default().to_owned(),
        clock: Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH),
        migrations: Migrations {
            applied: applied.len(),
            missing: known.difference(&applied).count(),
            unknown: applied.difference(&known).count(),
        },
        totals: None,
        unusable: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_looked_at_and_not_made_or_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::Sqlite { path: folder.path().join("store.db") };
        assert!(survey(&config).await.unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let store = super::super::connect(&config).await.unwrap();
        let survey = survey(&config).await.unwrap().unwrap();
        let all = sqlite::MIGRATIONS.iter().count();
        assert_eq!(survey.migrations, Migrations { applied: all, missing: 0, unknown: 0 });
        assert!(survey.version.starts_with("SQLite 3."), "{}", survey.version);
        assert!(Timestamp::now().duration_since(survey.clock).as_secs().abs() < 60);
        store.close().await;
    }

    #[test]
    fn migrations_are_compared() {
        let known: Vec<i64> = sqlite::MIGRATIONS.iter().map(|migration| migration.version).collect();
        let one = found("SQLite 3.1".to_owned(), 0, &sqlite::MIGRATIONS, &[known[0], i64::MAX]);
        let expected = Migrations { applied: 2, missing: known.len() - 1, unknown: 1 };
        assert_eq!(one.migrations, expected);
        assert_eq!(
            found("PostgreSQL 15.9 (Debian)".into(), 0, &sqlite::MIGRATIONS, &[]).version,
            "PostgreSQL 15.9"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let config: Config = "postgres://u:hunter2@127.0.0.1:1/x".parse().unwrap();
        let error = survey(&config).await.unwrap_err();
        assert_eq!(error.to_string(), "the store at 127.0.0.1:1 does not answer");
    }
}

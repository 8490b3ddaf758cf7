//! The store in Postgres: a pool of connections, batches as arrays.
//!
//! There are four pools. Durability is a property of the session: writes that others rely on are synced by their
//! commit; those that may be lost with the server's last moments (records of sync invocations, log lines, reports) go
//! through [`Postgres::relaxed`] connections, with `synchronous_commit` off. Both plan each statement once; reads, whose
//! filters differ, are planned anew where that pays off. And leases have a connection of their own, so that the load that
//! they protect does not hold them up.

mod addresses;
mod audit_log;
mod build_logs;
mod dependencies;
mod functions;
mod invocations;
mod leases;
mod messages;
mod patience;
mod prune;
mod reads;
mod records;
mod secrets;
mod tokens;

use std::{str::FromStr as _, sync::LazyLock};

use futures_util::future::join_all;

use sqlx::{
    ConnectOptions as _, Connection as _, PgPool,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};

use self::patience::Patience;
use super::{
    failure::{self, Failure},
    lost_claims::LostClaims,
    methods::store,
    refusals::Refusals,
    row::migrations,
};
use crate::model::SecretUrl;

/// The limit of closing the pools. A connection that its pool was checking when the network fell silent waits for TCP
/// to give up; a shutdown does not.
const CLOSE: Duration = Duration::from_secs(5);
/// The time for which a method waits for a connection before it returns [`Error::Unavailable`].
const ACQUIRE: Duration = Duration::from_secs(5);
/// The limit of a migration with the wait for others who make it: each try that is cut off is undone.
const MIGRATION: Duration = Duration::from_secs(3600);
/// The number of connections of each role. A server allows 100 by default, and statements here are short: more
/// connections than the server has cores only queue inside it.
const CONNECTIONS: u32 = 8;
/// The number of connections for data that is written behind, by one or two tasks of a role.
const RELAXED_CONNECTIONS: u32 = 2;
/// The number of connections for reads: of functions and records, by those who ask for them.
const READERS: u32 = 5;
/// The number of connections for leases: a manager renews one, a scheduler looks at all.
const LEASE_CONNECTIONS: u32 = 1;
/// How statements that write are planned: once each, as planning costs several times what they do, and so that the plan
/// fits however many rows there are later. Each has an index for its rows; the settings keep the planner from preferring
/// something else while the table is small.
const PLANNED_ONCE: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_sort", "off"),
];
/// The idle time after which a connection is tested before it is used: the server may have been restarted. On the hot
/// path connections are idle for less, and the test costs nothing.
const TRUST: Duration = Duration::from_secs(1);

pub(super) static MIGRATIONS: LazyLock<sqlx::migrate::Migrator> = LazyLock::new(
    || migrations!("postgres": "0001_init" "0002_log_kind" "0003_reasons" "0004_growth" "0005_delivery" "0006_backlog" "0007_dependencies" "0008_builds" "0009_http" "0010_access" "0011_addresses"),
);

pub(super) struct Postgres {
    synced: PgPool,
    relaxed: PgPool,
    readers: PgPool,
    leases: PgPool,
    lost: LostClaims,
    refusals: Refusals,
    patience: Patience,
    address: String,
}

impl Postgres {
    pub async fn connect(url: &SecretUrl) -> Result<Self, Error> {
        let address = url.address();
        Self::open(url, &address).await.map_err(|failure| failure.into_error(&address))
    }

    async fn open(url: &SecretUrl, address: &str) -> Result<Self, Failure> {
        let options = PgConnectOptions::from_str(url.expose())?
            .application_name("cloudfunc")
            // Compiling a statement pays off for reports, and there are none here.
            .options([("jit", "off")])
            .disable_statement_logging();
        // A server that does not answer is a failure here, with its reason; the pools would go on trying.
        match tokio::time::timeout(ACQUIRE, options.connect()).await {
            Ok(connection) => migrate(connection?, address).await?,
            Err(_) => return Err(sqlx::Error::PoolTimedOut.into()),
        }
        let patience = Patience::default();
        let synced = options.clone().options(PLANNED_ONCE);
        let relaxed = synced.clone().options([("synchronous_commit", "off")]);
        Ok(Self {
            synced: pool(CONNECTIONS, synced, &patience),
            relaxed: pool(RELAXED_CONNECTIONS, relaxed, &patience),
            readers: pool(READERS, options.clone(), &patience),
            leases: pool(LEASE_CONNECTIONS, options, &patience),
            lost: LostClaims::default(),
            refusals: Refusals::default(),
            patience,
            address: address.to_owned(),
        })
    }

    fn relaxed(&self) -> &PgPool {
        &self.relaxed
    }

    fn synced(&self) -> &PgPool {
        &self.synced
    }

    fn leases(&self) -> &PgPool {
        &self.leases
    }

    fn lease_readers(&self) -> &PgPool {
        &self.leases
    }

    fn readers(&self) -> &PgPool {
        &self.readers
    }

    fn sweep_readers(&self) -> &PgPool {
        &self.relaxed
    }

    async fn read<T>(
        &self,
        within: Duration,
        reading: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> Result<T, Error> {
        let read = match self.patience.wait(within, reading).await {
            Ok(read) => read.map_err(Failure::from),
            Err(silence) => Err(silence.into()),
        };
        read.map_err(|failure| failure.into_error(&self.address))
    }

    /// Runs a write. Each is a statement that commits, so that silence leaves open whether it did.
    async fn write<T>(
        &self,
        within: Duration,
        writing: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Error> {
        let written = match self.patience.wait(within, writing).await {
            Ok(written) => written,
            Err(silence) => Err(Failure::committing(silence)),
        };
        self.refusals.note(written.map_err(|failure| failure.into_error(&self.address)))
    }

    /// Nothing to do: autovacuum does that.
    async fn give_back_room(&self) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    /// Not known: only the server sees its disk.
    fn has_no_room(&self) -> Option<Error> {
        None
    }

    /// Each connection that is lost or in doubt is replaced.
    async fn writing_broken(&self) {
        std::future::pending().await
    }

    async fn close_connections(&self) {
        let pools = [&self.synced, &self.relaxed, &self.readers, &self.leases];
        let all = join_all(pools.map(|pool| pool.close()));
        if tokio::time::timeout(CLOSE, all).await.is_err() {
            tracing::warn!("connections to the store were left behind: they owe an answer");
        }
    }
}

fn pool(connections: u32, options: PgConnectOptions, patience: &Patience) -> PgPool {
    let patience = patience.clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUST {
                    patience::ping(connection).await?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            let patience = patience.clone();
            Box::pin(async move {
                if patience.in_doubt() {
                    patience::ping(connection).await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Applies migrations under an advisory lock of this database, so that of two processes one waits and then finds
/// nothing to do. The lock ends with the connection, also when a migration fails.
async fn migrate(mut connection: PgConnection, address: &str) -> Result<(), Failure> {
    // run_direct does the same as run; the bounds of run keep the future from being spawned.
    let migrating = MIGRATIONS.run_direct(None, &mut connection, false);
    // Others may be migrating, and a migration may have to change many rows.
    let migrated = tokio::time::timeout(MIGRATION, migrating).await;
    let migrated = migrated.map_err(|_| sqlx::Error::PoolTimedOut)?;
    migrated.map_err(|error| failure::migration(error, address, &MIGRATIONS))?;
    connection.close().await?;
    Ok(())
}

/// Returns one column of a batch.
fn columns<'a, R, T>(rows: &'a [R], column: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

store!(Postgres, "postgres");

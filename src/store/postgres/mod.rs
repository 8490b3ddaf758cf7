//! The store in Postgres: a pool of connections, batches as arrays, leases on the server's clock.
//!
//! Two pools, since durability is a matter of the session: what others rely on is synced by its commit;
//! what may be lost with the server's last moments (records of sync invocations, log lines, reports) is
//! written through [`Postgres::relaxed`] connections, with `synchronous_commit` off.

mod functions;
mod invocations;
mod leases;
mod reads;
mod records;

use std::{str::FromStr as _, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    Claim, Due, Error, Finish, LogFilter, NewInvocation, NewRevision, RecordFilter, ReportedInstance,
    Store, StoredLine, SyncRecord, Totals,
    failure::{self, Failure},
    lost_claims::LostClaims,
};
use crate::{
    config::SecretUrl,
    model::{
        Body, Digest, Function, FunctionId, FunctionName, InvocationId, LogLine, ManagerId, OwnerId,
        Record, Revision, RevisionNumber,
    },
};

/// How long a method waits for a connection before it answers [`Error::Unavailable`].
const ACQUIRE: Duration = Duration::from_secs(5);
/// Of each role. A server allows 100 by default, and statements here are short: more connections
/// than the server has cores only queue inside of it.
const CONNECTIONS: u32 = 10;
/// What is written behind comes from one or two tasks of a role.
const RELAXED_CONNECTIONS: u32 = 2;
/// A connection that idled for longer is tried before it is used: the server may have been restarted.
/// On the hot path connections idle for less, and nothing is paid.
const TRUST: Duration = Duration::from_secs(1);

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

pub(super) struct Postgres {
    pool: PgPool,
    relaxed: PgPool,
    lost: LostClaims,
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
            // Compiling a statement pays off for reports, of which there are none here.
            .options([("jit", "off")])
            .disable_statement_logging();
        // A server that does not answer is a failure here, with its reason; the pools go on trying.
        match tokio::time::timeout(ACQUIRE, migrate(&options)).await {
            Ok(migrated) => migrated?,
            Err(_) => return Err(Failure::Before(sqlx::Error::PoolTimedOut)),
        }
        Ok(Self {
            relaxed: pool(RELAXED_CONNECTIONS, options.clone().options([("synchronous_commit", "off")])),
            pool: pool(CONNECTIONS, options),
            lost: LostClaims::default(),
            address: address.to_owned(),
        })
    }

    fn done<T>(&self, result: Result<T, impl Into<Failure>>) -> Result<T, Error> {
        result.map_err(|failure| failure.into().into_error(&self.address))
    }
}

fn pool(connections: u32, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Under an advisory lock of this database, so that of two processes one waits and then finds nothing
/// to do. The lock ends with the connection, also when a migration fails.
async fn migrate(options: &PgConnectOptions) -> Result<(), Failure> {
    let mut connection = options.connect().await?;
    // run_direct is what run does; the bounds of run keep the future from being spawned.
    MIGRATIONS.run_direct(None, &mut connection, false).await.map_err(failure::migration)?;
    connection.close().await?;
    Ok(())
}

/// One column of a batch.
fn columns<'a, R, T>(rows: &'a [R], column: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

#[async_trait]
impl Store for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    async fn ping(&self) -> Result<(), Error> {
        self.done(reads::ping(&self.pool).await)
    }

    async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error> {
        self.done(functions::put_blob(&self.pool, digest, &bytes).await)
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
        self.done(reads::blob(&self.pool, digest).await.map(|bytes| bytes.map(Bytes::from)))
    }

    async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error> {
        self.done(functions::add_revision(&self.pool, &revision).await)
    }

    async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
        expected: Option<RevisionNumber>,
    ) -> Result<Function, Error> {
        self.done(functions::activate(&self.pool, name, revision, expected).await)
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error> {
        self.done(reads::function(&self.pool, name).await)
    }

    async fn functions(&self) -> Result<Vec<Function>, Error> {
        self.done(reads::functions(&self.pool).await)
    }

    async fn revision(
        &self,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, Error> {
        self.done(reads::revision(&self.pool, function, number).await)
    }

    async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error> {
        self.done(reads::revisions(&self.pool, function).await)
    }

    async fn report_warm(&self, name: &FunctionName, warm: bool) -> Result<Option<Function>, Error> {
        self.done(functions::report_warm(&self.pool, name, warm).await)
    }

    async fn delete_function(&self, name: &FunctionName) -> Result<Option<Function>, Error> {
        self.done(functions::delete_function(&self.pool, name).await)
    }

    async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error> {
        self.done(invocations::accept(&self.pool, rows).await)
    }

    async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error> {
        self.done(invocations::mark_published(&self.relaxed, ids).await)
    }

    async fn claim(&self, id: InvocationId, owner: OwnerId) -> Result<Option<Claim>, Error> {
        self.done(invocations::claim(&self.pool, &self.lost, id, owner).await)
    }

    async fn finish(&self, rows: &[Finish]) -> Result<Vec<bool>, Error> {
        self.done(invocations::finish(&self.pool, rows).await)
    }

    async fn give_back(
        &self,
        id: InvocationId,
        attempt: u32,
        delay: Duration,
        reason: &str,
    ) -> Result<bool, Error> {
        self.done(invocations::give_back(&self.pool, id, attempt, delay, reason).await)
    }

    async fn take_due(&self, limit: u32) -> Result<Vec<Due>, Error> {
        self.done(invocations::take_due(&self.pool, limit).await)
    }

    async fn forget_published(&self) -> Result<(), Error> {
        self.done(invocations::forget_published(&self.pool).await)
    }

    async fn backlog(&self) -> Result<u64, Error> {
        self.done(reads::backlog(&self.pool).await)
    }

    async fn totals(&self) -> Result<Totals, Error> {
        self.done(reads::totals(&self.pool).await)
    }

    async fn renew_lease(&self, owner: OwnerId, manager: ManagerId, ttl: Duration) -> Result<(), Error> {
        let lost = self.lost.of(owner);
        if !lost.is_empty() {
            self.done(invocations::give_back_lost(&self.pool, &lost).await)?;
            self.lost.given_back(&lost);
        }
        self.done(leases::renew_lease(&self.pool, owner, manager, ttl).await)
    }

    async fn release_lease(&self, owner: OwnerId) -> Result<(), Error> {
        self.done(leases::release_lease(&self.pool, owner).await)
    }

    async fn release_manager(&self, manager: ManagerId) -> Result<(), Error> {
        self.done(leases::release_manager(&self.pool, manager).await)
    }

    async fn report_instances(
        &self,
        owner: OwnerId,
        instances: &[ReportedInstance],
    ) -> Result<(), Error> {
        self.done(leases::report_instances(&self.relaxed, owner, instances).await)
    }

    async fn instances(&self, function: Option<FunctionId>) -> Result<Vec<ReportedInstance>, Error> {
        self.done(reads::instances(&self.pool, function).await)
    }

    async fn live_owners(&self) -> Result<Vec<OwnerId>, Error> {
        self.done(reads::live_owners(&self.pool).await)
    }

    async fn write_sync(&self, records: &[SyncRecord]) -> Result<(), Error> {
        self.done(records::write_sync(&self.relaxed, records).await)
    }

    async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error> {
        self.done(reads::record(&self.pool, id).await)
    }

    async fn result(&self, id: InvocationId) -> Result<Option<Body>, Error> {
        self.done(reads::result(&self.pool, id).await)
    }

    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
        self.done(reads::records(&self.pool, filter).await)
    }

    async fn append_logs(&self, lines: &[LogLine]) -> Result<(), Error> {
        self.done(records::append_logs(&self.relaxed, lines).await)
    }

    async fn logs(&self, filter: &LogFilter) -> Result<Vec<StoredLine>, Error> {
        self.done(reads::logs(&self.pool, filter).await)
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error> {
        self.done(records::prune(&self.pool, age, limit).await)
    }

    async fn close(&self) {
        self.relaxed.close().await;
        self.pool.close().await;
    }
}

//! The store in one SQLite file: write-ahead log, one connection that writes, a few that read.
//!
//! Writers queue in this process for the one writing connection instead of in SQLite, which would
//! have them poll. Every commit is synced (`synchronous = FULL`): a commit that returned is on disk.
//! Another process may use the same file; the two then wait for each other up to [`BUSY`].

mod functions;
mod invocations;
mod leases;
mod reads;
mod records;
mod writer;

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::writer::Writer;
use super::{
    Claim, Due, Error, Finish, LogFilter, NewInvocation, NewRevision, RecordFilter, ReportedInstance,
    Store, StoredLine, SyncRecord, Totals,
    failure::{self, Failure},
    lost_claims::LostClaims,
};
use crate::model::{
    Body, Digest, Function, FunctionId, FunctionName, InvocationId, LogLine, ManagerId, OwnerId, Record,
    Revision, RevisionNumber,
};

/// The store's clock in SQL: milliseconds since the epoch, constant within a statement.
macro_rules! now {
    () => {
        "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)"
    };
}
use now;

/// How long a method waits for a connection, and for another process' transaction, before it
/// answers [`Error::Unavailable`].
const BUSY: Duration = Duration::from_secs(5);
/// Reads at once; further ones wait. SQLite reads are short, and each connection is a thread.
const READERS: u32 = 4;
/// What the write-ahead log's file may keep of a burst, in bytes.
const JOURNAL_LIMIT: &str = "67108864";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

pub(super) struct Sqlite {
    writer: Writer,
    readers: SqlitePool,
    lost: LostClaims,
    path: String,
}

impl Sqlite {
    pub async fn connect(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        Self::open(path, &shown).await.map_err(|failure| failure.into_error(&shown))
    }

    async fn open(path: &Path, shown: &str) -> Result<Self, Failure> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let reading = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY)
            .pragma("journal_size_limit", JOURNAL_LIMIT);
        let writing = reading
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let writer = Writer::connect(writing).await?;
        // By the connection that stays: when the last one closes, SQLite empties and deletes its log.
        migrate(&mut *writer.lock().await?).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(reading.pragma("query_only", "on"));
        Ok(Self { writer, readers, lost: LostClaims::default(), path: shown.to_owned() })
    }

    fn done<T>(&self, result: Result<T, impl Into<Failure>>) -> Result<T, Error> {
        result.map_err(|failure| {
            let failure = failure.into();
            if let Failure::Before(error) | Failure::Committing(error) = &failure {
                self.writer.note(error);
            }
            failure.into_error(&self.path)
        })
    }
}

/// Creates the file with its folder, readable for its owner only: it holds payloads and settings.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// Under SQLite's own write lock, so that of two processes one waits and then finds nothing to do.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // run_direct is what run does; the bounds of run keep the future from being spawned.
    MIGRATIONS.run_direct(None, &mut *transaction, false).await.map_err(failure::migration)?;
    transaction.commit().await.map_err(Failure::Committing)?;
    Ok(())
}

#[async_trait]
impl Store for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), Error> {
        self.done(reads::ping(&self.readers).await)
    }

    async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error> {
        self.done(functions::put_blob(&self.writer, digest, &bytes).await)
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
        self.done(reads::blob(&self.readers, digest).await.map(|bytes| bytes.map(Bytes::from)))
    }

    async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error> {
        self.done(functions::add_revision(&self.writer, &revision).await)
    }

    async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
        expected: Option<RevisionNumber>,
    ) -> Result<Function, Error> {
        self.done(functions::activate(&self.writer, name, revision, expected).await)
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error> {
        self.done(reads::function(&self.readers, name).await)
    }

    async fn functions(&self) -> Result<Vec<Function>, Error> {
        self.done(reads::functions(&self.readers).await)
    }

    async fn revision(
        &self,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, Error> {
        self.done(reads::revision(&self.readers, function, number).await)
    }

    async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error> {
        self.done(reads::revisions(&self.readers, function).await)
    }

    async fn report_warm(&self, name: &FunctionName, warm: bool) -> Result<Option<Function>, Error> {
        self.done(functions::report_warm(&self.writer, name, warm).await)
    }

    async fn delete_function(&self, name: &FunctionName) -> Result<Option<Function>, Error> {
        self.done(functions::delete_function(&self.writer, name).await)
    }

    async fn accept(&self, rows: &[NewInvocation]) -> Result<Vec<bool>, Error> {
        self.done(invocations::accept(&self.writer, rows).await)
    }

    async fn mark_published(&self, ids: &[InvocationId]) -> Result<(), Error> {
        self.done(invocations::mark_published(&self.writer, ids).await)
    }

    async fn claim(&self, id: InvocationId, owner: OwnerId) -> Result<Option<Claim>, Error> {
        self.done(invocations::claim(&self.writer, &self.lost, id, owner).await)
    }

    async fn finish(&self, rows: &[Finish]) -> Result<Vec<bool>, Error> {
        self.done(invocations::finish(&self.writer, rows).await)
    }

    async fn give_back(
        &self,
        id: InvocationId,
        attempt: u32,
        delay: Duration,
        reason: &str,
    ) -> Result<bool, Error> {
        self.done(invocations::give_back(&self.writer, id, attempt, delay, reason).await)
    }

    async fn take_due(&self, limit: u32) -> Result<Vec<Due>, Error> {
        self.done(invocations::take_due(&self.writer, limit).await)
    }

    async fn forget_published(&self) -> Result<(), Error> {
        self.done(invocations::forget_published(&self.writer).await)
    }

    async fn backlog(&self) -> Result<u64, Error> {
        self.done(reads::backlog(&self.readers).await)
    }

    async fn totals(&self) -> Result<Totals, Error> {
        self.done(reads::totals(&self.readers).await)
    }

    async fn renew_lease(&self, owner: OwnerId, manager: ManagerId, ttl: Duration) -> Result<(), Error> {
        let lost = self.lost.of(owner);
        if !lost.is_empty() {
            self.done(invocations::give_back_lost(&self.writer, &lost).await)?;
            self.lost.given_back(&lost);
        }
        self.done(leases::renew_lease(&self.writer, owner, manager, ttl).await)
    }

    async fn release_lease(&self, owner: OwnerId) -> Result<(), Error> {
        self.done(leases::release_lease(&self.writer, owner).await)
    }

    async fn release_manager(&self, manager: ManagerId) -> Result<(), Error> {
        self.done(leases::release_manager(&self.writer, manager).await)
    }

    async fn report_instances(
        &self,
        owner: OwnerId,
        instances: &[ReportedInstance],
    ) -> Result<(), Error> {
        self.done(leases::report_instances(&self.writer, owner, instances).await)
    }

    async fn instances(&self, function: Option<FunctionId>) -> Result<Vec<ReportedInstance>, Error> {
        self.done(reads::instances(&self.readers, function).await)
    }

    async fn live_owners(&self) -> Result<Vec<OwnerId>, Error> {
        self.done(reads::live_owners(&self.readers).await)
    }

    async fn write_sync(&self, records: &[SyncRecord]) -> Result<(), Error> {
        self.done(records::write_sync(&self.writer, records).await)
    }

    async fn record(&self, id: InvocationId) -> Result<Option<Record>, Error> {
        self.done(reads::record(&self.readers, id).await)
    }

    async fn result(&self, id: InvocationId) -> Result<Option<Body>, Error> {
        self.done(reads::result(&self.readers, id).await)
    }

    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
        self.done(reads::records(&self.readers, filter).await)
    }

    async fn append_logs(&self, lines: &[LogLine]) -> Result<(), Error> {
        self.done(records::append_logs(&self.writer, lines).await)
    }

    async fn logs(&self, filter: &LogFilter) -> Result<Vec<StoredLine>, Error> {
        self.done(reads::logs(&self.readers, filter).await)
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, Error> {
        self.done(records::prune(&self.writer, age, limit).await)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Here and not in the contract suite, where nothing can write into the file.
    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sqlite::connect(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', TRUE, x'', 0)",
        )
        .execute(&mut *store.writer.lock().await.unwrap())
        .await
        .unwrap();
        store.close().await;
        let error = Sqlite::connect(&path).await.err().unwrap();
        assert!(
            matches!(&error, Error::Conflict(text) if text.contains("newer cloudfunc")),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sqlite::connect(&path).await.unwrap();
        for file in ["store.db", "store.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        store.close().await;
    }
}

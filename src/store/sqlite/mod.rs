//! The store in one SQLite file: write-ahead log, one connection that writes, a few that read.
//!
//! Writers queue in this process for the one writing connection instead of in SQLite, where they would poll, and share
//! its commits (`writer.rs`, `groups.rs`). A write that returned is on disk, and so is what a read returns (`log.rs`);
//! records of sync invocations, log lines and the like are on disk a second later at most.
//! Another process may use the same file; the two then wait for each other for up to [`BUSY`].

mod addresses;
mod audit_log;
mod build_logs;
mod connection;
mod dependencies;
mod functions;
mod groups;
#[cfg(test)]
mod growth_tests;
mod invocations;
mod jobs;
mod leases;
mod log;
mod messages;
mod prune;
mod reads;
mod records;
mod secrets;
mod tokens;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use sqlx::{
    AssertSqlSafe, Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::{
    connection::{connect_when_free, empty_log},
    jobs::Answered,
    writer::{Writer, Writing},
};
use super::{
    Refusal,
    failure::{self, Failure},
    lost_claims::LostClaims,
    methods::store,
    refusals::Refusals,
    row::migrations,
};
use crate::disk::{create_folders, sync_names};

/// The store's clock in SQL: milliseconds since the epoch, constant within a statement.
macro_rules! now {
    () => {
        "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)"
    };
}
use now;

/// The most rows of one INSERT: each statement is a round trip to the connection's thread.
const MAX_PIECE: usize = 32;

/// Cuts rows into pieces whose lengths are powers of two: so any number of rows is inserted by a few statements, each
/// of which was prepared once.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = MAX_PIECE.min(1 << rows.len().checked_ilog2()?);
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

/// The statements that insert as many rows as [`pieces`] cuts off, made once: their text grows with the rows.
struct Inserts(Vec<Arc<str>>);

impl Inserts {
    /// `row` is one row of values, with `?` for each that is bound.
    fn new(head: &str, row: &str, tail: &str) -> Self {
        let rows = (0..=MAX_PIECE.ilog2()).map(|log| vec![row; 1 << log].join(", "));
        Self(rows.map(|rows| [head, &rows, tail].concat().into()).collect())
    }

    /// The one that inserts `rows` rows, a power of two.
    fn of(&self, rows: usize) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.0[rows.ilog2() as usize].clone())
    }
}

/// The time for which a method waits for a connection, and for another process' transaction, before it returns
/// [`Error::Unavailable`].
const BUSY: Duration = Duration::from_secs(5);
/// The number of reads at once; further ones wait. SQLite reads are short, and each connection is a thread.
const READERS: u32 = 4;
/// The free space, in bytes, below which a disk counts as full: the next larger accept would find it so.
const RESERVE: u64 = 1 << 20;
/// The size, in bytes, to which the write-ahead log's file is cut back after a burst.
const JOURNAL_LIMIT: &str = "67108864";

pub(super) static MIGRATIONS: LazyLock<sqlx::migrate::Migrator> = LazyLock::new(
    || migrations!("sqlite": "0001_init" "0002_log_kind" "0003_reasons" "0004_growth" "0005_delivery" "0006_backlog" "0007_dependencies" "0008_builds" "0009_http" "0010_access" "0011_addresses"),
);

pub(super) struct Sqlite {
    writing: Writing,
    synced: Writer,
    relaxed: Writer,
    /// The options of a connection that may write, and syncs each commit.
    options: SqliteConnectOptions,
    readers: SqlitePool,
    lost: LostClaims,
    refusals: Refusals,
    path: String,
    folder: PathBuf,
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
        let options = reading
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let commits = options.clone().synchronous(SqliteSynchronous::Normal);
        let mut connection = connect_when_free(&commits).await?;
        // The connection that stays does it: when the last one closes, SQLite empties and deletes its log.
        migrate(&mut connection, shown).await?;
        empty_log(&mut connection).await?;
        let writing = Writing::start(commits, path, connection).map_err(sqlx::Error::Io)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(reading.pragma("query_only", "on"));
        Ok(Self {
            synced: writing.writer(Answered::Synced),
            relaxed: writing.writer(Answered::Committed),
            writing,
            options,
            readers,
            lost: LostClaims::default(),
            refusals: Refusals::default(),
            path: shown.to_owned(),
            folder: path.parent().unwrap_or(Path::new(".")).to_owned(),
        })
    }

    /// The same connection: relaxed writes join the groups of the others, and do not wait for the sync.
    fn relaxed(&self) -> &Writer {
        &self.relaxed
    }

    fn synced(&self) -> &Writer {
        &self.synced
    }

    fn leases(&self) -> &Writer {
        &self.synced
    }

    fn sweep_readers(&self) -> &SqlitePool {
        self.readers()
    }

    fn lease_readers(&self) -> &SqlitePool {
        &self.readers
    }

    fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    async fn read<T>(
        &self,
        within: Duration,
        reading: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> Result<T, Error> {
        let read = async {
            let found = reading.await?;
            self.writing.promises().kept(within).await?;
            Ok(found)
        };
        read.await.map_err(|failure: Failure| failure.into_error(&self.path))
    }

    async fn write<T>(
        &self,
        _within: Duration,
        writing: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Error> {
        let written = writing.await.map_err(|failure| failure.into_error(&self.path));
        // SQLite does not tell a read-only disk from a broken one. A write that was being committed stays in doubt.
        let written = match written {
            Err(Error::Unavailable { address, source } | Error::Internal { address, source })
                if self.is_read_only() =>
            {
                Err(Error::Unwritable { address, reason: Refusal::DiskReadOnly, source })
            }
            other => other,
        };
        self.refusals.note(written)
    }

    async fn give_back_room(&self) -> Result<Option<u64>, Error> {
        let vacuum = prune::vacuum(&self.options, Path::new(&self.path));
        self.write(LONG, vacuum).await.map(Some)
    }

    fn is_read_only(&self) -> bool {
        rustix::fs::statvfs(&self.folder)
            .is_ok_and(|disk| disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// Looks at the disk: the log may have room in itself for a while when the disk has none.
    fn has_no_room(&self) -> Option<Error> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        (disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE).then(|| Error::Unwritable {
            address: self.path.clone(),
            reason: Refusal::DiskFull,
            source: std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
        })
    }

    async fn writing_broken(&self) {
        self.writing.broken().await;
    }

    async fn close_connections(&self) {
        self.readers.close().await;
        self.writing.close().await;
    }
}

/// Creates the file with its folder, readable for its owner only: it holds payloads and settings. Its name is on disk
/// before anything in it can be promised.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        create_folders(folder, 0o777)?;
    }
    match std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        // One that is there is not opened: closing it would drop the locks of another connection of this process.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        created => drop(created?),
    }
    sync_names(folder.unwrap_or(Path::new(".")))
}

/// Applies migrations under SQLite's own write lock, so that of two processes one waits and then finds nothing to do.
async fn migrate(connection: &mut SqliteConnection, address: &str) -> Result<(), Failure> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // run_direct does the same as run; the bounds of run keep the future from being spawned.
    let migrated = MIGRATIONS.run_direct(None, &mut *transaction, false).await;
    migrated.map_err(|error| failure::migration(error, address, &MIGRATIONS))?;
    transaction.commit().await.map_err(Failure::committing)?;
    Ok(())
}

store!(Sqlite, "sqlite");

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;

    use super::*;

    // Here and not in the contract suite, which cannot write into the file.
    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sqlite::connect(&path).await.unwrap();
        let later = store.synced.write((), |tx, ()| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO _sqlx_migrations
                        (version, description, success, checksum, execution_time)
                     VALUES (9999, 'later', TRUE, x'', 0)",
                )
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
        });
        later.await.unwrap();
        store.close().await;
        let error = Sqlite::connect(&path).await.err().unwrap();
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "the store at {} was written by a newer version of cloudfunc (schema 9999, this program knows \
                 {known}); upgrade this host, or use another store",
                path.display()
            )
        );
    }

    #[tokio::test]
    async fn a_store_of_schema_2_is_migrated_and_its_reasons_are_read_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut connection =
            SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
        let old = MIGRATIONS.iter().filter(|migration| migration.version <= 2).cloned().collect();
        let old = sqlx::migrate::Migrator { migrations: old, ..sqlx::migrate::Migrator::DEFAULT };
        old.run_direct(None, &mut connection, false).await.unwrap();
        let rows = [
            ("expired", Some("start_failed: no image: 100%"), 0),
            ("expired", Some("throttled"), 0),
            ("failed", Some("platform"), 10),
            ("cancelled", Some("function_deleted"), 2),
            ("failed", None, 1),
        ];
        let mut ids = Vec::new();
        for (state, reason, attempt) in rows {
            let id = InvocationId::new();
            sqlx::query(
                "INSERT INTO invocations (id, function_id, function_name, mode, state, reason, attempt,
                    accepted_at) VALUES ($1, $1, 'f', 'async', $2, $3, $4, 1)",
            )
            .bind(id.0.as_bytes().to_vec())
            .bind(state)
            .bind(reason)
            .bind(attempt)
            .execute(&mut connection)
            .await
            .unwrap();
            ids.push(id);
        }
        connection.close().await.unwrap();

        let store = Sqlite::connect(&path).await.unwrap();
        for (id, (state, reason, _)) in ids.into_iter().zip(rows) {
            let record = store.record(id).await.unwrap().unwrap();
            assert_eq!(record.state.as_str(), state);
            assert_eq!(record.reason.map(|reason| reason.to_string()).as_deref(), reason);
        }
        let words: Vec<(String, i64)> =
            sqlx::query_as("SELECT cause, failures FROM invocations WHERE reason = 'start_failed'")
                .fetch_all(store.readers())
                .await
                .unwrap();
        assert_eq!(words, [("no image: 100%".to_owned(), 0)]);
        store.close().await;
    }

    /// So on a slow disk a look at leases is answered late, and one that is late shows no silence of a manager.
    #[tokio::test]
    async fn leases_are_read_no_sooner_than_the_last_commit_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::connect(&folder.path().join("store.db")).await.unwrap();
        let promise = store.writing.promises().give();
        let mut looking = Leases::leases(&store);
        for _ in 0..10 {
            let reading = reads::leases(store.lease_readers());
            tokio::select! {
                biased;
                leases = &mut looking => panic!("{leases:?} before they were on disk"),
                read = reading => assert_eq!(read.unwrap(), []),
            }
        }
        store.writing.promises().keep(promise);
        assert_eq!(looking.await.unwrap(), []);
        store.close().await;
    }

    #[tokio::test]
    async fn a_panic_of_the_task_that_writes_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::connect(&folder.path().join("store.db")).await.unwrap();
        tokio::time::timeout(Duration::ZERO, Health::broken(&store)).await.unwrap_err();
        let panics = store.synced.write::<_, ()>((), |_, ()| Box::pin(async { panic!("for a test") }));
        assert!(panics.await.is_err(), "its fate is unknown");
        Health::broken(&store).await;
        assert!(records::try_write(&store.synced).await.is_err(), "nobody writes any more");
        store.close().await;
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

    #[test]
    fn any_number_of_rows_is_cut_into_powers_of_two() {
        for count in 0..100 {
            let rows: Vec<usize> = (0..count).collect();
            let lengths: Vec<usize> = pieces(&rows).map(<[usize]>::len).collect();
            assert!(lengths.iter().all(|length| length.is_power_of_two() && *length <= MAX_PIECE));
            assert!(lengths.len() <= count / MAX_PIECE + 5, "{count}: {lengths:?}");
            assert_eq!(pieces(&rows).collect::<Vec<_>>().concat(), rows);
        }
    }
}

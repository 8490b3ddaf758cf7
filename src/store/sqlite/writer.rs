//! The one connection that writes.
//!
//! Behind a lock and not in a pool of one: a pool tests each connection that comes back, in a task of
//! its own, and the next writer would wait for that.

use std::{
    str::FromStr as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteConnectOptions};
use tokio::{
    sync::{MappedMutexGuard, Mutex, MutexGuard},
    time::{Instant, sleep, timeout},
};

use super::BUSY;

pub struct Writer {
    options: SqliteConnectOptions,
    /// None once closed.
    connection: Mutex<Option<SqliteConnection>>,
    /// Its thread has ended, or it is stuck in a transaction of nobody.
    broken: AtomicBool,
}

impl Writer {
    pub async fn connect(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = Mutex::new(Some(connect_when_free(&options).await?));
        Ok(Self { options, connection, broken: AtomicBool::new(false) })
    }

    /// In the order of asking.
    pub async fn lock(&self) -> sqlx::Result<MappedMutexGuard<'_, SqliteConnection>> {
        let guard = timeout(BUSY, self.connection.lock()).await;
        let guard = guard.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let mut guard =
            MutexGuard::try_map(guard, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)?;
        if self.broken.load(Ordering::Relaxed) {
            *guard = connect_when_free(&self.options).await?;
            self.broken.store(false, Ordering::Relaxed);
        }
        Ok(guard)
    }

    /// Looks at a failure: after some the connection has to be made anew, by who locks it next.
    pub fn note(&self, error: &sqlx::Error) {
        if matches!(
            error,
            sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed
                | sqlx::Error::InvalidSavePointStatement
        ) {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    pub async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store's file was not closed well"
            );
        }
    }
}

/// Takes the write lock at once: a transaction that begins as a reader cannot wait to become a writer.
/// A transaction that is dropped is rolled back before the connection does anything else.
pub async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<Transaction<'_, Sqlite>> {
    connection.begin_with("BEGIN IMMEDIATE").await
}

/// Switching a new file to the write-ahead log needs it alone and does not wait for that, whatever
/// the busy timeout.
pub async fn connect_when_free(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let deadline = Instant::now() + BUSY;
    loop {
        match SqliteConnection::connect_with(options).await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| i32::from_str(&code).is_ok_and(|code| code & 0xff == 5))
}

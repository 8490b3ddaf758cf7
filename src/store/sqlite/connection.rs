//! Opening a connection, and what its errors say.

use std::{str::FromStr as _, time::Duration};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::{Instant, sleep};

use super::BUSY;

/// Opens a connection. Switching a new file to the write-ahead log needs the file alone and does not wait for that,
/// whatever the busy timeout is.
pub async fn connect_when_free(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let deadline = Instant::now() + BUSY;
    loop {
        match SqliteConnection::connect_with(options).await {
            Err(error) if primary(&error) == Some(SQLITE_BUSY) && Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

/// Moves what a process before has left in the log to where it is on disk, also if a sync of it has failed: the kernel
/// would not try again, and later commits would stand behind a hole.
pub async fn empty_log(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    match sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await {
        Err(error) if is_failed_sync(&error) => Err(error),
        // A full disk may have no room for it, and another process may be at it.
        _ => Ok(()),
    }
}

const SQLITE_BUSY: i32 = 5;
/// SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC.
const FAILED_SYNCS: [i32; 2] = [10 | (4 << 8), 10 | (5 << 8)];

fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error().and_then(|error| error.code())?;
    i32::from_str(&code).ok()
}

fn primary(error: &sqlx::Error) -> Option<i32> {
    code(error).map(|code| code & 0xff)
}

/// Whether SQLite could not sync a file, or its folder.
pub fn is_failed_sync(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| FAILED_SYNCS.contains(&code))
}

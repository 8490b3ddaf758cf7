//! The conversion of a backend's failures into the store's errors. The question is whether anything can have happened,
//! see [`Error`].

use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migrator};

use super::{Error, Refusal, rows::Id};
use crate::model::{AddressTaken, FunctionName, RevisionNumber};

/// The failure of a backend's method, before it is known which store it was. One failure may belong to many writes at
/// once.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Nothing happened: it was a read, or the transaction was not yet being committed.
    Before(Arc<sqlx::Error>),
    /// The statement that failed may have committed: `COMMIT`, or a statement that is its own transaction.
    Committing(Arc<sqlx::Error>),
    /// The disk has failed before, and nothing is written since then.
    Broken,
    /// Something does not exist; the text names it.
    Missing(String),
    /// The state is not the expected one; the text says how.
    Conflict(String),
    /// Another function has an address.
    AddressTaken(AddressTaken),
    /// Others hold addresses for too long.
    AddressesHeld,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(Arc::new(error))
    }
}

impl Failure {
    /// Makes the failure of a statement that may have committed.
    pub fn committing(error: sqlx::Error) -> Self {
        Self::Committing(Arc::new(error))
    }

    /// Returns whether an answer was lost, so that the fate of the statement is open.
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Committing(error) if fault(error) == Fault::Lost)
    }

    /// Makes the error for callers of the store at `address`.
    pub fn into_error(self, address: &str) -> Error {
        let address = address.to_owned();
        let (error, committing) = match self {
            Self::Missing(what) => return Error::Missing(what),
            Self::Conflict(what) => return Error::Conflict(what),
            Self::AddressTaken(taken) => return Error::AddressTaken(taken),
            Self::AddressesHeld => return Error::AddressesHeld,
            Self::Broken => {
                let source = "a sync of its log has failed".into();
                return Error::Unwritable { address, reason: Refusal::DiskFailed, source };
            }
            Self::Before(error) => (error, false),
            Self::Committing(error) => (error, true),
        };
        match (fault(&error), committing) {
            (Fault::Lost, true) => Error::UnknownFate { address, source: error.into() },
            (Fault::Lost, false) | (Fault::Busy, _) => {
                Error::Unavailable { address, source: error.into() }
            }
            (Fault::Unwritable(reason), _) => {
                Error::Unwritable { address, reason, source: error.into() }
            }
            (Fault::Refused, _) => Error::Refused { address, source: error.into() },
            (Fault::Other, _) => Error::Internal { address, source: error.into() },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection or the disk failed in the middle.
    Lost,
    /// The store answered that it cannot do it now, and undid what it had begun; or it was not reached.
    Busy,
    /// Its disk is full or read-only, as callers are told, and it undid what it had begun.
    Unwritable(Refusal),
    /// The server does not let this user in, or not do that.
    Refused,
    /// Waiting will not help.
    Other,
}

fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => Fault::Lost,
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => Fault::Busy,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                postgres_fault(&code)
            } else {
                sqlite_fault(&code)
            }
        }
        _ => Fault::Other,
    }
}

/// Classifies an SQLSTATE, see "PostgreSQL Error Codes" in its manual.
fn postgres_fault(code: &str) -> Fault {
    match code {
        // Terminated by an administrator, a crash of another backend, a broken connection.
        "57P01" | "57P02" | "57P05" => Fault::Lost,
        // Starting up or shutting down; cancelled; serialisation, deadlock, lock timeout.
        "57P03" | "57014" | "40001" | "40P01" | "55P03" => Fault::Busy,
        // The server is a standby that was not promoted yet.
        "25006" => Fault::Unwritable(Refusal::ServerReadOnly),
        "53100" => Fault::Unwritable(Refusal::ServerFull),
        // No such database; not permitted; no such user, wrong password, not in pg_hba.conf.
        "3D000" | "42501" => Fault::Refused,
        _ if code.starts_with("28") => Fault::Refused,
        // Its disk or its system failed, which may pass.
        _ if code.starts_with("58") => Fault::Busy,
        // Connection exceptions; out of connections, memory.
        _ if code.starts_with("08") => Fault::Lost,
        _ if code.starts_with("53") => Fault::Busy,
        _ => Fault::Other,
    }
}

/// Classifies a result code; its low byte is the primary one.
fn sqlite_fault(code: &str) -> Fault {
    match code.parse::<i32>().map(|code| code & 0xff) {
        Ok(10) => Fault::Lost,                             // SQLITE_IOERR
        Ok(5 | 6) => Fault::Busy,                          // SQLITE_BUSY, SQLITE_LOCKED: rolled back
        Ok(13) => Fault::Unwritable(Refusal::DiskFull),    // SQLITE_FULL: rolled back
        Ok(8) => Fault::Unwritable(Refusal::DiskReadOnly), // SQLITE_READONLY
        _ => Fault::Other,
    }
}

/// Returns the failure of migrating the store at `address` by `known` migrations.
pub(super) fn migration(error: MigrateError, address: &str, known: &Migrator) -> Failure {
    match error {
        MigrateError::VersionMissing(version) => {
            let known = known.iter().map(|migration| migration.version).max().unwrap_or_default();
            Failure::Conflict(format!(
                "the store at {address} was written by a newer version of cloudfunc (schema {version}, this \
                 program knows {known}); upgrade this host, or use another store"
            ))
        }
        MigrateError::VersionMismatch(version) => Failure::Conflict(format!(
            "schema {version} of the store at {address} is not the one of this cloudfunc; it was made by \
             another build: use that one, or another store"
        )),
        MigrateError::Dirty(version) => Failure::Conflict(format!(
            "the migration of the store at {address} to schema {version} was begun but not finished; \
             restore the store from a backup, or use another store"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => sqlx::Error::Migrate(Box::new(other)).into(),
    }
}

/// Checks whether `revision` may become the active one, given the function's id, its active and its last revision, and
/// whether that revision exists.
pub(super) fn activation(
    name: &FunctionName,
    revision: RevisionNumber,
    expected: Option<RevisionNumber>,
    found: Option<(Id, i64, i64, bool)>,
) -> Result<Id, Failure> {
    let Some((id, active, last, exists)) = found else {
        return Err(Failure::Missing(format!("function {name}")));
    };
    if !exists {
        let was_there = i64::from(revision.0) <= last && revision.0 > 0;
        return Err(Failure::Missing(match was_there {
            true => format!(
                "revision {revision} of '{name}' was removed to make room (--keep-revisions says how many are \
                 kept) and"
            ),
            false => format!("revision {revision} of '{name}'"),
        }));
    }
    match expected {
        Some(expected) if i64::from(expected.0) != active => {
            Err(Failure::Conflict(format!("revision {active} of '{name}' is active, not {expected}")))
        }
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_lets_nobody_in_or_do_less_has_refused_and_not_failed() {
        // Not in pg_hba.conf or not to log in, a wrong password, no such database, not permitted.
        for code in ["28000", "28P01", "3D000", "42501"] {
            assert_eq!(postgres_fault(code), Fault::Refused, "{code}");
        }
        let (address, source) = ("here".to_owned(), "a wrong password".into());
        assert!(Error::Refused { address, source }.is_transient(), "somebody may change that");
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told_from_a_store_that_is_away_or_broken() {
        for (code, expected) in [
            ("53100", Fault::Unwritable(Refusal::ServerFull)),
            ("25006", Fault::Unwritable(Refusal::ServerReadOnly)),
            ("53300", Fault::Busy),
            ("58030", Fault::Busy),
            ("XX000", Fault::Other),
            ("08006", Fault::Lost),
        ] {
            assert_eq!(postgres_fault(code), expected, "{code}");
        }
        for (code, expected) in [
            ("13", Fault::Unwritable(Refusal::DiskFull)),
            ("8", Fault::Unwritable(Refusal::DiskReadOnly)),
            // SQLITE_READONLY_DBMOVED: the low byte counts.
            ("1032", Fault::Unwritable(Refusal::DiskReadOnly)),
            ("5", Fault::Busy),
            ("778", Fault::Lost),
        ] {
            assert_eq!(sqlite_fault(code), expected, "{code}");
        }
    }
}

//! The store seam: the data that must survive. Functions, revisions, bundles, invocations, records, logs, tokens, secrets and
//! the audit log.
//!
//! One backend object has several traits, so that a role can say which parts it uses: [`Functions`], [`Addresses`],
//! [`Dependencies`], [`BuildLogs`], [`Invocations`], [`Leases`], [`History`], [`Logs`], [`Tokens`], [`Secrets`], [`AuditLog`] and [`Health`].
//! [`connect`] returns an [`Arc`] of all of them, which coerces to one of any.
//!
//! Every method is one transaction, but for the deletion of old data: after an error nothing of it has happened, with the
//! exception of [`Error::UnknownFate`]. Dropping a method's future leaves open whether it happened. Times are read from the
//! store's own clock, so that the hosts' clocks need not agree; leases go by no clock at all.
//!
//! The store makes no rule about what happens next to an invocation: it grants a claim by bounds, and every other
//! change is to a state that [`lifecycle`](crate::lifecycle) decided.
//!
//! Invariant 5 is kept inside these transactions: `accepted = queued + retrying + running + terminal + pruned` for
//! async invocations, see [`Totals`].
#![warn(missing_docs)]

mod addresses;
mod audit_log;
mod build_logs;
mod dependencies;
mod error;
mod failure;
mod functions;
mod health;
mod history;
mod invocations;
mod leases;
mod logs;
mod lost_claims;
mod methods;
mod postgres;
mod pruning;
mod reads;
mod refusals;
mod row;
mod rows;
mod secrets;
mod settlement;
mod sqlite;
mod statements;
mod survey;
mod tokens;

use std::{path::PathBuf, sync::Arc};

pub use addresses::Addresses;
pub use audit_log::{AuditFilter, AuditLog, MAX_AUDIT_ENTRIES};
pub use build_logs::{BuildLogs, MAX_BUILD_LOG, NewBuildLog};
pub use dependencies::{Dependencies, MAX_PIECE};
pub use error::{Error, Refusal};
pub use functions::{ActiveFunction, DeletedFunction, Deletion, Functions, NamedBundle, NewRevision};
pub use health::Health;
pub use history::{History, Prunable, RECENT, RecordFilter, StoredResult, SyncRecord};
pub use invocations::{
    Announcement, Backlog, Due, Invocations, NewInvocation, REPUBLISH_AFTER, Settlement, Totals,
};
use invocations::{LONGEST_PAUSE, RERUN_AFTER};
pub use leases::{Claim, Claiming, Lease, Leases, Renewed, ReportedInstance, Running, Wanted};
pub use logs::{LogFilter, LogPage, Logs, StoredLine};
pub use pruning::{PRUNE_PIECE, Retention, prune_all};
pub use secrets::Secrets;
pub use survey::{Migrations, Survey, UnusableFunction, survey};
pub use tokens::{AddToken, FoundToken, KEEP_EXPIRED, Tokens};

use crate::model::SecretUrl;

/// A whole store, as the scheduler needs it. Cheap to share; safe to call from many tasks at once.
pub trait Store: RegistryStore + ManagerStore + Invocations {}

/// The parts that the registry uses: functions, their addresses, dependencies and the logs of their builds, the instances of
/// `status`, tokens, secrets and the audit log, and the deletion of old data.
pub trait RegistryStore:
    Functions
    + Addresses
    + Dependencies
    + BuildLogs
    + Leases
    + History
    + Tokens
    + Secrets
    + AuditLog
    + Health
{
}

/// The parts that a manager uses: functions, their code, dependencies and secrets, its lease and claims, its log lines.
pub trait ManagerStore: Functions + Dependencies + Secrets + Leases + Logs + Health {}

impl<T: RegistryStore + ManagerStore + Invocations> Store for T {}
impl<T> RegistryStore for T where
    T: Functions
        + Addresses
        + Dependencies
        + BuildLogs
        + Leases
        + History
        + Tokens
        + Secrets
        + AuditLog
        + Health
{
}
impl<T: Functions + Dependencies + Secrets + Leases + Logs + Health> ManagerStore for T {}

/// The choice of a store. Parsed from `postgres://user:password@host:port/database` or `sqlite:PATH`.
#[derive(Clone, Debug)]
pub enum Config {
    /// A PostgreSQL server, which several hosts can share.
    Postgres {
        /// The server's URL, with credentials, which no text shows.
        url: SecretUrl,
    },
    /// One file on this host.
    Sqlite {
        /// The database file; created with its folder where missing.
        path: PathBuf,
    },
}

impl std::str::FromStr for Config {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: SecretUrl::new(text)? });
        }
        match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite { path: path.into() }),
            _ => Err("not a store; accepted are postgres://user:password@host:port/database and \
                      sqlite:PATH"
                .to_owned()),
        }
    }
}

/// Connects and applies the migrations that are missing, under a lock, so that several roles may start at once. A
/// database of a newer program is refused ([`Error::Conflict`]); one that cannot be reached is [`Error::Unavailable`].
pub async fn connect(config: &Config) -> Result<Arc<dyn Store>, Error> {
    Ok(match config {
        Config::Postgres { url } => Arc::new(postgres::Postgres::connect(url).await?),
        Config::Sqlite { path } => Arc::new(sqlite::Sqlite::connect(path).await?),
    })
}

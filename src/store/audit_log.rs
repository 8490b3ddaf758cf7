//! The audit log.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{AuditEntry, AuditOutcome, NewAuditEntry};

/// The most entries of each outcome that are kept, whatever their age: the oldest go first. Refusals, of which anybody can
/// cause many, push out no changes.
pub const MAX_AUDIT_ENTRIES: u64 = 1_000_000;

/// Who changed something, or was refused.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds entries in this order, with the store's time less their age, of which a year counts at most.
    async fn append_audit(&self, entries: &[NewAuditEntry]) -> Result<(), Error>;
    /// Returns the entries that match, newest first.
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Error>;
    /// Deletes up to `limit` entries: those older than `age`, and of each outcome all but the newest `keep`. Returns how
    /// many.
    async fn prune_audit(&self, age: Duration, keep: u64, limit: u32) -> Result<u64, Error>;
}

/// A choice of entries; all conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Of the caller with exactly this name.
    pub caller: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// About this function, token or secret.
    pub target: Option<String>,
    /// With this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Only entries with lower numbers than this one: the next page.
    pub before: Option<i64>,
    /// The most entries.
    pub limit: u32,
}

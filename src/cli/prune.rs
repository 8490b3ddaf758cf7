//! `cloudfunc prune`

use super::{Error, Output, ask, target::Target, text::count};
use crate::{
    model::api::{Amount, Pruned},
    units::{parse_duration, show_bytes, written_duration},
};

/// Delete data that is no longer needed, and free its disk space
///
/// Deletes revisions beyond the newest ones (--keep-revisions of `up`), bundles and packages that no revision uses, and
/// records and log lines older than the retention; entries of the audit log older than --audit-retention, and tokens
/// that expired 30 days ago, go too. The platform deletes all of these by itself from time to time; this command does
/// it now, and also shrinks an SQLite store (Postgres does that by itself).
/// Active revisions, and invocations that have not ended, are never touched.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only show what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Delete records and log lines older than this instead of the platform's retention, for example 24h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    older_than: Option<std::time::Duration>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        if self.dry_run {
            let would = client.prune(true, self.older_than).await?;
            return show(&would, out);
        }
        if !self.yes {
            if !out.can_ask() {
                return Err(Error::usage("prune needs --yes without a terminal to ask on")
                    .hint("`cloudfunc prune --dry-run` shows what would be deleted"));
            }
            let would = client.prune(true, self.older_than).await?;
            if is_empty(&would) {
                out.note("nothing to delete");
                return Ok(());
            }
            out.note(&parts(&would).join("\n"));
            let older = self.older_than.map_or_else(String::new, |age| {
                format!(" (records and lines older than {})", written_duration(age))
            });
            if !ask::confirm(format!("Delete these{older}?")).await? {
                out.note("nothing was deleted");
                return Ok(());
            }
        }
        let working = out.progress("pruning");
        let pruned = client.prune(false, self.older_than).await;
        drop(working);
        show(&pruned?, out)
    }
}

fn show(pruned: &Pruned, out: &Output) -> Result<(), Error> {
    if out.json() {
        return out.document(pruned);
    }
    for line in parts(pruned) {
        out.line(&line)?;
    }
    match (pruned.dry_run, pruned.given_back) {
        (true, _) => out.line("nothing was deleted (--dry-run)"),
        (false, Some(bytes)) => out.line(&format!("the store's file is {} smaller", show_bytes(bytes))),
        (false, None) => out.line("the database gives the room back by itself (autovacuum)"),
    }
}

fn is_empty(pruned: &Pruned) -> bool {
    let Pruned { revisions, bundles, packages, invocations, log_lines, .. } = pruned;
    [revisions, bundles, packages, invocations, log_lines].iter().all(|amount| amount.count == 0)
}

fn parts(pruned: &Pruned) -> Vec<String> {
    let line = |amount: Amount, one: &str, has_size: bool| {
        let size = if has_size { format!(", {}", show_bytes(amount.bytes)) } else { String::new() };
        format!("{}{size}", count(usize::try_from(amount.count).unwrap_or(usize::MAX), one))
    };
    vec![
        line(pruned.revisions, "revision", false),
        line(pruned.bundles, "bundle", true),
        line(pruned.packages, "package tree", true),
        line(pruned.invocations, "record", true),
        line(pruned.log_lines, "log line", true),
    ]
}

//! The deletion of what is old, in pieces that are short enough for the writes of others to go between.

use std::time::{Duration, Instant};

use super::{AuditLog, Error, History, MAX_AUDIT_ENTRIES, Tokens};

/// The number of rows that [`prune_all`] begins with.
pub const PRUNE_PIECE: u32 = 200;
/// The bounds of that number.
const PIECES: (u32, u32) = (50, 1000);
/// The time that a piece is meant to take. Writes of others wait meanwhile.
const PIECE_TIME: Duration = Duration::from_millis(20);

/// The time for which data is kept that nothing else ends.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// That of records and log lines.
    pub records: Duration,
    /// That of entries of the audit log, of which [`MAX_AUDIT_ENTRIES`] are kept at most.
    pub audit_log: Duration,
}

/// Deletes all records, log lines and entries of the audit log that are old, and the tokens that expired long ago, until
/// `stop` says so.
pub async fn prune_all<S>(store: &S, keep: Retention, stop: impl Fn() -> bool) -> Result<(), Error>
where
    S: History + Tokens + AuditLog + ?Sized,
{
    in_pieces(&stop, |limit| store.prune(keep.records, limit)).await?;
    in_pieces(&stop, |limit| store.prune_audit(keep.audit_log, MAX_AUDIT_ENTRIES, limit)).await?;
    in_pieces(&stop, |limit| store.prune_tokens(limit)).await
}

/// Deletes pieces, each of the number of rows that it is told, until one finds nothing.
async fn in_pieces<P>(stop: &impl Fn() -> bool, prune: impl Fn(u32) -> P) -> Result<(), Error>
where
    P: Future<Output = Result<u64, Error>>,
{
    let mut limit = PRUNE_PIECE;
    while !stop() {
        let begun = Instant::now();
        if prune(limit).await? == 0 {
            break;
        }
        limit = next_piece(limit, begun.elapsed());
    }
    Ok(())
}

/// Returns the number of rows for the next piece, when this many took so long.
fn next_piece(rows: u32, took: Duration) -> u32 {
    let next = if took > PIECE_TIME { rows / 2 } else { rows + rows / 4 };
    next.clamp(PIECES.0, PIECES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_shrink_while_they_take_long_and_grow_again_within_bounds() {
        let mut rows = PRUNE_PIECE;
        for _ in 0..10 {
            rows = next_piece(rows, PIECE_TIME * 2);
        }
        assert_eq!(rows, PIECES.0);
        for _ in 0..20 {
            rows = next_piece(rows, PIECE_TIME / 2);
        }
        assert_eq!(rows, PIECES.1);
    }
}

//! Softly, then hard.

use tokio_util::sync::CancellationToken;

/// How a role is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take no new work, finish what runs, give the rest back.
    pub soft: CancellationToken,
    /// Stop at once.
    pub hard: CancellationToken,
}

//! Bounds of what waits in memory on its way through the background; those of calls are in `submit.rs`, and a queue
//! in memory has its own (`queue/embedded/mod.rs`).

/// Rows in one commit, and requests that wait for the next one.
pub const COMMIT_ROWS: usize = 512;
/// Commits of such rows under way: the statements of one run while the one before is synced. More would only be smaller.
pub const COMMITS_AT_ONCE: usize = 2;
/// Payloads in one commit, in bytes: the next one takes the rest. A slow network moves as much in the store's time.
pub const COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// Batches that wait to be published. While a broker is slower than that, the sweeper has the rest.
pub const BATCHES_BEHIND: usize = 64;
/// Publishes under way at once.
pub const PUBLISHES: usize = 256;

//! Roles of an `up` that was killed: they end by themselves within seconds, but hold ports until then.

use std::{path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::{cli::Output, local::leftovers::find};

/// The time to wait: longer than a role without a supervisor takes to stop, softly and then hard.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until no role of this data folder is left, and kills roles that do not end. The caller must hold the
/// folder's lock: then such a role has no supervisor.
pub async fn wait(folder: &Path, out: &Output) {
    let deadline = Instant::now() + PATIENCE;
    let mut left = find(folder);
    if !left.is_empty() {
        out.note("waiting for the roles of the last `cloudfunc up`, which was killed, to end");
    }
    while !left.is_empty() {
        if Instant::now() > deadline {
            for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        left = find(folder);
    }
}

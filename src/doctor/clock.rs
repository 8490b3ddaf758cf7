//! Examines this machine's clock.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{judge::clock::Facts, tools};

pub async fn gather() -> Facts {
    let program = std::env::current_exe().ok().and_then(|path| fs::metadata(path).ok());
    let program = program.and_then(|data| data.modified().ok()).map(seconds);
    let now = seconds(SystemTime::now());
    Facts { now, program, is_synchronised: is_synchronised().await, store_ahead_ms: None }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Returns whether the clock is synchronised. systemd's own client leaves a file; its tool also knows about other
/// clients.
async fn is_synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let tool = tools::find("timedatectl")?;
    match tools::ask(tool, &["show", "--property=NTPSynchronized", "--value"]).await?.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

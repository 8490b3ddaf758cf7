//! Roles of an `up` that was killed: they end by themselves within seconds, but hold ports until then.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::{app::Role, cli::Output};

/// Longer than a role without a supervisor takes to stop, softly and then hard.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until no role of this data folder is left; kills what does not end. Only for who holds the
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

/// The processes of the roles that a supervisor has started on this data folder.
pub fn find(folder: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter(|id: &i32| {
        fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| is_role_of(&line, folder))
    })
    .collect()
}

/// Whether these arguments, each ended by a zero byte, are what a supervisor starts a role with.
fn is_role_of(command_line: &[u8], folder: &Path) -> bool {
    let arguments: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    let folder = folder.as_os_str().as_encoded_bytes();
    let is_role = |argument: &[u8]| Role::ALL.iter().any(|role| role.as_str().as_bytes() == argument);
    matches!(arguments.as_slice(), [_, role, b"--supervised", ..] if is_role(role))
        && arguments.windows(2).any(|pair| pair == [b"--data-dir".as_slice(), folder])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_supervised_roles_of_the_same_folder_count() {
        let is_left =
            |line: &str| is_role_of(line.replace(' ', "\0").as_bytes(), Path::new("/s/compose"));
        assert!(is_left("/bin/cloudfunc manager --supervised --platform x --data-dir /s/compose "));
        assert!(!is_left("/bin/cloudfunc manager --supervised --platform x --data-dir /s/other "));
        assert!(!is_left("/bin/cloudfunc manager --platform x --data-dir /s/compose "));
        assert!(!is_left("/bin/cloudfunc up --data-dir /s/compose "));
        assert!(!is_left(""));
    }
}

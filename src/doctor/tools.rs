//! Tools for gathering facts: other programs and blocking calls, both with a time limit.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::runtime::environment_of_programs;

/// The time limit of a program that only prints its version.
const PATIENCE: Duration = Duration::from_secs(3);
/// The time limit of reading a few hundred files of /proc, or of a disk that has to wake up.
pub const FILES: Duration = Duration::from_secs(5);

/// Finds a program on the `PATH`, or in the folders of administrators' programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    folders.map(|folder| folder.join(program)).find(is_program)
}

/// Returns the trimmed standard output of a program that succeeds in time; it has the variables that the runtimes give to such
/// programs.
pub async fn ask(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).env_clear().envs(environment_of_programs());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs file system work off the async threads; `None` if it does not end in time, for example on a network
/// file system whose server is gone.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(FILES, tokio::task::spawn_blocking(work)).await.ok()?.ok()
}

/// Reads a file of /proc or /sys, trimmed.
pub fn read(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// Reads a number from such a file.
pub fn read_number(path: impl AsRef<Path>) -> Option<u64> {
    read(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_asked_and_a_missing_one_is_no_crash() {
        let shell = find("sh").unwrap();
        assert_eq!(ask(&shell, &["-c", "echo ' 1.2 '"]).await.as_deref(), Some("1.2"));
        assert_eq!(ask(&shell, &["-c", "echo 1; exit 1"]).await, None);
        assert_eq!(find("no-such-program-anywhere"), None);
        assert_eq!(ask("/no/such/program", &[]).await, None);
    }
}

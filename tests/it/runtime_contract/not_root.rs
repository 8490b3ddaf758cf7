//! Runs a test of this binary as a user who is not root, with what that user can reach.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

/// No account has it.
const USER: u32 = 54_321;

/// Where that user finds the program.
const PROGRAM: &str = "CLOUDFUNC_TEST_PROGRAM";

pub fn program() -> PathBuf {
    std::env::var_os(PROGRAM).map_or_else(|| env!("CARGO_BIN_EXE_cloudfunc").into(), PathBuf::from)
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn run(test: &str) {
    if !is_root() {
        return; // Then it has run as such already.
    }
    // The binaries may be in a folder of root's own.
    let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let tests = shown(&std::env::current_exe().unwrap(), &folder.path().join("it")).unwrap();
    let program = shown(&program(), &folder.path().join("cloudfunc")).unwrap();
    // A Python that root has for itself is no help.
    let path = format!("/usr/local/bin:/usr/bin:/bin:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(tests)
        .args(["--exact", test])
        .env(PROGRAM, program)
        .env("PATH", path)
        .env("HOME", "/")
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn shown(from: &Path, to: &Path) -> io::Result<PathBuf> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))?;
    Ok(to.to_owned())
}

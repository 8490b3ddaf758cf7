//! Packages of the public index, kept between runs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use cloudfunc::runtime;

use crate::support::platform::Stack;

/// Returns a folder with what a `requirements.txt` pins, without what that depends on, for the Python of a stack; none
/// (with a note) where the index does not answer and it is not there from an earlier run.
pub fn wheels(stack: Stack, requirements: &str) -> Option<PathBuf> {
    let state = std::env::var("CLOUDFUNC_TEST_STATE");
    let state = PathBuf::from(state.unwrap_or_else(|_| "/var/tmp/cloudfunc-tests".to_owned()));
    let version = match stack.runtime() {
        // The version of the tests' settings.
        runtime::Kind::Docker => "3.11".to_owned(),
        _ => python(&["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])?.trim().to_owned(),
    };
    let all = state.join("wheels");
    let folder = all.join(&version);
    let pinned = fs::read_to_string(requirements).unwrap();
    let wanted = pinned.lines().filter_map(|line| line.split_once("=="));
    let has = |(name, version): (&str, &str)| {
        let begin = format!("{name}-{version}-");
        fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(&begin))
    };
    if !wanted.clone().all(has) {
        // Beside it, and then renamed: several tests may do this at the same time.
        for folder in [&all, &folder] {
            fs::create_dir_all(folder).unwrap();
            // Builds read it as another user.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let beside = tempfile::tempdir_in(&all).unwrap();
        let into = beside.path().to_str().unwrap();
        let version = format!("--python-version={version}");
        let download = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"];
        let download = [download.as_slice(), &[&version, "-d", into, "-r", requirements]].concat();
        if python(&download).is_none() {
            eprintln!("skipped: the public index of packages does not answer");
            return None;
        }
        for entry in fs::read_dir(beside.path()).unwrap().flatten() {
            fs::rename(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    Some(folder)
}

fn python(arguments: &[&str]) -> Option<String> {
    let output = Command::new("python3").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

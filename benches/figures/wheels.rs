//! Packages for functions: made here, so that no index of others is measured.

use std::{
    path::Path,
    process::{Command, Stdio},
};

const PROGRAM: &str = include_str!("wheels.py");

/// Makes a wheel in a folder, unless it is there: so many modules of about so many bytes.
pub fn make(folder: &Path, name: &str, version: &str, files: usize, bytes: usize) {
    if folder.join(format!("{name}-{version}-py3-none-any.whl")).exists() {
        return;
    }
    let mut command = Command::new("python3");
    command.args(["-c", PROGRAM]).arg(folder).args([name, version]);
    command.args([files.to_string(), bytes.to_string()]).stdin(Stdio::null());
    assert!(command.status().unwrap().success(), "{name} {version} is not made");
}

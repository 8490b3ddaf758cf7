//! An instance's own folder on this host.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

use crate::disk::remove_tree;

/// The part of an instance's folder that a sandbox sees as `/var/task`.
pub const TASK: &str = "task";

/// An instance's folder, without code. It is closed to others; the sandbox gets what is inside by mounts.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    fs::DirBuilder::new().mode(0o755).create(folder.join(TASK))
}

/// Removes it with what is in it; says in the log when that is not possible.
pub fn remove_folder(folder: &Path) {
    if let Err(error) = remove_tree(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "instance folder not removed");
    }
}

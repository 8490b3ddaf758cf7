//! An instance's own folder on this host.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::Path,
};

use crate::{
    disk::remove_tree,
    model::{Code, Package},
    runtime::run_folder,
};

/// The part of an instance's folder that a sandbox sees as `/var/task`.
pub const TASK: &str = "task";

/// An instance's folder, without code. It is closed to others; the sandbox gets what is inside by mounts.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    fs::DirBuilder::new().mode(0o755).create(folder.join(TASK))
}

/// Makes the link by which a function finds its packages beside its code, where its language wants one; `tree` is their
/// folder as the sandbox sees it. An image of its own has a link with the code, which leads to this one.
pub fn link_packages(folder: &Path, code: &Code, tree: &Path) -> io::Result<()> {
    let Code::Language { language, version: _, package } = code else { return Ok(()) };
    let dependencies = language.facts().dependencies.as_ref();
    let Some(name) = dependencies.and_then(|all| all.folder) else { return Ok(()) };
    let beside = match package {
        Package::Bundle => folder.join(TASK),
        Package::Image => run_folder(folder),
    };
    symlink(tree.join(name), beside.join(name))
}

/// Removes it with what is in it; says in the log when that is not possible.
pub fn remove_folder(folder: &Path) {
    if let Err(error) = remove_tree(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "instance folder not removed");
    }
}

//! The files of a build on this host: what its sandbox reads, and the folder that it writes to.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use super::super::instance::folder;
use crate::runtime::OUTPUT;

/// Makes a folder where it is missing; another user reads it, whatever the umask is.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755))),
    }
}

/// Makes the folder of a build's sandbox, and in it the one that it may write to.
pub fn make(folder: &Path) -> io::Result<()> {
    folder::make_folder(folder)?;
    let output = folder.join(OUTPUT);
    fs::create_dir(&output)?;
    fs::set_permissions(&output, Permissions::from_mode(0o777))
}

/// Writes a file that a sandbox reads, at this path of its folder.
pub fn write(task: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    let path = task.join(name);
    let parent = path.parent().expect("it is in the folder");
    fs::create_dir_all(parent)?;
    for folder in parent.ancestors().take_while(|folder| *folder != task) {
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    fs::write(&path, text)?;
    // Another user reads it, whatever the umask is.
    fs::set_permissions(&path, Permissions::from_mode(0o644))
}

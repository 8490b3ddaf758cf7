//! Putting on disk what a power cut must not take. A file's content is there once the file was synced, and its name once
//! its folder was; a name that is there does not say that the content is.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use rustix::io::Errno;

/// Puts the names in a folder on disk. Some file systems, such as network mounts, cannot sync a folder: there nothing more
/// can be done.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INVAL | Errno::BADF)) => Ok(()),
        synced => synced,
    }
}

/// Creates a folder and its parents with a mode, where they are missing, and puts their names on disk. An existing folder
/// is not changed.
pub fn create_folders(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folders(parent, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        // Another process was quicker.
        Err(_) if path.is_dir() => {}
        made => made?,
    }
    sync_names(parent.unwrap_or(Path::new(".")))
}

/// Puts a folder with everything in it on disk.
pub fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_names(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn folders_are_made_with_their_parents_and_those_that_are_there_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        create_folders(&path, 0o700).unwrap();
        assert_eq!(mode(&dir.path().join("a/b")), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        create_folders(&path, 0o700).unwrap();
        assert_eq!(mode(&path), 0o750);
        fs::write(path.join("file"), "").unwrap();
        sync_tree(dir.path()).unwrap();
        assert!(create_folders(&path.join("file/d"), 0o700).is_err());
    }
}

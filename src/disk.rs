//! Folders: put on disk, so that a power cut does not take them, and removed with everything in them. A file's content is there once the file was synced, and its name once
//! its folder was; a name that is there does not say that the content is.

use std::{
    ffi::{CStr, CString},
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::fs::DirBuilderExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, chmod, fstat, openat, renameat, unlinkat},
    io::Errno,
    path::Arg,
};
use uuid::Uuid;

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

/// Removes a folder with everything in it, also what code has made that is not trusted: folders that nobody may read, and
/// thousands of them in each other. No link is followed. What cannot be removed does not keep the rest.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    let top = match open_folder(CWD, folder) {
        Err(Errno::NOTDIR | Errno::LOOP) => return fs::remove_file(folder),
        opened => opened?,
    };
    let (mut waiting, removed) = remove_files(&top);
    let (mut failed, mut moved) = (removed.err(), 0_u64);
    // Nothing there has such a name.
    let unique = Uuid::now_v7().simple().to_string();
    let mut new_name = || {
        moved += 1;
        CString::new(format!(".{unique}-{moved}")).expect("it has no zero byte")
    };
    while let Some(name) = waiting.pop() {
        let emptied = move_up(&top, &name, &mut waiting, &mut new_name);
        let removed = unlinkat(&top, name.as_c_str(), AtFlags::REMOVEDIR);
        failed = failed.or(emptied.and(removed).err());
    }
    fs::remove_dir(folder).map_err(|error| failed.map_or(error, io::Error::from))
}

/// Removes the files of a folder at the top and moves its folders to the top: however deep they are, few are open.
fn move_up(
    top: &OwnedFd,
    name: &CStr,
    waiting: &mut Vec<CString>,
    new_name: &mut dyn FnMut() -> CString,
) -> Result<(), Errno> {
    let folder = open_folder(top, name)?;
    let (folders, mut all) = remove_files(&folder);
    for inner in folders {
        let new = new_name();
        // Moved, it gets another parent: for that it must be possible to write to it.
        let moved = open_folder(&folder, inner.as_c_str())
            .and_then(|_| renameat(&folder, inner.as_c_str(), top, new.as_c_str()));
        match moved {
            Ok(()) => waiting.push(new),
            failed => all = all.and(failed),
        }
    }
    all
}

/// Removes everything in a folder but the folders that are not empty; returns their names.
fn remove_files(folder: &OwnedFd) -> (Vec<CString>, Result<(), Errno>) {
    let entries = match Dir::read_from(folder) {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let (mut folders, mut all) = (Vec::new(), Ok(()));
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return (folders, all.and(Err(error))),
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                if unlinkat(folder, name, AtFlags::REMOVEDIR).is_err() {
                    folders.push(name.to_owned());
                }
            }
            Err(Errno::NOENT) => {}
            removed => all = all.and(removed),
        }
    }
    (folders, all)
}

/// Opens a folder to be read, follows no link, and gives its owner every right to it.
fn open_folder(at: impl AsFd, name: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(at, name, OFlags::PATH | flags, Mode::empty())?;
    if !Mode::from_raw_mode(fstat(&found)?.st_mode).contains(Mode::RWXU) {
        // Not by its name, which may mean another file by now; a folder that cannot be read has no other way.
        chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)?;
    }
    openat(&found, c".", OFlags::RDONLY | flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use rustix::fs::mkdirat;

    use super::*;

    #[test]
    fn a_tree_goes_whatever_the_modes_of_its_folders_are() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        for mode in [0, 0o500, 0o300, 0o666] {
            let inner = top.join(format!("{mode}/a/b"));
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join("file"), "").unwrap();
            for folder in inner.ancestors().take(3) {
                fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
            }
        }
        fs::set_permissions(&top, Permissions::from_mode(0o000)).unwrap();
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(remove_tree(&top).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_tree_goes_however_deep_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir(&top).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = openat(CWD, &top, flags, Mode::empty()).unwrap();
        for _ in 0..5_000 {
            mkdirat(&folder, "folder", Mode::RWXU).unwrap();
            folder = openat(&folder, "folder", flags, Mode::empty()).unwrap();
        }
        remove_tree(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn what_the_links_of_a_tree_lead_to_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (top, outside) = (dir.path().join("top"), dir.path().join("outside"));
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "text").unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o555)).unwrap();
        for place in ["link", "a/link", "a/b/link"] {
            symlink(&outside, top.join(place)).unwrap();
            symlink(outside.join("file"), top.join(format!("{place}-to-file"))).unwrap();
        }
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        symlink(&outside, &top).unwrap();
        remove_tree(&top).unwrap();
        assert!(fs::symlink_metadata(&top).is_err());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "text");
        assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o555);
        fs::set_permissions(&outside, Permissions::from_mode(0o755)).unwrap();
    }

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

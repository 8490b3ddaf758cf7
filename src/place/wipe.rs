//! The removal of a data folder: files of the platform are removed, files of others stay.
//!
//! `--data-dir` can name any folder, also one in which other people have files and folders called `logs` or
//! `cache`. So every file is known by its name down to the last level, and a folder is removed only if it is
//! empty then.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    disk::remove_tree,
    model::{Digest, ManagerId},
};

/// The keys of secrets.
pub const SECRET_KEY: &str = "secret-key";

/// Files at the top of the folder, made by the store, the lock and the roles.
const FILES: [&str; 12] = [
    "store.db",
    "store.db-wal",
    "store.db-shm",
    "store.db.lock",
    "token",
    "internal-token",
    "tls-certificate.pem",
    SECRET_KEY,
    "manager-id",
    "manager-machine",
    "manager.lock",
    "up.lock",
];
const ROLES: [&str; 4] = ["gateway", "registry", "scheduler", "manager"];
const COMPOSE: [&str; 2] = ["compose.yaml", ".env"];

/// Returns whether a platform has used this folder, so that files with our names there are ours.
pub fn is_used(folder: &Path) -> bool {
    folder.join("manager-id").is_file() || folder.join("store.db.lock").is_file()
}

/// Removes everything of a platform that is not running, but not its keys of secrets with `keeps_key`. Returns what is left in
/// the folder besides them. A folder that no platform has used is left alone.
pub fn wipe(folder: &Path, keeps_key: bool) -> io::Result<Vec<PathBuf>> {
    if !is_used(folder) {
        return Ok(Vec::new());
    }
    let logs = ROLES.iter().flat_map(|role| [format!("{role}.log"), format!("{role}.log.1")]);
    // `up.log` is the log of a platform in the background.
    for name in logs.chain(["up.log".to_owned()]) {
        remove_file(&folder.join("logs").join(name))?;
    }
    for name in COMPOSE {
        remove_file(&folder.join("compose").join(name))?;
    }
    let is_bundle = |name: &str| {
        name.parse::<Digest>().is_ok() || name.starts_with(".unpack-") || name.starts_with(".removed-")
    };
    remove_folders(&folder.join("cache/bundles"), is_bundle)?;
    let is_tree = |name: &str| is_bundle(name) || name.starts_with(".fetch-");
    remove_folders(&folder.join("cache/dependencies"), is_tree)?;
    let is_made = |name: &str| name.parse::<Digest>().is_ok() || name.starts_with(".making-");
    remove_folders(&folder.join("cache/bytecode"), is_made)?;
    remove_files(&folder.join("cache/helper"), is_made)?;
    for note in BOOTS {
        remove_file(&folder.join("cache").join(note))?;
    }
    remove_folders(&folder.join("instances"), is_id)?;
    remove_folders(&folder.join("runtime/sandboxes"), is_id)?;
    let is_root = |name: &str| name.starts_with(".making-") || is_key(name);
    remove_folders(&folder.join("runtime/roots"), is_root)?;
    let folders = [
        "logs",
        "compose",
        "cache/bundles",
        "cache/bytecode",
        "cache/dependencies",
        "cache/helper",
        "cache",
        "instances",
        "runtime/sandboxes",
        "runtime/roots",
        "runtime",
    ];
    for name in folders {
        remove_if_empty(&folder.join(name))?;
    }
    // The files that show that the folder was used go last: if this is interrupted before, it can be repeated.
    let stays = |name: &str| keeps_key && name == SECRET_KEY;
    for name in FILES.iter().filter(|name| **name != "manager-id").chain([&"manager-id"]) {
        if !stays(name) {
            remove_file(&folder.join(name))?;
        }
    }
    remove_if_empty(folder)?;
    let left = fs::read_dir(folder).into_iter().flatten().flatten();
    let left = left.filter(|entry| !entry.file_name().to_str().is_some_and(stays));
    let mut left: Vec<PathBuf> = left.map(|entry| entry.path()).collect();
    left.sort();
    Ok(left)
}

/// Notes of the boot in which a cache was filled.
const BOOTS: [&str; 3] = ["boot", "bytecode.boot", "dependencies.boot"];

fn is_id(name: &str) -> bool {
    name.parse::<ManagerId>().is_ok()
}

/// Returns whether the name looks like `3.11.7-2efaab9db903`.
fn is_key(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(_, key)| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn remove_folders(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type()?.is_dir() && entry.file_name().to_str().is_some_and(&is_ours) {
            gone(remove_tree(&path), &path)?;
        }
    }
    Ok(())
}

fn remove_files(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(&is_ours) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> io::Result<()> {
    gone(fs::remove_file(path), path)
}

fn remove_if_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        // A link to a folder, or the mount point of a file system.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::ResourceBusy) =>
        {
            Ok(())
        }
        removed => gone(removed, folder),
    }
}

fn gone(removed: io::Result<()>, path: &Path) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path, files: &[&str]) {
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    fn ours() -> Vec<String> {
        let digest = Digest::of(b"x");
        let id = ManagerId::new();
        let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
        files.extend([
            "logs/manager.log.1".to_owned(),
            "compose/.env".to_owned(),
            "cache/boot".to_owned(),
            "cache/bytecode.boot".to_owned(),
            format!("cache/bytecode/{digest}/python-3.12/0.pyc"),
            "cache/bytecode/.making-abc/0.pyc".to_owned(),
            "cache/dependencies.boot".to_owned(),
            format!("cache/dependencies/{digest}/requests/__init__.py"),
            format!("cache/dependencies/.fetch-{digest}/six.py"),
            format!("cache/helper/{digest}"),
            "cache/helper/.making-abc".to_owned(),
            format!("cache/bundles/{digest}/function.py"),
            "cache/bundles/.unpack-abc/tree/function.py".to_owned(),
            format!("instances/{id}/task/function.py"),
            format!("runtime/sandboxes/{id}/{id}/pid"),
            "runtime/roots/3.11.7-2efaab9db903/shim.py".to_owned(),
        ]);
        files
    }

    #[test]
    fn a_folder_of_a_platform_is_gone_with_everything() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        make(&folder, &ours().iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(wipe(&folder, false).unwrap(), Vec::<PathBuf>::new());
        assert!(!folder.exists());
        assert_eq!(wipe(&folder, false).unwrap(), Vec::<PathBuf>::new(), "again: nothing to do");
    }

    #[test]
    fn the_keys_of_secrets_that_are_stored_elsewhere_stay() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &ours().iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(wipe(dir.path(), true).unwrap(), Vec::<PathBuf>::new());
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(left, [SECRET_KEY]);
    }

    #[test]
    fn what_others_have_put_there_stays_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        make(folder, &ours().iter().map(String::as_str).collect::<Vec<_>>());
        let theirs =
            ["notes.txt", "logs/access.log", "cache/pip/a", "instances/prod/key", "compose/my.yaml"];
        make(folder, &theirs);
        let left = wipe(folder, false).unwrap();
        let names: Vec<_> =
            left.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["cache", "compose", "instances", "logs", "notes.txt"]);
        assert!(theirs.iter().all(|file| folder.join(file).exists()));
        assert!(!folder.join("cache/bundles").exists() && !folder.join("token").exists());
    }

    #[test]
    fn a_folder_that_no_platform_has_used_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &["token", "logs/manager.log"]);
        wipe(dir.path(), false).unwrap();
        assert!(dir.path().join("token").exists() && dir.path().join("logs/manager.log").exists());
    }
}

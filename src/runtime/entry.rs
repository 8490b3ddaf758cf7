//! The first program of a sandbox: a shim, or the platform's helper, which speaks the runtime protocol for a program
//! that does not. The helper is compiled into this program: a manager puts it on its disk once, and each sandbox that
//! begins with it sees it in the folder of the socket, read-only.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Error, Spec, guest::run_folder, helper_program, limits::RUN_PATH};
use crate::{
    disk::{create_folders, sync_names},
    model::{Digest, Interface, Language},
};

/// The name of the helper's file in `run/`.
pub(super) const HELPER: &str = "helper";

/// The mode of the file: all users may run it, and none may change it.
const MODE: u32 = 0o555;

/// The first program of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The shim of the language, or what an image of the user's own names: it speaks the runtime protocol itself.
    Shim,
    /// The platform's helper.
    Helper,
}

impl Entry {
    /// Returns the first program of sandboxes for functions with this interface.
    pub fn of(interface: Interface) -> Self {
        match interface {
            Interface::Protocol => Self::Shim,
            Interface::Command | Interface::Lambda | Interface::Http { .. } => Self::Helper,
        }
    }
}

/// The platform's helper on this host: its file, or the reason why there is none.
pub type HelperFile = Result<PathBuf, String>;

/// Returns the value for a process that starts no functions.
pub fn no_helper() -> HelperFile {
    Err("this process does not start functions".to_owned())
}

/// Puts the helper of this program into a folder of the manager's own, under a name that stands for its content, where
/// it is not there yet. The helpers of other versions are removed.
pub fn place_helper(folder: &Path) -> HelperFile {
    let program = helper_program().map_err(str::to_owned)?;
    place(program, folder)
        .map_err(|error| format!("it cannot be written to {}: {error}", folder.display()))
}

fn place(program: &[u8], folder: &Path) -> io::Result<PathBuf> {
    create_folders(folder, 0o700)?;
    let path = folder.join(Digest::of(program).as_str());
    if !fs::read(&path).is_ok_and(|there| there == program) {
        let mut file = tempfile::Builder::new().prefix(".making-").tempfile_in(folder)?;
        file.write_all(program)?;
        file.as_file().sync_all()?;
        // A file that is open for writing cannot be run.
        file.into_temp_path().persist(&path)?;
        sync_names(folder)?;
    }
    fs::set_permissions(&path, Permissions::from_mode(MODE))?;
    let others = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    for other in others.filter(|other| *other != path) {
        // A sandbox that runs has a link of its own to its helper.
        let _ = fs::remove_file(other);
    }
    Ok(path)
}

impl Spec {
    /// Puts the helper into `run/`, which has to be there, if the sandbox begins with it.
    pub(super) fn provide_helper(&self, helper: &HelperFile) -> Result<(), Error> {
        if self.entry == Entry::Shim {
            return Ok(());
        }
        let file = helper.as_ref().map_err(|reason| Error::NoHelper(reason.clone()))?;
        let path = run_folder(&self.folder).join(HELPER);
        link_or_copy(file, &path).map_err(|source| Error::Io { path, source })
    }
}

fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // A start that is tried again.
        _ => {}
    }
    // A link cannot lead to another file system, and some kernels refuse links to another user's file.
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
        fs::set_permissions(to, Permissions::from_mode(MODE))?;
    }
    Ok(())
}

/// Returns the command of a sandbox that begins with the helper, for a program in an image of the platform.
pub(super) fn task_command() -> Vec<String> {
    vec![format!("{RUN_PATH}/{HELPER}"), "task".to_owned()]
}

/// Returns the command of a sandbox that begins with the helper, for an image of the user's own with this command.
pub(super) fn image_command(own: &[String]) -> Vec<String> {
    let first = [format!("{RUN_PATH}/{HELPER}"), "image".to_owned()];
    first.into_iter().chain(own.iter().cloned()).collect()
}

/// Returns the error of a sandbox that is to begin with the shim of a language that has none.
pub(super) fn no_shim(language: Language) -> Error {
    let reason = format!("{} have no shim", language.facts().title);
    Error::Start { reason, output: String::new(), code: None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_helper_is_put_down_once_and_takes_the_place_of_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("cache/helper");
        let old = place(b"old", &folder).unwrap();
        fs::write(folder.join(".making-killed"), "ne").unwrap();
        let new = place(b"new", &folder).unwrap();
        assert_eq!(names(&folder), std::slice::from_ref(&new));
        assert_ne!(old, new);
        assert_eq!(fs::read(&new).unwrap(), b"new");
        let metadata = || fs::metadata(&new).unwrap();
        assert_eq!(metadata().permissions().mode() & 0o777, 0o555);
        let inode = metadata().ino();
        assert_eq!(place(b"new", &folder).unwrap(), new);
        assert_eq!(metadata().ino(), inode, "it is used as it is");
        // Somebody has damaged it.
        fs::remove_file(&new).unwrap();
        fs::write(&new, "n").unwrap();
        assert_eq!(place(b"new", &folder).unwrap(), new);
        assert_eq!(
            (fs::read(&new).unwrap(), metadata().permissions().mode() & 0o777),
            (b"new".to_vec(), 0o555)
        );
    }

    #[test]
    fn an_instance_has_a_name_of_its_own_for_the_helper_or_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let file = place(b"helper", &folder.path().join("helper")).unwrap();
        let to = folder.path().join("one");
        for _ in 0..2 {
            link_or_copy(&file, &to).unwrap();
            assert_eq!(fs::metadata(&to).unwrap().ino(), fs::metadata(&file).unwrap().ino());
        }
        assert!(link_or_copy(&folder.path().join("nowhere"), &to).is_err());
        // Another file system, on almost every machine.
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let to = memory.path().join("two");
        link_or_copy(&file, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"helper");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o555);
    }

    #[test]
    fn an_image_of_ones_own_is_given_its_own_words() {
        assert_eq!(task_command(), ["/run/cloudfunc/helper", "task"]);
        let own = ["gunicorn".to_owned(), "app:app".to_owned()];
        assert_eq!(image_command(&own), ["/run/cloudfunc/helper", "image", "gunicorn", "app:app"]);
        assert_eq!(image_command(&[]), ["/run/cloudfunc/helper", "image"]);
    }

    #[test]
    fn whoever_has_no_helper_says_why() {
        let error = Error::NoHelper("there was no static C library".to_owned());
        assert_eq!(error.to_string(), "the platform's helper is missing: there was no static C library");
        assert!(!error.is_transient());
        assert_eq!(
            no_shim(Language::Native).to_string(),
            "the sandbox did not get ready: native programs have no shim"
        );
    }
}

//! Files that this user names, or has in the folder of the configuration: a token, and `config.toml`, which says where tokens
//! are sent. They are ours or root's, and other users do not write to them.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::process::{getegid, geteuid};

/// An error: other users may have read or written a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    #[error("the file {path} belongs to another user (uid {uid})")]
    NotOurs { path: PathBuf, uid: u32 },
    #[error("the file {path} can be written by other users (mode {mode:03o})")]
    Writable { path: PathBuf, mode: u32 },
    #[error("the token in {path} can be read by other users (mode {mode:03o})")]
    Readable { path: PathBuf, mode: u32 },
}

impl Exposed {
    /// Returns advice about the next step.
    pub fn hint(&self) -> String {
        match self {
            Self::NotOurs { path, .. } => {
                format!("use a file of your own, or give it to this user: `chown` {}", path.display())
            }
            Self::Writable { path, .. } => {
                format!("see that it says what you have written, then `chmod go-w {}`", path.display())
            }
            Self::Readable { path, .. } => {
                format!("`chmod 600 {}`; if others may have read it, get another token", path.display())
            }
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
pub enum Unread {
    Io(io::Error),
    Exposed(Exposed),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unread {
    /// Returns whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file with a token. Only root's may be read by others: mounted secrets are such files. A pipe has no other readers.
pub fn read_token(path: &Path) -> Result<String, Unread> {
    read(path, |metadata| {
        check_writers(path, metadata)?;
        let mode = mode(metadata);
        if metadata.uid() != 0 && mode & 0o044 != 0 {
            return Err(Exposed::Readable { path: path.to_owned(), mode });
        }
        Ok(())
    })
}

/// Reads a file that says what a command does, and to whom it sends a token.
pub fn read_config(path: &Path) -> Result<String, Unread> {
    read(path, |metadata| check_writers(path, metadata))
}

fn read(path: &Path, check: impl Fn(&Metadata) -> Result<(), Exposed>) -> Result<String, Unread> {
    let mut file = File::open(path)?;
    // The opened file, since another one may have its name by now.
    let metadata = file.metadata()?;
    if metadata.is_file() {
        check(&metadata).map_err(Unread::Exposed)?;
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn check_writers(path: &Path, metadata: &Metadata) -> Result<(), Exposed> {
    let (uid, mode) = (metadata.uid(), mode(metadata));
    if uid != 0 && uid != geteuid().as_raw() {
        return Err(Exposed::NotOurs { path: path.to_owned(), uid });
    }
    // Many systems give each user a group of the same number, and let it write to all that the user makes.
    let has_own_group = getegid().as_raw() == geteuid().as_raw();
    let is_own_group = has_own_group && metadata.gid() == getegid().as_raw();
    let others = if is_own_group { 0o002 } else { 0o022 };
    if mode & others != 0 { Err(Exposed::Writable { path: path.to_owned(), mode }) } else { Ok(()) }
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::chown};

    use super::*;

    type Reader = fn(&Path) -> Result<String, Unread>;

    /// A file with this mode, and of this user where we are root.
    fn file(uid: u32, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "text").unwrap();
        if geteuid().is_root() {
            chown(file.path(), Some(uid), None).unwrap();
        }
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    /// What is said of it, with FILE for its path, and the advice.
    fn refused(read: Reader, file: &tempfile::NamedTempFile) -> (String, String) {
        let Err(Unread::Exposed(exposed)) = read(file.path()) else { panic!("not refused") };
        let path = file.path().display().to_string();
        (exposed.to_string().replace(&path, "FILE"), exposed.hint().replace(&path, "FILE"))
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        for read in [read_token as Reader, read_config] {
            for mode in [0o602, 0o622, 0o666] {
                let (said, hint) = refused(read, &file(geteuid().as_raw(), mode));
                assert_eq!(said, format!("the file FILE can be written by other users (mode {mode:o})"));
                assert_eq!(hint, "see that it says what you have written, then `chmod go-w FILE`");
            }
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_refused_unless_it_is_roots() {
        let ours = geteuid().as_raw();
        for mode in [0o600, 0o400] {
            assert_eq!(read_token(file(ours, mode).path()).unwrap(), "text");
        }
        for mode in [0o640, 0o644, 0o604] {
            let file = file(ours, mode);
            assert_eq!(read_config(file.path()).unwrap(), "text");
            if ours == 0 {
                assert_eq!(read_token(file.path()).unwrap(), "text");
                continue;
            }
            let (said, hint) = refused(read_token, &file);
            assert_eq!(said, format!("the token in FILE can be read by other users (mode {mode:o})"));
            assert_eq!(hint, "`chmod 600 FILE`; if others may have read it, get another token");
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        if !geteuid().is_root() {
            return;
        }
        for read in [read_token as Reader, read_config] {
            let (said, hint) = refused(read, &file(12345, 0o600));
            assert_eq!(said, "the file FILE belongs to another user (uid 12345)");
            assert_eq!(hint, "use a file of your own, or give it to this user: `chown` FILE");
        }
    }

    #[test]
    fn a_pipe_is_read_whatever_its_mode_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&path, "text").unwrap());
            assert_eq!(read_token(&path).unwrap(), "text");
        });
        assert!(read_token(&folder.path().join("missing")).unwrap_err().is_missing());
    }
}

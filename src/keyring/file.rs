//! The file of the keys: each line 64 hexadecimal digits; empty lines and lines that begin with `#` are ignored. It is for its
//! user alone, and no error repeats what is in it.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{KEY_LENGTH, KeyBytes};
use crate::{
    disk::sync_names,
    private_file::{Kind, Rule, Unread},
};

/// The most keys of a file: each time that the key is changed adds one, until the old one is taken out.
const MAX_KEYS: usize = 16;
/// The most bytes of a file, with its comments.
const MAX_FILE: usize = 64 * 1024;
/// The text of a key, in bytes.
const DIGITS: usize = 2 * KEY_LENGTH;

/// Written into a new file.
const COMMENT: &str = "# The key of this platform's secrets, which cannot be read without it: keep a copy in a safe place.\n";

/// An error: a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("cannot make the file of secret keys {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the file of secret keys {path} holds no key")]
    Empty { path: PathBuf },
    #[error("{path}:{line}: this is not a key, which has {DIGITS} hexadecimal digits")]
    NotAKey { path: PathBuf, line: usize },
    #[error("{path}:{line}: this is the key of line {first} again")]
    Twice { path: PathBuf, line: usize, first: usize },
    #[error("{path}:{line}: a file has at most {MAX_KEYS} keys")]
    TooMany { path: PathBuf, line: usize },
}

impl KeyringError {
    /// Returns advice about the next step.
    pub fn hint(&self) -> String {
        match self {
            Self::Unread(unread) => hint_of(unread),
            Self::Io { .. } => {
                "see that this user can write to the folder, or name a file that is there with --secret-key-file".to_owned()
            }
            Self::Empty { path } | Self::NotAKey { path, .. } => format!(
                "restore it from a backup, or from another host with the same store: secrets cannot be read without their key. \
                 Only if no secret was set yet, remove it (`rm {}`), and the next start makes a new one",
                path.display()
            ),
            Self::Twice { .. } => "leave each key in once, the newest first".to_owned(),
            Self::TooMany { .. } => {
                "run `cloudfunc secret rotate --key`, which encrypts all secrets with the newest key, and take the old ones out".to_owned()
            }
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Unread(unread) if unread.is_missing())
    }
}

fn hint_of(unread: &Unread) -> String {
    match unread {
        Unread::Io { .. } | Unread::NotAFile { .. } => {
            "name a file that this user can read with --secret-key-file; `openssl rand -hex 32` makes a key".to_owned()
        }
        Unread::Link { .. } => "name the file that it leads to with --secret-key-file".to_owned(),
        Unread::NotOurs { path, .. } => {
            format!("give it to the user who runs the platform, with `chown`: {}", path.display())
        }
        Unread::TooLarge { .. } => "leave only keys in it, one a line, the newest first".to_owned(),
        Unread::Open { .. } => unread.hint(
            "put a new key in its first line, restart the platform, and run `cloudfunc secret rotate --key`",
        ),
    }
}

/// Reads the keys of a file, the newest first.
pub(super) fn read(path: &Path, rule: Rule) -> Result<Vec<KeyBytes>, KeyringError> {
    parse(path, &Kind { what: "the file of secret keys", rule, limit: MAX_FILE }.read(path)?)
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<KeyBytes>, KeyringError> {
    let (mut keys, mut lines) = (Vec::<KeyBytes>::new(), Vec::new());
    for (line, text) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let text = text.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        hex::decode_to_slice(text, &mut key[..])
            .map_err(|_| KeyringError::NotAKey { path: path.to_owned(), line })?;
        if let Some(at) = keys.iter().position(|other| *other == key) {
            return Err(KeyringError::Twice { path: path.to_owned(), line, first: lines[at] });
        }
        if keys.len() == MAX_KEYS {
            return Err(KeyringError::TooMany { path: path.to_owned(), line });
        }
        keys.push(key);
        lines.push(line);
    }
    if keys.is_empty() { Err(KeyringError::Empty { path: path.to_owned() }) } else { Ok(keys) }
}

/// Makes the file with a new key, unless it is there by now.
pub(super) fn make(path: &Path) -> Result<(), KeyringError> {
    let io = |source| KeyringError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    getrandom::fill(&mut key[..]).expect("the system has randomness");
    let mut line = Zeroizing::new([b'\n'; DIGITS + 1]);
    hex::encode_to_slice(&key[..], &mut line[..DIGITS]).expect("two digits for each byte");
    // A temporary file is made with O_EXCL and mode 0600; persist_noclobber links it.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(COMMENT.as_bytes()).map_err(io)?;
    file.write_all(&line[..]).map_err(io)?;
    // Secrets that were encrypted with a key that is not on disk would be lost with the power.
    file.as_file().sync_all().map_err(io)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(io(error.error)),
        _ => sync_names(folder).map_err(io),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;
    use crate::keyring::Keyring;

    /// A file of keys in a folder of its own.
    struct Case(tempfile::TempDir);

    impl Case {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("secret-key")
        }

        fn write(&self, text: impl AsRef<[u8]>) {
            fs::write(self.path(), text).unwrap();
            self.set_mode(0o600);
        }

        fn set_mode(&self, mode: u32) {
            fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
        }

        /// The error of both ways to read it, without its path, and its hint.
        fn refused(&self) -> (String, String) {
            let error = Keyring::read_or_make(&self.path()).unwrap_err();
            let other = Keyring::read(&self.path()).unwrap_err();
            assert_eq!(error.to_string(), other.to_string());
            let path = self.path().display().to_string();
            (error.to_string().replace(&path, "FILE"), error.hint().replace(&path, "FILE"))
        }
    }

    fn line(byte: u8) -> String {
        format!("{}\n", hex::encode([byte; KEY_LENGTH]))
    }

    #[test]
    fn processes_that_start_at_once_agree_on_a_key() {
        let case = Case::new();
        let read = || Keyring::read_or_make(&case.path()).unwrap().ids();
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen[0].len() == 1 && seen.iter().all(|ids| *ids == seen[0]), "{seen:?}");
        assert_eq!(Keyring::read(&case.path()).unwrap().ids(), seen[0]);
        assert_eq!(fs::read_dir(case.0.path()).unwrap().count(), 1, "no temporary file stays");
        assert_eq!(fs::metadata(case.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let other = Case::new();
        assert_ne!(Keyring::read_or_make(&other.path()).unwrap().ids(), seen[0]);
    }

    #[test]
    fn keys_are_read_in_order_and_comments_are_not_keys() {
        let case = Case::new();
        assert!(Keyring::look(&case.path()).unwrap().is_none());
        case.write(format!("# new\n\n  {}\r\n# old\n{}", line(0xAB).trim().to_uppercase(), line(1)));
        let both = Keyring::look(&case.path()).unwrap().unwrap();
        case.write(line(0xab));
        let new = Keyring::read(&case.path()).unwrap();
        assert_eq!((both.ids().len(), both.newest()), (2, new.newest()));
    }

    #[test]
    fn a_file_that_is_damaged_is_refused_and_stays_as_it_is() {
        let case = Case::new();
        let restore = "restore it from a backup, or from another host with the same store: secrets cannot be read without \
                       their key. Only if no secret was set yet, remove it (`rm FILE`), and the next start makes a new one";
        let not_a_key = "this is not a key, which has 64 hexadecimal digits";
        let text = "hunter2".to_owned();
        for (text, error) in [
            (String::new(), "the file of secret keys FILE holds no key".to_owned()),
            ("# nothing\n\n".to_owned(), "the file of secret keys FILE holds no key".to_owned()),
            (text.clone(), format!("FILE:1: {not_a_key}")),
            (format!("{}# ok\n{text}\n", line(1)), format!("FILE:3: {not_a_key}")),
            (line(1)[1..].to_owned(), format!("FILE:1: {not_a_key}")),
            (line(1).replace('1', "g"), format!("FILE:1: {not_a_key}")),
            ("\0".repeat(64), format!("FILE:1: {not_a_key}")),
        ] {
            case.write(&text);
            assert_eq!(case.refused(), (error, restore.to_owned()), "{text:?}");
            assert_eq!(fs::read_to_string(case.path()).unwrap(), text, "it stays");
        }
        case.write(format!("{}\n{}{}", line(1), line(2), line(1)));
        assert_eq!(case.refused().0, "FILE:4: this is the key of line 1 again");
        case.write((0..17).map(line).collect::<String>());
        assert_eq!(case.refused().0, "FILE:17: a file has at most 16 keys");
        case.write((0..16).map(line).collect::<String>());
        assert_eq!(Keyring::read(&case.path()).unwrap().ids().len(), 16);
        case.write("#".repeat(MAX_FILE + 1));
        assert_eq!(case.refused().0, "the file of secret keys FILE has more than 64 KiB");
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_refused() {
        let case = Case::new();
        case.write(line(1));
        for (mode, access) in [(0o644, "read"), (0o604, "read"), (0o660, "written"), (0o602, "written")]
        {
            case.set_mode(mode);
            let (error, hint) = case.refused();
            let expected =
                format!("the file of secret keys FILE can be {access} by other users (mode {mode:o})");
            assert_eq!(error, expected);
            assert_eq!(
                hint,
                "`chmod 600 FILE`; if others may have read it, put a new key in its first line, restart the platform, and run \
                 `cloudfunc secret rotate --key`"
            );
        }
        // A group may read it, if the file is root's and was named.
        case.set_mode(0o440);
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(Keyring::read(&case.path()).is_ok(), is_root);
        assert!(Keyring::read_or_make(&case.path()).is_err());
        case.set_mode(0o400);
        Keyring::read_or_make(&case.path()).unwrap();
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let case = Case::new();
        case.write(line(1));
        std::os::unix::fs::chown(case.path(), Some(12345), None).unwrap();
        let (error, hint) = case.refused();
        assert_eq!(error, "the file of secret keys FILE belongs to another user (uid 12345)");
        assert_eq!(hint, "give it to the user who runs the platform, with `chown`: FILE");
    }

    #[test]
    fn a_link_is_followed_only_where_its_path_was_named() {
        let case = Case::new();
        let target = case.0.path().join("mounted");
        fs::write(&target, line(1)).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        symlink(&target, case.path()).unwrap();
        Keyring::read(&case.path()).unwrap();
        let error = Keyring::read_or_make(&case.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the file of secret keys {} is a link", case.path().display())
        );
        assert_eq!(error.hint(), "name the file that it leads to with --secret-key-file");
        fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
        let error = Keyring::read(&case.path()).unwrap_err().to_string();
        assert!(error.ends_with("can be read by other users (mode 644)"), "{error}");
        fs::remove_file(&target).unwrap();
        let error = Keyring::read_or_make(&case.path()).unwrap_err().to_string();
        assert!(error.ends_with("is a link"), "it leads nowhere: {error}");
    }

    #[test]
    fn what_is_not_a_file_is_refused_and_not_waited_for() {
        let case = Case::new();
        fs::create_dir(case.path()).unwrap();
        assert_eq!(case.refused().0, "the file of secret keys FILE is not a regular file");
        fs::remove_dir(case.path()).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(case.path()).status().unwrap();
        assert!(pipe.success());
        assert_eq!(case.refused().0, "the file of secret keys FILE is not a regular file");
        let missing = Keyring::read(&case.0.path().join("missing")).unwrap_err();
        assert!(missing.is_missing(), "{missing}");
        assert!(missing.hint().contains("`openssl rand -hex 32`"));
    }
}

//! The data folder of one platform on one host: tokens, the manager's id, caches and logs.
//!
//! | entry | what |
//! |---|---|
//! | `token` | the gateway's first bearer token |
//! | `internal-token` | what the roles show each other |
//! | `secret-key` | the keys that secrets are encrypted with ([`crate::keyring`]) |
//! | `tls-certificate.pem` | the certificates that the gateway shows, for clients of this host |
//! | `manager-id` | the label of this host's sandboxes |
//! | `manager-machine` | the machine on which that label was made |
//! | `manager.lock` | held by the manager that runs |
//! | `up.lock` | held by `cloudfunc up` ([`super::lock`]) |
//! | `logs/<role>.log`, `compose/` | written by `up` |
//!
//! Every role opens the folder at its start, several at the same time: each secret is written to a file of its
//! own and then linked to its name, so that the first one wins and all roles read the same.
//!
//! The folder is closed to other users, and so is each file that holds a secret; what is in it belongs to the same user. The
//! manager's id is no secret: only the folder keeps others from it.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::Token;
use crate::{
    disk::{create_folders, sync_names},
    model::ManagerId,
    private_file::{Kind, Rule, Unread, access},
};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    /// A user who can write here can replace the tokens; one who can read sees the code of functions.
    #[error("the data folder {path} can be {} by other users (mode {mode:03o})", access(*mode))]
    Open { path: PathBuf, mode: u32 },
    /// The owner can replace whatever is in it.
    #[error("{path} belongs to another user (uid {uid})")]
    NotOurs { path: PathBuf, uid: u32 },
    /// A file with a secret.
    #[error(transparent)]
    Secret(#[from] Unread),
    #[error("{path} does not hold {what}")]
    Damaged { path: PathBuf, what: &'static str },
}

/// The folders in the data folder, as far as they are there: those of caches, code and passwords.
const FOLDERS: [&str; 5] = ["cache", "compose", "instances", "logs", "runtime"];

/// The most bytes of a file with a token or with passwords.
const MAX_SECRET_FILE: usize = 16 * 1024;

/// An opened data folder.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// Opens the folder, and creates it (mode 0700) if it is missing.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        make_folder(folder)?;
        let io = |source| StateError::Io { path: folder.to_owned(), source };
        let metadata = fs::metadata(folder).map_err(io)?;
        let (uid, mode) = (metadata.uid(), metadata.permissions().mode() & 0o777);
        if uid != rustix::process::geteuid().as_raw() {
            return Err(StateError::NotOurs { path: folder.to_owned(), uid });
        }
        if mode & 0o077 != 0 {
            return Err(StateError::Open { path: folder.to_owned(), mode });
        }
        FOLDERS.iter().try_for_each(|name| check_inner(&folder.join(name)))?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of the token, where the client finds it.
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// Returns the path of the keys of secrets.
    pub fn secret_key_file(&self) -> PathBuf {
        self.folder.join("secret-key")
    }

    /// Returns the token of the gateway; it is made on first use.
    pub fn token(&self) -> Result<Token, StateError> {
        self.secret("token")
    }

    /// Returns the token of the internal ports; it is made on first use.
    pub fn internal_token(&self) -> Result<Token, StateError> {
        self.secret("internal-token")
    }

    /// Returns the id of the manager. It is stable for as long as the folder is kept, and stays on its machine.
    pub fn manager_id(&self) -> Result<ManagerId, StateError> {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        // At its first boot a machine may have none yet.
        self.manager_id_on(Some(machine.trim()).filter(|id| *id != "uninitialized").unwrap_or_default())
    }

    /// The same, on the machine with this id; empty where it has none.
    fn manager_id_on(&self, machine: &str) -> Result<ManagerId, StateError> {
        let known = || match self.read_or_make("manager-machine", || machine.to_owned()) {
            // A disk may have damaged the file.
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                Ok(String::new())
            }
            known => known,
        };
        if !machine.is_empty() && known()? != machine {
            // The disk was copied: two managers of one id would end each other's leases.
            self.remove("manager-id")?;
            self.remove("manager-machine")?;
            self.read_or_make("manager-machine", || machine.to_owned())?;
        }
        self.made_manager_id()
    }

    fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { path, source })
            }
            _ => Ok(()),
        }
    }

    fn made_manager_id(&self) -> Result<ManagerId, StateError> {
        let make = || ManagerId::new().to_string();
        match self.read_or_make("manager-id", make).map(|text| text.parse()) {
            Ok(Ok(id)) => return Ok(id),
            Ok(Err(_)) => {}
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
        // A disk may have emptied the file. Another id loses no invocation: this is another manager then, and the old one
        // counts as lost.
        self.remove("manager-id")?;
        let text = self.read_or_make("manager-id", make)?;
        let path = self.folder.join("manager-id");
        text.parse().map_err(|_| StateError::Damaged { path, what: "a manager's id" })
    }

    /// Returns the file where the supervisor keeps the output of a role.
    pub fn log_file(&self, role: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{role}.log"))
    }

    pub fn compose_folder(&self) -> PathBuf {
        self.folder.join("compose")
    }

    fn secret(&self, name: &str) -> Result<Token, StateError> {
        let path = self.folder.join(name);
        self.make_once(&path, random_hex)?;
        let text = read_secret(&path)?;
        // A text that is short enough to be guessed was not made by us.
        let whole = Some(text.trim()).filter(|text| text.len() >= 32);
        let token = whole.and_then(|text| Token::new(text).ok());
        token.ok_or(StateError::Damaged { path, what: "a token" })
    }

    fn read_or_make(&self, name: &str, make: impl FnOnce() -> String) -> Result<String, StateError> {
        let path = self.folder.join(name);
        self.make_once(&path, make)?;
        let text = fs::read_to_string(&path).map_err(|source| StateError::Io { path, source })?;
        Ok(text.trim().to_owned())
    }

    /// Makes a file of the folder, unless it is there.
    fn make_once(&self, path: &Path, make: impl FnOnce() -> String) -> Result<(), StateError> {
        if path.exists() {
            return Ok(());
        }
        let io = |source| StateError::Io { path: path.to_owned(), source };
        // A temporary file is made with O_EXCL and mode 0600; persist_noclobber links it.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(io)?;
        writeln!(file, "{}", make()).map_err(io)?;
        // A name without its content would be a damaged secret after a power cut.
        file.as_file().sync_all().map_err(io)?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(io(error.error)),
            _ => sync_names(&self.folder).map_err(io),
        }
    }
}

/// Reads a file with a token or with passwords; one that belongs to another user, or that others can read, is refused.
pub fn read_secret(path: &Path) -> Result<String, StateError> {
    Ok(Kind { what: "the file", rule: Rule::Ours, limit: MAX_SECRET_FILE }.read_text(path)?)
}

/// Refuses a folder in the data folder that belongs to another user; one that is not there is none. Only we can reach it, but a
/// link may lead to a place that others can reach: there they must not write.
fn check_inner(path: &Path) -> Result<(), StateError> {
    let io = |source| StateError::Io { path: path.to_owned(), source };
    let (link, metadata) = match (fs::symlink_metadata(path), fs::metadata(path)) {
        (Ok(link), Ok(metadata)) => (link, metadata),
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        (Err(error), _) | (_, Err(error)) => return Err(io(error)),
    };
    let (uid, mode) = (metadata.uid(), metadata.permissions().mode() & 0o777);
    if uid != rustix::process::geteuid().as_raw() {
        return Err(StateError::NotOurs { path: path.to_owned(), uid });
    }
    if link.is_symlink() && mode & 0o022 != 0 {
        return Err(StateError::Open { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Creates a private folder (0700) with its parents; an existing folder is not changed.
pub fn make_folder(path: &Path) -> Result<(), StateError> {
    create_folders(path, 0o700).map_err(|source| StateError::Io { path: path.to_owned(), source })
}

/// Replaces a file atomically, also in the face of a power cut; only this user can read it (0600).
pub fn write_private(path: &Path, content: &str) -> Result<(), StateError> {
    let io = |source| StateError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(content.as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    sync_names(folder).map_err(io)
}

/// Returns 32 random bytes in hexadecimal.
pub fn random_hex() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_start_at_once_agree_on_the_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/compose");
        let seen: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                let state = State::open(&folder).unwrap();
                (state.token().unwrap(), state.internal_token().unwrap(), state.manager_id().unwrap())
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|one| *one == seen[0]));
        assert_eq!(seen[0].0.expose().len(), 64);
        assert_ne!(seen[0].0, seen[0].1);
        assert_eq!(format!("{:?}", seen[0].0), "Token(…)");
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| name != "manager-machine");
        names.sort();
        assert_eq!(names, ["internal-token", "manager-id", "token"], "no temporary file stays");
    }

    #[test]
    fn a_copy_of_the_folder_on_another_machine_is_another_manager() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("data")).unwrap();
        let here = state.manager_id_on("one").unwrap();
        assert_eq!(state.manager_id_on("one").unwrap(), here);
        assert_eq!(state.manager_id_on("").unwrap(), here, "nobody knows which machine it is");
        let there = state.manager_id_on("two").unwrap();
        assert_ne!(there, here);
        assert_eq!(state.manager_id_on("two").unwrap(), there, "and is kept");
        fs::write(state.folder.join("manager-machine"), [255; 32]).unwrap();
        state.manager_id_on("two").unwrap();
    }

    #[test]
    fn a_damaged_manager_id_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("data")).unwrap();
        let old = state.manager_id().unwrap();
        for damaged in [&b""[..], &[0; 36], &[255; 36], b"not an id"] {
            fs::write(state.folder.join("manager-id"), damaged).unwrap();
            let new = state.manager_id().unwrap();
            assert_ne!(new, old);
            assert_eq!(state.manager_id().unwrap(), new, "and is kept");
        }
    }

    #[test]
    fn what_it_makes_is_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("compose");
        let state = State::open(&folder).unwrap();
        state.token().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&state.token_file()), 0o600);
    }

    #[test]
    fn a_folder_that_others_can_write_or_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, expected) in [
            (0o777, "can be written by other users (mode 777)"),
            (0o720, "can be written by other users (mode 720)"),
            (0o755, "can be read by other users (mode 755)"),
        ] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = State::open(dir.path()).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("data")).unwrap();
        fs::write(state.token_file(), random_hex()).unwrap();
        fs::set_permissions(state.token_file(), fs::Permissions::from_mode(0o644)).unwrap();
        let error = state.token().unwrap_err().to_string();
        let path = state.token_file();
        assert_eq!(error, format!("the file {} can be read by other users (mode 644)", path.display()));
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let give = |path: &Path| std::os::unix::fs::chown(path, Some(12345), None).unwrap();
        let folder = dir.path().join("data");
        let state = State::open(&folder).unwrap();
        state.token().unwrap();
        give(&state.token_file());
        let error = state.token().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the file {} belongs to another user (uid 12345)", state.token_file().display())
        );
        give(&folder);
        let error = State::open(&folder).unwrap_err().to_string();
        assert_eq!(error, format!("{} belongs to another user (uid 12345)", folder.display()));
    }

    #[test]
    fn a_folder_in_it_that_belongs_to_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        State::open(&folder).unwrap();
        for name in FOLDERS {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::set_permissions(folder.join("cache"), fs::Permissions::from_mode(0o777)).unwrap();
        State::open(&folder).expect("others do not reach it");
        if !rustix::process::geteuid().is_root() {
            return;
        }
        for name in FOLDERS {
            let inner = folder.join(name);
            std::os::unix::fs::chown(&inner, Some(12345), None).unwrap();
            let error = State::open(&folder).unwrap_err().to_string();
            assert_eq!(error, format!("{} belongs to another user (uid 12345)", inner.display()));
            std::os::unix::fs::chown(&inner, Some(0), None).unwrap();
        }
    }

    #[test]
    fn a_link_in_it_leads_to_no_place_where_others_write() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (dir.path().join("data"), dir.path().join("elsewhere"));
        State::open(&folder).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join("cache")).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o755)).unwrap();
        State::open(&folder).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o775)).unwrap();
        let error = State::open(&folder).unwrap_err().to_string();
        let link = folder.join("cache");
        assert_eq!(
            error,
            format!("the data folder {} can be written by other users (mode 775)", link.display())
        );
    }
}
